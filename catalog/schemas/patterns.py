"""Patterns that a client searches other people's text with: whether one is safe to hand out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 200
MOST_REPEATS: Final = 4
"""Unbounded repetitions in one pattern: each multiplies the time that a text can cost."""

_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?<?[:=!>]|\(|\)|(?P<repeat>[*+]|\{[0-9]*,\})|.", re.DOTALL
)


def pattern_problem(pattern: str) -> str:
    """Why a pattern must not be published, or nothing."""
    if len(pattern) > LONGEST:
        return f"has more than {LONGEST} characters"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a pattern: {error}"
    if any(_nested_repeats(pattern)):
        return "repeats what repeats itself, which can take forever"
    if sum(piece["repeat"] is not None for piece in _PIECE.finditer(pattern)) > MOST_REPEATS:
        return f"repeats without bound more than {MOST_REPEATS} times"
    if re.search(r"\\[1-9]|\(\?P", pattern):
        return "refers to its own groups"
    return ""


def _nested_repeats(pattern: str) -> Iterator[bool]:
    """For each unbounded repetition of a group: whether there is another inside."""
    inside = [False]
    closed = False
    for piece in _PIECE.finditer(pattern):
        text = piece.group()
        if piece["repeat"] is not None:
            yield closed
            inside[-1] = True
        elif text.startswith("("):
            inside.append(False)
        was_group = text == ")"
        if was_group and len(inside) > 1:
            closed = inside.pop()
            inside[-1] = inside[-1] or closed
        else:
            closed = False
