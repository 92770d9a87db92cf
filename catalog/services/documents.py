"""Renders a release: every view's bytes, from lines that are kept, so that only what changed is rendered again.

Each schema keeps one line for each member. A new release touches some members; only theirs are made anew, and the
regions' documents are the same lines without those that are not offered there. The result is what
``catalog.rendering`` gives for the whole state, byte for byte; a test holds that for any history.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import transaction

from almanac.addresses import document_path
from almanac.errors import LocalStateError
from almanac.lifecycle import version_of
from almanac.variants import kept_bounds, variant_path
from catalog.members import GLOBAL, ancestry, has_blocks, is_available, is_native, published_regions
from catalog.models import DocumentLine, DocumentState
from catalog.reading import ReleaseState, chunks, loaded
from catalog.records import Kind
from catalog.rendering import not_offered
from catalog.schemas.base import Finding, Line, Omission, Schema, VersionedSchema
from catalog.schemas.json_blocks import HEAD
from catalog.services.lines import refresh_lines, renderer_fingerprint
from catalog.services.segments import SIZE, Pieces
from catalog.services.touching import Changes

Hidden = frozenset[str]
"""Members that are not offered in a region, or that a client is too old for."""


@dataclass(frozen=True)
class RenderedDocument:
    path: str
    """Its target path: ``regions/eu/catalog/v2/models.yaml``."""
    schema: str
    region: str
    """``eu``; of a document for older clients ``eu<0.150.0``."""
    sha256: str
    length: int
    members: int
    lists_nothing: bool
    """True too of heads of providers' blocks with no model in them."""
    changed: bool
    """False when it has the bytes that this view had in the release before."""
    findings: tuple[Finding, ...]
    read_omissions: Callable[[], tuple[Omission, ...]] = field(repr=False)
    read_data: Callable[[], bytes] = field(repr=False)

    @cached_property
    def data(self) -> bytes:
        """Read when it is asked for: an unchanged document costs nothing else."""
        return self.read_data()

    @cached_property
    def omissions(self) -> tuple[Omission, ...]:
        return self.read_omissions()


@transaction.atomic
def render_release(
    *, release: int, schemas: Mapping[str, Schema], segment_lines: int = SIZE
) -> list[RenderedDocument]:
    """Every view of the release, schema by schema, ``global`` first, then its enabled regions.

    ``release`` is the newest one: lines are kept for it alone.
    """
    state = ReleaseState(release)
    wanted = published_regions(state.all(Kind.REGION))
    state.many(Kind.SCHEMA, list(schemas))
    views = _Views(release)
    rendered: list[RenderedDocument] = []
    for schema in schemas.values():
        record = state.get(Kind.SCHEMA, schema.name) or {}
        if record.get("status") != "retired":
            document = record.get("document", {})
            rendered += _SchemaRendering(schema, state, schemas, document, segment_lines, views).views(wanted)
    views.bring_forward()
    return rendered


class _Views:
    """What is kept of every view, read and brought forward for all schemas together."""

    def __init__(self, release: int) -> None:
        self.release = release
        self.changes = Changes(until=release)
        self._kept: dict[str, dict[str, DocumentState]] = defaultdict(dict)
        self._same: list[int] = []
        for view in DocumentState.objects.all():
            self._kept[view.schema][view.region] = view

    def of(self, schema: Schema) -> dict[str, DocumentState]:
        return dict(self._kept[schema.name])

    def save(self, view: DocumentState, before: DocumentState | None) -> None:
        """``view`` is ``before`` itself where nothing of it was made anew."""
        if view is before:
            self._same.append(view.pk)
            return
        view.pk = before.pk if before else None
        view.release, view.renderer = self.release, renderer_fingerprint()
        view.save()

    def bring_forward(self) -> None:
        """Notes of the unchanged views that they are this release's too."""
        for chunk in chunks(self._same):
            views = DocumentState.objects.filter(pk__in=chunk)
            views.update(release=self.release, renderer=renderer_fingerprint())


@dataclass(frozen=True)
class _View:
    """One document: of a region and, with a ``bound``, for the clients below that version."""

    file: str
    region: str
    bound: str

    @property
    def key(self) -> str:
        return f"{self.region}<{self.bound}" if self.bound else self.region

    @property
    def path(self) -> str:
        path = document_path(self.file, region=self.region)
        return variant_path(path, self.bound) if self.bound else path


