"""Garbage: marks what no reader can ask for any more, and removes what has been so for long enough.

Never a root; nothing that the newest releases reference or that was current within the last days (``retention``).
What stays is found in the database and in the signed files that lie in the store itself. A file is only noted when
it is first found unneeded, and removed when every look since then found the same. Each step may be cut off: what is
left is found again. It runs under the publisher's lease and never beside a publication that has begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from django.db import transaction
from django.db.models import Max

from almanac.errors import AlmanacError
from almanac.stores import FileStore, ObjectNotFoundError, ObjectStore
from mirrors import temporaries
from mirrors.models import Collection, Delta, Publication, PublishedDocument, SignedFile, Unreferenced
from mirrors.retention import SNAPSHOT, Kept, removal_order
from mirrors.services import ledger
from mirrors.services.deltas import wanted_bases
from mirrors.services.leasing import Hold
from mirrors.services.means import Means
from mirrors.services.pushing import stored_timestamp
from mirrors.services.uploading import each, lanes

BY: Final = "collect"
BATCH: Final = 100
Item = TypeVar("Item")


@dataclass(slots=True)
class Collected:
    """What was done in one store."""

    url: str
    noted: int = 0
    removed: int = 0
    waiting: int = 0
    temporary: int = 0

    def __str__(self) -> str:
        gone = self.removed + self.temporary
        return f"{gone} files from {self.url}, {self.waiting} more wait for their time"


@dataclass(slots=True)
class Round:
    stores: list[Collected] = field(default_factory=list)
    pruned: int = 0
    """Signed files whose bytes the database holds no longer."""
    errors: list[str] = field(default_factory=list)


def due_stores(means: Means, *, now: datetime) -> list[str]:
    looked = {row.url: row for row in Collection.objects.all()}
    return [
        url
        for url in means.stores
        if (row := looked.get(url)) is None
        or not row.is_through
        or not row.looked_at <= now < row.looked_at + means.limits.every
    ]


def collect_due(means: Means, hold: Hold) -> Round:
    """One round over the stores that are due; one that fails does not keep the others."""
    done = Round()
    now = means.clock()
    urls = due_stores(means, now=now)
    if not urls or not Publication.objects.committed().exists() or Publication.objects.unfinished().exists():
        return done
    recent = _first_recent(means, now)
    first = _first_kept(means, recent)
    kept: Kept | None = None
    for url in urls:
        try:
            store = means.stores[url]
            if stored_timestamp(store) != ledger.served_metadata().get("timestamp"):
                continue  # it lags: what it has is left alone until it has caught up
            names = list(store.names())
            kept = kept or _kept_by_the_database(first, now)
            look = _Look(url, store, names, _with_the_store(kept, store, names))
            done.stores.append(_collect(means, hold, look, now))
        except AlmanacError as error:
            done.errors.append(f"{error} [{url}]")
    if kept is not None:
        done.pruned = _prune(first, recent, kept)
    return done


@dataclass(frozen=True, slots=True)
class _Look:
    """A store, what lies in it, and what of it stays."""

    url: str
    store: ObjectStore
    names: list[str]
    kept: Kept


def _collect(means: Means, hold: Hold, look: _Look, now: datetime) -> Collected:
    done = Collected(look.url)
    unneeded = {name for name in look.names if not look.kept.keeps(name)}
    done.noted = _note(means, look.url, unneeded, now)
    means.passing("garbage-noted")
    ripe = _ripe(means, look.url, now)
    for batch in _batches(ripe[: means.limits.at_once]):
        hold.renew(now=means.clock())
        _remove(means, look, batch, now)
        done.removed += len(batch)
    look.store.flush()
    done.waiting = Unreferenced.objects.filter(url=look.url, removed_at=None).count()
    if isinstance(look.store, FileStore):
        done.temporary = temporaries.clean(look.store.root, before=now - means.limits.temporary)
    _write_down(means, done, is_through=len(ripe) <= means.limits.at_once, now=now)
    return done


def _remove(means: Means, look: _Look, names: Sequence[str], now: datetime) -> None:
    """That a delta was removed is written down before: its bytes are never made anew."""
    notes = Unreferenced.objects.filter(url=look.url, address__in=names)
    notes.filter(address__startswith="deltas/").update(removed_at=now)
    each(
        names,
        look.store.delete,
        at_once=lanes(look.store),
        then=partial(means.passing, "garbage-removed"),
    )
    notes.filter(removed_at=None).delete()


# What stays.


def _first_recent(means: Means, now: datetime) -> int:
    """The number of the oldest publication that was current within the last days."""
    committed = Publication.objects.committed()
    since = now - means.limits.age
    wanted = set(committed.filter(committed_at__gt=since).values_list("pk", flat=True))
    before = committed.filter(committed_at__lte=since).order_by("committed_at").last()
    return min(wanted | ({before.pk} if before else set()))


def _first_kept(means: Means, recent: int) -> int:
    """The number of the oldest publication that counts: a recent one, or one of a newest release."""
    released = Publication.objects.committed().filter(
        reason=Publication.Reason.RELEASE, release__isnull=False
    )
    newest = released.order_by("-release").values_list("pk", flat=True)[: means.limits.releases]
    return min({recent, *newest})


def _kept_by_the_database(first: int, now: datetime) -> Kept:
    kept = Kept()
    signed = SignedFile.objects.exclude(role="")
    newest = signed.values("role").annotate(newest=Max("version")).values_list("role", "newest")
    rows = signed.filter(publication_id__gte=first).values_list("role", "version")
    in_effect = signed.filter(role="snapshot", publication_id__lte=first).aggregate(newest=Max("version"))
    snapshots = {("snapshot", in_effect["newest"])} if in_effect["newest"] else set()
    for role, version in {*newest, *rows, *snapshots}:
        address = f"metadata/{version}.{role}.json"
        if role == "snapshot":
            kept.add_snapshot(address, _signed_bytes)
        elif role != "timestamp":
            kept.add_role(address, _signed_bytes)
    for path, sha256 in PublishedDocument.objects.filter(listed=True).values_list("path", "sha256"):
        kept.documents |= {sha256, *wanted_bases(path, sha256, now)}
    deltas = Delta.objects.filter(listed=True).values_list("old", "new")
    kept.deltas |= {(old[:16], new) for old, new in deltas}
    return kept


def _signed_bytes(address: str) -> bytes | None:
    row = SignedFile.objects.filter(address=address).first()
    return bytes(row.data) if row else None


def _with_the_store(kept: Kept, store: ObjectStore, names: list[str]) -> Kept:
    """With what the store's own snapshots name, from the oldest that stays: the database may know less than it."""
    kept = kept.copy()
    versions = [int(found[1]) for name in kept.metadata if (found := SNAPSHOT.fullmatch(name))]
    oldest = min(versions, default=1)

    def read(address: str) -> bytes | None:
        return _signed_bytes(address) or _stored(store, address)

    for name in names:
        found = SNAPSHOT.fullmatch(name)
        if found and int(found[1]) >= oldest and name not in kept.metadata:
            kept.add_snapshot(name, read)
    kept.add_bases(names)
    return kept


