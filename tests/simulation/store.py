"""A store in memory whose every call is a choice point, and which forgets what was not flushed when the power goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from almanac.addresses import TIMESTAMP
from almanac.stores import ObjectNotFoundError, StoreError
from tests.simulation import points
from tests.simulation.points import DROPPED, ERROR, LOST, READ, WRITE

IMMUTABLE = ("targets/", "deltas/", "metadata/")


class FaultError(StoreError):
    name = "fault"


@dataclass
class Shelf:
    """What lies in a store: as readers see it, and as it would be after a power cut."""

    objects: dict[str, bytes] = field(default_factory=dict)
    durable: dict[str, bytes] = field(default_factory=dict)
    changes: int = 0

    def set(self, name: str, data: bytes) -> None:
        self.objects[name] = data
        self.changes += 1

    def remove(self, name: str) -> None:
        if self.objects.pop(name, None) is not None:
            self.changes += 1

    def has_more_to_flush(self) -> bool:
        return self.objects != self.durable

    def lose_power(self) -> None:
        """The worst order in which a disk may write: the timestamp is there, what was not flushed is not."""
        timestamp = self.objects.get(TIMESTAMP)
        self.objects = dict(self.durable)
        if timestamp is not None:
            self.objects[TIMESTAMP] = self.durable[TIMESTAMP] = timestamp
        self.changes += 1

    def after_power_cut(self) -> Shelf:
        other = Shelf(self.objects, dict(self.durable))
        other.lose_power()
        return other


class SimulatedStore:
    """One process's hand on a shelf. A bucket that takes whole objects and knows no conditions on replacing."""

    def __init__(self, shelf: Shelf, label: str = "") -> None:
        self.shelf, self.label = shelf, label
        self.touched: set[str] = set()

    def get(self, name: str) -> bytes:
        self._at("get", name, READ)
        data = self.shelf.objects.get(name)
        points.decider.saw(data)
        if data is None:
            raise ObjectNotFoundError(name)
        return data

    def size(self, name: str) -> int | None:
        self._at("size", name, READ)
        data = self.shelf.objects.get(name)
        length = None if data is None else len(data)
        points.decider.saw(length)
        return length

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        may_be_dropped = name.startswith(IMMUTABLE)
        outcome = self._at("put", name, (*WRITE, DROPPED) if may_be_dropped else WRITE)
        is_there = only_if_absent and name in self.shelf.objects
        points.decider.saw(is_there, data)
        if not is_there and outcome != DROPPED:
            self.touched.add(name)
            self.shelf.set(name, data)
        if outcome == LOST:
            raise FaultError("the answer was lost", where=f"({name})")
        return not is_there

    def delete(self, name: str) -> None:
        outcome = self._at("delete", name, WRITE)
        self.touched.add(name)
        self.shelf.remove(name)
        if outcome == LOST:
            raise FaultError("the answer was lost", where=f"({name})")

    def names(self, prefix: str = "") -> Iterator[str]:
        self._at("names", prefix, READ)
        found = sorted(name for name in self.shelf.objects if name.startswith(prefix))
        points.decider.saw(found)
        yield from found

    def flush(self) -> None:
        outcome = self._at("flush", "", WRITE)
        for name in self.touched:
            if name in self.shelf.objects:
                self.shelf.durable[name] = self.shelf.objects[name]
            else:
                self.shelf.durable.pop(name, None)
        self.touched.clear()
        self.shelf.changes += 1
        if outcome == LOST:
            raise FaultError("the answer was lost", where="(flush)")

    def _at(self, kind: str, name: str, faults: tuple[str, ...]) -> str:
        outcome = points.decider.at(kind, f"{self.label}{name}", faults)
        if outcome == ERROR:
            raise FaultError("the store does not answer", where=f"({name})")
        return outcome


class ConditionalStore(SimulatedStore):
    """As a disk, or a bucket that honours conditions: what is known to lie there is replaced in one step, or nothing is."""

    def replace(self, name: str, data: bytes, *, instead_of: bytes | None) -> bool:
        outcome = self._at("replace", name, WRITE)
        fits = self.shelf.objects.get(name) == instead_of
        points.decider.saw(fits, data)
        if fits:
            self.touched.add(name)
            self.shelf.set(name, data)
        if outcome == LOST:
            raise FaultError("the answer was lost", where=f"({name})")
        return fits
