"""Work off the critical path: due rows, one at a time, each safe to do twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from almanac.errors import AlmanacError
from mirrors.models import Job, PublishedDocument
from mirrors.services import purging
from mirrors.services.means import Means
from mirrors.services.precompressing import BEST, QUICK, put_copies

MOST_ATTEMPTS: Final = 8
FIRST_WAIT: Final = timedelta(seconds=30)


def run_due(means: Means, *, now: datetime, most: int) -> list[str]:
    """Runs up to ``most`` due jobs; one that fails comes again later, each time after twice as long."""
    done = []
    for job in Job.objects.due(now)[:most]:
        try:
            _run(means, job)
        except AlmanacError as error:
            _put_off(job, str(error), now)
        else:
            job.delete()
            done.append(str(job))
    return done


def _run(means: Means, job: Job) -> None:
    if job.kind == Job.Kind.PURGE:
        purging.purge(means, job)
        return
    if job.kind == Job.Kind.PRECOMPRESS_BEST and not _is_listed(job.key):
        return  # superseded meanwhile: the quick copy is enough for what is left of its readers
    encoders = BEST if job.kind == Job.Kind.PRECOMPRESS_BEST else QUICK
    for store in means.stores.values():
        put_copies(store, job.key, encoders)


def _is_listed(address: str) -> bool:
    sha256 = address.rpartition("/")[2].partition(".")[0]
    return PublishedDocument.objects.filter(sha256=sha256, listed=True).exists()


def _put_off(job: Job, error: str, now: datetime) -> None:
    """One that somebody else has done meanwhile stays away."""
    attempts = job.attempts + 1
    due_at = now + FIRST_WAIT * 2 ** min(attempts, MOST_ATTEMPTS)
    Job.objects.filter(pk=job.pk).update(attempts=attempts, last_error=error, due_at=due_at)
