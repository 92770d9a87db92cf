"""``manage.py tick``: all periodic work that is due; safe to run from anywhere, at any time, twice."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from mirrors.management.base import PlainCommand
from mirrors.services import ticking
from mirrors.services.edge import means_from_settings

WORDS = {
    "finished": "finished publication",
    "published": "made publication",
    "renewed": "signed anew:",
    "stores": "brought forward:",
    "jobs": "done:",
    "cleaned": "removed from staging:",
    "collected": "garbage:",
}


class Command(PlainCommand):
    help = (
        "Do all periodic work that is due: finish, publish, renew signatures, bring stores forward, tidy up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="say what is due; do nothing")

    def work(self, **options: Any) -> None:
        means = means_from_settings()
        ticked = ticking.due(means) if options["dry_run"] else ticking.tick(means)
        if options["as_json"]:
            self.print_json({"dry_run": options["dry_run"], **asdict(ticked)})
        else:
            self._tell(ticked, dry_run=options["dry_run"])
        if ticked.errors:
            sys.exit(1)

    def _tell(self, ticked: ticking.Ticked, *, dry_run: bool) -> None:
        would = "due: " if dry_run else ""
        lines = [f"{would}{words} {one}" for name, words in WORDS.items() for one in getattr(ticked, name)]
        if ticked.busy:
            lines.append(ticked.busy)
        self.stdout.write("\n".join(lines or ["nothing was due"]))
        for error in ticked.errors:
            self.stderr.write(f"error: {error}")
