"""Change requests: propose, submit, approve, apply, reject, withdraw. The one way by which live records are written.

Everything or nothing: each verb is one transaction with its audit row inside. In single-person mode, the default of a
fresh installation, and into an empty catalog, ``propose`` makes, approves and applies in one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction

from catalog.errors import ConflictError, ReviewError
from catalog.models import Change, ChangeRequest, RecordVersion
from catalog.reading import loaded
from catalog.records import Kind, Record, canonical
from catalog.services import audit
from catalog.services.checking import refuse_what_is_wrong
from catalog.services.locking import hold_catalog
from catalog.services.projecting import project
from catalog.services.versions import live_texts, write_versions
from catalog.shape import tidy

Status = ChangeRequest.Status
NAMED_IN_AUDIT: Final = 20
"""Records that an audit row names; the request itself lists all."""


@dataclass(frozen=True, slots=True)
class ProposedChange:
    kind: Kind
    key: str
    after: Record | None
    """``None`` removes the record."""


@transaction.atomic
def propose(
    *, title: str, changes: Sequence[ProposedChange], by: str, now: datetime, draft: bool = False
) -> ChangeRequest | None:
    """Records what shall change and, where one person may, applies it. ``None``: nothing would change.

    Raises ``ChangeError`` when a record is not sound or would leave another dangling.
    """
    hold_catalog()
    at_once = not draft and (not settings.TWO_PERSON_REVIEW or _catalog_is_empty())
    return _make(title, changes, by=by, now=now, at_once=at_once)


@transaction.atomic
def propose_and_apply(
    *, title: str, changes: Sequence[ProposedChange], by: str, now: datetime
) -> ChangeRequest | None:
    """For what was approved before: bringing back a release. ``None``: nothing would change."""
    hold_catalog()
    return _make(title, changes, by=by, now=now, at_once=True)


def _make(
    title: str, changes: Sequence[ProposedChange], *, by: str, now: datetime, at_once: bool
) -> ChangeRequest | None:
    afters = {(change.kind, change.key): _tidied(change) for change in changes}
    before = live_texts(afters)
    texts = {identity: "" if after is None else canonical(after) for identity, after in afters.items()}
    afters = {
        identity: after for identity, after in afters.items() if texts[identity] != before.get(identity, "")
    }
    if not afters:
        return None
    refuse_what_is_wrong(afters)
    request = ChangeRequest.objects.create(title=title, author=by, created_at=now, single_person=at_once)
    Change.objects.bulk_create(
        Change(
            request=request, kind=kind, key=key, before=before.get((kind, key), ""), after=texts[kind, key]
        )
        for kind, key in afters
    )
    _audit(request, "proposed", by=by, now=now, detail=_summary(afters, before))
    if at_once:
        _step(request, Status.APPROVED, approved_by=by, approved_at=now)
        _apply(request, afters, by=by, now=now)
    return request


@transaction.atomic
def submit_change_request(*, request: ChangeRequest, by: str, now: datetime) -> ChangeRequest:
    """From draft to review."""
    locked = _locked(request, Status.DRAFT)
    _step(locked, Status.IN_REVIEW, submitted_at=now)
    _audit(locked, "submitted", by=by, now=now)
    return locked


@transaction.atomic
def approve_change_request(*, request: ChangeRequest, by: str, now: datetime) -> ChangeRequest:
    """By somebody else than its author, except in single-person mode. Applying is a step of its own."""
    locked = _locked(request, Status.DRAFT, Status.IN_REVIEW)
    alone = not settings.TWO_PERSON_REVIEW
    if by == locked.author and not alone:
        raise ReviewError(f"{by} made {locked} and cannot approve it", advice="ask another reviewer")
    _step(
        locked, Status.APPROVED, approved_by=by, approved_at=now, single_person=alone and by == locked.author
    )
    _audit(locked, "approved", by=by, now=now)
    return locked


@transaction.atomic
def apply_change_request(*, request: ChangeRequest, by: str, now: datetime) -> ChangeRequest:
    """Sets the live records. Raises ``ConflictError`` when one of them is no longer what the request changes."""
    hold_catalog()
    locked = _locked(request, Status.APPROVED)
    changes = {(Kind(change.kind), change.key): change for change in locked.changes.all()}
    live = live_texts(changes)
    for (kind, key), change in changes.items():
        found = live.get((kind, key), "")
        if found not in (change.before, change.after):
            raise ConflictError(kind, key, expected=change.before, found=found)
    afters = {identity: loaded(change.after) for identity, change in changes.items()}
    refuse_what_is_wrong(afters)
    _apply(locked, afters, by=by, now=now)
    return locked


@transaction.atomic
def reject_change_request(*, request: ChangeRequest, by: str, reason: str, now: datetime) -> ChangeRequest:
    return _close(request, Status.REJECTED, by=by, reason=reason, now=now)


@transaction.atomic
def withdraw_change_request(*, request: ChangeRequest, by: str, reason: str, now: datetime) -> ChangeRequest:
    return _close(request, Status.WITHDRAWN, by=by, reason=reason, now=now)


def _close(request: ChangeRequest, status: Status, *, by: str, reason: str, now: datetime) -> ChangeRequest:
    locked = _locked(request, *ChangeRequest.OPEN)
    _step(locked, status, closed_by=by, closed_at=now, reason=reason)
    _audit(locked, status.value, by=by, now=now, detail={"reason": reason})
    return locked


def _locked(request: ChangeRequest, *allowed: Status) -> ChangeRequest:
    locked = ChangeRequest.objects.select_for_update().get(pk=request.pk)
    if locked.status not in allowed:
        words = " or ".join(Status(status).label.lower() for status in allowed)
        raise ReviewError(
            f"{locked} is {Status(locked.status).label.lower()}", advice=f"this step needs it to be {words}"
        )
    return locked


def _step(request: ChangeRequest, status: Status, **facts: object) -> None:
    request.status = status
    for name, value in facts.items():
        setattr(request, name, value)
    request.save(update_fields=["status", *facts])


def _apply(
    request: ChangeRequest, afters: Mapping[tuple[Kind, str], Record | None], *, by: str, now: datetime
) -> None:
    write_versions(afters)
    project(afters)
    _step(request, Status.APPLIED, applied_by=by, applied_at=now)
    _audit(request, "applied", by=by, now=now)


def _tidied(change: ProposedChange) -> Record | None:
    return None if change.after is None else tidy(change.kind, change.after)


def _catalog_is_empty() -> bool:
    return not RecordVersion.objects.filter(live=True).exists()


def _summary(
    afters: Mapping[tuple[Kind, str], Record | None], before: Mapping[tuple[Kind, str], str]
) -> dict[str, object]:
    removed = sum(after is None for after in afters.values())
    added = sum(identity not in before for identity in afters)
    named = [f"{kind} {key}" for kind, key in afters][:NAMED_IN_AUDIT]
    return {"added": added, "changed": len(afters) - added - removed, "removed": removed, "records": named}


def _audit(
    request: ChangeRequest, action: str, *, by: str, now: datetime, detail: Mapping[str, object] | None = None
) -> None:
    about = f"change request {request.pk}"
    audit.record(
        actor=by,
        action=f"change_request.{action}",
        about=about,
        detail={"title": request.title, **(detail or {})},
        now=now,
    )
