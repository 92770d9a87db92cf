"""How long each role's signature lasts, and when it is renewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ExpiryPolicy:
    """Lifetimes. Everything is renewed before half of its life is spent, the timestamp every hour.

    Source: the protocol's table of roles; 72 hours for the timestamp is a weekend and a day of slack.
    """

    root: timedelta = timedelta(days=365)
    targets: timedelta = timedelta(days=365)
    schema: timedelta = timedelta(days=30)
    network: timedelta = timedelta(days=7)
    snapshot: timedelta = timedelta(days=14)
    timestamp: timedelta = timedelta(hours=72)
    timestamp_every: timedelta = timedelta(hours=1)

    def lifetime(self, role: str) -> timedelta:
        top: dict[str, timedelta] = {
            "root": self.root,
            "targets": self.targets,
            "network": self.network,
            "snapshot": self.snapshot,
            "timestamp": self.timestamp,
        }
        return top.get(role, self.schema)

    def renewed_after(self, role: str) -> timedelta:
        """The age at which a role is signed again although nothing changed."""
        return self.timestamp_every if role == "timestamp" else self.lifetime(role) / 2

    def is_due(self, role: str, *, expires: datetime, now: datetime) -> bool:
        """True when the role has reached that age, or when a clock that ran ahead signed it."""
        remaining, lifetime = expires - now, self.lifetime(role)
        return remaining <= lifetime - self.renewed_after(role) or remaining > lifetime + CLOCK_TOLERANCE
