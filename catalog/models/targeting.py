"""Who sees what: regions, featured lists, trials, experiments. Their evaluation is the client's."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from catalog.models.entries import ModelEntry, Offering
from catalog.models.fields import CodePointField, slug_form

EXPERIMENT_STATUSES = ("draft", "running", "paused", "ended")
BUCKETS = 10_000
WINDOW_HELP = "UTC; empty: no limit on this side."


def ends_after_it_starts(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(starts__isnull=True) | Q(ends__isnull=True) | Q(ends__gt=F("starts")),
        name=name,
        violation_error_message="It ends before it starts.",
    )


def exactly_one_subject(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(entry__isnull=False, offering__isnull=True)
        | Q(entry__isnull=True, offering__isnull=False),
        name=name,
        violation_error_message="Choose either a model entry or an offering.",
    )


class Region(models.Model):
    """A region inherits from its parent what it does not override; only ``global`` has none."""

    code = CodePointField(max_length=128, validators=[slug_form], help_text="Lower case: eu, de, …")
    name = models.CharField(max_length=200)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    enabled = models.BooleanField(
        default=True, help_text="An enabled region has documents at addresses of its own."
    )

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["code"], name="region_code_unique"),
            models.CheckConstraint(
                condition=Q(code="global", parent__isnull=True)
                | (~Q(code="global") & Q(parent__isnull=False)),
                name="only_global_has_no_parent",
                violation_error_message="Every region but global has a parent.",
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="region_is_not_its_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def key(self) -> str:
        return self.code


class OfSubject(models.Model):
    """A row about one entry or one offering."""

    entry = models.ForeignKey(
        ModelEntry,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Either this …",
    )
    offering = models.ForeignKey(
        Offering, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="… or this."
    )

    class Meta:
        abstract = True

    @property
    def subject(self) -> str:
        """``entry:lab/slug`` or ``offering:provider:native-id``."""
        return (
            f"entry:{self.entry.key}"
            if self.entry
            else f"offering:{self.offering.key if self.offering else ''}"
        )


class FeaturedList(models.Model):
    """An ordered, dated list of entries or offerings for one region."""

    slug = CodePointField(max_length=128, validators=[slug_form])
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="featured_lists")
    title = models.CharField(max_length=300)
    starts = models.DateTimeField(null=True, blank=True, help_text=WINDOW_HELP)
    ends = models.DateTimeField(null=True, blank=True, help_text=WINDOW_HELP)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="featured_list_slug_unique"),
            ends_after_it_starts("featured_list_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def key(self) -> str:
        return self.slug


class FeaturedItem(OfSubject):
    featured_list = models.ForeignKey(FeaturedList, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(default=0, help_text="From 0, top to bottom.")
    starts = models.DateTimeField(null=True, blank=True, help_text=WINDOW_HELP)
    ends = models.DateTimeField(null=True, blank=True, help_text=WINDOW_HELP)
    badge = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["featured_list", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["featured_list", "position"], name="featured_item_position_unique"
            ),
            exactly_one_subject("featured_item_has_one_subject"),
            ends_after_it_starts("featured_item_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return self.subject


class Trial(OfSubject):
    """A flag on an entry or offering; it ends on the client's clock even when the client is offline."""

    slug = CodePointField(max_length=128, validators=[slug_form])
    badge = models.CharField(max_length=40)
    starts = models.DateTimeField(null=True, blank=True, help_text=WINDOW_HELP)
    ends = models.DateTimeField(help_text="UTC; a trial always ends.")
    audience = models.JSONField(default=dict, blank=True, help_text="Who sees it; empty: everybody.")

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="trial_slug_unique"),
            exactly_one_subject("trial_has_one_subject"),
            ends_after_it_starts("trial_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def key(self) -> str:
        return self.slug


class Experiment(models.Model):
    """An A/B test: a range of a namespace's buckets, shared out among weighted arms."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        RUNNING = "running"
        PAUSED = "paused"
        ENDED = "ended"

    slug = CodePointField(max_length=128, validators=[slug_form], help_text="Its id; it never changes.")
    namespace = models.CharField(
        max_length=128, help_text="Experiments of one namespace do not share buckets; name#2 restarts it."
    )
    start = models.PositiveIntegerField(default=0, help_text=f"The first bucket, 0 to {BUCKETS - 1}.")
    count = models.PositiveIntegerField(
        default=BUCKETS, help_text=f"How many of the {BUCKETS} buckets take part."
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    audience = models.JSONField(default=dict, blank=True, help_text="Who takes part; empty: everybody.")

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="experiment_slug_unique"),
            models.CheckConstraint(
                condition=Q(start__lte=BUCKETS - F("count")),
                name="experiment_buckets_in_range",
                violation_error_message=f"start and count together reach beyond bucket {BUCKETS - 1}.",
            ),
            models.CheckConstraint(condition=Q(count__gt=0), name="experiment_has_buckets"),
            models.CheckConstraint(
                condition=Q(status__in=EXPERIMENT_STATUSES), name="experiment_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def key(self) -> str:
        return self.slug


class Arm(models.Model):
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    position = models.PositiveIntegerField(default=0)
    slug = CodePointField(max_length=128, validators=[slug_form])
    weight = models.PositiveIntegerField(default=1, help_text="Its share beside the other arms' weights.")
    changes = models.JSONField(
        default=dict, blank=True, help_text="What it changes of lists, visibility or order."
    )

    class Meta:
        ordering = ["experiment", "position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "slug"], name="arm_slug_unique_in_its_experiment"),
            models.CheckConstraint(condition=Q(weight__gte=0), name="arm_weight_not_negative"),
        ]

    def __str__(self) -> str:
        return self.slug
