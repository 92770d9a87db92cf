"""What one record of a source states, in our words. Pure; says nothing that the record does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, cast

from catalog.records import CAPABILITIES, METERS, MODALITIES, PriceRecord

GIB: Final = 2**30
PER_MILLION: Final = -6

LITELLM_MODES: Final = {
    "chat": "chat", "completion": "completion", "responses": "responses", "embedding": "embedding", "rerank": "rerank",
    "image_generation": "image", "image_edit": "image_edit", "video_generation": "video", "audio_speech": "speech",
    "audio_transcription": "transcription", "realtime": "realtime", "moderation": "moderation", "ocr": "ocr",
    "search": "search",
}  # fmt: skip
LITELLM_CAPABILITIES: Final = {
    "supports_function_calling": "tools",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_vision": "vision",
    "supports_reasoning": "reasoning",
    "supports_response_schema": "structured_output",
    "supports_native_streaming": "streaming",
    "supports_system_messages": "system_prompt",
    "supports_prompt_caching": "prompt_caching",
    "supports_web_search": "web_search",
    "supports_computer_use": "computer_use",
    "supports_assistant_prefill": "assistant_prefill",
    "supports_audio_input": "audio_input",
    "supports_audio_output": "audio_output",
    "supports_pdf_input": "pdf_input",
}
LITELLM_COSTS: Final[Mapping[str, Mapping[str, str]]] = {
    "input_cost_per_token": {"meter": "input", "unit": "token"},
    "output_cost_per_token": {"meter": "output", "unit": "token"},
    "cache_read_input_token_cost": {"meter": "cache_read", "unit": "token"},
    "cache_creation_input_token_cost": {"meter": "cache_write", "unit": "token"},
    "input_cost_per_audio_token": {"meter": "input", "modality": "audio", "unit": "token"},
    "output_cost_per_audio_token": {"meter": "output", "modality": "audio", "unit": "token"},
    "input_cost_per_second": {"meter": "input", "modality": "audio", "unit": "second"},
    "input_cost_per_query": {"meter": "request", "unit": "query"},
    "ocr_cost_per_page": {"meter": "request", "unit": "page"},
}
LITELLM_TIER_COSTS: Final[Mapping[str, Mapping[str, str]]] = {
    f"{name}_{suffix}": {**price, "service_tier": tier}
    for suffix, tier in (("batches", "batch"), ("flex", "flex"), ("priority", "priority"))
    for name, price in LITELLM_COSTS.items()
    if price["unit"] == "token" and "modality" not in price
}
MODELS_DEV_COSTS: Final[Mapping[str, Mapping[str, str]]] = {
    "input": {"meter": "input"},
    "output": {"meter": "output"},
    "cache_read": {"meter": "cache_read"},
    "cache_write": {"meter": "cache_write"},
    "reasoning": {"meter": "reasoning"},
    "input_audio": {"meter": "input", "modality": "audio"},
    "output_audio": {"meter": "output", "modality": "audio"},
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Absent means unsaid: an empty string, an empty mapping, None."""

    name: str = ""
    mode: str = ""
    stage: str = ""
    modalities: Mapping[str, list[str]] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    open_weights: bool | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    prices: tuple[PriceRecord, ...] = ()
    tier_prices: tuple[PriceRecord, ...] = ()


def models_dev_facts(model: Mapping[str, Any]) -> Facts:
    """Prices there are dollars for a million tokens; a limit of 0 is one that does not apply."""
    modalities = {side: _known(model["modalities"][side]) for side in ("input", "output")}
    limit = model["limit"]
    return Facts(
        name=str(model["name"]).removesuffix(" (latest)"),
        stage=_models_dev_stage(model),
        mode=_models_dev_mode(model, modalities),
        modalities=modalities,
        limits=_limits(limit.get("context"), limit.get("input"), limit.get("output")),
        capabilities=dict(_models_dev_capabilities(model, modalities)),
        dates=_dates(released=model.get("release_date"), knowledge_cutoff=model.get("knowledge")),
        open_weights=model["open_weights"],
        prices=tuple(_models_dev_prices(model.get("cost", {}))),
    )


