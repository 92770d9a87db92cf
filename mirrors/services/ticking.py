"""All periodic work that is due, from anywhere, at any time, twice: what is done already is not done again.

1. finish what a publisher left behind; 2. publish what was asked for, and what time alone has made due;
3. renew signatures (the timestamp hourly, the rest before half of its life is spent) and publish a changed mirror
list; 4. bring stores forward that lag behind; 5. remove garbage, daily; 6. due jobs; 7. clear the staging folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from almanac.errors import AlmanacError
from mirrors import staging
from mirrors.models import Job, Publication
from mirrors.services import collecting, jobs, leasing, ledger, publishing, stores
from mirrors.services.leasing import Hold
from mirrors.services.means import Means
from mirrors.services.notices import current_notices
from mirrors.services.preparing import mirrors_changed
from signing.metadata import outdated

BY: Final = "tick"
JOBS_AT_ONCE: Final = 20


@dataclass(slots=True)
class Ticked:
    """What one round did; everything empty when nothing was due."""

    finished: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    collected: list[str] = field(default_factory=list)
    """What was removed from the stores because no reader can ask for it any more."""
    busy: str = ""
    """Who holds the publisher's lease, where that is somebody else; the work is theirs then."""
    errors: list[str] = field(default_factory=list)


def tick(means: Means, *, jobs_at_once: int = JOBS_AT_ONCE) -> Ticked:
    """One round. Errors of one kind of work do not keep the others; they are reported."""
    done = Ticked()
    try:
        with leasing.held(leasing.PUBLISHER, clock=means.clock, wait_s=0) as hold:
            _publishing(means, hold, done)
    except leasing.LeaseError as error:
        done.busy = str(error)
    except AlmanacError as error:
        done.errors.append(str(error))
    done.jobs = jobs.run_due(means, now=means.clock(), most=jobs_at_once)
    return done


def _publishing(means: Means, hold: Hold, done: Ticked) -> None:
    done.finished = [p.number for p in publishing.finish_unfinished(means, hold)]
    if ledger.published_release() is not None and _boundary_passed(means, now=means.clock()):
        publishing.request_publication(by=BY, now=means.clock())
    done.published = [p.number for p in publishing.publish_queued(means, hold)]
    if ledger.published_release() is not None:
        if due := renewals_due(means, now=means.clock()):
            _publish(means, hold, Publication.Reason.RESIGN)
            done.renewed = due
        if mirrors_changed(means):
            done.published.append(_publish(means, hold, Publication.Reason.MIRRORS).number)
        _bring_stores_forward(means, hold, done)
        _collect(means, hold, done)
    unfinished = set(Publication.objects.unfinished().values_list("pk", flat=True))
    done.cleaned = staging.clean(means.staging, keep=unfinished)


def _boundary_passed(means: Means, *, now: datetime) -> bool:
    """True when a window began or ended after the newest publication of a release was taken up."""
    boundary = means.catalog.latest_boundary(now=now)
    releases = Publication.objects.filter(started_at__isnull=False, reason=Publication.Reason.RELEASE)
    newest = releases.order_by("started_at").last()
    return boundary is not None and (
        newest is None or newest.started_at is None or newest.started_at < boundary
    )


def renewals_due(means: Means, *, now: datetime) -> list[str]:
    """The roles that should be signed anew, by age or because a key was rotated; opens no key.

    One that the newest signing had to postpone, because its offline key is missed, waits for the next one: the
    hourly timestamp tries it again.
    """
    newest = Publication.objects.filter(signed_at__isnull=False).order_by("pk").last()
    postponed = newest.report.get("postponed", []) if newest else []
    expiries = ledger.expiries().items()
    due = {role for role, expires in expiries if means.policy.is_due(role, expires=expires, now=now)}
    due |= outdated(
        current=ledger.current_metadata(),
        contents=ledger.current_contents(current_notices(means.catalog)),
        keyring=means.open_keys(),
    )
    return sorted(due - set(postponed))


def _publish(means: Means, hold: Hold, reason: Publication.Reason) -> Publication:
    publication = Publication.objects.create(reason=reason, requested_by=BY, requested_at=means.clock())
    return publishing.run(means, publication, hold)


def _bring_stores_forward(means: Means, hold: Hold, done: Ticked) -> None:
    stores.look_again(means, now=means.clock())
    newest = Publication.objects.committed().last()
    if newest and (behind := stores.lagging(means)):
        failed = stores.follow(
            means, newest, may_commit=lambda: hold.renew(now=means.clock()), now=means.clock()
        )
        done.stores = [url for url in behind if url not in failed]
        done.errors += failed.values()


def _collect(means: Means, hold: Hold, done: Ticked) -> None:
    collected = collecting.collect_due(means, hold)
    done.collected = [str(one) for one in collected.stores if one.removed or one.temporary]
    done.errors += collected.errors


def due(means: Means) -> Ticked:
    """What a round would do; nothing is touched, no key is opened."""
    now = means.clock()
    found = Ticked()
    found.finished = list(Publication.objects.unfinished().values_list("pk", flat=True))
    found.published = list(Publication.objects.queued().values_list("pk", flat=True))
    if ledger.published_release() is not None:
        found.renewed = renewals_due(means, now=now)
        found.stores = stores.lagging(means)
        found.collected = collecting.due_stores(means, now=now)
    found.jobs = [str(job) for job in Job.objects.due(now)[:JOBS_AT_ONCE]]
    return found
