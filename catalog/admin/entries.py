"""Who makes models, who serves them, what they are and what they cost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.admin.counting import how_many
from catalog.admin.differences import per_million
from catalog.admin.record_admin import RecordAdmin, RowsInline, change_many
from catalog.admin.site import site
from catalog.forms.entries import ArtifactForm, EntryForm, OfferingForm, PriceForm, ProviderForm
from catalog.models import Alias, Artifact, Lab, ModelEntry, Offering, Price, Provider
from catalog.records import CAPABILITIES, Kind

LIMITS = ("context_tokens", "max_input_tokens", "max_output_tokens")
MODALITIES = ("input_modalities", "output_modalities")


@admin.action(description="Deprecate: still offered, no longer to be chosen", permissions=["change"])
def deprecate(modeladmin: RecordAdmin, request: HttpRequest, queryset: QuerySet) -> None:
    title = f"Deprecate {modeladmin.opts.verbose_name_plural}"
    change_many(modeladmin, request, queryset, title=title, fields={"stage": "deprecated"})


@admin.action(description="Retire: no longer answers", permissions=["change"])
def retire(modeladmin: RecordAdmin, request: HttpRequest, queryset: QuerySet) -> None:
    title = f"Retire {modeladmin.opts.verbose_name_plural}"
    change_many(modeladmin, request, queryset, title=title, fields={"stage": "retired"})


@admin.register(Lab, site=site)
class LabAdmin(RecordAdmin):
    kind = Kind.LAB
    list_display = ("name", "slug", "url", "models")
    search_fields = ("search_text",)
    fields = ("slug", "name", "url")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(entry_count=how_many(ModelEntry, "lab"))

    @admin.display(description="models", ordering="entry_count")
    def models(self, lab: Any) -> int:
        return int(lab.entry_count)


@admin.register(Provider, site=site)
class ProviderAdmin(RecordAdmin):
    kind = Kind.PROVIDER
    form = ProviderForm
    list_display = ("name", "slug", "api", "how_many_offerings")
    search_fields = ("search_text",)
    fieldsets = (
        (None, {"fields": ("slug", "name", "names")}),
        ("For clients", {"fields": ("api", "env", "docs")}),
        ("For us", {"fields": ("notes",)}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(offering_count=how_many(Offering, "provider"))

    @admin.display(description="offerings", ordering="offering_count")
    def how_many_offerings(self, provider: Any) -> int:
        return int(provider.offering_count)


class AliasInline(RowsInline):
    model = Alias
    record_field = "aliases"
    fields = ("text",)


class ArtifactInline(admin.StackedInline, RowsInline):
    model = Artifact
    form = ArtifactForm
    record_field = "artifacts"
    verbose_name = "file"
    verbose_name_plural = "files to download"
    fields = (
        "name",
        "url",
        ("size_bytes", "ram_bytes", "hardware_tier"),
        ("format", "quantization"),
        "sha256",
    )


@admin.register(ModelEntry, site=site)
class EntryAdmin(RecordAdmin):
    kind = Kind.ENTRY
    key_fields = ("lab", "slug")
    form = EntryForm
    list_display = ("name", "key", "mode", "stage", "context_tokens", "released", "how_many_offerings")
    list_filter = ("stage", "mode", "open_weights", "reasoning", "vision", "tools", "lab")
    list_select_related = ("lab",)
    search_fields = ("search_text",)
    autocomplete_fields = ("lab",)
    inlines = (AliasInline, ArtifactInline)
    actions = (deprecate, retire)
    fieldsets = (
        (None, {"fields": (("lab", "slug"), "name", ("mode", "stage"), "description")}),
        ("Limits, in tokens", {"fields": (LIMITS,)}),
        ("Modalities", {"fields": (MODALITIES,)}),
        (
            "Capabilities",
            {
                "fields": (CAPABILITIES,),
                "classes": ["capabilities"],
                "description": "Unknown is neither yes nor no.",
            },
        ),
        (
            "Dates, as precise as they are known",
            {"fields": (("released", "knowledge_cutoff", "deprecated", "retired"),)},
        ),
        ("Licence and sources", {"fields": (("licence", "open_weights"), "links", "sources")}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(offering_count=how_many(Offering, "entry"))

    @admin.display(description="offerings", ordering="offering_count")
    def how_many_offerings(self, entry: Any) -> int:
        return int(entry.offering_count)


class PriceInline(RowsInline):
    model = Price
    form = PriceForm
    record_field = "prices"
    fields = ("meter", "modality", "unit", "amount", "currency", "above_tokens", "service_tier", "cache_ttl")


@admin.register(Offering, site=site)
class OfferingAdmin(RecordAdmin):
    kind = Kind.OFFERING
    key_fields = ("provider", "native_id", "ordinal")
    form = OfferingForm
    list_display = ("native_id", "provider_name", "entry_key", "stage", "input_price", "output_price")
    list_filter = ("stage", "provider")
    list_select_related = ("provider", "entry")
    search_fields = ("search_text",)
    autocomplete_fields = ("provider", "entry")
    inlines = (PriceInline,)
    actions = (deprecate, retire)
    fieldsets = (
        (None, {"fields": (("provider", "native_id", "ordinal"), "entry", "stage")}),
        ("Where it is offered", {"fields": (("available_only", "available_never"), "availability_note")}),
        (
            "Only what differs from the model's own facts",
            {
                "fields": (LIMITS, MODALITIES, CAPABILITIES, "endpoint"),
                "description": "Empty, unticked and unknown mean: as the model's own.",
                "classes": ["collapse", "capabilities"],
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("prices")

    @admin.display(description="provider", ordering="provider__slug")
    def provider_name(self, offering: Offering) -> str:
        return offering.provider.name

    @admin.display(description="model", ordering="entry__key")
    def entry_key(self, offering: Offering) -> str:
        return offering.entry.key

    @admin.display(description="input per million")
    def input_price(self, offering: Offering) -> str:
        return price_of(offering, "input")

    @admin.display(description="output per million")
    def output_price(self, offering: Offering) -> str:
        return price_of(offering, "output")


def price_of(offering: Offering, meter: str) -> str:
    """The plain price of a million tokens: text, standard tier, requests of any length."""
    for price in offering.prices.all():
        special = price.service_tier or price.cache_ttl or price.above_tokens
        if price.meter == meter and price.unit == "token" and price.modality in ("", "text") and not special:
            return f"{per_million(price.amount)} {price.currency}"
    return "–"
