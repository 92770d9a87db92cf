"""Gathers, for each schema, how a release differs from the one that was last published, and asks the guards."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db.models import Count

from catalog.guards import PriceMove, SchemaChange, Trip, judge
from catalog.members import (
    family_of,
    is_automatic,
    is_native,
    left_out,
    lists_entries,
    subject,
    subject_keys,
)
from catalog.models import RecordVersion, Release
from catalog.reading import ReleaseState, in_release, loaded
from catalog.records import Kind, Record, split_offering_key
from catalog.schemas import residual
from catalog.schemas.base import NativeSchema, Schema, Subject
from catalog.schemas.facts import price_path
from catalog.schemas.reading.values import Json, Number
from catalog.schemas.registry import NATIVE
from catalog.services.releases import release_changes
from catalog.services.touching import touched_members, touched_records

PRICE_FIELD: Final = re.compile(r"price|pricing|cost")
OF_SCHEMAS: Final = (Kind.SCHEMA, Kind.MEMBERSHIP, Kind.ADJUSTMENT)
WRITTEN_NUMBER: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,40})?", re.ASCII)
ENDPOINT_FIELD: Final = re.compile(r"api|base|endpoint|experimental|host|patch|provider|(?<!pricing_)url")
HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#\s\"'\\]*@)?([^/?#\s\"'\\]+)", re.IGNORECASE)
Sizes = Mapping[Kind, int]
"""How many records of each kind a release holds."""
Pair = tuple[str, Subject | None, Subject | None]
"""A member's key, the member as it was and as it is."""


def judge_release(
    *, release: int, published: int, schemas: Mapping[str, Schema], known: Collection[str] | None = None
) -> list[Trip]:
    """Every guard that the release trips against the published one, schema by schema.

    ``known`` names the schemas that were published then (all, without it): a schema's first publication trips none.
    Nor does going back to a state that was published.
    """
    changes = release_changes(published, release)
    changed: dict[Kind, set[str]] = defaultdict(set)
    for change in changes:
        changed[change.kind].add(change.key)
    before, after = ReleaseState(published), ReleaseState(release)
    sizes = _sizes(before), _sizes(after)
    trips: list[Trip] = []
    for schema in schemas.values():
        if changes and (known is None or schema.name in known):
            family = family_of(schema, schemas)
            trips += judge(_Comparison(schema, before, after, changed, family, sizes).change())
    return trips


def _sizes(state: ReleaseState) -> Sizes:
    """As they were counted when the release was cut: to count them again would read every record's row."""
    kept = Release.objects.filter(number=state.number).values_list("records", flat=True).first()
    if kept:
        return {Kind(kind): count for kind, count in kept.items()}
    rows = RecordVersion.objects.filter(in_release(state.number)).values("kind").annotate(records=Count("id"))
    return {Kind(row["kind"]): row["records"] for row in rows.order_by("kind")}


