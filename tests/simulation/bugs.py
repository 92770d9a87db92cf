"""Design faults, each a small change to the shipped code, made in the process that explores and nowhere else.

They are what the invariants are for: a simulation that lets one of them through proves nothing. The only place where
the tests replace code of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

Bounds = tuple[int, int]
"""Faults, interruptions."""


@dataclass(frozen=True)
class Bug:
    name: str
    says: str
    plant: Callable[[], None]
    scenario: str = "two-publishers"
    found_with: Bounds = (1, 0)
    """With fewer than these it stays hidden."""
    sample: float = 1.0
    """Of the branches after the first; all of them where only one is needed."""
    first: str = ""
    """What it takes first, where that is known: the search is then that much shorter."""


def _timestamp_before_objects() -> None:
    from mirrors.services import stores

    push_objects, push_timestamp = stores.push_objects, stores.push_timestamp

    def the_other_way_round(store: Any, files: Any, *, passing: Any, may_commit: Any) -> None:
        push_timestamp(store, files, passing=passing, may_commit=may_commit)
        push_objects(store, files, passing=passing, again=True)

    stores.push_objects = lambda *_args, **_facts: None
    stores.push_timestamp = the_other_way_round


def _nobody_is_asked_for_leave() -> None:
    from mirrors.services.leasing import Hold

    Hold.renew = lambda *_args, **_facts: None  # type: ignore[method-assign]
    _late_rows()


def _late_rows() -> None:
    from mirrors.services.leasing import Hold

    Hold.check = lambda *_args, **_facts: None  # type: ignore[method-assign]


def _everybody_gets_the_lease() -> None:
    from mirrors.services import leasing

    leasing.acquire = lambda name, *, holder, now: leasing.Hold(name, holder, 1)
    _nobody_is_asked_for_leave()


def _version_from_the_clock() -> None:
    from signing.metadata import _Round

    by_counting = _Round._last_version

    def by_clock(self: Any, role: str, old: Any) -> int:
        return by_counting(self, role, old) if role == "root" else int(self.now.timestamp())

    _Round._last_version = by_clock  # type: ignore[method-assign]


def _mutable_name() -> None:
    """A role's file keeps its number, and whatever lies under it is written over."""
    from mirrors.models import SignedFile
    from mirrors.services import ledger, pushing
    from signing.metadata import _Round

    by_counting, rows_of = _Round._last_version, ledger.signed_rows

    def always_the_first(self: Any, role: str, old: Any) -> int:
        return 0 if role in {"v1", "v2"} else by_counting(self, role, old)

    def instead(publication: Any, files: Any) -> Any:
        rows = rows_of(publication, files)
        for row in rows:
            SignedFile.objects.filter(role=row.role, version=row.version).delete()
        return rows

    _Round._last_version = always_the_first  # type: ignore[method-assign]
    ledger.signed_rows = instead
    pushing.put_immutable = lambda store, file, *, again: store.put(file.address, file.read())


def _announced_before_the_commit() -> None:
    from mirrors.services import publishing

    push = publishing._Steps._push

    def told_first(self: Any) -> None:
        for announce in publishing.ANNOUNCEMENTS:
            announce(self.publication)
        push(self)

    publishing._Steps._push = told_first  # type: ignore[method-assign]


def _signed_bytes_not_saved() -> None:
    """One long transaction from the first step to the last: signatures reach the disk after the store."""
    from django.db import transaction

    from mirrors.services import publishing

    go = publishing._Steps.go
    publishing._Steps.go = transaction.atomic(go)  # type: ignore[method-assign]


def _signed_anew_on_resume() -> None:
    from tuf.api.metadata import Metadata

    from mirrors.services import publishing

    push = publishing._Steps._push

    def with_a_new_timestamp(self: Any) -> None:
        if self.was_interrupted:
            row = self.publication.signed_files.get(role="timestamp")
            metadata: Any = Metadata.from_bytes(bytes(row.data))
            metadata.signed.expires += timedelta(minutes=1)
            keyids = list(metadata.signatures)
            metadata.signatures.clear()
            for keyid in keyids:
                metadata.sign(self.means.open_keys().signer(keyid), append=True)
            row.data = metadata.to_bytes()
            row.save()
        push(self)

    publishing._Steps._push = with_a_new_timestamp  # type: ignore[method-assign]


