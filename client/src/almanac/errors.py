"""Everything that can go wrong, each with the exit code that scripts rely on.

    AlmanacError 1
    ├── UsageError 2
    ├── NetworkError 10        no source was usable, the old copy is kept
    ├── ExpiredError 11        expired or frozen, kept
    ├── RollbackError 12       something older than what was accepted
    ├── SignatureError 13      signature or threshold
    ├── MalformedError 14      malformed or too large
    ├── EquivocationError 15   two truths under one version
    ├── LocalStateError 16     disk, lock, permission, damaged state
    ├── ClockError 17          the clock is unusable
    ├── TooOldError 18         this client is too old for the schema
    └── PolicyError 19         refused by policy

An error says what went wrong (``what``), where (``where``) and what to do about it (``advice``);
its one-line form is ``error: <name>: <what> <where> — <advice>``.
"""

from __future__ import annotations

from typing import ClassVar


class AlmanacError(Exception):
    """The base of all: catch it to keep the last good copy."""

    name: ClassVar[str] = "failure"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", advice: str = "") -> None:
        self.what = what
        self.where = where
        self.advice = advice
        super().__init__(self.__str__())

    def __str__(self) -> str:
        line = f"{self.what} {self.where}".strip()
        return f"{line} — {self.advice}" if self.advice else line

    def as_json(self) -> dict[str, str | int]:
        """The same facts for ``--json``."""
        return {
            "error": self.name,
            "exit_code": self.exit_code,
            "what": self.what,
            "where": self.where,
            "advice": self.advice,
        }


class UsageError(AlmanacError):
    name, exit_code = "usage", 2


class NetworkError(AlmanacError):
    name, exit_code = "network", 10


class ExpiredError(AlmanacError):
    name, exit_code = "expired", 11


class RollbackError(AlmanacError):
    name, exit_code = "rollback", 12


class SignatureError(AlmanacError):
    name, exit_code = "signature", 13


class MalformedError(AlmanacError):
    name, exit_code = "malformed", 14


class EquivocationError(AlmanacError):
    name, exit_code = "equivocation", 15


class LocalStateError(AlmanacError):
    name, exit_code = "local-state", 16


class ClockError(AlmanacError):
    name, exit_code = "clock", 17


class TooOldError(AlmanacError):
    name, exit_code = "schema", 18


class PolicyError(AlmanacError):
    name, exit_code = "policy", 19
