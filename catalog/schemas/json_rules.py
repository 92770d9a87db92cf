"""What a client demands of one object of its document, as data: a table of rules, each with the words for its breach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from catalog.schemas.reading.values import Json, Number

Fits = Callable[[Json], bool]
Problem = tuple[Literal["stop", "warn"], str]

_MISSING: Final = object()


class Rule(NamedTuple):
    """``field`` may be a path, ``pricing.prompt``; it counts only where the object that it leads through is there."""

    field: str
    fits: Fits
    says: str
    """What is wrong with a value that does not fit; the field's name stands before it."""
    needed: bool = True
    severity: Literal["stop", "warn"] = "stop"


def problems(item: Mapping[str, Json], rules: Iterable[Rule]) -> Iterator[Problem]:
    for rule in rules:
        value = _at(item, rule.field)
        if value is _MISSING:
            if rule.needed and _has_parent(item, rule.field):
                yield rule.severity, f"{rule.field} is missing"
        elif not rule.fits(value):  # type: ignore[arg-type]
            yield rule.severity, f"{rule.field} {rule.says}"


def _at(item: Mapping[str, Json], path: str) -> object:
    found: object = item
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            return _MISSING
        found = found[name]
    return found


def _has_parent(item: Mapping[str, Json], path: str) -> bool:
    parent, dot, _ = path.rpartition(".")
    return not dot or isinstance(_at(item, parent), dict)


# --- what a value may have to be ---------------------------------------------------------------------------------


def text(value: Json) -> bool:
    return isinstance(value, str)


def filled(value: Json) -> bool:
    """Text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def not_empty(value: Json) -> bool:
    """Text of at least one character, be it a blank."""
    return isinstance(value, str) and value != ""


def flag(value: Json) -> bool:
    return isinstance(value, bool)


def whole(value: Json) -> bool:
    """A whole number as Rust's and Go's readers want it: neither point nor exponent, within 64 bits."""
    return isinstance(value, Number) and value.is_integer and -(2**63) <= int(value.text) < 2**63


def small_whole(value: Json) -> bool:
    """A whole number within 32 bits."""
    return isinstance(value, Number) and whole(value) and -(2**31) <= int(value.text) < 2**31


def count(value: Json) -> bool:
    return isinstance(value, Number) and whole(value) and not value.text.startswith("-")


def number(value: Json) -> bool:
    return isinstance(value, Number)


def mapping(value: Json) -> bool:
    return isinstance(value, dict)


def listing(value: Json) -> bool:
    return isinstance(value, list)


def absent(_: Json) -> bool:
    """For a field that must not be there."""
    return False


def or_null(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def one_of(*words: str) -> Fits:
    return lambda value: isinstance(value, str) and value in words


def list_of(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def matching(pattern: str) -> Fits:
    whole_text = re.compile(pattern)
    return lambda value: isinstance(value, str) and whole_text.fullmatch(value) is not None


def object_with(*rules: Rule) -> Fits:
    return lambda value: isinstance(value, dict) and not any(problems(value, rules))


web_address: Final = matching(r"https://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?")
"""Secure, without a user name in it."""
sha256: Final = matching("[0-9a-fA-F]{64}")
