"""Counts the requests that the origin answers: by what was asked for, in which encoding, and with what result.

A web server runs several processes and each counts for itself. Where ``PROMETHEUS_MULTIPROC_DIR`` names a folder, as
``manage.py serve`` sets it, they write into small files there (prometheus_client's multi-process form), and whichever
answers ``/metrics`` adds them all up; one that ended keeps its share. Without it a process knows only its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.multiprocess import MultiProcessCollector

SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
KINDS: Final = {
    "metadata": "metadata",
    "targets": "object",
    "deltas": "delta",
    "catalog": "document",
    "regions": "document",
}
ENCODINGS: Final = frozenset({"br", "gzip", "zstd", "dcz"})
"""Anything else is ``identity``: a label is never what a stranger wrote."""
RESULTS: Final = {"200": "whole", "206": "part", "304": "unchanged", "404": "missing"}
CLASSES: Final = {"2": "other", "3": "redirect", "4": "refused", "5": "failed"}

_own = CollectorRegistry(auto_describe=False)
REQUESTS: Final = Counter(
    "almanac_requests", "Requests answered.", ["kind", "encoding", "result"], registry=_own
)
BYTES: Final = Counter(
    "almanac_response_bytes", "Bytes of their bodies.", ["kind", "encoding"], registry=_own
)


def fresh_folder(folder: Path) -> dict[str, str]:
    """A folder for the processes of a server that is about to start, empty; what to put into their environment."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob("*.db"):
        left.unlink(missing_ok=True)
    return {SHARED: str(folder)}


def counted() -> CollectorRegistry:
    """What was counted, by all processes of this server where they share a folder."""
    shared = os.environ.get(SHARED)
    if not shared or not Path(shared).is_dir():
        return _own
    together = CollectorRegistry(auto_describe=False)
    MultiProcessCollector(together, path=shared)  # type: ignore[no-untyped-call]
    return together


class Counted:
    """A WSGI application, counted. It looks at the path, the status and two headers, and touches nothing."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._requests: dict[tuple[str, str, str], Counter] = {}
        self._bytes: dict[tuple[str, str], Counter] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        kind = KINDS.get(path[1:].partition("/")[0], "other")
        sent = environ["REQUEST_METHOD"] != "HEAD"

        def counting(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            self._count(kind, status, headers, sent=sent)
            return start_response(status, headers, *more)

        return self._application(environ, counting)

    def _count(self, kind: str, status: str, headers: list[tuple[str, str]], *, sent: bool) -> None:
        encoding, length = "identity", 0
        for name, value in headers:
            if name == "Content-Encoding" and value in ENCODINGS:
                encoding = value
            elif name == "Content-Length" and value.isdigit():
                length = int(value)
        number = status[:3]
        result = RESULTS.get(number) or CLASSES.get(number[:1], "other")
        self._request_counter(kind, encoding, result).inc()
        if sent and length and result in ("whole", "part"):
            self._byte_counter(kind, encoding).inc(length)

    def _request_counter(self, *labels: str) -> Counter:
        """Looked up once for each combination: there are few of them."""
        key = (labels[0], labels[1], labels[2])
        if key not in self._requests:
            self._requests[key] = REQUESTS.labels(*labels)
        return self._requests[key]

    def _byte_counter(self, kind: str, encoding: str) -> Counter:
        if (kind, encoding) not in self._bytes:
            self._bytes[kind, encoding] = BYTES.labels(kind, encoding)
        return self._bytes[kind, encoding]
