"""What the committed release holds: a target's path → its bytes' SHA-256, length and place in the store.

``metadata/timestamp.json`` is the commit of a publication. From it the snapshot and the roles' metadata
are read (it is our own disk: parsed, not verified) into a table that never changes. A new one is
made beside it and put in its place at once, so readers see a publication as a whole or not at all;
while a store is broken or half copied, the last whole table stays.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

from almanac.addresses import METADATA_NAME, SHA256, TIMESTAMP, is_target_path, metadata_path, object_path
from almanac.errors import AlmanacError, MalformedError
from almanac.lifecycle import SchemaNotice, read_notices
from almanac.stores import FileStore

_LOG: Final = logging.getLogger(__name__)
RETRY_S: Final = 1.0  # how long a store that could not be read is left alone


class Document(NamedTuple):
    path: str
    sha256: str
    length: int

    @property
    def object(self) -> str:
        return object_path(self.path, self.sha256)


class RolePart(NamedTuple):
    """What one role lists, and says about its schemas."""

    documents: tuple[Document, ...]
    notices: tuple[SchemaNotice, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseTable:
    """One committed release. ``roles`` keeps each role's part, so that the next table reads only what changed."""

    timestamp: bytes = b""
    documents: Mapping[str, Document] = field(default_factory=dict)
    regions: frozenset[str] = frozenset()
    roles: Mapping[str, RolePart] = field(default_factory=dict)
    notices: Mapping[str, SchemaNotice] = field(default_factory=dict)
    """A schema's global document, listed or not → what is said about the schema."""


def read_release(store: FileStore, previous: ReleaseTable) -> ReleaseTable:
    """The release that ``timestamp.json`` names, every document of it present; an ``AlmanacError`` otherwise."""
    timestamp = store.get(TIMESTAMP)
    snapshot_version = _versions(_signed(timestamp, TIMESTAMP), TIMESTAMP).get("snapshot")
    if snapshot_version is None:
        raise MalformedError("the timestamp names no snapshot")
    snapshot = metadata_path("snapshot", snapshot_version)
    roles: dict[str, RolePart] = {}
    for role, version in _versions(_signed(store.get(snapshot), snapshot), snapshot).items():
        if role != "root":
            name = metadata_path(role, version)
            roles[name] = previous.roles[name] if name in previous.roles else _part(store, name)
    documents = {document.path: document for role in roles.values() for document in role.documents}
    notices = {notice.file: notice for role in roles.values() for notice in role.notices}
    return ReleaseTable(timestamp, documents, _regions(documents), roles, notices)


def _part(store: FileStore, name: str) -> RolePart:
    signed = _signed(store.get(name), name)
    return RolePart(_documents(store, name, signed.get("targets", {})), read_notices(signed))


def _documents(store: FileStore, name: str, targets: Any) -> tuple[Document, ...]:
    try:
        found = tuple(
            Document(path, facts["hashes"]["sha256"], facts["length"]) for path, facts in targets.items()
        )
    except (AttributeError, KeyError, TypeError):
        raise MalformedError("targets without hash or length", where=f"({name})") from None
    for document in found:
        _check(document, name)
        if store.size(document.object) != document.length:
            raise MalformedError("a document is missing or has another length", where=f"({document.object})")
    return found


def _check(document: Document, name: str) -> None:
    plain = (
        is_target_path(document.path) and type(document.length) is int and isinstance(document.sha256, str)
    )
    if not plain or not SHA256.fullmatch(document.sha256):
        raise MalformedError("a target that this server cannot serve", where=f"({name})")


def _signed(data: bytes, name: str) -> dict[str, Any]:
    try:
        signed = json.loads(data)["signed"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MalformedError("this is not TUF metadata", where=f"({name})") from None
    if not isinstance(signed, dict):
        raise MalformedError("this is not TUF metadata", where=f"({name})")
    return signed


def _versions(signed: dict[str, Any], name: str) -> dict[str, int]:
    """Role → version, from a timestamp's or snapshot's ``meta``."""
    try:
        versions = {file: facts["version"] for file, facts in signed["meta"].items()}
    except (AttributeError, KeyError, TypeError):
        raise MalformedError("metadata without versions", where=f"({name})") from None
    for file, version in versions.items():
        if type(version) is not int or version < 1 or not METADATA_NAME.fullmatch(file):
            raise MalformedError("metadata that names no role and version", where=f"({name})")
    return {file.removesuffix(".json"): version for file, version in versions.items()}


def _regions(documents: Mapping[str, Document]) -> frozenset[str]:
    parts = (path.split("/", 2) for path in documents)
    return frozenset(part[1] for part in parts if part[0] == "regions" and len(part) == 3) | {"global"}


Site = TypeVar("Site")


class CommittedRelease(Generic[Site]):
    """The newest whole release of a folder, as whatever ``make`` turns its table into.

    ``current`` asks the disk each time whether ``timestamp.json`` is another file than before (one
    ``stat``), so a publication is visible with the first request after it. Safe to use from threads.
    """

    def __init__(
        self,
        store: FileStore,
        make: Callable[[ReleaseTable, Site | None], Site],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._make = make
        self._monotonic = monotonic
        self._timestamp = os.fspath(store.root.joinpath(*TIMESTAMP.split("/")))
        self._lock = threading.Lock()
        self._seen: object = None
        self._failed: tuple[object, float] = (None, 0.0)
        self._table = ReleaseTable()
        self._site = make(self._table, None)

    def current(self) -> Site:
        try:
            found = os.stat(self._timestamp)  # noqa: PTH116 - on every request: a Path costs as much again
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            return self._site  # nothing is published yet, or the store is being moved: what we have stays
        return self._site if seen == self._seen else self._refresh(seen)

    def _refresh(self, seen: object) -> Site:
        with self._lock:
            failed, when = self._failed
            if seen == self._seen or (seen == failed and self._monotonic() < when + RETRY_S):
                return self._site
            try:
                table = read_release(self._store, self._table)
            except AlmanacError as error:
                _LOG.warning("the last whole release stays in use: %s", error)
                self._failed = (seen, self._monotonic())
                return self._site
            self._site = self._make(table, self._site)
            self._table = table
            self._seen = seen
            return self._site
