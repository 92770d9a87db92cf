"""Which subjects a schema's document has, and where each is listed. Pure functions of a state.

An *explicit* schema lists its memberships and nothing else. An *automatic* one lists every offering that its format can
hold, with a head for each provider. A format of our own (``almanac/v1``) lists every public record, whatever is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from catalog.records import Kind, Record
from catalog.schemas.base import Json, Line, Omission, Schema, State, Subject, VersionedSchema
from catalog.schemas.reading.json_reader import parse_value
from catalog.schemas.registry import ENTRY_LISTS, NATIVE
from catalog.subjects import record_named_by

PUBLIC: Final = (
    Kind.REGION, Kind.LAB, Kind.PROVIDER, Kind.ENTRY, Kind.OFFERING, Kind.FEATURED, Kind.TRIAL, Kind.EXPERIMENT,
)  # fmt: skip
GLOBAL: Final = "global"


def is_automatic(schema: Schema, state: State) -> bool:
    """True until something was imported into it."""
    record = state.get(Kind.SCHEMA, schema.name)
    return record is None or record["membership"] == "automatic"


def is_native(schema: Schema) -> bool:
    """False for a format of our own, which lists records."""
    return schema.name in NATIVE


def subject_keys(schema: Schema, state: State) -> Iterator[str]:
    """Every member that the document could have, left-out ones included."""
    if not is_native(schema):
        for kind in PUBLIC:
            yield from (f"{kind}:{key}" for key in state.all(kind))
    elif is_automatic(schema, state):
        if has_blocks(schema):
            yield from (f"provider:{slug}" for slug in state.all(Kind.PROVIDER))
        kind = Kind.ENTRY if lists_entries(schema) else Kind.OFFERING
        yield from (f"{kind}:{key}" for key in state.all(kind))
    else:
        prefix = f"{schema.name}|"
        yield from (key.removeprefix(prefix) for key in state.all(Kind.MEMBERSHIP) if key.startswith(prefix))


def subject(schema: Schema, key: str, state: State, *, automatic: bool) -> Subject | None:
    """The member with every record that its line may read; ``None`` where the document has no such member."""
    found = _found(schema, key, state, automatic=automatic)
    return found if found is None or not is_native(schema) else _adjusted(schema, found, state)


def adjustments_of(schema: Schema, state: State) -> list[tuple[str, str]]:
    """(subject, what an operator decided) of everything that is adjusted in a schema."""
    records = state.all(Kind.ADJUSTMENT).values()
    return sorted((r["subject"], in_words(r)) for r in records if r["schema"] == schema.name)


def in_words(adjustment: Record) -> str:
    """``hidden``, ``held at release 7; sets limit.context``, and why."""
    held = f"held at release {adjustment['held']['release']}" if "held" in adjustment else ""
    sets = f"sets {', '.join(adjustment['set'])}" if "set" in adjustment else ""
    drops = f"leaves out {', '.join(adjustment['drop'])}" if "drop" in adjustment else ""
    said = "; ".join(
        part for part in ("hidden" if adjustment.get("hidden") else "", held, sets, drops) if part
    )
    return f"{said} ({adjustment['reason']})" if "reason" in adjustment else said


def _adjusted(schema: Schema, found: Subject, state: State) -> Subject:
    """With what an operator decided about it, its entry or its provider in this schema."""
    adjustments = state.all(Kind.ADJUSTMENT)
    if not adjustments:
        return found
    own = adjustments.get(f"{schema.name}|{found.key}")
    return replace(found, adjustment=own, hidden=_hidden(schema, found, adjustments))


def _hidden(schema: Schema, found: Subject, adjustments: Mapping[str, Record]) -> str:
    for key in (found.key, *_above(found)):
        adjustment = adjustments.get(f"{schema.name}|{key}")
        if adjustment is not None and adjustment.get("hidden"):
            what = "it is" if key == found.key else f"its {key.partition(':')[0]} is"
            reason = adjustment.get("reason", "")
            return f"{what} hidden from this document" + (f": {reason}" if reason else "")
    return ""


def _above(found: Subject) -> Iterator[str]:
    """Whose being hidden hides this member too."""
    if found.offering is not None:
        yield f"entry:{found.offering['entry']}"
        yield f"provider:{found.offering['provider']}"
    elif found.key.startswith(("entry:", "provider:")) and "#" in found.key:
        yield found.key.partition("#")[0]


def _found(schema: Schema, key: str, state: State, *, automatic: bool) -> Subject | None:
    word, _, name = key.partition(":")
    if not is_native(schema):
        record = state.get(Kind(word), name)
        return None if record is None else _joined(key, Kind(word), record, state)
    membership = None if automatic else state.get(Kind.MEMBERSHIP, f"{schema.name}|{key}")
    if not _may_be_listed(schema, key) if automatic else membership is None:
        return None
    named = record_named_by(key)
    record = state.get(*named) if named else None
    if named is None or record is None:
        return None if automatic else Subject(key, membership)
    return _joined(key, named[0], record, state, membership)


def _may_be_listed(schema: Schema, key: str) -> bool:
    """Whether automatic membership has such subjects: offerings (or entries), and a head for each block, if any."""
    if key.startswith("provider:"):
        return has_blocks(schema) and "#" not in key
    return (
        "#" not in key and key.startswith("entry:") if lists_entries(schema) else key.startswith("offering:")
    )


def lists_entries(schema: Schema) -> bool:
    return schema.name in ENTRY_LISTS


def has_blocks(schema: Schema) -> bool:
    return schema.name in NATIVE and NATIVE[schema.name].blocks


def _joined(key: str, kind: Kind, record: Record, state: State, membership: Record | None = None) -> Subject:
    match kind:
        case Kind.LAB:
            return Subject(key, membership, lab=record, record=record)
        case Kind.PROVIDER:
            return Subject(key, membership, provider=record, record=record)
        case Kind.ENTRY:
            return Subject(
                key, membership, lab=state.get(Kind.LAB, record["lab"]), entry=record, record=record
            )
        case Kind.OFFERING:
            entry = state.get(Kind.ENTRY, record["entry"])
            return Subject(
                key,
                membership,
                provider=state.get(Kind.PROVIDER, record["provider"]),
                lab=None if entry is None else state.get(Kind.LAB, entry["lab"]),
                entry=entry,
                offering=record,
                record=record,
            )
        case _:
            return Subject(key, membership, record=record)


def line_of(
    schema: Schema, found: Subject, state: State, family: Sequence[str], *, automatic: bool
) -> Line | Omission:
    """Its text, or why it has none. ``family`` names the other schemas of the schema's family."""
    reason = found.hidden or (left_out(schema, found, state, family) if automatic else "")
    return Omission(found.key, reason) if reason else schema.line(found)


