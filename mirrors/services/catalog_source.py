"""The catalog, as publication sees it: the one place that knows the catalog's services by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from almanac.addresses import document_path
from almanac.lifecycle import SchemaNotice
from catalog.members import published_regions
from catalog.reading import ReleaseState
from catalog.records import Kind, Record
from catalog.schemas.registry import SCHEMAS
from catalog.services import audit, releases
from catalog.services.documents import RenderedDocument, render_release
from catalog.services.guarding import judge_release
from mirrors.services.means import Document, Objection, Rendering, SchemaFacts

NAMED: Final = 3
"""Places that one warning names."""


class CatalogSource:
    def cut(self, *, now: datetime, by: str, restores: int | None) -> int | None:
        release = releases.cut_release(now=now, by=by, restores=restores)
        return release.number if release else None

    def newest_release(self) -> int | None:
        release = releases.latest_release()
        return release.number if release else None

    def render(self, release: int, *, known: Collection[str]) -> Rendering:
        everything = render_release(release=release, schemas=SCHEMAS)
        rendered = [
            document for document in everything if document.path in known or not document.lists_nothing
        ]
        waiting = {document.schema for document in everything} - {document.schema for document in rendered}
        state = ReleaseState(release)
        return Rendering(
            release=release,
            documents=[_document(document) for document in rendered],
            schemas=list(_schema_facts(state, {document.schema for document in rendered})),
            regions=published_regions(state.all(Kind.REGION)),
            experiments=_running(state),
            objections=list(_refusals(rendered)),
            warnings=[*_waiting(waiting), *_warnings(rendered)],
            notices=self.notices(release),
        )

    def notices(self, release: int) -> Sequence[SchemaNotice]:
        known = ReleaseState(release).many(Kind.SCHEMA, list(SCHEMAS))
        return [_notice(name, record) for name, record in known.items()]

    def objections(self, release: int, *, published: int, known: Collection[str]) -> Sequence[Objection]:
        names = {name for name, schema in SCHEMAS.items() if document_path(schema.file) in known}
        trips = judge_release(release=release, published=published, schemas=SCHEMAS, known=names)
        return [Objection(trip.guard, trip.schema, trip.sentence) for trip in trips]

    def restore(self, release: int, *, by: str, now: datetime) -> None:
        releases.restore_release(release=release, by=by, now=now)

    def withdraw(self, release: int, *, by: str, now: datetime) -> None:
        releases.withdraw_release(release=release, by=by, now=now)

    def latest_boundary(self, *, now: datetime) -> datetime | None:
        return releases.latest_boundary(now)

    def record(
        self, *, action: str, about: str, by: str, now: datetime, detail: Mapping[str, object]
    ) -> None:
        audit.record(actor=by, action=action, about=about, detail=detail, now=now)


def _document(rendered: RenderedDocument) -> Document:
    return Document(rendered.path, rendered.sha256, rendered.length, lambda: rendered.data)


def _schema_facts(state: ReleaseState, rendered: set[str]) -> Iterator[SchemaFacts]:
    for name, schema in SCHEMAS.items():
        if name in rendered:
            record = state.get(Kind.SCHEMA, name) or {}
            status = str(record.get("status", "current"))
            yield SchemaFacts(name, document_path(schema.file), status, record.get("sunset"))


def _notice(name: str, record: Record) -> SchemaNotice:
    successor = SCHEMAS.get(record.get("successor", ""))
    return SchemaNotice(
        name=name,
        file=document_path(SCHEMAS[name].file),
        status=record["status"],
        deprecated=record.get("deprecated", ""),
        sunset=record.get("sunset", ""),
        successor=document_path(successor.file) if successor else "",
        clients=record.get("clients", {}),
    )


def _waiting(schemas: Collection[str]) -> Iterator[str]:
    for name in sorted(schemas):
        yield f"{name} lists nothing yet, so it has no address: no record has what its clients need"


def _running(state: ReleaseState) -> list[str]:
    found = state.all(Kind.EXPERIMENT).items()
    return sorted(slug for slug, record in found if record["status"] == "running")


def _refusals(rendered: Sequence[RenderedDocument]) -> Iterator[Objection]:
    """A client would refuse or misread the document: nobody can override that."""
    for document in rendered:
        for finding in document.findings:
            if finding.severity == "stop":
                reason = f"{finding.client} would not take {document.path}: {finding.reason}"
                yield Objection("parser", finding.where, reason, overridable=False)


def _warnings(rendered: Sequence[RenderedDocument]) -> Iterator[str]:
    """Of the global documents, whose regions would say the same again; one sentence for each reason."""
    for document in rendered:
        if document.region != "global":
            continue
        places: dict[str, list[str]] = defaultdict(list)
        for finding in document.findings:
            if finding.severity == "warn":
                places[finding.reason].append(finding.where)
        for reason, where in places.items():
            more = f" and {len(where) - NAMED} more" if len(where) > NAMED else ""
            yield f"{document.path}: {reason} ({', '.join(where[:NAMED])}{more})"
