"""``almanac/v1``: our own document, everything public, one record per line.

Compact JSON records, their keys in the order in which ``records`` declares them, sections in ``SECTIONS``' order and in
each the records by key; every bracket of a section stands on a line of its own. Nothing in it says when or in which
release it was made, so equal states have equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, get_type_hints

import jsonschema

from catalog import records
from catalog.records import Kind, Record, key_of
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedRecord, Subject
from catalog.schemas.reading.json_reader import JsonText, read_json
from catalog.schemas.reading.values import Json, Number, ParseError
from catalog.schemas.shape_check import Check, compiled

FORMAT: Final = "almanac/v1"
SECTIONS: Final[dict[str, Kind]] = {
    "regions": Kind.REGION,
    "labs": Kind.LAB,
    "providers": Kind.PROVIDER,
    "entries": Kind.ENTRY,
    "offerings": Kind.OFFERING,
    "featured": Kind.FEATURED,
    "trials": Kind.TRIAL,
    "experiments": Kind.EXPERIMENT,
}
SCHEMA_FILE: Final = Path(__file__).parent / "files" / "almanac-v1.schema.json"

_SECTION_OF: Final = {kind: section for section, kind in SECTIONS.items()}
_PLACE: Final = {kind: place for place, kind in enumerate(SECTIONS.values())}
_SHAPES: Final[dict[Kind, type]] = {
    Kind.REGION: records.RegionRecord,
    Kind.LAB: records.LabRecord,
    Kind.PROVIDER: records.ProviderRecord,
    Kind.ENTRY: records.EntryRecord,
    Kind.OFFERING: records.OfferingRecord,
    Kind.FEATURED: records.FeaturedRecord,
    Kind.TRIAL: records.TrialRecord,
    Kind.EXPERIMENT: records.ExperimentRecord,
}
_INNER_SHAPES: Final[dict[str, type]] = {
    "limits": records.LimitsRecord,
    "modalities": records.ModalitiesRecord,
    "artifacts": records.ArtifactRecord,
    "prices": records.PriceRecord,
    "availability": records.AvailabilityRecord,
    "items": records.FeaturedItemRecord,
    "arms": records.ArmRecord,
}
_CAPABILITY_PLACE: Final = {name: place for place, name in enumerate(records.CAPABILITIES)}
_WITH_ID: Final = (Kind.ENTRY, Kind.OFFERING)


def public_form(kind: Kind, record: Record) -> dict[str, Any]:
    """The record as it is published: keys in order, its id first where it has one, nothing that is ours alone."""
    form: dict[str, Any] = {"id": key_of(kind, record)} if kind in _WITH_ID else {}
    form.update(_ordered(record, _SHAPES[kind]))
    if kind is Kind.OFFERING:
        if form.get("ordinal") == 1:
            del form["ordinal"]
        if "prices" in form:
            form["prices"] = [{k: v for k, v in price.items() if k != "spelling"} for price in form["prices"]]
    return form


def _ordered(record: Record, shape: type) -> dict[str, Any]:
    return {name: _inner(name, record[name]) for name in _names(shape) if name in record}


@cache
def _names(shape: type) -> tuple[str, ...]:
    return tuple(get_type_hints(shape))


def _inner(name: str, value: Any) -> Any:
    shape = _INNER_SHAPES.get(name)
    if shape is not None and isinstance(value, Mapping):
        return _ordered(value, shape)
    if shape is not None:
        return [_ordered(item, shape) for item in value]
    if name == "capabilities":
        return {
            key: value[key] for key in sorted(value, key=lambda key: (_CAPABILITY_PLACE.get(key, 99), key))
        }
    return _sorted(value)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def record_from(kind: Kind, public: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``public_form``; a price's spelling is not in it."""
    record = {name: value for name, value in public.items() if name != "id" or kind not in _WITH_ID}
    if kind is Kind.OFFERING:
        record.setdefault("ordinal", 1)
    return record


