"""Cancelling a publication that nobody has signed yet.

From the signatures on there is no way back: what is signed is kept for ever and never signed anew under the same
version, so a release that was signed goes to its readers, and the way back is a rollback. Before that nothing is lost
or left over: a release that was cut for it is taken back, and the next one gets its number.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from almanac.errors import PolicyError, UsageError
from mirrors.models import Publication
from mirrors.services.means import Catalog

State = Publication.State


class CancelledError(PolicyError):
    """Somebody asked for it, in time."""

    name = "cancelled"

    def __init__(self, by: str) -> None:
        super().__init__(f"{by} cancelled it before it was signed: nothing was published")
        self.by = by


@transaction.atomic
def cancel_publication(*, number: int, by: str, now: datetime, catalog: Catalog) -> Publication:
    """One that waits is cancelled at once; one under way at its next step. Asking twice is asking once.

    Raises ``PolicyError`` where it is too late. Of this and the signing transaction one is first, and that decides.
    """
    publication = Publication.objects.select_for_update().filter(pk=number).first()
    if publication is None:
        raise UsageError(f"there is no publication {number}", advice="see the list of publications")
    if publication.state not in Publication.CANCELLABLE or publication.reason != Publication.Reason.RELEASE:
        raise PolicyError(
            f"publication {number} can no longer be cancelled",
            where=f"(it is {publication.get_state_display()})",
            advice="when it is out, roll back to the release before it",
        )
    if publication.cancel_asked_at is None:
        publication.cancel_asked_by, publication.cancel_asked_at = by, now
        if publication.state == State.QUEUED:
            publication.state, publication.finished_at = State.CANCELLED, now
        publication.save(update_fields=["cancel_asked_by", "cancel_asked_at", "state", "finished_at"])
        about = f"publication {number}"
        catalog.record(action="publication.cancel", about=about, by=by, now=now, detail={})
    return publication


def look_for_cancel(publication: Publication) -> None:
    """Raises ``CancelledError`` where it was asked for; until the caller's transaction ends nobody can any more."""
    row = Publication.objects.select_for_update().filter(pk=publication.pk)
    by = row.exclude(cancel_asked_at=None).values_list("cancel_asked_by", flat=True).first()
    if by is not None:
        raise CancelledError(by)


def take_back(catalog: Catalog, publication: Publication, *, by: str, now: datetime) -> None:
    """The release that was cut for it, unless something was signed for that release before."""
    release = publication.release
    if release is None or release != catalog.newest_release():
        return
    if not Publication.objects.filter(release=release, signed_at__isnull=False).exists():
        catalog.withdraw(release, by=by, now=now)
        Publication.objects.filter(release=release).update(release=None)
        publication.release = None
