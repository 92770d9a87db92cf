"""models.dev's ``api.json``: one object, provider → its facts and its models, prices in USD per million tokens.

Read by opencode and others. Compact JSON with a model a line; ``cost.context_over_200k`` is made from a single large
tier, and ``tier.type`` is always written, since a tier without one hides its provider. What no shared fact stands
behind travels as it is (``modelsdev_fields`` has the table). Source: models.dev, opencode 1.18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.schemas import nesting, residual
from catalog.schemas.aichat import plain_id
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedMember, Subject
from catalog.schemas.facts import facts_of
from catalog.schemas.json_blocks import (
    HEAD,
    Heads,
    fitting_address,
    fitting_name,
    joined,
    members_text,
    name_in,
    native_id,
    order_of,
    split_at,
)
from catalog.schemas.modelsdev_fields import GROUPS, OWNS, head_rank, rank, read, write
from catalog.schemas.modelsdev_rules import (
    Problem,
    document_problems,
    model_problems,
    provider_problems,
)
from catalog.schemas.provider_sdks import ADDRESSED, MAY_BE_ADDRESSED, sdk_of
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import Json, ParseError, quoted

_NO_ENV: Final = (
    "the variables that hold its provider's key are not known, and no reader lists a provider without"
)
_NO_ADDRESS: Final = "its provider's address is not known"


@dataclass(frozen=True, slots=True)
class ModelsDev:
    name: str = "models.dev"
    file: str = "models.dev/api.json"
    media_type: str = "application/json"
    family: str = "models.dev"
    blocks: bool = True
    client: str = "opencode 1.18"

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return OWNS

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        found = read_json(data)
        if not isinstance(found.value, dict):
            raise ParseError("an object is expected: provider → its models", line=1)
        if not found.value:
            raise ParseError("the document is empty: every model would disappear", line=1)
        members: list[ParsedMember] = []
        completed = 0
        for block, (key, provider) in enumerate(found.value.items()):
            line = found.key_lines.get(key, 0)
            head, models = _head(key, provider, line)
            members.append(ParsedMember("provider", key, "", head, line, block))
            for name, model in models.items():
                if not isinstance(model, dict):
                    raise ParseError(f"{key[:80]}: {name[:80]!r} is not an object", line=line)
                completed += _complete_tiers(model)
                flat = nesting.flat(model, GROUPS)
                members.append(ParsedMember("offering", key, native_id(name, line=line), flat, line, block))
        notices = found.notices
        if completed:
            notices += (
                f'{completed:,} price tiers did not say their type; "context" is written, as clients need it',
            )
        return ParsedDocument(tuple(members), notices=notices)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        if member.kind == "offering":
            return read(member.native, member.native_id)
        return _provider_facts(member.native) if member.kind == "provider" else {}

    # out

    def rank(self, subject_key: str) -> residual.Rank:
        return head_rank if subject_key.startswith(HEAD) else rank

    def derive(self, subject: Subject) -> dict[str, Json]:
        if subject.key.startswith(HEAD):
            return _head_fields(subject.provider) if subject.provider else {"models": None}
        key = native_key(subject)
        return {"id": key, **write(facts_of(subject.entry, subject.offering), key)}

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        beyond = residual.diff(self.derive(subject), member.native, self.rank(subject.key))
        stated = member.native_id or member.provider
        return beyond if native_key(subject) == stated else {**beyond, "name": stated}

    def line(self, subject: Subject) -> Line | Omission:
        if missing := _missing(subject):
            return Omission(subject.key, missing)
        own = subject.own
        raw = residual.compose(self.derive(subject), own, self.rank(subject.key))
        key = quoted(own.get("name") or native_key(subject))
        order = order_of(subject, name_in(self.family, subject.provider or {}))
        if not subject.key.startswith(HEAD):
            return Line(order, subject.key, f"{key}:{nesting.joined(raw, GROUPS)}")
        parts = split_at(raw, "models")
        if parts is None:
            return Line(order, subject.key, f"{key}:{{{members_text(raw)}}}")
        before, after = parts
        return Line(order, subject.key, f"{key}:{{{before}{{\n", f"\n}}{after}}}")

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        del document
        text = joined(lines, ",\n")
        return f"{{\n{text}\n}}\n".encode() if text else b"{}\n"

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            value = read_json(data).value
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        return [self._finding(where, problem) for where, problem in document_problems(value)]

    def gate_line(self, line: Line) -> list[Finding]:
        try:
            value = read_json(f"{{{line.text}{line.tail}}}".encode()).value
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        item = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(item, dict):
            return [Finding("stop", line.key, "is not one record", self.client)]
        problems = provider_problems(item) if line.key.startswith(HEAD) else model_problems(item)
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
            return "an id stands once, and its provider lists it before"
        if subject.offering["stage"] == "retired":
            return "it is retired"
        given = self.derive(subject)
        if "limit.context" not in given:
            return "how much it can read is not known, and a reader would drop its provider without"
        if "limit.output" not in given:
            return "how much it can write is not known, and a reader would drop its provider without"
        return ""


def native_key(subject: Subject) -> str:
    """A member's key where no document has named it otherwise."""
    if subject.key.startswith(HEAD):
        return name_in("models.dev", subject.provider or {})
    return plain_id(subject.provider or {}, subject.offering or {})


