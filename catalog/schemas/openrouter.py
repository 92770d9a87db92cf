"""OpenRouter's ``/api/v1/models``: prices are texts of decimals in USD per single unit, and nulls are written.

Automatic membership lists what the provider ``openrouter`` offers: the ids are OpenRouter's own. What the shared model
cannot know is written as the format's neutral value: ``tokenizer`` is ``Other``, ``instruct_type`` and
``per_request_limits`` are null, ``default_parameters`` is empty; ``is_moderated`` is left out. ``created`` is the
release date at midnight UTC. Documents call a PDF ``file``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from catalog.records import Record
from catalog.schemas.base import ParsedMember, Subject
from catalog.schemas.facts import (
    Lens,
    Lenses,
    facts_of,
    from_count,
    from_date,
    from_price,
    nothing,
    plain_decimal,
    to_count,
    to_price,
    to_text,
)
from catalog.schemas.json_list import Frame, JsonList
from catalog.schemas.json_rules import (
    Problem,
    Rule,
    count,
    filled,
    list_of,
    mapping,
    or_null,
    text,
    whole,
)
from catalog.schemas.moments import from_unix, to_unix
from catalog.schemas.openai import not_of
from catalog.schemas.reading.values import Json, Number
from catalog.schemas.wording import from_name

_PROVIDER: Final = "openrouter"
_DECIMAL: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_HUGGING_FACE: Final = "https://huggingface.co/"
_MODALITIES: Final = {"text": "text", "image": "image", "audio": "audio", "video": "video", "pdf": "file"}
_SHARED_MODALITIES: Final = {theirs: ours for ours, theirs in _MODALITIES.items()}
_PARAMETERS: Final = {
    "capabilities.tools": ("tools", "tool_choice"),
    "capabilities.parallel_tools": ("parallel_tool_calls",),
    "capabilities.reasoning": ("reasoning", "include_reasoning"),
    "capabilities.structured_output": ("structured_outputs", "response_format"),
    "capabilities.temperature": ("temperature",),
}
"""What a capability lets a caller send."""
_PRICES: Final = {
    "prompt": "input.text.token",
    "completion": "output.text.token",
    "request": "request.text.request",
    "image": "input.image.image",
    "audio": "input.audio.token",
    "internal_reasoning": "reasoning.text.token",
    "input_cache_read": "cache_read.text.token",
    "input_cache_write": "cache_write.text.token",
}


def _price(field: str, terms: str) -> Lens:
    path, unit = f"prices.{terms}.0...USD", terms.rpartition(".")[2]
    read = from_price(path, per=1, unit=unit)
    write = to_price(per=1, unit=unit, write=_plain)

    def encode(price: Record) -> Json:
        number = write(price)
        spelled = number.text if isinstance(number, Number) else ""
        return spelled if _DECIMAL.fullmatch(spelled) else str(price["amount"])

    def decode(value: Json) -> Any:
        return read(Number(value)) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None

    return Lens(f"pricing.{field}", (path,), encode, decode)


def _plain(value: Decimal) -> str:
    return plain_decimal(value)


def _to_parameters(facts: Mapping[str, Any]) -> list[Json]:
    found = [name for path, names in _PARAMETERS.items() if facts.get(path) is True for name in names]
    return [*(["max_tokens"] if "limits.max_output_tokens" in facts else []), *found]


def _from_parameters(value: Json) -> dict[str, Any]:
    """Only what is there is stated: a parameter that is missing may be missing from the list."""
    sent = value if isinstance(value, list) else []
    return {path: True for path, names in _PARAMETERS.items() if names[0] in sent}


_LENSES: Final = Lenses(
    (
        Lens("name", ("name",), to_text, from_name),
        Lens("created", ("released",), to_unix, from_unix),
        Lens("context_length", ("limits.context_tokens", "limits.max_input_tokens"), to_count, from_count),
        *(_price(field, terms) for field, terms in _PRICES.items()),
        Lens(
            "top_provider.context_length",
            ("limits.context_tokens", "limits.max_input_tokens"),
            to_count,
            nothing,
        ),
        Lens("top_provider.max_completion_tokens", ("limits.max_output_tokens",), to_count, from_count),
        Lens("knowledge_cutoff", ("knowledge_cutoff",), to_text, from_date),
    )
)
_WHOLE: Final = {
    "pricing": tuple(lens.paths[0] for lens in _LENSES.table if lens.field.startswith("pricing.")),
    "top_provider": ("limits.context_tokens", "limits.max_input_tokens", "limits.max_output_tokens"),
    "architecture": ("modalities",),
    "architecture.modality": ("modalities",),
    "architecture.input_modalities": ("modalities",),
    "architecture.output_modalities": ("modalities",),
    "supported_parameters": (*_PARAMETERS, "limits.max_output_tokens"),
}
_OWNS: Final = {lens.field: lens.paths for lens in _LENSES.table} | _WHOLE


class OpenRouter(JsonList):
    name: str = "openrouter"
    file: str = "openrouter/api/v1/models"
    client: str = "readers of OpenRouter's list (Roo Code, Cline, Hermes, llm-openrouter)"
    frame: Frame = (("data", None),)
    fields: tuple[str, ...] = (
        "id", "canonical_slug", "hugging_face_id", "name", "created", "description", "context_length",
        "architecture", "architecture.modality", "architecture.input_modalities", "architecture.output_modalities",
        "architecture.tokenizer", "architecture.instruct_type",
        "pricing", *(f"pricing.{field}" for field in _PRICES),
        "top_provider", "top_provider.context_length", "top_provider.max_completion_tokens",
        "top_provider.is_moderated",
        "per_request_limits", "supported_parameters", "default_parameters", "knowledge_cutoff", "expiration_date",
        "links",
    )  # fmt: skip
    nested: tuple[str, ...] = ("architecture", "pricing", "top_provider")
    rules: tuple[Rule, ...] = (
        Rule("id", filled, "must be text"),
        Rule("name", filled, "must be text"),
        Rule("created", count, "must be a whole number of seconds"),
        Rule("description", text, "must be text"),
        Rule("context_length", whole, "must be a whole number"),
        Rule("architecture", mapping, "must be an object"),
        Rule("architecture.input_modalities", list_of(text), "must be a list of texts"),
        Rule("architecture.output_modalities", list_of(text), "must be a list of texts"),
        Rule("pricing", mapping, "must be an object"),
        Rule("pricing.prompt", text, "must be text"),
        Rule("pricing.completion", text, "must be text"),
        Rule("hugging_face_id", or_null(text), "must be text or null"),
        Rule("top_provider", mapping, "must be an object"),
        Rule("top_provider.context_length", or_null(whole), "must be a whole number or null"),
        Rule("top_provider.max_completion_tokens", or_null(whole), "must be a whole number or null"),
        Rule("per_request_limits", or_null(mapping), "must be an object or null"),
        Rule("supported_parameters", list_of(text), "must be a list of texts"),
        Rule("knowledge_cutoff", or_null(text), "must be text or null", needed=False),
        Rule("expiration_date", or_null(text), "must be text or null", needed=False),
    )
    repeats_say: str = "its readers keep one of the two"
    unknown: Mapping[str, str] = {
        "created": "the day of its release is not known, and created needs it",
        "context_length": "its context length is not known",
        "architecture.input_modalities": "its modalities are not known",
        "pricing.prompt": "its price for input is not known",
        "pricing.completion": "its price for output is not known",
    }

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        return ParsedMember("offering", _PROVIDER, self.native_id(item, line), self.flat(item), line)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        native = member.native
        facts: dict[str, Any] = _LENSES.read(native)
        facts.update(_from_parameters(native.get("supported_parameters")))
        taken = _shared(native.get("architecture.input_modalities"))
        given = _shared(native.get("architecture.output_modalities"))
        if taken and given:
            facts["modalities"] = {"input": taken, "output": given}
        return facts

    def derive(self, subject: Subject) -> dict[str, Json]:
        entry, offering = subject.entry or {}, subject.offering or {}
        facts = facts_of(subject.entry, subject.offering)
        native_id = offering.get("native_id", "")
        return {
            "id": native_id,
            "canonical_slug": native_id,
            "hugging_face_id": _hugging_face_id(entry),
            "description": entry.get("description", ""),
            **_architecture(facts.get("modalities")),
            "top_provider.context_length": None,
            "top_provider.max_completion_tokens": None,
            "per_request_limits": None,
            "supported_parameters": _to_parameters(facts),
            "default_parameters": {},
            "knowledge_cutoff": None,
            "expiration_date": entry.get("retired"),
            **_LENSES.write(facts),
        }

    def unfit(self, subject: Subject) -> str:
        native_id = (subject.offering or {}).get("native_id", "")
        if native_id.count("/") > 1 and native_id.startswith(f"{_PROVIDER}/"):
            return "its id is written as another format writes it, with the provider's name before it"
        return not_of(_PROVIDER, subject)

    def item_problems(self, item: Mapping[str, Json]) -> Iterator[Problem]:
        yield from super().item_problems(item)
        pricing = item.get("pricing")
        for name, value in pricing.items() if isinstance(pricing, dict) else ():
            if isinstance(value, list | dict):
                continue
            if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
                yield "stop", f"pricing.{name} must be a decimal, written as text and without exponent"


def _shared(side: Json) -> list[str]:
    """The modalities, if all of them are shared ones."""
    if not isinstance(side, list):
        return []
    found = [_SHARED_MODALITIES.get(item, "") if isinstance(item, str) else "" for item in side]
    return found if all(found) else []


def _architecture(modalities: Mapping[str, list[str]] | None) -> dict[str, Json]:
    said: dict[str, Json] = {"architecture.tokenizer": "Other", "architecture.instruct_type": None}
    if modalities:
        taken = [_MODALITIES[item] for item in modalities["input"]]
        given = [_MODALITIES[item] for item in modalities["output"]]
        said["architecture.modality"] = f"{'+'.join(taken)}->{'+'.join(given)}"
        said["architecture.input_modalities"] = list(taken)
        said["architecture.output_modalities"] = list(given)
    return said


def _hugging_face_id(entry: Record) -> str | None:
    """The repository that one of the entry's links names."""
    for link in entry.get("links", {}).values():
        name = str(link).removeprefix(_HUGGING_FACE)
        if name != link and name.count("/") == 1:
            return name
    return None


OPENROUTER: Final = OpenRouter()
