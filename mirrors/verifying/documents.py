"""The documents that the roles list: their bytes, their minisign signatures, and every delta that leads to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from almanac import dcz
from almanac.addresses import MINISIGN_KEY, delta_key, delta_path, metadata_path, object_path
from almanac.errors import AlmanacError, MalformedError, NetworkError
from mirrors.verifying import tuf
from mirrors.verifying.chain import MOST_TARGETS, Chain, Target
from mirrors.verifying.report import Progress, Report
from mirrors.verifying.sources import Source
from signing.minisign import MOST_BYTES as MOST_MINISIG
from signing.minisign import UNTRUSTED, MinisignPublicKey, read_public_key, trusted_facts, verify

MOST_OLD_VERSIONS: Final = 200
MOST_OBJECT: Final = 512 * 2**20


@dataclass(slots=True)
class Shelf:
    """What the documents' verification works with, and what it has seen."""

    source: Source
    report: Report
    chain: Chain
    key: MinisignPublicKey | None
    names: frozenset[str] | None
    """everything that lies there, or ``None`` where nobody can list it"""
    progress: Progress
    files: set[str] = field(default_factory=set)

    def get(self, name: str, *, most: int) -> bytes:
        data = self.source.get(name, most=most)
        if data is None:
            raise NetworkError("this file is missing:", where=name)
        self.files.add(name)
        return data


def read_minisign_key(source: Source, report: Report) -> MinisignPublicKey | None:
    data = source.get(MINISIGN_KEY, most=4096)
    if data is None:
        report.warnings.append(f"{MINISIGN_KEY} is missing: its signatures cannot be verified")
        return None
    try:
        key = read_public_key(data.decode("utf-8", "replace"))
        if key.text.encode() != data:
            raise MalformedError("this is not the form of a minisign key")
    except AlmanacError as error:
        report.problems.append(MalformedError(error.what, where=MINISIGN_KEY))
        return None
    report.minisign_key = key.line
    return key


def verify_documents(shelf: Shelf) -> None:
    for target in sorted(shelf.chain.targets.values(), key=lambda target: target.path):
        shelf.progress(target.path)
        with shelf.report.noting():
            data = _verify_object(shelf, target)
            with shelf.report.noting():
                verify_minisig(shelf, object_path(target.path, target.sha256), data, path=target.path)
            _verify_deltas(shelf, target, data)


def _verify_object(shelf: Shelf, target: Target) -> bytes:
    name = object_path(target.path, target.sha256)
    data = shelf.get(name, most=target.length)
    check_object(data, target.sha256, name)
    if len(data) != target.length:
        raise MalformedError(f"{len(data)} bytes instead of {target.length}", where=name)
    shelf.report.counts["documents verified"] += 1
    return data


def check_object(data: bytes, sha256: str, name: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise MalformedError("its SHA-256 is not the signed one", where=name)


def verify_minisig(shelf: Shelf, name: str, data: bytes, *, path: str) -> None:
    """The signature beside ``name``, and that its comment speaks of these bytes at this path."""
    if shelf.key is None:
        return
    minisig = shelf.get(f"{name}.minisig", most=MOST_MINISIG)
    try:
        facts = trusted_facts(verify(data, minisig, shelf.key))
    except AlmanacError as error:
        raise type(error)(error.what, where=f"{name}.minisig") from error
    release = facts.get("release", "")
    expected = {"path": path, "release": release, "sha256": hashlib.sha256(data).hexdigest()}
    first_line = f"{UNTRUSTED}signature by {shelf.key.line}\n".encode()
    if facts != expected or not release.isdecimal() or not minisig.startswith(first_line):
        raise MalformedError("its comment speaks of something else", where=f"{name}.minisig")
    shelf.report.counts["minisign signatures verified"] += 1


def _verify_deltas(shelf: Shelf, target: Target, new: bytes) -> None:
    if not target.deltas:
        return
    bases = _bases(shelf, target)
    for key, length in sorted(target.deltas.items()):
        with shelf.report.noting():
            if key not in bases:
                shelf.report.warnings.append(
                    f"{target.path}: the delta from {key}… has no base here to try it on"
                )
                continue
            name = delta_path(bases[key], target.sha256)
            frame = shelf.get(name, most=length)
            if len(frame) != length:
                raise MalformedError(f"{len(frame)} bytes instead of {length}", where=name)
            old = shelf.source.get(object_path(target.path, bases[key]), most=MOST_OBJECT)
            if old is None:
                shelf.report.warnings.append(f"{name}: its base is not here to try it on")
                continue
            check_object(old, bases[key], object_path(target.path, bases[key]))
            check_delta(frame, old, new, name)
            shelf.report.counts["deltas applied and compared"] += 1


def check_delta(frame: bytes, old: bytes, new: bytes, name: str) -> None:
    try:
        made = dcz.decode(old, frame, max_length=len(new))
    except MalformedError as error:
        raise MalformedError(error.what, where=name) from error
    if made != new:
        raise MalformedError("the delta does not lead to its document", where=name)


def _bases(shelf: Shelf, target: Target) -> Mapping[str, str]:
    """First 16 digits → the whole SHA-256 of the documents that deltas start from."""
    if shelf.names is not None:
        suffix = f"/{target.sha256}.dcz"
        found = (
            name.split("/")[1] for name in shelf.names if name.startswith("deltas/") and name.endswith(suffix)
        )
        return {delta_key(sha256): sha256 for sha256 in found}
    bases: dict[str, str] = {}
    for sha256 in _older(shelf, target):
        bases[delta_key(sha256)] = sha256
        if target.deltas.keys() <= bases.keys():
            break
    return bases


def _older(shelf: Shelf, target: Target) -> Iterator[str]:
    """The document's SHA-256 in older versions of its role, where no list of files tells.

    These versions need not verify: a hash that they invent leads to no delta that could be applied.
    """
    newest = shelf.chain.roles[target.role].version
    for version in range(newest - 1, max(0, newest - MOST_OLD_VERSIONS), -1):
        name = metadata_path(target.role, version)
        data = shelf.source.get(name, most=MOST_TARGETS)
        if data is None:
            return
        try:
            entry = tuf.read(data, "targets", name).signed["targets"][target.path]
            yield str(entry["hashes"]["sha256"])
        except (AlmanacError, KeyError, TypeError):
            continue
