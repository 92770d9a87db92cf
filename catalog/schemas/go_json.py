"""JSON as Go writes it without spaces: what a Go program gets when it writes a document again that it has read.

A program that compares hashes of its own copy with ours finds them equal only if every byte is as it would write it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from catalog.schemas.reading.values import Json, Number, quoted

_ESCAPED: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
_SMALLEST: Final = Decimal("1e-6")
_LARGEST: Final = Decimal("1e21")


def go_text(value: str) -> str:
    return quoted(value).translate(_ESCAPED)


def go_float(value: Number) -> Number:
    """A ``float64`` in its shortest digits: ``3.0`` is ``3``, ``1e-7`` keeps its exponent."""
    shortest = repr(float(value.text))
    amount = Decimal(shortest)
    if amount and not _SMALLEST <= abs(amount) < _LARGEST:
        mantissa, _, exponent = shortest.partition("e")
        return Number(f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}")
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return Number("0" if text in ("-0", "") else text)


def go_json(value: Json) -> str:
    """Compact, as it is: what order an object's keys and a number's digits have is the caller's to say."""
    match value:
        case str():
            return go_text(value)
        case list():
            return "[" + ",".join(map(go_json, value)) + "]"
        case dict():
            return "{" + ",".join(f"{go_text(key)}:{go_json(item)}" for key, item in value.items()) + "}"
        case Number():
            return value.text
        case None:
            return "null"
        case _:
            return "true" if value else "false"
