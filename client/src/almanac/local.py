"""The accepted catalog as it lies here: for reading, without network and without lock."""

from __future__ import annotations

from typing import Final

from almanac import addresses
from almanac.accepted import Accepted, Release
from almanac.document import Document
from almanac.errors import LocalStateError, UsageError
from almanac.state import State

CATALOG: Final = addresses.document_path("almanac/v1/catalog.json")


def accepted(state: State) -> Accepted:
    """What was accepted under the root that is trusted now."""
    origin = state.origin()
    found = state.accepted(origin.fingerprint if origin else None)
    if found is None:
        advice = (
            "run `almanac sync`"
            if origin
            else "run `almanac trust URL --fingerprint HEX`, then `almanac sync`"
        )
        raise LocalStateError("no catalog yet", where=f"in {state.folder}", advice=advice)
    return found


def newest(state: State) -> Document:
    return document(state, accepted(state).newest)


def document(state: State, release: Release) -> Document:
    held = release.documents.get(CATALOG)
    data = state.document(held.sha256) if held else None
    if data is None:
        # a sync may have replaced it between the pointer and the document: the pointer is asked once more
        again = accepted(state).newest.documents.get(CATALOG)
        data = (
            state.document(again.sha256)
            if again and release.number == accepted(state).newest.number
            else None
        )
    if data is None:
        raise LocalStateError(
            "the catalog is missing or damaged",
            where=f"in {state.folder / 'documents'}",
            advice="run `almanac sync`",
        )
    return Document.parse(data)


def release_named(state: State, name: str) -> Release:
    """One of the kept releases, by its number or as ``newest``."""
    kept = accepted(state).releases
    if name in ("newest", "latest", "current"):
        return kept[0]
    found = next((release for release in kept if str(release.number) == name), None)
    if found is None:
        numbers = ", ".join(str(release.number) for release in kept)
        raise UsageError(f"release {name!r} is not kept here", advice=f"kept are: {numbers}")
    return found
