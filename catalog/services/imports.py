"""A native document into the catalog: read, planned, then written through one change request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog.importing import ImportReport, Progress, plan_import
from catalog.models import ChangeRequest
from catalog.reading import LiveState
from catalog.schemas.base import Schema
from catalog.services.changes import ProposedChange, propose
from catalog.services.locking import hold_catalog


@dataclass(frozen=True, slots=True)
class Import:
    report: ImportReport
    changes: int
    """Records that it changes, of all kinds."""
    request: ChangeRequest | None
    """``None``: nothing changes, or it was only tried."""


@transaction.atomic
def import_document(
    *,
    schema: Schema,
    data: bytes,
    source: str,
    by: str,
    now: datetime,
    draft: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Import:
    """Makes the schema's membership the document's. The same document again changes nothing.

    Raises ``ParseError`` for a document that cannot be read, ``ChangeError`` for records that would not be sound.
    """
    parsed = schema.parse(data)
    hold_catalog()
    plan = plan_import(schema, parsed, LiveState(), source=source, progress=progress)
    request = None
    if plan.changes and not dry_run:
        changes = [ProposedChange(change.kind, change.key, change.after) for change in plan.changes]
        request = propose(
            title=f"Import {source} into {schema.name}", changes=changes, by=by, now=now, draft=draft
        )
    return Import(plan.report, len(plan.changes), request)
