"""Brings one store from the publication before to this one: everything new first, the timestamp last.

That one write is the commit. Whatever instruction the process dies at, a reader finds the old snapshot complete or
the new one, because nothing that the old one names is ever changed and nothing of the new one is named before.
Doing it again does what is left.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Final, NamedTuple

from django.db.models import Q, QuerySet

from almanac.addresses import TIMESTAMP
from almanac.errors import EquivocationError, LocalStateError
from almanac.stores import DamagedObjectError, ObjectNotFoundError, ObjectStore, ReplacingStore
from mirrors.failpoints import Passing
from mirrors.models import Publication, SignedFile
from mirrors.services.means import Means
from mirrors.services.recovering import staged_bytes
from mirrors.services.uploading import each, lanes

_FOUND_BY_NUMBER: Final = re.compile(r"\.(snapshot|targets|root)\.json$")
"""These are written one after the other, in the order of ``NewFiles.metadata``."""


class ReadBackError(LocalStateError):
    name = "read-back"


class NewFile(NamedTuple):
    """``read`` gives its bytes when they are wanted: a publication's documents are never all in memory."""

    address: str
    sha256: str
    read: Callable[[], bytes]

    @classmethod
    def of(cls, address: str, data: bytes) -> NewFile:
        return cls(address, hashlib.sha256(data).hexdigest(), lambda: data)


class Turn(NamedTuple):
    """A root that a store missed, and the timestamp that must be served before it appears."""

    timestamp: bytes
    root: NewFile


class NewFiles(NamedTuple):
    """What a publication adds to a store, in the order in which it must be written."""

    objects: list[NewFile]
    metadata: list[NewFile]
    """Roles, snapshot, then ``targets`` and ``root``, which a client looks for by their next number."""
    timestamp: bytes
    turns: tuple[Turn, ...] = ()
    """For a store that missed publications: its roots, which then are not among ``metadata``."""


def new_files(means: Means, publication: Publication) -> NewFiles:
    """From what was staged and the saved signatures: the same bytes however often it is asked."""
    staged = staged_bytes(means, publication)
    objects = [
        NewFile(address, str(sha256), partial(staged, address))
        for address, (_, _, sha256) in publication.staged.items()
    ]
    metadata: list[tuple[int, NewFile]] = []
    timestamp = b""
    for row in _signed_files(publication):
        file = NewFile.of(row.address, bytes(row.data))
        if row.role == "timestamp":
            timestamp = file.read()
        elif row.role:
            metadata.append(({"snapshot": 1, "targets": 2, "root": 3}.get(row.role, 0), file))
        else:
            objects.append(file)
    objects += _older_signatures(publication, {file.address for file in objects})
    return NewFiles(objects, [file for _, file in sorted(metadata, key=lambda pair: pair[0])], timestamp)


def _older_signatures(publication: Publication, there: set[str]) -> list[NewFile]:
    """The minisign files of documents that come back: signed long ago, and perhaps removed from the stores since."""
    wanted = {f"{address}.minisig" for address in publication.staged} - there
    rows = SignedFile.objects.filter(role="", address__in=wanted).order_by("address")
    return [NewFile.of(row.address, bytes(row.data)) for row in rows]


def _signed_files(publication: Publication) -> QuerySet[SignedFile]:
    """Its own, and those of publications that were signed and given up since: what they signed counts on."""
    before = Publication.objects.committed().filter(pk__lt=publication.pk).last()
    given_up = Publication.objects.filter(
        state=Publication.State.FAILED, pk__lt=publication.pk, pk__gt=before.pk if before else 0
    )
    return SignedFile.objects.filter(Q(publication=publication) | Q(publication__in=given_up)).order_by("pk")


def push_objects(
    store: ObjectStore,
    files: NewFiles,
    *,
    passing: Passing,
    again: bool = False,
    copy: tuple[ObjectStore, list[str]] | None = None,
) -> None:
    """Everything but the commit, read back; ``again``: an earlier try may have been cut off.

    ``copy`` names older objects that the store may lack, and the store that has them.
    """
    at_once = lanes(store)
    if copy is not None:
        source, addresses = copy
        each(
            addresses, partial(_copy_object, source, store), at_once=at_once, then=partial(passing, "copied")
        )
    put = partial(put_immutable, store, again=again)
    each(files.objects, put, at_once=at_once, then=partial(passing, "object"))
    passing("objects-pushed")
    roles = list(takewhile(lambda file: not _FOUND_BY_NUMBER.search(file.address), files.metadata))
    each(roles, put, at_once=at_once, then=partial(passing, "metadata"))
    each(files.metadata[len(roles) :], put, at_once=1, then=partial(passing, "metadata"))
    store.flush()
    passing("metadata-pushed")
    _read_back(store, [*files.objects, *files.metadata], then=partial(passing, "verified"))
    passing("read-back")


def push_timestamp(
    store: ObjectStore, files: NewFiles, *, passing: Passing, may_commit: Callable[[], None]
) -> None:
    """The commit. ``may_commit`` raises where another publisher has taken over."""
    for turn in files.turns:
        _take_turn(store, turn, passing, may_commit)
    if files.timestamp:  # absent when nothing was due after all
        may_commit()
        _commit(store, files.timestamp, passing)


