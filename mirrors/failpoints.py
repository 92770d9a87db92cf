"""Named places in a publication where a test makes the process die, fail or wait. Nothing happens unless asked.

``ALMANAC_FAILPOINT=name:action`` or ``name#3:action`` (the third time it is passed); actions: ``kill`` (as a power
cut would, SIGKILL), ``exit`` (no clean-up), ``raise``, ``sleep`` (an hour, for tests that look at what is running).
Read at the edge, by the commands; services are given a callable.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable

from almanac.errors import AlmanacError, UsageError

Passing = Callable[[str], None]

EXIT_CODE = 86
FORM = re.compile(r"(?P<name>[a-z][a-z-]*)(?:#(?P<nth>[1-9][0-9]*))?:(?P<action>kill|exit|raise|sleep)")


class FailpointError(AlmanacError):
    name = "failpoint"


def nothing(_name: str) -> None:
    """The failpoint of every ordinary run."""


def from_text(text: str) -> Passing:
    """The callable that a variable's value means."""
    if not text:
        return nothing
    if not (form := FORM.fullmatch(text)):
        raise UsageError(f"ALMANAC_FAILPOINT={text!r} is not name:action or name#n:action")
    passed: Counter[str] = Counter()
    name, nth = form["name"], int(form["nth"] or 1)

    def passing(here: str) -> None:
        passed[here] += 1
        if here == name and passed[here] == nth:
            _act(form["action"], here)

    return passing


def _act(action: str, here: str) -> None:
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(EXIT_CODE)
        case "raise":
            raise FailpointError("the publication was made to fail", where=f"(at {here})")
        case _:
            time.sleep(3600)
