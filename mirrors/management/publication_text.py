"""A publication as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mirrors.models import Publication
from mirrors.services.preparing import Prepared, StoppedError

NOTHING = "nothing to publish: the catalog is as published"
NAMED: Final = 20
"""Objections that are listed for people; ``--json`` has all of them."""


def publication_lines(publication: Publication) -> Iterator[str]:
    for finished in publication.report.get("finished", ()):
        yield f"went before it: {finished}"
    if publication.state == Publication.State.UNCHANGED:
        yield NOTHING
        return
    seconds = sum(entry.get("seconds", 0.0) for entry in publication.steps)
    what = f"release {publication.release}" if publication.release else publication.get_reason_display()
    yield f"published {what} (publication {publication.number}) in {seconds:.2f} s"
    yield from report_lines(publication.report)
    for url, error in publication.report.get("failed_stores", {}).items():
        yield f"  store {url} is behind: {error}; tick will try again"
    if "root" in publication.report.get("signed", ()):
        yield f"  root fingerprint {publication.report['root_fingerprint']}"


def preview_lines(prepared: Prepared | None) -> Iterator[str]:
    if prepared is None:
        yield NOTHING
        return
    yield f"would publish release {prepared.release}"
    yield from report_lines(prepared.report())


def stopped_lines(stop: StoppedError) -> Iterator[str]:
    """Each objection on a line of its own, and last what to do."""
    for number, objection in enumerate(stop.objections[:NAMED]):
        start = f"error: {stop.name}:" if number == 0 else " "
        yield f"{start} guard {objection.guard}: {objection.reason} ({objection.where})"
    if len(stop.objections) > NAMED:
        yield f"  and {len(stop.objections) - NAMED} more"
    yield f"  {stop.advice}"


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    documents: Sequence[Mapping[str, Any]] = report.get("documents", ())
    for document in documents:
        yield f"  {document['path']}: {document['bytes']:,} bytes{_deltas(document)}"
    for path in report.get("removed", ()):
        yield f"  {path}: not listed any more"
    if not documents and not report.get("removed"):
        yield "  no document changed"
    for warning in report.get("warnings", ()):
        yield f"  warning: {warning}"
    if postponed := report.get("postponed"):
        yield f"  soon to be renewed with keys that are not here: {', '.join(postponed)}"


def _deltas(document: Mapping[str, Any]) -> str:
    if document["new"]:
        return ", new"
    if "delta_bytes" not in document:
        return ", in full (a delta would save too little)"
    return (
        f", {document['delta_bytes']:,} as a delta from the one before ({document['deltas']} deltas in all)"
    )
