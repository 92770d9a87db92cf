"""Positions in a list that is reordered: as few as possible change, so that few lines are rendered again. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

GAP: Final = 1024
"""Left between neighbours, so that ten insertions at one place move nobody."""


def place(previous: Sequence[int | None]) -> list[int]:
    """A rising position for each item, in the wanted order.

    ``previous`` holds what each item had (``None``: it is new). The longest run of items that already stand in order
    keeps theirs; the others go between; where a gap is used up, all are numbered anew.
    """
    kept = _longest_rising(previous)
    placed: list[int] = []
    start = 0
    for end in (*kept, len(previous)):
        left = placed[-1] if placed else 0
        right = previous[end] if end < len(previous) else None
        between = end - start
        step = GAP if right is None else min(GAP, (right - left) // (between + 1))
        if between and step < 1:
            return [GAP * (number + 1) for number in range(len(previous))]
        placed += [left + step * (number + 1) for number in range(between)]
        if right is not None:
            placed.append(right)
        start = end + 1
    return placed


def _longest_rising(values: Sequence[int | None]) -> list[int]:
    """The indexes of a longest strictly rising subsequence of what is known and positive."""
    ends: list[int] = []
    ends_at: list[int] = []
    before: dict[int, int] = {}
    for index, value in enumerate(values):
        if value is None or value < 1:
            continue
        length = bisect_left(ends, value)
        before[index] = ends_at[length - 1] if length else -1
        ends[length:] = [value, *ends[length + 1 :]]
        ends_at[length:] = [index, *ends_at[length + 1 :]]
    chain: list[int] = []
    index = ends_at[-1] if ends_at else -1
    while index >= 0:
        chain.append(index)
        index = before[index]
    return chain[::-1]
