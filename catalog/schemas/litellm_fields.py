"""LiteLLM's fields: which shared fact each one states. What is not here travels as it is.

A cost field's name is put together from parts, so its price is found by taking the name apart:
``cache_creation_input_token_cost`` + ``_above_1hr`` + ``_above_200k_tokens`` + ``_priority``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from catalog.records import MODALITIES, Record
from catalog.schemas.facts import (
    Lens,
    Lenses,
    believable,
    from_choice,
    from_count,
    from_date,
    from_flag,
    from_price,
    nothing,
    to_choice,
    to_count,
    to_flag,
    to_price,
    to_text,
)
from catalog.schemas.reading.values import Json, Number

MODES: Final = {
    "chat": "chat",
    "completion": "completion",
    "responses": "responses",
    "embedding": "embedding",
    "rerank": "rerank",
    "image_generation": "image",
    "image_edit": "image_edit",
    "video_generation": "video",
    "audio_speech": "speech",
    "audio_transcription": "transcription",
    "realtime": "realtime",
    "moderation": "moderation",
    "ocr": "ocr",
    "search": "search",
}
_MODE_NAMES: Final = {ours: theirs for theirs, ours in MODES.items()}

_CAPABILITIES: Final = {
    "supports_assistant_prefill": "assistant_prefill",
    "supports_audio_input": "audio_input",
    "supports_audio_output": "audio_output",
    "supports_computer_use": "computer_use",
    "supports_function_calling": "tools",
    "supports_native_streaming": "streaming",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_pdf_input": "pdf_input",
    "supports_prompt_caching": "prompt_caching",
    "supports_reasoning": "reasoning",
    "supports_response_schema": "structured_output",
    "supports_system_messages": "system_prompt",
    "supports_vision": "vision",
    "supports_web_search": "web_search",
}

_COSTS: Final = {
    "input_cost_per_token": ("input", "text", "token"),
    "output_cost_per_token": ("output", "text", "token"),
    "cache_read_input_token_cost": ("cache_read", "text", "token"),
    "cache_creation_input_token_cost": ("cache_write", "text", "token"),
    "output_cost_per_reasoning_token": ("reasoning", "text", "token"),
    "input_cost_per_audio_token": ("input", "audio", "token"),
    "output_cost_per_audio_token": ("output", "audio", "token"),
    "cache_read_input_audio_token_cost": ("cache_read", "audio", "token"),
    "cache_creation_input_audio_token_cost": ("cache_write", "audio", "token"),
    "input_cost_per_image_token": ("input", "image", "token"),
    "output_cost_per_image_token": ("output", "image", "token"),
    "cache_read_input_image_token_cost": ("cache_read", "image", "token"),
    "input_cost_per_video_token": ("input", "video", "token"),
    "output_cost_per_video_token": ("output", "video", "token"),
    "input_cost_per_image": ("input", "image", "image"),
    "output_cost_per_image": ("output", "image", "image"),
    "input_cost_per_pixel": ("input", "image", "pixel"),
    "output_cost_per_pixel": ("output", "image", "pixel"),
    "input_cost_per_audio_per_second": ("input", "audio", "second"),
    "input_cost_per_video_per_second": ("input", "video", "second"),
    "output_cost_per_video_per_second": ("output", "video", "second"),
    "input_cost_per_character": ("input", "text", "character"),
    "output_cost_per_character": ("output", "text", "character"),
    "input_cost_per_query": ("input", "text", "query"),
    "input_cost_per_request": ("request", "text", "request"),
    "ocr_cost_per_page": ("input", "pdf", "page"),
}
_COST_NAMES: Final = {parts: name for name, parts in _COSTS.items()}
_TIERS: Final = {"_batches": "batch", "_flex": "flex", "_priority": "priority", "": ""}
_TIER_NAMES: Final = {tier: suffix for suffix, tier in _TIERS.items()}
_COST: Final = re.compile(
    r"(?P<base>[a-z_]+?)(?P<ttl>_above_1hr)?(?:_above_(?P<above>[1-9][0-9]{0,5})k_tokens)?"
    r"(?P<tier>_batches|_flex|_priority)?"
)


@cache
def cost_path(field: str) -> str | None:
    """The price that a cost field states, or ``None`` if no shared price can."""
    parts = _COST.fullmatch(field)
    if parts is None or parts["base"] not in _COSTS:
        return None
    meter, modality, unit = _COSTS[parts["base"]]
    ttl = "1h" if parts["ttl"] else ""
    above = int(parts["above"] or 0) * 1000
    return f"prices.{meter}.{modality}.{unit}.{above}.{_TIERS[parts['tier'] or '']}.{ttl}.USD"


@cache
def cost_field(path: str) -> str | None:
    """The field that states a price, or ``None`` if LiteLLM has none for it."""
    _, meter, modality, unit, above, tier, ttl, currency = path.split(".")
    base = _COST_NAMES.get((meter, modality, unit))
    if (
        base is None
        or currency != "USD"
        or ttl not in ("", "1h")
        or tier not in _TIER_NAMES
        or int(above) % 1000
    ):
        return None
    kilo = f"_above_{int(above) // 1000}k_tokens" if above != "0" else ""
    return f"{base}{'_above_1hr' if ttl else ''}{kilo}{_TIER_NAMES[tier]}"


@cache
def _cost_lens(field: str, path: str) -> Lens:
    unit = path.split(".")[3]
    return Lens(
        field, (path,), to_price(per=1, unit=unit, write=float_spelling), from_price(path, per=1, unit=unit)
    )


def float_spelling(value: Decimal) -> str:
    """As upstream writes a cost: a float, ``2.5e-06``, if a float holds it exactly; else all its digits."""
    short = repr(float(value))
    spelled = believable(Number(short))
    return short if spelled == value else format(value, "f")


def _to_link(sources: list[str]) -> Json:
    return next((source for source in sources if source.startswith(("https://", "http://"))), None)


def _from_link(value: Json) -> list[str] | None:
    fits = isinstance(value, str) and value.startswith("https://") and value.isascii() and value.isprintable()
    return [str(value)] if fits and len(str(value)) <= 500 else None


LENSES: Final = Lenses(
    (
        Lens("deprecation_date", ("deprecated",), to_text, from_date),
        Lens("max_input_tokens", ("limits.max_input_tokens", "limits.context_tokens"), to_count, from_count),
        Lens("max_output_tokens", ("limits.max_output_tokens",), to_count, from_count),
        Lens("max_tokens", ("limits.max_output_tokens", "limits.max_input_tokens"), to_count, nothing),
        Lens("mode", ("mode",), to_choice(_MODE_NAMES), from_choice(MODES)),
        Lens("source", ("sources",), _to_link, _from_link),
        *(Lens(name, (f"capabilities.{ours}",), to_flag, from_flag) for name, ours in _CAPABILITIES.items()),
    )
)


def write_costs(facts: Mapping[str, Any]) -> dict[str, Json]:
    written: dict[str, Json] = {}
    for path, price in facts.items():
        field = cost_field(path) if path.startswith("prices.") else None
        if field is not None:
            written[field] = _cost_lens(field, path).encode(price)
    return written


def read_costs(native: Mapping[str, Json]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for field, value in native.items():
        path = cost_path(field) if "cost" in field else None
        price = _cost_lens(field, path).decode(value) if path else None
        if path and price is not None:
            found[path] = price
    return found


def write_modalities(facts: Mapping[str, Any]) -> dict[str, Json]:
    modalities = facts.get("modalities")
    if not modalities:
        return {}
    return {
        "supported_modalities": list(modalities["input"]),
        "supported_output_modalities": list(modalities["output"]),
    }


def read_modalities(native: Mapping[str, Json]) -> dict[str, Any]:
    """Stated only where both sides are, in words that are shared."""
    sides = [native.get("supported_modalities"), native.get("supported_output_modalities")]
    if not all(
        isinstance(side, list) and side and all(item in MODALITIES for item in side) for side in sides
    ):
        return {}
    return {"modalities": {"input": sides[0], "output": sides[1]}}


class Owns(Mapping[str, tuple[str, ...]]):
    """Every field that is derived from shared facts, the cost fields by their names' grammar."""

    _fixed: Final = {lens.field: lens.paths for lens in LENSES.table} | {
        "litellm_provider": ("provider",),
        "supported_modalities": ("modalities",),
        "supported_output_modalities": ("modalities",),
    }

    def __getitem__(self, field: str) -> tuple[str, ...]:
        if field in self._fixed:
            return self._fixed[field]
        path = cost_path(field)
        if path is None:
            raise KeyError(field)
        return (path,)

    def __iter__(self) -> Any:
        return iter((*self._fixed, *_COSTS))

    def __len__(self) -> int:
        return len(self._fixed) + len(_COSTS)
