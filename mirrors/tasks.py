"""What a broker wakes up: look up, call a service. Twice, late or beside itself, it ends the same.

What goes wrong is a sentence in the log; the row says where to go on, and the next tick does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery import shared_task
from celery.exceptions import OperationalError
from django.conf import settings
from django.db import Error

from almanac.errors import AlmanacError
from mirrors.models import Publication
from mirrors.services import leasing, publishing, ticking, working
from mirrors.services.edge import means_from_settings

logger = logging.getLogger(__name__)

DATABASE_PATIENCE_S: Final = 60.0
"""For a restart of the database; a worker that it outlasts is of use to nobody meanwhile."""


@shared_task(name="mirrors.tasks.tick")
def tick() -> None:
    """All periodic work that is due."""
    with in_plain_words():
        working.log_tick(ticking.tick(means_from_settings()))


@shared_task(name="mirrors.tasks.publish")
def publish(number: int) -> None:
    """A publication that was asked for, or was begun by a worker that died; one that is gone or done is left alone."""
    with in_plain_words():
        begun = (Publication.State.QUEUED, *Publication.UNFINISHED)
        asked = Publication.objects.filter(pk=number, state__in=begun).first()
        if asked is not None:
            logger.info("%s", publishing.carry_out(means_from_settings(), asked))


def wake(publication: Publication) -> None:
    """Tells a worker that something was asked for, where there is a broker. Who cannot be told finds the row."""
    if not settings.CELERY_BROKER_URL:
        return
    with publish.app.connection_for_write() as broker:
        away: tuple[type[BaseException], ...] = (
            OperationalError,
            OSError,
            *broker.connection_errors,
            *broker.channel_errors,
        )
        try:
            broker.ensure_connection(max_retries=1, interval_start=0)
            publish.app.send_task(publish.name, (publication.number,), connection=broker, retry=False)
        except away as error:
            logger.warning("the broker does not answer (%s); the next tick takes up %s", error, publication)


@contextmanager
def in_plain_words() -> Iterator[None]:
    """A worker lives on when a publication stops or the database goes away, and leaves nobody waiting for its lease."""
    try:
        leasing.give_back_what_was_left()
        yield
    except AlmanacError as error:
        logger.error("%s", error)  # noqa: TRY400  # a sentence for people, not a traceback
    except Error as error:
        logger.error("database: %s; the next tick goes on", working.in_one_line(error))  # noqa: TRY400
        _outlast_the_database()


def _outlast_the_database() -> None:
    try:
        leasing.give_back_what_was_left(within_s=DATABASE_PATIENCE_S)
    except Error:
        logger.error("the database is still away; the lease is given back when it answers")  # noqa: TRY400
