"""Publication: a persisted state machine whose steps can each be repeated, so that a crash anywhere is only a pause.

    preparing  cut, render, gate and guards in one transaction; then deltas       mirrors.services.preparing
    signed     what will be pushed is saved, for ever                            mirrors.services.endorsing
    pushing    everything new, read back; ``timestamp.json`` last: the commit    mirrors.services.pushing
    committed  plain addresses, ``index.json``; the other stores                 mirrors.services.plain, .stores
    announced  whoever wants to know is told

Whoever publishes first finishes what somebody else began, with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from django.db import DatabaseError, transaction

from almanac.errors import AlmanacError, UsageError
from almanac.stores import StoreError
from mirrors import staging
from mirrors.models import Publication
from mirrors.services import leasing, precompressing, purging, stores
from mirrors.services.endorsing import sign
from mirrors.services.leasing import Hold
from mirrors.services.ledger import first_root
from mirrors.services.means import Means
from mirrors.services.preparing import Prepared, StoppedError, cut_and_render, with_deltas
from signing.metadata import fingerprint

State = Publication.State
Reason = Publication.Reason
Announcement = Callable[[Publication], None]

ANNOUNCEMENTS: Final[Sequence[Announcement]] = ()
"""Who is told of a publication, after its commit; each must bear to be called twice."""

WAIT_S: Final = 120.0


@transaction.atomic
def request_publication(
    *,
    by: str,
    now: datetime,
    override: str = "",
    reason: str = "",
    restores: int | None = None,
) -> Publication:
    """Asks for a publication; the worker makes it. The asking process needs no keys.

    ``override`` names the guards that may be passed this once, separated by commas; then ``reason`` says why.
    """
    if override and not reason.strip():
        raise UsageError(
            f"passing the guard {override!r} needs a reason", advice="say why it is right this time"
        )
    if (
        not override
        and restores is None
        and (waiting := Publication.objects.queued().filter(overrides="", restores=None).first())
    ):
        return waiting
    return Publication.objects.create(
        reason=Reason.RELEASE,
        requested_by=by,
        requested_at=now,
        overrides=override,
        override_reason=reason.strip(),
        restores=restores,
    )


def publish(
    means: Means,
    *,
    by: str,
    override: str = "",
    reason: str = "",
    restores: int | None = None,
    wait_s: float = WAIT_S,
) -> Publication:
    """Publishes what is approved, now. The row that comes back says what was done, or that nothing was to do.

    Raises ``StoppedError`` when a gate or a guard says no.
    """
    asked = request_publication(by=by, now=means.clock(), override=override, reason=reason, restores=restores)
    return carry_out(means, asked, wait_s=wait_s)


def carry_out(means: Means, asked: Publication, *, wait_s: float = WAIT_S) -> Publication:
    """Makes a publication that was asked for, after whatever was left unfinished; it may have been made meanwhile."""
    with leasing.held(leasing.PUBLISHER, clock=means.clock, wait_s=wait_s) as hold:
        finished = finish_unfinished(means, hold)
        asked.refresh_from_db()
        if asked.state == State.QUEUED:
            run(means, asked, hold)
    if finished:
        asked.report = {**asked.report, "finished": [str(publication) for publication in finished]}
        asked.save(update_fields=["report"])
    return asked


def preview(means: Means, *, by: str, override: str = "", restores: int | None = None) -> Prepared | None:
    """What ``publish`` would make, deltas included; nothing is kept."""
    now = means.clock()
    asked = Publication(
        reason=Reason.RELEASE, requested_by=by, requested_at=now, overrides=override, restores=restores
    )
    prepared = cut_and_render(means, asked, now=now, dry_run=True)
    return prepared and with_deltas(means, prepared, now=now)


def publish_queued(means: Means, hold: Hold) -> list[Publication]:
    """Everything that was asked for, oldest first; one that stops does not keep the others."""
    done = []
    for publication in Publication.objects.queued():
        try:
            run(means, publication, hold)
        except AlmanacError:
            if publication.state in Publication.UNFINISHED:
                raise
        done.append(publication)
    return done


def finish_unfinished(means: Means, hold: Hold) -> list[Publication]:
    """Takes up what a publisher left behind, oldest first, with the bytes that were signed then."""
    done = []
    for publication in Publication.objects.unfinished():
        try:
            run(means, publication, hold)
        except AlmanacError:
            if publication.state in Publication.UNFINISHED:
                raise
        done.append(publication)
    return done


def run(means: Means, publication: Publication, hold: Hold) -> Publication:
    """Brings one publication to its end, or leaves it where the next try can go on, or gives it up and says why."""
    steps = _Steps(means, publication, hold)
    try:
        steps.go()
    except StoppedError as stop:
        steps.give_up(State.STOPPED, [asdict(objection) for objection in stop.objections])
        raise
    except (DatabaseError, leasing.LostLeaseError):
        raise  # nothing can be noted, or the row is another publisher's now; it says where to go on
    except Exception as error:
        if _is_for_good(publication, error):
            steps.give_up(State.FAILED, [{"reason": _in_words(error)}])
        else:
            steps.interrupted(_in_words(error))
        raise
    return publication


def _is_for_good(publication: Publication, error: Exception) -> bool:
    """True where trying the same again would end the same, and nothing of it has reached a reader."""
    if isinstance(error, staging.StagingError):
        return True
    passes = isinstance(error, StoreError | leasing.LeaseError)
    return publication.state in {State.QUEUED, State.PREPARING} and not passes


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, AlmanacError) else f"{type(error).__name__}: {error}"


class _Steps:
    """One run over the states that are left."""

    def __init__(self, means: Means, publication: Publication, hold: Hold) -> None:
        self.means, self.publication, self.hold = means, publication, hold
        self.began = means.stopwatch()
        self.was_interrupted = publication.state in {State.PUSHING, State.COMMITTED}
        self.now = means.clock

    def go(self) -> None:
        publication = self.publication
        if publication.state in {State.QUEUED, State.PREPARING}:
            self._prepare_and_sign()
        if publication.state in {State.SIGNED, State.PUSHING}:
            self._push()
        if publication.state == State.COMMITTED:
            self._follow_the_commit()

    def _prepare_and_sign(self) -> None:
        means, publication = self.means, self.publication
        now = self.now()
        publication.state = State.PREPARING
        publication.started_at = publication.started_at or now
        publication.fencing = self.hold.fencing
        self._save()
        means.passing("taken-up")
        prepared = cut_and_render(means, publication, now=now, check=self.hold.check)
        if prepared is None:
            self._finish(State.UNCHANGED, "unchanged")
            return
        means.passing("released")
        self._done("rendered")
        prepared = with_deltas(means, prepared, now=now)
        self._done("deltas made")
        self.hold.renew(now=self.now())
        sign(means, publication, prepared, now=now, check=self.hold.check)
        self._done("signed")

    def _push(self) -> None:
        means, publication = self.means, self.publication
        publication.state = State.PUSHING
        self._save("state")
        means.passing("pushing")
        there = stores.commit(
            means, publication, may_commit=self._may_commit, now=self.now(), again=self.was_interrupted
        )
        self._committed(there)

    def _committed(self, there: str) -> None:
        means, publication = self.means, self.publication
        publication.state = State.COMMITTED
        publication.committed_at = self.now()
        self._done("committed", save=False)
        with transaction.atomic():
            self._save()
            stores.note(there, publication=publication.number, now=publication.committed_at)
            precompressing.request(publication, now=publication.committed_at)
            means.catalog.record(
                action="publish",
                about=f"publication {publication.number}",
                by=publication.requested_by,
                now=publication.committed_at,
                detail={
                    "release": publication.release,
                    "reason": publication.reason,
                    "overrides": publication.overrides,
                    "override_reason": publication.override_reason,
                },
            )
        means.passing("committed")

    def _follow_the_commit(self) -> None:
        means, publication = self.means, self.publication
        failed = stores.round_off(means, publication, may_commit=self._may_commit, now=self.now())
        means.passing("plain-done")
        self._done("plain addresses")
        failed |= stores.follow(means, publication, may_commit=self._may_commit, now=self.now())
        publication.report = {**publication.report, "failed_stores": failed}
        for announce in ANNOUNCEMENTS:
            announce(publication)
        purging.announce(means, publication, now=self.now())
        means.passing("announcing")
        self._finish(State.ANNOUNCED, "announced")
        staging.staging_path(means.staging, publication.number).unlink(missing_ok=True)

    def give_up(self, state: State, why: list[dict[str, object]]) -> None:
        """Nothing of it reached a reader; what it cut, if anything, is published by the next one."""
        fresh = Publication.objects.get(pk=self.publication.pk)
        fresh.state, fresh.finished_at = state, self.now()
        fresh.report = {"stopped_by": why}
        with transaction.atomic():
            self.hold.check()
            fresh.save()
        self.publication.refresh_from_db()

    def interrupted(self, why: str) -> None:
        self.publication.report = {**self.publication.report, "interrupted": why}
        self._save("report", "steps")

    def _may_commit(self) -> None:
        self.hold.renew(now=self.now())

    def _finish(self, state: State, step: str) -> None:
        self.publication.state = state
        self.publication.finished_at = self.now()
        self.publication.report.pop("interrupted", None)
        if root := first_root():
            self.publication.report["root_fingerprint"] = fingerprint(root)
        self._done(step)

    def _done(self, step: str, *, save: bool = True) -> None:
        seconds = round(self.means.stopwatch() - self.began, 3)
        self.publication.steps = [*self.publication.steps, [step, seconds]]
        if save:
            self._save()

    def _save(self, *fields: str) -> None:
        """A publisher that was away too long would take back what another one has noted since."""
        with transaction.atomic():
            self.hold.check()
            self.publication.save(update_fields=fields or None)
