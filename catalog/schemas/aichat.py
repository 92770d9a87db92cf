"""aichat's ``models.yaml``: ``v1`` until 2025-01, its blocks named by ``platform``, and ``v2``, by ``provider``.

Prices are USD per million tokens. What is written has one record a line, in flow style inside block-style providers:
read equally by serde_yaml, YAML 1.2 and YAML 1.1. The oldest files say ``type`` for ``platform``; they are v1, and get
their ``type`` back. Source of the format: sigoden/aichat ``models.yaml``, 0.17 to 0.30.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from catalog.resolving import NATIVE_ID
from catalog.schemas import residual
from catalog.schemas.aichat_rules import Problem, document_problems, model_problems
from catalog.schemas.base import Finding, Line, Omission, ParsedDocument, ParsedMember, Subject
from catalog.schemas.facts import (
    Lens,
    Lenses,
    facts_of,
    from_absence,
    from_choice,
    from_count,
    from_flag,
    from_price,
    nothing,
    plain_decimal,
    to_absence,
    to_choice,
    to_count,
    to_flag,
    to_price,
)
from catalog.schemas.flow_yaml import flow
from catalog.schemas.flow_yaml import key as yaml_key
from catalog.schemas.reading.values import Json, Number, ParseError
from catalog.schemas.reading.yaml_reader import Located, read_yaml

_MILLION: Final = 1_000_000
_UNIT: Final = "1M tokens"
_TYPES: Final = {"embedding": "embedding", "rerank": "reranker"}
_MODES: Final = {"chat": "chat", "embedding": "embedding", "rerank": "rerank", "reranker": "rerank"}
_USABLE: Final = frozenset(("chat", "embedding", "rerank"))
_HEAD: Final = "- "
_OPEN: Final = "models:\n"
_INSIDE: Final = "\t"
"""Sorts before whatever a name can contain, so that a block's members follow its head."""


def _price(field: str, meter: str) -> Lens:
    path = f"prices.{meter}.text.token.0...USD"
    return Lens(
        field,
        (path,),
        to_price(per=_MILLION, unit=_UNIT, write=_plain),
        from_price(path, per=_MILLION, unit=_UNIT),
    )


def _plain(value: Decimal) -> str:
    return plain_decimal(value)


_LENSES: Final = Lenses(
    (
        Lens("type", ("mode",), to_choice(_TYPES), from_choice(_MODES)),
        Lens("mode", ("mode",), nothing, from_choice(_MODES)),
        Lens("max_input_tokens", ("limits.max_input_tokens", "limits.context_tokens"), to_count, from_count),
        Lens("max_output_tokens", ("limits.max_output_tokens",), to_count, from_count),
        Lens("max_output_tokens?", ("limits.max_output_tokens",), nothing, from_count),
        _price("input_price", "input"),
        _price("output_price", "output"),
        Lens("supports_vision", ("capabilities.vision",), to_flag, from_flag),
        Lens("supports_function_calling", ("capabilities.tools",), to_flag, from_flag),
        Lens("no_stream", ("capabilities.streaming",), to_absence, from_absence),
        Lens("no_system_message", ("capabilities.system_prompt",), to_absence, from_absence),
    )
)

_FIELDS: Final = {
    field: place
    for place, field in enumerate(
        (
            "name", "type", "mode", "real_name", "max_input_tokens", "max_output_tokens", "max_output_tokens?",
            "require_max_tokens", "pass_max_tokens", "input_price", "output_price", "patch", "supports_vision",
            "supports_function_calling", "supports_reasoning", "no_stream", "no_system_message", "no_temperature",
            "system_prompt_prefix", "output_vector_size", "max_tokens_per_chunk", "default_chunk_size",
            "max_batch_size", "max_concurrent_chunks",
        )
    )
}  # fmt: skip


def _rank(field: str) -> tuple[int, str]:
    return _FIELDS.get(field, len(_FIELDS)), field


def _block_rank(key: str) -> Any:
    """A block's rank of its keys: its name, what else there may be, its models."""
    return lambda field: (0 if field == key else 2 if field == "models" else 1, field)


