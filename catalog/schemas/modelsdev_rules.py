"""What opencode makes of a models.dev document: which of its mistakes crash a listing, and which hide a provider.

Each function looks at one value and gives the problems as (severity, reason). What routes keys or runs code is held to
a list of what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from catalog.schemas.modelsdev_fields import over_200k
from catalog.schemas.provider_sdks import ADDRESSED, ALLOWED
from catalog.schemas.reading.values import Json, Number, to_json

Problem = tuple[Literal["stop", "warn"], str]

CRASH: Final = "opencode would crash"
VANISH: Final = "its provider would disappear"
STATUSES: Final = ("alpha", "beta", "deprecated")
MODALITIES: Final = ("text", "audio", "image", "video", "pdf")
_FLAGS: Final = (
    "attachment", "reasoning", "tool_call", "open_weights", "temperature", "structured_output",
)  # fmt: skip
_COSTS: Final = ("input", "output", "reasoning", "cache_read", "cache_write", "input_audio", "output_audio")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?", re.ASCII)
_ADDRESS: Final = re.compile(
    r"(?:https://(?:[A-Za-z0-9.-]|\$\{[A-Z][A-Z0-9_]*\})+(?::[0-9]+)?"
    r"|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?"
    r"|\$\{[A-Z][A-Z0-9_]*\})"
    r"(?:/(?:[A-Za-z0-9._~/%-]|\$\{[A-Z][A-Z0-9_]*\})*)?",
    re.ASCII,
)
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*", re.ASCII)
_NEVER_SET: Final = frozenset(
    ("authorization", "x-api-key", "api-key", "cookie", "host", "proxy-authorization")
)
_UNFIT_VALUE: Final = re.compile("[$`\r\n\x00]")


def provider_problems(provider: Mapping[str, Json]) -> Iterator[Problem]:
    """A provider without its models."""
    if not isinstance(provider.get("id"), str) or not provider.get("id"):
        yield "stop", f"id is missing: {CRASH}"
    env = provider.get("env")
    if not isinstance(env, list) or not env or not all(isinstance(name, str) and name for name in env):
        yield "stop", "env must name at least one variable: the provider would never be active"
    for field in ("name", "doc"):
        if field in provider and not isinstance(provider[field], str):
            yield "stop", f"{field} must be text: {VANISH}"
    yield from _routing_problems(provider, "")
    if provider.get("npm") in ADDRESSED and not provider.get("api"):
        yield "warn", f"{provider['npm']} needs an api, and none is named"


def model_problems(model: Json) -> Iterator[Problem]:
    """One model."""
    if not isinstance(model, dict):
        yield "stop", f"is not an object: {CRASH}"
        return
    if not isinstance(model.get("id"), str):
        yield "stop", f"id is missing: {CRASH}"
    if not isinstance(model.get("name"), str):
        yield "stop", f"name is missing: {VANISH}"
    if not isinstance(model.get("family", ""), str):
        yield "stop", f"family must be text: {VANISH}"
    yield from _limit_problems(model.get("limit"))
    for field in _FLAGS:
        if field in model and not isinstance(model[field], bool):
            yield "stop", f"{field}: write true or false, else {VANISH}"
    for field in ("release_date", "last_updated", "knowledge"):
        if field in model and not _is(_DATE, model[field]):
            yield "stop", f"{field} must be YYYY-MM or YYYY-MM-DD: {VANISH}"
    if "status" in model and model["status"] not in STATUSES:
        yield "stop", f"status must be one of {', '.join(STATUSES)}: {VANISH}"
    yield from _modality_problems(model)
    yield from _reasoning_problems(model)
    yield from _cost_problems(model)
    yield from _deeper_problems(model)


def document_problems(document: Json) -> Iterator[tuple[str, Problem]]:
    """The whole document, as (where, problem)."""
    if not isinstance(document, dict):
        yield "document", ("stop", "an object is expected: provider → its models")
        return
    if not document:
        yield "document", ("stop", "no model is listed")
    for key, provider in document.items():
        if not isinstance(provider, dict) or not provider:
            yield key, ("stop", f"is not a provider: {CRASH}")
            continue
        for problem in provider_problems(provider):
            yield key, problem
        models = provider.get("models")
        if not isinstance(models, dict) and models != []:
            yield key, ("stop", f"models is missing: {CRASH}")
        elif not models:
            yield key, ("warn", "lists no model, so it is hidden")
        elif isinstance(models, dict):
            for name, model in models.items():
                for problem in model_problems(model):
                    yield f"{key}/{name}", problem


# --- parts -------------------------------------------------------------------------------------------------------


def _limit_problems(limit: Json) -> Iterator[Problem]:
    if not isinstance(limit, dict):
        yield "stop", f"limit is missing: {CRASH}"
        return
    for field in ("context", "output"):
        if not _is_amount(limit.get(field)):
            yield "stop", f"limit.{field} must be a number: {VANISH}"
    if "input" in limit and not _is_amount(limit["input"]):
        yield "stop", f"limit.input must be a number: {VANISH}"


def _modality_problems(model: Mapping[str, Json]) -> Iterator[Problem]:
    if "modalities" not in model:
        return
    sides = model["modalities"]
    for side in ("input", "output"):
        words = sides.get(side) if isinstance(sides, dict) else None
        if not isinstance(words, list) or not all(word in MODALITIES for word in words):
            yield "stop", f"modalities.{side} must list words of {', '.join(MODALITIES)}: {VANISH}"


def _reasoning_problems(model: Mapping[str, Json]) -> Iterator[Problem]:
    if "reasoning_options" not in model:
        return
    options = model["reasoning_options"]
    if not isinstance(options, list):
        yield "stop", f"reasoning_options must be a list: {CRASH}"
        return
    for option in options:
        kind = option.get("type") if isinstance(option, dict) else None
        if not isinstance(option, dict) or kind not in ("toggle", "effort", "budget_tokens"):
            yield "stop", f"reasoning_options: a type is toggle, effort or budget_tokens: {CRASH}"
        elif kind == "effort" and not _all(option.get("values"), lambda v: v is None or isinstance(v, str)):
            yield "stop", f"reasoning_options: an effort needs its values: {CRASH}"
        elif kind == "budget_tokens" and not all(
            isinstance(option[bound], Number) for bound in ("min", "max") if bound in option
        ):
            yield "stop", f"reasoning_options: a budget is bounded by numbers: {CRASH}"
    interleaved = model.get("interleaved", True)
    field = interleaved.get("field") if isinstance(interleaved, dict) else None
    if interleaved is not True and field not in ("reasoning_content", "reasoning_details"):
        yield "stop", f"interleaved is true, or names its field: {VANISH}"


def _cost_problems(model: Mapping[str, Json]) -> Iterator[Problem]:
    if "cost" not in model:
        return
    cost = model["cost"]
    if not isinstance(cost, dict):
        yield "stop", f"cost must be an object: {VANISH}"
        return
    yield from _price_problems(cost, "cost")
    if "tiers" in cost:
        yield from _tier_problems(cost["tiers"])
    repeated = over_200k(cost.get("tiers"))
    stated = cost.get("context_over_200k")
    if (repeated is None) != (stated is None) or to_json(repeated) != to_json(stated):
        yield "stop", "cost.context_over_200k must repeat its single large tier, and nothing else"


def _price_problems(cost: Mapping[str, Json], where: str) -> Iterator[Problem]:
    for field in ("input", "output"):
        if field not in cost:
            yield "stop", f"{where}.{field} is missing: {VANISH}"
    for field in _COSTS:
        if field in cost and not _is_amount(cost[field]):
            yield "stop", f"{where}.{field} must be a number without quotes, not below 0: {VANISH}"


def _tier_problems(tiers: Json) -> Iterator[Problem]:
    if not isinstance(tiers, list):
        yield "stop", f"cost.tiers must be a list: {CRASH}"
        return
    sizes: set[str] = set()
    for tier in tiers:
        if not isinstance(tier, dict):
            yield "stop", f"cost.tiers: a tier is an object: {CRASH}"
            continue
        yield from _price_problems(tier, "cost.tiers")
        described = tier.get("tier")
        if not isinstance(described, dict) or described.get("type") != "context":
            yield "stop", f"cost.tiers: write tier.type context: {VANISH}"
        size = described.get("size") if isinstance(described, dict) else None
        if not isinstance(size, Number) or not size.is_integer:
            yield "stop", f"cost.tiers: tier.size must be a whole number: {VANISH}"
        elif size.text in sizes:
            yield "stop", f"cost.tiers: the size {size.text} stands twice"
        else:
            sizes.add(size.text)


def _deeper_problems(model: Mapping[str, Json]) -> Iterator[Problem]:
    """What changes a request: for one model, and for the modes that become models of their own."""
    if "provider" in model:
        yield from _override_problems(model["provider"], "provider")
    experimental = model.get("experimental")
    modes = experimental.get("modes") if isinstance(experimental, dict) else None
    for name, mode in modes.items() if isinstance(modes, dict) else ():
        where = f"experimental.modes.{name}"
        if not isinstance(mode, dict):
            yield "stop", f"{where} must be an object: {CRASH}"
            continue
        if "cost" in mode:
            if isinstance(mode["cost"], dict):
                yield from _price_problems(mode["cost"], f"{where}.cost")
            else:
                yield "stop", f"{where}.cost must be an object: {VANISH}"
        if "provider" in mode:
            yield from _override_problems(mode["provider"], f"{where}.provider")


def _override_problems(override: Json, where: str) -> Iterator[Problem]:
    if not isinstance(override, dict):
        yield "stop", f"{where} must be an object: {VANISH}"
        return
    yield from _routing_problems(override, f"{where}.")
    if override.get("shape", "responses") not in ("responses", "completions"):
        yield "stop", f"{where}.shape is responses or completions: {VANISH}"
    headers = override.get("headers", {})
    if not isinstance(headers, dict):
        yield "stop", f"{where}.headers must be an object: {VANISH}"
        return
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _NEVER_SET:
            yield "stop", f"{where}.headers: {name[:80]!r} may not be set by a catalog"
        if not isinstance(value, str) or _UNFIT_VALUE.search(value):
            yield "stop", f"{where}.headers.{name[:80]} must be plain text without $, ` and line breaks"


def _routing_problems(stated: Mapping[str, Json], where: str) -> Iterator[Problem]:
    if "npm" in stated and stated["npm"] not in ALLOWED:
        yield (
            "stop",
            f"{where}npm: opencode would install and run {to_json(stated['npm'])[:80]}, which is not allowed",
        )
    if "api" in stated and not _is(_ADDRESS, stated["api"]):
        yield (
            "stop",
            f"{where}api must be https (or this machine): keys are sent to {to_json(stated['api'])[:80]}",
        )
    if where and "body" in stated and not isinstance(stated["body"], dict):
        yield "stop", f"{where}body must be an object: {VANISH}"


def _is(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_amount(value: Json) -> bool:
    return isinstance(value, Number) and not value.text.startswith("-")


def _all(value: Json, fits: Callable[[Json], bool]) -> bool:
    return isinstance(value, list) and all(map(fits, value))
