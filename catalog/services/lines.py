"""The kept lines of a schema's document, brought up to a release."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from catalog import members
from catalog.members import (
    family_of,
    is_automatic,
    is_native,
    line_of,
    minimum_client,
    subject,
    subject_keys,
)
from catalog.models import DocumentLine, DocumentState
from catalog.reading import ReleaseState, chunks
from catalog.records import Kind, canonical
from catalog.schemas.base import Line, Schema
from catalog.services.segments import refresh_segments
from catalog.services.touching import Changes, touched_members, touched_records

MANY: Final = 2000
"""Touched members from which reading all records is cheaper than asking for each."""
COLUMNS: Final = ("order", "text", "tail", "omission", "availability", "findings")


@cache
def renderer_fingerprint() -> str:
    """Of the code that makes lines: another version of it makes all of them anew."""
    here = Path(members.__file__).parent
    sources = [
        *here.glob("*.py"),
        *(path for path in (here / "schemas").rglob("*") if path.suffix in (".py", ".json")),
    ]
    whole = hashlib.sha256()
    for path in sorted(sources):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@dataclass(slots=True)
class Refreshed:
    """What a refresh did to the lines."""

    texts: bool = False
    """A line reads differently, came or went."""
    names: bool = False
    """One came, went, moved, or is named, offered or judged otherwise: what all lines together say may be different."""
    orders: set[str] | None = field(default_factory=set)
    """Where the changed lines stood and stand; ``None``: everywhere."""


def refresh_lines(
    schema: Schema,
    state: ReleaseState,
    schemas: Mapping[str, Schema],
    kept: DocumentState | None,
    changes: Changes,
    *,
    segment_lines: int,
) -> Refreshed:
    """Makes the lines those of the release. ``kept`` says what they reflect now."""
    refreshed = _refresh(_Maker(schema, state, schemas), kept, changes)
    if refreshed.texts:
        refresh_segments(schema, refreshed.orders, size=segment_lines)
    return refreshed


def _refresh(maker: _Maker, kept: DocumentState | None, changes: Changes) -> Refreshed:
    schema, state = maker.schema, maker.state
    if kept is None or kept.renderer != renderer_fingerprint() or kept.release > state.number:
        return maker.make_all()
    if kept.release == state.number:
        return Refreshed()
    changed = changes.since(kept.release)
    if schema.name in changed.get(Kind.SCHEMA, ()):
        return maker.make_all()
    if not is_native(schema):
        return maker.make(touched_records(changed))
    return maker.make(touched_members(changed, state, {schema.name, *maker.family}))


class _Maker:
    def __init__(self, schema: Schema, state: ReleaseState, schemas: Mapping[str, Schema]) -> None:
        self.schema, self.state = schema, state
        self.family = family_of(schema, schemas)
        self.automatic = is_automatic(schema, state)

    def make_all(self) -> Refreshed:
        DocumentLine.objects.filter(schema=self.schema.name).delete()
        made = (self._row(key) for key in list(subject_keys(self.schema, self.state)))
        for rows in chunks((row for row in made if row is not None), 5000):
            DocumentLine.objects.bulk_create(rows)
        return Refreshed(texts=True, names=True, orders=None)

    def make(self, keys: Collection[str]) -> Refreshed:
        """Only these, whether they were there before or not."""
        self._read_ahead(keys)
        done = Refreshed()
        for chunk in chunks(sorted(keys)):
            lines = DocumentLine.objects.filter(schema=self.schema.name, key__in=chunk)
            before = {row.key: row for row in lines}
            after = {key: row for key in chunk if (row := self._row(key)) is not None}
            gone = [row for key, row in before.items() if key not in after]
            new = [row for key, row in after.items() if key not in before or not _same(row, before[key])]
            DocumentLine.objects.filter(pk__in=[row.pk for row in gone]).delete()
            DocumentLine.objects.bulk_create(
                new, update_conflicts=True, unique_fields=["schema", "key"], update_fields=COLUMNS
            )
            _note(done, [(row, None) for row in gone] + [(before.get(row.key), row) for row in new])
        return done

    def _row(self, key: str) -> DocumentLine | None:
        found = subject(self.schema, key, self.state, automatic=self.automatic)
        if found is None:
            return None
        availability = dict((found.offering or {}).get("availability", {})) if is_native(self.schema) else {}
        made = line_of(self.schema, found, self.state, self.family, automatic=self.automatic)
        if isinstance(made, Line) and (minimum := minimum_client(self.schema, made)):
            availability["client"] = minimum
        facts: dict[str, Any] = {"availability": canonical(availability) if availability else ""}
        if isinstance(made, Line):
            facts |= {"order": made.order, "text": made.text, "tail": made.tail}
            findings = [list(finding) for finding in self.schema.gate_line(made)]
            facts["findings"] = canonical({"findings": findings}) if findings else ""
        else:
            facts |= {"omission": made.reason, "text": ""}
        return DocumentLine(schema=self.schema.name, key=key, **facts)

    def _read_ahead(self, keys: Collection[str]) -> None:
        """What the lines will read, in few queries instead of a few for each."""
        if len(keys) > MANY:
            for kind in Kind:
                self.state.all(kind)
            return
        named = _by_word(keys)
        offerings = self.state.many(Kind.OFFERING, named.get("offering", [])).values()
        entries = [*named.get("entry", []), *(offering["entry"] for offering in offerings)]
        labs = [entry["lab"] for entry in self.state.many(Kind.ENTRY, _once(entries)).values()]
        self.state.many(Kind.LAB, _once([*labs, *named.get("lab", [])]))
        providers = [*named.get("provider", []), *(offering["provider"] for offering in offerings)]
        self.state.many(Kind.PROVIDER, _once(providers))
        for name in (self.schema.name, *self.family) if is_native(self.schema) else ():
            self.state.many(Kind.MEMBERSHIP, [f"{name}|{key}" for key in keys])


def _same(row: DocumentLine, other: DocumentLine) -> bool:
    return all(getattr(row, column) == getattr(other, column) for column in COLUMNS)


def _note(done: Refreshed, changes: Iterable[tuple[DocumentLine | None, DocumentLine | None]]) -> None:
    for before, after in changes:
        done.texts = True
        done.names = done.names or before is None or after is None or _name(before) != _name(after)
        if done.orders is not None:
            done.orders.update(row.order for row in (before, after) if row is not None and not row.omission)


def _name(row: DocumentLine) -> tuple[str, ...]:
    """What others may depend on: the line without the facts that stand in its record's braces.

    A line that begins with them names itself by its first field; the head of a block, by any.
    """
    named = row.text.partition("{")[0] or (row.text if row.tail else row.text.partition(",")[0])
    return row.order, row.omission, row.availability, row.findings, row.tail, named


def _once(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))


def _by_word(keys: Iterable[str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for key in keys:
        word, _, name = key.partition(":")
        named.setdefault(word, []).append(name)
    return named