@dataclass(frozen=True, slots=True)
class Aichat:
    name: Literal["v1", "v2"]
    key: str
    """What names a block."""
    older_key: str = ""
    media_type: str = "application/yaml"
    family: str = "aichat"
    blocks: bool = True

    @property
    def file(self) -> str:
        return f"{self.name}/models.yaml"

    @property
    def client(self) -> str:
        return "aichat 0.17 to 0.26" if self.name == "v1" else "aichat 0.27 to 0.30"

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    # in

    def parse(self, data: bytes) -> ParsedDocument:
        value, notices = read_yaml(data)
        blocks = self._blocks_of(value)
        older = bool(self.older_key) and not any(self.key in block for block in blocks)
        members = [
            member
            for number, block in enumerate(blocks)
            for member in self._members(number, block, older=older)
        ]
        document = {"block_key": self.older_key} if older else {}
        return ParsedDocument(tuple(members), document, notices=notices)

    def _blocks_of(self, value: Json) -> list[Located]:
        if not isinstance(value, list):
            raise ParseError("a list of blocks is expected", line=1, advice=f"- {self.key}: NAME")
        if not value:
            raise ParseError("the list is empty: every model would disappear", line=1)
        for block in value:
            if not isinstance(block, Located):
                raise ParseError("a block must be a mapping", line=1, advice=f"- {self.key}: NAME")
        return [block for block in value if isinstance(block, Located)]

    def _members(self, number: int, block: Located, *, older: bool) -> Iterator[ParsedMember]:
        provider = self._block_name(block)
        models = block.get("models")
        if not isinstance(models, list):
            raise ParseError(f"the block {provider} has no list of models", line=block.line)
        native: dict[str, Json] = {
            self.key if older and field == self.older_key else field: item for field, item in block.items()
        }
        native["models"] = None if models else []
        yield ParsedMember("provider", provider, "", native, block.line, number)
        for model in models:
            if not isinstance(model, Located):
                raise ParseError(f"an entry of {provider} is not a mapping", line=block.line)
            yield ParsedMember("offering", provider, self._native_id(model), model, model.line, number)

    def _block_name(self, block: Located) -> str:
        name = block.get(self.key, block.get(self.older_key) if self.older_key else None)
        if isinstance(name, Number):
            return name.text
        if isinstance(name, str) and NATIVE_ID.fullmatch(name):
            return name
        other = "v1" if "platform" in block else "v2" if "provider" in block else ""
        advice = f"this looks like schema {other}" if other and other != self.name else f"- {self.key}: NAME"
        raise ParseError(f"a block has no {self.key}", line=block.line, advice=advice)

    def _native_id(self, model: Located) -> str:
        for severity, reason in model_problems(model, version=""):
            if severity == "stop" and not reason.startswith("patch."):
                raise ParseError(reason, line=model.line)
        name = model["name"]
        native_id = name.text if isinstance(name, Number) else str(name)
        if not NATIVE_ID.fullmatch(native_id):
            raise ParseError(
                f"the name {native_id[:40]!r} is not an id",
                line=model.line,
                advice="printable ASCII, at most 256",
            )
        return native_id

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        if member.kind != "offering":
            return {}
        facts = _LENSES.read(member.native)
        if not {"type", "mode"} & member.native.keys():
            facts["mode"] = "chat"
        return facts

    # out

    def rank(self, subject_key: str) -> residual.Rank:
        return _block_rank(self.key) if subject_key.startswith("provider:") else _rank

    def derive(self, subject: Subject) -> dict[str, Json]:
        provider = subject.provider or {}
        if subject.key.startswith("provider:"):
            return {self.key: provider_name(provider), "models": None}
        native: dict[str, Json] = {"name": plain_id(provider, subject.offering or {})}
        native.update(_LENSES.write(facts_of(subject.entry, subject.offering)))
        return native

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        return residual.diff(self.derive(subject), member.native, self.rank(subject.key))

    def line(self, subject: Subject) -> Line | Omission:
        if missing := _missing(subject):
            return Omission(subject.key, missing)
        own = subject.own
        native = residual.apply(self.derive(subject), own, self.rank(subject.key))
        order = self._order(subject)
        if subject.key.startswith("provider:"):
            return self._head(subject.key, order, native)
        return Line(order, subject.key, f"    - {flow(native)}\n")

    def _head(self, key: str, order: str, native: Mapping[str, Json]) -> Line | Omission:
        if not any(native.get(word) for word in (self.key, self.older_key)):
            return Omission(key, "its provider does not exist")
        fields = [f"{yaml_key(field)}: {flow(value)}\n" for field, value in native.items()]
        if "models" not in native or native["models"] is not None:
            return Line(order, key, _HEAD + "  ".join(fields))
        place = list(native).index("models")
        fields[place] = _OPEN
        tail = "".join(f"  {field}" for field in fields[place + 1 :])
        return Line(order, key, _HEAD + "  ".join(fields[: place + 1]), tail)

    def _order(self, subject: Subject) -> str:
        membership = subject.membership or {}
        place = (
            f"{membership['position']:010d}"
            if membership
            else "~" + (subject.offering or {}).get("native_id", "")
        )
        block = (
            f"{membership['block']:010d}"
            if "block" in membership
            else "~" + provider_name(subject.provider or {})
        )
        return block if subject.key.startswith("provider:") else f"{block}{_INSIDE}{place}"

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        parts: list[str] = []
        head, tail = None, ""
        for line in lines:
            if line.text.startswith(_HEAD):
                parts.append(tail)
                head, tail = line, ""
                if not line.text.endswith(_OPEN):
                    parts.append(self._spelled(line.text, document))
                continue
            if head is not None and head.text.endswith(_OPEN):
                parts.append(self._spelled(head.text, document))
                tail, head = self._spelled(head.tail, document), None
            parts.append(line.text)
        text = "".join((*parts, tail))
        return (text or "[]\n").encode()

    def _spelled(self, text: str, document: Mapping[str, Any]) -> str:
        """A head with the document's own word for its key."""
        word = document.get("block_key", self.key)
        return text if word == self.key else re.sub(rf"(?m)^(- |  ){self.key}:", rf"\g<1>{word}:", text)

    # would the client take it?

    def gate(self, data: bytes) -> list[Finding]:
        try:
            value, _ = read_yaml(data, max_bytes=len(data))
        except ParseError as error:
            return [Finding("stop", f"line {error.line}", str(error), self.client)]
        key = self.key
        if (
            self.older_key
            and isinstance(value, list)
            and not any(key in b for b in value if isinstance(b, dict))
        ):
            key = self.older_key
        found = [self._finding(where, problem) for where, problem in document_problems(value, key=key)]
        for block in value if isinstance(value, list) else ():
            models = block.get("models") if isinstance(block, dict) else None
            for model in models if isinstance(models, list) else ():
                found += self._model_findings(model)
        return found

    def _model_findings(self, model: Json) -> list[Finding]:
        if not isinstance(model, Located):
            return [Finding("stop", "models", "an entry is not a mapping", self.client)]
        where = f"{model.get('name')}, line {model.line}"
        return [self._finding(where, problem) for problem in model_problems(model, version=self.name)]

    def _finding(self, where: str, problem: Problem) -> Finding:
        return Finding(problem[0], where, problem[1], self.client)

    def gate_line(self, line: Line) -> list[Finding]:
        try:
            value, _ = read_yaml((line.text + line.tail).encode())
        except ParseError as error:
            return [Finding("stop", line.key, error.reason, self.client)]
        item = value[0] if isinstance(value, list) and len(value) == 1 else None
        if not isinstance(item, Located):
            return [Finding("stop", line.key, "is not one record", self.client)]
        if line.text.startswith(_HEAD):
            if isinstance(item.get(self.key), str | Number) and item.get("models", ()) is None:
                return []
            return [Finding("stop", line.key, f"a block needs {self.key} and models", self.client)]
        return [self._finding(line.key, problem) for problem in model_problems(item, version=self.name)]

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        found: list[Finding] = []
        if not any(not line.text.startswith(_HEAD) for line in lines):
            found.append(
                Finding("stop", "document", "the list is empty: every model would disappear", self.client)
            )
        head: Line | None = None
        opened: dict[str, Line] = {}
        for line in lines:
            if line.text.startswith(_HEAD):
                head = line
            elif head is None or not line.order.startswith(head.order + _INSIDE):
                found.append(Finding("stop", line.key, "stands in no provider's block", self.client))
            elif opened.setdefault(head.text, head) is not head:
                reason = "a second block for one provider: the client reads only the first"
                found.append(Finding("stop", head.key, reason, self.client))
        return found

    def excluded(self, subject: Subject, kin: Mapping[str, Json]) -> str:
        missing = _missing(subject)
        if missing or subject.entry is None:
            return missing or "its entry does not exist"
        if subject.entry["mode"] not in _USABLE:
            return f"aichat cannot use a model for {subject.entry['mode']}"
        if self.name == "v1":
            return _not_for_v1(kin)
        return ""


