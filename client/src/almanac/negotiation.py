"""What a request's headers ask for. Pure: any text in, a decision out, never an error.

A part of a header that is malformed is ignored, as if it had not been sent (RFC 9110 lets us); what
remains decides. So no header of a stranger can make the server fail.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_LONGEST_LIST: Final = 8_192  # what is longer is no honest header
_CODING: Final = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
)
_ENTITY_TAG: Final = re.compile(r'[ \t,]*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)')
_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*", re.IGNORECASE)
_DICTIONARY: Final = re.compile(r" *:([A-Za-z0-9+/]{43}=): *")
_ALIASES: Final = {"x-gzip": "gzip"}


class Encodings:
    """An ``Accept-Encoding`` header: how welcome each coding is, from 0.0 (refused) to 1.0."""

    __slots__ = ("_identity", "_others", "_weights")

    def __init__(self, header: str) -> None:
        self._weights = dict(_weights(header))
        self._others = self._weights.get("*", 0.0)
        # What nobody mentioned is acceptable as it is, but whatever was asked for goes before it.
        self._identity = self._weights.get("identity", self._weights.get("*", 0.0005))

    def weight(self, coding: str) -> float:
        if coding == "identity":
            return self._identity
        if coding == "dcz":  # only for those who name it: a wildcard does not mean that they can read it
            return self._weights.get(coding, 0.0)
        return self._weights.get(coding, self._others)

    def choose(self, sizes: Mapping[str, int]) -> str | None:
        """The most welcome coding of those on offer, the smallest among equals; ``None`` if all are refused."""
        welcome = [
            (-self.weight(coding), size, coding) for coding, size in sizes.items() if self.weight(coding) > 0
        ]
        return min(welcome)[2] if welcome else None


def _weights(header: str) -> Iterator[tuple[str, float]]:
    for member in header[:_LONGEST_LIST].split(","):
        found = _CODING.fullmatch(member)
        if found:
            coding = found[1].lower()
            yield _ALIASES.get(coding, coding), float(found[2] or "1")


def entity_tags(header: str) -> Iterator[str]:
    """The tags of an ``If-None-Match`` list, without their ``W/`` (a GET compares weakly); ``*`` for any.

    Reading stops at the first thing that is no tag.
    """
    if header.strip(" \t") == "*":
        yield "*"
        return
    position = 0
    while found := _ENTITY_TAG.match(header, position):
        yield found[1]
        position = found.end()


class Span(NamedTuple):
    """Bytes ``first`` to ``last``, both included."""

    first: int
    last: int


class UnsatisfiableRangeError(ValueError):
    """A well-formed range of bytes that are not there (416)."""


def single_range(header: str, length: int) -> Span | None:
    """The one range that is asked for; ``None`` (send all) for several, malformed ones and other units."""
    found = _RANGE.fullmatch(header)
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, last = max(length - int(found[2]), 0), length - 1
    else:
        first, last = int(found[1]), int(found[2]) if found[2] else length - 1
        if found[2] and last < first:
            return None
    if first >= length:
        raise UnsatisfiableRangeError(header)
    return Span(first, min(last, length - 1))


def dictionary_hash(header: str) -> str | None:
    """``Available-Dictionary``: a structured-field byte sequence of 32 bytes, as hexadecimal; else ``None``."""
    found = _DICTIONARY.fullmatch(header)
    return base64.b64decode(found[1]).hex() if found else None
