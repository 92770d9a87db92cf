"""``manage.py loaddemo``: the starter catalog into an empty one; a catalog that holds anything is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandParser
from django.db import transaction
from django.utils import timezone

from catalog import starter
from catalog.management.base import PlainCommand, operator
from catalog.models import RecordVersion
from catalog.schemas.almanac_v1 import ALMANAC_V1
from catalog.services.first_schemas import record_schemas
from catalog.services.imports import import_document

STARTER: Final = Path(starter.__file__).with_name("starter.json")


class Command(PlainCommand):
    help = "Load the starter catalog, if the catalog is empty."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="say what it would load; write nothing")

    @transaction.atomic
    def work(self, **options: Any) -> None:
        dry_run, by, now = options["dry_run"], operator(), timezone.now()
        if RecordVersion.objects.filter(live=True).exists():
            self._say({"loaded": 0}, "the catalog is not empty: nothing was loaded", **options)
            return
        done = import_document(
            schema=ALMANAC_V1,
            data=STARTER.read_bytes(),
            source="the starter catalog",
            by=by,
            now=now,
            dry_run=dry_run,
        )
        if not dry_run:
            record_schemas(by=by, now=now)
        verb = "would load" if dry_run else "loaded"
        created = {**done.report.created}
        told = f"{verb} {done.changes:,} records: {created.get('entry', 0)} models, {created.get('offering', 0)} offerings"
        self._say(
            {"loaded": 0 if dry_run else done.changes, "created": created, "dry_run": dry_run},
            told,
            **options,
        )

    def _say(self, facts: dict[str, object], line: str, **options: Any) -> None:
        if options["as_json"]:
            self.print_json(facts)
        else:
            self.stdout.write(line)
