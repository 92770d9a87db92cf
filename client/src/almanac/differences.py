"""What changed between two documents, record by record and field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from almanac.document import Document

SECTIONS: Final = {"entries": "id", "offerings": "id", "providers": "slug", "labs": "slug", "regions": "code",
                   "featured": "slug", "trials": "slug", "experiments": "slug"}  # fmt: skip
"""The sections in the order in which people want to see them, with the field that names a record."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One record: ``added``, ``removed`` or ``changed``."""

    section: str
    key: str
    how: str
    fields: tuple[FieldChange, ...] = ()

    def as_json(self) -> dict[str, Any]:
        form: dict[str, Any] = {"section": self.section, "id": self.key, "change": self.how}
        if self.fields:
            form["fields"] = [{"field": f.field, "before": f.before, "after": f.after} for f in self.fields]
        return form


def differences(old: Document | None, new: Document) -> list[Change]:
    """Everything that differs; against nothing at all, everything was added."""
    return [
        change
        for section, key in SECTIONS.items()
        for change in _section(section, _by_key(old, section, key), _by_key(new, section, key))
    ]


def _by_key(document: Document | None, section: str, key: str) -> dict[str, Mapping[str, Any]]:
    records = document.section(section) if document is not None else ()
    return {str(record[key]): record for record in records if key in record}


def _section(section: str, old: Mapping[str, Mapping], new: Mapping[str, Mapping]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            yield Change(section, key, "added")
        elif key not in new:
            yield Change(section, key, "removed")
        elif old[key] != new[key]:
            yield Change(section, key, "changed", tuple(_fields("", old[key], new[key])))


def _fields(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _fields(f"{prefix}{name}.", before, after)
        elif name == "prices" and isinstance(before, list) and isinstance(after, list):
            yield from _fields(f"{prefix}{name}.", _by_meter(before), _by_meter(after))
        else:
            yield FieldChange(prefix + name, before, after)


def _by_meter(prices: list[Any]) -> dict[str, Any]:
    """Prices under what they are for, so that a changed amount shows as itself and not as two lists."""
    named: dict[str, Any] = {}
    for price in prices:
        if isinstance(price, dict):
            parts = (
                price.get(part) for part in ("meter", "modality", "above_tokens", "service_tier", "cache_ttl")
            )
            name = "/".join(str(part) for part in parts if part is not None)
            named[name] = f"{price.get('amount')} {price.get('currency', '')}/{price.get('unit', '')}"
    return named


def counts(changes: list[Change]) -> dict[str, int]:
    """How many of each kind, for one line of text."""
    totals = {"added": 0, "removed": 0, "changed": 0}
    for change in changes:
        if change.section in ("entries", "offerings"):
            totals[change.how] += 1
    return totals
