"""Who sees what, and in which documents."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.admin.counting import how_many
from catalog.admin.record_admin import RecordAdmin, RowsInline
from catalog.admin.site import site
from catalog.columns import adjustment_fields
from catalog.forms.targeting import (
    AdjustmentForm,
    ArmForm,
    ExperimentForm,
    FeaturedItemForm,
    MembershipForm,
    SchemaForm,
    TrialForm,
)
from catalog.members import in_words
from catalog.models import (
    Adjustment,
    Arm,
    Experiment,
    FeaturedItem,
    FeaturedList,
    Membership,
    Region,
    Schema,
    Trial,
)
from catalog.records import Kind


@admin.register(Region, site=site)
class RegionAdmin(RecordAdmin):
    kind = Kind.REGION
    key_fields = ("code",)
    list_display = ("code", "name", "parent", "enabled")
    list_filter = ("enabled",)
    list_select_related = ("parent",)
    search_fields = ("code", "name")
    fields = ("code", "name", "parent", "enabled")


class FeaturedItemInline(admin.StackedInline, RowsInline):
    model = FeaturedItem
    form = FeaturedItemForm
    record_field = "items"
    ordered_by = "position"
    autocomplete_fields = ("entry", "offering")
    fields = (("position", "badge"), ("entry", "offering"), ("starts", "ends"))
    verbose_name = "place"
    verbose_name_plural = "places, from the top"


@admin.register(FeaturedList, site=site)
class FeaturedListAdmin(RecordAdmin):
    kind = Kind.FEATURED
    list_display = ("title", "slug", "region", "starts", "ends", "how_many_items")
    list_filter = ("region",)
    list_select_related = ("region",)
    search_fields = ("slug", "title")
    inlines = (FeaturedItemInline,)
    fields = ("slug", "title", "region", ("starts", "ends"))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(item_count=how_many(FeaturedItem, "featured_list"))

    @admin.display(description="places", ordering="item_count")
    def how_many_items(self, featured: Any) -> int:
        return int(featured.item_count)


@admin.register(Trial, site=site)
class TrialAdmin(RecordAdmin):
    kind = Kind.TRIAL
    form = TrialForm
    list_display = ("slug", "about", "badge", "starts", "ends")
    list_select_related = ("entry", "offering")
    search_fields = ("slug", "badge")
    autocomplete_fields = ("entry", "offering")
    fields = ("slug", ("entry", "offering"), "badge", ("starts", "ends"), "audience")

    @admin.display(description="about")
    def about(self, trial: Trial) -> str:
        return trial.subject.partition(":")[2]


class ArmInline(RowsInline):
    model = Arm
    form = ArmForm
    record_field = "arms"
    fields = ("slug", "weight", "changes")


@admin.register(Experiment, site=site)
class ExperimentAdmin(RecordAdmin):
    kind = Kind.EXPERIMENT
    form = ExperimentForm
    list_display = ("slug", "namespace", "status", "start", "count", "how_many_arms")
    list_filter = ("status",)
    search_fields = ("slug", "namespace")
    inlines = (ArmInline,)
    fields = ("slug", "status", ("namespace", "start", "count"), "audience")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(arm_count=how_many(Arm, "experiment"))

    @admin.display(description="arms", ordering="arm_count")
    def how_many_arms(self, experiment: Any) -> int:
        return int(experiment.arm_count)


@admin.register(Schema, site=site)
class SchemaAdmin(RecordAdmin):
    kind = Kind.SCHEMA
    key_fields = ("name",)
    form = SchemaForm
    list_display = (
        "name",
        "status",
        "sunset",
        "successor",
        "membership",
        "how_many_members",
        "complete_list",
    )
    list_filter = ("status", "membership")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "membership", "complete_list")}),
        ("Its life", {"fields": ("status", ("deprecated", "sunset"), "successor", "clients")}),
        ("The document as a whole", {"fields": ("document",), "classes": ["collapse"]}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(member_count=how_many(Membership, "schema"))

    @admin.display(description="own members", ordering="member_count")
    def how_many_members(self, schema: Any) -> int:
        return int(schema.member_count)


@admin.register(Membership, site=site)
class MembershipAdmin(RecordAdmin):
    kind = Kind.MEMBERSHIP
    key_fields = ("schema", "subject")
    form = MembershipForm
    list_display = ("subject", "schema", "position", "block", "overrides")
    list_filter = ("schema",)
    list_select_related = ("schema",)
    search_fields = ("key",)
    fields = (("schema", "subject"), ("position", "block"), "native")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> Any:
        """Keys are verbatim, so the words are looked up as they were typed."""
        return admin.ModelAdmin.get_search_results(self, request, queryset, search_term)

    @admin.display(description="overrides")
    def overrides(self, membership: Membership) -> str:
        """Fields in which this document says something of its own."""
        names = [*membership.native.get("set", {}), *membership.native.get("drop", ())]
        return ", ".join(names[:4]) + ("…" if len(names) > 4 else "") if names else "–"


@admin.register(Adjustment, site=site)
class AdjustmentAdmin(RecordAdmin):
    kind = Kind.ADJUSTMENT
    key_fields = ("schema", "subject")
    form = AdjustmentForm
    list_display = ("subject", "schema", "what")
    list_filter = ("schema", "hidden")
    list_select_related = ("schema",)
    search_fields = ("key",)
    fields = (("schema", "subject"), "reason", "hidden", "hold", "set", "drop")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> Any:
        """Keys are verbatim, so the words are looked up as they were typed."""
        return admin.ModelAdmin.get_search_results(self, request, queryset, search_term)

    @admin.display(description="what")
    def what(self, adjustment: Adjustment) -> str:
        return in_words(adjustment_fields(adjustment))
