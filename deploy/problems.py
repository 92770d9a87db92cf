"""What Django itself refuses, in our words: a problem document (RFC 9457), or a small page for who reads pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from mirrors.status import problem

DETAILS = {
    400: "The request cannot be understood, or its Host is not one that this server answers for (ALLOWED_HOSTS).",
    403: "This needs an operator who is signed in and may do it.",
    404: "There is nothing at this address.",
    405: "This address can only be read: GET or HEAD.",
    500: "Something went wrong here. It is in the server's log; nothing was changed.",
}
FORGED = (
    "The form's token is missing or old: open the page again with cookies allowed, and send it from there."
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django passes it
    return refusal(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django passes it
    return refusal(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django passes it
    return refusal(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return refusal(request, 500)


def read_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Whoever posts to what changes nothing is told so, and not about a missing token."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: object, **facts: object) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **facts)
        refused = refusal(request, 405)
        refused["Allow"] = "GET, HEAD"
        return refused

    return answer


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  # Django passes it
    """A form that was sent without its token, or with somebody else's."""
    return refusal(request, 403, FORGED)


def refusal(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    """Never kept by a cache, and never a word about how the server is made."""
    title, says = HTTPStatus(status).phrase, detail or DETAILS[status]
    if "text/html" in request.META.get("HTTP_ACCEPT", ""):
        response = render(None, "problem.html", {"title": title, "detail": says}, status=status)
        response["Cache-Control"] = "no-store"
    else:
        response = problem(status, title, says)
    response["Vary"] = "Accept"
    return response
