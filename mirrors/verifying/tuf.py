"""TUF 1.0 metadata as a stranger reads it: JSON, canonical JSON, signatures, thresholds, path patterns.

This shares no code with what signs, and none with python-tuf, so that a mistake there is not made twice.
Pure: bytes in, a verified thing or an error out. Only Ed25519 keys are known; others count as absent.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from almanac.errors import AlmanacError, MalformedError, SignatureError

EXPIRES: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
LARGEST_VERSION: Final = 2**31 - 1

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys of a role (id → 32 bytes) and how many different ones must sign."""

    keys: Mapping[str, bytes]
    threshold: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """Metadata that was read and not yet verified."""

    where: str
    signed: Json
    signatures: Mapping[str, str]

    @property
    def version(self) -> int:
        return int(self.signed["version"])

    @property
    def expires(self) -> datetime:
        return datetime.strptime(self.signed["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """What timestamp and snapshot say about a file."""

    version: int
    length: int | None
    sha256: str | None


def read(data: bytes, kind: str, where: str) -> Envelope:
    """Raises: SignatureError for another kind of document or doubled signatures; MalformedError for anything else."""
    document = _strict_json(data, where)
    try:
        signed, listed = document["signed"], document["signatures"]
        signatures = {str(entry["keyid"]): entry["sig"] for entry in listed}
        if signed["_type"] != kind:
            raise SignatureError(f"this is a {signed['_type']!r} and not a {kind!r}", where=where)
        if len(signatures) != len(listed):
            raise SignatureError("two signatures name the same key", where=where)
        envelope = Envelope(where, signed, signatures)
        sound = (
            _is_count(signed["version"], least=1)
            and str(signed["spec_version"]).startswith("1.")
            and EXPIRES.fullmatch(signed["expires"])
            and envelope.expires
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError("this is not TUF metadata", where=where) from error
    if not sound:
        raise MalformedError("this is not TUF metadata", where=where)
    return envelope


def verified_by(envelope: Envelope, trust: Trust) -> tuple[str, ...]:
    """The ids of the keys whose signatures hold, in order; counted are different keys, not different ids.

    Raises:
        SignatureError: they are fewer than the threshold.
    """
    payload = canonical(envelope.signed, envelope.where)
    good = tuple(keyid for keyid in sorted(envelope.signatures) if _holds(envelope, keyid, trust, payload))
    if len({trust.keys[keyid] for keyid in good}) < trust.threshold:
        raise SignatureError(f"{len(good)} of {trust.threshold} needed signatures hold", where=envelope.where)
    return good


def top_level_trust(root: Envelope, role: str) -> Trust:
    try:
        return _trust(root.signed["keys"], root.signed["roles"][role], root.where)
    except (KeyError, TypeError) as error:
        raise MalformedError(f"the root names no role {role!r}", where=root.where) from error


@dataclass(frozen=True, slots=True)
class DelegatedRole:
    name: str
    paths: Sequence[str]
    trust: Trust

    def covers(self, path: str) -> bool:
        return any(_matches(path, pattern) for pattern in self.paths)


def delegations(targets: Envelope) -> list[DelegatedRole]:
    where = targets.where
    form = targets.signed.get("delegations")
    if form is None:
        return []
    try:
        return [
            DelegatedRole(str(role["name"]), list(role["paths"]), _trust(form["keys"], role, where))
            for role in form["roles"]
        ]
    except (KeyError, TypeError) as error:
        raise MalformedError("the delegations cannot be read", where=where) from error


def listed(envelope: Envelope) -> dict[str, Listed]:
    """Role → what a timestamp's or snapshot's ``meta`` says about its file."""
    try:
        found = {
            str(name).removesuffix(".json"): Listed(
                entry["version"], entry.get("length"), (entry.get("hashes") or {}).get("sha256")
            )
            for name, entry in envelope.signed["meta"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedError("what it lists cannot be read", where=envelope.where) from error
    if not all(_is_count(entry.version, least=1) for entry in found.values()):
        raise MalformedError("it lists a version that is none", where=envelope.where)
    return found


def all_keys(envelope: Envelope) -> dict[str, bytes]:
    """Every sound key that a root or targets names."""
    form = envelope.signed if envelope.signed["_type"] == "root" else envelope.signed.get("delegations") or {}
    return _sound_keys(form.get("keys") or {})


def canonical(value: Any, where: str) -> bytes:
    """The bytes that are signed: canonical JSON (sorted keys, no white space, quotes and backslashes escaped)."""
    try:
        return _canonical(value).encode("utf-8")
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedError("this has no canonical form", where=where) from error


def _canonical(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case list():
            return "[" + ",".join(_canonical(item) for item in value) + "]"
        case dict():
            return (
                "{" + ",".join(f"{_canonical(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
            )
        case _:
            raise TypeError(type(value))


def _strict_json(data: bytes, where: str) -> Json:
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError("this is not strict JSON", where=where) from error
    if not isinstance(document, dict):
        raise MalformedError("this is not TUF metadata", where=where)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is no integer")


def _is_count(value: Any, *, least: int) -> bool:
    return type(value) is int and least <= value <= LARGEST_VERSION


def _trust(keys: Json, role: Json, where: str) -> Trust:
    threshold, keyids = role["threshold"], role["keyids"]
    if not _is_count(threshold, least=1):
        raise MalformedError("a threshold that is none", where=where)
    sound = _sound_keys(keys)
    return Trust({keyid: sound[keyid] for keyid in keyids if keyid in sound}, threshold)


def _sound_keys(keys: Json) -> dict[str, bytes]:
    """Keys that we know how to use and whose id is truly their hash; the others count as absent."""
    sound = {}
    for keyid, form in keys.items():
        try:
            kind = {name: form[name] for name in ("keytype", "scheme", "keyval")}
            public = bytes.fromhex(form["keyval"]["public"])
            computed = hashlib.sha256(canonical(kind, keyid)).hexdigest()
        except (KeyError, TypeError, ValueError, AlmanacError):
            continue
        if (kind["keytype"], kind["scheme"], len(public), computed) == ("ed25519", "ed25519", 32, keyid):
            sound[keyid] = public
    return sound


def _holds(envelope: Envelope, keyid: str, trust: Trust, payload: bytes) -> bool:
    try:
        if not SIGNATURE.fullmatch(envelope.signatures[keyid]):
            return (
                False  # upper case would mean the same, and a byte of the file would not be what was signed
            )
        VerifyKey(trust.keys[keyid]).verify(payload, bytes.fromhex(envelope.signatures[keyid]))
    except (CryptoError, KeyError, TypeError, ValueError):
        return False
    return True


def _matches(path: str, pattern: str) -> bool:
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))
