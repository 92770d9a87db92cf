"""``manage.py checkcompat OLD NEW``: whom a change from one schema, or one contract, to another would break."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandParser

from almanac.errors import UsageError
from catalog.compatibility import differences
from catalog.management.base import PlainCommand
from catalog.schemas.registry import SCHEMAS
from catalog.services.comparing import Comparison, client_of, compare_schemas, contract_of

SHOWN: Final = 50
"""Lines of one kind; ``--json`` holds all."""


class Command(PlainCommand):
    help = (
        "Say what readers of OLD would meet in documents of NEW: which clients break, and at which entries. "
        "Each is the name of a schema or a JSON Schema file; it ends with 1 where something breaks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("old", metavar="OLD", help="v1, jan-v1, … or a JSON Schema file")
        parser.add_argument("new", metavar="NEW", help="v2, jan, … or a JSON Schema file")

    def work(self, **options: Any) -> None:
        old, new = options["old"], options["new"]
        found = compare_schemas(old, new) if old in SCHEMAS and new in SCHEMAS else _of_contracts(old, new)
        reader = client_of(SCHEMAS[old]) if old in SCHEMAS else f"readers of {old}"
        if options["as_json"]:
            self.print_json(_facts(found, old, new, reader))
        else:
            for line in _lines(found, old, new, reader):
                self.stdout.write(line)
        if found.breaks:
            raise SystemExit(1)


def _of_contracts(old: str, new: str) -> Comparison:
    before, after = _contract(old), _contract(new)
    try:
        return Comparison(tuple(differences(before, after)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{old} or {new} is not a JSON Schema as ours are: {type(error).__name__} {error}",
            advice="references go to its own $defs; see /schemas/",
        ) from error


def _contract(named: str) -> Mapping[str, Any]:
    if named in SCHEMAS:
        return contract_of(named)
    try:
        found = json.loads(Path(named).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        known = ", ".join(sorted(SCHEMAS))
        raise UsageError(
            f"{named!r} is neither a schema nor a JSON Schema file: {error}", advice=f"schemas: {known}"
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"{named!r} is not a JSON Schema: an object is expected")
    return found


def _facts(found: Comparison, old: str, new: str, reader: str) -> dict[str, Any]:
    return {
        "old": old,
        "new": new,
        "readers": reader,
        "breaks": found.breaks,
        "differences": [difference._asdict() for difference in found.differences],
        "findings": [finding._asdict() for finding in found.findings],
        "lost": [{"key": left.key, "reason": left.reason} for left in found.lost],
    }


def _lines(found: Comparison, old: str, new: str, reader: str) -> list[str]:
    verdict = "breaks" if found.breaks else "nothing breaks for"
    lines = [f"{new} in the place of {old}: {verdict} {reader}"]
    for severity, title in (("break", "contract, breaks"), ("loss", "contract, lost")):
        said = [f"{d.where or 'document'}: {d.reason}" for d in found.differences if d.severity == severity]
        lines += _part(title, said)
    lines += _part(
        "entries that its gate refuses or warns of", [f"{f.where}: {f.reason}" for f in found.findings]
    )
    lines += _part(f"entries of {old} that {new} does not list", [f"{o.key}: {o.reason}" for o in found.lost])
    return lines


def _part(title: str, said: list[str]) -> list[str]:
    if not said:
        return []
    more = [f"  … and {len(said) - SHOWN:,} more"] if len(said) > SHOWN else []
    return [f"{title} ({len(said):,})", *(f"  {line}" for line in said[:SHOWN]), *more]
