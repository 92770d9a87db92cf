"""The Celery app: the same work as the embedded worker, woken by a broker. The schedule is static: one idempotent tick."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

app = Celery("almanac")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {"tick": {"task": "mirrors.tasks.tick", "schedule": 60.0}}
