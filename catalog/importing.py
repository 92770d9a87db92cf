"""A parsed document as the changes it makes to the catalog. Pure: a state in, a plan out.

The rules, all of which keep ``export`` equal to what was imported:

1. The schema's membership becomes exactly the document's. What the document lacks leaves the schema, not the catalog.
2. An offering is found by provider, native id and ordinal; a new one joins the entry that its id speaks of
   (``resolving``), or brings it along.
3. A stated fact fills a gap, or updates the shared one where this schema stated the shared one before and no other
   imported schema does; a fact that it stated before and no longer does is withdrawn on the same condition. So what an
   operator or another source said first stays, and the document's own value is kept as its override.
4. Whatever the shared facts then do not say as the document does stays with the member as its residual.
5. A shared fact that changes is pinned in every other imported schema as that schema had it: one import never changes
   another's document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from catalog.import_entries import EntryMembers, entry_subjects, stated_by
from catalog.import_places import places
from catalog.import_plan import Draft, ImportPlan, ImportReport, PlannedChange
from catalog.import_providers import Head, learn_provider
from catalog.import_records import put_records
from catalog.merging import merge, with_facts
from catalog.records import EntryRecord, Kind, OfferingRecord, Record, SchemaRecord, key_of, offering_key
from catalog.resolving import (
    Entries,
    model_identity,
    new_lab,
    new_provider,
    provider_slug,
    stage_of,
)
from catalog.schemas import residual
from catalog.schemas.base import NativeSchema, ParsedDocument, ParsedMember, Schema, State, Subject
from catalog.schemas.facts import facts_of, same_fact
from catalog.schemas.registry import NATIVE

__all__ = ["ImportPlan", "ImportReport", "PlannedChange", "Progress", "plan_import"]

Progress = Callable[[int, int], None]
"""Called with (members planned so far, members in all)."""

_HOMES: Final = {"alibaba": "qwen", "bedrock": "amazon"}
"""Providers that are a lab under another name."""
_STEP: Final = 200


def plan_import(
    schema: Schema,
    parsed: ParsedDocument,
    state: State,
    *,
    source: str = "",
    progress: Progress | None = None,
) -> ImportPlan:
    """What importing this document would change. Importing the same one again changes nothing."""
    report = ImportReport(source=source, notices=list(parsed.notices))
    draft = Draft(state)
    if isinstance(schema, NativeSchema):
        _Import(schema, parsed, draft, report, progress or _silent).run()
    else:
        put_records(parsed, draft, report)
    changes = draft.changes()
    for change in changes:
        if change.after is not None and state.get(change.kind, change.key) is None:
            report.created[change.kind] = report.created.get(change.kind, 0) + 1
    return ImportPlan(changes, report)


def _silent(_done: int, _all: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class _Member:
    """A parsed member with the subject it means."""

    parsed: ParsedMember
    subject: str
    provider: str = ""
    offering: str = ""
    entry: str = ""
    """Of a member that is a model itself."""


class _Import:
    """The plan for one document with members."""

    def __init__(
        self,
        schema: NativeSchema,
        parsed: ParsedDocument,
        draft: Draft,
        report: ImportReport,
        progress: Progress,
    ) -> None:
        self.schema = schema
        self.parsed = parsed
        self.draft = draft
        self.report = report
        self.progress = progress
        self.entries = Entries(draft.before(Kind.ENTRY), draft.before(Kind.OFFERING).values())
        self.brought: dict[str, str] = {}
        self.offerings_of = _grouped(draft.before(Kind.OFFERING))
        self.own = _memberships(schema.name, draft)
        self.models = EntryMembers(schema, draft, self.entries, self.own, self._subject)
        self.others = [
            (other, _memberships(other.name, draft))
            for other in NATIVE.values()
            if other.name != schema.name and _is_explicit(other.name, draft)
        ]
        self.listed = [entry_subjects(memberships) for _, memberships in self.others]

    def run(self) -> None:
        members = list(self._resolved())
        self._bring_entries(members)
        for number, member in enumerate(members):
            if number % _STEP == 0:
                self.progress(number, len(members))
            if member.offering:
                self._learn(member)
            elif member.entry:
                self._learn_entry(member)
            elif member.provider and "#" not in member.subject:
                head = Head(member.subject, member.provider, member.parsed)
                learn_provider(head, self.schema, self.own, self.others, self.draft)
        self._write_memberships(members)
        self._pin_others()
        self._write_schema()
        self.progress(len(members), len(members))

    # whom the document means

    def _resolved(self) -> Iterator[_Member]:
        slugs: dict[str, str] = {}
        seen: dict[str, int] = {}
        for parsed in self.parsed.members:
            if parsed.kind == "opaque":
                yield _Member(parsed, f"opaque:{parsed.native_id}")
                continue
            if parsed.kind == "entry":
                entry = self.models.meant(parsed)
                ordinal = seen[entry] = seen.get(entry, 0) + 1
                yield _Member(parsed, f"entry:{entry}" + (f"#{ordinal}" if ordinal > 1 else ""), entry=entry)
                continue
            if parsed.provider not in slugs:
                slugs[parsed.provider] = self._provider(parsed.provider)
            slug = slugs[parsed.provider]
            subject = f"provider:{slug}" if parsed.kind == "provider" else f"{slug}:{parsed.native_id}"
            ordinal = seen[subject] = seen.get(subject, 0) + 1
            if parsed.kind == "provider":
                yield _Member(parsed, subject if ordinal == 1 else f"{subject}#{ordinal}", slug)
                continue
            key = offering_key(slug, parsed.native_id, ordinal)
            yield _Member(parsed, f"offering:{key}", slug, key)

    def _provider(self, name: str) -> str:
        slug = provider_slug(self.schema.family, name, self.draft.before(Kind.PROVIDER))
        if self.draft.get(Kind.PROVIDER, slug) is None:
            self.draft.put(Kind.PROVIDER, slug, new_provider(slug, self.schema.family, name))
        return slug

    # entries

    def _bring_entries(self, members: Sequence[_Member]) -> None:
        """New offerings find their entry; where there is none, the lab's own offering (or the first) brings it."""
        groups: dict[tuple[str, str], list[_Member]] = {}
        for member in members:
            if not member.offering or self.draft.get(Kind.OFFERING, member.offering) is not None:
                continue
            lab, slug = model_identity(member.parsed.native_id)
            lab = lab or member.provider
            known = self.entries.find(lab, slug)
            if known is not None:
                self.brought[member.offering] = known
                self.report.joined.append(member.subject)
            else:
                groups.setdefault((lab, slug), []).append(member)
        for (lab, slug), group in groups.items():
            lead = next(
                (member for member in group if _HOMES.get(member.provider, member.provider) == lab), group[0]
            )
            key = self._new_entry(lab, slug, lead)
            self.brought.update((member.offering, key) for member in group)
        for offering, entry in self.brought.items():
            self.offerings_of.setdefault(entry, []).append(offering)

    def _new_entry(self, lab: str, slug: str, lead: _Member) -> str:
        if self.draft.get(Kind.LAB, lab) is None:
            provider = self.draft.get(Kind.PROVIDER, lab) or {}
            self.draft.put(Kind.LAB, lab, new_lab(lab, provider.get("name", lab)))
        stated = self.schema.learn(lead.parsed)
        entry = EntryRecord(
            lab=lab,
            slug=slug,
            name=lead.parsed.native_id.rstrip("/").rpartition("/")[2][:200].strip() or slug,
            mode=stated.get("mode", "chat"),
            stage=stage_of(lead.parsed.native_id),
        )
        key = self.entries.add(entry)
        shared = {path: value for path, value in stated.items() if not path.startswith("prices.")}
        self.draft.put(Kind.ENTRY, key, with_facts(entry, shared))
        return key

    # facts

    def _learn(self, member: _Member) -> None:
        offering = self.draft.get(Kind.OFFERING, member.offering)
        new = offering is None
        if offering is None:
            offering = self._new_offering(member)
        entry = self.draft.get(Kind.ENTRY, offering["entry"])
        if entry is None:
            self.draft.put(Kind.OFFERING, member.offering, offering)
            return
        subject = self._subject(member.subject)
        facts = facts_of(entry, offering)
        stated = self.schema.learn(member.parsed)
        said_before = stated_by(self.schema, self.own, subject)
        held = {
            path
            for other, theirs in self.others
            for path, value in stated_by(other, theirs, subject).items()
            if same_fact(path, facts.get(path), value)
        }
        followed = [path for path, value in said_before.items() if same_fact(path, facts.get(path), value)]
        if not new:
            held.update(path for path in stated if path in facts and path not in followed)
        known, own = merge(
            entry,
            offering,
            stated=stated,
            withdrawn=followed,
            held=held,
            alone=not new and self.offerings_of.get(offering["entry"]) == [member.offering],
        )
        if known is not entry:
            self.draft.put(Kind.ENTRY, offering["entry"], known)
        if new or own is not offering:
            self.draft.put(Kind.OFFERING, member.offering, own)

    def _learn_entry(self, member: _Member) -> None:
        company = [
            *(f"offering:{offering}" for offering in self.offerings_of.get(member.entry, ())),
            *(subject for listed in self.listed for subject in listed.get(member.entry, ())),
        ]
        known = self.models.learn(
            self._subject(member.subject),
            member.parsed,
            others=self.others,
            company=[self._subject(subject) for subject in dict.fromkeys(company)],
        )
        if known is not self.draft.get(Kind.ENTRY, member.entry):
            self.draft.put(Kind.ENTRY, member.entry, known)

    def _new_offering(self, member: _Member) -> Record:
        slug, native_id, ordinal = member.provider, member.parsed.native_id, _ordinal(member.offering)
        return OfferingRecord(
            provider=slug,
            native_id=native_id,
            ordinal=ordinal,
            entry=self.brought[member.offering],
            stage=stage_of(native_id),
        )

    # membership

    def _write_memberships(self, members: Sequence[_Member]) -> None:
        placed = places(members, self.own, in_blocks=self.schema.blocks)
        for member, (block, position) in zip(members, placed, strict=True):
            self._write_membership(member, block, position)
        present = {member.subject for member in members}
        for subject, membership in self.own.items():
            if subject not in present:
                self.draft.put(Kind.MEMBERSHIP, key_of(Kind.MEMBERSHIP, membership), None)
                if subject.startswith(("offering:", "entry:")):
                    self.report.removed.append(subject)

    def _write_membership(self, member: _Member, block: int, position: int) -> None:
        record: dict[str, Any] = {"schema": self.schema.name, "subject": member.subject, "position": position}
        if self.schema.blocks:
            record["block"] = block
        beyond = self.schema.beyond(self._subject(member.subject), member.parsed)
        if beyond:
            record["native"] = beyond
        key = key_of(Kind.MEMBERSHIP, record)
        before = self.own.get(member.subject)
        self.draft.put(Kind.MEMBERSHIP, key, before if before == record else record)
        if member.offering or member.entry:
            self._count(member, is_new=before is None, is_same=before == record)

    def _count(self, member: _Member, *, is_new: bool, is_same: bool) -> None:
        offering = self.draft.get(Kind.OFFERING, member.offering) or {}
        shared = bool(member.entry) or offering == self.draft.before(Kind.OFFERING).get(member.offering)
        entry_key = member.entry or offering.get("entry", "")
        shared = shared and self.draft.get(Kind.ENTRY, entry_key) == self.draft.before(Kind.ENTRY).get(
            entry_key
        )
        if is_new:
            self.report.added.append(member.subject)
        elif is_same and shared:
            self.report.left += 1
        else:
            self.report.changed.append(member.subject)

    def _subject(self, key: str, *, before: bool = False) -> Subject:
        """A member with its records as drafted, or as they were."""
        get = (lambda kind, name: self.draft.before(kind).get(name)) if before else self.draft.get
        kind, _, name = key.partition(":")
        if kind == "provider":
            return Subject(key, provider=get(Kind.PROVIDER, name.partition("#")[0]))
        if kind == "entry":
            entry = get(Kind.ENTRY, name.partition("#")[0])
            return Subject(key, entry=entry, lab=get(Kind.LAB, entry["lab"]) if entry else None)
        offering = get(Kind.OFFERING, name) if kind == "offering" else None
        if offering is None:
            return Subject(key)
        provider = get(Kind.PROVIDER, offering["provider"])
        return Subject(key, provider=provider, entry=get(Kind.ENTRY, offering["entry"]), offering=offering)

    # the other schemas, and this one's own record

    def _pin_others(self) -> None:
        touched = set(self.draft.touched(Kind.OFFERING))
        entries = sorted(self.draft.touched(Kind.ENTRY))
        for entry in entries:
            touched.update(self.offerings_of.get(entry, ()))
        providers = set(self.draft.touched(Kind.PROVIDER))
        for (other, memberships), listed in zip(self.others, self.listed, strict=True):
            for subject in (subject for entry in entries for subject in listed.get(entry, ())):
                self._pin(other, memberships[subject])
            for offering in sorted(touched):
                membership = memberships.get(f"offering:{offering}")
                if membership is not None:
                    self._pin(other, membership)
            for subject, membership in memberships.items() if providers else ():
                kind, _, name = subject.partition(":")
                if kind == "provider" and name.partition("#")[0] in providers:
                    self._pin(other, membership)

    def _pin(self, schema: NativeSchema, membership: Record) -> None:
        """The same native record over the changed shared facts."""
        subject, own, rank = (
            membership["subject"],
            membership.get("native", {}),
            schema.rank(membership["subject"]),
        )
        was = replace(self._subject(subject, before=True), membership=membership)
        native = residual.apply(schema.derive(was), own, rank)
        pinned = residual.diff(
            schema.derive(replace(self._subject(subject), membership=membership)), native, rank
        )
        kept = {name: value for name, value in own.items() if name not in residual.PARTS}
        record = {name: value for name, value in membership.items() if name != "native"}
        if pinned or kept:
            record["native"] = {**pinned, **kept}
        self.draft.put(Kind.MEMBERSHIP, key_of(Kind.MEMBERSHIP, record), record)

    def _write_schema(self) -> None:
        name = self.schema.name
        before = self.draft.get(Kind.SCHEMA, name) or SchemaRecord(name=name, status="current", membership="")
        record = {key: value for key, value in before.items() if key != "document"}
        record["membership"] = "explicit"
        if self.parsed.document:
            record["document"] = dict(self.parsed.document)
        self.draft.put(Kind.SCHEMA, name, record)


def _ordinal(key: str) -> int:
    _, _, ordinal = key.partition(":")[0].partition("#")
    return int(ordinal or 1)


def _grouped(offerings: Mapping[str, Record]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, offering in offerings.items():
        found.setdefault(offering["entry"], []).append(key)
    return found


def _memberships(schema: str, draft: Draft) -> dict[str, Record]:
    return {
        record["subject"]: record
        for record in draft.before(Kind.MEMBERSHIP).values()
        if record["schema"] == schema
    }


def _is_explicit(schema: str, draft: Draft) -> bool:
    return (draft.get(Kind.SCHEMA, schema) or {}).get("membership") == "explicit"
