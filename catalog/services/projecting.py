"""Writes the rows that records are spread out into, in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from catalog.columns import References
from catalog.projection import PROJECTIONS, Children, Projection
from catalog.reading import chunks
from catalog.records import Kind, Record

Afters = Mapping[tuple[Kind, str], Record | None]
PrimaryKeys = dict[tuple[Kind, str], int]


def project(afters: Afters) -> None:
    """Sets the rows of these records; ``None`` removes them. Each kind is written after those that it refers to."""
    by_kind: dict[Kind, dict[str, Record]] = defaultdict(dict)
    removed: dict[Kind, list[str]] = defaultdict(list)
    for (kind, key), after in afters.items():
        if after is None:
            removed[kind].append(key)
        else:
            by_kind[kind][key] = after
    known: PrimaryKeys = {}
    for kind in Kind:
        for generation in _generations(kind, by_kind[kind]):
            _write(kind, generation, known)
    for kind in reversed(Kind):
        for chunk in chunks(sorted(removed[kind])):
            PROJECTIONS[kind].model.objects.filter(**{f"{PROJECTIONS[kind].key}__in": chunk}).delete()


def _generations(kind: Kind, records: Mapping[str, Record]) -> Iterator[Mapping[str, Record]]:
    """Regions refer to regions: parents come first."""
    rest = dict(records)
    while rest:
        ready = rest
        if kind is Kind.REGION:
            ready = {key: record for key, record in rest.items() if record.get("parent") not in rest}
        yield ready
        rest = {key: record for key, record in rest.items() if key not in ready}


def _write(kind: Kind, records: Mapping[str, Record], known: PrimaryKeys) -> None:
    projection = PROJECTIONS[kind]
    needed = [projection.references(record) for record in records.values()]
    needed += [group.references(child) for group, child in _all_children(projection, records.values())]
    _find(needed, known)
    rows = [
        projection.model(**projection.write(record), **_foreign_keys(projection.references(record), known))
        for record in records.values()
    ]
    columns = [
        field.name
        for field in projection.model._meta.concrete_fields  # noqa: SLF001 -- Django documents it
        if field.name not in ("id", projection.key)
    ]
    written = projection.model.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=[projection.key], update_fields=columns
    )
    known.update({(kind, key): row.pk for key, row in zip(records, written, strict=True)})
    for group in projection.children:
        _replace(group, [(known[kind, key], record) for key, record in records.items()], known)


def _replace(group: Children, parents: Iterable[tuple[int, Record]], known: PrimaryKeys) -> None:
    parents = list(parents)
    manager = group.model.objects
    for chunk in chunks(pk for pk, _ in parents):
        manager.filter(**{f"{group.parent}__in": chunk}).delete()
    manager.bulk_create(
        group.model(
            **group.write(child),
            **_foreign_keys(group.references(child), known),
            **{f"{group.parent}_id": pk, "position": position},
        )
        for pk, record in parents
        for position, child in enumerate(record.get(group.field, []))
    )


def _all_children(projection: Projection, records: Iterable[Record]) -> Iterator[tuple[Children, Record]]:
    for record in records:
        for group in projection.children:
            for child in record.get(group.field, []):
                yield group, child


def _foreign_keys(references: References, known: PrimaryKeys) -> dict[str, Any]:
    return {f"{name}_id": None if wanted is None else known[wanted] for name, wanted in references.items()}


def _find(needed: Iterable[References], known: PrimaryKeys) -> None:
    """Reads the primary keys of the rows that are referred to and were not written just now."""
    missing: dict[Kind, set[str]] = defaultdict(set)
    for references in needed:
        for wanted in references.values():
            if wanted is not None and wanted not in known:
                missing[wanted[0]].add(wanted[1])
    for kind, keys in missing.items():
        model = PROJECTIONS[kind].model
        column = PROJECTIONS[kind].key
        for chunk in chunks(sorted(keys)):
            rows = model.objects.filter(**{f"{column}__in": chunk}).values_list(column, "pk")
            known.update({(kind, key): pk for key, pk in rows})
