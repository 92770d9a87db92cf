"""Reads a store as a stranger who has the first root: everything that is promised is there, signed and whole.

It shares no code with what it judges (nor with python-tuf): JSON, SHA-256 and Ed25519 only. What was verified once is
remembered by its bytes, because the simulation asks after every step.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

Objects = Mapping[str, bytes]


class BrokenError(Exception):
    """A promise that is not kept, in a sentence."""


@dataclass(frozen=True)
class Snapshot:
    """What a reader gets."""

    release: int
    versions: Mapping[str, int]
    documents: Mapping[str, str] = field(default_factory=dict)
    """Plain address → SHA-256."""
    addresses: frozenset[str] = frozenset()
    """Everything in the store that it promises."""


def read(objects: Objects) -> Snapshot:
    """Raises ``BrokenError`` where a complete reader would fail."""
    root = _newest_root(objects)
    timestamp = _signed(_object(objects, "metadata/timestamp.json"), "timestamp", root)
    snapshot_meta = timestamp["meta"]["snapshot.json"]
    name = f"metadata/{snapshot_meta['version']}.snapshot.json"
    snapshot = _signed(_promised(objects, name, snapshot_meta), "snapshot", root)
    versions = {"root": root["version"], "timestamp": timestamp["version"], "snapshot": snapshot["version"]}
    documents: dict[str, str] = {}
    addresses = {name}
    for role, signed in _roles(objects, snapshot["meta"], root):
        versions[role] = signed["version"]
        addresses.add(f"metadata/{signed['version']}.{role}.json")
        for path, target in signed["targets"].items():
            documents[path] = target["hashes"]["sha256"]
            addresses.update(_checked_target(objects, path, target))
    return Snapshot(snapshot["x-almanac-release"], versions, documents, frozenset(addresses))


def _newest_root(objects: Objects) -> dict[str, Any]:
    root = _signed_by_itself(_object(objects, "metadata/1.root.json"))
    while (data := objects.get(f"metadata/{root['version'] + 1}.root.json")) is not None:
        _signed(data, "root", root)
        following = _signed_by_itself(data)
        if following["version"] != root["version"] + 1:
            raise BrokenError(f"root {root['version'] + 1} says that it is {following['version']}")
        root = following
    return root


def _roles(
    objects: Objects, meta: Mapping[str, Any], root: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """``targets`` and whoever it delegates to, depth first; each in exactly the version that the snapshot names."""
    pending = [("targets", root["keys"], root["roles"]["targets"])]
    while pending:
        role, keys, rule = pending.pop()
        promised = meta.get(f"{role}.json")
        if promised is None:
            raise BrokenError(f"the snapshot does not name the role {role}")
        data = _promised(objects, f"metadata/{promised['version']}.{role}.json", promised)
        signed = _checked(data, "targets", _keys_of(keys, rule), rule["threshold"])
        yield role, signed
        delegations = signed.get("delegations") or {"keys": {}, "roles": []}
        pending += [(below["name"], delegations["keys"], below) for below in delegations["roles"]]


def _checked_target(objects: Objects, path: str, target: Mapping[str, Any]) -> Iterator[str]:
    """The document, its minisign signature and its deltas."""
    sha256 = target["hashes"]["sha256"]
    folder, file = posixpath.split(path)
    address = posixpath.join("targets", folder, f"{sha256}.{file}")
    _promised(objects, address, {"length": target["length"], "hashes": {"sha256": sha256}})
    _object(objects, f"{address}.minisig")
    yield from (address, f"{address}.minisig")
    for old, length in target["custom"]["deltas"].items():
        found = [n for n in objects if n.startswith(f"deltas/{old}") and n.endswith(f"/{sha256}.dcz")]
        if len(found) != 1 or len(objects[found[0]]) != length:
            raise BrokenError(
                f"the delta {old} → {sha256[:16]} of {path} is promised and not there as promised"
            )
        yield found[0]


def _promised(objects: Objects, name: str, promise: Mapping[str, Any]) -> bytes:
    data = _object(objects, name)
    if len(data) != promise["length"] or _sha256(data) != promise["hashes"]["sha256"]:
        raise BrokenError(f"{name} is not what was promised")
    return data


def _object(objects: Objects, name: str) -> bytes:
    try:
        return objects[name]
    except KeyError:
        raise BrokenError(f"{name} is promised and absent") from None


def _signed(data: bytes, role: str, root: Mapping[str, Any]) -> dict[str, Any]:
    rule = root["roles"][role]
    return _checked(data, role, _keys_of(root["keys"], rule), rule["threshold"])


def _signed_by_itself(data: bytes) -> dict[str, Any]:
    root = json.loads(data)["signed"]
    return _signed(data, "root", root)


def _keys_of(keys: Mapping[str, Any], rule: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((keyid, keys[keyid]["keyval"]["public"]) for keyid in rule["keyids"])


@lru_cache(maxsize=100_000)
def _checked(data: bytes, kind: str, keys: tuple[tuple[str, str], ...], threshold: int) -> dict[str, Any]:
    """What the file says, if enough of these keys signed exactly that. Never changed by whoever gets it."""
    envelope = json.loads(data)
    signed: dict[str, Any] = envelope["signed"]
    # Canonical JSON as TUF has it; our metadata is ASCII without control characters, where this is the same.
    canonical = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    by_keyid = {signature["keyid"]: signature["sig"] for signature in envelope["signatures"]}
    good = sum(_holds(public, by_keyid.get(keyid, ""), canonical) for keyid, public in keys)
    if good < threshold:
        raise BrokenError(f"a {kind} file of version {signed.get('version')} has too few good signatures")
    if signed["_type"] != kind:
        raise BrokenError(f"a file says that it is a {signed['_type']}, and a {kind} was promised")
    return signed


def _holds(public: str, signature: str, data: bytes) -> bool:
    try:
        VerifyKey(bytes.fromhex(public)).verify(data, bytes.fromhex(signature))
    except (BadSignatureError, ValueError):
        return False
    return True


@lru_cache(maxsize=100_000)
def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def version_of(data: bytes) -> tuple[str, int]:
    """Which kind of metadata, and which version of it."""
    signed = _parsed(data)
    return str(signed["_type"]), int(signed["version"])


@lru_cache(maxsize=100_000)
def _parsed(data: bytes) -> dict[str, Any]:
    signed: dict[str, Any] = json.loads(data)["signed"]
    return signed