def _plain_before_the_commit() -> None:
    from mirrors.services import stores
    from mirrors.services.plain import put_plain_addresses

    push_timestamp = stores.push_timestamp

    def after_the_plain_ones(store: Any, files: Any, *, passing: Any, may_commit: Any) -> None:
        put_plain_addresses(store, passing=passing)
        push_timestamp(store, files, passing=passing, may_commit=may_commit)

    stores.push_timestamp = after_the_plain_ones


def _no_reading_back() -> None:
    from mirrors.services import pushing

    pushing._read_back = lambda *_args, **_facts: None


def _release_number_used_again() -> None:
    from mirrors.services import preparing

    cut = preparing._cut

    def the_same_number(means: Any, publication: Any, now: Any, published: int | None) -> int | None:
        return published or cut(means, publication, now, published)

    preparing._cut = the_same_number


def _commit_noted_before_it_is_made() -> None:
    from mirrors.services import publishing, stores

    commit = stores.commit

    def push(self: Any) -> None:
        publication = self.publication
        self._committed(next(iter(self.means.stores)))
        commit(self.means, publication, may_commit=self._may_commit, log=self.log, now=self.now(), again=True)

    publishing._Steps._push = push  # type: ignore[method-assign]


def _not_flushed() -> None:
    from mirrors.services import stores

    push_objects = stores.push_objects

    class Hasty:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def flush(self) -> None:
            pass

    stores.push_objects = lambda store, *args, **facts: push_objects(Hasty(store), *args, **facts)


def _not_written_again() -> None:
    """What an interrupted try left unflushed is taken for durable."""
    from mirrors.services import pushing

    put = pushing.put_immutable
    pushing.put_immutable = lambda store, file, *, again: put(store, file, again=False)


def _nobody_follows_the_commit() -> None:
    from mirrors.models import Publication

    Publication.UNFINISHED = Publication.UNFINISHED[:-1]


def _collected_too_early() -> None:
    """What the newest snapshot does not name is removed at once, whoever may be reading."""
    from mirrors.services import collecting

    collecting._first_kept = lambda *_args: 1 << 31
    collecting._ripe = lambda _means, url, _now: [
        row.address for row in collecting.Unreferenced.objects.filter(url=url, removed_at=None)
    ]


BUGS = {
    bug.name: bug
    for bug in (
        Bug("timestamp before objects", "the commit names what is not there yet", _timestamp_before_objects, found_with=(0, 0)),
        Bug("lease ignored", "two publishers at once", _everybody_gets_the_lease, found_with=(0, 1)),
        Bug("no fencing", "whoever was away too long goes on", _nobody_is_asked_for_leave, found_with=(1, 1), sample=0.05, first="switch"),
        Bug("late rows", "a row says again what was true before", _late_rows, found_with=(1, 1), sample=0.05, first="switch"),
        Bug("version from the clock", "two publications in one second", _version_from_the_clock, found_with=(0, 0)),
        Bug("mutable name", "a role's file is written over", _mutable_name, found_with=(0, 0)),
        Bug("announced before the commit", "who is told cannot fetch it", _announced_before_the_commit, found_with=(0, 0)),
        Bug("plain before the commit", "a plain address ahead of its release", _plain_before_the_commit, found_with=(0, 0)),
        Bug("release number used again", "one number, two contents", _release_number_used_again, found_with=(0, 0)),
        Bug("collected too early", "a reader in the middle of it", _collected_too_early, "publisher-and-collector", (0, 0)),
        Bug("signed bytes not saved", "a crash, and the version is signed anew", _signed_bytes_not_saved, first="crash"),
        Bug("signed anew on resume", "two timestamps of one version", _signed_anew_on_resume, first="crash"),
        Bug("no reading back", "a store that lies is believed", _no_reading_back, first="dropped"),
        Bug("commit noted before it is made", "a crash, and nobody makes it", _commit_noted_before_it_is_made, first="crash"),
        Bug("not flushed", "a power cut takes what the timestamp names", _not_flushed, first="power"),
        Bug("nobody follows the commit", "plain addresses stay behind for ever", _nobody_follows_the_commit, first="crash"),
        Bug("not written again", "a crash, then a power cut", _not_written_again, found_with=(2, 0), sample=0.1, first="crash"),
    )
}  # fmt: skip