def litellm_facts(key: str, model: Mapping[str, Any]) -> Facts:
    """Prices there are dollars for one unit; a field that is absent is unknown."""
    modalities = {
        "input": _known(model.get("supported_modalities", ())),
        "output": _known(model.get("supported_output_modalities", ())),
    }
    return Facts(
        name=key.rpartition("/")[2],
        mode=LITELLM_MODES.get(model.get("mode", ""), ""),
        modalities=modalities if all(modalities.values()) else {},
        limits=_limits(None, model.get("max_input_tokens"), model.get("max_output_tokens")),
        capabilities={ours: model[name] for name, ours in LITELLM_CAPABILITIES.items() if name in model},
        dates=_dates(deprecated=model.get("deprecation_date")),
        links={"source": model["source"]} if str(model.get("source", "")).startswith("https://") else {},
        prices=tuple(_litellm_prices(model, LITELLM_COSTS)),
        tier_prices=tuple(_litellm_prices(model, LITELLM_TIER_COSTS)),
    )


def gpt4all_facts(model: Mapping[str, Any]) -> Facts:
    embedding = bool(model.get("embeddingModel"))
    return Facts(name=str(model["name"]), mode="embedding" if embedding else "chat", open_weights=True)


def lmstudio_facts(model: Mapping[str, Any]) -> Facts:
    resources = {"canonicalUrl": "canonical", "paperUrl": "paper", "downloadUrl": "download"}
    return Facts(
        name=str(model["name"]),
        mode="chat",
        dates=_dates(released=str(model["datePublished"]).partition("T")[0]),
        open_weights=True,
        links={
            ours: model["resources"][name] for name, ours in resources.items() if name in model["resources"]
        },
    )


def price(amount: Decimal, terms: Mapping[str, Any]) -> PriceRecord:
    """Fields in the order in which the record declares them."""
    text = f"{amount.normalize():f}" if amount else "0"
    fields: dict[str, Any] = {"unit": "token", **terms, "amount": text, "currency": "USD"}
    ordered = {name: fields[name] for name in PriceRecord.__annotations__ if name in fields}
    return cast("PriceRecord", ordered)


def price_order(record: PriceRecord) -> tuple[Any, ...]:
    return (
        record.get("service_tier", ""),
        record.get("above_tokens", 0),
        METERS.index(record["meter"]),
        record.get("modality", ""),
        record["unit"],
    )


def _models_dev_prices(cost: Mapping[str, Any]) -> Iterator[PriceRecord]:
    for name, terms in MODELS_DEV_COSTS.items():
        if name in cost:
            yield price(Decimal(cost[name]).scaleb(PER_MILLION), terms)
    for tier in cost.get("tiers", ()):
        for name, terms in MODELS_DEV_COSTS.items():
            if name in tier:
                above = {**terms, "above_tokens": tier["tier"]["size"]}
                yield price(Decimal(tier[name]).scaleb(PER_MILLION), above)


def _litellm_prices(
    model: Mapping[str, Any], costs: Mapping[str, Mapping[str, str]]
) -> Iterator[PriceRecord]:
    for name, terms in costs.items():
        if name in model:
            yield price(Decimal(model[name]), terms)


def _models_dev_capabilities(
    model: Mapping[str, Any], modalities: Mapping[str, list[str]]
) -> Iterator[tuple[str, bool]]:
    stated = {
        "tools": model.get("tool_call"),
        "vision": "image" in modalities["input"],
        "reasoning": model.get("reasoning"),
        "structured_output": model.get("structured_output"),
        "temperature": model.get("temperature"),
        "prompt_caching": True if "cache_read" in model.get("cost", {}) else None,
        "attachments": model.get("attachment"),
        "audio_input": "audio" in modalities["input"],
        "audio_output": "audio" in modalities["output"],
        "pdf_input": "pdf" in modalities["input"],
    }
    return ((name, stated[name]) for name in CAPABILITIES if stated.get(name) is not None)  # type: ignore[misc]


def _models_dev_stage(model: Mapping[str, Any]) -> str:
    status = model.get("status")
    if status == "deprecated":
        return "deprecated"
    return "preview" if status or "preview" in model["id"] else "current"


def _models_dev_mode(model: Mapping[str, Any], modalities: Mapping[str, list[str]]) -> str:
    """It names no mode: an id with ``embed`` is an embedding model, else what comes out decides."""
    if "embed" in model["id"]:
        return "embedding"
    if "text" in modalities["output"]:
        return "transcription" if modalities["input"] == ["audio"] else "chat"
    return {"image": "image", "video": "video", "audio": "speech"}.get(modalities["output"][0], "other")


def _limits(context: Any, max_input: Any, max_output: Any) -> dict[str, int]:
    named = {"context_tokens": context, "max_input_tokens": max_input, "max_output_tokens": max_output}
    return {name: value for name, value in named.items() if isinstance(value, int) and value > 0}


def _dates(**dates: Any) -> dict[str, str]:
    return {name: value for name, value in dates.items() if value}


def _known(modalities: Any) -> list[str]:
    return [m for m in modalities if m in MODALITIES]
