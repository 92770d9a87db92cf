"""An import's result: the changes it makes, what it has to say, and the state it works on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from catalog.records import Kind, Record
from catalog.schemas.base import State


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One record's new state; ``None`` removes it."""

    kind: Kind
    key: str
    after: Record | None


@dataclass(slots=True)
class ImportReport:
    """What an import would do, in members of the document (models); keys are subjects."""

    source: str = ""
    added: list[str] = field(default_factory=list)
    """New in this document."""
    changed: list[str] = field(default_factory=list)
    """In it before, and stated differently now (or moved)."""
    left: int = 0
    """In it before, and the same."""
    removed: list[str] = field(default_factory=list)
    """No longer in this document; they stay in the catalog."""
    joined: list[str] = field(default_factory=list)
    """New offerings that joined an entry which was known."""
    created: dict[str, int] = field(default_factory=dict)
    """New records by kind."""
    notices: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{len(self.added):,} added, {len(self.changed):,} changed, {self.left:,} left, "
            f"{len(self.removed):,} removed from the document"
        )


@dataclass(frozen=True, slots=True)
class ImportPlan:
    changes: list[PlannedChange]
    """In the order in which they can be written; empty where nothing changes."""
    report: ImportReport


class Draft:
    """A state with changes laid over it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._base: dict[Kind, Mapping[str, Record]] = {}
        self._over: dict[Kind, dict[str, Record | None]] = {kind: {} for kind in Kind}

    def before(self, kind: Kind) -> Mapping[str, Record]:
        if kind not in self._base:
            self._base[kind] = self._state.all(kind)
        return self._base[kind]

    def get(self, kind: Kind, key: str) -> Record | None:
        over = self._over[kind]
        return over[key] if key in over else self.before(kind).get(key)

    def put(self, kind: Kind, key: str, record: Record | None) -> None:
        self._over[kind][key] = record

    def changes(self) -> list[PlannedChange]:
        return [
            PlannedChange(kind, key, after)
            for kind in Kind
            for key, after in self._over[kind].items()
            if after != self.before(kind).get(key)
        ]

    def touched(self, kind: Kind) -> Iterator[str]:
        """Keys of records that were there and are different now."""
        for key, after in self._over[kind].items():
            before = self.before(kind).get(key)
            if before is not None and before != after:
                yield key
