"""What a broker wakes up: look up, call a service. Twice, late or beside itself, it ends the same."""

from __future__ import annotations

from celery import shared_task

from mirrors.models import Publication
from mirrors.services import publishing, ticking
from mirrors.services.edge import means_from_settings


@shared_task(name="mirrors.tasks.tick")
def tick() -> None:
    """All periodic work that is due."""
    ticking.tick(means_from_settings())


@shared_task(name="mirrors.tasks.publish")
def publish(number: int) -> None:
    """A publication that was asked for; one that is gone or done already is left alone."""
    asked = Publication.objects.queued().filter(pk=number).first()
    if asked is not None:
        publishing.carry_out(means_from_settings(), asked)
