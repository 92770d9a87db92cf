"""What documents have in common that are one JSON list of objects: at the top, or under one key of an object.

A format of this kind names its fields, its rules and its lenses; reading, writing one object a line, and judging
with the rules stand here. What an object's list is framed by is kept as it came, ``SchemaRecord["document"]["frame"]``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from catalog.resolving import NATIVE_ID
from catalog.schemas import residual
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedMember, Subject
from catalog.schemas.json_rules import Problem, Rule, problems
from catalog.schemas.nesting import flat, joined
from catalog.schemas.reading.json_reader import parse_value, read_json
from catalog.schemas.reading.values import Json, ParseError, quoted, to_json

Frame = Sequence[tuple[str, str | None]]
"""The keys at the top with their JSON text, in order; the list's own has ``None``. Empty: the list is the document."""

_INSIDE: Final = "\t"
"""Between a line's place and its id in ``Line.order``: whoever compares ids need not read the lines."""
_LONGEST: Final = 280


class JsonList:
    """To be completed by one format: its names, ``member``, ``learn``, ``derive`` and what it leaves out."""

    name: str
    file: str
    client: str
    media_type: str = "application/json"
    family: str = ""
    blocks: bool = False

    frame: Frame = ()
    id_field: str = "id"
    fields: tuple[str, ...] = ()
    """In their usual order."""
    nested: tuple[str, ...] = ()
    """Objects whose fields are overridden one by one."""
    rules: tuple[Rule, ...] = ()
    repeats: Literal["stop", "warn"] = "stop"
    """What an id that stands twice means to the client."""
    repeats_say: str = ""
    unknown: Mapping[str, str] = {}
    """Field → why automatic membership leaves a member out that lacks it."""

    # a format's own

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        raise NotImplementedError

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        raise NotImplementedError

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        raise NotImplementedError

    def derive(self, subject: Subject) -> dict[str, Json]:
        raise NotImplementedError

    def unfit(self, subject: Subject) -> str:
        """Why this format has no use for a member, before its fields are looked at."""
        raise NotImplementedError

    def item_problems(self, item: Mapping[str, Json]) -> Iterator[Problem]:
        yield from problems(item, self.rules)

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        read = read_json(data)
        items, frame = self._unframed(read.value)
        if not items:
            raise ParseError("the list is empty: every model would disappear", line=1)
        lines = read.item_lines.get(self._list_key, [])
        members = tuple(self._parsed(item, lines, place) for place, item in enumerate(items))
        document = {} if frame == [list(part) for part in self.frame] else {"frame": frame}
        return ParsedDocument(members, document, notices=read.notices)

    @property
    def _list_key(self) -> str:
        return next((key for key, text in self.frame if text is None), "")

    def _unframed(self, value: Json) -> tuple[list[Json], list[list[str | None]]]:
        if not self.frame:
            if not isinstance(value, list):
                raise ParseError("a list is expected at the top", line=1)
            return value, []
        items = value.get(self._list_key) if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(items, list):
            raise ParseError(f"an object with a list {self._list_key} is expected", line=1)
        around: list[list[str | None]] = [
            [key, None if key == self._list_key else to_json(item)] for key, item in value.items()
        ]
        return items, around

    def _parsed(self, item: Json, lines: Sequence[int], place: int) -> ParsedMember:
        line = lines[place] if place < len(lines) else 1
        if not isinstance(item, dict):
            raise ParseError(f"number {place + 1} of the list is not an object", line=1)
        return self.member(item, line)

    def flat(self, item: Mapping[str, Json]) -> dict[str, Json]:
        return flat(item, self.nested)

    def native_id(self, item: Mapping[str, Json], line: int) -> str:
        """The id that says which offering an object is."""
        found = item.get(self.id_field)
        if isinstance(found, str) and NATIVE_ID.fullmatch(found):
            return found
        reason = f"the {self.id_field} {found[:40]!r} is not an id" if isinstance(found, str) else ""
        raise ParseError(
            reason or f"an object has no {self.id_field}", line=line, advice="printable ASCII, at most 256"
        )

    # out

    def rank(self, _subject_key: str) -> residual.Rank:
        return self._rank

    def _rank(self, field: str) -> tuple[int, str]:
        return (self.fields.index(field) if field in self.fields else len(self.fields)), field

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        return residual.diff(self.derive(subject), member.native, self._rank)

    def line(self, subject: Subject) -> Line | Omission:
        if missing := self.missing(subject):
            return Omission(subject.key, missing)
        own = subject.own
        raw = residual.compose(self.derive(subject), own, self._rank)
        return Line(self._order(subject, raw), subject.key, joined(raw, self.nested))

    def _order(self, subject: Subject, raw: Mapping[str, str]) -> str:
        found = parse_value(raw[self.id_field]) if self.id_field in raw else ""
        identity = to_json(found)[1:-1] if isinstance(found, str) else ""
        if len(identity) > _LONGEST:
            identity = hashlib.sha256(identity.encode()).hexdigest()
        place = f"{subject.membership['position']:010d}" if subject.membership else "~"
        return f"{place}{_INSIDE}{identity}"

    def missing(self, subject: Subject) -> str:
        if subject.offering is None:
            return "its offering does not exist"
        return "" if subject.provider else "its provider does not exist"

    def excluded(self, subject: Subject, kin: Mapping[str, Json]) -> str:
        del kin
        reason = self.missing(subject)
        if reason or subject.entry is None:
            return reason or "its entry does not exist"
        return self.unfit(subject) or self._lacking(subject)

    def _lacking(self, subject: Subject) -> str:
        given = residual.values(self.derive(subject), subject.own)
        for rule in self.rules:
            if (
                rule.needed
                and rule.field not in given
                and not any(field.startswith(f"{rule.field}.") for field in given)
            ):
                return self.unknown.get(rule.field, f"its {rule.field} is not known")
        return ""

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        text = ",\n".join(line.text for line in lines)
        items = f"[\n{text}\n]" if text else "[]"
        frame = document.get("frame", self.frame)
        if not frame:
            return f"{items}\n".encode()
        parts = [f"{quoted(key)}:{items if part is None else part}" for key, part in frame]
        return ("{" + ",".join(parts) + "}\n").encode()

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            items, _ = self._unframed(read_json(data).value)
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        found: list[Finding] = []
        ids: list[tuple[str, str]] = []
        for number, item in enumerate(items, 1):
            where = self._where(item, number)
            ids.append((where, to_json(item.get(self.id_field, "")) if isinstance(item, dict) else ""))
            found += self._item_findings(where, item)
        return found + self._list_findings(ids)

    def gate_line(self, line: Line) -> list[Finding]:
        try:
            item = read_json(line.text.encode()).value
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        return self._item_findings(line.key, item)

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        return self._list_findings([(line.key, line.order.partition(_INSIDE)[2]) for line in lines])

    def _where(self, item: Json, number: int) -> str:
        found = item.get(self.id_field) if isinstance(item, dict) else None
        return found if isinstance(found, str) and found else f"number {number}"

    def _item_findings(self, where: str, item: Json) -> list[Finding]:
        if not isinstance(item, dict):
            return [Finding("stop", where, "is not an object", self.client)]
        return [Finding(severity, where, says, self.client) for severity, says in self.item_problems(item)]

    def _list_findings(self, ids: Sequence[tuple[str, str]]) -> list[Finding]:
        found: list[Finding] = []
        if not ids:
            reason = "the list is empty: every model would disappear"
            found.append(Finding("stop", "document", reason, self.client))
        seen: set[str] = set()
        for where, identity in ids:
            if identity and identity in seen:
                reason = f"the {self.id_field} stands twice" + (
                    f": {self.repeats_say}" if self.repeats_say else ""
                )
                found.append(Finding(self.repeats, where, reason, self.client))
            seen.add(identity)
        return found
