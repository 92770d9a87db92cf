"""Importing a document that holds whole records (``almanac/v1``). Pure."""

from __future__ import annotations

from typing import Any

from catalog.import_plan import Draft, ImportReport
from catalog.records import Kind, Record
from catalog.schemas.base import ParsedDocument


def put_records(parsed: ParsedDocument, draft: Draft, report: ImportReport) -> None:
    """Whole records (``almanac/v1``): written as they come; a spelling that they do not carry is kept."""
    for item in parsed.records:
        before = draft.get(item.kind, item.key)
        after = _with_spellings(item.record, before) if item.kind is Kind.OFFERING else item.record
        subject = f"{item.kind}:{item.key}"
        if before is None:
            report.added.append(subject)
        elif before != after:
            report.changed.append(subject)
        else:
            report.left += 1
        draft.put(item.kind, item.key, after)


def _with_spellings(offering: Record, before: Record | None) -> Record:
    spelled = {
        _without_spelling(price): price["spelling"]
        for price in (before or {}).get("prices", ())
        if "spelling" in price
    }
    if not spelled or "prices" not in offering:
        return offering
    prices = [
        {**price, "spelling": spelled[name]} if (name := _without_spelling(price)) in spelled else price
        for price in offering["prices"]
    ]
    return {**offering, "prices": prices}


def _without_spelling(price: Record) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, value) for name, value in price.items() if name != "spelling"))