def _take_turn(store: ObjectStore, turn: Turn, passing: Passing, may_commit: Callable[[], None]) -> None:
    served = stored_timestamp(store)
    is_due = served and turn.timestamp and store.size(turn.root.address) is None
    if served and is_due and _version(turn.timestamp) > _version(served):
        may_commit()
        _commit(store, turn.timestamp, passing)
    put_immutable(store, turn.root, again=True)
    store.flush()
    _compare(store, turn.root)
    passing("metadata")


def _copy_object(source: ObjectStore, store: ObjectStore, address: str) -> None:
    size = source.size(address)
    if size is None or store.size(address) == size:
        return
    file = NewFile.of(address, source.get(address))
    put_immutable(store, file, again=True)
    _compare(store, file)


def put_immutable(store: ObjectStore, file: NewFile, *, again: bool) -> None:
    """An object that is there with equal bytes is kept; one with other bytes stops everything.

    After an interruption an equal one is written once more, because it may not have reached the disk; a bucket
    shows only what is durable. What the store itself knows to be damaged is put anew.
    """
    data = file.read()
    if store.put(file.address, data, only_if_absent=True):
        return
    try:
        there = store.get(file.address)
    except DamagedObjectError:
        store.put(file.address, data)
        return
    if there != data:
        raise EquivocationError(
            "the store holds other bytes under an address that never changes",
            where=f"({file.address})",
            advice="find out who wrote it; run 'manage.py verifystore', and move the object away to go on",
        )
    if again and not getattr(store, "durable", False):
        store.put(file.address, data)


def _read_back(store: ObjectStore, files: list[NewFile], *, then: Callable[[], None]) -> None:
    each(files, partial(_compare, store), at_once=lanes(store), then=then)


def _compare(store: ObjectStore, file: NewFile) -> None:
    if hashlib.sha256(store.get(file.address)).hexdigest() != file.sha256:
        raise ReadBackError(
            "the store gives other bytes than were written",
            where=f"({file.address})",
            advice="nothing was committed; check the disk or bucket, then publish again",
        )


def _commit(store: ObjectStore, timestamp: bytes, passing: Passing) -> None:
    there = _timestamp_before(store)
    if there != timestamp:
        ours, theirs = _version(timestamp), _version(there) if there else 0
        if theirs >= ours:
            raise EquivocationError(
                f"the store's timestamp is version {theirs}, and version {ours} was to follow",
                where=f"({TIMESTAMP})",
                advice="another publisher writes to this store: stop one of them",
            )
        passing("before-timestamp")
        _replace(store, timestamp, there)
        passing("after-timestamp")
        _confirm(store, timestamp)
    store.flush()


def _confirm(store: ObjectStore, timestamp: bytes) -> None:
    """Only garbled bytes are written again; another publisher's never."""
    for tries_left in (2, 1, 0):
        try:
            there = store.get(TIMESTAMP)
        except DamagedObjectError:
            if tries_left:
                store.put(TIMESTAMP, timestamp)
            continue
        if there == timestamp:
            return
        break
    raise ReadBackError("the store gives another timestamp than was written", where=f"({TIMESTAMP})")


def _timestamp_before(store: ObjectStore) -> bytes | None:
    """A damaged one is as good as none: no reader accepts it."""
    try:
        return stored_timestamp(store)
    except DamagedObjectError:
        store.delete(TIMESTAMP)
        return None


def put_until_it_is_so(store: ObjectStore, name: str, data: bytes) -> None:
    """Reads back what was put under a name that changes, and puts it again where the store garbled it."""
    for tries_left in (2, 1, 0):
        try:
            if store.get(name) == data:
                return
        except (DamagedObjectError, ObjectNotFoundError):
            pass
        if tries_left:
            store.put(name, data)
    raise ReadBackError(
        "the store gives other bytes than were written", where=f"({name})", advice="check the disk or bucket"
    )


def _replace(store: ObjectStore, timestamp: bytes, there: bytes | None) -> None:
    """In one conditional write where the store has it: then not even a write that comes late can undo a newer one."""
    if not isinstance(store, ReplacingStore):
        store.put(TIMESTAMP, timestamp)
    elif not store.replace(TIMESTAMP, timestamp, instead_of=there):
        raise EquivocationError(
            "the store's timestamp was changed by somebody else in this very moment",
            where=f"({TIMESTAMP})",
            advice="another publisher writes to this store: stop one of them",
        )


def stored_timestamp(store: ObjectStore) -> bytes | None:
    try:
        return store.get(TIMESTAMP)
    except ObjectNotFoundError:
        return None


def _version(timestamp: bytes) -> int:
    try:
        return int(json.loads(timestamp)["signed"]["version"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReadBackError(
            "the store's timestamp cannot be read",
            where=f"({TIMESTAMP})",
            advice="run 'manage.py verifystore', and move the file away to go on",
        ) from error
