"""``manage.py backup FILE``: all state in one archive; the server may go on working."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from mirrors.management.base import PlainCommand
from mirrors.services.backing_up import back_up
from mirrors.services.edge import places_from_settings, settings_facts


class Command(PlainCommand):
    help = (
        "Write database, sealed keys and settings facts into one archive (0600). Published files are not in it: "
        "they lie in the stores."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file", type=Path, help="the archive to write; one that is there is never replaced"
        )
        parser.add_argument(
            "--without-passphrase",
            action="store_true",
            help="leave out the passphrase that lies beside the keys; without it the keys are lost",
        )

    def work(self, **options: Any) -> None:
        manifest = back_up(
            options["file"].absolute(),
            places=places_from_settings(),
            facts=settings_facts(),
            with_passphrase=not options["without_passphrase"],
            now=datetime.now(UTC),
        )
        if options["as_json"]:
            self.print_json({"file": str(options["file"]), **manifest})
            return
        rows, keys = sum(manifest["rows"].values()), len(manifest["files"])
        self.stdout.write(
            f"wrote {options['file']}: release {manifest['served']['release']}, {rows} rows, {keys} files"
        )
        if manifest["holds_passphrase"]:
            self.stderr.write(
                "it holds the keys and the passphrase that opens them: keep it as you keep the keys"
            )
