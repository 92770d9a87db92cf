"""``manage.py exportcatalog SCHEMA``: one view, rendered now from the live records, published or not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from almanac.errors import UsageError
from catalog.management.base import PlainCommand, schema_named, write_file
from catalog.members import GLOBAL, adjustments_of
from catalog.reading import LiveState
from catalog.records import Kind
from catalog.rendering import View, render_view
from catalog.schemas.registry import SCHEMAS


class Command(PlainCommand):
    help = "Render one document as it would be published now. Without --output it goes to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("schema", help="v1, v2, litellm, almanac/v1, …")
        parser.add_argument(
            "--region", default=GLOBAL, metavar="CODE", help="for this region (default: global)"
        )
        parser.add_argument("--output", metavar="FILE", help="write it there")
        parser.add_argument(
            "--explain",
            action="store_true",
            help="list what is left out and why, and what an operator adjusted, not the document",
        )

    def work(self, **options: Any) -> None:
        schema, region, output = schema_named(options["schema"]), options["region"].lower(), options["output"]
        state = LiveState()
        if region != GLOBAL and state.get(Kind.REGION, region) is None:
            known = ", ".join(state.all(Kind.REGION)) or "only global"
            raise UsageError(f"there is no region {region!r}", advice=f"known: {known}")
        view = render_view(schema, state, SCHEMAS, region=region)
        if output:
            write_file(output, view.data)
        if options["as_json"]:
            told = facts(view, schema.name, region, output)
            adjusted = [{"key": key, "says": says} for key, says in adjustments_of(schema, state)]
            self.print_json({**told, "adjustments": adjusted})
        elif options["explain"]:
            self._explain(view, adjustments_of(schema, state))
        elif output:
            self.stderr.write(f"{len(view.lines):,} records, {len(view.data):,} bytes → {output}")
        else:
            self.stdout.write(view.data.decode(), ending="")

    def _explain(self, view: View, adjusted: Sequence[tuple[str, str]]) -> None:
        self.stdout.write(f"{len(view.lines):,} listed, {len(view.omissions):,} left out")
        for omission in view.omissions:
            self.stdout.write(f"{omission.key}: {omission.reason}")
        if adjusted:
            self.stdout.write(f"{len(adjusted):,} adjusted by an operator")
        for key, says in adjusted:
            self.stdout.write(f"{key}: {says}")


def facts(view: View, schema: str, region: str, output: str | None) -> dict[str, object]:
    told: dict[str, object] = {
        "schema": schema,
        "region": region,
        "records": len(view.lines),
        "bytes": len(view.data),
        "sha256": hashlib.sha256(view.data).hexdigest(),
        "omissions": [{"key": left.key, "reason": left.reason} for left in view.omissions],
    }
    return {**told, "file": output} if output else {**told, "document": view.data.decode()}
