"""Documents for older clients: where they lie, and which of them a client's version means.

A document with members that need a newer client has a variant beside it for each version from which some are fit:
``models.before-0.150.0.json`` holds what every client below 0.150.0 can use. A server that knows the client's version
serves the variant in place of the document; a copy of plain files serves the document itself.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Final

from almanac.lifecycle import lower_bounds, version_of

MOST: Final = 4
"""Variants of one document; clients older than all of them share the last one."""
_VARIANT: Final = re.compile(r"(.*/[^/]*?)\.before-([0-9]+(?:\.[0-9]+)*)(\.[^./]+)?")

Variants = Mapping[str, list[tuple[tuple[int, ...], str]]]
"""A document's path → its variants, oldest clients first: the version that they are for clients below of, their path."""


def variant_path(path: str, bound: str) -> str:
    """``catalog/codex/models.json`` → ``catalog/codex/models.before-0.150.0.json``."""
    stem, ending = posixpath.splitext(path)
    return f"{stem}.before-{bound}{ending}"


def variants_among(paths: Iterable[str]) -> Variants:
    found: dict[str, list[tuple[tuple[int, ...], str]]] = {}
    for path in paths:
        named = _VARIANT.fullmatch(path)
        bound = version_of(named[2]) if named else None
        if named and bound is not None:
            found.setdefault(f"{named[1]}{named[3] or ''}", []).append((bound, path))
    return {path: sorted(listed) for path, listed in found.items()}


def fitting(path: str, version: tuple[int, ...], variants: Variants) -> str:
    """The document of this path, or the signature of it, for a client of this version."""
    document = path.removesuffix(".minisig")
    found = next((variant for bound, variant in variants.get(document, ()) if version < bound), document)
    return found + path[len(document) :]


def is_too_old(clients: Mapping[str, str], version: tuple[int, ...]) -> bool:
    """Below what each of a schema's clients must at least be; newer than all that was foreseen is never too old."""
    return bool(clients) and all(
        any(version < bound for bound in lower_bounds(versions)) for versions in clients.values()
    )


def kept_bounds(minimums: Iterable[str]) -> list[str]:
    """The versions that get a variant, of those that members ask for: the newest few, oldest first."""
    known = {version: text for text in minimums if (version := version_of(text)) is not None}
    return [".".join(map(str, version)) for version in sorted(known)][-MOST:]
