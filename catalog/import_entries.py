"""Members that are models themselves: which entry a document's model is, and what it states about it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from catalog.import_plan import Draft
from catalog.merging import merge_entry, with_facts
from catalog.records import EntryRecord, Kind, Record
from catalog.resolving import Entries, model_identity, new_lab, slugify, stage_of
from catalog.schemas import residual
from catalog.schemas.base import NativeSchema, ParsedMember, Subject
from catalog.schemas.facts import facts_of, same_fact
from catalog.schemas.reading.values import to_json

Memberships = Mapping[str, Record]
"""A schema's, by subject."""
FindSubject = Callable[[str], Subject]


def stated_by(schema: NativeSchema, memberships: Memberships, subject: Subject) -> Mapping[str, Any]:
    """The facts that a schema's document states about a member, as it is now."""
    membership = memberships.get(subject.key)
    if membership is None or (subject.offering is None and subject.entry is None):
        return {}
    derived = schema.derive(replace(subject, membership=membership))
    native = residual.values(derived, membership.get("native", {}))
    if subject.offering is None:
        return schema.learn(ParsedMember("entry", "", "", native, 0))
    return schema.learn(ParsedMember("offering", "", subject.offering["native_id"], native, 0))


def entry_subjects(memberships: Memberships) -> dict[str, list[str]]:
    """Entry → the subjects under which a document lists it: more than one where it lists two files of one model."""
    found: dict[str, list[str]] = {}
    for subject in memberships:
        word, _, name = subject.partition(":")
        if word == Kind.ENTRY:
            found.setdefault(name.partition("#")[0], []).append(subject)
    return found


class EntryMembers:
    """Finds, makes and teaches the entries that a document lists."""

    def __init__(
        self, schema: NativeSchema, draft: Draft, entries: Entries, own: Memberships, find: FindSubject
    ) -> None:
        self.schema = schema
        self.own = own
        self._known = dict(self._listed_before(find))
        self.draft = draft
        self.entries = entries
        self._files = {
            artifact["name"]: key
            for key, entry in sorted(draft.before(Kind.ENTRY).items(), reverse=True)
            for artifact in entry.get("artifacts", ())
        }

    def _listed_before(self, find: FindSubject) -> Iterator[tuple[tuple[tuple[str, str], ...], str]]:
        """What this schema's members say, field by field → the entry that each is."""
        for subject, membership in self.own.items():
            if subject.startswith("entry:"):
                derived = self.schema.derive(replace(find(subject), membership=membership))
                raw = residual.compose(derived, membership.get("native", {}), self.schema.rank(subject))
                yield tuple(raw.items()), subject.removeprefix("entry:").partition("#")[0]

    def meant(self, parsed: ParsedMember) -> str:
        """The entry that it was before, that has one of its files, or that its name speaks of; else a new one."""
        said = tuple((field, to_json(value)) for field, value in parsed.native.items())
        if self.draft.get(Kind.ENTRY, self._known.get(said, "")) is not None:
            return self._known[said]
        stated = self.schema.learn(parsed)
        for path in stated:
            file = path.split(".", 2)[2] if path.startswith("artifacts.") else ""
            if file in self._files:
                return self._files[file]
        lab, slug = model_identity(parsed.native_id)
        lab = lab or slugify(parsed.provider)
        return self.entries.find(lab, slug) or self._add(lab, slug, parsed, stated)

    def _add(self, lab: str, slug: str, parsed: ParsedMember, stated: Mapping[str, Any]) -> str:
        if self.draft.get(Kind.LAB, lab) is None:
            self.draft.put(Kind.LAB, lab, new_lab(lab, _printable(parsed.provider) or lab))
        entry = EntryRecord(
            lab=lab,
            slug=slug,
            name=_printable(parsed.native_id) or slug,
            mode=stated.get("mode", "chat"),
            stage=stage_of(parsed.native_id),
        )
        key = self.entries.add(entry)
        self.draft.put(Kind.ENTRY, key, with_facts(entry, stated))
        return key

    def learn(
        self,
        subject: Subject,
        parsed: ParsedMember,
        *,
        others: Sequence[tuple[NativeSchema, Memberships]],
        company: Sequence[Subject],
    ) -> Record | None:
        """The entry as it is after this member; ``company`` are the members that other schemas may have of it."""
        entry = subject.entry
        if entry is None:
            return None
        facts = facts_of(entry, None)
        stated = self.schema.learn(parsed)
        before = stated_by(self.schema, self.own, subject)
        followed = {path for path, value in before.items() if same_fact(path, facts.get(path), value)}
        held = {path for path in stated if path in facts and path not in followed}
        if followed:
            held.update(_said(company, others, facts))
        return merge_entry(entry, stated=stated, withdrawn=followed, held=held)


def _said(
    company: Sequence[Subject], others: Sequence[tuple[NativeSchema, Memberships]], facts: Mapping[str, Any]
) -> Iterator[str]:
    """The facts that other documents state as they are shared."""
    for other, memberships in others:
        for subject in company:
            for path, value in stated_by(other, memberships, subject).items():
                if same_fact(path, facts.get(path), value):
                    yield path


def _printable(text: str) -> str:
    text = text.strip()[:200].strip()
    return text if text.isprintable() else ""
