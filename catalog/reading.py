"""The catalog's records as the rest of the code reads them: live, of a release, or of a test.

A state reads what it is asked for once and keeps it: make a new one after writing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from django.db.models import Q, QuerySet

from catalog.models import RecordVersion
from catalog.records import Kind, Record, key_of

AT_ONCE: Final = 500
"""Keys in one query: below every database's limit of parameters."""
SINGLY: Final = 50
"""Records of a kind that are read one by one; who asks for more is going through all."""
T = TypeVar("T")


class CatalogState(Protocol):
    def get(self, kind: Kind, key: str) -> Record | None: ...

    def all(self, kind: Kind) -> Mapping[str, Record]: ...


def chunks(items: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


class MemoryState:
    """Records held in memory."""

    def __init__(self, records: Iterable[tuple[Kind, Record]] = ()) -> None:
        self._records: dict[Kind, dict[str, Record]] = {kind: {} for kind in Kind}
        for kind, record in records:
            self.put(kind, record)

    def put(self, kind: Kind, record: Record) -> None:
        self._records[kind][key_of(kind, record)] = record

    def remove(self, kind: Kind, key: str) -> None:
        del self._records[kind][key]

    def get(self, kind: Kind, key: str) -> Record | None:
        return self._records[kind].get(key)

    def all(self, kind: Kind) -> Mapping[str, Record]:
        return self._records[kind]

    def many(self, kind: Kind, keys: Collection[str]) -> Mapping[str, Record]:
        return {key: record for key in keys if (record := self.get(kind, key)) is not None}


class StoredState:
    """Records in the database, as one set of versions has them."""

    def __init__(self, versions: QuerySet[RecordVersion]) -> None:
        self._versions = versions
        self._whole: dict[Kind, dict[str, Record]] = {}
        self._single: dict[tuple[Kind, str], Record | None] = {}
        self._asked: Counter[Kind] = Counter()

    def get(self, kind: Kind, key: str) -> Record | None:
        if kind not in self._whole and (kind, key) not in self._single:
            self._asked[kind] += 1
            if self._asked[kind] > SINGLY:
                self.all(kind)
            else:
                self.many(kind, [key])
        return self._whole[kind].get(key) if kind in self._whole else self._single[kind, key]

    def all(self, kind: Kind) -> Mapping[str, Record]:
        """By key, sorted by code point."""
        if kind not in self._whole:
            rows = self._versions.filter(kind=kind).order_by("key").values_list("key", "data")
            self._whole[kind] = {key: json.loads(data) for key, data in rows.iterator(chunk_size=5000)}
        return self._whole[kind]

    def many(self, kind: Kind, keys: Collection[str]) -> Mapping[str, Record]:
        """Those of the named records that exist, in few queries."""
        if kind not in self._whole:
            for chunk in chunks(key for key in keys if (kind, key) not in self._single):
                found = self._versions.filter(kind=kind, key__in=chunk).values_list("key", "data")
                self._single.update({(kind, key): None for key in chunk})
                self._single.update({(kind, key): json.loads(data) for key, data in found})
        return {key: record for key in keys if (record := self.get(kind, key)) is not None}

    def children(self, kind: Kind, parents: Collection[str]) -> list[str]:
        """Keys of the records of a kind whose parent is one of these."""
        return [
            key
            for chunk in chunks(parents)
            for key in self._versions.filter(kind=kind, parent__in=chunk).values_list("key", flat=True)
        ]

    def keys_beginning(self, kind: Kind, *prefixes: str) -> list[str]:
        """Keys that begin with one of these texts; the comparison is by code point, so an index serves it."""
        wanted = Q(pk__in=[])
        for prefix in prefixes:
            wanted |= Q(key__gte=prefix, key__lt=prefix[:-1] + chr(ord(prefix[-1]) + 1))
        return list(self._versions.filter(wanted, kind=kind).values_list("key", flat=True))


class LiveState(StoredState):
    def __init__(self) -> None:
        super().__init__(RecordVersion.objects.filter(live=True))


class ReleaseState(StoredState):
    """The records of one release, for as long as it is kept."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(RecordVersion.objects.filter(in_release(number)))


def in_release(number: int) -> Q:
    """Those versions that a release contains."""
    return Q(since__lte=number) & (Q(until__isnull=True) | Q(until__gt=number))


def loaded(text: str) -> dict[str, Any] | None:
    """A change's ``before`` or ``after``: canonical JSON, or empty for an absent record."""
    return dict(json.loads(text)) if text else None
