"""``manage.py importcatalog SCHEMA FILE``: a native document into the catalog, through a change request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from catalog.management.base import DocumentError, PlainCommand, Progress, file_bytes, operator, schema_named
from catalog.models import ChangeRequest
from catalog.schemas.base import ParseError
from catalog.services.imports import Import, import_document


class Command(PlainCommand):
    help = (
        "Read a native document and make the schema's list exactly the document's. Applied at once where one person "
        "may, or into an empty catalog; otherwise left as a draft."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("schema", help="v1, v2, litellm, almanac/v1, …")
        parser.add_argument("file", help="the document")
        parser.add_argument("--draft", action="store_true", help="leave it as a draft, whoever may apply it")
        parser.add_argument("--dry-run", action="store_true", help="say what it would change; write nothing")

    def work(self, **options: Any) -> None:
        file, schema = options["file"], schema_named(options["schema"])
        data = file_bytes(file)
        try:
            done = import_document(
                schema=schema,
                data=data,
                source=Path(file).name,
                by=operator(),
                now=timezone.now(),
                draft=options["draft"],
                dry_run=options["dry_run"],
                progress=Progress(self, "planned"),
            )
        except ParseError as error:
            raise DocumentError(file, error.line, error.reason, error.advice) from None
        if options["as_json"]:
            self.print_json(facts(done, dry_run=options["dry_run"]))
            return
        for notice in done.report.notices:
            self.stderr.write(f"note: {notice}")
        self.stdout.write(f"{schema.name}: {done.report}")
        self.stdout.write(outcome(done, dry_run=options["dry_run"]))


def outcome(done: Import, *, dry_run: bool) -> str:
    if not done.changes:
        return "0 changed: the catalog says this already"
    records = f"{done.changes:,} record{'s' if done.changes != 1 else ''}"
    if dry_run:
        return f"would change {records}; nothing was written"
    if done.request is None:
        return "0 changed: the catalog says this already"
    applied = done.request.status == ChangeRequest.Status.APPLIED
    number = f"change request {done.request.pk}"
    return (
        f"{records} changed by {number}"
        if applied
        else f"{number} is a draft of {records}; review it in the admin"
    )


def facts(done: Import, *, dry_run: bool) -> dict[str, object]:
    report = done.report
    return {
        "added": report.added,
        "changed": report.changed,
        "left": report.left,
        "removed": report.removed,
        "joined": report.joined,
        "created": report.created,
        "notices": report.notices,
        "records_changed": done.changes,
        "dry_run": dry_run,
        "change_request": done.request.pk if done.request else None,
        "status": done.request.status if done.request else None,
    }
