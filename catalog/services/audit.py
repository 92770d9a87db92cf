"""The audit chain: every row holds the hash of the one before, so that a changed, missing or moved row is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalog.models import AuditEvent
from catalog.services.locking import hold_catalog
from catalog.spelling import written


def record(*, actor: str, action: str, about: str, detail: Mapping[str, Any], now: datetime) -> AuditEvent:
    """Appends one row; call it inside the transaction that does the thing."""
    hold_catalog()
    last = AuditEvent.objects.order_by("-seq").first()
    event = AuditEvent(
        seq=last.seq + 1 if last else 1,
        at=now.replace(microsecond=0),
        actor=actor,
        action=action,
        object=about,
        detail=dict(detail),
        prev_hash=last.hash if last else "",
    )
    event.hash = event_hash(event)
    event.save(force_insert=True)
    return event


def event_hash(event: AuditEvent) -> str:
    """Over everything that the row says, the hash before it included."""
    said = {
        "seq": event.seq,
        "at": written(event.at),
        "actor": event.actor,
        "action": event.action,
        "object": event.object,
        "detail": event.detail,
        "prev": event.prev_hash,
    }
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def first_broken() -> AuditEvent | None:
    """The first row that is not what its chain says; ``None``: the whole chain holds.

    A chain cut off at its end is whole as far as it goes: compare its head with one kept elsewhere.
    """
    seq, previous = 1, ""
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=2000):
        if event.seq != seq or event.prev_hash != previous or event.hash != event_hash(event):
            return event
        seq, previous = seq + 1, event.hash
    return None
