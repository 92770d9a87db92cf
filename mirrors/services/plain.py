"""What follows the commit: plain addresses, each atomically, then the two documents about the publication.

They are conveniences: no client that verifies decides by them, and the origin resolves a plain address through the
committed release. So they may lag for a moment, and ``tick`` completes an interrupted round.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from almanac.addresses import INDEX, MINISIGN_KEY, object_path
from almanac.lifecycle import RETIRED, SchemaNotice
from almanac.stores import DamagedObjectError, ObjectNotFoundError, ObjectStore
from mirrors.failpoints import Passing, nothing
from mirrors.forms import SchemaLine, index_document
from mirrors.models import Publication, PublishedDocument, SignedFile
from mirrors.services import ledger
from mirrors.services.means import Rendering
from mirrors.services.pushing import put_until_it_is_so
from mirrors.services.uploading import each, lanes
from signing.metadata import fingerprint
from signing.minisign import MinisignPublicKey


class PlainFile(NamedTuple):
    """A listed document: its plain address, where its bytes lie, what its ``.minisig`` holds."""

    path: str
    object: str
    length: int
    signature: bytes


class PlainState(NamedTuple):
    """What the plain addresses should be, read from the tables once for all stores."""

    listed: list[PlainFile]
    gone: list[str]


def plain_state() -> PlainState:
    listed = ledger.listed_documents()
    signatures = _signatures(listed.values())
    files = [
        PlainFile(path, object_path(path, document.sha256), document.length, signatures[path])
        for path, document in listed.items()
    ]
    unlisted = PublishedDocument.objects.filter(listed=False).values_list("path", flat=True)
    return PlainState(files, sorted(set(unlisted) - set(listed)))


def put_plain_addresses(
    store: ObjectStore, *, passing: Passing, state: PlainState | None = None
) -> list[str]:
    """Makes every plain address hold what is listed, and nothing else; returns the addresses that changed.

    With ``state`` the database is not asked.
    """
    state = state or plain_state()
    changed: list[str] = []
    at_once = lanes(store)
    step = passing if at_once == 1 else nothing

    def put(file: PlainFile) -> None:
        if _get(store, f"{file.path}.minisig") == file.signature and store.size(file.path) == file.length:
            return
        _put(store, file.path, store.get(file.object))
        step("plain")
        _put(store, f"{file.path}.minisig", file.signature)
        step("plain")
        changed.append(file.path)

    each(state.listed, put, at_once=at_once)
    return sorted(changed) + _remove(store, state.gone)


def put_afterwards(store: ObjectStore, publication: Publication, *, passing: Passing) -> None:
    """``index.json`` and ``minisign.pub``, where they are not what they should be."""
    for address, text in publication.afterwards.items():
        data = text.encode()
        if _get(store, address) != data:
            _put(store, address, data)
        passing("plain")


def afterwards(
    rendering: Rendering, *, published: datetime, minisign_key: MinisignPublicKey
) -> dict[str, str]:
    """The unsigned files about the documents that are listed now: address → text."""
    index = index_document(
        release=rendering.release,
        published=published,
        schemas=_schema_lines(rendering),
        regions=rendering.regions,
        experiments=rendering.experiments,
        root_fingerprint=fingerprint(ledger.first_root() or b""),
        minisign_key=minisign_key.line,
    )
    return {INDEX: index.decode(), MINISIGN_KEY: minisign_key.text}


def _schema_lines(rendering: Rendering) -> list[SchemaLine]:
    listed = ledger.listed_documents()
    notices = {notice.name: notice for notice in rendering.notices}
    lines = []
    for schema in rendering.schemas:
        document = listed[schema.path]
        target = object_path(schema.path, document.sha256)
        facts = (schema.name, schema.path, schema.status, schema.sunset)
        life = _life(notices.get(schema.name))
        lines.append(SchemaLine(*facts, document.length, document.sha256, target, *life))
    lines += [
        SchemaLine(n.name, n.file, n.status, n.sunset or None, None, None, None, *_life(n))
        for n in notices.values()
        if n.status == RETIRED and _was_published(n.file)
    ]
    return lines


def _life(notice: SchemaNotice | None) -> tuple[str | None, str | None, dict[str, str] | None]:
    """Since when it is deprecated, its successor, its clients."""
    if notice is None:
        return None, None, None
    return notice.deprecated or None, notice.successor or None, dict(notice.clients) or None


def _was_published(path: str) -> bool:
    return PublishedDocument.objects.filter(path=path).exists()


def _signatures(documents: Iterable[PublishedDocument]) -> dict[str, bytes]:
    """Path → its minisign file."""
    addresses = {f"{object_path(d.path, d.sha256)}.minisig": d.path for d in documents}
    rows = SignedFile.objects.filter(address__in=addresses).values_list("address", "data")
    return {addresses[address]: bytes(data) for address, data in rows}


def _remove(store: ObjectStore, gone: Iterable[str]) -> list[str]:
    """A document that is not listed any more leaves its plain address; its immutable bytes stay."""
    removed = [path for path in gone if store.size(path) is not None]
    for path in removed:
        store.delete(path)
        store.delete(f"{path}.minisig")
    return removed


def _put(store: ObjectStore, address: str, data: bytes) -> None:
    store.put(address, data)
    put_until_it_is_so(store, address, data)


def _get(store: ObjectStore, address: str) -> bytes | None:
    try:
        return store.get(address)
    except (DamagedObjectError, ObjectNotFoundError):
        return None
