"""The Celery app: the same work as the embedded worker, woken by a broker. The schedule is static: one idempotent tick."""

from __future__ import annotations

import os
from typing import Final

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

TICK_EVERY_S: Final = 60.0
BROKER_ANSWERS_WITHIN_S: Final = 3.0
"""Somebody who presses "publish" waits so long for a broker that says nothing; the row is there already."""

app = Celery("almanac")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {"tick": {"task": "mirrors.tasks.tick", "schedule": TICK_EVERY_S}}
app.conf.broker_connection_timeout = BROKER_ANSWERS_WITHIN_S
app.conf.broker_connection_max_retries = None  # a worker waits for its broker, however long it is away
if (app.conf.broker_url or "").startswith(("redis:", "rediss:")):
    app.conf.broker_transport_options = {"socket_connect_timeout": BROKER_ANSWERS_WITHIN_S}
