"""catwalk's fields: which shared fact each one states. What is not here travels as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from catalog.records import Record
from catalog.schemas.facts import (
    Lens,
    Lenses,
    believable,
    from_count,
    from_flag,
    from_price,
    nothing,
    plain_decimal,
    to_count,
    to_flag,
    to_price,
    to_text,
)
from catalog.schemas.go_json import go_float
from catalog.schemas.json_blocks import fitting_address, fitting_name, name_in
from catalog.schemas.provider_sdks import ANTHROPIC, sdk_of
from catalog.schemas.reading.values import Json, Number

MILLION: Final = 1_000_000
UNIT: Final = "1M tokens"

PROVIDER_FIELDS: Final = (
    "name", "id", "api_key", "api_endpoint", "type", "default_large_model_id", "default_small_model_id", "models",
    "default_headers",
)  # fmt: skip
MODEL_FIELDS: Final = (
    "id", "name", "cost_per_1m_in", "cost_per_1m_out", "cost_per_1m_in_cached", "cost_per_1m_out_cached",
    "context_window", "default_max_tokens", "can_reason", "reasoning_levels", "default_reasoning_effort",
    "supports_attachments", "options",
)  # fmt: skip
"""In the order of Crush's own structures, which is the order in which it writes them."""
COSTS: Final = {
    "cost_per_1m_in": "input",
    "cost_per_1m_out": "output",
    "cost_per_1m_in_cached": "cache_write",
    "cost_per_1m_out_cached": "cache_read",
}
"""As Crush multiplies them: the third with the tokens that were put into a cache, the fourth with those read from it."""
FLOATS: Final = frozenset((*COSTS, "temperature", "top_p", "frequency_penalty", "presence_penalty"))

TYPES: Final[dict[str, str]] = {
    "@ai-sdk/openai": "openai",
    ANTHROPIC: "anthropic",
    "@ai-sdk/google": "google",
    "@ai-sdk/azure": "azure",
    "@ai-sdk/amazon-bedrock": "bedrock",
    "@ai-sdk/google-vertex": "google-vertex",
    "@openrouter/ai-sdk-provider": "openrouter",
    "@ai-sdk/gateway": "vercel",
}
COMPATIBLE: Final = "openai-compat"
KEYLESS: Final = frozenset(("bedrock", "google-vertex"))
"""Types that find their credentials themselves."""
ADDRESSED: Final = frozenset((COMPATIBLE, "openrouter", "vercel"))
"""Types whose address the document must name, and names as other documents do."""
KEY: Final = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_KEY_ENDINGS: Final = ("KEY", "TOKEN")

_PROVIDER_PLACES: Final = {field: place for place, field in enumerate(PROVIDER_FIELDS)}
_MODEL_PLACES: Final = {field: place for place, field in enumerate(MODEL_FIELDS)}


def rank(field: str) -> tuple[int, str]:
    return _MODEL_PLACES.get(field, len(MODEL_FIELDS)), field


def head_rank(field: str) -> tuple[int, str]:
    return _PROVIDER_PLACES.get(field, len(PROVIDER_FIELDS)), field


def _path(meter: str) -> str:
    return f"prices.{meter}.text.token.0...USD"


def _price(field: str, meter: str) -> Lens:
    return Lens(
        field,
        (_path(meter),),
        to_price(per=MILLION, unit=UNIT, write=plain_decimal),
        from_price(_path(meter), per=MILLION, unit=UNIT),
    )


LENSES: Final = Lenses(
    (
        Lens("name", ("name",), to_text, fitting_name),
        *(_price(field, meter) for field, meter in COSTS.items()),
        Lens("context_window", ("limits.context_tokens", "limits.max_input_tokens"), to_count, from_count),
        Lens("default_max_tokens", ("limits.max_output_tokens",), to_count, nothing),
        Lens("can_reason", ("capabilities.reasoning",), to_flag, from_flag),
        Lens(
            "supports_attachments",
            ("capabilities.attachments", "capabilities.vision"),
            to_flag,
            from_flag,
        ),
    )
)
OWNS: Final[Mapping[str, tuple[str, ...]]] = {
    **{lens.field: lens.paths for lens in LENSES.table},
    "name": ("name", "provider.name"),
    "id": ("provider.names",),
    "api_key": ("provider.env",),
    "api_endpoint": ("provider.api",),
}


# --- models ------------------------------------------------------------------------------------------------------


def write(facts: Mapping[str, Any]) -> dict[str, Json]:
    """Every field that the facts give. There is no way to leave out a cached price or a capability: 0, and no."""
    native = LENSES.write(facts)
    for field in COSTS:
        if field in native:
            native[field] = _float(native[field])
        elif field.endswith("_cached"):
            native[field] = Number("0")
    native.setdefault("can_reason", False)
    native.setdefault("supports_attachments", False)
    return native


def read(native: Mapping[str, Json]) -> dict[str, Any]:
    """The shared facts of one model. A price of 0 is also what stands there where none is known, and teaches nothing;
    nor does a cached price that is below the plain one where Crush counts writing: some providers' are of reading."""
    facts: dict[str, Any] = {"mode": "chat", **LENSES.read(native)}
    for field, meter in COSTS.items():
        stated = believable(native.get(field))
        if not stated or (
            meter == "cache_write" and stated < (believable(native.get("cost_per_1m_in")) or 0)
        ):
            facts.pop(_path(meter), None)
    return facts


def spelled(value: Json, field: str) -> Json:
    """With the numbers that are floats to Crush as it would write them."""
    if field in FLOATS:
        return _float(value)
    if field == "options" and isinstance(value, dict):
        return {name: spelled(item, name) for name, item in value.items()}
    return value


def _float(value: Json) -> Json:
    return go_float(value) if isinstance(value, Number) else value


# --- providers ---------------------------------------------------------------------------------------------------


def type_of(provider: Record) -> str:
    return TYPES.get(sdk_of(provider["slug"]), COMPATIBLE)


def key_of(provider: Record) -> str:
    """The variable that holds its key, of those that its documentation names."""
    fit = [name for name in provider.get("env", ()) if KEY.fullmatch(name) and name.endswith(_KEY_ENDINGS)]
    return fit[0] if fit else ""


def write_head(provider: Record) -> dict[str, Json]:
    kind = type_of(provider)
    fields: dict[str, Json] = {"name": provider["name"], "id": name_in("catwalk", provider)}
    if key_of(provider) and kind not in KEYLESS:
        fields["api_key"] = f"${key_of(provider)}"
    api = provider.get("api", "")
    if kind in ADDRESSED and api:
        fields["api_endpoint"] = api
    elif kind == "anthropic" and api.rstrip("/").endswith("/v1"):
        fields["api_endpoint"] = api.rstrip("/").removesuffix("/v1")  # which Crush adds itself
    return {**fields, "type": kind, "models": None}


def lacking(provider: Record) -> str:
    """Why a provider cannot be listed, or nothing."""
    kind = type_of(provider)
    if kind not in KEYLESS and not key_of(provider):
        return "the variable that holds its provider's key is not known, and Crush skips a provider without"
    if kind in ADDRESSED and not provider.get("api", "").startswith("https://"):
        return "its provider's address is not known"
    return ""


def read_head(head: Mapping[str, Json]) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": fitting_name(head.get("name"))}
    key = head.get("api_key")
    if isinstance(key, str) and key.startswith("$") and KEY.fullmatch(key[1:]):
        facts["env"] = [key[1:]]
    if head.get("type") in (*ADDRESSED, "openai"):
        facts["api"] = fitting_address(head.get("api_endpoint"))
    return {field: value for field, value in facts.items() if value is not None}
