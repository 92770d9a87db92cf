"""Going on after a restore: release numbers that readers have seen are never given again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from catalog.models import Release
from catalog.services import audit
from catalog.services.locking import hold_catalog
from catalog.services.releases import latest_release


@transaction.atomic
def continue_above(*, number: int, by: str, now: datetime) -> Release | None:
    """The state of the newest release here becomes the release after ``number``; ``None`` where none here is older.

    The releases in between were made after the backup: what they held is not here, only that they were.
    """
    hold_catalog()
    last = latest_release()
    if last is not None and last.number > number:
        return None
    release = Release.objects.create(
        number=number + 1,
        as_of=last.as_of if last else None,
        cut_at=now,
        cut_by=by,
        records=last.records if last else {},
        restores=last.number if last else None,
    )
    detail = {"served": number, "state_of": last.number if last else 0}
    audit.record(actor=by, action="release.continue", about=str(release), detail=detail, now=now)
    return release
