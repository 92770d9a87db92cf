"""What a document says beyond or against the shared facts, so that nothing of it is lost.

A member's native record is what the shared facts derive, with its residual applied:
``{"set": {field: raw JSON}, "drop": [field, …], "order": [field, …], "name": text}``, each part only where needed.
``compose(derived, diff(derived, native))`` is ``native`` for any two records, whatever ``derive`` does, so losslessness
does not depend on how much a format's lenses understand. Values are compared by their JSON text: ``1`` is not ``1.0``,
and an object whose keys changed places is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from catalog.records import Record
from catalog.schemas.reading.json_reader import parse_value
from catalog.schemas.reading.values import Json, to_json

PARTS: Final = ("set", "drop", "order", "whole")
"""``whole``, where it is true: nothing that the shared facts derive counts, what ``set`` says is the member."""

Rank = Callable[[str], Any]
"""Sorts the fields of a format where a member has no order of its own."""


def diff(derived: Mapping[str, Json], native: Mapping[str, Json], rank: Rank) -> dict[str, Any]:
    """The residual; empty where the shared facts say it all."""
    raw = {field: to_json(value) for field, value in native.items()}
    given = {field: to_json(value) for field, value in derived.items()}
    residual: dict[str, Any] = {}
    different = {field: text for field, text in raw.items() if given.get(field) != text}
    if different:
        residual["set"] = different
    missing = sorted(field for field in given if field not in raw)
    if missing:
        residual["drop"] = missing
    fields = list(raw)
    if fields != sorted(fields, key=rank):
        residual["order"] = fields
    return residual


def compose(derived: Mapping[str, Json], residual: Mapping[str, Any], rank: Rank) -> dict[str, str]:
    """The native record as JSON text by field, in the order in which it is written."""
    dropped = residual.get("drop", ())
    kept = {} if residual.get("whole") else derived
    raw = {field: to_json(value) for field, value in kept.items() if field not in dropped}
    raw.update((field, text) for field, text in residual.get("set", {}).items() if field not in dropped)
    own_order = [field for field in residual.get("order", ()) if field in raw]
    others = sorted(raw.keys() - set(own_order), key=rank) if own_order else sorted(raw, key=rank)
    return {field: raw[field] for field in (*own_order, *others)}


def apply(derived: Mapping[str, Json], residual: Mapping[str, Any], rank: Rank) -> dict[str, Json]:
    """``compose``, read back into values."""
    return {field: parse_value(text) for field, text in compose(derived, residual, rank).items()}


def values(derived: Mapping[str, Json], residual: Mapping[str, Any]) -> dict[str, Json]:
    """``apply`` without the order: only what the residual sets has to be read."""
    dropped = residual.get("drop", ())
    kept = {} if residual.get("whole") else derived
    return {field: value for field, value in kept.items() if field not in dropped} | stated(residual)


def adjusted(imported: Mapping[str, Any], adjustment: Record) -> dict[str, Any]:
    """The residual with an operator's decisions over it: held back as it was published, then field by field."""
    base: Mapping[str, Any] = adjustment["held"]["native"] if "held" in adjustment else imported
    said, dropped = adjustment.get("set", {}), adjustment.get("drop", [])
    parts = dict(base)
    parts["set"] = {field: text for field, text in base.get("set", {}).items() if field not in dropped} | said
    parts["drop"] = [*(field for field in base.get("drop", ()) if field not in said), *dropped]
    return {name: value for name, value in parts.items() if value or name not in PARTS}


def whole(raw: Mapping[str, str], residual: Mapping[str, Any]) -> dict[str, Any]:
    """The residual that gives these fields in this order, whatever is derived; ``residual`` is the one behind them."""
    others = {name: value for name, value in residual.items() if name not in PARTS}
    return {**others, "set": dict(raw), "order": list(raw), "whole": True}


def overridden(residual: Mapping[str, Any]) -> set[str]:
    """The fields that do not come from the shared facts."""
    return {*residual.get("set", ()), *residual.get("drop", ())}


def stated(residual: Mapping[str, Any]) -> dict[str, Json]:
    """The values that only this document states."""
    return {field: parse_value(text) for field, text in residual.get("set", {}).items()}


def clear_overrides(
    owns: Mapping[str, tuple[str, ...]], membership: Record, changed: Collection[str]
) -> dict[str, Any] | None:
    """The membership without the overrides of facts that an operator has changed; ``None`` where there are none.

    ``owns`` is the schema's, ``changed`` are paths as ``facts.changed_paths`` gives them.
    """
    residual = dict(membership.get("native", {}))
    stale = {field for field in overridden(residual) if not set(owns.get(field, ())).isdisjoint(changed)}
    if not stale:
        return None
    for part in ("set", "drop"):
        kept = _without(residual.pop(part, {}), stale)
        if kept:
            residual[part] = kept
    cleared = {key: value for key, value in membership.items() if key != "native"}
    if residual:
        cleared["native"] = residual
    return cleared


def _without(part: Any, stale: set[str]) -> Any:
    if isinstance(part, Mapping):
        return {field: text for field, text in part.items() if field not in stale}
    return [field for field in part if field not in stale]
