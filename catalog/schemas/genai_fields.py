"""genai-prices' fields: which shared fact each one states. What is not here travels as it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from catalog.records import Record
from catalog.resolving import stage_of
from catalog.schemas.facts import (
    TIERED,
    Lens,
    Lenses,
    from_count,
    from_price,
    plain_decimal,
    to_count,
    to_price,
    to_text,
)
from catalog.schemas.genai_units import SHARED, path_of
from catalog.schemas.json_blocks import fitting_name, name_in
from catalog.schemas.reading.values import Json, Number

GROUPS: Final = ("prices",)
HEAD_FIELDS: Final = (
    "id", "name", "pricing_urls", "api_pattern", "description", "price_comments", "model_match", "provider_match",
    "fallback_model_providers", "extractors", "", "models",
)  # fmt: skip
MODEL_FIELDS: Final = (
    "id", "name", "description", "match", "context_window", "price_comments", "deprecated", "prices",
    *(f"prices.{unit}" for unit in SHARED), "price_variants",
)  # fmt: skip
_HEAD_PLACES: Final = {field: place for place, field in enumerate(HEAD_FIELDS)}
_PLACES: Final = {field: place for place, field in enumerate(MODEL_FIELDS)}

API_PATTERNS: Final[dict[str, str]] = {
    "anthropic": r"https://api\.anthropic\.com",
    "bedrock": r"https://bedrock-runtime\.[a-z0-9-]+\.amazonaws\.com(/|$)",
    "azure": r"(https?://)?([^.]*\.)?(?:openai\.azure\.com|azure-api\.net|cognitiveservices\.azure\.com)",
    "cerebras": r"https://api\.cerebras\.ai",
    "cohere": r"https://api\.cohere\.(?:ai|com)",
    "google": r"https://(.*\.)?googleapis\.com",
    "groq": r"https://api\.groq\.com",
    "mistral": r"https://api\.mistral\.ai",
    "openai": r"https://api\.openai\.com",
    "perplexity": r"https://api\.perplexity\.ai",
    "together": r"https://api\.together\.xyz",
    "voyage": r"https://api\.voyageai\.com",
    "xai": r"https://api\.x\.ai",
}
"""Of providers whose clients know their address; as the histories of genai-prices state them."""

_HOST: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?", re.ASCII)


def rank(field: str) -> tuple[int, str]:
    inside = _PLACES["price_variants"] - 1 if field.startswith("prices.") else len(MODEL_FIELDS)
    return _PLACES.get(field, inside), field


def head_rank(field: str) -> tuple[int, str]:
    return _HEAD_PLACES.get(field, _HEAD_PLACES[""]), field


LENSES: Final = Lenses(
    (
        Lens("name", ("name",), to_text, fitting_name),
        Lens("context_window", ("limits.context_tokens", "limits.max_input_tokens"), to_count, from_count),
    )
)
OWNS: Final[Mapping[str, tuple[str, ...]]] = {
    **{lens.field: lens.paths for lens in LENSES.table},
    **{f"prices.{unit}": (path_of(unit), TIERED) for unit in SHARED},
    "prices": (TIERED, *(path_of(unit) for unit in SHARED)),
    "deprecated": ("stage",),
    "name": ("name", "provider.name"),
    "id": ("provider.names",),
    "api_pattern": ("provider.api",),
}


# --- models ------------------------------------------------------------------------------------------------------


def write(facts: Mapping[str, Any], native_id: str, units: Collection[str]) -> dict[str, Json]:
    native: dict[str, Json] = {"id": native_id, "match": {"equals": native_id.lower()}}
    native.update(LENSES.write(facts))
    if facts.get("stage") in ("deprecated", "retired"):
        native["deprecated"] = True
    for unit in SHARED:
        if unit in units and path_of(unit) in facts:
            native[f"prices.{unit}"] = _price(facts, unit)
    return native


def _price(facts: Mapping[str, Any], unit: str) -> Json:
    shared = SHARED[unit]
    spell = to_price(per=shared.per, unit=shared.spelled, write=plain_decimal)
    base = spell(facts[path_of(unit)])
    above = sorted(size for size in _sizes(facts) if path_of(unit, size) in facts)
    if not above:
        return base
    tiers: list[Json] = [
        {"start": Number(str(size)), "price": spell(facts[path_of(unit, size)])} for size in above
    ]
    return {"base": base, "tiers": tiers}


def _sizes(facts: Mapping[str, Any]) -> set[int]:
    return {int(path.split(".")[4]) for path in facts if path.startswith("prices.")} - {0}


def read(native: Mapping[str, Json], native_id: str) -> dict[str, Any]:
    """The shared facts of one model. Prices that depend on the day or the hour stay with this document alone."""
    facts = LENSES.read(native)
    facts["stage"] = "deprecated" if native.get("deprecated") is True else stage_of(native_id)
    words = native_id.lower()
    if "rerank" in words or "embed" in words:
        facts["mode"] = "rerank" if "rerank" in words else "embedding"
    for unit in SHARED:
        facts.update(_read_price(unit, native.get(f"prices.{unit}")))
    return facts


def _read_price(unit: str, value: Json) -> Iterator[tuple[str, Record]]:
    stated: list[tuple[int, Json]] = [(0, value.get("base") if isinstance(value, dict) else value)]
    tiers = value.get("tiers") if isinstance(value, dict) else None
    for tier in tiers if isinstance(tiers, list) else ():
        start = from_count(tier.get("start")) if isinstance(tier, dict) else None
        if isinstance(tier, dict) and start is not None:
            stated.append((start, tier.get("price")))
    shared = SHARED[unit]
    for above, price in stated:
        path = path_of(unit, above)
        found = from_price(path, per=shared.per, unit=shared.spelled)(price)
        if found is not None:
            yield path, found


# --- providers ---------------------------------------------------------------------------------------------------


def pattern_of(provider: Record) -> str:
    """What its requests are recognised by: empty where that is not known."""
    if provider["slug"] in API_PATTERNS:
        return API_PATTERNS[provider["slug"]]
    host = _HOST.match(provider.get("api", ""))
    return host.group().replace(".", r"\.") if host else ""


def write_head(provider: Record) -> dict[str, Json]:
    fields: dict[str, Json] = {"id": name_in("genai-prices", provider), "name": provider["name"]}
    if pattern_of(provider):
        fields["api_pattern"] = pattern_of(provider)
    return {**fields, "models": None}


def read_head(head: Mapping[str, Json]) -> dict[str, Any]:
    name = fitting_name(head.get("name"))
    return {} if name is None else {"name": name}
