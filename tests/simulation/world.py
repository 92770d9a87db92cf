"""What a schedule runs in: two publishers, their stores, their database, their clocks, and what must hold in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import greenlet
from django.db import DatabaseError, connection

from almanac.errors import AlmanacError
from mirrors.models import Lease, Publication
from mirrors.retention import Limits
from mirrors.services.means import Means
from tests.mirrors.cast import House
from tests.simulation import points, verifier
from tests.simulation.catalog import TableCatalog
from tests.simulation.points import AHEAD, BACK, CLOCK
from tests.simulation.store import IMMUTABLE, ConditionalStore, Shelf, SimulatedStore
from tests.simulation.verifier import BrokenError, Snapshot

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JUMP = timedelta(seconds=5000)
STAGING = Path("staging")
"""Relative on purpose: a forked schedule works in a folder of its own."""


class ViolationError(Exception):
    """An invariant that did not hold."""


@dataclass
class Process:
    """One publisher: what it does, how far it is, what it knows."""

    name: str
    program: Callable[[Process], object]
    stores: dict[str, SimulatedStore]
    state: str = "new"
    """new, running, paused, ended, dead"""
    knows: bytes = b""
    """A digest of everything that it has learned: with the same program this is its whole state."""
    clock_is_off_by: timedelta = timedelta()
    greenlet: greenlet.greenlet | None = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in {"ended", "dead"}

    def learn(self, what: object) -> None:
        self.knows = hashlib.blake2b(self.knows + repr(what).encode(), digest_size=16).digest()

    def summary(self) -> str:
        if self.is_over or self.state == "new":
            return self.state
        return f"{self.state} {self.knows.hex()} {self.clock_is_off_by}"


@dataclass
class World:
    conditional: bool = True
    """Whether the stores honour conditions on replacing, as disks and most buckets do, or not, as some buckets."""
    second_store: bool = False
    now: datetime = START
    limits: Limits = field(default_factory=Limits)
    catalog: TableCatalog = field(default_factory=TableCatalog)
    keys: House = field(default_factory=House)
    shelves: dict[str, Shelf] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    running: Process | None = None
    seen: dict[str, Snapshot] = field(default_factory=dict)
    """Store → what a reader got there last."""
    committed: dict[str, frozenset[str]] = field(default_factory=dict)
    """Path → the hashes that were ever listed by a committed snapshot, of any store."""
    promised: dict[str, set[str]] = field(default_factory=dict)
    """Store → what its snapshots promised since the publishers began: readers may be in the middle of it."""
    immutable: dict[str, dict[str, bytes]] = field(default_factory=dict)
    watched: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("first", "second") if self.second_store else ("first",):
            self.shelves[name] = Shelf()

    def process(self, name: str, program: Callable[[Process], object]) -> Process:
        kind = ConditionalStore if self.conditional else SimulatedStore
        stores = {
            f"memory:{shelf}": kind(self.shelves[shelf], "" if shelf == "first" else f"{shelf}:")
            for shelf in self.shelves
        }
        process = Process(name, program, stores)
        self.processes.append(process)
        return process

    def means(self, process: Process) -> Means:
        return Means(
            stores=process.stores,
            catalog=self.catalog,
            open_keys=lambda: self.keys,
            base_url="http://127.0.0.1:8000",
            staging=STAGING,
            clock=lambda: self._clock(process),
            stopwatch=lambda: 0.0,
            limits=self.limits,
        )

    def _clock(self, process: Process) -> datetime:
        outcome = points.decider.at("clock", "", CLOCK)
        if outcome in CLOCK:
            process.clock_is_off_by += {BACK: -JUMP, AHEAD: JUMP}[outcome]
        now = self.now + process.clock_is_off_by
        points.decider.saw(now.timestamp())
        return now

    def carry_out(self, process: Process) -> None:
        """Its program, to the end that it comes to; an error that is not made for people is a fault of ours."""
        try:
            process.program(process)
        except (AlmanacError, DatabaseError) as error:
            process.error = f"{type(error).__name__}: {error}"

    def holder(self) -> str:
        """Who takes a lease now: instead of a process's number, which is one for all of them here."""
        assert self.running is not None
        return f"{self.running.name}:1:1"

    def is_dead(self, holder: str) -> bool:
        """As for processes of one machine, where the system says who lives."""
        return any(p.name == holder.partition(":")[0] and p.is_over for p in self.processes)

    # What lies in it.

    def digest(self, *, after_power_cut: bool = False) -> str:
        """Of everything that outlives a process."""
        whole = hashlib.blake2b(connection.digest(), digest_size=16)
        for shelf in self.shelves.values():
            whole.update(_shelf_digest(shelf.after_power_cut() if after_power_cut else shelf))
        for path in sorted(STAGING.glob("*")):
            whole.update(f"{path.name} {hash(path.read_bytes())}".encode())
        whole.update(repr(sorted((path, sorted(found)) for path, found in self.committed.items())).encode())
        return whole.hexdigest()

    # What must hold in it, after every step.

    def check(self) -> None:
        for name, shelf in self.shelves.items():
            if self.watched.get(name) != shelf.changes:
                self.watched[name] = shelf.changes
                self._check_shelf(name, shelf)

    def _check_shelf(self, name: str, shelf: Shelf) -> None:
        self._check_immutable(name, shelf)
        if "metadata/timestamp.json" not in shelf.objects:
            return
        try:
            found = verifier.read(shelf.objects)
        except BrokenError as broken:
            raise ViolationError(f"I3: the {name} store is not whole: {broken}") from broken
        before = self.seen.get(name)
        if before != found:
            self._check_progress(name, before, found)
            self._check_release(found)
            self.seen[name] = found
            self.promised.setdefault(name, set()).update(found.addresses)
            for path, sha256 in found.documents.items():
                self.committed[path] = self.committed.get(path, frozenset()) | {sha256}
        if gone := self.promised[name] - shelf.objects.keys():
            raise ViolationError(f"I21: {min(gone)} is gone, and a snapshot of this very hour names it")
        for path, known in self.committed.items():
            data = shelf.objects.get(path)
            if data is not None and hashlib.sha256(data).hexdigest() not in known:
                raise ViolationError(f"/{path} has bytes that no committed release has")

    def _check_immutable(self, name: str, shelf: Shelf) -> None:
        """I2: nothing that is named by a version or a hash is ever changed, nor taken away."""
        before = self.immutable.setdefault(name, {})
        for address, data in shelf.objects.items():
            if not address.startswith(IMMUTABLE):
                continue
            kept = before.get(address)
            if kept is not data and kept is not None and kept != data:
                if address == "metadata/timestamp.json":
                    if verifier.version_of(kept) == verifier.version_of(data):
                        raise ViolationError("I2: two timestamps of one version")
                else:
                    raise ViolationError(f"I2: {address} was changed")
            before[address] = data

    def _check_progress(self, name: str, before: Snapshot | None, found: Snapshot) -> None:
        if before is None or (
            not self.conditional and found.versions["timestamp"] < before.versions["timestamp"]
        ):
            return  # a write that came too late: nothing hinders it there, and the next tick puts it right
        for role, version in found.versions.items():
            if version < before.versions.get(role, 0):
                raise ViolationError(f"I1: {role} of the {name} store went back to version {version}")
        if found.release < before.release:
            raise ViolationError(f"I1: the {name} store went back to release {found.release}")
        same = found.versions["timestamp"] == before.versions["timestamp"]
        if same or (found.release == before.release and _without_mirrors(found) != _without_mirrors(before)):
            raise ViolationError(f"I2: release {found.release} has two contents")

    def _check_release(self, found: Snapshot) -> None:
        """I4: what is published is what was approved, and cut under that number."""
        try:
            cut = self.catalog.released(found.release)
        except (TypeError, ValueError):
            raise ViolationError(f"release {found.release} is served and was never cut") from None
        if _hashes(cut) != _without_mirrors(found):
            raise ViolationError(f"I4: release {found.release} is served with other documents than were cut")

    def announce(self, publication: Publication) -> None:
        """I8: whoever is told of a release can fetch it."""
        self.check()
        if not any(
            found.release >= (publication.release or 0) and self._has_timestamp(found, publication)
            for found in self.seen.values()
        ):
            raise ViolationError(f"I8: {publication} is announced and cannot be fetched")

    def _has_timestamp(self, found: Snapshot, publication: Publication) -> bool:
        row = publication.signed_files.filter(role="timestamp").last()
        return row is None or found.versions["timestamp"] >= row.version

    # What must hold in the end.

    def check_end(self) -> None:
        """Everything approved is published (I5), once, everywhere, and nobody is left in the middle of anything."""
        on_the_way = ("queued", "preparing", "signed", "pushing", "committed")
        if unfinished := Publication.objects.filter(state__in=on_the_way).first():
            raise ViolationError(f"I5: {unfinished} was never finished: {unfinished.report}")
        if holder := Lease.objects.exclude(holder="").first():
            raise ViolationError(f"{holder} was never given back")
        live = {path: text.encode() for path, text in self.catalog.live().items()}
        for name, shelf in self.shelves.items():
            served = self.seen[name]
            if _without_mirrors(served) != _hashes(self.catalog.live()):
                raise ViolationError(f"I5: what was approved is not in the {name} store")
            for path, data in live.items():
                if shelf.objects.get(path) != data:
                    raise ViolationError(f"/{path} of the {name} store is not the released document")
                address = (
                    f"targets/{path.rpartition('/')[0]}/{served.documents[path]}.{path.rpartition('/')[2]}"
                )
                if shelf.objects.get(f"{path}.minisig") != shelf.objects[f"{address}.minisig"]:
                    raise ViolationError(f"/{path}.minisig of the {name} store signs other bytes")
            index = json.loads(shelf.objects["index.json"])
            if index["release"] != served.release:
                raise ViolationError(f"/index.json of the {name} store says release {index['release']}")
        self._check_tables()

    def _check_tables(self) -> None:
        of_releases = Publication.objects.committed().filter(reason="release")
        numbers = list(of_releases.values_list("release", flat=True))
        if numbers != sorted(set(numbers)):
            raise ViolationError(f"the releases do not rise one by one: {numbers}")
        with connection.cursor() as cursor:
            cursor.execute("SELECT about FROM sim_audit WHERE about LIKE 'publish %'")
            audited = sorted(row[0] for row in cursor.fetchall())
        expected = sorted(f"publish publication {p.pk}" for p in Publication.objects.committed())
        if audited != expected:
            raise ViolationError(f"I16: audited {audited}, committed {expected}")


def _shelf_digest(shelf: Shelf) -> bytes:
    """Objects in any order; what is not flushed is part of it, who has to flush it is known by the processes."""
    return str((hash(frozenset(shelf.objects.items())), hash(frozenset(shelf.durable.items())))).encode()


def _hashes(documents: Mapping[str, str]) -> dict[str, str]:
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in documents.items()}


def _without_mirrors(snapshot: Snapshot) -> dict[str, str]:
    return {path: sha256 for path, sha256 in snapshot.documents.items() if path != "mirrors.json"}