@dataclass(frozen=True)
class _Comparison:
    schema: Schema
    before: ReleaseState
    after: ReleaseState
    changed: dict[Kind, set[str]]
    family: Sequence[str]
    sizes: tuple[Sizes, Sizes]

    def change(self) -> SchemaChange:
        pairs = list(self._pairs())
        return SchemaChange(
            schema=self.schema.name,
            members_before=self._count(self.before, self.sizes[0]),
            members_after=self._count(self.after, self.sizes[1]),
            touched=sum(old is not None for _, old, _ in pairs),
            emptied=tuple(self._emptied(pairs)),
            moves=tuple(
                move for key, old, new in pairs if old and new for move in self._moves(key, old, new)
            ),
            new_hosts=self._new_hosts(pairs),
        )

    def _pairs(self) -> Iterator[Pair]:
        """Members that a changed record touches, as they were and as they are; heads of blocks are no members."""
        keys = self._touched()
        was_automatic, is_now = is_automatic(self.schema, self.before), is_automatic(self.schema, self.after)
        for key in sorted(
            key for key in keys if not (is_native(self.schema) and key.startswith("provider:"))
        ):
            old = self._listed(key, self.before, automatic=was_automatic)
            new = self._listed(key, self.after, automatic=is_now)
            if (old is not None or new is not None) and not self._says_the_same(old, new):
                yield key, old, new

    def _heads(self) -> Iterator[Pair]:
        """Heads of blocks that a changed record touches: they say where requests for all their members go."""
        was_automatic, is_now = is_automatic(self.schema, self.before), is_automatic(self.schema, self.after)
        for key in sorted(self._touched()):
            if is_native(self.schema) and key.startswith("provider:"):
                old = subject(self.schema, key, self.before, automatic=was_automatic)
                yield key, old, subject(self.schema, key, self.after, automatic=is_now)

    def _listed(self, key: str, state: ReleaseState, *, automatic: bool) -> Subject | None:
        """The member, if the document has it: automatic membership leaves out what a format cannot hold."""
        found = subject(self.schema, key, state, automatic=automatic)
        if found is not None and found.hidden:
            return None
        if found is not None and automatic and left_out(self.schema, found, state, self.family):
            return None
        return found

    def _says_the_same(self, old: Subject | None, new: Subject | None) -> bool:
        """A record behind the member changed, but nothing that this document says of it."""
        if old is None or new is None or not is_native(self.schema):
            return False
        native = NATIVE[self.schema.name]
        return _native(native, old) == _native(native, new)

    def _touched(self) -> set[str]:
        if not is_native(self.schema):
            return touched_records(self.changed)
        if self.schema.name in self.changed[Kind.SCHEMA]:
            if lists_entries(self.schema):
                return {
                    key for state in (self.before, self.after) for key in subject_keys(self.schema, state)
                }
            return {
                f"offering:{key}" for state in (self.before, self.after) for key in state.all(Kind.OFFERING)
            }
        family = {self.schema.name}
        states = (self.before, self.after)
        return {key for state in states for key in touched_members(self.changed, state, family)}

    def _count(self, state: ReleaseState, sizes: Sizes) -> int:
        if not is_native(self.schema):
            return sum(count for kind, count in sizes.items() if kind not in OF_SCHEMAS)
        return max(0, self._members(state, sizes) - len(self._hidden(state)))

    def _hidden(self, state: ReleaseState) -> set[str]:
        """Members that an operator took out of this document."""
        records = state.all(Kind.ADJUSTMENT).values()
        mine = [r["subject"] for r in records if r["schema"] == self.schema.name and r.get("hidden")]
        if not mine:
            return set()
        automatic = is_automatic(self.schema, state)
        touched = touched_members(
            {Kind.ADJUSTMENT: {f"{self.schema.name}|{key}" for key in mine}}, state, {self.schema.name}
        )
        members = {key for key in touched if not key.startswith("provider:")}
        return {key for key in members if subject(self.schema, key, state, automatic=automatic) is not None}

    def _members(self, state: ReleaseState, sizes: Sizes) -> int:
        if is_automatic(self.schema, state):
            return sizes.get(Kind.ENTRY if lists_entries(self.schema) else Kind.OFFERING, 0)
        versions = RecordVersion.objects.filter(in_release(state.number))
        name = self.schema.name
        mine = versions.filter(kind=Kind.MEMBERSHIP, key__gte=f"{name}|", key__lt=f"{name}}}")
        return mine.exclude(parent__startswith="provider:").count()

    def _emptied(self, pairs: Collection[Pair]) -> Iterator[str]:
        lost = {_provider(key) for key, old, new in pairs if new is None and key.startswith("offering:")}
        for slug in sorted(lost):
            if not self._lists_any_of(slug):
                yield slug

    def _lists_any_of(self, provider: str) -> bool:
        offerings = [f"{provider}:", f"{provider}#"]
        if not is_native(self.schema) or is_automatic(self.schema, self.after):
            return bool(self.after.keys_beginning(Kind.OFFERING, *offerings))
        members = [f"{self.schema.name}|offering:{prefix}" for prefix in offerings]
        return bool(self.after.keys_beginning(Kind.MEMBERSHIP, *members))

    def _moves(self, key: str, old: Subject, new: Subject) -> Iterator[PriceMove]:
        before, after = self._prices(old), self._prices(new)
        for field in sorted(before.keys() & after.keys()):
            if before[field] != after[field]:
                yield PriceMove(key, field, before[field], after[field])

    def _prices(self, member: Subject) -> Mapping[str, Decimal]:
        if is_native(self.schema):
            native = _native(NATIVE[self.schema.name], member)
            found = ((field, _decimal(value)) for field, value in native.items() if PRICE_FIELD.search(field))
            return {field: amount for field, amount in found if amount is not None}
        prices = (member.offering or {}).get("prices", [])
        return {price_path(price).removeprefix("prices."): Decimal(price["amount"]) for price in prices}

    def _new_hosts(self, pairs: Collection[Pair]) -> dict[str, str]:
        """Hosts that clients would send requests to, and that the published release named nowhere."""
        routed = [*pairs, *self._heads()]
        known = {host for _, old, _ in routed if old for host in self._endpoint_hosts(old)}
        stated = [(host, key) for key, _, new in routed if new for host in self._endpoint_hosts(new)]
        candidates = {host: key for host, key in reversed(stated) if host not in known}
        if candidates:
            everywhere = self._all_hosts_before()
            candidates = {host: key for host, key in candidates.items() if host not in everywhere}
        return candidates

    def _all_hosts_before(self) -> set[str]:
        kinds = [Kind.MEMBERSHIP] if is_native(self.schema) else [Kind.PROVIDER, Kind.OFFERING]
        versions = RecordVersion.objects.filter(
            in_release(self.before.number), kind__in=kinds, data__contains="://"
        )
        members = [
            (Kind(kind), loaded(data) or {}) for kind, data in versions.values_list("kind", "data").iterator()
        ]
        return {host for kind, record in members for host in _record_hosts(kind, record)}

    def _endpoint_hosts(self, member: Subject) -> Iterator[str]:
        """Of a document of somebody else's making, what it says itself; of ours, what its records say."""
        if is_native(self.schema):
            yield from _record_hosts(Kind.MEMBERSHIP, {"native": member.own})
        elif member.record is not None:
            yield from _record_hosts(Kind(member.key.partition(":")[0]), member.record)


def _native(schema: NativeSchema, member: Subject) -> Mapping[str, Json]:
    """The member as its document states it, by field."""
    derived = {} if member.key.startswith("opaque:") else schema.derive(member)
    return residual.apply(derived, member.own, lambda field: field)


def _decimal(value: Json) -> Decimal | None:
    """A number, or a text that is one: some formats write prices as texts."""
    if isinstance(value, str) and WRITTEN_NUMBER.fullmatch(value):
        return Decimal(value)
    return value.value if isinstance(value, Number) else None


def _provider(key: str) -> str:
    return split_offering_key(key.removeprefix("offering:"))[0]


def _record_hosts(kind: Kind, record: Record) -> Iterator[str]:
    stated: list[str] = []
    match kind:
        case Kind.PROVIDER:
            stated = [record.get("api", "")]
        case Kind.OFFERING:
            stated = list(record.get("endpoint", {}).values())
        case Kind.MEMBERSHIP:
            own: Mapping[str, str] = record.get("native", {}).get("set", {})
            stated = [text for field, text in own.items() if ENDPOINT_FIELD.search(field)]
    for text in stated:
        yield from (found[1].lower() for found in HOST.finditer(text))
