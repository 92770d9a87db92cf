"""Real documents, spoilt: bytes torn and joined, values replaced by what breaks parsers. Pure: the same seed, the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

VALUES: Final[Sequence[bytes]] = (
    b"null", b"true", b"false", b'""', b'" "', b"0", b"-0", b"-1", b"0.0", b"1.5", b"1e999", b"1e-999", b"1e400", b"1" * 4000,
    b"9223372036854775808", b"18446744073709551616", b"1.0000000000000000000000000000000000000000001", b"1e-30", b"[]", b"{}", b"[[]]",
    b"[null]", b"[1]", b'[""]', b"[{}]", b'{"":{}}', b'{"a":null}', b'{"__proto__":{}}', b"[[[[[[[[]]]]]]]]", b'"\\ud800"', b'"\\u0000"',
    b'"' + b"x" * 300_000 + b'"', b'"' + b"a/" * 5000 + b'"', b'"../../../etc/passwd"', b'"file:///etc/passwd"', b'"https://a@b/c"',
    b'"$(id)"', b'"(a+)+$"', b'"((((a*)*)*)*)*b"', b'"["', b'"1.5e-06"', b'"2026-02-30"', b'"Infinity"', '"\u202e\u2028"'.encode(),
    '"\u00df\u0130\U0001f600"'.encode(),
)  # fmt: skip
"""Well-formed, and hardly ever what a field expects."""
TORN: Final[Sequence[bytes]] = (
    b"NaN", b"Infinity", b"0x1F", b"1_000", b"[" * 5000, b"{" * 5000, b'{"a":' * 5000, b'"\xff\xfe"', b"\xef\xbb\xbf", b"\x00", b"\r", b"\t",
    b"---\n", b"!!python/object/apply:os.system [id]", b"&a [*a]", b"<<: *a", b"? ", b"- - - - -", b"|+\n  ", b'{"a":1,"a":2}', b"'", b'"', b",",
    b"&a [x,x,x,x]\n- &b [*a,*a,*a,*a]\n- &c [*b,*b,*b,*b]\n- &d [*c,*c,*c,*c]\n- [*d,*d,*d,*d]", b"#", b": ", b"\n", b"\n- ",
)  # fmt: skip
_VALUE: Final = re.compile(rb'"(?:[^"\\\n]|\\.){0,200}"|-?[0-9][0-9.eE+-]*|true|false|null')
_FIELD: Final = re.compile(
    rb'"[a-z_]+" ?: ?(?:"[^"\\\n]*"|[0-9.eE+-]+|true|false|null),\s*|    [a-z_]+: [^\n]*\n'
)
_LARGEST: Final = 4_000_000


def mutated(data: bytes, other: bytes, random: Random) -> bytes:
    """The document with a few wounds; ``other`` is a document to take pieces from."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        data = random.choice(WOUNDS)(data, other, random)
    return data[:_LARGEST]


def _span(data: bytes, random: Random, most: int = 2000) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.randrange(1, most))


def flip(data: bytes, _other: bytes, random: Random) -> bytes:
    spoilt = bytearray(data or b"x")
    for _ in range(random.randrange(1, 6)):
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def cut(data: bytes, _other: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def truncate(data: bytes, _other: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def repeat(data: bytes, _other: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:end] + data[start:end] * random.choice((1, 2, 50)) + data[end:]


def splice(data: bytes, other: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    first, last = _span(other, random)
    return data[:start] + other[first:last] + data[end:]


def insert(data: bytes, _other: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice((*TORN, *VALUES)) + data[place:]


def replace_value(data: bytes, _other: bytes, random: Random) -> bytes:
    """Another value in the place of one, the document well formed around it: what reaches the deepest."""
    found = _VALUE.search(data, random.randrange(len(data) + 1)) or _VALUE.search(data)
    return data if found is None else data[: found.start()] + random.choice(VALUES) + data[found.end() :]


def swap_values(data: bytes, _other: bytes, random: Random) -> bytes:
    one = _VALUE.search(data, random.randrange(len(data) + 1))
    two = _VALUE.search(data, one.end() + random.randrange(500)) if one else None
    if one is None or two is None:
        return data
    return data[: one.start()] + two[0] + data[one.end() : two.start()] + one[0] + data[two.end() :]


def drop_field(data: bytes, _other: bytes, random: Random) -> bytes:
    found = _FIELD.search(data, random.randrange(len(data) + 1)) or _FIELD.search(data)
    return data if found is None else data[: found.start()] + data[found.end() :]


_TEARS: Final = (flip, cut, truncate, repeat, splice, insert)
WOUNDS: Final[Sequence[Callable[[bytes, bytes, Random], bytes]]] = (
    *_TEARS, *(replace_value,) * 10, *(swap_values,) * 4, *(drop_field,) * 3,
)  # fmt: skip
"""What leaves a document well formed more often than what tears it: the deeper code is behind the readers."""
