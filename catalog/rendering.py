"""One view of a schema, rendered whole from a state. Pure; what publication keeps line by line must equal this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.members import (
    GLOBAL,
    ancestry,
    family_of,
    is_automatic,
    is_available,
    is_native,
    line_of,
    subject,
    subject_keys,
)
from catalog.records import Kind
from catalog.schemas.base import Line, Omission, Schema, State


@dataclass(frozen=True, slots=True)
class View:
    data: bytes
    lines: tuple[Line, ...]
    omissions: tuple[Omission, ...]
    """What is left out, and why, by subject."""


def render_view(schema: Schema, state: State, schemas: Mapping[str, Schema], *, region: str = GLOBAL) -> View:
    automatic = is_automatic(schema, state)
    family = family_of(schema, schemas)
    line_of_region = ancestry(region, state.all(Kind.REGION))
    lines: list[Line] = []
    omissions: list[Omission] = []
    for key in subject_keys(schema, state):
        found = subject(schema, key, state, automatic=automatic)
        if found is None:
            continue
        availability = (found.offering or {}).get("availability", {})
        if is_native(schema) and not is_available(availability, line_of_region):
            omissions.append(Omission(key, not_offered(region)))
            continue
        made = line_of(schema, found, state, family, automatic=automatic)
        if isinstance(made, Line):
            lines.append(made)
        else:
            omissions.append(made)
    lines.sort(key=lambda line: (line.order, line.key))
    omissions.sort()
    document = (state.get(Kind.SCHEMA, schema.name) or {}).get("document", {})
    return View(schema.assemble(lines, document), tuple(lines), tuple(omissions))


def not_offered(region: str) -> str:
    return f"it is not offered in the region {region}"
