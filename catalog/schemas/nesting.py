"""Objects inside a member, field by field: ``{"pricing": {"prompt": "1"}}`` as ``{"pricing.prompt": "1"}``.

So a residual overrides one price and not the whole object that holds it. A literal name that looks like such a path is
marked, and what ``flat`` takes apart ``joined`` puts together again, whatever the names are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from catalog.schemas.reading.values import Json, quoted

_LITERAL: Final = "="


def flat(item: Mapping[str, Json], nested: Collection[str]) -> dict[str, Json]:
    """The member with the fields of its ``nested`` objects beside its own; an empty one stays an object."""
    fields: dict[str, Json] = {}
    for name, value in item.items():
        if name in nested and isinstance(value, dict) and value:
            fields.update({f"{name}.{inner}": part for inner, part in value.items()})
        elif name.startswith(_LITERAL) or ("." in name and name.partition(".")[0] in nested):
            fields[_LITERAL + name] = value
        else:
            fields[name] = value
    return fields


def joined(raw: Mapping[str, str], nested: Collection[str]) -> str:
    """The member's JSON text from its fields' texts; an object stands where its first field stands."""
    parts: dict[str, str] = {}
    inside: dict[str, list[str]] = {}
    for field, text in raw.items():
        name, dot, inner = field.partition(".")
        if not dot or name not in nested:
            parts[field] = text
        elif name not in raw:
            inside.setdefault(name, []).append(f"{quoted(inner)}:{text}")
            parts[name] = "{" + ",".join(inside[name]) + "}"
    return (
        "{" + ",".join(f"{quoted(name.removeprefix(_LITERAL))}:{text}" for name, text in parts.items()) + "}"
    )
