"""Offline signing: a root or targets leaves as a request, collects signatures elsewhere, and comes back.

A request is one JSON file: the metadata with the signatures so far, and the root that it must satisfy. It holds
nothing secret. Whoever signs first reads ``describe``: that is what their signature will stand for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

import almanac.keys
from almanac.errors import MalformedError, PolicyError

FORMAT = 1
OFFLINE_ROLES = ("root", "targets")
MOST_BYTES = 4 * 1024 * 1024
_COMPACT = JSONSerializer(compact=True)


@dataclass(frozen=True, slots=True)
class SigningRequest:
    role: str
    metadata: bytes
    """the next version, with the signatures that it has so far"""
    delegator: bytes | None
    """for root the one before it (``None`` for the first), for targets the newest root"""


@dataclass(frozen=True, slots=True)
class Needed:
    """One set of keys whose threshold the metadata must meet."""

    of: str
    threshold: int
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]

    @property
    def missing(self) -> int:
        return max(0, self.threshold - len(self.signed))


def write_request(request: SigningRequest) -> bytes:
    form = {
        "format": FORMAT,
        "role": request.role,
        "metadata": json.loads(request.metadata),
        "delegator": None if request.delegator is None else json.loads(request.delegator),
    }
    return json.dumps(form, indent=1, sort_keys=True).encode() + b"\n"


def read_request(data: bytes) -> SigningRequest:
    """Raises ``MalformedError``: this is no request, or one that no client would accept however it were signed."""
    almanac.keys.register()
    try:
        form = json.loads(data.decode("utf-8"))
        known = form["format"] == FORMAT and form["role"] in OFFLINE_ROLES
        delegator = form["delegator"]
        request = SigningRequest(
            form["role"],
            Metadata.from_dict(form["metadata"]).to_bytes(_COMPACT),
            None if delegator is None else Metadata.from_dict(delegator).to_bytes(_COMPACT),
        )
        sound = _is_next(request)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, DeserializationError) as error:
        raise MalformedError("this is not a signing request") from error
    if not (known and sound):
        raise MalformedError("this request would not lead to metadata that follows what is signed")
    return request


def sign_request(request: SigningRequest, signer: Signer) -> SigningRequest:
    """The request with one signature more; signing twice with a key changes nothing.

    Raises:
        PolicyError: the key is not one that this request asks for.
    """
    keyid = signer.public_key.keyid
    if not any(keyid in (*needed.signed, *needed.unsigned) for needed in needed_signatures(request)):
        raise PolicyError(
            f"the key {keyid[:16]} has no say in this {request.role}",
            advice="choose a key of those that the request names",
        )
    metadata = Metadata.from_bytes(request.metadata)
    metadata.sign(signer, append=True)
    return replace(request, metadata=metadata.to_bytes(_COMPACT))


def needed_signatures(request: SigningRequest) -> list[Needed]:
    metadata: Metadata = Metadata.from_bytes(request.metadata)
    delegators: list[tuple[str, Root]] = []
    if request.delegator is not None:
        delegators.append(("the root before" if request.role == "root" else "root", _root(request.delegator)))
    if request.role == "root":
        delegators.append(("the new root", metadata.signed))
    needed = []
    for name, delegator in delegators:
        result = delegator.get_verification_result(request.role, metadata.signed_bytes, metadata.signatures)
        needed.append(
            Needed(name, result.threshold, tuple(sorted(result.signed)), tuple(sorted(result.unsigned)))
        )
    return needed


def merged(requests: Sequence[SigningRequest]) -> SigningRequest:
    """One request with everybody's signatures, where holders signed copies of it.

    Raises:
        MalformedError: they are not copies of one request.
    """
    first = Metadata.from_bytes(requests[0].metadata)
    for other in requests[1:]:
        copy = Metadata.from_bytes(other.metadata)
        if (other.role, other.delegator, copy.signed_bytes) != (
            requests[0].role,
            requests[0].delegator,
            first.signed_bytes,
        ):
            raise MalformedError("these are not copies of one request: somebody signed something else")
        first.signatures.update(copy.signatures)
    return replace(requests[0], metadata=first.to_bytes(_COMPACT))


def completed(request: SigningRequest) -> bytes:
    """The signed metadata.

    Raises:
        PolicyError: signatures are missing, and whose.
    """
    for needed in needed_signatures(request):
        if needed.missing:
            raise PolicyError(
                f"{needed.missing} more signatures of the keys of {needed.of} are needed:",
                where=", ".join(keyid[:16] for keyid in needed.unsigned),
            )
    return request.metadata


def describe(request: SigningRequest) -> Iterator[str]:
    """What a signature on this request says, line by line."""
    signed: Any = Metadata.from_bytes(request.metadata).signed
    yield f"{request.role} {signed.version}, valid until {signed.expires:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(signed, Root):
        before = _root(request.delegator) if request.delegator else None
        yield from _describe_roles(signed, before)
    else:
        yield from _describe_delegations(signed)
    for needed in needed_signatures(request):
        have = ", ".join(keyid[:16] for keyid in needed.signed) or "nobody"
        may = ", ".join(keyid[:16] for keyid in needed.unsigned) or "nobody"
        yield f"by {needed.of}: {needed.threshold} needed; signed: {have}; may still sign: {may}"


def _describe_roles(root: Root, before: Root | None) -> Iterator[str]:
    for name, role in sorted(root.roles.items()):
        keys = ", ".join(keyid[:16] for keyid in role.keyids)
        line = f"{name}: {role.threshold} of {keys}"
        if before is not None and before.roles[name] != role:
            old = ", ".join(keyid[:16] for keyid in before.roles[name].keyids)
            line += f" (before: {before.roles[name].threshold} of {old})"
        yield line


def _describe_delegations(targets: Any) -> Iterator[str]:
    for name, role in sorted((targets.delegations.roles or {}).items() if targets.delegations else ()):
        keys = ", ".join(keyid[:16] for keyid in role.keyids)
        yield f"{name}: {role.threshold} of {keys} for {', '.join(role.paths or [])}"


def _is_next(request: SigningRequest) -> bool:
    signed = Metadata.from_bytes(request.metadata).signed
    if signed.type != request.role:
        return False
    if request.role == "targets":
        return request.delegator is not None and isinstance(_root(request.delegator), Root)
    before = _root(request.delegator).version if request.delegator else 0
    return bool(signed.version == before + 1)


def _root(data: bytes) -> Root:
    signed = Metadata.from_bytes(data).signed
    if not isinstance(signed, Root):
        raise MalformedError("the request names no root that it follows")
    return signed
