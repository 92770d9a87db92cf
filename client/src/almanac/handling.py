"""How an object is to be handled by whoever serves it: its media type, its encoding, how long it may be kept.

One table for the static server, which makes its headers from it, and for a bucket, which keeps them with each object.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from almanac.addresses import INDEX, MINISIGN_KEY, MIRRORS, SHA256, TIMESTAMP

IMMUTABLE: Final = "public, max-age=31536000, immutable"
TIMESTAMP_CACHE: Final = "public, max-age=60, must-revalidate"
PLAIN: Final = "public, max-age=60, stale-while-revalidate=604800"
SMALL: Final = "public, max-age=60"
UNKNOWN: Final = "no-store"

SUFFIXES: Final = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}
"""Content coding → how the name of a precompressed copy ends."""

_NUMBERED: Final = re.compile(r"metadata/[1-9][0-9]{0,9}\.[a-z0-9][a-z0-9._-]{0,127}\.json")
_BY_HASH: Final = re.compile(rf"targets/(?:[^/]+/)*{SHA256.pattern}\.([^/]+)")
_TYPES: Final = {
    ".yaml": "application/yaml; charset=utf-8",
    ".json": "application/json",
    ".minisig": "text/plain; charset=utf-8",
    ".pub": "text/plain; charset=utf-8",
    ".dcz": "application/octet-stream",
}


class Handling(NamedTuple):
    media_type: str
    cache: str
    coding: str = ""
    """The Content-Encoding of a precompressed copy. A delta has none: at its own address it is a file of its own."""


def handling(name: str) -> Handling:
    """What a bucket is told of the object with this name; pure."""
    coding = _coding(name)
    decoded = name.removesuffix(SUFFIXES[coding]) if coding else name
    by_hash = _BY_HASH.fullmatch(decoded)
    return Handling(media_type(by_hash[1] if by_hash else decoded), _cache(name), coding)


def media_type(name: str) -> str:
    file = name.rpartition("/")[2]
    dot = file.rfind(".")
    # Clients that read a document without a file ending (`providers`, `models`) expect JSON.
    return "application/json" if dot < 0 else _TYPES.get(file[dot:], "application/octet-stream")


def _coding(name: str) -> str:
    if not name.startswith("targets/"):
        return ""
    return next((coding for coding, suffix in SUFFIXES.items() if name.endswith(suffix)), "")


def _cache(name: str) -> str:
    if name == TIMESTAMP:
        return TIMESTAMP_CACHE
    if name.startswith(("targets/", "deltas/")) or _NUMBERED.fullmatch(name):
        return IMMUTABLE
    if name.startswith(("catalog/", "regions/")):
        return SMALL if name.endswith(".minisig") else PLAIN
    if name == MIRRORS:
        return PLAIN
    return SMALL if name in (INDEX, MINISIGN_KEY, f"{MIRRORS}.minisig") else UNKNOWN
