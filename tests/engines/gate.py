"""``tests/faults3.py``, the fake of our own, with a gate: a write that waits until the test lets it go on."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

from tests.faults3 import Asked, Fault, FaultS3

LONGEST_S = 15.0
"""Less than the publisher's patience with a silent store."""


@dataclass
class Gate(FaultS3):
    """The first PUT of a name that the pattern finds waits; ``reached`` says that it has come."""

    pattern: re.Pattern[str] | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def hold(self, pattern: str) -> None:
        self.reached.clear()
        self.opened.clear()
        self.pattern = re.compile(pattern)

    def open(self) -> None:
        self.opened.set()

    def answer(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        if asked.op == "PUT" and self.pattern and self.pattern.search(asked.key):
            self.pattern = None
            self.reached.set()
            self.opened.wait(LONGEST_S)
        return super().answer(asked, fault)