@dataclass
class _SchemaRendering:
    """One schema in one release: its kept lines and the views that are made of them."""

    schema: Schema
    state: ReleaseState
    schemas: Mapping[str, Schema]
    document: Mapping[str, Any]
    segment_lines: int
    kept: _Views
    made: dict[Hidden, bytes] = field(default_factory=dict)
    judged: dict[Hidden, dict[str, Any]] = field(default_factory=dict)
    names_changed: bool = True

    def views(self, regions: Sequence[str]) -> Iterator[RenderedDocument]:
        kept = self.kept.of(self.schema)
        lines = refresh_lines(
            self.schema,
            self.state,
            self.schemas,
            kept.get(GLOBAL),
            self.kept.changes,
            segment_lines=self.segment_lines,
        )
        self.names_changed = lines.names or self._frame_changed(kept)
        for region in regions:
            for bound in ("", *self._bounds):
                view = _View(self.schema.file, region, bound)
                if bound and self._is_empty(view):
                    continue
                before = kept.pop(view.key, None)
                yield self._view(view, before, anew=lines.texts or self.names_changed)
        if kept:
            DocumentState.objects.filter(schema=self.schema.name, region__in=list(kept)).delete()

    def _frame_changed(self, kept: Mapping[str, DocumentState]) -> bool:
        """Regions or the schema's own record changed: no line did, but what is made of them may."""
        return bool({Kind.REGION, Kind.SCHEMA} & self.kept.changes.since(kept[GLOBAL].release).keys())

    def _view(self, view: _View, before: DocumentState | None, *, anew: bool) -> RenderedDocument:
        state = self._assembled(view, before) if before is None or anew else before
        changed = before is None or before.sha256 != state.sha256
        self.kept.save(state, before)
        return RenderedDocument(
            path=view.path,
            schema=self.schema.name,
            region=view.key,
            sha256=state.sha256,
            length=state.length,
            members=state.members,
            lists_nothing=state.members <= len(self._heads and self._heads - self._hidden(view)),
            changed=changed,
            findings=tuple(Finding(*finding) for finding in state.findings),
            read_omissions=lambda: self._omissions(view),
            read_data=lambda: self._data(self._hidden(view), state.sha256),
        )

    def _assembled(self, view: _View, before: DocumentState | None) -> DocumentState:
        hidden = self._hidden(view)
        if hidden not in self.judged:
            self.judged[hidden] = self._facts(hidden, before)
        return DocumentState(schema=self.schema.name, region=view.key, **self.judged[hidden])

    def _is_empty(self, view: _View) -> bool:
        listed = DocumentLine.objects.filter(schema=self.schema.name, omission="").count() - len(self._heads)
        return listed <= len((self._hidden(view) & self._listed_restricted) - self._heads)

    def _hidden(self, view: _View) -> Hidden:
        return self._not_offered(view.region) | self._too_new(view.bound)

    def _facts(self, hidden: Hidden, before: DocumentState | None) -> dict[str, Any]:
        pieces = Pieces(self.schema, hidden)
        data = self.made[hidden] = self.schema.assemble(pieces, self.document)
        told = before.findings if before and not self.names_changed else self._findings(hidden)
        return {
            "sha256": hashlib.sha256(data).hexdigest(),
            "length": len(data),
            "members": pieces.members - len(hidden & self._listed_restricted),
            "findings": told,
        }

    def _data(self, hidden: Hidden, sha256: str) -> bytes:
        if hidden not in self.made:
            data = self.schema.assemble(Pieces(self.schema, hidden), self.document)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise LocalStateError(
                    "the rendered lines in the database do not give the document that they gave before",
                    where=f"({self.schema.name})",
                    advice="something wrote to the database; run 'manage.py doctor'",
                )
            self.made[hidden] = data
        return self.made[hidden]

    def _findings(self, hidden: Hidden) -> list[list[str]]:
        lines = [line for line in self._lines if line.key not in hidden] if hidden else self._lines
        return [*self._line_findings(hidden), *(list(finding) for finding in self.schema.gate_lines(lines))]

    @cached_property
    def _lines(self) -> list[Line]:
        rows = DocumentLine.objects.filter(schema=self.schema.name, omission="").order_by("order", "key")
        return [
            Line(*row) for row in rows.values_list("order", "key", "text", "tail").iterator(chunk_size=10_000)
        ]

    @cached_property
    def _heads(self) -> Hidden:
        if not has_blocks(self.schema):
            return frozenset()
        rows = DocumentLine.objects.filter(schema=self.schema.name, omission="", key__startswith=HEAD)
        return frozenset(rows.values_list("key", flat=True))

    @cached_property
    def _restricted(self) -> dict[str, Mapping[str, Any]]:
        """Members that are not offered everywhere, those that are left out anyway included."""
        if not is_native(self.schema):
            return {}
        rows = DocumentLine.objects.filter(schema=self.schema.name).exclude(availability="")
        return {key: loaded(text) or {} for key, text in rows.values_list("key", "availability")}

    @cached_property
    def _listed_restricted(self) -> Hidden:
        rows = DocumentLine.objects.filter(schema=self.schema.name, omission="").exclude(availability="")
        return frozenset(rows.values_list("key", flat=True))

    def _not_offered(self, region: str) -> Hidden:
        line = ancestry(region, self.state.all(Kind.REGION))
        return frozenset(
            key for key, availability in self._restricted.items() if not is_available(availability, line)
        )

    @cached_property
    def _bounds(self) -> list[str]:
        """The clients' versions from which members are fit, that get a document of their own."""
        if not isinstance(self.schema, VersionedSchema):
            return []
        needs = {key: a["client"] for key, a in self._restricted.items() if "client" in a}
        return kept_bounds(needs[key] for key in needs.keys() & self._listed_restricted) if needs else []

    def _too_new(self, bound: str) -> Hidden:
        """Members that some client below this version cannot use."""
        if not bound:
            return frozenset()
        place = self._bounds.index(bound)
        oldest = version_of(self._bounds[place - 1]) if place else ()
        needs = {key: version_of(a["client"]) for key, a in self._restricted.items() if "client" in a}
        return frozenset(key for key, version in needs.items() if (version or ()) > (oldest or ()))

    def _omissions(self, view: _View) -> tuple[Omission, ...]:
        rows = DocumentLine.objects.filter(schema=self.schema.name).exclude(omission="")
        left_out = {key: Omission(key, reason) for key, reason in rows.values_list("key", "omission")}
        newer = f"clients before {view.bound} cannot use it"
        left_out |= {key: Omission(key, newer) for key in self._too_new(view.bound)}
        left_out |= {key: Omission(key, not_offered(view.region)) for key in self._not_offered(view.region)}
        return tuple(sorted(left_out.values()))

    def _line_findings(self, hidden: Hidden) -> Iterator[list[str]]:
        rows = DocumentLine.objects.filter(schema=self.schema.name, omission="").exclude(findings="")
        for key, text in rows.order_by("order", "key").values_list("key", "findings"):
            if key not in hidden:
                yield from (loaded(text) or {})["findings"]
