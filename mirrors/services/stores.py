"""Every store's own progress: the first that can be reached decides what is committed, the others follow.

A store that is down, or lies, delays only itself: it is noted, and ``tick`` brings it forward. The bytes are saved in
the database before any store sees them, so it does not matter which of them has them first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from almanac.addresses import delta_path, object_path
from almanac.errors import AlmanacError
from almanac.stores import ObjectStore, StoreError
from mirrors.failpoints import Passing, nothing
from mirrors.models import Delta, Publication, PublishedDocument, SignedFile, StoreProgress
from mirrors.services import probing_stores
from mirrors.services.catching_up import missed_files
from mirrors.services.means import FirstThatAnswers, Means, Readable
from mirrors.services.plain import PlainState, plain_state, put_afterwards, put_plain_addresses
from mirrors.services.precompressing import put_first_copies
from mirrors.services.pushing import (
    NewFile,
    NewFiles,
    ReadBackError,
    new_files,
    push_objects,
    push_timestamp,
    stored_timestamp,
)
from mirrors.services.steps import OBJECTS, SAVED_EVERY_S, Log
from mirrors.services.uploading import lanes

MayCommit = Callable[[], None]


def commit(
    means: Means, publication: Publication, *, may_commit: MayCommit, log: Log, now: datetime, again: bool
) -> str:
    """Makes the publication's commit in one store and returns that store's address.

    A store that cannot take it is noted and the next one is asked; when none can, the first one's error is raised.
    One that holds what it must not (``EquivocationError``) stops everything.
    """
    errors: list[AlmanacError] = []
    for url in (urls := _in_order(means, _before(publication))):
        try:
            plan = _plan(means, url, publication, again=again)
            log.at_store(url, plan.total)
            passing = log.passed(len(plan.new), means.passing)
            push_objects(plan.store, plan.files, passing=passing, again=plan.again, copy=plan.copy)
            put_first_copies(plan.store, publication, plan.files.objects)
            log.turn_to("commit")
            log.save()
            push_timestamp(plan.store, plan.files, passing=means.passing, may_commit=may_commit)
        except (StoreError, ReadBackError) as error:
            errors.append(error)
            note(url, error=str(error), now=now)
            if url != urls[-1]:  # the last one's is the publication's
                log.fail(error)
        else:
            return url
    raise errors[0]


def round_off(
    means: Means, publication: Publication, *, may_commit: MayCommit, now: datetime
) -> dict[str, str]:
    """Brings the plain addresses of the store that has the commit to what the newest one says.

    Where it goes down in that very moment and there are others, it counts as one that lags: address → error.
    """
    may_commit()
    there = _progress()
    has_it = [url for url in means.stores if there.get(url, 0) >= publication.number]
    url = has_it[0] if has_it else next(iter(means.stores))
    store = means.stores[url]
    try:
        put_plain_addresses(store, passing=means.passing)
        put_afterwards(store, _newest_told(publication), passing=means.passing)
        store.flush()
    except StoreError as error:
        if len(means.stores) == 1:
            raise
        before = _before(publication)
        note(url, publication=before.number if before else 0, error=str(error), now=now)
        return {url: str(error)}
    return {}


def follow(means: Means, publication: Publication, *, may_commit: MayCommit, now: datetime) -> dict[str, str]:
    """Brings the stores that lag to this publication; returns address → error of those that failed.

    Buckets are brought forward all at once; in their threads nothing touches the database, and no failpoint is passed.
    """
    failed: dict[str, str] = {}
    plans = []
    there = _progress()
    for url in [url for url in means.stores if there.get(url, 0) < publication.number]:
        try:
            plans.append(_plan(means, url, publication, again=True))
        except AlmanacError as error:
            failed[url] = str(error)
    watch = _Watch(plans, means.stopwatch)
    for url, why in _carried_out(means, plans, may_commit, watch).items():
        if why is None:
            note(url, publication=publication.number, now=means.clock())
        else:
            failed[url] = str(why)
    for url, words in failed.items():
        note(url, error=words, now=now)
    return failed


def readable(means: Means) -> Readable:
    """For reading what is named by its hash, also where the first store is down; those that lag are asked last."""
    return FirstThatAnswers(
        [means.stores[url] for url in _in_order(means, Publication.objects.committed().last())]
    )


def look_again(means: Means, *, now: datetime) -> None:
    """Notes a store as lagging that serves another timestamp than it was left with.

    A bucket without conditions takes a write that comes too late, from a publisher that was away for longer than its
    lease; and somebody may have put back an old copy of a folder.
    """
    newest = Publication.objects.committed().last()
    signed = SignedFile.objects.filter(role="timestamp", publication__lte=newest).order_by("pk").last()
    if newest is None or signed is None:
        return
    there = _progress()
    before = _before(newest)
    for url, store in means.stores.items():
        if there.get(url, 0) < newest.number:
            continue
        with suppress(StoreError):  # one that is down keeps what was noted of it
            if stored_timestamp(store) != bytes(signed.data):
                error = "the store served another timestamp than the newest; it is written again"
                note(url, publication=before.number if before else 0, error=error, now=now)


def lagging(means: Means) -> list[str]:
    """Stores that are not at the newest committed publication."""
    newest = Publication.objects.committed().last()
    if newest is None:
        return []
    there = _progress()
    return [url for url in means.stores if there.get(url, 0) < newest.number]


def note(url: str, *, now: datetime, publication: int | None = None, error: str = "") -> None:
    """Writes down how far a store came, or why it did not."""
    since = StoreProgress.objects.filter(url=url).values_list("failing_since", flat=True).first()
    defaults: dict[str, object] = {
        "last_error": error,
        "failed_at": now if error else None,
        "failing_since": (since or now) if error else None,
        "done": 0,
        "total": 0,
    }
    if publication is not None:
        defaults["publication"] = publication
    StoreProgress.objects.update_or_create(url=url, defaults=defaults)


@dataclass(frozen=True)
class _Plan:
    """All that one store is to be brought forward by, read from the database beforehand."""

    url: str
    store: ObjectStore
    files: NewFiles
    again: bool
    copy: tuple[ObjectStore, list[str]] | None
    """For a store that missed publications: where older objects come from, and which."""
    plain: PlainState
    afterwards: Publication

    @property
    def new(self) -> list[NewFile]:
        return [*self.files.objects, *self.files.metadata]

    @property
    def total(self) -> int:
        """How many objects are put, or looked for, before the commit."""
        return len(self.new) + (len(self.copy[1]) if self.copy else 0)


def _plan(means: Means, url: str, publication: Publication, *, again: bool) -> _Plan:
    store = probing_stores.settled(url, means.stores[url], now=means.clock())
    of_all = plain_state(), _newest_told(publication)
    before = _before(publication)
    is_there = before is not None and _progress().get(url, 0) >= before.number
    if before is None or is_there or _holds(store, before) or _holds(store, publication):
        return _Plan(url, store, new_files(means, publication), again, None, *of_all)
    source = _source(means, url, before)
    files = missed_files(publication, new_files(means, publication).objects)
    return _Plan(url, store, files, True, (source, list(_object_addresses())), *of_all)


def _source(means: Means, url: str, before: Publication) -> ObjectStore:
    there = _progress()
    for other, store in means.stores.items():
        if other != url and there.get(other, 0) >= before.number:
            return store
    raise StoreError(
        "this store lacks earlier publications, and no other store has them",
        where=f"({url})",
        advice="name the store that has them in ALMANAC_STORE beside this one, until this one has caught up",
    )


def _holds(store: ObjectStore, publication: Publication) -> bool:
    """True where the newest signed timestamp of that time lies there: a store known by another address until now."""
    rows = SignedFile.objects.filter(publication_id__lte=publication.pk, role="timestamp").order_by("pk")
    newest = rows.last()
    return newest is not None and stored_timestamp(store) == bytes(newest.data)


def _in_order(means: Means, wanted: Publication | None) -> list[str]:
    """As they are named; those that lack this publication come last, because to bring them forward takes long."""
    there = _progress()
    return sorted(means.stores, key=lambda url: wanted is not None and there.get(url, 0) < wanted.number)


def _newest_told(publication: Publication) -> Publication:
    """The one whose unsigned files are to be read now."""
    return Publication.objects.committed().exclude(afterwards={}).last() or publication


def _before(publication: Publication) -> Publication | None:
    return Publication.objects.committed().filter(pk__lt=publication.pk).last()


def _progress() -> dict[str, int]:
    return dict(StoreProgress.objects.values_list("url", "publication"))


class _Watch:
    """How far each of several stores is, counted wherever the work is done and written by the thread that waits."""

    def __init__(self, plans: list[_Plan], stopwatch: Callable[[], float]) -> None:
        self._totals = {plan.url: plan.total + len(plan.new) for plan in plans}  # put, then read back
        self._done = dict.fromkeys(self._totals, 0)
        self._written = dict(self._done)
        self._stopwatch = stopwatch
        self._written_s = stopwatch()

    def counting(self, url: str, passing: Passing) -> Passing:
        def noted(name: str) -> None:
            passing(name)
            if name in OBJECTS:
                self._done[url] += 1  # one thread for each store

        return noted

    def writing(self, url: str, passing: Passing) -> Passing:
        """The same where the thread that does the work may write."""
        counting = self.counting(url, passing)

        def noted(name: str) -> None:
            counting(name)
            self.write()

        return noted

    def write(self) -> None:
        if self._stopwatch() - self._written_s < SAVED_EVERY_S:
            return
        self._written_s = self._stopwatch()
        for url, done in self._done.items():
            if done != self._written[url]:
                self._written[url] = done
                total = self._totals[url]
                StoreProgress.objects.filter(url=url).update(done=min(done, total), total=total)


def _carried_out(
    means: Means, plans: list[_Plan], may_commit: MayCommit, watch: _Watch
) -> dict[str, AlmanacError | None]:
    """One by one where a store takes one object at a time; the others beside each other, commits asked for here."""
    outcome: dict[str, AlmanacError | None] = {}
    for plan in [plan for plan in plans if lanes(plan.store) == 1]:
        passing = watch.writing(plan.url, means.passing)
        outcome[plan.url] = _error_of(partial(_bring_forward, plan, passing, may_commit))
    distant = [plan for plan in plans if lanes(plan.store) > 1]
    if not distant:
        return outcome
    with ThreadPoolExecutor(max_workers=len(distant), thread_name_prefix="store") as pool:
        under_way: dict[Future[AlmanacError | None], tuple[_Plan, bool]] = {
            pool.submit(_error_of, partial(_prepare, plan, watch.counting(plan.url, nothing))): (plan, False)
            for plan in distant
        }
        while under_way:
            done, _ = wait(under_way, timeout=SAVED_EVERY_S, return_when=FIRST_COMPLETED)
            watch.write()
            for future in done:
                plan, is_last = under_way.pop(future)
                error = future.result() or (None if is_last else _error_of(may_commit))
                if error or is_last:
                    outcome[plan.url] = error
                else:
                    under_way[pool.submit(_error_of, partial(_conclude, plan, nothing, nothing_more))] = (
                        plan,
                        True,
                    )
    return outcome


def nothing_more() -> None:
    """Leave to commit was given before."""


def _error_of(step: Callable[[], None]) -> AlmanacError | None:
    try:
        step()
    except AlmanacError as error:
        return error
    return None


def _bring_forward(plan: _Plan, passing: Passing, may_commit: MayCommit) -> None:
    _prepare(plan, passing)
    _conclude(plan, passing, may_commit)


def _prepare(plan: _Plan, passing: Passing) -> None:
    push_objects(plan.store, plan.files, passing=passing, again=plan.again, copy=plan.copy)


def _conclude(plan: _Plan, passing: Passing, may_commit: MayCommit) -> None:
    push_timestamp(plan.store, plan.files, passing=passing, may_commit=may_commit)
    put_plain_addresses(plan.store, passing=passing, state=plan.plain)
    put_afterwards(plan.store, plan.afterwards, passing=passing)
    plan.store.flush()


def _object_addresses() -> Iterator[str]:
    for path, sha256 in PublishedDocument.objects.values_list("path", "sha256"):
        yield object_path(path, sha256)
        yield f"{object_path(path, sha256)}.minisig"
    for old, new in Delta.objects.values_list("old", "new").distinct():
        yield delta_path(old, new)
