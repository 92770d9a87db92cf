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
from mirrors.admin.progress import bar, log_lines, store_lines
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
    State.CANCELLED: "cancelled: nothing was published",
}
TONES: Final[Mapping[str, str]] = {
    State.ANNOUNCED: "good",
    State.UNCHANGED: "good",
    State.STOPPED: "bad",
    State.FAILED: "bad",
}


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
        if publication.retries:
            return f"Another try of publication {publication.retries}"
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
        """The parts of the page that change, for the script that asks again while they do.

        What can be done is a part of its own, replaced only where something else can be done: whoever is about to
        press a button keeps it.
        """
        publication = Publication.objects.filter(pk=pk).first()
        if publication is None or not self.has_view_permission(request):
            return JsonResponse({"error": "there is no such publication"}, status=404)
        context = progress(request, publication)
        facts = {
            "state": publication.state,
            "over": context["over"],
            "says": context["words"],
            "html": render_to_string("admin/almanac/publication_progress.html", context, request),
            "details": render_to_string("admin/almanac/publication_details.html", context, request),
            "can": context["can"],
            "actions": render_to_string("admin/almanac/publication_actions.html", context, request),
        }
        response = JsonResponse(facts)
        response["Cache-Control"] = "no-store"
        return response


def progress(request: HttpRequest, publication: Publication) -> dict[str, Any]:
    """How far a publication has come, as its page shows it, and what can be done about it."""
    stopped_by = publication.report.get("stopped_by", [])
    over = publication.finished_at is not None
    again = publication.report.get("continued_as")
    return {
        "publication": publication,
        "words": f"goes on as publication {again}" if again else WORDS[publication.state],
        "continued_as": again,
        "tone": TONES.get(publication.state, "wait"),
        "over": over,
        "bar": None if publication.state == State.UNCHANGED else bar(publication),
        "log": log_lines(publication),
        "stores": store_lines(),
        "stopped_by": stopped_by,
        "overridable": sorted({o["guard"] for o in stopped_by if o.get("guard") and o.get("overridable")}),
        "fixed": [o for o in stopped_by if not o.get("overridable")],
        "may_publish": may_publish(request),
        "documents": publication.report.get("documents", []),
        "removed": publication.report.get("removed", []),
        "warnings": publication.report.get("warnings", []),
        "interrupted": "" if over else publication.report.get("interrupted", ""),
        **_can(request, publication),
    }


def _can(request: HttpRequest, publication: Publication) -> dict[str, Any]:
    """``can`` says in one word each what the buttons are: the page changes them when it changes."""
    state, may = publication.state, may_publish(request)
    is_release = publication.reason == Publication.Reason.RELEASE and publication.retries is None
    is_cancelling = publication.cancel_asked_at is not None and state in Publication.CANCELLABLE
    can_cancel = may and is_release and state in Publication.CANCELLABLE and not is_cancelling
    gave_up = state in {State.STOPPED, State.FAILED, State.CANCELLED}
    is_stuck = state in Publication.UNFINISHED and bool(publication.report.get("interrupted"))
    can_retry = may and publication.restores is None and (gave_up or is_stuck) and not is_cancelling
    flags = {
        "can_cancel": can_cancel,
        "can_retry": can_retry,
        "is_cancelling": is_cancelling,
        "too_late": is_release and state in {State.SIGNED, State.PUSHING},
        "is_stuck": is_stuck,
    }
    ended = [state] if gave_up else []
    return {**flags, "can": " ".join([*ended, *(name for name, so in flags.items() if so)])}


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
