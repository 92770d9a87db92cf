"""``manage.py rollback RELEASE``: sets the live rows to that release's state and publishes it as a new release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from mirrors.management.base import PlainCommand
from mirrors.management.commands.publish import operator
from mirrors.management.publication_text import preview_lines, publication_lines
from mirrors.services.edge import means_from_settings
from mirrors.services.rolling_back import preview_rollback, roll_back


class Command(PlainCommand):
    help = "Go back to a published release: its state becomes the live one and is published as a new release."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", type=int, help="the release to go back to")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be published; write nothing"
        )

    def work(self, **options: Any) -> None:
        as_json, release, dry_run = options["as_json"], options["release"], options["dry_run"]
        means = means_from_settings()
        if dry_run:
            prepared = preview_rollback(means, release=release, by=operator())
            if as_json:
                number = prepared.release if prepared else None
                self.print_json(
                    {"dry_run": True, "release": number, **(prepared.report() if prepared else {})}
                )
            else:
                self.stdout.write("\n".join(preview_lines(prepared)))
            return
        publication = roll_back(means, release=release, by=operator())
        if as_json:
            self.print_json({**publication.facts, "restores": release})
        else:
            self.stdout.write("\n".join(publication_lines(publication)))
