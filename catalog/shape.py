"""The declared forms of records: dropping what says nothing, refusing what has another shape. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from catalog import records
from catalog.records import Kind, Record

FORMS: Final[Mapping[Kind, type]] = {
    Kind.REGION: records.RegionRecord,
    Kind.LAB: records.LabRecord,
    Kind.PROVIDER: records.ProviderRecord,
    Kind.ENTRY: records.EntryRecord,
    Kind.OFFERING: records.OfferingRecord,
    Kind.SCHEMA: records.SchemaRecord,
    Kind.MEMBERSHIP: records.MembershipRecord,
    Kind.ADJUSTMENT: records.AdjustmentRecord,
    Kind.FEATURED: records.FeaturedRecord,
    Kind.TRIAL: records.TrialRecord,
    Kind.EXPERIMENT: records.ExperimentRecord,
}
LARGEST_INTEGER: Final = 2**53 - 1
PLAIN_WORDS: Final = {str: "text", int: "a whole number", bool: "true or false"}
SAYS_NOTHING: Final[tuple[object, ...]] = (None, "", [], {}, {"input": [], "output": []})
Complaint = tuple[str, str, str]
"""Field, reason, advice."""


@cache
def fields(form: type) -> Mapping[str, tuple[Any, bool]]:
    """Field → (type, required), read from a record's declared form."""
    hints = get_type_hints(form, include_extras=True)
    total = getattr(form, "__total__", True)
    return {
        name: (get_args(hint)[0], False) if get_origin(hint) is NotRequired else (hint, total)
        for name, hint in hints.items()
    }


def tidy(kind: Kind, record: Record) -> dict[str, Any]:
    """The record without optional fields that say nothing; ``native``, ``document`` and the like are left as they are."""
    return _tidy(FORMS[kind], record)


def _tidy(form: type, record: Record) -> dict[str, Any]:
    declared = fields(form)
    kept = {}
    for name, given in record.items():
        kind, required = declared.get(name, (Any, True))
        value = _tidy_value(kind, given)
        silent = value in SAYS_NOTHING or (name in ("complete_list", "hidden") and value is False)
        if required or not silent:
            kept[name] = value
    return kept


def _tidy_value(kind: Any, value: Any) -> Any:
    if is_typeddict(kind) and isinstance(value, Mapping):
        return _tidy(kind, value)
    if get_origin(kind) is list and isinstance(value, (list, tuple)):
        return [_tidy_value(get_args(kind)[0], item) for item in value]
    return value


def shape_complaints(form: type, record: Any, path: str = "") -> Iterator[Complaint]:
    if not isinstance(record, Mapping):
        yield path, "is not an object", ""
        return
    declared = fields(form)
    prefix = f"{path}." if path else ""
    for name in record:
        if name not in declared:
            near = get_close_matches(str(name), declared, n=1)
            yield (
                f"{prefix}{name}",
                "there is no such field",
                f"did you mean {near[0]}?" if near else "leave it out",
            )
    for name, (kind, required) in declared.items():
        if name in record:
            yield from _type(kind, record[name], f"{prefix}{name}")
        elif required:
            yield f"{prefix}{name}", "is missing", ""


def _type(kind: Any, value: Any, path: str) -> Iterator[Complaint]:
    if kind is Any:
        return
    if is_typeddict(kind):
        yield from shape_complaints(kind, value, path)
    elif get_origin(kind) is list:
        if not isinstance(value, list):
            yield path, "is not a list", ""
            return
        for index, item in enumerate(value):
            yield from _type(get_args(kind)[0], item, f"{path}[{index}]")
    elif get_origin(kind) is dict:
        if not isinstance(value, Mapping):
            yield path, "is not an object", ""
            return
        for name, item in value.items():
            yield from _type(get_args(kind)[1], item, f"{path}.{name}")
    elif type(value) is not kind:
        yield path, f"is not {PLAIN_WORDS[kind]}", ""
    elif kind is int and abs(value) > LARGEST_INTEGER:
        yield path, "is larger than 2^53 - 1", ""
