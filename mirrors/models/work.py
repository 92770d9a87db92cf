"""Work that is due lives in the database: a row claims it, a lease guards it, a sweep heals it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q


class Lease(models.Model):
    """Who may do a thing that only one may do. Its number rises with every holder, so a late one is told apart."""

    name = models.CharField(max_length=60, unique=True)
    holder = models.CharField(max_length=200, blank=True, help_text="host:process:start; empty when free.")
    fencing = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(holder="", expires_at__isnull=True)
                | (~Q(holder="") & Q(expires_at__isnull=False)),
                name="held_lease_expires",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.holder or 'free'}"


class JobQuerySet(models.QuerySet["Job"]):
    def due(self, now: datetime) -> JobQuerySet:
        return self.filter(due_at__lte=now).order_by("due_at", "pk")


class Job(models.Model):
    """A piece of work off the critical path, unique by its key: asking twice is asking once."""

    class Kind(models.TextChoices):
        PRECOMPRESS = "precompress", "precompressed copies of a document"
        PRECOMPRESS_BEST = "precompress-best", "smaller precompressed copies of a document"
        PURGE = "purge", "tell caches what a publication changed"

    kind = models.CharField(max_length=30, choices=Kind)
    key = models.CharField(max_length=1100, help_text="What it is about: an address, a number.")
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "key"], name="job_is_asked_for_once")
        ]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="job_by_due_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
