"""Is everything all right? The same checks as ``doctor`` and ``/readyz``, for the front page and a page of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from catalog.admin.site import Answer, link_to, site
from mirrors.checks import Verdict, examined, worst
from mirrors.services.edge import measured

TONES: Final[Mapping[Verdict, str]] = {"good": "good", "warn": "wait", "bad": "bad"}
WORDS: Final[Mapping[Verdict, str]] = {"good": "well", "warn": "look at it", "bad": "act now"}
ORDER: Final[tuple[Verdict, ...]] = ("bad", "warn", "good")


def health(request: HttpRequest) -> Answer | None:
    """Read from what the stores and the public address really serve, at most some seconds ago."""
    if not request.user.has_perm("mirrors.view_publication"):
        return None
    checks = examined(measured.facts())
    verdict = worst(checks)
    url = link_to("health")
    if verdict == "good":
        return Answer(
            "Stores, keys and signatures", "all well", f"{len(checks)} checks", "good", url, "See them"
        )
    found = [check for check in checks if check.verdict == verdict]
    words = (
        f"{len(found)} thing{'' if len(found) == 1 else 's'} to {'mend' if verdict == 'bad' else 'look at'}"
    )
    return Answer(
        "Stores, keys and signatures",
        words,
        "; ".join(dict.fromkeys(check.kind.replace("-", " ") for check in found)),
        TONES[verdict],
        url,
        "What to do",
    )


@require_safe
def health_page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("mirrors.view_publication"):
        raise PermissionDenied
    checks = sorted(examined(measured.facts()), key=lambda check: ORDER.index(check.verdict))
    context = {
        **site.each_context(request),
        "title": "Is everything all right?",
        "checks": [(check, TONES[check.verdict], WORDS[check.verdict]) for check in checks],
        "verdict": worst(checks),
    }
    return TemplateResponse(request, "admin/almanac/health.html", context)
