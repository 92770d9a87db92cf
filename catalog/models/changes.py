"""Change requests: the one way by which the catalog is written."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from catalog.models.fields import CodePointField
from catalog.models.releases import Release
from catalog.records import Kind

KIND_CHOICES = [(kind.value, kind.value) for kind in Kind]


class ChangeRequest(models.Model):
    """A set of proposed edits; only ``services.changes`` writes it."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        IN_REVIEW = "in_review"
        APPROVED = "approved"
        APPLIED = "applied"
        PUBLISHED = "published"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"

    OPEN = (Status.DRAFT, Status.IN_REVIEW, Status.APPROVED)
    """Nothing of these is in the live rows yet."""

    title = models.CharField(max_length=300)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    author = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    applied_by = models.CharField(max_length=150, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, help_text="Who rejected or withdrew it.")
    closed_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="Why it was rejected or withdrawn.")
    single_person = models.BooleanField(
        default=False, help_text="Made, approved and applied by one person, as a small installation allows."
    )
    release = models.ForeignKey(
        Release, null=True, blank=True, on_delete=models.PROTECT, related_name="change_requests",
        help_text="The release that first contained it.",
    )  # fmt: skip

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(single_person=True) | Q(approved_by="") | ~Q(approved_by=F("author")),
                name="approver_is_not_author",
                violation_error_message="Whoever made a change request cannot approve it.",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=("approved", "applied", "published")) | ~Q(approved_by=""),
                name="approved_request_names_its_approver",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=("applied", "published"))
                | (Q(applied_at__isnull=False) & Q(approved_at__isnull=False)),
                name="applied_request_was_approved",
            ),
            models.CheckConstraint(
                condition=~Q(status="published") | Q(release__isnull=False),
                name="published_request_names_its_release",
            ),
            models.CheckConstraint(condition=~Q(author=""), name="change_request_has_an_author"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"


class Change(models.Model):
    """One record's part of a request: what it was and what it shall be, as canonical JSON; empty is absent."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=12, choices=KIND_CHOICES)
    key = CodePointField(max_length=520)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "kind", "key"], name="one_change_per_record_in_a_request"
            ),
            models.CheckConstraint(condition=~Q(before=F("after")), name="change_changes_something"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def verb(self) -> str:
        """``add``, ``change`` or ``remove``."""
        if not self.before:
            return "add"
        return "change" if self.after else "remove"
