"""The static server's answers without a document: problem documents (RFC 9457), other methods, what is retired."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from almanac.lifecycle import SchemaNotice, successor_link
from almanac.representations import Headers

METHODS: Final = "GET, HEAD, OPTIONS"


def problem(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    status: str,
    detail: str,
    *,
    headers: Headers | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Iterable[bytes]:
    """An error as a problem document (RFC 9457); no cache may keep it, above all not a missing root."""
    number, _, title = status.partition(" ")
    document = {
        "type": "about:blank",
        "title": title,
        "status": int(number),
        "detail": detail,
        **(extra or {}),
    }
    body = json.dumps(document).encode()
    shared = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response(status, shared + (headers or []))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def other_method(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] != "OPTIONS":
        detail = "This address can only be read."
        headers = [("Allow", METHODS)]
        return problem(environ, start_response, "405 Method Not Allowed", detail, headers=headers)
    allowed = [
        ("Allow", METHODS),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", METHODS),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", "86400"),
    ]
    start_response("204 No Content", allowed)
    return []


def gone(notice: SchemaNotice, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A retired schema's address: what to read instead."""
    detail = f"The schema {notice.name} is retired and no longer published."
    extra: dict[str, Any] = {"schema": notice.name}
    headers: Headers = []
    if notice.sunset:
        extra["sunset"] = notice.sunset
    if notice.successor:
        detail += f" Its successor is at /{notice.successor}."
        extra["successor"] = f"/{notice.successor}"
        headers.append(successor_link(f"/{notice.successor}"))
    return problem(environ, start_response, "410 Gone", detail, headers=headers, extra=extra)


def with_headers(start_response: StartResponse, more: Headers) -> StartResponse:
    def start(status: str, headers: Headers, *error: Any) -> Any:
        return start_response(status, [*headers, *more], *error)

    return start
