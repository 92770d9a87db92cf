"""genai-prices' ``data.json``, v2 and the frozen v1: a list of providers with their models, USD per million tokens.

One model a line. How a model is recognised, and prices that depend on the day or the hour, travel as they are; a model
that nobody described for it is recognised by its id. Source: pydantic/genai-prices 0.0 to 0.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.resolving import NATIVE_ID
from catalog.schemas import nesting, residual
from catalog.schemas.aichat import plain_id
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedMember, Subject
from catalog.schemas.facts import facts_of
from catalog.schemas.genai_fields import (
    GROUPS,
    OWNS,
    head_rank,
    pattern_of,
    rank,
    read,
    read_head,
    write,
    write_head,
)
from catalog.schemas.genai_rules import Problem, document_problems, model_problems, provider_problems
from catalog.schemas.genai_units import FIRST_VERSION, SHARED, lacking
from catalog.schemas.json_blocks import HEAD, Heads, joined, members_text, name_in, order_of, split_at
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import Json, ParseError


@dataclass(frozen=True, slots=True)
class GenaiPrices:
    name: str
    version: str
    client: str
    units: Collection[str]
    media_type: str = "application/json"
    family: str = "genai-prices"
    blocks: bool = True

    @property
    def file(self) -> str:
        return f"genai-prices/{self.version}/data.json"

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return OWNS

    @property
    def computes(self) -> bool:
        """Whether its clients refuse to compute with prices that others are missing beside."""
        return self.version != "v1"

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        found = read_json(data)
        if not isinstance(found.value, list):
            raise ParseError("a list of providers is expected", line=1)
        if not found.value:
            raise ParseError("the list is empty: every price would disappear", line=1)
        members = [
            member for block, provider in enumerate(found.value) for member in _members(block, provider)
        ]
        return ParsedDocument(tuple(members), notices=found.notices)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        if member.kind == "offering":
            return read(member.native, member.native_id)
        return read_head(member.native) if member.kind == "provider" else {}

    # out

    def rank(self, subject_key: str) -> residual.Rank:
        return head_rank if subject_key.startswith(HEAD) else rank

    def derive(self, subject: Subject) -> dict[str, Json]:
        if subject.key.startswith(HEAD):
            return write_head(subject.provider) if subject.provider else {"models": None}
        native_id = plain_id(subject.provider or {}, subject.offering or {})
        return write(facts_of(subject.entry, subject.offering), native_id, self.units)

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        return residual.diff(self.derive(subject), member.native, self.rank(subject.key))

    def line(self, subject: Subject) -> Line | Omission:
        if missing := _missing(subject):
            return Omission(subject.key, missing)
        own = subject.own
        raw = residual.compose(self.derive(subject), own, self.rank(subject.key))
        order = order_of(subject, name_in(self.family, subject.provider or {}))
        if not subject.key.startswith(HEAD):
            return Line(order, subject.key, nesting.joined(raw, GROUPS))
        parts = split_at(raw, "models")
        if parts is None:
            return Line(order, subject.key, f"{{{members_text(raw)}}}")
        before, after = parts
        return Line(order, subject.key, f"{{{before}[\n", f"\n]{after}}}")

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        del document
        text = joined(lines, ",\n")
        return f"[\n{text}\n]\n".encode() if text else b"[]\n"

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            value = read_json(data).value
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        return [
            self._finding(where, problem)
            for where, problem in document_problems(value, computes=self.computes)
        ]

    def gate_line(self, line: Line) -> list[Finding]:
        try:
            value = read_json((line.text + line.tail).encode()).value
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        if not isinstance(value, dict):
            return [Finding("stop", line.key, "is not one record", self.client)]
        if line.key.startswith(HEAD):
            problems = provider_problems(value)
        else:
            problems = model_problems(value, computes=self.computes)
        return [self._finding(line.key, problem) for problem in problems]

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        return list(Heads(self.client).findings(lines))

    def _finding(self, where: str, problem: Problem) -> Finding:
        return Finding(problem[0], where, problem[1], self.client)

    def excluded(self, subject: Subject, kin: Mapping[str, Json]) -> str:
        del kin
        missing = _missing(subject)
        if missing or subject.entry is None or subject.offering is None:
            return missing or "its entry does not exist"
        if subject.offering["ordinal"] > 1:
            return "the first of two that are recognised by one id is the one that counts"
        priced = [field.partition(".")[2] for field in self.derive(subject) if field.startswith("prices.")]
        if not priced:
            return "its price is not known"
        lacks = lacking(priced)
        return f"no price can be computed: {lacks[0]}" if lacks else ""


def _members(block: int, provider: Json) -> Iterator[ParsedMember]:
    if not isinstance(provider, dict):
        raise ParseError(f"number {block + 1} of the list is not a provider", line=1)
    name = _id(provider, f"provider {block + 1}")
    models = provider.get("models", [])
    if not isinstance(models, list):
        raise ParseError(f"the models of {name} are no list", line=1)
    head: dict[str, Json] = {
        field: None if field == "models" and models else provider[field] for field in provider
    }
    yield ParsedMember("provider", name, "", head, 1, block)
    for number, model in enumerate(models, 1):
        if not isinstance(model, dict):
            raise ParseError(f"model {number} of {name} is not an object", line=1)
        native = nesting.flat(model, GROUPS)
        yield ParsedMember("offering", name, _id(model, f"model {number} of {name}"), native, 1, block)


def _id(item: Mapping[str, Json], where: str) -> str:
    found = item.get("id")
    if isinstance(found, str) and NATIVE_ID.fullmatch(found):
        return found
    raise ParseError(f"{where} has no id", line=1, advice="printable ASCII, at most 256")


def _missing(subject: Subject) -> str:
    if not subject.key.startswith(HEAD) and subject.offering is None:
        return "its offering does not exist"
    if subject.membership and subject.key.startswith(HEAD):
        return ""
    if subject.provider is None:
        return "its provider does not exist"
    if subject.membership or pattern_of(subject.provider):
        return ""
    return "what its provider's requests are recognised by is not known"


GENAI_V1: Final = GenaiPrices("genai-prices/v1", "v1", "genai-prices before 0.1", FIRST_VERSION)
GENAI_V2: Final = GenaiPrices("genai-prices", "v2", "genai-prices 0.1 to 0.2", frozenset(SHARED))
