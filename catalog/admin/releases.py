"""Releases and what each of them changed; the audit chain."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from catalog.admin.differences import KIND_NAMES
from catalog.admin.pending import between
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.site import link_to, site
from catalog.models import AuditEvent, Release
from catalog.records import Kind


@admin.register(Release, site=site)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = ("number", "cut_at", "cut_by", "added", "changed", "removed", "restores")
    list_filter = ("cut_at",)
    search_fields = ("number", "cut_by")
    change_form_template = "admin/almanac/release.html"
    fieldsets = ((None, {"fields": (("cut_at", "cut_by"), ("as_of", "restores"), "holds")}),)
    readonly_fields = ("holds",)

    @admin.display(description="holds")
    def holds(self, release: Release) -> str:
        """In the order in which kinds refer to each other."""
        counted = [(release.records.get(kind, 0), KIND_NAMES[kind]) for kind in Kind]
        return ", ".join(f"{count} {names[count != 1]}" for count, names in counted if count)

    def get_urls(self) -> list[URLPattern]:
        compare = self.admin_site.admin_view(self.compare_view)
        return [
            path("<int:older>...<int:newer>/", compare, name="catalog_release_compare"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        release = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if release and self.has_view_permission(request, release):
            newest = Release.objects.values_list("number", flat=True).first()
            context |= {
                "kinds": between(release.number - 1, release.number),
                "newest": newest,
                "rollback_url": link_to("rollback", release.number) if release.number != newest else "",
                "may_roll_back": request.user.has_perm("mirrors.add_publication"),
            }
        return super().change_view(request, object_id, form_url, context)

    def compare_view(self, request: HttpRequest, older: int, newer: int) -> TemplateResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        numbers = set(Release.objects.filter(number__in=(older, newer)).values_list("number", flat=True))
        if {older, newer} - numbers - {0}:
            raise Http404("there is no such release")
        context = {
            **self.admin_site.each_context(request),
            "title": f"From release {older} to release {newer}",
            "kinds": between(older, newer),
            "opts": self.opts,
            "older": older,
            "newer": newer,
            "numbers": Release.objects.values_list("number", flat=True)[:200],
        }
        return TemplateResponse(request, "admin/almanac/compare.html", context)


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("seq", "at", "actor", "action", "object")
    list_filter = ("action", "at")
    search_fields = ("actor", "action", "object")
    fields = ("seq", "at", "actor", "action", "object", "detail", "prev_hash", "hash")
