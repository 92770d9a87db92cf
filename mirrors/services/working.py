"""The embedded worker: makes what is asked for at once, ticks every minute, stops cleanly when told to.

Everything it does is in the database, so it may be killed at any moment, started twice, or not run at all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import Error, close_old_connections

from almanac.errors import AlmanacError
from mirrors.models import Publication
from mirrors.services import jobs, leasing, publishing, ticking
from mirrors.services.means import Means

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
TICK_EVERY_S: Final = 60.0
AFTER_AN_ERROR_S: Final = 5.0


def work(means: Means, *, stop: threading.Event, clock_s: Callable[[], float]) -> None:
    """Runs until ``stop`` is set; what is being published then is finished first."""
    next_tick, not_before = 0.0, 0.0
    while not stop.is_set():
        now_s = clock_s()
        try:
            leasing.give_back_what_was_left()
            if now_s >= next_tick:
                next_tick = now_s + TICK_EVERY_S
                log_tick(ticking.tick(means, jobs_at_once=0))
            elif now_s >= not_before and Publication.objects.queued().exists():
                _publish(means)
            elif not jobs.run_due(means, now=means.clock(), most=1):
                stop.wait(LOOK_EVERY_S)
        except AlmanacError as error:
            not_before = clock_s() + AFTER_AN_ERROR_S
            logger.error("%s; trying again", error)  # noqa: TRY400  # a sentence for people, not a traceback
            stop.wait(LOOK_EVERY_S)
        except Error as error:
            # What was begun is taken up again by the next round, which need not wait its minute for that.
            next_tick = not_before = clock_s() + AFTER_AN_ERROR_S
            logger.error("database: %s; trying again", in_one_line(error))  # noqa: TRY400
            close_old_connections()
            stop.wait(LOOK_EVERY_S)
        except Exception:
            # A fault of ours must not end the worker: the web server beside it would be stopped as well.
            not_before = clock_s() + AFTER_AN_ERROR_S
            logger.exception("this should not happen; trying again")
            stop.wait(LOOK_EVERY_S)


def _publish(means: Means) -> None:
    with leasing.held(leasing.PUBLISHER, clock=means.clock, wait_s=publishing.WAIT_S) as hold:
        done = [*publishing.finish_unfinished(means, hold), *publishing.publish_queued(means, hold)]
    for publication in done:
        logger.info("%s", publication)


def in_one_line(error: Error) -> str:
    """What a database says, without the hints and positions that follow."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def log_tick(ticked: ticking.Ticked) -> None:
    """What a round did, where there was something to do; who does nothing says nothing."""
    for error in ticked.errors:
        logger.error("%s", error)
    if ticked.renewed:
        logger.info("signed anew: %s", ", ".join(ticked.renewed))
    if ticked.published or ticked.finished:
        logger.info("publications made: %s", [*ticked.finished, *ticked.published])
