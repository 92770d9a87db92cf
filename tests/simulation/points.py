"""Where the shipped code touches the world, and what may happen to it there.

The simulated store, database and clock call ``at`` before they do anything; whoever explores decides the answer.
Outside an exploration everything is answered with ``OK``.
"""

from __future__ import annotations

from typing import Final, Protocol

OK: Final = "ok"
ERROR: Final = "error"
"""Not applied, and an error returned."""
LOST: Final = "lost"
"""Applied, and an error returned: the acknowledgement was lost."""
DROPPED: Final = "dropped"
"""Acknowledged, and nothing was written: the store lies."""
CRASH: Final = "crash"
"""The process ends here and now; no ``finally`` runs, its open transaction is rolled back."""
POWER: Final = "power"
"""Every process ends, and what a store had not been asked to flush is gone."""
BACK: Final = "back"
AHEAD: Final = "ahead"
"""This process's clock jumps by 5,000 seconds, and stays there."""
SWITCH: Final = "switch"
"""Not a fault: the other publisher goes on until it ends or is interrupted itself."""

READ: Final = (ERROR,)
WRITE: Final = (ERROR, LOST)
CLOCK: Final = (BACK, AHEAD)


class Decider(Protocol):
    def at(self, kind: str, what: str, faults: tuple[str, ...]) -> str:
        """Which of ``faults`` happens, or ``OK``."""

    def saw(self, *what: object) -> None:
        """Writes down what the running process learned: its state is what it has learned so far."""


class Calm:
    """Nothing ever happens."""

    def at(self, kind: str, what: str, faults: tuple[str, ...]) -> str:
        return OK

    def saw(self, *what: object) -> None:
        pass


CALM: Final = Calm()
decider: Decider = CALM


def decided_by(other: Decider) -> None:
    global decider  # noqa: PLW0603  # the database is reached through Django's registry, which passes nothing on
    decider = other
