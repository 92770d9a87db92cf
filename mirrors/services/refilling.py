"""Gives the first store back what it lost, from the other stores, from mirrors, and from the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

from almanac.addresses import TIMESTAMP, delta_path, object_path
from almanac.errors import LocalStateError
from mirrors.models import Delta, PublishedDocument, SignedFile
from mirrors.services import ledger
from mirrors.services.learning import MOST, Learned, SignedBytes
from mirrors.services.means import Means
from mirrors.services.preparing import mirror_list
from mirrors.services.pushing import stored_timestamp


def refill(means: Means, learned: Learned, *, accept_loss: bool) -> list[str]:
    """What was put there. Only immutable objects, and last the newest timestamp, where nothing of it is missing.

    A listed document that is nowhere is refused, or with ``accept_loss`` listed no more.
    """
    store = means.primary
    there = set(store.names())
    put = []
    for address, data in _missing(means, learned, there):
        store.put(address, data, only_if_absent=True)
        there.add(address)
        put.append(address)
    _offer_no_lost_deltas(there)
    store.flush()
    newest = _newest_timestamp(learned)
    is_whole = _is_whole(there, accept_loss=accept_loss)
    if newest is not None and is_whole and newest.version > _version(stored_timestamp(store)):
        store.put(TIMESTAMP, newest.data)
        store.flush()
        put.append(TIMESTAMP)
    return put


def _is_whole(there: set[str], *, accept_loss: bool) -> bool:
    lost = [d for d in ledger.listed_documents().values() if object_path(d.path, d.sha256) not in there]
    if lost and not accept_loss:
        raise LocalStateError(
            f"{len(lost)} published documents are nowhere to be found",
            where=f"({object_path(lost[0].path, lost[0].sha256)})",
            advice="name a mirror that has them with --learn-from, or say --accept-empty",
        )
    PublishedDocument.objects.filter(pk__in=[document.pk for document in lost]).update(listed=False)
    return not lost


def _missing(means: Means, learned: Learned, there: set[str]) -> Iterator[tuple[str, bytes]]:
    rows = SignedFile.objects.exclude(role="timestamp").order_by("pk")
    for address, signed in rows.values_list("address", "data").iterator(chunk_size=200):
        if address not in there:
            yield address, bytes(signed)
    documents = {
        object_path(path, sha256): sha256
        for path, sha256 in PublishedDocument.objects.values_list("path", "sha256")
    }
    lost = {address: sha256 for address, sha256 in documents.items() if address not in there}
    for address, data in _found(lost, learned):
        yield address, data
        lost.pop(address)
    yield from _rendered(means, lost)
    deltas = (delta_path(old, new) for old, new in Delta.objects.values_list("old", "new").distinct())
    for address in deltas:
        kept = None if address in there else _from_anybody(learned, address)
        if kept is not None:
            yield address, kept


def _found(lost: dict[str, str], learned: Learned) -> Iterator[tuple[str, bytes]]:
    for address, sha256 in list(lost.items()):
        data = _from_anybody(learned, address)
        if data is not None and hashlib.sha256(data).hexdigest() == sha256:
            yield address, data


def _rendered(means: Means, lost: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """The newest release's documents and the mirror list can be made again."""
    release = means.catalog.newest_release() if lost else None
    if release is None:
        return
    known = frozenset(ledger.listed_documents())
    rendered = means.catalog.render(release, known=known).documents
    for document in (*rendered, mirror_list(means)):
        address = object_path(document.path, document.sha256)
        if lost.get(address) == document.sha256:
            yield address, document.read()


def _from_anybody(learned: Learned, address: str) -> bytes | None:
    found: Iterable[bytes | None] = (one.source.get(address, most=MOST) for one in learned.seen)
    return next((data for data in found if data is not None), None)


def _offer_no_lost_deltas(there: set[str]) -> None:
    for delta in Delta.objects.filter(listed=True):
        if delta_path(delta.old, delta.new) not in there:
            Delta.objects.filter(pk=delta.pk).update(listed=False)


def _newest_timestamp(learned: Learned) -> SignedBytes | None:
    if learned.newest is not None:
        return learned.newest.timestamp
    row = SignedFile.objects.filter(role="timestamp").order_by("version").last()
    if row is None:
        return None
    data = bytes(row.data)
    return SignedBytes(row.address, row.role, row.version or 0, data, json.loads(data)["signed"])


def _version(timestamp: bytes | None) -> int:
    return int(json.loads(timestamp)["signed"]["version"]) if timestamp else 0
