"""``manage.py work``: the embedded worker, for installations without a broker."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

from mirrors.management.base import PlainCommand
from mirrors.services.edge import means_from_settings
from mirrors.services.working import work


class Command(PlainCommand):
    help = "Make publications that are asked for, renew signatures, finish what was interrupted. Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def work(self, **_options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        work(means_from_settings(), stop=stop, clock_s=time.monotonic)
