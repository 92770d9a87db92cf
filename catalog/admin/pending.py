"""Differences between two states of the catalog, by kind, as a page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Q

from catalog.admin.differences import KIND_NAMES, RecordDifference, record_difference
from catalog.models import RecordVersion
from catalog.reading import chunks, loaded
from catalog.records import Kind
from catalog.services.releases import RecordChange

SHOWN: Final = 50
"""Records of one kind that a page spells out; it counts all."""


@dataclass(slots=True)
class KindDifference:
    """How much of one kind differs, and the first records of it."""

    kind: Kind
    added: int = 0
    changed: int = 0
    removed: int = 0
    records: list[RecordDifference] = field(default_factory=list)

    def count(self, *, is_before: bool, is_after: bool) -> None:
        self.added += not is_before
        self.removed += not is_after
        self.changed += is_before and is_after

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed

    @property
    def name(self) -> str:
        return KIND_NAMES[self.kind][0 if self.total == 1 else 1]

    @property
    def not_shown(self) -> int:
        return self.total - len(self.records)


def by_kind(changes: Iterable[RecordChange], *, shown: int = SHOWN) -> list[KindDifference]:
    """Counted in full, spelled out up to ``shown`` records of each kind."""
    kinds = {kind: KindDifference(kind) for kind in Kind}
    for change in changes:
        difference = kinds[change.kind]
        difference.count(is_before=change.before is not None, is_after=change.after is not None)
        if len(difference.records) < shown:
            words = record_difference(change.kind, change.key, change.before, change.after)
            difference.records.append(words)
    return [difference for difference in kinds.values() if difference.total]


def unreleased(*, shown: int = SHOWN) -> list[KindDifference]:
    """``releases.pending_changes`` by kind, reading only the records that are shown."""
    return _compared(Q(live=False, until__isnull=True), Q(live=True, since__isnull=True), shown=shown)


def between(older: int, newer: int, *, shown: int = SHOWN) -> list[KindDifference]:
    """``releases.release_changes`` by kind, reading only the records that are shown; ``older`` 0 is the empty catalog."""
    low, high = sorted((older, newer))
    left = Q(since__lte=low, until__gt=low, until__lte=high)
    joined = Q(since__gt=low, since__lte=high) & (Q(until__isnull=True) | Q(until__gt=high))
    return _compared(left, joined, shown=shown) if older <= newer else _compared(joined, left, shown=shown)


Side = Mapping[tuple[str, str], tuple[int, str]]


def _compared(before: Q, after: Q, *, shown: int) -> list[KindDifference]:
    kinds = {kind: KindDifference(kind) for kind in Kind}
    old, new = _side(before), _side(after)
    chosen: list[tuple[str, str]] = []
    for identity in sorted({*old, *new}):
        one, other = old.get(identity), new.get(identity)
        if one and other and one[1] == other[1]:
            continue
        difference = kinds[Kind(identity[0])]
        if difference.total < shown:
            chosen.append(identity)
        difference.count(is_before=one is not None, is_after=other is not None)
    texts = _texts([side[identity][0] for identity in chosen for side in (old, new) if identity in side])
    for identity in chosen:
        record, successor = (
            loaded(texts[side[identity][0]]) if identity in side else None for side in (old, new)
        )
        kind = Kind(identity[0])
        kinds[kind].records.append(record_difference(kind, identity[1], record, successor))
    return [difference for difference in kinds.values() if difference.total]


def _side(versions: Q) -> Side:
    rows = RecordVersion.objects.filter(versions).order_by().values_list("kind", "key", "pk", "digest")
    return {(kind, key): (pk, digest) for kind, key, pk, digest in rows.iterator(chunk_size=5000)}


def _texts(ids: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in chunks(ids):
        found.update(RecordVersion.objects.filter(pk__in=chunk).values_list("pk", "data"))
    return found


def waiting() -> int:
    """How many records differ from the newest release."""
    unreleased = Q(live=True, since__isnull=True) | Q(live=False, until__isnull=True)
    return RecordVersion.objects.filter(unreleased).values("kind", "key").distinct().count()
