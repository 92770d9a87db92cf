"""LiteLLM's ``model_prices_and_context_window.json``: one JSON object, model id → facts, costs in USD per single unit.

Keys stay verbatim and in their order. The reserved keys are kept as they come, and so is every field that no shared
fact stands behind (``litellm_fields`` has the table). Source: LiteLLM 1.53 to 1.108.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.resolving import NATIVE_ID
from catalog.schemas import residual
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedMember, Subject
from catalog.schemas.facts import facts_of
from catalog.schemas.litellm_fields import (
    LENSES,
    Owns,
    read_costs,
    read_modalities,
    write_costs,
    write_modalities,
)
from catalog.schemas.litellm_providers import KNOWN
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import Json, Number, ParseError, quoted

RESERVED: Final = ("sample_spec", "fallback_generalizations")
BUNDLED: Final = 4254
"""Models in the list that the newest supported release carries; LiteLLM refuses less than half of it, or than 50."""

_LIMITS: Final = ("max_tokens", "max_input_tokens", "max_output_tokens")
_BARE: Final = frozenset(("openai", "anthropic"))
"""Providers whose models LiteLLM lists without the provider's name before the id."""
_PRICED: Final = frozenset(("chat", "completion", "responses", "embedding"))


def _rank(field: str) -> str:
    return field


@dataclass(frozen=True, slots=True)
class Litellm:
    name: str = "litellm"
    file: str = "litellm/model_prices_and_context_window.json"
    media_type: str = "application/json"
    family: str = "litellm"
    blocks: bool = False
    client: str = "LiteLLM 1.53 to 1.108"

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        read = read_json(data, last_key_counts=True)
        if not isinstance(read.value, dict):
            raise ParseError("an object is expected: model id → its facts", line=1)
        if not any(key not in RESERVED for key in read.value):
            raise ParseError("the list is empty: every model would disappear", line=1)
        members = tuple(_member(key, value, read.key_lines.get(key, 0)) for key, value in read.value.items())
        return ParsedDocument(members, notices=read.notices)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        if member.kind != "offering":
            return {}
        facts: dict[str, Any] = LENSES.read(member.native)
        if "mode" not in member.native:
            facts["mode"] = "chat"
        elif "mode" not in facts:
            facts["mode"] = "other"
        facts.update(read_costs(member.native))
        facts.update(read_modalities(member.native))
        return facts

    # out

    def rank(self, _subject_key: str) -> residual.Rank:
        return _rank

    def derive(self, subject: Subject) -> dict[str, Json]:
        if subject.key.startswith("opaque:"):
            return {}
        facts = facts_of(subject.entry, subject.offering)
        native: dict[str, Json] = {"litellm_provider": provider_name(subject.provider or {})}
        native.update(LENSES.write(facts))
        native.update(write_modalities(facts))
        native.update(write_costs(facts))
        return native

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        beyond = residual.diff(self.derive(subject), member.native, _rank)
        return beyond if native_key(subject) == member.native_id else {**beyond, "name": member.native_id}

    def line(self, subject: Subject) -> Line | Omission:
        missing = _missing(subject)
        if missing:
            return Omission(subject.key, missing)
        own = subject.own
        raw = residual.compose(self.derive(subject), own, _rank)
        key = own.get("name") or native_key(subject)
        fields = ",".join(f"{quoted(field)}:{text}" for field, text in raw.items())
        order = f"{subject.membership['position']:010d}" if subject.membership else f"~{key}"
        return Line(order, subject.key, f"{quoted(key)}:{{{fields}}}")

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        del document
        text = ",\n".join(line.text for line in lines)
        return f"{{\n{text}\n}}\n".encode() if text else b"{}\n"

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            read = read_json(data)
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        if not isinstance(read.value, dict):
            return [Finding("stop", "document", "an object is expected at the top", self.client)]
        found = [
            finding for key, value in read.value.items() for finding in self._record_findings(key, value)
        ]
        return found + self._count_findings(sum(key not in RESERVED for key in read.value))

    def gate_line(self, line: Line) -> list[Finding]:
        try:
            read = read_json(f"{{{line.text}}}".encode()).value
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        if not isinstance(read, dict) or len(read) != 1:
            return [Finding("stop", line.key, "is not one record", self.client)]
        return [finding for key, value in read.items() for finding in self._record_findings(key, value)]

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        found: list[Finding] = []
        seen: set[str] = set()
        for line in lines:
            key = line.text.partition(":{")[0]
            if key in seen:
                found.append(Finding("stop", line.key, f"the key {key} stands twice", self.client))
            seen.add(key)
        return found + self._count_findings(sum(not line.key.startswith("opaque:") for line in lines))

    def _record_findings(self, key: str, value: Json) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield Finding("stop", key, "is not an object: importing LiteLLM would crash", self.client)
        elif key not in RESERVED:
            for stop, reason in _problems(value):
                yield Finding("stop" if stop else "warn", key, reason, self.client)

    def _count_findings(self, count: int) -> list[Finding]:
        if count == 0:
            return [Finding("stop", "document", "no model is listed", self.client)]
        if count >= BUNDLED / 2:
            return []
        reason = (
            f"{count:,} models are fewer than half of what LiteLLM bundles, so it would use its own list unless its "
            f"users set MODEL_COST_MAP_MIN_MODEL_COUNT=1 and MODEL_COST_MAP_MAX_SHRINK_RATIO=0"
        )
        return [Finding("warn", "document", reason, self.client)]

    def excluded(self, subject: Subject, kin: Mapping[str, Json]) -> str:
        del kin
        missing = _missing(subject)
        if missing or subject.entry is None:
            return missing or "its entry does not exist"
        if subject.offering and subject.offering["ordinal"] > 1:
            return "a key stands once, and its provider lists the id before"
        facts = facts_of(subject.entry, subject.offering)
        if subject.entry["mode"] in _PRICED and "prices.input.text.token.0...USD" not in facts:
            return "without a price LiteLLM would count it as free"
        return ""


