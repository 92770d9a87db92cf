"""``/readyz`` and ``/metrics``: for those who run Almanac, not for its readers."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from mirrors import metrics
from mirrors.checks import Check, examined, worst
from mirrors.services.edge import measured, ready

FORWARDED: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """200: all that this process needs is there. 503 names what is wrong, in words that give nothing away."""
    return readiness(examined(ready.facts()))


def readiness(checks: Sequence[Check]) -> HttpResponse:
    named = {
        verdict: _named([check for check in checks if check.verdict == verdict])
        for verdict in ("bad", "warn")
    }
    if worst(checks) != "bad":
        return _answer(200, {"status": "ok", "warnings": named["warn"]}, "application/json")
    return problem(
        503,
        "Service Unavailable",
        f"{'; '.join(named['bad'].values())}. 'manage.py doctor' says more",
        failing=named["bad"],
        warnings=named["warn"],
    )


def _named(checks: Sequence[Check]) -> dict[str, str]:
    """Kind → what should be so and is not; addresses, errors and numbers are for operators."""
    return {check.kind: f"not so: {check.summary}" for check in checks}


@require_safe
def measurements(request: HttpRequest) -> HttpResponse:
    """For this machine only, unless METRICS_PUBLIC says otherwise."""
    if not (settings.METRICS_PUBLIC or is_from_here(request.META)):
        return problem(404, "Not Found", "There is nothing at this address.")
    return _plain(metrics.exposition(measured.facts()))


def is_from_here(meta: dict[str, Any]) -> bool:
    """True for this machine's own processes. What a proxy passed on is not from here, wherever the proxy stands."""
    try:
        near = ipaddress.ip_address(meta.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
    return near and not any(name in meta for name in FORWARDED)


def _plain(body: bytes) -> HttpResponse:
    return HttpResponse(
        body, content_type="text/plain; version=0.0.4; charset=utf-8", headers={"Cache-Control": "no-store"}
    )


def problem(status: int, title: str, detail: str, **more: object) -> HttpResponse:
    """RFC 9457."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return _answer(status, document, "application/problem+json")


def _answer(status: int, document: dict[str, Any], content_type: str) -> HttpResponse:
    return HttpResponse(
        json.dumps(document),
        status=status,
        content_type=content_type,
        headers={"Cache-Control": "no-store"},
    )
