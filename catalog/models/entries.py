"""Who makes models, who serves them, and what they are."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from catalog.models.facts import STAGE_CHOICES, StatedFacts, positive_limits
from catalog.models.fields import (
    CodePointField,
    ExactDecimalField,
    PartialDateField,
    native_id_form,
    sha256_form,
    slug_form,
)
from catalog.records import HARDWARE_TIERS, METERS, MODALITIES, MODES, STAGES, UNITS, offering_key

SLUG_HELP = "Lower-case letters, digits, '.', '_', '-'; it never changes."
SEARCH_HELP = "What the search box compares with; made from the fields above."


def choices(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(word, word.replace("_", " ")) for word in words]


class Lab(models.Model):
    """Who made a model."""

    slug = CodePointField(max_length=128, validators=[slug_form], help_text=SLUG_HELP)
    name = models.CharField(max_length=200)
    url = models.CharField("URL", max_length=2000, blank=True)
    search_text = models.TextField(editable=False, default="", help_text=SEARCH_HELP)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="lab_slug_unique"),
            models.CheckConstraint(condition=~Q(slug=""), name="lab_slug_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        return self.slug


class Provider(models.Model):
    """Who serves models: owns the endpoint, its environment variables and document links."""

    slug = CodePointField(max_length=128, validators=[slug_form], help_text=SLUG_HELP)
    name = models.CharField(max_length=200)
    api = models.CharField(
        "API base URL", max_length=2000, blank=True, help_text="Where its API begins, as clients need it."
    )
    env = models.JSONField(
        "environment variables",
        default=list,
        blank=True,
        help_text='Variables that hold its key: ["OPENAI_API_KEY"].',
    )
    docs = models.CharField("documentation", max_length=2000, blank=True)
    names = models.JSONField(
        default=dict,
        blank=True,
        help_text='What a family of documents calls it where that is not the slug: {"aichat": "claude"}.',
    )
    notes = models.TextField(blank=True)
    search_text = models.TextField(editable=False, default="", help_text=SEARCH_HELP)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="provider_slug_unique"),
            models.CheckConstraint(condition=~Q(slug=""), name="provider_slug_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        return self.slug


class ModelEntry(StatedFacts):
    """The identity of a model, whoever serves it."""

    key = CodePointField(max_length=257, editable=False, help_text="lab/slug")
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="entries")
    slug = CodePointField(max_length=128, validators=[slug_form], help_text=SLUG_HELP)
    name = models.CharField(max_length=300)
    mode = models.CharField(
        max_length=20, choices=choices(MODES), default="chat", help_text="What it is for."
    )
    stage = models.CharField(max_length=12, choices=STAGE_CHOICES, default="current")
    description = models.TextField(blank=True)
    released = PartialDateField(help_text="2025, 2025-05 or 2025-05-01: as precise as it is known.")
    knowledge_cutoff = PartialDateField(help_text="The last date that its training data covers.")
    deprecated = PartialDateField(help_text="From when it should no longer be chosen.")
    retired = PartialDateField(help_text="From when it no longer answers.")
    licence = models.CharField(max_length=200, blank=True, help_text="An SPDX expression where there is one.")
    open_weights = models.BooleanField(
        null=True, blank=True, help_text="Its weights can be downloaded; empty: not known."
    )
    links = models.JSONField(default=dict, blank=True, help_text='{"model card": "https://…"}')
    sources = models.JSONField(default=list, blank=True, help_text="Where these facts come from.")
    search_text = models.TextField(editable=False, default="", help_text=SEARCH_HELP)

    class Meta:
        verbose_name_plural = "model entries"
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="entry_key_unique"),
            models.UniqueConstraint(fields=["lab", "slug"], name="entry_slug_unique_in_its_lab"),
            models.CheckConstraint(condition=Q(mode__in=MODES), name="entry_mode_known"),
            models.CheckConstraint(condition=Q(stage__in=STAGES), name="entry_stage_known"),
            *positive_limits(),
        ]

    def __str__(self) -> str:
        return self.key


class Alias(models.Model):
    """Another name that people use for an entry."""

    entry = models.ForeignKey(ModelEntry, on_delete=models.CASCADE, related_name="aliases")
    position = models.PositiveIntegerField(default=0)
    text = models.CharField(max_length=256)

    class Meta:
        verbose_name_plural = "aliases"
        ordering = ["entry", "position"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "text"], name="alias_unique_in_its_entry"),
            models.CheckConstraint(condition=~Q(text=""), name="alias_not_empty"),
        ]

    def __str__(self) -> str:
        return self.text


class Artifact(models.Model):
    """A downloadable file of an entry."""

    entry = models.ForeignKey(ModelEntry, on_delete=models.CASCADE, related_name="artifacts")
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=256)
    url = models.CharField("URL", max_length=2000)
    size_bytes = models.BigIntegerField(null=True, blank=True, help_text="Exactly, in bytes.")
    sha256 = models.CharField(
        "SHA-256",
        max_length=64,
        blank=True,
        validators=[sha256_form],
        help_text="64 lower-case hexadecimal digits.",
    )
    format = models.CharField(max_length=40, blank=True, help_text="gguf, safetensors, mlx, …")
    quantization = models.CharField(max_length=40, blank=True, help_text="Q4_K_M, for example.")
    ram_bytes = models.BigIntegerField("RAM needed", null=True, blank=True, help_text="In bytes.")
    hardware_tier = models.CharField(max_length=12, blank=True, choices=choices(HARDWARE_TIERS))

    class Meta:
        ordering = ["entry", "position"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "name"], name="artifact_name_unique_in_its_entry"),
            models.CheckConstraint(
                condition=Q(size_bytes__isnull=True) | Q(size_bytes__gt=0), name="artifact_size_positive"
            ),
            models.CheckConstraint(
                condition=Q(ram_bytes__isnull=True) | Q(ram_bytes__gt=0), name="artifact_ram_positive"
            ),
            models.CheckConstraint(
                condition=Q(hardware_tier="") | Q(hardware_tier__in=HARDWARE_TIERS),
                name="artifact_hardware_tier_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Offering(StatedFacts):
    """A provider's version of a model; what it states of limits and capabilities is only what differs from the entry."""

    key = CodePointField(max_length=400, editable=False, help_text="provider:native-id")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="offerings")
    native_id = CodePointField(
        max_length=256,
        validators=[native_id_form],
        help_text="Exactly as the provider writes it; it never changes.",
    )
    ordinal = models.PositiveIntegerField(
        default=1, help_text="Above 1 where the provider's list repeats an id."
    )
    entry = models.ForeignKey(ModelEntry, on_delete=models.PROTECT, related_name="offerings")
    stage = models.CharField(max_length=12, choices=STAGE_CHOICES, default="current")
    available_only = models.JSONField(
        default=list,
        blank=True,
        help_text='Region codes where it is offered, and their children: ["eu"]; empty: everywhere.',
    )
    available_never = models.JSONField(
        default=list, blank=True, help_text="Region codes where it is not offered."
    )
    availability_note = models.TextField(blank=True)
    endpoint = models.JSONField(
        default=dict, blank=True, help_text="Facts about its endpoint, as text by name."
    )
    search_text = models.TextField(editable=False, default="", help_text=SEARCH_HELP)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="offering_key_unique"),
            models.UniqueConstraint(
                fields=["provider", "native_id", "ordinal"], name="offering_native_id_unique_at_its_provider"
            ),
            models.CheckConstraint(condition=Q(ordinal__gte=1), name="offering_ordinal_from_one"),
            models.CheckConstraint(condition=~Q(native_id=""), name="offering_native_id_not_empty"),
            models.CheckConstraint(condition=Q(stage__in=STAGES), name="offering_stage_known"),
            *positive_limits("offering_"),
        ]

    def __str__(self) -> str:
        return self.key

    def made_key(self) -> str:
        """The key that its three parts give; ``key`` holds it."""
        return offering_key(self.provider.slug, self.native_id, self.ordinal)