def _head(key: str, provider: Json, line: int) -> tuple[dict[str, Json], dict[str, Json]]:
    """A provider's own fields, and its models."""
    if not isinstance(provider, dict):
        raise ParseError(f"{key[:80]!r} is not a provider: an object is expected", line=line)
    native_id(key, line=line)
    models = provider.get("models")
    if not isinstance(models, dict):
        raise ParseError(f"{key[:80]} has no models", line=line, advice='"models": {id: {…}}')
    return {**provider, "models": None if models else {}}, models


def _complete_tiers(model: dict[str, Json]) -> int:
    """Writes the type that upstream's own source leaves out; how many were without."""
    cost = model.get("cost")
    tiers = cost.get("tiers") if isinstance(cost, dict) else None
    done = 0
    for tier in tiers if isinstance(tiers, list) else ():
        described = tier.get("tier") if isinstance(tier, dict) else None
        if isinstance(tier, dict) and isinstance(described, dict) and "type" not in described:
            tier["tier"] = {"type": "context", **described}
            done += 1
    return done


def _head_fields(provider: Mapping[str, Any]) -> dict[str, Json]:
    sdk = sdk_of(provider["slug"])
    fields: dict[str, Json] = {"id": name_in("models.dev", provider), "name": provider["name"]}
    if provider.get("env"):
        fields["env"] = list(provider["env"])
    fields["npm"] = sdk
    if "api" in provider and sdk in MAY_BE_ADDRESSED and _is_base_of(sdk, provider["api"]):
        fields["api"] = provider["api"]
    if "docs" in provider:
        fields["doc"] = provider["docs"]
    return {**fields, "models": None}


def _is_base_of(sdk: str, api: str) -> bool:
    """The packages that know their address are told one only where it is of their own shape."""
    return sdk in ADDRESSED or api.rstrip("/").endswith("/v1")


def _provider_facts(head: Mapping[str, Json]) -> dict[str, Any]:
    env = head.get("env")
    facts = {
        "name": fitting_name(head.get("name")),
        "api": fitting_address(head.get("api")),
        "docs": fitting_address(head.get("doc")),
        "env": env if isinstance(env, list) and env and all(map(fitting_name, env)) else None,
    }
    return {field: value for field, value in facts.items() if value is not None}


def _missing(subject: Subject) -> str:
    if subject.key.startswith(HEAD):
        return "" if subject.membership else _head_missing(subject.provider)
    if subject.offering is None:
        return "its offering does not exist"
    if subject.provider is None:
        return "its provider does not exist"
    return "" if subject.membership else _head_missing(subject.provider)


def _head_missing(provider: Mapping[str, Any] | None) -> str:
    if provider is None:
        return "its provider does not exist"
    if not provider.get("env"):
        return _NO_ENV
    if sdk_of(provider["slug"]) in ADDRESSED and "api" not in provider:
        return _NO_ADDRESS
    return ""


MODELS_DEV: Final = ModelsDev()
