"""YAML, the plain part of it: no anchors, tags, merge keys or second documents, and YAML 1.2's short list of words.

libyaml gives the events, one at a time and without recursion, so depth is counted before anything can overflow;
the tree is built here. So ``no`` is text, ``12:30:45`` is text, and a number keeps its spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from catalog.schemas.reading.text import MIB, decode
from catalog.schemas.reading.values import MAX_DEPTH, MAX_DIGITS, Json, Number, ParseError

MAX_BYTES: Final = 4 * MIB
"""Of a document to be imported: the largest that exists has 69 KB; reading costs up to 3 s per MB."""

_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE: Final = frozenset(("true", "True", "TRUE"))
_FALSE: Final = frozenset(("false", "False", "FALSE"))
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_BASED: Final = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+)", re.ASCII)
_DECIMAL: Final = re.compile(r"([-+]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([-+]?[0-9]+))?", re.ASCII)
_INFINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_ANCHORS: Final = "anchors/aliases are not allowed"
_ADVICE: Final = {
    "cannot start any token": "indent with spaces; quote text that begins with a special character",
    "mapping values are not allowed": "quote text that contains a colon and a space",
}


class Located(dict[str, Json]):
    """A mapping that knows the line it begins in."""

    __slots__ = ("line",)

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def read_yaml(data: bytes, *, max_bytes: int = MAX_BYTES) -> tuple[Json, tuple[str, ...]]:
    """(the document's value, notices). Raises ``ParseError`` for whatever is not one plain YAML document."""
    text, notices = decode(data, max_bytes=max_bytes)
    events = _events(text)
    value: Json = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refusal("one document is expected, and a second one begins here", event)
            if event.tags:
                raise _refusal("tag directives are not allowed", event)
            value = _value(next(events), events, 0)
    return value, notices


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _located(error) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ParseError("a character that YAML does not allow", line=line) from error
    except (yaml.YAMLError, ValueError, RecursionError, MemoryError) as error:
        raise ParseError("not YAML that can be read", line=1) from error


def _located(error: yaml.MarkedYAMLError) -> ParseError:
    problem = error.problem or error.context or "it cannot be read"
    mark = error.problem_mark or error.context_mark
    advice = next((words for part, words in _ADVICE.items() if part in problem), "")
    return ParseError(
        f"not YAML: {problem}",
        line=mark.line + 1 if mark else 1,
        column=mark.column + 1 if mark else 0,
        advice=advice,
    )


def _value(event: Any, events: Iterator[yaml.Event], depth: int) -> Json:
    if isinstance(event, yaml.AliasEvent):
        raise _refusal(_ANCHORS, event)
    if event.anchor is not None:
        raise _refusal(_ANCHORS, event)
    if event.tag is not None:
        raise _refusal("tags are not allowed", event)
    if isinstance(event, yaml.ScalarEvent):
        return _plain(event) if event.implicit[0] else _quoted(event)
    if depth == MAX_DEPTH:
        raise _refusal(f"nested deeper than {MAX_DEPTH} levels", event)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(events, depth + 1)
    return _mapping(event, events, depth + 1)


def _quoted(event: Any) -> str:
    if "\x00" in event.value:
        raise _refusal("NUL is no text", event)
    return str(event.value)


def _sequence(events: Iterator[yaml.Event], depth: int) -> list[Json]:
    items: list[Json] = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        items.append(_value(event, events, depth))
    return items


def _mapping(start: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Located:
    found = Located(_line(start))
    lines: dict[str, int] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = _key(event)
        if key in found:
            raise ParseError(
                f"the key {key!r} stands twice in one mapping, in lines {lines[key]} and {_line(event)}",
                line=_line(event),
                column=_column(event),
                advice="keep one of them",
            )
        lines[key] = _line(event)
        found[key] = _value(next(events), events, depth)
    return found


def _key(event: Any) -> str:
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _refusal(_ANCHORS, event)
    if event.tag is not None:
        raise _refusal("tags are not allowed", event)
    if not isinstance(event, yaml.ScalarEvent):
        raise _refusal("a key must be text", event)
    if event.implicit[0]:
        if event.value == "<<":
            raise _refusal("merge keys are not allowed", event, advice="write the fields out")
        if not isinstance(_plain(event), str):
            raise _refusal(f"the key {event.value!r} is not text", event, advice="quote it")
    return _quoted(event)


def _plain(event: yaml.ScalarEvent) -> Json:
    """An unquoted scalar by YAML 1.2's core schema; what only YAML 1.1 would convert stays text."""
    text = event.value
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return str(text)
    return _number(text, event)


def _number(text: str, event: yaml.ScalarEvent) -> Json:
    if _INFINITE.fullmatch(text):
        raise _refusal(
            f"{text} is not a number that a catalog can hold", event, advice="write a finite decimal"
        )
    if len(text) > MAX_DIGITS:
        if _DECIMAL.fullmatch(text):
            raise _refusal(f"a number of {len(text):,} digits is out of range", event)
        return str(text)
    if _INTEGER.fullmatch(text):
        return Number(text.removeprefix("+"))
    if _BASED.fullmatch(text):
        return Number(str(int(text, 0)))
    parts = _DECIMAL.fullmatch(text)
    if parts is None or ((parts[2] or "").startswith("0") and len(parts[2]) > 1):
        return str(text)
    spelling = _json_spelling(parts)
    if float(spelling) in (float("inf"), float("-inf")):
        raise _refusal(f"the number {text[:20]} is out of range", event, advice="write a finite decimal")
    return Number(spelling)


def _json_spelling(parts: re.Match[str]) -> str:
    """The same number as JSON allows it: a digit on both sides of the point, no leading plus."""
    sign, whole, fraction, bare, exponent = parts.groups()
    text = "-" if sign == "-" else ""
    text += whole or "0"
    if bare or fraction is not None:
        text += "." + (bare or fraction or "0")
    return text if exponent is None else f"{text}e{exponent}"


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _column(event: Any) -> int:
    return int(event.start_mark.column) + 1


def _refusal(reason: str, event: Any, *, advice: str = "") -> ParseError:
    return ParseError(reason, line=_line(event), column=_column(event), advice=advice)
