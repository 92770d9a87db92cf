"""catwalk's second format: a list of providers with their models, prices in USD per million tokens. Read by Crush.

Written as Crush itself would write it again (``go_json``), without a space or a line break, so that the hash of its own
copy is the hash of ours. So the order of fields is the format's, never a document's own, and ``3.0`` is ``3``. Source:
charmbracelet/catwalk ``pkg/catwalk``, Crush 2026-08.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.resolving import NATIVE_ID
from catalog.schemas import residual
from catalog.schemas.aichat import plain_id
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedMember, Subject
from catalog.schemas.catwalk_fields import (
    OWNS,
    head_rank,
    lacking,
    rank,
    read,
    read_head,
    spelled,
    write,
    write_head,
)
from catalog.schemas.catwalk_rules import (
    Problem,
    as_crush_writes,
    default_problems,
    document_problems,
    model_problems,
    provider_problems,
)
from catalog.schemas.facts import facts_of
from catalog.schemas.go_json import go_json, go_text
from catalog.schemas.json_blocks import HEAD, Heads, joined, name_in, order_of, split_at
from catalog.schemas.reading.json_reader import parse_value, read_json
from catalog.schemas.reading.values import Json, ParseError

_USABLE: Final = frozenset(("chat", "completion", "responses"))


@dataclass(frozen=True, slots=True)
class Catwalk:
    name: str = "catwalk"
    file: str = "catwalk/v2/providers"
    media_type: str = "application/json"
    family: str = "catwalk"
    blocks: bool = True
    client: str = "Crush 2026-08"

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return OWNS

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        found = read_json(data)
        if not isinstance(found.value, list):
            raise ParseError("a list of providers is expected", line=1)
        if not found.value:
            raise ParseError("the list is empty: every model would disappear", line=1)
        members = [
            member for block, provider in enumerate(found.value) for member in _members(block, provider)
        ]
        return ParsedDocument(tuple(members), notices=found.notices)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        if member.kind == "offering":
            return read(member.native)
        return read_head(member.native) if member.kind == "provider" else {}

    # out

    def rank(self, subject_key: str) -> residual.Rank:
        return head_rank if subject_key.startswith(HEAD) else rank

    def derive(self, subject: Subject) -> dict[str, Json]:
        if subject.key.startswith(HEAD):
            return write_head(subject.provider) if subject.provider else {"models": None}
        native_id = plain_id(subject.provider or {}, subject.offering or {})
        return {"id": native_id, **write(facts_of(subject.entry, subject.offering))}

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        found = residual.diff(self.derive(subject), member.native, self.rank(subject.key))
        return {part: value for part, value in found.items() if part != "order"}

    def line(self, subject: Subject) -> Line | Omission:
        if missing := _missing(subject):
            return Omission(subject.key, missing)
        own = subject.own
        raw = residual.compose(self.derive(subject), own, self.rank(subject.key))
        written = {field: go_json(parse_value(text)) for field, text in raw.items()}
        order = order_of(subject, name_in(self.family, subject.provider or {}))
        parts = split_at(written, "models") if subject.key.startswith(HEAD) else None
        if parts is None:
            fields = ",".join(f"{go_text(field)}:{text}" for field, text in written.items())
            return Line(order, subject.key, f"{{{fields}}}")
        before, after = parts
        return Line(order, subject.key, f"{{{before}[", f"]{after}}}")

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        del document
        return f"[{joined(lines, ',')}]".encode()

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            value = read_json(data).value
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        found = [self._finding(where, problem) for where, problem in document_problems(value)]
        if not found and as_crush_writes(value) != data:
            reason = "Crush would write other bytes, so it would never find its own copy unchanged"
            found.append(Finding("warn", "document", reason, self.client))
        return found

    def gate_line(self, line: Line) -> list[Finding]:
        try:
            value = read_json((line.text + line.tail).encode()).value
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        if not isinstance(value, dict):
            return [Finding("stop", line.key, "is not one record", self.client)]
        problems = provider_problems(value) if line.key.startswith(HEAD) else model_problems(value)
        return [self._finding(line.key, problem) for problem in problems]

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        return [*Heads(self.client).findings(lines), *self._missing_defaults(lines)]

    def _missing_defaults(self, lines: Sequence[Line]) -> Iterator[Finding]:
        head: Line | None = None
        ids: set[Json] = set()
        for line in (*lines, None):
            if line is not None and not line.key.startswith(HEAD):
                ids.add(_id_of(line.text))
                continue
            if head is not None and head.tail and ids:
                value = read_json((head.text + head.tail).encode()).value
                for problem in default_problems(value if isinstance(value, dict) else {}, ids):
                    yield self._finding(head.key, problem)
            head, ids = line, set()

    def _finding(self, where: str, problem: Problem) -> Finding:
        return Finding(problem[0], where, problem[1], self.client)

    def excluded(self, subject: Subject, kin: Mapping[str, Json]) -> str:
        del kin
        missing = _missing(subject)
        if missing or subject.entry is None or subject.offering is None:
            return missing or "its entry does not exist"
        if subject.entry["mode"] not in _USABLE:
            return f"Crush cannot use a model for {subject.entry['mode']}"
        if subject.offering["stage"] == "retired":
            return "it is retired"
        given = self.derive(subject)
        if "cost_per_1m_in" not in given or "cost_per_1m_out" not in given:
            return "without its prices Crush would count it as free"
        if "context_window" not in given:
            return "how much it can read is not known, and Crush would take that for nothing"
        if "default_max_tokens" not in given:
            return "how much it can write is not known, and Crush would take that for nothing"
        return ""


def _members(block: int, provider: Json) -> Iterator[ParsedMember]:
    if not isinstance(provider, dict):
        raise ParseError(f"number {block + 1} of the list is not a provider", line=1)
    name = _id(provider, f"provider {block + 1}")
    models = provider.get("models", [])
    if not isinstance(models, list):
        raise ParseError(f"the models of {name} are no list", line=1)
    head: dict[str, Json] = dict(provider)
    if models:
        head["models"] = None
    yield ParsedMember("provider", name, "", head, 1, block)
    for number, model in enumerate(models, 1):
        if not isinstance(model, dict):
            raise ParseError(f"model {number} of {name} is not an object", line=1)
        native = {field: spelled(value, field) for field, value in model.items()}
        yield ParsedMember("offering", name, _id(model, f"model {number} of {name}"), native, 1, block)


def _id(item: Mapping[str, Json], where: str) -> str:
    found = item.get("id")
    if isinstance(found, str) and NATIVE_ID.fullmatch(found):
        return found
    raise ParseError(f"{where} has no id", line=1, advice="printable ASCII, at most 256")


def _id_of(text: str) -> Json:
    value = read_json(text.encode()).value
    return value.get("id") if isinstance(value, dict) else None


def _missing(subject: Subject) -> str:
    if not subject.key.startswith(HEAD) and subject.offering is None:
        return "its offering does not exist"
    if subject.membership:
        return "" if subject.provider or subject.key.startswith(HEAD) else "its provider does not exist"
    return lacking(subject.provider) if subject.provider else "its provider does not exist"


CATWALK: Final = Catwalk()
