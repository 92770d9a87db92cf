"""Positions: rising, few changed, and numbered anew only when a gap is used up."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalog.placing import GAP, place


def test_a_new_list_is_numbered_with_gaps():
    assert place([None, None, None]) == [GAP, 2 * GAP, 3 * GAP]
    assert place([]) == []


def test_what_stands_in_order_keeps_its_place():
    assert place([10, None, 20, 30]) == [10, 15, 20, 30]
    assert place([30, 10, 20]) == [5, 10, 20]


def test_a_used_up_gap_numbers_all_anew():
    assert place([1, None, 2]) == [GAP, 2 * GAP, 3 * GAP]
    assert place([None, 1]) == [GAP, 2 * GAP]


def test_ten_insertions_at_one_place_move_nobody():
    placed: list[int | None] = [*place([None, None])]
    for _ in range(10):
        found = place([placed[0], None, *placed[1:]])
        assert [found[0], *found[2:]] == placed
        placed = [*found]


@given(st.lists(st.none() | st.integers(-3, 40), max_size=25))
def test_positions_rise_and_the_longest_run_is_kept_or_all_are_new(previous: list[int | None]):
    placed = place(previous)
    assert len(placed) == len(previous)
    assert all(one < two for one, two in pairwise(placed))
    assert all(position > 0 for position in placed)
    kept = sum(old == new for old, new in zip(previous, placed, strict=True))
    assert kept >= longest(previous) or placed == [GAP * (number + 1) for number in range(len(previous))]


def longest(previous: list[int | None]) -> int:
    best: list[int] = []
    for index, value in enumerate(previous):
        before = [
            best[at]
            for at in range(index)
            if previous[at] is not None and value is not None and (previous[at] or 0) < value
        ]
        best.append(0 if value is None or value < 1 else 1 + max(before, default=0))
    return max(best, default=0)


@given(st.permutations(range(1, 30)))
def test_an_order_that_was_placed_once_stays(order: list[int]):
    placed = place([None if value % 3 else value * GAP for value in order])
    assert place([*placed]) == placed
