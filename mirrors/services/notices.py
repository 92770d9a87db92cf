"""What the signed roles say about each schema: read from the release that is published with them."""

from __future__ import annotations

from collections.abc import Sequence

from almanac.lifecycle import SchemaNotice
from mirrors.models import Publication
from mirrors.services.means import Catalog

State = Publication.State


def current_notices(catalog: Catalog) -> Sequence[SchemaNotice]:
    """Of the newest release that is being signed or was; what was given up says nothing any more."""
    gone = (State.QUEUED, State.UNCHANGED, State.STOPPED, State.FAILED)
    newest = (
        Publication.objects.filter(release__isnull=False).exclude(state__in=gone).order_by("release").last()
    )
    return catalog.notices(newest.release) if newest and newest.release else ()
