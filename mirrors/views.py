"""The public front page."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from almanac.addresses import INDEX
from almanac.stores import ObjectNotFoundError, StoreError, store_at
from mirrors.home import read_published


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What is published, how old it is, how to use it and how to verify it."""
    try:
        index = store_at(settings.ALMANAC_STORES[0]).get(INDEX)
    except (ObjectNotFoundError, StoreError):
        index = b""
    published = read_published(index, base_url=settings.PUBLIC_BASE_URL, now=datetime.now(UTC))
    response = render(
        request, "mirrors/home.html", {"published": published, "base_url": settings.PUBLIC_BASE_URL}
    )
    response["Cache-Control"] = "public, max-age=60"
    return response
