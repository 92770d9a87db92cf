"""JSON, strictly: numbers keep their spelling, every key counts once, nothing is deep, nothing is infinite."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from catalog.schemas.reading.text import MIB, decode
from catalog.schemas.reading.values import MAX_DEPTH, MAX_DIGITS, Json, Number, ParseError

MAX_BYTES: Final = 64 * MIB

# Possessive, so that no input makes the scan go back over what it has read.
_STRUCTURE: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"(\s*+:)?|[\[\]{}]', re.DOTALL)
_ODD_ESCAPE: Final = re.compile(r"\\u(?:[dD][89abAB]|0000)")
_NOT_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_OPENING: Final = frozenset("[{")


@dataclass(frozen=True, slots=True)
class JsonText:
    """A read document, with the lines (from 1) of its first two levels for messages about them."""

    value: Json
    key_lines: dict[str, int] = field(default_factory=dict)
    """Top-level key → its line."""
    item_lines: dict[str, list[int]] = field(default_factory=dict)
    """Top-level key → the lines where the objects of its list begin; under the empty key those of a list at the top."""
    notices: tuple[str, ...] = ()


class _RepeatedKeyError(Exception):
    pass


class _BadNumberError(Exception):
    def __init__(self, spelling: str, reason: str) -> None:
        self.spelling = spelling
        self.reason = reason
        super().__init__(reason)


def read_json(data: bytes, *, max_bytes: int = MAX_BYTES, last_key_counts: bool = False) -> JsonText:
    """Raises ``ParseError`` for whatever is not one plain JSON value.

    ``last_key_counts``: a key that is repeated at the top level is noticed, not refused; as in most JSON readers its
    last value counts, in the place of the first.
    """
    text, notices = decode(data, max_bytes=max_bytes)
    key_lines, item_lines = _scan(text)
    repeated = _repeated_keys(text) if last_key_counts else ()
    notices += tuple(f"{repeat}; the last one counts" for repeat in repeated)
    value = _load(text, _lenient if repeated else _decoder)
    if _ODD_ESCAPE.search(text):
        _refuse_what_is_no_text(value, text)
    return JsonText(value, key_lines, item_lines, notices)


def parse_value(raw: str) -> Json:
    """One value from JSON text that was written by ``to_json``."""
    value: Json = _decoder.decode(raw)
    return value


def _load(text: str, decoder: json.JSONDecoder) -> Json:
    try:
        value: Json = decoder.decode(text)
    except _RepeatedKeyError as error:
        raise _repeats(text)[0].refusal() from error
    except _BadNumberError as error:
        line, column = _place(text, max(text.find(error.spelling), 0))
        raise ParseError(error.reason, line=line, column=column, advice="write a finite decimal") from error
    except json.JSONDecodeError as error:
        if not text.strip():
            raise ParseError("the file is empty", line=1, advice="an object or a list is expected") from error
        raise ParseError(
            f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", line=error.lineno, column=error.colno
        ) from error
    except (ValueError, RecursionError) as error:
        raise ParseError("not JSON that can be read", line=1) from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError(next(key for key in found if sum(name == key for name, _ in pairs) > 1))
    return found


def _integer(spelling: str) -> Number:
    if len(spelling) > MAX_DIGITS:
        raise _BadNumberError(spelling, f"a number of {len(spelling):,} digits is out of range")
    return Number(spelling)


def _decimal(spelling: str) -> Number:
    if len(spelling) > MAX_DIGITS or float(spelling) in (float("inf"), float("-inf")):
        raise _BadNumberError(spelling, f"the number {spelling[:20]} is out of range")
    return Number(spelling)


def _constant(spelling: str) -> Number:
    raise _BadNumberError(spelling, f"{spelling} is not a number that JSON has")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)


_lenient: Final = json.JSONDecoder(parse_int=_integer, parse_float=_decimal, parse_constant=_constant)


def _scan(text: str) -> tuple[dict[str, int], dict[str, list[int]]]:
    """The lines of the first two levels; refuses depth before any parser sees it."""
    key_lines: dict[str, int] = {}
    items: list[int] = []
    is_list = text.lstrip()[:1] == "["
    item_lines = {"": items} if is_list else {}
    item_depth = 2 if is_list else 3
    depth, line, seen = 0, 1, 0
    for token in _STRUCTURE.finditer(text):
        first = text[token.start()]
        if first in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                where = _place(text, token.start())
                raise ParseError(f"nested deeper than {MAX_DEPTH} levels", line=where[0], column=where[1])
            if depth == item_depth and first == "{":
                line, seen = line + text.count("\n", seen, token.start()), token.start()
                items.append(line)
        elif first != '"':
            depth -= 1
        elif depth == 1 and token.group(1) is not None:
            line, seen = line + text.count("\n", seen, token.start()), token.start()
            key = _text_of(token)
            key_lines.setdefault(key, line)
            items = item_lines.setdefault(key, [])
    return key_lines, item_lines


def _text_of(token: re.Match[str]) -> str:
    raw = token.group()
    if token.group(1) is not None:
        raw = raw[: -len(token.group(1))]
    try:
        return str(json.loads(raw))
    except ValueError:
        return raw


def _keys(text: str) -> Iterator[tuple[int, str, int]]:
    """Every key as (number of the object it stands in, key, offset)."""
    stack: list[int] = []
    number = 0
    for token in _STRUCTURE.finditer(text):
        first = text[token.start()]
        if first in _OPENING:
            number += 1
            stack.append(number)
        elif first != '"':
            stack[-1:] = []
        elif token.group(1) is not None:
            yield (stack[-1] if stack else 0), _text_of(token), token.start()


class _Repeat(NamedTuple):
    """A key that stands twice in one object; ``number`` counts the objects and lists, the root is 1."""

    key: str
    number: int
    first_line: int
    line: int
    column: int

    def __str__(self) -> str:
        return f"the key {self.key!r} stands twice in one object, in lines {self.first_line} and {self.line}"

    def refusal(self) -> ParseError:
        return ParseError(str(self), line=self.line, column=self.column, advice="keep one of them")


def _repeats(text: str) -> list[_Repeat]:
    first: dict[tuple[int, str], int] = {}
    found: list[_Repeat] = []
    for number, key, offset in _keys(text):
        seen = first.setdefault((number, key), offset)
        if seen != offset:
            found.append(_Repeat(key, number, _place(text, seen)[0], *_place(text, offset)))
    return found


def _repeated_keys(text: str) -> list[_Repeat]:
    """Those at the top level; refuses any below it."""
    repeats = _repeats(text)
    for repeat in repeats:
        if repeat.number != 1:
            raise repeat.refusal()
    return repeats


def _refuse_what_is_no_text(value: Json, text: str) -> None:
    pending: list[Json] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str) and _NOT_TEXT.search(item):
            found = _ODD_ESCAPE.search(text)
            line, column = _place(text, found.start() if found else 0)
            raise ParseError("NUL, or half of a surrogate pair, is no text", line=line, column=column)
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
