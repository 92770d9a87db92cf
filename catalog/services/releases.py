"""Releases: frozen states of the catalog, numbered by one. Cutting, comparing, going back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.db import transaction
from django.db.models import Count, Q

from almanac.errors import UsageError
from catalog.models import (
    ChangeRequest,
    DocumentState,
    FeaturedItem,
    FeaturedList,
    RecordVersion,
    Release,
    Trial,
)
from catalog.reading import loaded
from catalog.records import Kind, Record
from catalog.services import audit
from catalog.services.changes import ProposedChange, propose_and_apply
from catalog.services.locking import hold_catalog


@dataclass(frozen=True, slots=True)
class RecordChange:
    """How one record differs between two states; ``None``: it is not there."""

    kind: Kind
    key: str
    before: Record | None
    after: Record | None

    @property
    def verb(self) -> str:
        """``add``, ``change`` or ``remove``."""
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"


@transaction.atomic
def cut_release(*, now: datetime, by: str, restores: int | None = None) -> Release | None:
    """Makes the live state the next release; ``None`` when it is the last one's.

    ``now`` decides only which boundaries have passed: the same state between two boundaries gives the same release.
    ``restores`` notes whose state was brought back.
    """
    hold_catalog()
    counts = Counter(change.verb for change in pending_changes())
    if not counts:
        return None
    last = latest_release()
    release = Release.objects.create(
        number=last.number + 1 if last else 1,
        as_of=latest_boundary(now),
        cut_at=now,
        cut_by=by,
        added=counts["add"],
        changed=counts["change"],
        removed=counts["remove"],
        restores=restores,
    )
    RecordVersion.objects.filter(live=True, since__isnull=True).update(since=release.number)
    RecordVersion.objects.filter(live=False, until__isnull=True).update(until=release.number)
    release.records = _live_counts()
    release.save(update_fields=["records"])
    applied = ChangeRequest.objects.filter(status=ChangeRequest.Status.APPLIED)
    applied.update(status=ChangeRequest.Status.PUBLISHED, release=release)
    detail = {"added": release.added, "changed": release.changed, "removed": release.removed}
    audit.record(actor=by, action="release.cut", about=str(release), detail=detail, now=now)
    return release


@transaction.atomic
def withdraw_release(*, release: int, by: str, now: datetime) -> None:
    """Takes the newest cut back, as if it had never been made: what it held waits for the next one, under its number.

    Only for a release that nothing was signed for; edits that were made since stay. The kept lines are of that
    release, so the next one makes all of them anew.
    """
    hold_catalog()
    newest = latest_release()
    if newest is None or newest.number != release:
        raise UsageError(f"release {release} is not the newest one", advice="see the list of releases")
    versions = RecordVersion.objects
    versions.filter(live=False, since=release).delete()
    versions.filter(since=release).update(since=None)
    versions.filter(until=release).update(until=None)
    first_in = ChangeRequest.objects.filter(release=newest)
    first_in.update(status=ChangeRequest.Status.APPLIED, release=None)
    DocumentState.objects.all().delete()
    newest.delete()
    audit.record(actor=by, action="release.withdrawn", about=f"release {release}", detail={}, now=now)


def latest_release() -> Release | None:
    return Release.objects.order_by("-number").first()


def latest_boundary(now: datetime) -> datetime | None:
    """The last start or end of a window that has passed."""
    moments = chain.from_iterable(
        model.objects.values_list("starts", "ends") for model in (FeaturedList, FeaturedItem, Trial)
    )
    passed = [moment for moment in chain.from_iterable(moments) if moment is not None and moment <= now]
    return max(passed, default=None)


def next_boundary(now: datetime) -> datetime | None:
    """The first start or end of a window that is still to come."""
    moments = chain.from_iterable(
        model.objects.values_list("starts", "ends") for model in (FeaturedList, FeaturedItem, Trial)
    )
    coming = [moment for moment in chain.from_iterable(moments) if moment is not None and moment > now]
    return min(coming, default=None)


def pending_changes() -> list[RecordChange]:
    """What the next release would change, by kind and key."""
    versions = RecordVersion.objects
    after = versions.filter(live=True, since__isnull=True).values_list("kind", "key", "data")
    before = versions.filter(live=False, until__isnull=True).values_list("kind", "key", "data")
    return _paired(before, after)


def release_changes(a: int, b: int) -> list[RecordChange]:
    """From release ``a`` (0: nothing yet) to release ``b``, whichever is newer."""
    low, high = sorted((a, b))
    versions = RecordVersion.objects
    left = versions.filter(since__lte=low, until__gt=low, until__lte=high).values_list("kind", "key", "data")
    joined = (
        versions.filter(since__gt=low, since__lte=high)
        .filter(Q(until__isnull=True) | Q(until__gt=high))
        .values_list("kind", "key", "data")
    )
    return _paired(left, joined) if a <= b else _paired(joined, left)


@transaction.atomic
def restore_release(*, release: int, by: str, now: datetime) -> ChangeRequest | None:
    """Sets the live records to that release's, through a change request; ``None`` when they are the same already.

    That state was approved when it was released, so it is applied at once.
    """
    hold_catalog()
    if not Release.objects.filter(number=release).exists():
        raise UsageError(f"there is no release {release}", advice="see the list of releases")
    versions = RecordVersion.objects
    newer = Q(since__isnull=True) | Q(since__gt=release)
    gone = Q(until__gt=release) | Q(until__isnull=True, live=False)
    unwanted = versions.filter(newer, live=True).values_list("kind", "key", "data")
    wanted = versions.filter(gone, since__lte=release).values_list("kind", "key", "data")
    changes = [ProposedChange(change.kind, change.key, change.after) for change in _paired(unwanted, wanted)]
    return propose_and_apply(title=f"Go back to release {release}", changes=changes, by=by, now=now)


def _paired(
    before: Iterable[tuple[str, str, str]], after: Iterable[tuple[str, str, str]]
) -> list[RecordChange]:
    """Versions of the same record side by side; those with the same bytes on both sides are no change."""
    texts: dict[tuple[Kind, str], list[str]] = defaultdict(lambda: ["", ""])
    for side, rows in enumerate((before, after)):
        for kind, key, data in rows:
            texts[Kind(kind), key][side] = data
    order = list(Kind)
    return [
        RecordChange(kind, key, loaded(old), loaded(new))
        for (kind, key), (old, new) in sorted(
            texts.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
        )
        if old != new
    ]


def _live_counts() -> dict[str, int]:
    rows = (
        RecordVersion.objects.filter(live=True).values("kind").annotate(records=Count("id")).order_by("kind")
    )
    return {row["kind"]: row["records"] for row in rows}
