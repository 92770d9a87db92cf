"""The values that documents are read into: JSON's own, with numbers as they were spelled."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final, TypeAlias

Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 300
"""Characters of one number: nothing that a catalog counts needs more, and a float cannot hold it."""


class ParseError(Exception):
    """A document that cannot be read: why, where (counted from 1; 0 where no place can be told), and what to do."""

    def __init__(self, reason: str, *, line: int = 0, column: int = 0, advice: str = "") -> None:
        self.reason = reason
        self.line = line
        self.column = column
        self.advice = advice
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f" (line {self.line}, column {self.column})" if self.column else f" (line {self.line})"
        text = f"{self.reason}{place if self.line else ''}"
        return f"{text} — {self.advice}" if self.advice else text


class Number:
    """A number by its spelling: ``1``, ``1.0`` and ``1e0`` are three. Always a JSON number."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is Number and other.text == self.text

    def __hash__(self) -> int:
        return hash((Number, self.text))

    def __repr__(self) -> str:
        return f"Number({self.text!r})"

    @property
    def is_integer(self) -> bool:
        """Written as an integer: neither point nor exponent."""
        return self.text.lstrip("-").isdigit()

    @property
    def value(self) -> Decimal:
        return Decimal(self.text)


def quoted(text: str) -> str:
    """A JSON string with text as it is; only what JSON forbids is escaped."""
    return json.dumps(text, ensure_ascii=False)


def to_json(value: Json) -> str:
    """Compact JSON that keeps every number's spelling and every object's order."""
    match value:
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case Number():
            return value.text
        case str():
            return quoted(value)
        case list():
            return "[" + ",".join(map(to_json, value)) + "]"
        case _:
            return "{" + ",".join(f"{quoted(key)}:{to_json(item)}" for key, item in value.items()) + "}"
