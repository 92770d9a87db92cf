"""Change requests: what was edited, by whom, field by field; open ones can be approved, applied, rejected, withdrawn."""

# ruff: noqa: ARG002 -- Django decides what its methods are given
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from almanac.errors import AlmanacError
from catalog.admin.counting import how_many
from catalog.admin.differences import record_difference
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.site import site
from catalog.models import Change, ChangeRequest
from catalog.reading import loaded
from catalog.records import Kind
from catalog.services import changes as services

Status = ChangeRequest.Status
RECORDS_SHOWN: Final = 50
Step = Callable[[ChangeRequest, str, str], Any]


def _submit(request: ChangeRequest, by: str, _reason: str) -> None:
    services.submit_change_request(request=request, by=by, now=timezone.now())


def _approve(request: ChangeRequest, by: str, _reason: str) -> None:
    """Approving and applying are one step for whoever looks at it here."""
    with transaction.atomic():
        now = timezone.now()
        approved = services.approve_change_request(request=request, by=by, now=now)
        services.apply_change_request(request=approved, by=by, now=now)


def _apply(request: ChangeRequest, by: str, _reason: str) -> None:
    services.apply_change_request(request=request, by=by, now=timezone.now())


def _reject(request: ChangeRequest, by: str, reason: str) -> None:
    services.reject_change_request(request=request, by=by, reason=reason, now=timezone.now())


def _withdraw(request: ChangeRequest, by: str, reason: str) -> None:
    services.withdraw_change_request(request=request, by=by, reason=reason, now=timezone.now())


STEPS: Final[dict[str, tuple[Step, str]]] = {
    "submit": (_submit, "was submitted for review"),
    "approve": (_approve, "was approved and applied"),
    "apply": (_apply, "was applied"),
    "reject": (_reject, "was rejected"),
    "withdraw": (_withdraw, "was withdrawn"),
}
OFFERED: Final[dict[str, tuple[str, ...]]] = {
    Status.DRAFT: ("submit", "approve"),
    Status.IN_REVIEW: ("approve",),
    Status.APPROVED: ("apply",),
}


class OpenFilter(admin.SimpleListFilter):
    title = "whether it is open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("1", "Open"), ("0", "Done with"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "1":
            return queryset.filter(status__in=ChangeRequest.OPEN)
        return queryset.exclude(status__in=ChangeRequest.OPEN) if self.value() == "0" else queryset


@admin.register(ChangeRequest, site=site)
class ChangeRequestAdmin(ReadOnlyAdmin):
    list_display = ("id", "title", "status", "author", "created_at", "records", "release")
    list_display_links = ("id", "title")
    list_filter = (OpenFilter, "status", "created_at")
    list_select_related = ("release",)
    search_fields = ("title", "author", "changes__key")
    change_form_template = "admin/almanac/change_request.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("status", "release"),
                    ("author", "created_at"),
                    ("approved_by", "approved_at"),
                    ("applied_by", "applied_at"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(record_count=how_many(Change, "request"))

    @admin.display(description="records", ordering="record_count")
    def records(self, change_request: Any) -> int:
        return int(change_request.record_count)

    def get_urls(self) -> list[URLPattern]:
        step = self.admin_site.admin_view(require_POST(self.step_view))
        return [
            path("<int:pk>/step/<slug:step>/", step, name="catalog_changerequest_step"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        found = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(self._details(request, found) if found else {})}
        return super().change_view(request, object_id, form_url, context)

    def _details(self, request: HttpRequest, found: ChangeRequest) -> dict[str, Any]:
        page = Paginator(found.changes.all(), RECORDS_SHOWN).get_page(request.GET.get("page"))
        records = [
            record_difference(Kind(change.kind), change.key, loaded(change.before), loaded(change.after))
            for change in page.object_list
        ]
        may = may_decide(request)
        return {
            "page": page,
            "records": records,
            "steps": OFFERED.get(found.status, ()) if may else (),
            "may_close": may and found.status in ChangeRequest.OPEN,
        }

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if not may_decide(request):
            raise PermissionDenied
        found = ChangeRequest.objects.filter(pk=pk).first()
        if found is None or step not in STEPS:
            raise Http404
        action, words = STEPS[step]
        try:
            action(found, request.user.get_username(), request.POST.get("reason", "").strip()[:2000])
            messages.success(request, f"Change request {pk} {words}.")
        except AlmanacError as error:
            messages.error(request, f"{error}{' — ' if error.advice else ''}{error.advice}")
        return HttpResponseRedirect(reverse("admin:catalog_changerequest_change", args=[pk]))


def may_decide(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("catalog.change_changerequest"))
