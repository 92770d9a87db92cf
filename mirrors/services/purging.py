"""After a commit: the caches in front of us are told which addresses changed. A job in the database remembers it until they
were told, so nothing here can fail a publication, and ``tick`` tries again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime

from almanac.addresses import INDEX, MIRRORS, TIMESTAMP
from almanac.errors import AlmanacError
from mirrors.models import Job, Publication
from mirrors.services.means import Means

logger = logging.getLogger(__name__)


def mutable_addresses(publication: Publication) -> Iterator[str]:
    """The few that this publication may have changed; everything else is immutable."""
    yield TIMESTAMP
    report = publication.report
    paths = [str(document["path"]) for document in report.get("documents", ())]
    for path in [*paths, *map(str, report.get("removed", ()))]:
        yield path
        yield f"{path}.minisig"
    if MIRRORS not in paths and publication.reason == Publication.Reason.MIRRORS:
        yield MIRRORS
    if publication.reason != Publication.Reason.RESIGN:
        yield INDEX


def announce(means: Means, publication: Publication, *, now: datetime) -> None:
    """Remembers it first, then tries at once; a cache that cannot be told now is told by ``tick``."""
    if not means.purgers:
        return
    job, _ = Job.objects.get_or_create(
        kind=Job.Kind.PURGE, key=str(publication.number), defaults={"due_at": now}
    )
    try:
        purge(means, job)
    except AlmanacError as error:
        logger.warning("%s; it is tried again", error)
    else:
        job.delete()


def purge(means: Means, job: Job) -> None:
    """Tells every cache, also when one of them fails; raises the first error."""
    publication = Publication.objects.filter(pk=int(job.key)).first()
    if publication is None:
        return
    base = means.base_url.rstrip("/")
    addresses = [f"{base}/{address}" for address in dict.fromkeys(mutable_addresses(publication))]
    errors = []
    for purger in means.purgers:
        try:
            purger.purge(addresses, reference=job.key)
        except AlmanacError as error:
            errors.append(error)
    if errors:
        raise errors[0]
