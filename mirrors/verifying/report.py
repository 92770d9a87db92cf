"""What a verification says: what was trusted, what was looked at, what is odd, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from almanac.errors import AlmanacError

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrustedRole:
    role: str
    version: int
    expires: datetime
    keyids: tuple[str, ...]
    threshold: int
    documents: int = 0

    def line(self) -> str:
        documents = f", {self.documents} documents" if self.documents else ""
        keys = ", ".join(keyid[:16] for keyid in self.keyids)
        return (
            f"{self.role} {self.version}: signed by {keys} ({self.threshold} needed), "
            f"expires {self.expires:%Y-%m-%dT%H:%M:%SZ}{documents}"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "version": self.version,
            "expires": f"{self.expires:%Y-%m-%dT%H:%M:%SZ}",
            "keyids": list(self.keyids),
            "threshold": self.threshold,
            "documents": self.documents,
        }


@dataclass(slots=True)
class Report:
    store: str
    fingerprint: str = ""
    release: int | None = None
    minisign_key: str = ""
    roles: list[TrustedRole] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    problems: list[AlmanacError] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or what the first problem says: problems are found in the order of trust, root first."""
        return self.problems[0].exit_code if self.problems else 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        """A problem inside is written down and the verification goes on."""
        try:
            yield
        except AlmanacError as error:
            self.problems.append(error)

    def lines(self) -> Iterator[str]:
        if self.fingerprint:
            yield f"root fingerprint {self.fingerprint}"
        if self.release is not None:
            yield f"release {self.release}"
        yield from (role.line() for role in self.roles)
        if self.minisign_key:
            yield f"minisign key {self.minisign_key}"
        yield from (f"{number} {what}" for what, number in sorted(self.counts.items()))

    def as_json(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "verified": not self.problems,
            "exit_code": self.exit_code,
            "fingerprint": self.fingerprint,
            "release": self.release,
            "minisign_key": self.minisign_key,
            "roles": [role.as_json() for role in self.roles],
            "counts": dict(sorted(self.counts.items())),
            "warnings": self.warnings,
            "problems": [problem.as_json() for problem in self.problems],
        }
