"""Release dates as the formats write them that want an instant: midnight in UTC of a day that is known."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from catalog.schemas.facts import believable, from_date
from catalog.schemas.reading.values import Json, Number

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECONDS: Final = 86_400
_LATEST: Final = 4_102_444_800
"""The year 2100: what lies beyond is kept as it came, not believed."""


def is_day(value: str) -> bool:
    """Known to the day, which a month or a year is not."""
    return _DAY.fullmatch(value) is not None


def to_unix(value: str) -> Json:
    """Seconds since 1970, or nothing where the day is not known."""
    if not is_day(value):
        return None
    return Number(str(int(datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp())))


def from_unix(value: Json) -> str | None:
    """A day, if that is what is stated: another second of it is when a record was made, not a release date."""
    seconds = believable(value)
    if seconds is None or not 0 < seconds < _LATEST or seconds % _SECONDS:
        return None
    return datetime.fromtimestamp(int(seconds), tz=UTC).strftime("%Y-%m-%d")


def from_day(value: Json) -> str | None:
    """The day of a written instant, ``2024-02-21T16:54:57.000Z`` or with no zone."""
    if not isinstance(value, str) or len(value) < 11 or value[10] != "T":
        return None
    day = from_date(value[:10])
    return day if day is not None and is_day(day) else None
