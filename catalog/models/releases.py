"""Releases, the record versions that they are made of, and the rendered lines of their documents."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from catalog.models.fields import CodePointField, sha256_form


class Release(models.Model):
    """The frozen, approved state that a publication is made from; numbered by one, never edited."""

    number = models.PositiveIntegerField(editable=False)
    as_of = models.DateTimeField(
        null=True,
        editable=False,
        help_text="The latest boundary of a window that had passed; never the clock.",
    )
    cut_at = models.DateTimeField(editable=False)
    cut_by = models.CharField(max_length=150, editable=False)
    records = models.JSONField(
        default=dict, editable=False, help_text="How many records of each kind it holds."
    )
    added = models.PositiveIntegerField(default=0, editable=False)
    changed = models.PositiveIntegerField(default=0, editable=False)
    removed = models.PositiveIntegerField(default=0, editable=False)
    restores = models.PositiveIntegerField(
        null=True, editable=False, help_text="The release whose state it brought back."
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["number"], name="release_number_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="release_number_from_one"),
        ]

    def __str__(self) -> str:
        return f"release {self.number}"


class RecordVersion(models.Model):
    """One state of one record: the live truth and every release are made of these.

    ``since`` is the first release that contains it, ``until`` the first that no longer does; both are written by a cut.
    """

    kind = models.CharField(max_length=12, editable=False)
    key = CodePointField(max_length=520, editable=False)
    parent = CodePointField(
        max_length=520, editable=False, default="", help_text="Whose change touches this one's line."
    )
    data = models.TextField(editable=False, help_text="Canonical JSON.")
    digest = models.CharField(max_length=64, editable=False, validators=[sha256_form])
    live = models.BooleanField(default=True, editable=False)
    since = models.PositiveIntegerField(null=True, editable=False)
    until = models.PositiveIntegerField(null=True, editable=False)

    class Meta:
        ordering = ["kind", "key", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(live=True), name="one_live_version_per_record"
            ),
            models.CheckConstraint(
                condition=Q(live=False) | Q(until__isnull=True), name="live_version_has_no_end"
            ),
            models.CheckConstraint(
                condition=Q(live=True) | Q(since__isnull=False), name="superseded_version_was_released"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | (Q(since__isnull=False) & Q(until__gt=F("since"))),
                name="version_ends_after_it_begins",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "key", "since"], name="version_by_key"),
            models.Index(fields=["kind", "parent"], name="version_by_parent"),
            models.Index(fields=["since"], name="version_by_since"),
            models.Index(fields=["until"], name="version_by_until"),
            models.Index(
                fields=["kind", "key"], condition=Q(live=True, since__isnull=True), name="version_unreleased"
            ),
            models.Index(
                fields=["kind", "key"], condition=Q(live=False, until__isnull=True), name="version_superseded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.since or 'unreleased'})"


class DocumentState(models.Model):
    """One view as the newest release has it: its bytes' digest, and up to where its kept lines reflect the releases."""

    schema = CodePointField(max_length=64, editable=False)
    region = CodePointField(max_length=128, editable=False)
    release = models.PositiveIntegerField(editable=False)
    renderer = models.CharField(
        max_length=64, editable=False, help_text="Fingerprint of the code that made the lines."
    )
    sha256 = models.CharField(max_length=64, editable=False, validators=[sha256_form])
    length = models.PositiveBigIntegerField(editable=False, help_text="In bytes.")
    members = models.PositiveIntegerField(editable=False)
    findings = models.JSONField(
        default=list, editable=False, help_text="What the gate said to the lines together."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schema", "region"], name="one_state_per_view")]

    def __str__(self) -> str:
        return f"{self.schema} for {self.region} at release {self.release}"


class DocumentLine(models.Model):
    """One member's text in its schema's document; a region's document is made of the same lines."""

    schema = CodePointField(max_length=64, editable=False)
    key = CodePointField(max_length=520, editable=False)
    order = CodePointField(max_length=600, editable=False)
    text = models.TextField(editable=False)
    tail = models.TextField(
        editable=False, default="", help_text="What closes the block that this line opens."
    )
    omission = models.TextField(
        editable=False, default="", help_text="Why the member is left out; empty when it is not."
    )
    availability = models.TextField(
        editable=False, default="", help_text="Its offering's, as JSON; empty: everywhere."
    )
    findings = models.TextField(
        editable=False, default="", help_text="What the gate says to it, as JSON; empty: nothing."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schema", "key"], name="one_line_per_member")]
        indexes = [
            models.Index(fields=["schema", "order", "key"], name="line_by_order"),
            models.Index(fields=["schema"], condition=~Q(availability=""), name="line_of_some_regions"),
            models.Index(fields=["schema"], condition=~Q(omission=""), name="line_left_out"),
            models.Index(fields=["schema"], condition=~Q(findings=""), name="line_with_findings"),
        ]

    def __str__(self) -> str:
        return f"{self.schema}: {self.key}"


class DocumentSegment(models.Model):
    """A run of lines, joined: what a document is put together from, so that one changed line costs one segment.

    It holds the lines from ``start`` up to the next segment's; the first one starts at the empty text.
    """

    schema = CodePointField(max_length=64, editable=False)
    start = CodePointField(max_length=600, editable=False, help_text="Orders from here on are in it.")
    pieces = models.TextField(editable=False, help_text="Joined lines, as JSON.")
    members = models.PositiveIntegerField(editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schema", "start"], name="segment_starts_once")]

    def __str__(self) -> str:
        return f"{self.schema} from {self.start}"
