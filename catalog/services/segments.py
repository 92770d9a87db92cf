"""Runs of kept lines, joined: a document is put together from some hundred segments instead of all its lines."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from catalog.members import has_blocks
from catalog.models import DocumentLine, DocumentSegment
from catalog.reading import chunks
from catalog.schemas.base import Line, Schema

SIZE: Final = 200
"""Lines in a new segment; one is split when it has grown to twice that."""
_PIECE: Final = "\x1e"
_FIELD: Final = "\x1f"
_TAB: Final = "\t"
JOINTS: Final = {
    "v1": "", "v2": "", "litellm": ",\n", "almanac/v1": ",\n", "models.dev": ",\n", "catwalk": ",",
    "genai-prices": ",\n", "genai-prices/v1": ",\n", "codex": ",\n", "gpt4all": ",\n", "hermes": ",\n", "jan": ",\n",
    "jan-v1": ",\n", "lmstudio": ",\n", "openai": ",\n", "openrouter": ",\n",
}  # fmt: skip
"""What ``assemble`` writes between two lines of one group; the lines of a schema that is not here stay single."""
ONE_LIST: Final = frozenset(
    ("litellm", "codex", "gpt4all", "jan", "jan-v1", "lmstudio", "openai", "openrouter")
)
"""All their lines are one group."""
BY_PROVIDER: Final = frozenset(("hermes",))
"""The third field of a line's order says whose list it is in."""


def merged(schema: Schema, lines: Sequence[Line]) -> list[Line]:
    """Fewer, longer lines with ``assemble(merged(lines)) == assemble(lines)``; heads of blocks stay by themselves."""
    joint = JOINTS.get(schema.name)
    if joint is None:
        return list(lines)
    pieces = []
    for is_alone, group in groupby(lines, key=lambda line: _group(schema, line)):
        run = list(group)
        if is_alone == "":
            pieces += run
        else:
            pieces.append(Line(run[0].order, run[0].key, joint.join(line.text for line in run)))
    return pieces


def _group(schema: Schema, line: Line) -> str:
    """Lines of one group are joined; the empty one has no company."""
    if has_blocks(schema):
        return "" if line.key.startswith("provider:") else "members"
    if schema.name in BY_PROVIDER:
        return f"of {line.order.split(_TAB)[2]}"
    return "members" if schema.name in ONE_LIST else line.order[0]


def refresh_segments(schema: Schema, orders: Collection[str] | None, *, size: int = SIZE) -> None:
    """After lines with these orders changed, came or went; ``None``: all of them."""
    if orders is None:
        DocumentSegment.objects.filter(schema=schema.name).delete()
        rows = [_segment(schema, start, lines) for start, lines in _split("", _lines(schema, "", None), size)]
        DocumentSegment.objects.bulk_create(rows)
        return
    starts = list(
        DocumentSegment.objects.filter(schema=schema.name).order_by("start").values_list("start", flat=True)
    )
    touched = {bisect_right(starts, order) - 1 for order in orders}
    for index in sorted(touched):
        end = starts[index + 1] if index + 1 < len(starts) else None
        _rebuild(schema, starts[index], end, size)


def _rebuild(schema: Schema, start: str, end: str | None, size: int) -> None:
    lines = list(_lines(schema, start, end))
    if not lines and start:
        DocumentSegment.objects.filter(schema=schema.name, start=start).delete()
        return
    parts = _split(start, lines, size) if len(lines) > 2 * size else [(start, lines)]
    DocumentSegment.objects.bulk_create(
        [_segment(schema, start, part) for start, part in parts],
        update_conflicts=True,
        unique_fields=["schema", "start"],
        update_fields=["pieces", "members"],
    )


def _segment(schema: Schema, start: str, lines: Sequence[Line]) -> DocumentSegment:
    return DocumentSegment(
        schema=schema.name, start=start, pieces=_written(merged(schema, lines)), members=len(lines)
    )


def _written(pieces: Sequence[Line]) -> str:
    """Between control characters, which no format writes as they are: read fifty times as fast as JSON."""
    if any(mark in field for piece in pieces for field in piece for mark in (_PIECE, _FIELD)):
        return json.dumps(pieces, ensure_ascii=False)
    return "".join(_PIECE + _FIELD.join(piece) for piece in pieces)


def _read(written: str) -> Iterator[Line]:
    if written.startswith("["):
        return (Line(*piece) for piece in json.loads(written))
    return (Line(*piece.split(_FIELD)) for piece in written.split(_PIECE)[1:])


def _split(start: str, lines: Iterable[Line], size: int) -> Iterator[tuple[str, list[Line]]]:
    """Cut so that lines of one order are never in two segments; one at the least, empty or not."""
    part: list[Line] = []
    for line in lines:
        if len(part) >= size and line.order != part[-1].order:
            yield start, part
            start, part = line.order, []
        part.append(line)
    yield start, part


def _lines(schema: Schema, start: str, end: str | None) -> Iterator[Line]:
    rows = DocumentLine.objects.filter(schema=schema.name, omission="", order__gte=start)
    if end is not None:
        rows = rows.filter(order__lt=end)
    ordered = rows.order_by("order", "key").values_list("order", "key", "text", "tail")
    return (Line(*row) for row in ordered.iterator(chunk_size=5000))


class Pieces:
    """What ``assemble`` takes for the whole document, the hidden members left out; to be gone through once."""

    def __init__(self, schema: Schema, hidden: Collection[str]) -> None:
        self._schema, self._hidden = schema, hidden
        self.members = 0
        """How many lines have been gone through, hidden ones included."""

    def __iter__(self) -> Iterator[Line]:
        schema, hidden = self._schema, self._hidden
        segments = DocumentSegment.objects.filter(schema=schema.name).order_by("start")
        starts = list(segments.values_list("start", flat=True)) if hidden else []
        touched = {bisect_right(starts, order) - 1 for order in _orders(schema, hidden)}
        rows = segments.values_list("start", "pieces", "members").iterator(chunk_size=50)
        for index, (start, pieces, members) in enumerate(rows):
            self.members += members
            if index in touched:
                end = starts[index + 1] if index + 1 < len(starts) else None
                lines = [line for line in _lines(schema, start, end) if line.key not in hidden]
                yield from merged(schema, lines)
            else:
                yield from _read(pieces)


def _orders(schema: Schema, keys: Collection[str]) -> Iterator[str]:
    for chunk in chunks(sorted(keys)):
        rows = DocumentLine.objects.filter(schema=schema.name, omission="", key__in=chunk)
        yield from rows.values_list("order", flat=True)
