"""What a document states about an offering, written into the shared records. Pure.

A fact that an offering shares with its entry stands on the entry; what differs stands on the offering; a stage stands
on both, since each has its own. An entry with several offerings is not changed by what a document says about one of
them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from catalog.records import METERS, Record
from catalog.schemas.facts import ENTRY_ONLY, facts_of, price_path, same_fact

_UNSAID: Final = object()
_NEVER_REMOVED: Final = ("name", "mode", "stage")


def merge(
    entry: Record,
    offering: Record,
    *,
    stated: Mapping[str, Any],
    withdrawn: Collection[str],
    held: Collection[str],
    alone: bool,
) -> tuple[Record, Record]:
    """(entry, offering) with what is ``stated`` and without what is ``withdrawn``, except where another holds it.

    ``alone``: the entry has no other offering, so what is learned about this one is learned about the model.
    The records given are returned where nothing changes.
    """
    current = facts_of(entry, offering)
    updates = {
        path: value
        for path, value in stated.items()
        if path not in held and not same_fact(path, current.get(path), value)
    }
    removals = [
        path
        for path in withdrawn
        if path in current and path not in stated and path not in held and path not in _NEVER_REMOVED
    ]
    if not updates and not removals:
        return entry, offering
    to_entry = {path: value for path, value in updates.items() if alone and not _is_price(path)}
    own = {
        path: value
        for path, value in updates.items()
        if path == "stage" or (path not in to_entry and path not in ENTRY_ONLY)
    }
    general = facts_of(entry, None)
    restored = [
        path for path, value in own.items() if path != "stage" and general.get(path, _UNSAID) == value
    ]
    new_offering = with_facts(
        offering,
        {path: value for path, value in own.items() if path not in restored},
        without=[*removals, *restored, *to_entry],
    )
    gone = [path for path in removals if not _is_price(path)] if alone else []
    new_entry = with_facts(entry, to_entry, without=gone) if to_entry or gone else entry
    return new_entry, offering if new_offering == offering else new_offering


def with_facts(record: Record, facts: Mapping[str, Any], *, without: Collection[str] = ()) -> dict[str, Any]:
    """A copy with these facts set and those removed; groups that become empty are left out."""
    made = dict(record)
    for group in ("limits", "capabilities", "links"):
        prefix = f"{group}."
        members = {
            name: value for name, value in record.get(group, {}).items() if prefix + name not in without
        }
        members |= {path[len(prefix) :]: value for path, value in facts.items() if path.startswith(prefix)}
        _put(made, group, members)
    for name in ("modalities", "stage", *ENTRY_ONLY):
        if name in facts:
            made[name] = facts[name]
        elif name in without and name not in _NEVER_REMOVED:
            made.pop(name, None)
    _put(made, "artifacts", _artifacts(record, facts, without))
    kept = {price_path(price): price for price in record.get("prices", ())}
    prices = {path: price for path, price in kept.items() if path not in without}
    prices |= {path: price for path, price in facts.items() if _is_price(path)}
    _put(made, "prices", [prices[path] for path in _in_order(kept, prices)])
    return made


def merge_entry(
    entry: Record, *, stated: Mapping[str, Any], withdrawn: Collection[str], held: Collection[str]
) -> Record:
    """The same for a document that lists the model itself."""
    current = facts_of(entry, None)
    updates = {
        path: value
        for path, value in stated.items()
        if path not in held and not same_fact(path, current.get(path), value)
    }
    removals = [
        path
        for path in withdrawn
        if path in current and path not in stated and path not in held and path not in _NEVER_REMOVED
    ]
    return with_facts(entry, updates, without=removals) if updates or removals else entry


def _artifacts(record: Record, facts: Mapping[str, Any], without: Collection[str]) -> list[Mapping[str, Any]]:
    """The files with these facts set and those removed; one without an address is none."""
    files: dict[str, dict[str, Any]] = {}
    for artifact in record.get("artifacts", ()):
        name = artifact["name"]
        files[name] = {
            field: value for field, value in artifact.items() if f"artifacts.{field}.{name}" not in without
        }
    for path, value in facts.items():
        if path.startswith("artifacts."):
            _, field, name = path.split(".", 2)
            files.setdefault(name, {"name": name})[field] = value
    return [artifact for artifact in files.values() if "url" in artifact]


def _in_order(kept: Collection[str], prices: Collection[str]) -> list[str]:
    """Prices that were there keep their order; new ones follow, by meter."""
    new = sorted((path for path in prices if path not in kept), key=_price_rank)
    return [*(path for path in kept if path in prices), *new]


def _price_rank(path: str) -> tuple[int, int, str]:
    _, meter, _, _, above, *_ = path.split(".")
    return METERS.index(meter), int(above), path


def _put(record: dict[str, Any], name: str, value: Any) -> None:
    if value:
        record[name] = value
    else:
        record.pop(name, None)


def _is_price(path: str) -> bool:
    return path.startswith("prices.")