@dataclass(frozen=True, slots=True)
class AlmanacV1:
    name: str = FORMAT
    file: str = "almanac/v1/catalog.json"
    media_type: str = "application/json"
    family: str = ""
    client: str = "almanac"

    def parse(self, data: bytes) -> ParsedDocument:
        read = read_json(data)
        value = read.value
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ParseError(f'an object with "format": "{FORMAT}" is expected', line=1)
        unknown = next((key for key in value if key != "format" and key not in SECTIONS), None)
        if unknown is not None:
            raise ParseError(f"unknown section {unknown!r}", line=read.key_lines.get(unknown, 0))
        found = tuple(_records_of(read, value))
        _refuse_repetition(found)
        return ParsedDocument(records=found, notices=read.notices)

    def line(self, subject: Subject) -> Line | Omission:
        kind, record = _public_record(subject)
        if record is None:
            return Omission(subject.key, "it does not exist")
        if kind is Kind.EXPERIMENT and record["status"] == "draft":
            return Omission(subject.key, "a draft is not published")
        text = json.dumps(
            public_form(kind, record), ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
        return Line(f"{_PLACE[kind]}\t{key_of(kind, record)}", subject.key, text)

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        del document
        sections: dict[str, list[str]] = {str(place): [] for place in range(len(SECTIONS))}
        for line in lines:
            sections[line.order[0]].append(line.text)
        parts = [f'{{"format":"{FORMAT}"']
        for name, texts in zip(SECTIONS, sections.values(), strict=True):
            inner = "\n" + ",\n".join(texts) + "\n" if texts else "\n"
            parts.append(f'"{name}":[{inner}]')
        return (",\n".join(parts) + "}\n").encode()

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            parsed = self.parse(data)
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        known: dict[Kind, set[str]] = {}
        for item in parsed.records:
            known.setdefault(item.kind, set()).add(item.key)
        found = [Finding("stop", "document", "nothing is listed", self.client)] if not parsed.records else []
        for item in parsed.records:
            found += self._dangling(item.kind, item.key, item.record, known)
        return found

    def gate_line(self, line: Line) -> list[Finding]:
        kind = Kind(line.key.partition(":")[0])
        try:
            value = _plain(read_json(line.text.encode()).value)
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        problem = _shape_problem(kind, value)
        return [Finding("stop", line.key, problem, self.client)] if problem else []

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        """References are the database's to keep; whether the document is empty is told here."""
        return [] if lines else [Finding("stop", "document", "nothing is listed", self.client)]

    def _dangling(
        self, kind: Kind, key: str, record: Record, known: Mapping[Kind, set[str]]
    ) -> Iterator[Finding]:
        for target, name in references(kind, record):
            if name not in known.get(target, ()):
                yield Finding(
                    "stop", f"{kind}:{key}", f"refers to {target} {name}, which is not listed", self.client
                )


def references(kind: Kind, record: Record) -> Iterator[tuple[Kind, str]]:
    """What a record needs to be there: (kind, key)."""
    match kind:
        case Kind.REGION if "parent" in record:
            yield Kind.REGION, record["parent"]
        case Kind.ENTRY:
            yield Kind.LAB, record["lab"]
        case Kind.OFFERING:
            yield Kind.PROVIDER, record["provider"]
            yield Kind.ENTRY, record["entry"]
            availability = record.get("availability", {})
            for code in (*availability.get("only", ()), *availability.get("never", ())):
                yield Kind.REGION, code
        case Kind.FEATURED:
            yield Kind.REGION, record["region"]
            for item in record["items"]:
                yield _target(item["subject"])
        case Kind.TRIAL:
            yield _target(record["subject"])
        case _:
            return


def _target(subject: str) -> tuple[Kind, str]:
    kind, _, key = subject.partition(":")
    return (Kind.OFFERING if kind == "offering" else Kind.ENTRY), key


def _public_record(subject: Subject) -> tuple[Kind, Record | None]:
    kind = Kind(subject.key.partition(":")[0])
    own = {
        Kind.LAB: subject.lab,
        Kind.PROVIDER: subject.provider,
        Kind.ENTRY: subject.entry,
        Kind.OFFERING: subject.offering,
    }
    return kind, own.get(kind, subject.record)


def _records_of(read: JsonText, document: Mapping[str, Json]) -> Iterator[ParsedRecord]:
    for section, kind in SECTIONS.items():
        items = document.get(section, [])
        if not isinstance(items, list):
            raise ParseError(f"{section} must be a list", line=read.key_lines.get(section, 0))
        lines = read.item_lines.get(section, [])
        for place, item in enumerate(items):
            line = lines[place] if len(lines) == len(items) else read.key_lines.get(section, 0)
            public = _record_at(section, kind, item, line)
            record = record_from(kind, public)
            key = key_of(kind, record)
            if kind in _WITH_ID and public.get("id", key) != key:
                raise ParseError(f"{section}: the id {public['id']!r} is not {key!r}", line=line)
            yield ParsedRecord(kind, key, record, line)


def _record_at(section: str, kind: Kind, item: Json, line: int) -> Any:
    try:
        public = _plain(item)
    except ParseError as error:
        raise ParseError(f"{section}: {error.reason}", line=line, advice=error.advice) from error
    problem = _shape_problem(kind, public)
    if problem:
        raise ParseError(f"{section}: {problem}", line=line)
    return public


def _refuse_repetition(found: Sequence[ParsedRecord]) -> None:
    lines: dict[tuple[Kind, str], int] = {}
    for item in found:
        name = (item.kind, item.key)
        if name in lines:
            reason = f"{item.kind} {item.key} stands twice, in lines {lines[name]} and {item.line}"
            raise ParseError(reason, line=item.line, advice="keep one of them")
        lines[name] = item.line


def _plain(value: Json) -> Any:
    """Without spellings: this format counts in whole numbers, and its prices are text."""
    match value:
        case Number():
            if not value.is_integer:
                raise ParseError(
                    f"{value.text} is not a whole number", advice="write prices as text, without exponent"
                )
            return int(value.text)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value


@cache
def _schema_of(kind: Kind) -> dict[str, Any]:
    whole = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    items = whole["properties"][_SECTION_OF[kind]]["items"]
    return dict(_without_references(items, whole["$defs"]))


@cache
def _is_well_formed(kind: Kind) -> Check:
    return compiled(_schema_of(kind))


@cache
def _validator(kind: Kind) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema_of(kind))


def _without_references(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The same rules in one piece."""
    if isinstance(schema, list):
        return [_without_references(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _without_references(definitions[reference.rpartition("/")[2]], definitions)
    return {
        key: _without_references(item, definitions)
        for key, item in schema.items()
        if not isinstance(item, str) or key != "description"
    }


def _shape_problem(kind: Kind, value: Any) -> str:
    """The first thing that the JSON Schema says against one record, or nothing."""
    if _is_well_formed(kind)(value):
        return ""
    error = next(_validator(kind).iter_errors(value), None)
    if error is None:
        return "is not well-formed"
    where = "/".join(map(str, error.absolute_path))
    words = f"{where}: {error.message[:200]}" if where else str(error.message[:200])
    return words + _suggestion(error)


def _suggestion(error: jsonschema.ValidationError) -> str:
    if error.validator != "additionalProperties" or not isinstance(error.instance, Mapping):
        return ""
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    for field in error.instance:
        near = get_close_matches(field, known, n=1) if field not in known else []
        if near:
            return f", did you mean {near[0]}?"
    return ""


ALMANAC_V1: Final = AlmanacV1()
