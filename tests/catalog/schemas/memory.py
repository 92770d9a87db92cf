"""A catalog in memory, and the way of a document through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.importing import ImportPlan, PlannedChange, plan_import
from catalog.records import Kind, Record, key_of
from catalog.rendering import View, render_view
from catalog.schemas.registry import SCHEMAS


class MemoryCatalog:
    def __init__(self, records: Iterable[tuple[Kind, Record]] = ()) -> None:
        self._records: dict[Kind, dict[str, Record]] = {kind: {} for kind in Kind}
        for kind, record in records:
            self._records[kind][key_of(kind, record)] = record

    def get(self, kind: Kind, key: str) -> Record | None:
        return self._records[kind].get(key)

    def all(self, kind: Kind) -> Mapping[str, Record]:
        return self._records[kind]

    def put(self, kind: Kind, record: Record) -> None:
        self._records[kind][key_of(kind, record)] = record

    def apply(self, changes: Iterable[PlannedChange]) -> None:
        for change in changes:
            if change.after is None:
                del self._records[change.kind][change.key]
            else:
                assert key_of(change.kind, change.after) == change.key
                self._records[change.kind][change.key] = change.after

    def copy(self) -> MemoryCatalog:
        return MemoryCatalog((kind, record) for kind in Kind for record in self._records[kind].values())


def take_in(catalog: MemoryCatalog, schema: str, data: bytes) -> ImportPlan:
    plan = plan_import(SCHEMAS[schema], SCHEMAS[schema].parse(data), catalog)
    catalog.apply(plan.changes)
    return plan


def give_out(catalog: MemoryCatalog, schema: str, region: str = "global") -> View:
    return render_view(SCHEMAS[schema], catalog, SCHEMAS, region=region)
