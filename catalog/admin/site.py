"""The admin's frame: names, the order of its parts, pages beside the tables, and a front page that answers two questions.

Rooms above this one add their tables, pages and answers to ``site``; the front page asks each answer once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, URLResolver, path, reverse
from django.utils import timezone

from catalog.admin.counting import how_many
from catalog.admin.pending import waiting
from catalog.models import Change, ChangeRequest, Lab, ModelEntry, Offering, Provider, Release, Schema

View = Callable[..., HttpResponse]

SECTIONS: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("Models", ("ModelEntry", "Offering", "Provider", "Lab")),
    (
        "What clients see",
        ("Region", "FeaturedList", "Trial", "Experiment", "Schema", "Membership", "Adjustment"),
    ),
    ("Publishing", ("ChangeRequest", "Release", "Publication")),
    ("People and records", ("User", "Group", "AuditEvent")),
)
"""The order in which an operator needs them, rather than the alphabet's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One tile of the front page; ``tone`` is ``good``, ``wait`` or ``bad``."""

    question: str
    answer: str
    detail: str = ""
    tone: str = "good"
    url: str = ""
    link: str = ""


class AlmanacAdminSite(admin.AdminSite):
    site_header = "Almanac"
    site_title = "Almanac"
    index_title = "Is everything all right?"
    index_template = "admin/almanac/index.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[tuple[str, View, str]] = []
        self._answers: list[Callable[[HttpRequest], Answer | None]] = []

    def add_page(self, route: str, view: View, name: str) -> None:
        """A page beside the tables; only staff reach it, the view itself checks the permission."""
        self._pages.append((route, view, name))

    def add_answer(self, answer: Callable[[HttpRequest], Answer | None]) -> None:
        self._answers.append(answer)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        pages: list[URLPattern | URLResolver] = [
            path(route, self.admin_view(view), name=name) for route, view, name in self._pages
        ]
        return pages + super().get_urls()

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        asked = [ask(request) for ask in (newest_release, waiting_changes, open_requests, *self._answers)]
        context = {
            "answers": [answer for answer in asked if answer],
            "counts": counts(request),
            "recent": ChangeRequest.objects.annotate(records=how_many(Change, "request"))[:8]
            if request.user.has_perm("catalog.view_changerequest")
            else [],
            **(extra_context or {}),
        }
        return super().index(request, context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """By section; a table that no section names stays with its app."""
        apps: list[Any] = list(super().get_app_list(request, app_label))
        if app_label:
            return apps
        tables = {model["object_name"]: model for app in apps for model in app["models"]}
        sections: list[Any] = []
        for name, wanted in SECTIONS:
            models = [tables.pop(model) for model in wanted if model in tables]
            if models:
                section = {"name": name, "app_label": name.lower().replace(" ", "-"), "models": models}
                sections.append({**section, "app_url": "", "has_module_perms": True})
        rest = [{**app, "models": [m for m in app["models"] if m["object_name"] in tables]} for app in apps]
        return sections + [app for app in rest if app["models"]]


site = AlmanacAdminSite()


def link_to(name: str, *args: object) -> str:
    """An address of the admin, or nothing where the room that has this page is not there."""
    try:
        return reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""


# --- what the front page answers ---------------------------------------------------------------------------------


def ago(then: datetime, now: datetime | None = None) -> str:
    """``3 hours ago``."""
    seconds = int(((now or timezone.now()) - then).total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def newest_release(request: HttpRequest) -> Answer | None:
    if not request.user.has_perm("catalog.view_release"):
        return None
    release = Release.objects.first()
    if release is None:
        return Answer("Newest release", "none yet", "The first publication makes it.", "wait")
    detail = f"cut {ago(release.cut_at)} by {release.cut_by}"
    url = link_to("catalog_release_change", release.pk)
    return Answer("Newest release", f"Release {release.number}", detail, "good", url, "What it changed")


def waiting_changes(request: HttpRequest) -> Answer | None:
    if not request.user.has_perm("catalog.view_changerequest"):
        return None
    count = waiting()
    if not count:
        return Answer("Waits to be published", "nothing", "The catalog is as released.")
    url = link_to("publish") if request.user.has_perm("mirrors.view_publication") else ""
    words = f"{count} record" if count == 1 else f"{count:,} records".replace(",", "\N{NO-BREAK SPACE}")
    return Answer(
        "Waits to be published", words, "changed since the newest release", "wait", url, "Look and publish"
    )


def open_requests(request: HttpRequest) -> Answer | None:
    if not request.user.has_perm("catalog.view_changerequest"):
        return None
    count = ChangeRequest.objects.filter(status__in=ChangeRequest.OPEN).count()
    if not count:
        return Answer("Change requests", "none open", "Edits are applied as they are saved.")
    url = link_to("catalog_changerequest_changelist") + "?open=1"
    return Answer("Change requests", f"{count} open", "not in the catalog yet", "wait", url, "See them")


def counts(request: HttpRequest) -> list[dict[str, Any]]:
    """How much there is of what, each with its list."""
    found = []
    for model in (ModelEntry, Offering, Provider, Lab, Schema):
        meta = model._meta  # noqa: SLF001 -- Django documents it
        if request.user.has_perm(f"catalog.view_{meta.model_name}"):
            count = model._default_manager.count()  # noqa: SLF001
            name = str(meta.verbose_name if count == 1 else meta.verbose_name_plural)
            found.append(
                {"name": name, "count": count, "url": link_to(f"catalog_{meta.model_name}_changelist")}
            )
    return found
