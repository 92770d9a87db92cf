"""Publish and roll back: what would change, in words, and the button. The worker does it; no key is opened here."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from almanac.errors import AlmanacError
from catalog.admin.pending import KindDifference, by_kind, unreleased, waiting
from catalog.admin.site import site
from catalog.models import ChangeRequest, Membership, Release, Schema
from catalog.reading import loaded
from catalog.records import Kind
from catalog.services.releases import RecordChange, restore_release
from mirrors.admin.publications import may_publish
from mirrors.models import Publication, PublishedDocument
from mirrors.services.cancelling import cancel_publication
from mirrors.services.catalog_source import CatalogSource
from mirrors.services.publishing import request_publication, retry_publication
from mirrors.tasks import wake

LONGEST_OVERRIDES: Final = 200


@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest) -> HttpResponse:
    """The difference, and on POST the request to publish it."""
    if request.method == "POST":
        return _request(request)
    if not request.user.has_perm("mirrors.view_publication"):
        raise PermissionDenied
    kinds = unreleased()
    context = {
        **site.each_context(request),
        "title": "Publish",
        "kinds": kinds,
        "total": sum(kind.total for kind in kinds),
        "newest": Release.objects.first(),
        "schemas": schema_lines(),
        "running": Publication.objects.filter(
            state__in=(Publication.State.QUEUED, *Publication.UNFINISHED)
        ).first(),
        "may_publish": may_publish(request),
    }
    return TemplateResponse(request, "admin/almanac/publish.html", context)


def _request(request: HttpRequest) -> HttpResponse:
    if not may_publish(request):
        raise PermissionDenied
    override = ",".join(dict.fromkeys(request.POST.getlist("override")))
    try:
        asked = request_publication(
            by=request.user.get_username(),
            now=timezone.now(),
            override=override[:LONGEST_OVERRIDES],
            reason=request.POST.get("reason", "").strip()[:2000],
        )
    except AlmanacError as error:
        messages.error(request, f"{error}{' — ' if error.advice else ''}{error.advice}")
        back = request.POST.get("back", "")
        known = back.isdecimal() and Publication.objects.filter(pk=back).exists()
        address = (
            reverse("admin:mirrors_publication_change", args=[back]) if known else reverse("admin:publish")
        )
        return HttpResponseRedirect(address)
    wake(asked)
    return HttpResponseRedirect(reverse("admin:mirrors_publication_change", args=[asked.pk]))


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    """A request to stop it before it is signed; its publisher sees it at the next step."""
    if not may_publish(request):
        raise PermissionDenied
    if request.method != "POST":  # whoever had to sign in again before it was sent
        return _page_of(number)
    try:
        cancel_publication(
            number=number, by=request.user.get_username(), now=timezone.now(), catalog=CatalogSource()
        )
    except AlmanacError as error:
        messages.error(request, f"{error}{' — ' if error.advice else ''}{error.advice}")
    return _page_of(number)


@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: HttpRequest, number: int) -> HttpResponse:
    """What stopped is asked for again; what was interrupted is gone on with."""
    if not may_publish(request):
        raise PermissionDenied
    if request.method != "POST":
        return _page_of(number)
    try:
        asked = retry_publication(number=number, by=request.user.get_username(), now=timezone.now())
    except AlmanacError as error:
        messages.error(request, f"{error}{' — ' if error.advice else ''}{error.advice}")
        return _page_of(number)
    wake(asked)
    return _page_of(asked.number)


def _page_of(number: int) -> HttpResponse:
    if not Publication.objects.filter(pk=number).exists():
        return HttpResponseRedirect(reverse("admin:mirrors_publication_changelist"))
    return HttpResponseRedirect(reverse("admin:mirrors_publication_change", args=[number]))


def schema_lines() -> list[dict[str, Any]]:
    """Each schema with its members and the document that readers have now."""
    published = {
        document.path: document
        for document in PublishedDocument.objects.filter(listed=True, path__startswith="catalog/")
    }
    overridden = Membership.objects.values_list("schema__name", flat=True).order_by()
    members: dict[str, int] = {}
    for name in overridden.iterator(chunk_size=5000):
        members[name] = members.get(name, 0) + 1
    lines = []
    for schema in Schema.objects.all():
        own = [document for path, document in published.items() if path.startswith(f"catalog/{schema.name}/")]
        lines.append(
            {"schema": schema, "members": members.get(schema.name, 0), "document": own[0] if own else None}
        )
    return lines


@require_http_methods(["GET", "HEAD", "POST"])
def roll_back(request: HttpRequest, number: int) -> HttpResponse:
    """What going back to a release would change; on POST the live records are set to it and published."""
    if not may_publish(request):
        raise PermissionDenied
    release = Release.objects.filter(number=number).first()
    if release is None:
        raise Http404("there is no such release")
    if not was_published(number):
        messages.error(request, f"Release {number} was never published, so there is no way back to it.")
        return HttpResponseRedirect(reverse("admin:catalog_release_change", args=[release.pk]))
    if request.method == "POST":
        return _go_back(request, release)
    kinds = _preview(release, by=request.user.get_username())
    context = {
        **site.each_context(request),
        "title": f"Roll back to release {number}",
        "release": release,
        "newest": Release.objects.first(),
        "kinds": kinds,
        "total": sum(kind.total for kind in kinds),
        "unpublished": waiting(),
    }
    return TemplateResponse(request, "admin/almanac/roll_back.html", context)


def was_published(number: int) -> bool:
    """Guards do not apply on the way back, because readers have seen that state before."""
    return Publication.objects.committed().filter(release=number).exists()


def _preview(release: Release, *, by: str) -> list[KindDifference]:
    """Exactly what the service would do, undone again."""
    with transaction.atomic():
        restored = restore_release(release=release.number, by=by, now=timezone.now())
        changes = list(restored.changes.all()) if isinstance(restored, ChangeRequest) else []
        transaction.set_rollback(True)
    return by_kind(
        RecordChange(Kind(change.kind), change.key, loaded(change.before), loaded(change.after))
        for change in changes
    )


def _go_back(request: HttpRequest, release: Release) -> HttpResponse:
    by, now = request.user.get_username(), timezone.now()
    try:
        with transaction.atomic():
            restore_release(release=release.number, by=by, now=now)
            asked = request_publication(by=by, now=now, restores=release.number)
    except AlmanacError as error:
        messages.error(request, f"{error}{' — ' if error.advice else ''}{error.advice}")
        return HttpResponseRedirect(reverse("admin:catalog_release_change", args=[release.pk]))
    wake(asked)
    return HttpResponseRedirect(reverse("admin:mirrors_publication_change", args=[asked.pk]))
