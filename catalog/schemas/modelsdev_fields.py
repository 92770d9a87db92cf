"""models.dev's fields: which shared fact each one states. What is not here travels as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from catalog.records import MODALITIES, PriceRecord, Record
from catalog.resolving import stage_of
from catalog.schemas.facts import (
    TIERED,
    Lens,
    Lenses,
    from_count,
    from_date,
    from_flag,
    from_price,
    plain_decimal,
    to_count,
    to_flag,
    to_price,
    to_text,
)
from catalog.schemas.json_blocks import fitting_name
from catalog.schemas.reading.values import Json, Number

GROUPS: Final = ("cost", "limit")
MILLION: Final = 1_000_000
UNIT: Final = "1M tokens"
LARGE: Final = 200_000
"""A single tier from here on is repeated as ``context_over_200k`` for older readers."""

COSTS: Final = {
    "input": ("input", "text"),
    "output": ("output", "text"),
    "reasoning": ("reasoning", "text"),
    "cache_read": ("cache_read", "text"),
    "cache_write": ("cache_write", "text"),
    "input_audio": ("input", "audio"),
    "output_audio": ("output", "audio"),
}
STATUSES: Final = {"alpha": "preview", "beta": "preview", "deprecated": "deprecated"}

_OF_TEXT: Final = ("chat", "completion", "responses")
_HEARD: Final = {"image": "vision", "audio": "audio_input", "pdf": "pdf_input"}

_ORDER: Final = (
    "id", "name", "description", "family", "release_date", "last_updated", "attachment", "reasoning",
    "reasoning_options", "temperature", "knowledge", "tool_call", "structured_output", "interleaved", "open_weights",
    "status", "cost", *(f"cost.{name}" for name in COSTS), "cost.tiers", "cost.context_over_200k",
    "limit", "limit.context", "limit.input", "limit.output", "modalities", "provider", "experimental",
)  # fmt: skip
_PLACES: Final = {field: place for place, field in enumerate(_ORDER)}
_HEAD_ORDER: Final = {
    field: place for place, field in enumerate(("id", "name", "env", "npm", "api", "doc", "", "models"))
}


@lru_cache(maxsize=1024)
def rank(field: str) -> tuple[int, str]:
    """A field that is not known stands at the end of its group."""
    group = field.partition(".")[0]
    last = max(
        (place for name, place in _PLACES.items() if name.startswith(f"{group}.")), default=len(_ORDER)
    )
    return _PLACES.get(field, last), field


def head_rank(field: str) -> tuple[int, str]:
    return _HEAD_ORDER.get(field, _HEAD_ORDER[""]), field


@lru_cache(maxsize=1024)
def _path(name: str, above: int = 0) -> str:
    meter, modality = COSTS[name]
    return f"prices.{meter}.{modality}.token.{above}...USD"


def _to_month(value: str) -> Json:
    """A year alone is no date to its readers."""
    return value if len(value) > len("2025") else None


_write_price = to_price(per=MILLION, unit=UNIT, write=plain_decimal)


@lru_cache(maxsize=1024)
def _reader(path: str) -> Callable[[Json], PriceRecord | None]:
    return from_price(path, per=MILLION, unit=UNIT)


def _read_price(path: str, value: Json) -> Record | None:
    return None if value is None else _reader(path)(value)


LENSES: Final = Lenses(
    (
        Lens("name", ("name",), to_text, fitting_name),
        Lens("release_date", ("released",), _to_month, from_date),
        Lens("knowledge", ("knowledge_cutoff",), _to_month, from_date),
        Lens("attachment", ("capabilities.attachments", "capabilities.vision"), to_flag, from_flag),
        Lens("reasoning", ("capabilities.reasoning",), to_flag, from_flag),
        Lens("tool_call", ("capabilities.tools",), to_flag, from_flag),
        Lens("structured_output", ("capabilities.structured_output",), to_flag, from_flag),
        Lens("temperature", ("capabilities.temperature",), to_flag, from_flag),
        Lens("open_weights", ("open_weights",), to_flag, from_flag),
        Lens("limit.context", ("limits.context_tokens", "limits.max_input_tokens"), to_count, from_count),
        Lens("limit.input", ("limits.max_input_tokens",), to_count, from_count),
        Lens("limit.output", ("limits.max_output_tokens",), to_count, from_count),
    )
)

OWNS: Final[Mapping[str, tuple[str, ...]]] = {
    **{lens.field: lens.paths for lens in LENSES.table},
    **{f"cost.{name}": (_path(name), _path("input"), _path("output")) for name in COSTS},
    "cost.tiers": (TIERED,),
    "cost.context_over_200k": (TIERED,),
    "modalities": (
        "modalities",
        "mode",
        *(f"capabilities.{name}" for name in (*_HEARD.values(), "audio_output")),
    ),
    "status": ("stage",),
    "name": ("name", "provider.name"),
    "id": ("provider.names",),
    "env": ("provider.env",),
    "api": ("provider.api",),
    "doc": ("provider.docs",),
}


# --- out ---------------------------------------------------------------------------------------------------------


def write(facts: Mapping[str, Any], native_id: str) -> dict[str, Json]:
    """Every field that the facts give, flat."""
    native = LENSES.write(facts)
    if "limits.max_input_tokens" in facts and "limits.context_tokens" not in facts:
        native.pop("limit.input", None)  # it is the context already
    native.setdefault("temperature", False)
    status = _status(facts.get("stage", ""), native_id)
    if status:
        native["status"] = status
    modalities = facts.get("modalities") or _implied_modalities(facts)
    if modalities:
        native["modalities"] = {side: list(modalities[side]) for side in ("input", "output")}
    native.update(_costs(facts))
    return native


def _status(stage: str, native_id: str) -> str:
    """An id that says itself that it is a preview says enough."""
    if stage in ("deprecated", "retired"):
        return "deprecated"
    return "beta" if stage == "preview" and stage_of(native_id) != "preview" else ""


def _implied_modalities(facts: Mapping[str, Any]) -> dict[str, list[str]] | None:
    """A model for chat reads and writes text, beside what its capabilities say; opencode believes no silence."""
    if facts.get("mode") not in _OF_TEXT:
        return None
    heard = [word for word, capability in _HEARD.items() if facts.get(f"capabilities.{capability}")]
    spoken = ["audio"] if facts.get("capabilities.audio_output") else []
    return {"input": ["text", *heard], "output": ["text", *spoken]}


def _costs(facts: Mapping[str, Any]) -> dict[str, Json]:
    base = _prices_above(facts, 0)
    if not {"input", "output"} <= base.keys():
        return {}  # a cost is of both sides, and an unknown one is not free
    costs: dict[str, Json] = {f"cost.{name}": value for name, value in base.items()}
    tiers: list[Json] = [
        {"tier": {"type": "context", "size": Number(str(size))}, **base, **_prices_above(facts, size)}
        for size in _tier_sizes(facts)
    ]
    if tiers:
        costs["cost.tiers"] = tiers
        repeated = over_200k(tiers)
        if repeated is not None:
            costs["cost.context_over_200k"] = repeated
    return costs


def _prices_above(facts: Mapping[str, Any], size: int) -> dict[str, Json]:
    return {
        name: _write_price(facts[path]) for name in COSTS for path in (_path(name, size),) if path in facts
    }


def _tier_sizes(facts: Mapping[str, Any]) -> list[int]:
    paths = (path.split(".") for path in facts if path.startswith("prices."))
    sizes = {int(parts[4]) for parts in paths if _path_is_ours(parts)}
    return sorted(sizes - {0})


def _path_is_ours(parts: list[str]) -> bool:
    _, meter, modality, unit, _, tier, ttl, currency = parts
    return (meter, modality) in COSTS.values() and (unit, tier, ttl, currency) == ("token", "", "", "USD")


def over_200k(tiers: Json) -> Json:
    """What a document must repeat of its tiers: of a single one that is large enough, its prices; else nothing."""
    if not isinstance(tiers, list) or len(tiers) != 1 or not isinstance(tiers[0], dict):
        return None
    size = _size(tiers[0])
    if size is None or size < LARGE:
        return None
    return {name: value for name, value in tiers[0].items() if name != "tier"}


def _size(tier: Mapping[str, Json]) -> int | None:
    described = tier.get("tier")
    return from_count(described.get("size")) if isinstance(described, dict) else None


# --- in ----------------------------------------------------------------------------------------------------------


def read(native: Mapping[str, Json], native_id: str) -> dict[str, Any]:
    """The shared facts of one model, flat as ``json_blocks.flattened`` gives it."""
    facts = LENSES.read(native)
    status = native.get("status")
    facts["stage"] = STATUSES.get(status, "current") if isinstance(status, str) else stage_of(native_id)
    for path, price in _read_prices(native):
        facts.setdefault(path, price)
    if "prices.cache_read.text.token.0...USD" in facts:
        facts["capabilities.prompt_caching"] = True
    modalities = _known_modalities(native.get("modalities"))
    if modalities:
        facts["modalities"] = modalities
        facts |= _senses(modalities)
        facts["mode"] = _mode(native_id, modalities)
    return facts


def _read_prices(native: Mapping[str, Json]) -> Iterator[tuple[str, Record]]:
    for name in COSTS:
        price = _read_price(_path(name), native.get(f"cost.{name}"))
        if price is not None:
            yield _path(name), price
    tiers = native.get("cost.tiers")
    for tier in tiers if isinstance(tiers, list) else ():
        size = _size(tier) if isinstance(tier, dict) else None
        if isinstance(tier, dict) and size is not None:
            for name in COSTS:
                price = _read_price(_path(name, size), tier.get(name))
                if price is not None:
                    yield _path(name, size), price


def _known_modalities(value: Json) -> dict[str, list[str]] | None:
    """Both sides, in words that are shared, or nothing."""
    if not isinstance(value, dict) or list(value) not in (["input", "output"], ["output", "input"]):
        return None
    found: dict[str, list[str]] = {}
    for side in ("input", "output"):
        words = value[side]
        if not isinstance(words, list) or not words:
            return None
        found[side] = [word for word in words if isinstance(word, str) and word in MODALITIES]
        if len(found[side]) != len(words):
            return None
    return found


def _senses(modalities: Mapping[str, list[str]]) -> dict[str, bool]:
    taken, given = modalities["input"], modalities["output"]
    return {
        "capabilities.vision": "image" in taken,
        "capabilities.audio_input": "audio" in taken,
        "capabilities.audio_output": "audio" in given,
        "capabilities.pdf_input": "pdf" in taken,
    }


def _mode(native_id: str, modalities: Mapping[str, list[str]]) -> str:
    """The format names none: what comes out decides, and what the id says about vectors and order."""
    words = native_id.lower()
    if "rerank" in words:
        return "rerank"
    if "embed" in words:
        return "embedding"
    if "text" in modalities["output"]:
        return "transcription" if modalities["input"] == ["audio"] else "chat"
    return {"image": "image", "video": "video", "audio": "speech"}.get(modalities["output"][0], "other")
