"""Publication: a persisted state machine whose steps can each be repeated, so that a crash anywhere is only a pause.

    preparing  cut, render, gate and guards in one transaction; then deltas       mirrors.services.preparing
    signed     what will be pushed is saved, for ever                            mirrors.services.endorsing
    pushing    everything new, read back; ``timestamp.json`` last: the commit    mirrors.services.pushing
    committed  plain addresses, ``index.json``; the other stores                 mirrors.services.plain, .stores
    announced  whoever wants to know is told

Whoever publishes first finishes what somebody else began, with the same bytes. Until it is signed it can be cancelled
(mirrors.services.cancelling); every step is in its log and, for a release, in the audit (mirrors.services.steps).
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
from mirrors.services import cancelling, leasing, precompressing, purging, stores
from mirrors.services.cancelling import CancelledError
from mirrors.services.endorsing import sign
from mirrors.services.leasing import Hold
from mirrors.services.ledger import first_root
from mirrors.services.means import Means
from mirrors.services.preparing import Prepared, StoppedError, cut_and_render, with_deltas
from mirrors.services.steps import Log, in_words
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
        and (
            waiting := Publication.objects.queued().filter(overrides="", restores=None, retries=None).first()
        )
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


@transaction.atomic
def retry_publication(*, number: int, by: str, now: datetime) -> Publication:
    """Asks for it again and returns the one to look at.

    What stopped, failed or was cancelled is asked for as a new one, its overrides included. One that was begun goes on
    with the bytes that were signed; for that another row waits for the worker, which publishes nothing itself.
    """
    old = Publication.objects.filter(pk=number).first()
    if old is None or old.state in {State.ANNOUNCED, State.UNCHANGED}:
        raise UsageError(f"there is nothing to try again in publication {number}", advice="see how it went")
    if old.state == State.QUEUED:
        return old
    if old.state in Publication.UNFINISHED:
        if not Publication.objects.queued().filter(retries=number).exists():
            Publication.objects.create(
                reason=Reason.RELEASE, requested_by=by, requested_at=now, retries=number
            )
        return old
    if old.restores is not None:
        raise UsageError(
            "a rollback is not tried again: the catalog may have been edited since",
            advice=f"roll back to release {old.restores} again, from its page",
        )
    return request_publication(by=by, now=now, override=old.overrides, reason=old.override_reason)


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
    """Makes a publication that was asked for, after whatever was left unfinished or asked for earlier.

    It may have been made meanwhile.
    """
    with leasing.held(leasing.PUBLISHER, clock=means.clock, wait_s=wait_s) as hold:
        finished = [*finish_unfinished(means, hold), *publish_queued(means, hold, before=asked.number)]
        asked.refresh_from_db()
        if asked.state == State.QUEUED:
            asked = _in_turn(means, asked, hold)
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
    prepared = cut_and_render(means, asked, now=now)
    return prepared and with_deltas(means, prepared, now=now)


def publish_queued(means: Means, hold: Hold, *, before: int | None = None) -> list[Publication]:
    """Everything that was asked for, oldest first; one that stops does not keep the others."""
    done = []
    queued = Publication.objects.queued()
    for waiting in queued if before is None else queued.filter(pk__lt=before):
        publication = _in_turn(means, waiting, hold)
        try:
            run(means, publication, hold)
        except AlmanacError:
            if publication.state in Publication.UNFINISHED:
                raise
        done.append(publication)
    return done


def _in_turn(means: Means, asked: Publication, hold: Hold) -> Publication:
    """Numbers rise in the order in which publications are made: stores, signatures and releases count on it.

    One that was overtaken while it waited, as by a renewal, is made under a new number.
    """
    with transaction.atomic():
        hold.check()
        newer = Publication.objects.filter(pk__gt=asked.pk, started_at__isnull=False)
        waiting = Publication.objects.select_for_update().filter(pk=asked.pk, state=State.QUEUED)
        if not newer.exists() or not waiting.exists():
            return asked
        again = Publication.objects.create(
            reason=asked.reason,
            requested_by=asked.requested_by,
            requested_at=asked.requested_at,
            overrides=asked.overrides,
            override_reason=asked.override_reason,
            restores=asked.restores,
            retries=asked.retries,
        )
        waiting.update(
            state=State.UNCHANGED, finished_at=means.clock(), report={"continued_as": again.number}
        )
    return again


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
        steps.give_up(State.STOPPED, stop, [asdict(objection) for objection in stop.objections])
        raise
    except CancelledError as cancelled:
        steps.give_up(State.CANCELLED, cancelled, [{"reason": in_words(cancelled)}])
        raise
    except KeyboardInterrupt:
        steps.pause(AlmanacError("stopped from the keyboard"))
        raise
    except (DatabaseError, leasing.LostLeaseError):
        raise  # nothing can be noted, or the row is another publisher's now; it says where to go on
    except Exception as error:
        if _is_for_good(publication, error):
            steps.give_up(State.FAILED, error, [{"reason": in_words(error)}])
        else:
            steps.pause(error)
        raise
    return publication


def _is_for_good(publication: Publication, error: Exception) -> bool:
    """True where trying the same again would end the same, and nothing of it has reached a reader."""
    if isinstance(error, staging.StagingError):
        return True
    passes = isinstance(error, StoreError | leasing.LeaseError)
    return publication.state in {State.QUEUED, State.PREPARING} and not passes


class _Steps:
    """One run over the states that are left."""

    def __init__(self, means: Means, publication: Publication, hold: Hold) -> None:
        self.means, self.publication, self.hold = means, publication, hold
        self.log = Log(means, publication, save=lambda: self._save("steps"), renew=self._may_commit)
        self.was_interrupted = publication.state in {State.PUSHING, State.COMMITTED}
        self.now = means.clock

    def go(self) -> None:
        publication = self.publication
        self.log.start(self.now())
        if publication.state in {State.QUEUED, State.PREPARING}:
            self._prepare_and_sign()
        if publication.state in {State.SIGNED, State.PUSHING}:
            self._push()
        if publication.state == State.COMMITTED:
            self._follow_the_commit()

    def _prepare_and_sign(self) -> None:
        means, publication = self.means, self.publication
        if publication.retries:
            self._finish(State.UNCHANGED)  # whatever was unfinished is finished before this one's turn
            return
        now = self.now()
        publication.state = State.PREPARING
        publication.started_at = publication.started_at or now
        publication.fencing = self.hold.fencing
        self.log.turn_to("cut" if publication.reason == Reason.RELEASE else "render")
        self._save()
        means.passing("taken-up")
        prepared = cut_and_render(means, publication, now=now, log=self.log, save=self._save)
        if prepared is None:
            self._finish(State.UNCHANGED)
            return
        means.passing("released")
        self._turn_to("delta")
        prepared = with_deltas(means, prepared, now=now, log=self.log)
        self._turn_to("sign")
        self.hold.renew(now=self.now())
        sign(means, publication, prepared, now=now, check=self._may_go_on, save=self._signed)

    def _signed(self) -> None:
        self.log.end()
        self._save()

    def _push(self) -> None:
        means, publication = self.means, self.publication
        publication.state = State.PUSHING
        self.log.turn_to("upload")
        self._save("state", "steps")
        means.passing("pushing")
        there = stores.commit(
            means,
            publication,
            may_commit=self._may_commit,
            log=self.log,
            now=self.now(),
            again=self.was_interrupted,
        )
        self._committed(there)

    def _committed(self, there: str) -> None:
        means, publication = self.means, self.publication
        publication.state = State.COMMITTED
        publication.committed_at = self.now()
        self.log.turn_to("announce")
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
        if self.was_interrupted and not self.log.is_in("announce"):
            self._turn_to("announce")
        failed = stores.round_off(means, publication, may_commit=self._may_commit, now=self.now())
        means.passing("plain-done")
        failed |= stores.follow(means, publication, may_commit=self._may_commit, now=self.now())
        publication.report = {**publication.report, "failed_stores": failed}
        for announce in ANNOUNCEMENTS:
            announce(publication)
        purging.announce(means, publication, now=self.now())
        means.passing("announcing")
        self._turn_to("collect")
        staging.staging_path(means.staging, publication.number).unlink(missing_ok=True)
        self._finish(State.ANNOUNCED)

    def give_up(self, state: State, error: AlmanacError | Exception, why: list[dict[str, object]]) -> None:
        """Nothing of it reached a reader. What it cut, if anything, is published by the next one, or taken back."""
        self.log.fail(error)
        fresh = Publication.objects.get(pk=self.publication.pk)
        fresh.state, fresh.finished_at = state, self.now()
        fresh.report, fresh.steps = {"stopped_by": why}, self.publication.steps
        with transaction.atomic():
            self.hold.check()
            if isinstance(error, CancelledError):
                cancelling.take_back(self.means.catalog, fresh, by=error.by, now=fresh.finished_at)
            fresh.save_progress()
            self.log.tell()
        self.publication.refresh_from_db()

    def pause(self, error: BaseException) -> None:
        """Notes why it did not go on; the next publisher does, with the same bytes."""
        self.log.fail(error)
        self.publication.report = {**self.publication.report, "interrupted": in_words(error)}
        with transaction.atomic():
            self.hold.check()
            self.publication.save(update_fields=["report", "steps"])
            self.log.tell()

    def _may_go_on(self) -> None:
        """Raises where somebody else has taken over, or has cancelled it while that was possible."""
        self.hold.check()
        if self.publication.state == State.PREPARING:
            cancelling.look_for_cancel(self.publication)

    def _may_commit(self) -> None:
        self.hold.renew(now=self.now())

    def _finish(self, state: State) -> None:
        self.log.end()
        self.publication.state = state
        self.publication.finished_at = self.now()
        self.publication.report.pop("interrupted", None)
        if root := first_root():
            self.publication.report["root_fingerprint"] = fingerprint(root)
        self._save()

    def _turn_to(self, step: str) -> None:
        self.log.turn_to(step)
        self._save()

    def _save(self, *fields: str) -> None:
        """A publisher that was away too long would take back what another one has noted since."""
        with transaction.atomic():
            self._may_go_on()
            if fields:
                self.publication.save(update_fields=fields)
            else:
                self.publication.save_progress()
            forget = self.log.tell()
        forget()
