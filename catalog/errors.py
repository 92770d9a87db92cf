"""What can be wrong with a change to the catalog.

AlmanacError
├── ChangeError 14          a record is not well-formed, or would leave another one without what it refers to
├── ConflictError 1         somebody changed the record meanwhile
└── ReviewError 19          this step is not allowed now, or not to this person
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from almanac.errors import AlmanacError, MalformedError, PolicyError
from catalog.records import Kind


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field of one record; ``field`` is a path such as ``prices[2].amount``."""

    kind: Kind
    key: str
    field: str
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        where = f"{self.kind} {self.key}" + (f", {self.field}" if self.field else "")
        return f"{where}: {self.reason}" + (f" — {self.advice}" if self.advice else "")


class ChangeError(MalformedError):
    """Nothing was written. ``problems`` holds all that was found; the error's own words are the first one's."""

    name = "invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        self.kind, self.key, self.field, self.reason = first.kind, first.key, first.field, first.reason
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        where = f"{first.kind} {first.key}" + (f", {first.field}" if first.field else "")
        super().__init__(f"{where}: {first.reason}{more}", advice=first.advice)


class ConflictError(AlmanacError):
    """A record is no longer what it was when the change was proposed. Nothing was written."""

    name = "conflict"

    def __init__(self, kind: Kind, key: str, *, expected: str, found: str) -> None:
        self.kind, self.key, self.expected, self.found = kind, key, expected, found
        happened = "was removed" if not found else "was changed" if expected else "was added"
        super().__init__(
            f"{kind} {key} {happened} since this change was proposed",
            advice="look at the record as it is now and propose the change again",
        )


class ReviewError(PolicyError):
    """A change request cannot take this step."""

    name = "review"