def _member(key: str, value: Json, line: int) -> ParsedMember:
    if not isinstance(value, dict):
        raise ParseError(
            f"{key[:80]!r} is not an object", line=line, advice="importing LiteLLM would crash on it"
        )
    if key in RESERVED:
        return ParsedMember("opaque", "", key, value, line)
    if not NATIVE_ID.fullmatch(key):
        raise ParseError(
            f"the key {key[:80]!r} is not an id", line=line, advice="printable ASCII, at most 256"
        )
    provider = value.get("litellm_provider")
    return ParsedMember("offering", provider if isinstance(provider, str) else "", key, value, line)


def _problems(record: Mapping[str, Json]) -> Iterator[tuple[bool, str]]:
    """(would it stop a client, why) for one model."""
    provider = record.get("litellm_provider")
    if not isinstance(provider, str) or not provider:
        yield True, "litellm_provider is missing: every call would fail with 'LLM Provider NOT provided'"
    elif provider not in KNOWN:
        yield False, f"litellm_provider {provider} is not one that LiteLLM knows"
    for field in _LIMITS:
        if record.get(field) is not None and not isinstance(record[field], Number):
            yield True, f"{field} is not a number"
    for field, value in record.items():
        if "cost" in field and value is None:
            yield True, f"{field} is null, which counts as free"
        elif "cost" in field and isinstance(value, str | bool):
            yield True, f"{field} is not a number"
    aliases = record.get("aliases")
    if aliases is not None and not (
        isinstance(aliases, list) and all(isinstance(item, str) for item in aliases)
    ):
        yield True, "aliases must be a list of texts: importing LiteLLM would crash"


def _missing(subject: Subject) -> str:
    if subject.key.startswith("opaque:"):
        return "" if subject.membership else "it is not a member"
    if subject.provider is None:
        return "its provider does not exist"
    return "" if subject.offering else "its offering does not exist"


def provider_name(provider: Mapping[str, Any]) -> str:
    return str(provider.get("names", {}).get("litellm") or provider.get("slug", ""))


def native_key(subject: Subject) -> str:
    """The key of a member that no document has named: the id, behind the provider's name unless it is a bare one."""
    if subject.key.startswith("opaque:"):
        return subject.key.removeprefix("opaque:")
    provider = subject.provider or {}
    native_id = str((subject.offering or {}).get("native_id", ""))
    name = provider_name(provider)
    if provider.get("slug") in _BARE or native_id.startswith(f"{name}/"):
        return native_id
    return f"{name}/{native_id}"


_OWNS: Final = Owns()
LITELLM: Final = Litellm()
