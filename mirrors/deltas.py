"""Which older documents a delta is worth making from: a pure choice over a path's history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final, NamedTuple

NEWEST_VERSIONS: Final = 16
DAYS: Final = 30
AT_BEST_LEVEL: Final = 4
BEST_LEVEL: Final = 9
FAST_LEVEL: Final = 3
SMALL_DELTA: Final = 2048
SMALL_SHARE: Final = 4096
"""A delta of less than this many bytes, or this part of its document, is about as small at any level."""
LAST_LEVEL: Final = 19
LAST_LEVEL_UP_TO: Final = 4 * 1024 * 1024
"""Bytes of a document up to which level 19 takes about a second. Source: delta.md §1."""
LARGEST_SHARE: Final = 0.6
"""Of the compressed full document. Above it, one request for the full document is the better bargain."""


class Version(NamedTuple):
    """A document's bytes, current at their path from ``since`` until the next version's."""

    sha256: str
    since: datetime


def bases(history: Iterable[Version], *, current: str, now: datetime) -> list[str]:
    """The documents to make deltas from, newest first: the last 16 different ones and one a day for 30 days.

    ``history`` goes from old to new and may hold the same bytes several times (a rollback). A day's document is
    the one that was current when the day ended, in UTC: what a client that asks once a day holds.
    """
    versions = [version for version in history if version.since <= now]
    chosen: list[str] = []
    for version in reversed(versions):
        if version.sha256 != current and version.sha256 not in chosen:
            chosen.append(version.sha256)
        if len(chosen) == NEWEST_VERSIONS:
            break
    for sha256 in _at_the_end_of_each_day(versions, now):
        if sha256 != current and sha256 not in chosen:
            chosen.append(sha256)
    return chosen


def _at_the_end_of_each_day(versions: list[Version], now: datetime) -> Iterable[str]:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    remaining = list(versions)
    for day in range(DAYS):
        end = midnight - timedelta(days=day)
        while remaining and remaining[-1].since >= end:
            remaining.pop()
        if not remaining:
            return
        yield remaining[-1].sha256


def next_level(
    position: int, level: int, *, document_length: int, delta_length: int, worth_it: bool
) -> int | None:
    """The zstd level to try after ``level`` for the delta from the ``position``-th newest base (0: the newest).

    A change of few records comes out as small at the fast level. Of larger changes the newest few bases get smaller
    deltas, because most clients hold one of those; source: delta.md §1, where level 9 takes three times as long as
    level 3. The last level is only for those that would not be worth offering, and only where it is quick: LiteLLM
    1.74 to 1.78 is 68 % of the document at level 9 and 52 % at 19.
    """
    if position >= AT_BEST_LEVEL:
        return None
    if level == FAST_LEVEL and delta_length > max(SMALL_DELTA, document_length // SMALL_SHARE):
        return BEST_LEVEL
    if level == BEST_LEVEL and not worth_it and document_length <= LAST_LEVEL_UP_TO:
        return LAST_LEVEL
    return None


def is_worth_it(delta_length: int, compressed_length: int) -> bool:
    """``compressed_length`` may be cut off where it is long enough: see ``long_enough``."""
    return delta_length <= LARGEST_SHARE * compressed_length


def long_enough(delta_length: int) -> int:
    """The compressed length from which a delta is worth it: how much longer it is does not matter."""
    return ceil(delta_length / LARGEST_SHARE)