def _not_for_v1(kin: Mapping[str, Json]) -> str:
    """Schema v1 knows neither another name for an id nor a change of the request."""
    if kin.get("real_name") is not None:
        return "schema v1 has no real_name, and its name alone is not an id of the provider"
    patch = kin.get("patch")
    body = patch.get("body") if isinstance(patch, dict) else None
    if isinstance(body, dict) and not _only_removes(body):
        return "schema v1 has no patch, and this one sets a value that the provider needs"
    return ""


def _only_removes(body: Mapping[str, Json]) -> bool:
    return all(
        value is None or (isinstance(value, dict) and bool(value) and _only_removes(value))
        for value in body.values()
    )


def _missing(subject: Subject) -> str:
    if subject.key.startswith("provider:"):
        return "" if subject.provider or subject.membership else "its provider does not exist"
    if subject.offering is None:
        return "its offering does not exist"
    return "" if subject.provider else "its provider does not exist"


def provider_name(provider: Mapping[str, Any]) -> str:
    return str(provider.get("names", {}).get("aichat") or provider.get("slug", ""))


def plain_id(provider: Mapping[str, Any], offering: Mapping[str, Any]) -> str:
    """The native id without the provider's name that LiteLLM puts before it."""
    native_id = str(offering.get("native_id", ""))
    for prefix in (provider.get("names", {}).get("litellm"), provider.get("slug")):
        if prefix and native_id.startswith(f"{prefix}/"):
            return native_id[len(prefix) + 1 :]
    return native_id


_OWNS: Final = {lens.field: lens.paths for lens in _LENSES.table} | {
    "max_output_tokens?": ("limits.max_output_tokens",)
}

V1: Final = Aichat("v1", key="platform", older_key="type")
V2: Final = Aichat("v2", key="provider")
