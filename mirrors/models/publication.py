"""One row per attempt to bring a store forward: what was asked, how far it came, what it did."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class PublicationQuerySet(models.QuerySet["Publication"]):
    def queued(self) -> PublicationQuerySet:
        return self.filter(state=Publication.State.QUEUED).order_by("pk")

    def unfinished(self) -> PublicationQuerySet:
        """Begun and neither finished nor given up: what the next publisher finishes first."""
        return self.filter(state__in=Publication.UNFINISHED).order_by("pk")

    def committed(self) -> PublicationQuerySet:
        """Those that a reader of the store has seen or sees."""
        return self.filter(state__in=(Publication.State.COMMITTED, Publication.State.ANNOUNCED)).order_by(
            "pk"
        )


class Publication(models.Model):
    """A publication is a persisted state machine; its number is its primary key.

    queued → preparing → signed → pushing → committed → announced
                 ├→ unchanged  (there was nothing to publish)
                 ├→ stopped    (a gate or a guard said no; nothing was made)
                 ├→ cancelled  (somebody asked for it before it was signed; nothing was made)
                 └→ failed     (what was begun cannot be finished; the next one starts from the same release)
    """

    class Reason(models.TextChoices):
        RELEASE = "release", "a new release"
        MIRRORS = "mirrors", "a change of the mirror list"
        RESIGN = "resign", "signatures renewed"

    class State(models.TextChoices):
        QUEUED = "queued"
        PREPARING = "preparing"
        SIGNED = "signed"
        PUSHING = "pushing"
        COMMITTED = "committed"
        ANNOUNCED = "announced"
        UNCHANGED = "unchanged"
        STOPPED = "stopped"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED: ClassVar = (State.PREPARING, State.SIGNED, State.PUSHING, State.COMMITTED)
    CANCELLABLE: ClassVar = (State.QUEUED, State.PREPARING)
    """What is signed is kept for ever and never signed anew, so from there on it goes to its end."""
    ASKED: ClassVar = frozenset({"cancel_asked_by", "cancel_asked_at"})
    """Columns that are written while a publisher works, by whoever asks it for something."""

    reason = models.CharField(max_length=10, choices=Reason)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    release = models.PositiveIntegerField(
        null=True, blank=True, help_text="The release that it publishes; empty until it is cut."
    )
    requested_by = models.CharField(max_length=150)
    overrides = models.CharField(
        max_length=200, blank=True, help_text="Guards that may be passed this once, separated by commas."
    )
    override_reason = models.TextField(blank=True)
    restores = models.PositiveIntegerField(
        null=True, blank=True, help_text="The published release whose state it brings back: no guard applies."
    )
    retries = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="The unfinished one that is to be taken up now: it publishes nothing itself.",
    )
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    signed_at = models.DateTimeField(null=True, blank=True, editable=False)
    committed_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    report = models.JSONField(default=dict, blank=True, editable=False)
    steps = models.JSONField(
        default=list, blank=True, editable=False, help_text="The log: one entry for each step that was begun."
    )
    staged = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="Address → [offset, length, SHA-256] in the staging file.",
    )
    afterwards = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="Address → text of the unsigned files that follow the commit.",
    )
    fencing = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="The lease's number of whoever works on it."
    )
    cancel_asked_by = models.CharField(max_length=150, blank=True, editable=False)
    cancel_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = PublicationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["release"],
                condition=Q(reason="release", state__in=("signed", "pushing", "committed", "announced")),
                name="release_is_published_once",
            ),
            models.CheckConstraint(
                condition=~Q(reason="release")
                | Q(state__in=("queued", "preparing", "unchanged", "stopped", "failed", "cancelled"))
                | Q(release__isnull=False),
                name="signed_publication_names_its_release",
            ),
            models.CheckConstraint(
                condition=Q(overrides="") | ~Q(override_reason=""), name="override_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        what = f"release {self.release}" if self.release else self.get_reason_display()
        if self.retries:
            what = f"another try of publication {self.retries}"
        return f"publication {self.pk}: {what} ({self.state})"

    @property
    def number(self) -> int:
        return int(self.pk)

    def save_progress(self) -> None:
        """All that its publisher decides; what is asked of the publisher meanwhile stays as it is."""
        fields = {field.name for field in self._meta.concrete_fields if not field.primary_key}
        self.save(update_fields=fields - self.ASKED)

    @property
    def passes(self) -> frozenset[str]:
        """The guards that it may pass."""
        return frozenset(word.strip() for word in self.overrides.split(",") if word.strip())

    @property
    def facts(self) -> dict[str, Any]:
        """The report as the command and the admin show it."""
        return {
            "publication": self.pk,
            "reason": self.reason,
            "state": self.state,
            "release": self.release,
            **self.report,
        }


class StoreProgress(models.Model):
    """How far one store has come; a store that failed is brought forward by ``tick``."""

    url = models.CharField(max_length=500, unique=True)
    publication = models.PositiveBigIntegerField(default=0, help_text="The newest one committed there.")
    last_error = models.TextField(blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(
        null=True, blank=True, help_text="The first error after which nothing went well there."
    )
    done = models.PositiveIntegerField(default=0, help_text="Objects of the publication under way.")
    total = models.PositiveIntegerField(default=0, help_text="0: nothing is under way.")

    class Meta:
        verbose_name_plural = "store progress"

    def __str__(self) -> str:
        return f"{self.url}: publication {self.publication}"
