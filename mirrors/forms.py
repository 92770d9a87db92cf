"""The two documents about the publication itself: ``mirrors.json`` (signed) and ``index.json`` (for people). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Mirror:
    url: str
    region: str = "global"
    weight: int = 100


@dataclass(frozen=True, slots=True)
class SchemaLine:
    """One schema in ``index.json``; ``sunset`` is a date where the schema is deprecated.

    Of a retired one nothing is published: it has neither bytes nor a target.
    """

    name: str
    path: str
    status: str
    sunset: str | None
    bytes: int | None
    sha256: str | None
    target: str | None
    deprecated: str | None = None
    successor: str | None = None
    """The plain path of the document to read instead."""
    clients: Mapping[str, str] | None = None
    """Client → the versions that it suits."""


def mirrors_document(mirrors: Iterable[Mirror], *, oldest_release: int) -> bytes:
    """One mirror a line, so that a changed one is a small delta."""
    lines = ",\n".join(_compact(asdict(mirror)) for mirror in mirrors)
    return f'{{"format":1,"oldest_release":{oldest_release},"mirrors":[\n{lines}\n]}}\n'.encode()


def index_document(
    *,
    release: int,
    published: datetime,
    schemas: Sequence[SchemaLine],
    regions: Sequence[str],
    experiments: Sequence[str],
    root_fingerprint: str,
    minisign_key: str,
) -> bytes:
    index = {
        "format": 1,
        "release": release,
        "published": rfc3339(published),
        "schemas": [_line(line) for line in schemas],
        "regions": list(regions),
        "experiments": list(experiments),
        "root_fingerprint": root_fingerprint,
        "minisign_key": minisign_key,
    }
    return (json.dumps(index, ensure_ascii=False, indent=1) + "\n").encode()


def _line(schema: SchemaLine) -> dict[str, Any]:
    """What is known of a schema's life only where there is something to know."""
    optional = ("deprecated", "successor", "clients")
    return {name: value for name, value in asdict(schema).items() if value or name not in optional}


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
