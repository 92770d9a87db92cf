"""``manage.py restore FILE``: an archive into an empty home; the stores say how the numbers go on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from mirrors.management.base import PlainCommand
from mirrors.services.edge import means_from_settings, places_from_settings, settings_facts
from mirrors.services.restoring import Restored, restore
from mirrors.verifying.sources import source_at


class Command(PlainCommand):
    help = (
        "Read an archive of 'backup' into an empty ALMANAC_HOME and an empty database. Stop the old server first. "
        "What was served since the backup is learned from the stores."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="the archive")
        parser.add_argument(
            "--learn-from",
            action="append",
            default=[],
            metavar="URL",
            help="a mirror or another store that may hold what the stores of ALMANAC_STORE have lost; several",
        )
        parser.add_argument(
            "--accept-empty",
            action="store_true",
            help="go on although nothing is left of what was published: readers may refuse what follows",
        )

    def work(self, **options: Any) -> None:
        done = restore(
            options["file"],
            places=places_from_settings(),
            means=means_from_settings(),
            mirrors=[source_at(url) for url in options["learn_from"]],
            accept_empty=options["accept_empty"],
            by="restore",
            progress=lambda what: self.stderr.write(f"{what} …"),
        )
        others = _differences(done.manifest.get("settings", {}), settings_facts())
        if options["as_json"]:
            self.print_json({**asdict(done), "settings_that_differ": others})
            return
        self._tell(done, others)

    def _tell(self, done: Restored, others: list[str]) -> None:
        source = (
            "and from the stores, which were ahead"
            if done.learned
            else "as it was: the stores know nothing newer"
        )
        self.stdout.write(f"restored from the backup of {done.manifest['made']}, {source}")
        self.stdout.write(
            f"readers have seen release {done.release}; the next one is {done.next_release} or higher"
        )
        if done.refilled:
            self.stdout.write(f"put {done.refilled} files back into the first store")
        for other in others:
            self.stdout.write(f"differs from the backup's settings: {other}")
        self.stdout.write(
            "now: 'manage.py doctor', then 'manage.py tick', then look at what is live and publish it"
        )


def _differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [f"{name} was {then[name]!r}" for name in sorted(then) if then[name] != now.get(name)]
