"""Texts that documents and records have in common."""

from __future__ import annotations

from catalog.schemas.reading.values import Json

MOST_NAME = 200


def from_name(value: Json) -> str | None:
    """A name that a record can have: printable, within its length, without space around it."""
    fits = isinstance(value, str) and value.isprintable() and value == value.strip()
    return str(value) if fits and 0 < len(str(value)) <= MOST_NAME else None
