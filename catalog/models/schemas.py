"""Published document formats and what each of them lists."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from catalog.models.entries import ModelEntry, Offering, Provider
from catalog.models.fields import CodePointField


class Schema(models.Model):
    """A published document format and its version."""

    class Status(models.TextChoices):
        CURRENT = "current"
        DEPRECATED = "deprecated"
        RETIRED = "retired"

    class MembershipMode(models.TextChoices):
        AUTOMATIC = "automatic", "automatic: whatever fulfils its required fields"
        EXPLICIT = "explicit", "explicit: exactly its members"

    name = CodePointField(max_length=64, help_text="v1, v2, litellm, almanac/v1, …")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CURRENT)
    deprecated = models.CharField(
        "deprecated since",
        max_length=10,
        blank=True,
        help_text="The day since which nobody should start to use it: 2026-11-20. Empty: the day on which it is saved.",
    )
    sunset = models.CharField(
        max_length=20,
        blank=True,
        help_text="The last day on which a deprecated schema is published: 2027-06-30.",
    )
    successor = CodePointField(
        max_length=64,
        blank=True,
        help_text="The schema to use instead; its address is shown to every reader.",
    )
    clients = models.JSONField(
        "client versions",
        default=dict,
        blank=True,
        help_text="The versions of each client that it suits: aichat = >=0.27.0 <0.31",
    )
    complete_list = models.BooleanField(
        default=False,
        help_text="Clients expect everything in it: a document with too few records is stopped.",
    )
    membership = models.CharField(
        max_length=9, choices=MembershipMode.choices, default=MembershipMode.AUTOMATIC
    )
    document = models.JSONField(default=dict, blank=True, help_text="What belongs to the whole document.")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="schema_name_unique"),
            models.CheckConstraint(
                condition=Q(status__in=("current", "deprecated", "retired")), name="schema_status_known"
            ),
            models.CheckConstraint(
                condition=Q(membership__in=("automatic", "explicit")), name="schema_membership_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        return self.name


class Membership(models.Model):
    """One member of a schema's document, in its place, with what the document says beyond or against the shared facts."""

    key = CodePointField(max_length=520, editable=False, help_text="schema|subject")
    schema = models.ForeignKey(Schema, on_delete=models.CASCADE, related_name="members")
    subject = CodePointField(
        max_length=450, help_text="entry:lab/slug, offering:provider:native-id, provider:slug or opaque:name."
    )
    entry = models.ForeignKey(
        ModelEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="memberships"
    )
    offering = models.ForeignKey(
        Offering, null=True, blank=True, on_delete=models.PROTECT, related_name="memberships"
    )
    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.PROTECT, related_name="memberships"
    )
    position = models.BigIntegerField(default=0, help_text="Sorts the members; gaps are left between them.")
    block = models.IntegerField(null=True, blank=True, help_text="Which block of the document it stands in.")
    native = models.JSONField(
        "overrides and extras",
        default=dict,
        blank=True,
        help_text="What this document says beyond the shared facts.",
    )

    class Meta:
        ordering = ["schema", "position", "key"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="membership_key_unique"),
            models.UniqueConstraint(fields=["schema", "subject"], name="subject_listed_once_in_a_schema"),
            models.CheckConstraint(
                condition=Q(entry__isnull=False, subject__startswith="entry:")
                | Q(offering__isnull=False, subject__startswith="offering:")
                | Q(provider__isnull=False, subject__startswith="provider:")
                | Q(subject__startswith="opaque:"),
                name="membership_subject_is_what_it_says",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class Adjustment(models.Model):
    """What an operator decided about one member of one schema's document: left out, said otherwise, or held back."""

    key = CodePointField(max_length=520, editable=False, help_text="schema|subject")
    schema = models.ForeignKey(Schema, on_delete=models.CASCADE, related_name="adjustments")
    subject = CodePointField(
        max_length=450,
        help_text="offering:provider:native-id, entry:lab/slug (with all its offerings), provider:slug (with all of its "
        "members) or opaque:name.",
    )
    entry = models.ForeignKey(
        ModelEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="adjustments"
    )
    offering = models.ForeignKey(
        Offering, null=True, blank=True, on_delete=models.PROTECT, related_name="adjustments"
    )
    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.PROTECT, related_name="adjustments"
    )
    reason = models.CharField(max_length=300, blank=True, help_text="Shown where the document is explained.")
    hidden = models.BooleanField(default=False, help_text="This document does not list it.")
    set = models.JSONField(
        "fields said otherwise",
        default=dict,
        blank=True,
        help_text="What this document says instead, as JSON, one field to a line: limit.context = 128000",
    )
    drop = models.JSONField(
        "fields left out", default=list, blank=True, help_text="Fields that this document does not state."
    )
    held = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        ordering = ["schema", "key"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="adjustment_key_unique"),
            models.UniqueConstraint(fields=["schema", "subject"], name="subject_adjusted_once_in_a_schema"),
            models.CheckConstraint(
                condition=Q(entry__isnull=False, subject__startswith="entry:")
                | Q(offering__isnull=False, subject__startswith="offering:")
                | Q(provider__isnull=False, subject__startswith="provider:")
                | Q(subject__startswith="opaque:"),
                name="adjustment_subject_is_what_it_says",
            ),
        ]

    def __str__(self) -> str:
        return self.key
