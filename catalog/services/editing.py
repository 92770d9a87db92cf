"""An operator's edit of one record: the record itself, and the schemas' own values that the edit makes stale.

Where a document states something else than the shared fact, that is kept as its override. Who edits the shared fact
means all documents: the overrides of exactly that fact go, in the same change request, and are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog.models import ChangeRequest
from catalog.reading import LiveState
from catalog.records import Kind, Record
from catalog.schemas.facts import changed_paths, facts_of
from catalog.schemas.registry import ENTRY_LISTS, NATIVE
from catalog.schemas.residual import clear_overrides, overridden
from catalog.services.changes import ProposedChange, propose
from catalog.shape import tidy


@dataclass(frozen=True, slots=True)
class ClearedOverride:
    """One field that a schema stated in its own words, and no longer will."""

    schema: str
    subject: str
    field: str

    def __str__(self) -> str:
        return f"{self.schema}: {self.field} of {self.subject.partition(':')[2]}"


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    changes: tuple[ProposedChange, ...]
    cleared: tuple[ClearedOverride, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    request: ChangeRequest
    cleared: tuple[ClearedOverride, ...]


def plan_edit(*, kind: Kind, key: str, after: Record | None) -> PlannedEdit:
    """What ``edit_record`` would do, to be shown before it is done."""
    changes, cleared = [ProposedChange(kind, key, after)], []
    if after is not None and kind in (Kind.PROVIDER, Kind.ENTRY, Kind.OFFERING):
        state = LiveState()
        for subject, paths in _touched_facts(kind, key, tidy(kind, after), state):
            for change, fields in _clearing(subject, paths, state):
                changes.append(change)
                cleared += fields
    return PlannedEdit(tuple(changes), tuple(cleared))


@transaction.atomic
def edit_record(*, kind: Kind, key: str, after: Record | None, by: str, now: datetime) -> Edit | None:
    """One record set to ``after`` (``None`` removes it) as one change request; ``None``: it says this already."""
    planned = plan_edit(kind=kind, key=key, after=after)
    verb = "Remove" if after is None else "Edit"
    request = propose(title=f"{verb} {kind} {key}", changes=planned.changes, by=by, now=now)
    return None if request is None else Edit(request, planned.cleared)


def _touched_facts(
    kind: Kind, key: str, after: Record, state: LiveState
) -> Iterator[tuple[str, Collection[str]]]:
    """Members whose shared facts the edit changes, with the paths of those facts."""
    before = state.get(kind, key)
    if before is None:
        return
    if kind is Kind.PROVIDER:
        fields = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        yield f"provider:{key}", {f"provider.{name}" for name in fields}
        return
    paths = changed_paths(before, after)
    if kind is Kind.OFFERING:
        yield f"offering:{key}", paths
        return
    yield f"entry:{key}", paths
    for repeat in state.keys_beginning(
        Kind.MEMBERSHIP, *(f"{name}|entry:{key}#" for name in sorted(ENTRY_LISTS))
    ):
        yield repeat.partition("|")[2], paths
    offerings = state.many(Kind.OFFERING, state.children(Kind.OFFERING, [key]))
    for offering_key, offering in sorted(offerings.items()):
        yield f"offering:{offering_key}", paths - facts_of(None, offering).keys()


def _clearing(
    subject: str, paths: Collection[str], state: LiveState
) -> Iterator[tuple[ProposedChange, list[ClearedOverride]]]:
    memberships: Mapping[str, Record] = state.many(Kind.MEMBERSHIP, [f"{name}|{subject}" for name in NATIVE])
    for key, membership in memberships.items():
        name = membership["schema"]
        after = clear_overrides(NATIVE[name].owns, membership, paths)
        if after is not None:
            fields = overridden(membership.get("native", {})) - overridden(after.get("native", {}))
            cleared = [ClearedOverride(name, subject, field) for field in sorted(fields)]
            yield ProposedChange(Kind.MEMBERSHIP, key, after), cleared
