"""Memory that all forked schedules share: counters, and what follows from states that were explored before."""

from __future__ import annotations

import mmap
import struct
from typing import Final

COUNTERS: Final = (
    "schedules", "executed", "merged", "forks", "points", "checks", "recoveries", "violations", "stop", "most_points", "cut_short",
)  # fmt: skip
_HEAD: Final = 1024
_ENTRY: Final = struct.Struct("<16sQ")
_NUMBER: Final = struct.Struct("<Q")
_EMPTY: Final = bytes(16)


class Shared:
    """Counters of one worker beside a table of all of them; a lost race costs a repetition, never a wrong answer."""

    def __init__(self, *, workers: int = 1, slots: int = 1 << 21) -> None:
        self._slots = slots
        self._base = 0
        self._table_at = _HEAD * workers
        self._memory = mmap.mmap(-1, self._table_at + slots * _ENTRY.size)

    def of_worker(self, number: int) -> None:
        self._base = _HEAD * number

    def get(self, counter: str, *, worker: int | None = None) -> int:
        base = self._base if worker is None else _HEAD * worker
        return int(_NUMBER.unpack_from(self._memory, base + 8 * COUNTERS.index(counter))[0])

    def set(self, counter: str, value: int) -> None:
        _NUMBER.pack_into(self._memory, self._base + 8 * COUNTERS.index(counter), value)

    def add(self, counter: str, amount: int = 1) -> None:
        self.set(counter, self.get(counter) + amount)

    def recall(self, state: bytes) -> int | None:
        """How many schedules follow from this state, if that was counted."""
        at = self._find(state)
        key, count = _ENTRY.unpack_from(self._memory, at)
        return int(count) if key == state else None

    def remember(self, state: bytes, count: int) -> None:
        at = self._find(state)
        _ENTRY.pack_into(self._memory, at, state, count)

    def forget(self) -> None:
        """Counters and table as they were in the beginning."""
        self._memory[:] = bytes(len(self._memory))

    def _find(self, state: bytes) -> int:
        slot = int.from_bytes(state[:8], "little") % self._slots
        for _ in range(self._slots):
            at = self._table_at + slot * _ENTRY.size
            key = self._memory[at : at + 16]
            if key in (state, _EMPTY):
                return at
            slot = (slot + 1) % self._slots
        raise MemoryError("the table of states is full: ask for more slots")
