"""An operator in a process of its own: reads names from standard input, gives each to two models in one change request.

``python -m tests.engines.curator``: says ``kept NAME`` when the service has acknowledged it. A database that goes away
before it answers is asked again: what had been kept then is no change.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
django.setup()

from django.db import Error, close_old_connections  # noqa: E402

from catalog.services.changes import propose  # noqa: E402
from tests import factories  # noqa: E402
from tests.engines.poller import PAIR  # noqa: E402


def keep(name: str) -> None:
    made = [factories.lab(), *(factories.entry(one.partition("/")[2], name=name) for one in PAIR)]
    while True:
        try:
            propose(title=name, changes=factories.proposed(*made), by="alice", now=datetime.now(UTC))
        except Error:
            time.sleep(0.2)
            close_old_connections()
        else:
            return


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        keep(line.strip())
        print(f"kept {line.strip()}", flush=True)


if __name__ == "__main__":
    main()
