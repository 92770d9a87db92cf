"""Hermes Agent's manifest: for each provider that its picker knows, the ids that it offers, in order.

Hermes reads the lists of ``openrouter`` and ``nous``, so automatic membership holds their models for chat that call
tools; ``free`` is the badge of one whose prices are known to be zero. One wrong id, and Hermes refuses the manifest and shows
its public one. What else a manifest says of itself and of a provider belongs to the document:
``SchemaRecord["document"]`` has ``frame`` and ``providers``, each provider's fields with null where its models stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from catalog.records import Record
from catalog.schemas import residual
from catalog.schemas.base import Finding, Line, ParsedDocument, ParsedMember, Subject
from catalog.schemas.facts import facts_of
from catalog.schemas.json_list import Frame, JsonList
from catalog.schemas.json_rules import Rule, filled, flag, text
from catalog.schemas.reading.json_reader import parse_value, read_json
from catalog.schemas.reading.values import Json, Number, ParseError, quoted, to_json

_PROVIDERS: Final = ("openrouter", "nous")
_MODES: Final = ("chat", "responses")
_FREE: Final = ("prices.input.text.token.0...USD", "prices.output.text.token.0...USD")
_INSIDE: Final = "\t"
_DEFAULT: Final = "default"
_LONGEST_NAME: Final = 200
_OWNS: Final = {"description": _FREE}

Blocks = Sequence[tuple[str, Frame]]


class Hermes(JsonList):
    name: str = "hermes"
    file: str = "hermes/model-catalog.json"
    client: str = "Hermes Agent 0.19"
    family: str = "hermes"
    frame: Frame = (("version", "1"), ("providers", None))
    fields: tuple[str, ...] = ("id", "description", "default")
    rules: tuple[Rule, ...] = (
        Rule("id", filled, "must be text, and not blank"),
        Rule("description", text, "must be text", needed=False),
        Rule("default", flag, "must be true or false", needed=False),
    )

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        read = read_json(data)
        frame, providers = _manifest(read.value)
        line = read.key_lines.get("providers", 1)
        members: list[ParsedMember] = []
        blocks: list[list[Any]] = []
        for name, block in providers.items():
            fields, models = _block(name, block, line)
            blocks.append([name, fields])
            for model in models:
                if not isinstance(model, dict):
                    raise ParseError(f"a model of {name[:40]!r} is not an object", line=line)
                members.append(
                    ParsedMember("offering", name, self.native_id(model, line), self.flat(model), line)
                )
        if not members:
            raise ParseError("no provider lists a model", line=1)
        return ParsedDocument(tuple(members), {"frame": frame, "providers": blocks}, notices=read.notices)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        del member
        return {}

    # out

    def derive(self, subject: Subject) -> dict[str, Json]:
        native: dict[str, Json] = {"id": (subject.offering or {}).get("native_id", "")}
        facts = facts_of(None, subject.offering)
        if all(path in facts and facts[path]["amount"] == "0" for path in _FREE):
            native["description"] = "free"
        return native

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        beyond = residual.diff(self.derive(subject), member.native, self._rank)
        return beyond if _name(subject.provider) == member.provider else {**beyond, "name": member.provider}

    def unfit(self, subject: Subject) -> str:
        if _name(subject.provider) not in _PROVIDERS:
            return f"Hermes reads the lists of {' and '.join(_PROVIDERS)}"
        offering, entry = subject.offering or {}, subject.entry or {}
        if offering["ordinal"] > 1:
            return "an id stands once, and it is listed already"
        if "retired" in (offering["stage"], entry["stage"]):
            return "it is retired"
        if entry["mode"] not in _MODES:
            return f"Hermes cannot use a model for {entry['mode']}"
        if facts_of(subject.entry, subject.offering).get("capabilities.tools") is not True:
            return "it is not known to call tools, which an agent needs"
        return ""

    def _order(self, subject: Subject, raw: Mapping[str, str]) -> str:
        """Place, id, provider, and whether it is the default: what the others of a document need to know of it."""
        own = subject.own
        name = quoted(own["name"] if "name" in own else _name(subject.provider))
        default = _DEFAULT if parse_value(raw.get("default", "null")) is True else ""
        return _INSIDE.join((super()._order(subject, raw), name, default))

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        blocks: dict[str, list[str]] = {name: [] for name, _ in document.get("providers", ())}
        for line in lines:
            blocks.setdefault(_parts(line)[1], []).append(line.text)
        fields = dict(document.get("providers", ()))
        written = [
            f"{quoted(name)}:{_framed(fields.get(name, [('models', None)]), _list(texts))}"
            for name, texts in blocks.items()
        ]
        providers = "{" + ",\n".join(written) + "}"
        return (_framed(document.get("frame", self.frame), providers) + "\n").encode()

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            value = read_json(data).value
            _, providers = _manifest(value)
            blocks = {name: _block(name, block, 1)[1] for name, block in providers.items()}
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        found = list(self._version_findings(value))
        told: list[tuple[str, str, str, bool]] = []
        for name, models in blocks.items():
            for number, model in enumerate(models, 1):
                where = f"{name}: {self._where(model, number)}"
                found += self._item_findings(where, model)
                if isinstance(model, dict):
                    told.append((where, name, to_json(model.get("id", "")), model.get("default") is True))
        return found + list(self._manifest_findings(told))

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        told = [(line.key, _parts(line)[1], _parts(line)[0], _parts(line)[2] == _DEFAULT) for line in lines]
        return list(self._manifest_findings(told))

    def _version_findings(self, value: Json) -> Iterator[Finding]:
        version = value.get("version") if isinstance(value, dict) else None
        if not isinstance(version, Number) or not version.is_integer or int(version.text) > 1:
            yield Finding("stop", "version", "must be 1: Hermes refuses another", self.client)

    def _manifest_findings(self, told: Sequence[tuple[str, str, str, bool]]) -> Iterator[Finding]:
        """``told`` has each model's (where, provider, id, is it the default)."""
        if not told:
            yield Finding("stop", "document", "no model is listed", self.client)
        ids: set[tuple[str, str]] = set()
        defaults: set[str] = set()
        for where, provider, identity, is_default in told:
            if (provider, identity) in ids:
                yield Finding("warn", where, "stands twice in its provider's list", self.client)
            if is_default and provider in defaults:
                yield Finding("stop", where, "is a second default of its provider", self.client)
            ids.add((provider, identity))
            defaults |= {provider} if is_default else set()


