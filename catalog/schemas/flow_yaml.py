"""One value as one line of YAML that serde_yaml, YAML 1.2 readers and YAML 1.1 readers take for the same.

Text is quoted whenever any of them could see something else in it; a number with an exponent is spelled ``1.0e-06``,
because YAML 1.1 reads ``1e-06`` as text.
"""

from __future__ import annotations

import re
from typing import Final

from catalog.schemas.reading.values import Json, Number, quoted

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*", re.ASCII)
_WORDS: Final = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"])
# What YAML does not allow to stand raw, or reads as a line break.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_KEYABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_?]*", re.ASCII)


def flow(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Number():
            return number(value)
        case str():
            return text(value)
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case _:
            return "{" + ", ".join(f"{key(name)}: {flow(item)}" for name, item in value.items()) + "}"


def text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted(value))


def key(value: str) -> str:
    return value if _KEYABLE.fullmatch(value) and value.lower() not in _WORDS else text(value)


def number(value: Number) -> str:
    mantissa, exponent_sign, exponent = value.text.lower().partition("e")
    if not exponent_sign:
        return value.text
    point = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{point}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
