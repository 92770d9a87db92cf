"""Back to a published release, forward in numbers: its state becomes the live one and the next release."""

from __future__ import annotations

from django.db import transaction

from almanac.errors import UsageError
from mirrors.models import Publication
from mirrors.services import publishing
from mirrors.services.means import Means
from mirrors.services.preparing import Prepared


def roll_back(means: Means, *, release: int, by: str) -> Publication:
    """Live rows and newest release agree afterwards. Guards do not apply: readers have seen this state before."""
    _must_be_published(release)
    with transaction.atomic():
        means.catalog.restore(release, by=by, now=means.clock())
        asked = publishing.request_publication(by=by, now=means.clock(), restores=release)
    return publishing.carry_out(means, asked)


def preview_rollback(means: Means, *, release: int, by: str) -> Prepared | None:
    """What ``roll_back`` would publish; nothing is kept."""
    _must_be_published(release)
    with transaction.atomic():
        means.catalog.restore(release, by=by, now=means.clock())
        prepared = publishing.preview(means, by=by, restores=release)
        transaction.set_rollback(True)
    return prepared


def _must_be_published(release: int) -> None:
    if not Publication.objects.committed().filter(release=release).exists():
        raise UsageError(f"release {release} was never published", advice="see the releases in the admin")
