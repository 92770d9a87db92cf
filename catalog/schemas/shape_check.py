"""A JSON Schema, compiled to plain functions that say yes or no: what thousands of records are checked with.

It knows the keywords that our schema uses and refuses to be made of others. It explains nothing: where it says no, the
full validator is asked for the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Check = Callable[[Any], bool]

_TYPES: Final[dict[str, Check]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_SAYS_NOTHING: Final = frozenset(("description", "title"))


def compiled(schema: Mapping[str, Any]) -> Check:
    """The check for a schema without references. Raises ``ValueError`` for a keyword that it does not know."""
    checks = [
        check
        for word, argument in schema.items()
        if word not in _SAYS_NOTHING and (check := _keyword(word, argument, schema)) is not None
    ]
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def _keyword(word: str, argument: Any, schema: Mapping[str, Any]) -> Check | None:
    match word:
        case "type":
            return _TYPES[argument]
        case "enum":
            return lambda value: isinstance(value, str) and value in argument
        case "pattern":
            search = re.compile(argument.removesuffix("$") + (r"\Z" if argument.endswith("$") else "")).search
            return lambda value: search(value) is not None
        case "minLength":
            return lambda value: len(value) >= argument
        case "maxLength":
            return lambda value: len(value) <= argument
        case "minimum":
            return lambda value: bool(value >= argument)
        case "maximum":
            return lambda value: bool(value <= argument)
        case "items":
            item = compiled(argument)
            return lambda value: all(map(item, value))
        case "required":
            return lambda value: all(name in value for name in argument)
        case "propertyNames":
            name = compiled(argument)
            return lambda value: all(map(name, value))
        case "properties" | "additionalProperties":
            return _members(schema) if word == "additionalProperties" or _is_open(schema) else None
        case _:
            raise ValueError(f"the keyword {word} is not known here")


def _is_open(schema: Mapping[str, Any]) -> bool:
    return "additionalProperties" not in schema


def _members(schema: Mapping[str, Any]) -> Check:
    """``properties`` and ``additionalProperties`` together, so that each member is looked up once."""
    known = {name: compiled(inner) for name, inner in schema.get("properties", {}).items()}
    rest = schema.get("additionalProperties", True)
    other = compiled(rest) if isinstance(rest, Mapping) else lambda _value: bool(rest)
    return lambda value: all(known.get(name, other)(item) for name, item in value.items())
