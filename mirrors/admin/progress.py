"""A publication's log in words: the bar, a line for each step, a line for each store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from mirrors.models import Publication, StoreProgress

Entry = Mapping[str, Any]
State = Publication.State

STEPS: Final[Mapping[str, tuple[str, str, int]]] = {
    "cut": ("cut", "the release is cut", 5),
    "render": ("render", "documents are rendered", 15),
    "gate": ("gate", "documents are read as their clients would, guards look at the change", 5),
    "delta": ("delta", "deltas are made and tried", 15),
    "sign": ("sign", "metadata is signed and saved for ever", 5),
    "upload": ("upload", "objects are put into the store", 30),
    "verify": ("verify", "objects are read back and compared", 10),
    "commit": ("commit", "the new timestamp makes it visible", 5),
    "announce": ("announce", "plain addresses, the other stores, caches", 8),
    "collect": ("collect", "what only this publication needed is removed", 2),
}
"""Step → its name, what is done in it, and its share of the bar in hundredths."""


def bar(publication: Publication) -> dict[str, Any]:
    """How full the progress bar is, from 0 to 100, and the same in words."""
    ended = {entry["step"] for entry in publication.steps if "ended" in entry}
    value = float(sum(share for step, (_, _, share) in STEPS.items() if step in ended))
    if publication.state == State.ANNOUNCED:
        return {"value": 100, "words": "All steps are done."}
    newest = publication.steps[-1] if publication.steps else None
    if newest is None:
        return {"value": 0, "words": "Nothing is begun yet."}
    name, what, share = STEPS[newest["step"]]
    if newest.get("total") and name not in ended:
        value += share * newest["done"] / newest["total"]
    words = f"Step {list(STEPS).index(name) + 1} of {len(STEPS)}, {name}: {what}{_count(newest)}."
    return {"value": round(min(value, 99)), "words": words}


def log_lines(publication: Publication) -> list[dict[str, Any]]:
    return [
        {
            "began": datetime.fromisoformat(entry["began"]),
            "step": STEPS[entry["step"]][0],
            "words": _outcome(entry),
            "seconds": entry.get("seconds"),
            "tone": "bad" if "failed" in entry else "good" if "ended" in entry else "wait",
        }
        for entry in publication.steps
    ]


def _outcome(entry: Entry) -> str:
    counted = _count(entry).removeprefix(", ")
    store = f" to {entry['store']}" if "store" in entry and len(settings.ALMANAC_STORES) > 1 else ""
    if "failed" in entry:
        tries = f" ({entry['tries']} times)" if entry.get("tries", 1) > 1 else ""
        return f"failed{store}{tries}: {entry['words']}"
    if "ended" in entry:
        return f"done{store}{f': {counted}' if counted else ''}"
    return f"under way{store}{f': {counted}' if counted else ''}"


def _count(entry: Entry) -> str:
    """``, 312 of 845 objects pushed``"""
    if not entry.get("total"):
        return ""
    verb = {"upload": "pushed", "verify": "compared", "delta": "made"}[entry["step"]]
    return f", {entry['done']:,} of {entry['total']:,} {entry['unit']} {verb}"


def store_lines() -> list[dict[str, Any]]:
    """Each store's own progress, where there are several or the only one has trouble."""
    newest = Publication.objects.committed().last()
    wanted = newest.number if newest else 0
    rows = {row.url: row for row in StoreProgress.objects.filter(url__in=settings.ALMANAC_STORES)}
    lines = []
    for url in settings.ALMANAC_STORES:
        row = rows.get(url) or StoreProgress(url=url)
        is_behind = row.publication < wanted
        lines.append(
            {
                "url": url,
                "says": _how_far(row, wanted),
                "tone": "bad" if row.last_error else "wait" if is_behind else "good",
                "done": row.done,
                "total": row.total,
                "error": row.last_error,
                "since": row.failing_since,
                "tried": row.failed_at,
            }
        )
    return lines if len(lines) > 1 or any(line["error"] for line in lines) else []


def _how_far(row: StoreProgress, wanted: int) -> str:
    if row.publication >= wanted and wanted:
        return f"has publication {row.publication}, the newest"
    if row.total:
        return f"{row.done:,} of {row.total:,} objects"
    if not row.publication:
        return "has nothing yet"
    return f"is behind: has publication {row.publication} of {wanted}"
