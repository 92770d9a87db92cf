"""Everything else that lies in a store: older metadata, documents and deltas must be whole as well.

Clients that were away come back to old roots and apply deltas to old documents, so damage there is damage.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

import brotli  # type: ignore[import-untyped]

from almanac.addresses import METADATA_NAME, MINISIGN_KEY, TIMESTAMP
from almanac.encodings import decoder_for
from almanac.errors import AlmanacError, MalformedError
from mirrors.verifying import tuf
from mirrors.verifying.chain import MOST_TARGETS
from mirrors.verifying.documents import MOST_OBJECT, Shelf, check_delta, check_object, verify_minisig

OBJECT: Final = re.compile(r"targets/(?P<folder>(?:[^/]+/)*)(?P<sha256>[0-9a-f]{64})\.(?P<file>[^/]+)")
DELTA: Final = re.compile(r"deltas/(?P<old>[0-9a-f]{64})/(?P<new>[0-9a-f]{64})\.dcz")
METADATA: Final = re.compile(r"metadata/(?P<version>[1-9][0-9]*)\.(?P<role>.+)\.json")
ENCODINGS: Final = {".gz": "gzip", ".zst": "zstd", ".br": "br"}


def verify_leftovers(shelf: Shelf) -> None:
    """Nothing to do where nobody can list what there is."""
    names = shelf.names or frozenset()
    objects = _objects(names)
    _collect_keys(shelf, names)
    for name in sorted(names - shelf.files - shelf.chain.files):
        shelf.progress(name)
        with shelf.report.noting():
            _verify(shelf, name, objects)


def _verify(shelf: Shelf, name: str, objects: dict[str, str]) -> None:
    if match := DELTA.fullmatch(name):
        _verify_delta(shelf, name, objects.get(match["old"]), objects.get(match["new"]))
    elif name.startswith("metadata/") and name != TIMESTAMP:
        _verify_metadata(shelf, name)
    elif name.startswith("targets/"):
        _verify_object(shelf, name)
    elif name.removesuffix(".minisig") in shelf.chain.targets or name in (MINISIGN_KEY, TIMESTAMP):
        return  # looked at with its document, or refused before
    else:
        shelf.report.warnings.append(f"{name} is not part of what is published")


def _objects(names: frozenset[str]) -> dict[str, str]:
    """SHA-256 → name of an object, without its signatures and copies."""
    found = {}
    for name in sorted(names):
        match = OBJECT.fullmatch(name)
        if match and not _beside(name, names):
            found[match["sha256"]] = name
    return found


def _beside(name: str, names: frozenset[str]) -> str | None:
    """The object that this file accompanies."""
    for suffix in (".minisig", *ENCODINGS):
        if name.endswith(suffix) and name.removesuffix(suffix) in names:
            return name.removesuffix(suffix)
    return None


def _verify_object(shelf: Shelf, name: str) -> None:
    owner = _beside(name, shelf.names or frozenset())
    match = OBJECT.fullmatch(owner or name)
    if match is None:
        shelf.report.warnings.append(f"{name} is not part of what is published")
        return
    data = shelf.get(owner or name, most=MOST_OBJECT)
    if owner is None:
        check_object(data, match["sha256"], name)
        shelf.report.counts["older documents verified"] += 1
    elif name.endswith(".minisig"):
        verify_minisig(shelf, owner, data, path=f"{match['folder']}{match['file']}")
    else:
        _verify_copy(shelf, name, data)


def _verify_copy(shelf: Shelf, name: str, data: bytes) -> None:
    """A precompressed copy is never trusted by a client that verifies; others would get what it holds."""
    encoding = ENCODINGS[name[name.rindex(".") :]]
    if _decode(shelf.get(name, most=MOST_OBJECT), encoding, len(data), name) != data:
        raise MalformedError("this copy holds something else than its document", where=name)
    shelf.report.counts["precompressed copies verified"] += 1


def _decode(data: bytes, encoding: str, length: int, name: str) -> bytes:
    if encoding == "br":
        return _brotli(data, length, name)
    decoder = decoder_for(encoding, max_length=length, where=name)
    decoder.feed(data)
    return decoder.finish()


def _brotli(data: bytes, length: int, name: str) -> bytes:
    decompressor = brotli.Decompressor()
    out: bytes = b""
    try:
        out += decompressor.process(data, output_buffer_limit=length + 1)
        while not decompressor.can_accept_more_data() and len(out) <= length:
            out += decompressor.process(b"", output_buffer_limit=length + 1)
    except brotli.error as error:
        raise MalformedError("broken brotli", where=name) from error
    if not decompressor.is_finished():
        raise MalformedError("this copy is cut off or too long", where=name)
    return out


def _verify_delta(shelf: Shelf, name: str, old: str | None, new: str | None) -> None:
    if old is None or new is None:
        shelf.report.warnings.append(f"{name}: one of its documents is not here to try it on")
        return
    before, after = shelf.get(old, most=MOST_OBJECT), shelf.get(new, most=MOST_OBJECT)
    check_delta(shelf.get(name, most=MOST_OBJECT), before, after, name)
    shelf.report.counts["older deltas applied and compared"] += 1


def _verify_metadata(shelf: Shelf, name: str) -> None:
    """Older metadata must still say what its name says, under a key that was once trusted."""
    match = METADATA.fullmatch(name)
    if match is None or not METADATA_NAME.fullmatch(name.removeprefix("metadata/")):
        shelf.report.warnings.append(f"{name} is not part of what is published")
        return
    kind = match["role"] if match["role"] in ("root", "snapshot") else "targets"
    envelope = tuf.read(shelf.get(name, most=MOST_TARGETS), kind, name)
    if envelope.version != int(match["version"]):
        raise MalformedError(f"this is version {envelope.version}", where=name)
    good = tuf.verified_by(envelope, tuf.Trust(shelf.chain.keys, 1))
    if set(envelope.signatures) - set(good):
        raise MalformedError("one of its signatures does not hold", where=name)
    shelf.report.counts["older metadata verified"] += 1


def _collect_keys(shelf: Shelf, names: frozenset[str]) -> None:
    """Keys that older targets named, newest first, so that each is vouched for by one that is known already.

    What cannot be read here is said once, when the file itself is looked at.
    """
    matches = (METADATA.fullmatch(name) for name in names - shelf.chain.files)
    older = [match for match in matches if match and match["role"] not in ("root", "snapshot")]
    for match in sorted(older, key=lambda match: (match["role"] != "targets", -int(match["version"]))):
        data = shelf.source.get(match.string, most=MOST_TARGETS)
        with suppress(AlmanacError):
            envelope = tuf.read(data or b"", "targets", match.string)
            tuf.verified_by(envelope, tuf.Trust(shelf.chain.keys, 1))
            shelf.chain.keys.update(tuf.all_keys(envelope))
