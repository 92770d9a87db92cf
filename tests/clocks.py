"""The clock of the tests, moved: ``CLOCK_SHIFT_DAYS`` moves every fixed moment, ``make clocks`` also what processes see.

``make clocks`` starts pytest under Debian's ``faketime``, which every process that a test starts inherits.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Final

SHIFT: Final = timedelta(days=float(os.environ.get("CLOCK_SHIFT_DAYS", "0")))
DAY: Final = datetime(2026, 11, 20, tzinfo=UTC)
"""The day of the tests' fixed moments."""
BEYOND_32_BITS: Final = datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)
"""The first second that a signed number of 32 bits cannot hold."""
SHIFTS: Final = {
    "400 days back": timedelta(days=-400),
    "8 days ahead": timedelta(days=8),
    "60 days ahead": timedelta(days=60),
    "400 days ahead": timedelta(days=400),
    "2038": datetime(2038, 1, 19, 2, tzinfo=UTC) - DAY,
}
"""The last one begins an hour before the second that matters and goes past it."""


def moved(moment: datetime) -> datetime:
    """A fixed moment of the tests, as this run wants it."""
    return moment + SHIFT