def _stored(store: ObjectStore, address: str) -> bytes | None:
    try:
        return store.get(address)
    except ObjectNotFoundError:
        return None


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


# What goes.


@transaction.atomic
def _note(means: Means, url: str, unneeded: set[str], now: datetime) -> int:
    """Brings the notes to what was found; returns how many are new."""
    last = Collection.objects.filter(url=url).first()
    is_long_ago = last is None or not last.looked_at <= now <= last.looked_at + means.limits.most_unseen
    notes = Unreferenced.objects.filter(url=url)
    noted = dict(notes.values_list("address", "pk"))
    again = [pk for address, pk in noted.items() if address in unneeded]
    gone = [noted[address] for address in noted if address not in unneeded]
    for batch in _batches(gone):
        notes.filter(pk__in=batch, removed_at=None).delete()
    if is_long_ago:
        notes.filter(removed_at=None).update(since=now)
    for batch in _batches(again):
        # It lies there again although it was removed: a copy from elsewhere, which waits like any other.
        notes.filter(pk__in=batch, removed_at__isnull=False).update(removed_at=None, since=now)
    new = sorted(unneeded - set(noted))
    Unreferenced.objects.bulk_create([Unreferenced(url=url, address=name, since=now) for name in new], BATCH)
    return len(new)


def _ripe(means: Means, url: str, now: datetime) -> list[str]:
    """What has been unneeded for long enough, in the order in which it may go."""
    wait = max(means.policy.timestamp, means.limits.age)
    found = Unreferenced.objects.filter(url=url, removed_at=None, since__lte=now - wait)
    return sorted(found.values_list("address", flat=True), key=removal_order)


def _prune(first: int, recent: int, kept: Kept) -> int:
    """Lets the bytes of old metadata go from the database; that a role and version was signed stays written down.

    Timestamps are wanted for a store that lags, and only as long as they are recent.
    """
    rows = SignedFile.objects.exclude(role__in=("", "root")).exclude(data=b"")
    newest = SignedFile.objects.filter(role="timestamp").aggregate(newest=Max("version"))["newest"]
    timestamps = rows.filter(role="timestamp", publication_id__lt=recent).exclude(version=newest)
    others = rows.filter(publication_id__lt=first).exclude(role="timestamp").values_list("pk", "address")
    gone = [*timestamps.values_list("pk", flat=True)]
    gone += [pk for pk, address in others if address not in kept.metadata]
    for batch in _batches(gone):
        SignedFile.objects.filter(pk__in=batch).update(data=b"")
    return len(gone)


@transaction.atomic
def _write_down(means: Means, done: Collected, *, is_through: bool, now: datetime) -> None:
    facts = asdict(done)
    Collection.objects.update_or_create(
        url=done.url, defaults={"looked_at": now, "is_through": is_through, "report": facts}
    )
    if done.removed:
        means.catalog.record(action="collect", about=done.url, by=BY, now=now, detail=facts)
