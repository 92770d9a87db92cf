"""One at a time: a lease in the database with a number that rises, so that a late holder is told apart.

The lease of a process that died on this machine is free at once; one held elsewhere is free when it expires. One that
could not be given back, because the database was away in that moment, is remembered and given back when it answers.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import Error, close_old_connections
from django.db.models import F, Q

from almanac.errors import LocalStateError
from mirrors.models import Lease

PUBLISHER: Final = "publisher"
DURATION: Final = timedelta(minutes=10)
POLL_S: Final = 0.05
RECONNECT_S: Final = 0.5

_LEFT: Final[set[Hold]] = set()
"""What this process may still hold in the database's eyes, though it is done with it."""


class LeaseError(LocalStateError):
    name = "lease"


class LostLeaseError(LeaseError):
    """Whoever was away too long: the work is another one's now, and so is the row that tells of it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease that was got; ``fencing`` is its number."""

    name: str
    holder: str
    fencing: int

    def renew(self, *, now: datetime) -> None:
        """Raises ``LeaseError`` when somebody else has taken it: the holder was away too long and must stop."""
        mine = Lease.objects.filter(name=self.name, fencing=self.fencing, holder=self.holder)
        if not mine.update(expires_at=now + DURATION):
            raise self._lost()

    def check(self) -> None:
        """As ``renew``, for the transaction that writes what only the holder may: until its end nobody takes over."""
        mine = Lease.objects.select_for_update().filter(name=self.name, fencing=self.fencing)
        if not mine.filter(holder=self.holder).exists():
            raise self._lost()

    def _lost(self) -> LeaseError:
        return LostLeaseError("another process has taken over", where=f"(lease {self.name})")


@contextmanager
def held(
    name: str, *, clock: Callable[[], datetime], wait_s: float, holder: str | None = None
) -> Iterator[Hold]:
    """Waits up to ``wait_s`` for the lease, then raises ``LeaseError`` with the holder's name."""
    hold = _wait_for(name, holder or this_process(), clock, wait_s)
    try:
        yield hold
    finally:
        try:
            _free(hold)
        except Error:  # what went wrong before says more than this would
            _LEFT.add(hold)


def give_back_what_was_left(*, within_s: float = 0.0) -> None:
    """For whoever lives on after the database was away: else everybody would wait until the lease expires.

    Raises ``django.db.Error`` when it does not answer in that time; what is left is then still remembered.
    """
    give_up = time.monotonic() + within_s
    for hold in tuple(_LEFT):
        while hold in _LEFT:
            close_old_connections()
            try:
                _free(hold)
            except Error:
                if time.monotonic() >= give_up:
                    raise
                time.sleep(RECONNECT_S)
            else:
                _LEFT.discard(hold)


def _free(hold: Hold) -> None:
    mine = Lease.objects.filter(name=hold.name, fencing=hold.fencing, holder=hold.holder)
    mine.update(holder="", expires_at=None)


def _wait_for(name: str, holder: str, clock: Callable[[], datetime], wait_s: float) -> Hold:
    give_up = time.monotonic() + wait_s
    while (hold := acquire(name, holder=holder, now=clock())) is None:
        if time.monotonic() >= give_up:
            present = Lease.objects.get(name=name).holder
            raise LeaseError(f"another process is at work ({present})", advice="wait for it, then try again")
        time.sleep(POLL_S)
    return hold


def acquire(name: str, *, holder: str, now: datetime) -> Hold | None:
    """Takes the lease if it is free, expired, or its holder is dead."""
    lease, _ = Lease.objects.get_or_create(name=name)
    if lease.holder and lease.expires_at and lease.expires_at > now and not is_dead(lease.holder):
        return None
    same = Q(name=name, fencing=lease.fencing, holder=lease.holder)
    hold = Hold(name, holder, lease.fencing + 1)
    try:
        taken = Lease.objects.filter(same).update(
            holder=holder, fencing=F("fencing") + 1, expires_at=now + DURATION
        )
    except Error:
        _LEFT.add(hold)  # the answer may have been lost, and the lease be ours
        raise
    return hold if taken else None


def this_process() -> str:
    """host:process:start. The start tells a process from a later one that got the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_dead(holder: str) -> bool:
    """True when the holder ran on this machine and does not run any more."""
    host, _, process = holder.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _started(int(process)) != holder.rpartition(":")[2]


def _started(process: int) -> str:
    """The process's start in clock ticks since boot; ``0`` where the system does not tell, ``dead`` for a zombie."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    fields = stat.rpartition(")")[2].split()
    return "dead" if fields[0] in {"Z", "X"} else fields[19]
