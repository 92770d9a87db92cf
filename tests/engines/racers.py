"""What each of the racing processes does: edit, be told that it is kept, publish; over and over. Run by ``python -m``.

``python -m tests.engines.racers NUMBER ROUNDS GO``: waits for the file ``GO``, so that all begin at once; prints each
edit that was acknowledged as ``slug<tab>name``.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
django.setup()

from catalog.records import Kind, key_of  # noqa: E402
from catalog.services.editing import edit_record  # noqa: E402
from mirrors import tasks  # noqa: E402
from mirrors.services import publishing, ticking  # noqa: E402
from mirrors.services.edge import means_from_settings  # noqa: E402
from tests import factories  # noqa: E402


def main(number: int, rounds: int, go: Path) -> None:
    means = means_from_settings()
    print("ready", flush=True)
    while not go.exists():
        time.sleep(0.005)
    for turn in range(rounds):
        _, record = factories.entry(f"m{number}", name=f"Racer {number}, round {turn}")
        edit_record(
            kind=Kind.ENTRY,
            key=key_of(Kind.ENTRY, record),
            after=record,
            by=f"racer{number}",
            now=datetime.now(UTC),
        )
        print(f"m{number}\t{record['name']}", flush=True)
        match (number + turn) % 3:
            case 0:
                publishing.publish(means, by=f"racer{number}")
            case 1:
                asked = publishing.request_publication(by=f"racer{number}", now=datetime.now(UTC))
                tasks.publish(asked.pk)
            case _:
                publishing.request_publication(by=f"racer{number}", now=datetime.now(UTC))
                ticking.tick(means)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