def left_out(schema: Schema, found: Subject, state: State, family: Sequence[str]) -> str:
    """Why automatic membership leaves a member out; empty: it is listed."""
    if not is_native(schema) or found.record is None or found.key.startswith("provider:") or is_held(found):
        return ""
    return NATIVE[schema.name].excluded(found, kin(found.key, state, family))


def minimum_client(schema: Schema, line: Line) -> str:
    """The oldest client that can use a member, where the schema's clients differ in that; empty: all can."""
    return schema.minimum_client(line) if isinstance(schema, VersionedSchema) else ""


def is_held(found: Subject) -> bool:
    """Held back: the document goes on saying what a release said, whatever became of the facts since."""
    return found.adjustment is not None and "held" in found.adjustment


def kin(key: str, state: State, family: Sequence[str]) -> Mapping[str, Json]:
    """What the other schemas of a family say about a member beyond the shared facts."""
    said: dict[str, Json] = {}
    for name in family:
        membership = state.get(Kind.MEMBERSHIP, f"{name}|{key}") or {}
        stated: Mapping[str, str] = membership.get("native", {}).get("set", {})
        said.update({field: parse_value(text) for field, text in stated.items()})
    return said


def family_of(schema: Schema, schemas: Mapping[str, Schema]) -> list[str]:
    """The other schemas that call providers by the same names."""
    if not schema.family:
        return []
    return [name for name, other in schemas.items() if other.family == schema.family and name != schema.name]


# --- regions -----------------------------------------------------------------------------------------------------


def ancestry(region: str, regions: Mapping[str, Record]) -> list[str]:
    """The region, its parent, and so on; ends where a parent is missing or comes again."""
    line = [region]
    while (parent := regions.get(line[-1], {}).get("parent")) is not None and parent not in line:
        line.append(parent)
    return line


def is_available(availability: Mapping[str, Any], line: Sequence[str]) -> bool:
    """Whether something is offered in the region whose ancestry this is; the nearest region that is named decides.

    The ``global`` document is read everywhere, so ``only`` takes nothing out of it.
    """
    for code in line:
        if code in availability.get("never", ()):
            return False
        if code in availability.get("only", ()):
            return True
    return not availability.get("only") or line[0] == GLOBAL


def published_regions(regions: Mapping[str, Record]) -> list[str]:
    """``global`` first, then every enabled region that has documents of its own."""
    return [GLOBAL, *sorted(code for code, record in regions.items() if record["enabled"] and code != GLOBAL)]