class Price(models.Model):
    """What one unit costs at an offering."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="prices")
    position = models.PositiveIntegerField(default=0)
    meter = models.CharField(max_length=12, choices=choices(METERS), help_text="What is counted.")
    modality = models.CharField(
        max_length=8, choices=choices(MODALITIES), blank=True, help_text="Empty: text."
    )
    unit = models.CharField(
        max_length=12, choices=choices(UNITS), default="token", help_text="The amount is for one of it."
    )
    amount = ExactDecimalField(help_text="For a single unit: 0.0000015 is 1.50 per million tokens.")
    currency = models.CharField(max_length=3, default="USD", help_text="ISO 4217: three capital letters.")
    above_tokens = models.BigIntegerField(
        default=0, blank=True, help_text="Counts for requests with more input tokens than this; 0: for all."
    )
    service_tier = models.CharField(
        max_length=20, blank=True, help_text="batch, flex, priority; empty: standard."
    )
    cache_ttl = models.CharField(
        "cache lifetime", max_length=12, blank=True, help_text="1h; empty: the provider's usual."
    )
    spelling = models.CharField(
        max_length=80, blank=True, editable=False, help_text="As the first source wrote it."
    )

    class Meta:
        ordering = ["offering", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "offering",
                    "meter",
                    "modality",
                    "unit",
                    "currency",
                    "above_tokens",
                    "service_tier",
                    "cache_ttl",
                ],
                name="price_stated_once",
            ),
            models.CheckConstraint(condition=~Q(amount__startswith="-"), name="price_amount_not_negative"),
            models.CheckConstraint(condition=Q(meter__in=METERS), name="price_meter_known"),
            models.CheckConstraint(condition=Q(unit__in=UNITS), name="price_unit_known"),
            models.CheckConstraint(condition=Q(above_tokens__gte=0), name="price_tier_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.meter}: {self.amount} {self.currency}/{self.unit}"
