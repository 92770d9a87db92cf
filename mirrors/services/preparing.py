"""From a request to what shall be signed: cut, render, gate and guards in one transaction, then the deltas.

When a gate or a guard says no, that transaction is rolled back: the release was never made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from almanac.addresses import MIRRORS, object_path
from almanac.errors import PolicyError
from mirrors.forms import Mirror, mirrors_document
from mirrors.models import Publication
from mirrors.services import stores
from mirrors.services.deltas import Changed, MadeDelta, delta_report, make_deltas
from mirrors.services.ledger import listed_documents, published_release
from mirrors.services.means import Document, Means, Objection, Rendering
from mirrors.services.steps import Log

Reason = Publication.Reason
OLDEST_RELEASE: Final = 1
"""The oldest release that a client may accept; it may be raised, never lowered."""


class StoppedError(PolicyError):
    """A gate or a guard said no."""

    name = "guard"

    def __init__(self, objections: Sequence[Objection]) -> None:
        self.objections = tuple(objections)
        first, others = objections[0], len(objections) - 1
        more = f" (and {others} more)" if others else ""
        super().__init__(
            f"guard {first.guard}: {first.reason}{more}", where=f"({first.where})", advice=self._advice()
        )

    def _advice(self) -> str:
        if not all(objection.overridable for objection in self.objections):
            return "this cannot be overridden: correct it and publish again"
        guards = dict.fromkeys(objection.guard for objection in self.objections)
        words = " ".join(f"--override {guard}" for guard in guards)
        return f"look at it; if it is right, publish with {words} --reason TEXT"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the signatures will say, and the bytes that readers will need for it."""

    release: int
    rendering: Rendering | None
    changed: Sequence[Changed] = ()
    removed: Sequence[str] = ()
    deltas: Sequence[MadeDelta] = field(default=())

    @property
    def is_change(self) -> bool:
        return bool(self.changed or self.removed)

    def report(self) -> dict[str, object]:
        before = {document.path: document.before for document in self.changed}
        deltas = delta_report(self.deltas, before)
        documents = [
            {
                "path": document.path,
                "bytes": len(document.data),
                "sha256": document.sha256,
                "new": document.before is None,
                **deltas.get(document.path, {"deltas": 0}),
            }
            for document in self.changed
        ]
        warnings = list(self.rendering.warnings) if self.rendering else []
        return {"documents": documents, "removed": list(self.removed), "warnings": warnings}


def cut_and_render(
    means: Means,
    publication: Publication,
    *,
    now: datetime,
    log: Log | None = None,
    save: Callable[..., None] | None = None,
) -> Prepared | None:
    """The release and its changed documents; ``None`` when there is nothing to publish.

    Raises ``StoppedError`` when a gate or a guard says no; then, and without ``save``, nothing was written. ``save``
    writes fields of the publication, or raises where another publisher has taken over or somebody cancelled it.
    """
    with transaction.atomic():
        prepared = _prepare(means, publication, now, log)
        if save is None:
            transaction.set_rollback(True)
        elif prepared is not None:
            if log:
                log.end()
            save("release", "reason", "steps")
            means.passing("rendered")
    return prepared


def _prepare(means: Means, publication: Publication, now: datetime, log: Log | None) -> Prepared | None:
    turn_to = log.turn_to if log else lambda _step: None
    published = published_release()
    rendering = None
    if publication.reason == Reason.RELEASE:
        release = publication.release or _cut(means, publication, now, published)
        if release is not None:
            means.passing("cut")
            turn_to("render")
            rendering = means.catalog.render(release, known=_kept_addresses(publication))
            turn_to("gate")
            _check(means, publication, rendering, published)
            publication.release = release
    if rendering is None and published is None:
        return None
    prepared = _compared(means, rendering, rendering.release if rendering else published or 0)
    if publication.reason == Reason.RELEASE and rendering is None:
        if not prepared.is_change:
            return None
        publication.reason = Reason.MIRRORS
    return prepared


def _kept_addresses(publication: Publication) -> frozenset[str]:
    """What must stay listed, even empty, so that it stops. Going back to a release takes what that one did not have away."""
    return frozenset(listed_documents()) if publication.restores is None else frozenset()


def _cut(means: Means, publication: Publication, now: datetime, published: int | None) -> int | None:
    """The next release, or one that was cut and never reached readers."""
    release = means.catalog.cut(now=now, by=publication.requested_by, restores=publication.restores)
    if release is None and (newest := means.catalog.newest_release()) and newest > (published or 0):
        return newest
    return release


def _check(means: Means, publication: Publication, rendering: Rendering, published: int | None) -> None:
    """A document that a client would choke on stops; a guard stops unless it is overridden with a reason."""
    stops = [o for o in rendering.objections if not _is_passed(o, publication)]
    if published is not None and publication.restores is None:
        known = frozenset(listed_documents())
        found = means.catalog.objections(rendering.release, published=published, known=known)
        stops += [objection for objection in found if not _is_passed(objection, publication)]
    if stops:
        raise StoppedError(stops)


def _is_passed(objection: Objection, publication: Publication) -> bool:
    return objection.overridable and objection.guard in publication.passes


def mirror_list(means: Means) -> Document:
    """One mirror for now: this origin."""
    return Document.of(MIRRORS, mirrors_document([Mirror(means.base_url)], oldest_release=OLDEST_RELEASE))


def mirrors_changed(means: Means) -> bool:
    """True when the published mirror list is not what it should be."""
    wanted = mirror_list(means)
    listed = listed_documents().get(MIRRORS)
    return listed is None or listed.sha256 != wanted.sha256


def _compared(means: Means, rendering: Rendering | None, release: int) -> Prepared:
    """A listed document that is not in the store, because a publication was given up, counts as changed."""
    listed = listed_documents()
    documents = [*(rendering.documents if rendering else ()), mirror_list(means)]
    changed = []
    store = stores.readable(means)
    for document in documents:
        before = listed.get(document.path)
        there = before and store.size(object_path(document.path, document.sha256))
        if before is None or before.sha256 != document.sha256 or there is None:
            old = before.sha256 if before else None
            changed.append(Changed(document.path, document.read(), document.sha256, old))
    kept = {document.path for document in documents}
    removed = sorted(set(listed) - kept) if rendering else []
    return Prepared(release, rendering, changed, removed)


def with_deltas(means: Means, prepared: Prepared, *, now: datetime, log: Log | None = None) -> Prepared:
    """The mirror list has none: it is smaller than a delta's request."""
    documents = [document for document in prepared.changed if document.path != MIRRORS]
    made_one = log.counted("deltas") if log else lambda _done, _total: None
    deltas = make_deltas(
        documents, store=stores.readable(means), now=now, threads=means.threads, made_one=made_one
    )
    means.passing("deltas")
    return Prepared(prepared.release, prepared.rendering, prepared.changed, prepared.removed, deltas)
