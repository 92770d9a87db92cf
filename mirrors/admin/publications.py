"""Publications: what was asked for, how far it came, what it did, and why it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path

from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.site import Answer, ago, link_to, site
from mirrors.models import Publication

State = Publication.State
WORDS: Final[Mapping[str, str]] = {
    State.QUEUED: "waits for the worker",
    State.PREPARING: "being rendered and checked",
    State.SIGNED: "signed, not yet pushed",
    State.PUSHING: "being pushed",
    State.COMMITTED: "visible; the rest follows",
    State.ANNOUNCED: "published",
    State.UNCHANGED: "there was nothing to publish",
    State.STOPPED: "stopped: nothing was published",
    State.FAILED: "failed: nothing was published",
}
TONES: Final[Mapping[str, str]] = {
    State.ANNOUNCED: "good",
    State.UNCHANGED: "good",
    State.STOPPED: "bad",
    State.FAILED: "bad",
}
STAGES: Final = (
    ("waiting", "asked for", ()),
    ("rendered", "rendered and checked", ("rendered",)),
    ("signed", "deltas made, signed", ("signed",)),
    ("committed", "pushed and visible", ("committed",)),
    ("announced", "plain addresses, announced", ("announced",)),
)
"""Name, words, and the recorded steps that say it is done."""


@admin.register(Publication, site=site)
class PublicationAdmin(ReadOnlyAdmin):
    list_display = ("number", "what", "how", "requested_by", "requested_at", "finished_at")
    list_display_links = ("number", "what")
    list_filter = ("state", "reason", "requested_at")
    search_fields = ("requested_by", "release")
    change_form_template = "admin/almanac/publication.html"
    fieldsets = ((None, {"fields": (("requested_by", "requested_at"), ("started_at", "finished_at"))}),)

    @admin.display(description="number", ordering="pk")
    def number(self, publication: Publication) -> int:
        return publication.number

    @admin.display(description="what", ordering="release")
    def what(self, publication: Publication) -> str:
        return f"Release {publication.release}" if publication.release else publication.get_reason_display()

    @admin.display(description="how it went", ordering="state")
    def how(self, publication: Publication) -> str:
        return WORDS[publication.state]

    def get_urls(self) -> list[URLPattern]:
        progress = self.admin_site.admin_view(self.progress_view)
        return [
            path("<int:pk>/progress.json", progress, name="mirrors_publication_progress"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        publication = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(progress(request, publication) if publication else {})}
        return super().change_view(request, object_id, form_url, context)

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """The part of the page that changes, for the script that asks again while it does."""
        publication = Publication.objects.filter(pk=pk).first()
        if publication is None or not self.has_view_permission(request):
            return JsonResponse({"error": "there is no such publication"}, status=404)
        context = progress(request, publication)
        html = render_to_string("admin/almanac/publication_progress.html", context, request)
        response = JsonResponse({"state": publication.state, "over": context["over"], "html": html})
        response["Cache-Control"] = "no-store"
        return response


def progress(request: HttpRequest, publication: Publication) -> dict[str, Any]:
    """How far a publication has come, as its page shows it."""
    done = dict(publication.steps)
    over = publication.finished_at is not None
    stages = []
    current_found = False
    for name, words, steps in STAGES:
        is_done = (name == "waiting" and publication.state != State.QUEUED) or any(
            step in done for step in steps
        )
        is_current = not is_done and not over and not current_found
        current_found = current_found or is_current
        seconds = next((done[step] for step in steps if step in done), None)
        stages.append({"words": words, "done": is_done, "current": is_current, "seconds": seconds})
    stopped_by = publication.report.get("stopped_by", [])
    return {
        "publication": publication,
        "words": WORDS[publication.state],
        "tone": TONES.get(publication.state, "wait"),
        "over": over,
        "stages": [] if publication.state == State.UNCHANGED else stages,
        "stopped_by": stopped_by,
        "overridable": sorted({o["guard"] for o in stopped_by if o.get("guard") and o.get("overridable")}),
        "fixed": [o for o in stopped_by if not o.get("overridable")],
        "may_publish": may_publish(request),
        "documents": publication.report.get("documents", []),
        "removed": publication.report.get("removed", []),
        "warnings": publication.report.get("warnings", []),
        "interrupted": publication.report.get("interrupted", ""),
    }


def may_publish(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("mirrors.add_publication"))


def last_publication(request: HttpRequest) -> Answer | None:
    """The front page's answer: how the last one went."""
    if not request.user.has_perm("mirrors.view_publication"):
        return None
    publication = Publication.objects.first()
    if publication is None:
        return Answer("Last publication", "none yet", "Nothing was asked for.", "wait")
    when = publication.finished_at or publication.requested_at
    release = f"release {publication.release}, " if publication.release else ""
    url = link_to("mirrors_publication_change", publication.pk)
    tone = TONES.get(publication.state, "wait")
    return Answer(
        "Last publication", WORDS[publication.state], f"{release}{ago(when)}", tone, url, "How it went"
    )
