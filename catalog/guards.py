"""What makes a publication suspicious. Pure: the facts of one schema's change in, the guards that it trips out.

A trip stops the publication until somebody says why it is right. Source of the thresholds: the design's
"Guards before signing".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

SHRINK_SHARE: Final = Decimal("0.10")
TOUCHED_SHARE: Final = Decimal("0.30")
PRICE_FACTOR: Final = 5
NAMED: Final = 5
"""Examples in one sentence; the facts hold all."""


@dataclass(frozen=True, slots=True)
class PriceMove:
    member: str
    field: str
    before: Decimal
    after: Decimal

    def is_more_than(self, factor: int) -> bool:
        """From or to nothing is further than any factor."""
        low, high = sorted((self.before, self.after))
        return high > low * factor


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """How one schema's document differs from the one that was last published."""

    schema: str
    members_before: int
    members_after: int
    touched: int = 0
    """Members of before that were changed or removed; new ones do not count."""
    emptied: tuple[str, ...] = ()
    """Providers that had members and have none."""
    moves: tuple[PriceMove, ...] = ()
    """Prices that were stated before and are stated otherwise now."""
    new_hosts: Mapping[str, str] = field(default_factory=dict)
    """Endpoint host that was nowhere before → the member that brings it."""


@dataclass(frozen=True, slots=True)
class Trip:
    guard: str
    schema: str
    facts: Mapping[str, Any]
    sentence: str


GUARDS: Final = ("shrink", "provider-emptied", "price-move", "mass-change", "new-host")


def judge(change: SchemaChange) -> list[Trip]:
    return [
        *_shrink(change),
        *_emptied(change),
        *_price_moves(change),
        *_mass_change(change),
        *_new_hosts(change),
    ]


def _shrink(change: SchemaChange) -> Iterator[Trip]:
    lost = change.members_before - change.members_after
    if lost > change.members_before * SHRINK_SHARE:
        yield Trip(
            "shrink",
            change.schema,
            {"before": change.members_before, "after": change.members_after},
            f"{change.schema} would shrink from {change.members_before} to {change.members_after} records, "
            f"more than {_percent(SHRINK_SHARE)}",
        )


def _emptied(change: SchemaChange) -> Iterator[Trip]:
    if change.emptied:
        yield Trip(
            "provider-emptied",
            change.schema,
            {"providers": list(change.emptied)},
            f"{change.schema} would list nothing any more of {_some(change.emptied)}",
        )


def _price_moves(change: SchemaChange) -> Iterator[Trip]:
    far = [move for move in change.moves if move.is_more_than(PRICE_FACTOR)]
    if far:
        told = [f"{move.member} {move.field} from {move.before} to {move.after}" for move in far]
        facts = [
            {"member": move.member, "field": move.field, "before": str(move.before), "after": str(move.after)}
            for move in far
        ]
        yield Trip(
            "price-move",
            change.schema,
            {"moves": facts},
            f"{change.schema}: {len(far)} price{'s' * (len(far) > 1)} would move more than {PRICE_FACTOR} times: {_some(told)}",
        )


def _mass_change(change: SchemaChange) -> Iterator[Trip]:
    if change.touched > change.members_before * TOUCHED_SHARE:
        yield Trip(
            "mass-change",
            change.schema,
            {"touched": change.touched, "of": change.members_before},
            f"{change.schema}: {change.touched} of {change.members_before} records would be changed or removed, "
            f"more than {_percent(TOUCHED_SHARE)}",
        )


def _new_hosts(change: SchemaChange) -> Iterator[Trip]:
    if change.new_hosts:
        told = [f"{host} (at {member})" for host, member in sorted(change.new_hosts.items())]
        yield Trip(
            "new-host",
            change.schema,
            {"hosts": dict(sorted(change.new_hosts.items()))},
            f"{change.schema}: requests would go to a host that was in no release before: {_some(told)}",
        )


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _percent(share: Decimal) -> str:
    return f"{share * 100:.0f} %"
