"""The records of the schemas that this version publishes, so that operators see them all and can set their lives."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from catalog.models import ChangeRequest
from catalog.reading import LiveState
from catalog.records import Kind
from catalog.schemas.registry import SCHEMAS
from catalog.services.changes import ProposedChange, propose_and_apply


@transaction.atomic
def record_schemas(*, by: str, now: datetime) -> ChangeRequest | None:
    """Every registered schema without a record gets one that changes no document; ``None``: all have one.

    Nothing is decided by it, so nobody has to approve it.
    """
    known = LiveState().many(Kind.SCHEMA, list(SCHEMAS))
    changes = [
        ProposedChange(Kind.SCHEMA, name, {"name": name, "status": "current", "membership": "automatic"})
        for name in SCHEMAS
        if name not in known
    ]
    return propose_and_apply(title="List the schemas of this version", changes=changes, by=by, now=now)