def _manifest(value: Json) -> tuple[list[list[str | None]], dict[str, Json]]:
    """(what frames the providers, the providers)"""
    providers = value.get("providers") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(providers, dict):
        raise ParseError("an object with providers is expected", line=1)
    return [[key, None if key == "providers" else to_json(item)] for key, item in value.items()], providers


def _block(name: str, block: Json, line: int) -> tuple[list[list[str | None]], list[Json]]:
    """(a provider's fields with null where its models stand, its models)"""
    if len(quoted(name)) > _LONGEST_NAME:
        raise ParseError(f"the provider's name {name[:40]!r}… is too long", line=line)
    models = block.get("models") if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(models, list):
        raise ParseError(f"the provider {name[:40]!r} has no list of models", line=line)
    return [[key, None if key == "models" else to_json(item)] for key, item in block.items()], models


def _name(provider: Record | None) -> str:
    """What Hermes calls a provider."""
    provider = provider or {}
    return str(provider.get("names", {}).get("hermes") or provider.get("slug", ""))


def _parts(line: Line) -> tuple[str, str, str]:
    """(id, provider, ``default`` or nothing) from a line's order."""
    _, identity, provider, default = line.order.split(_INSIDE)
    name = parse_value(provider)
    return identity, name if isinstance(name, str) else "", default


def _framed(fields: Frame, inside: str) -> str:
    return "{" + ",".join(f"{quoted(key)}:{inside if part is None else part}" for key, part in fields) + "}"


def _list(texts: Sequence[str]) -> str:
    return "[\n" + ",\n".join(texts) + "\n]" if texts else "[]"


HERMES: Final = Hermes()
