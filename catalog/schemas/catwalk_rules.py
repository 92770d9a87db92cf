"""What Crush makes of a catwalk document: what its parser refuses as a whole, and what must never reach its shell.

Each function looks at one value and gives the problems as (severity, reason). Crush expands ``api_key``,
``api_endpoint`` and header values as a shell would, commands included, so they are held to what needs no expansion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from catalog.schemas.catwalk_fields import COMPATIBLE, COSTS, MODEL_FIELDS, PROVIDER_FIELDS, TYPES, spelled
from catalog.schemas.go_json import go_json
from catalog.schemas.reading.values import Json, Number

Problem = tuple[Literal["stop", "warn"], str]

REFUSED: Final = "Crush would refuse the whole document"
API_KEY: Final = re.compile(r"\$[A-Z][A-Z0-9_]*", re.ASCII)
API_ENDPOINT: Final = re.compile(
    r"https://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~/%-]*)?"
    r"|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?(?:/[A-Za-z0-9._~/%-]*)?"
    r"|\$[A-Z][A-Z0-9_]*",
    re.ASCII,
)
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*", re.ASCII)
_EXPANDED: Final = re.compile("[$`\r\n\x00]")
_TYPES: Final = frozenset((*TYPES.values(), COMPATIBLE))
_TEXTS: Final = ("api_key", "api_endpoint", "type", "default_large_model_id", "default_small_model_id")
_WHOLE: Final = ("context_window", "default_max_tokens")
_FLAGS: Final = ("can_reason", "supports_attachments")
_NEEDED: Final = ("cost_per_1m_in", "cost_per_1m_out", *_WHOLE)
_OPTIONS: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_OPTION_FIELDS: Final = (
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "provider_options",
)
_MOST: Final = 2**63 - 1


def provider_problems(provider: Mapping[str, Json]) -> Iterator[Problem]:
    """A provider without its models."""
    for field in ("id", "name"):
        if not isinstance(provider.get(field), str) or not provider[field]:
            yield "stop", f"{field} is missing"
    for field in _TEXTS:
        if provider.get(field) is not None and not isinstance(provider[field], str):
            yield "stop", f"{field} must be text: {REFUSED}"
    key = provider.get("api_key")
    if isinstance(key, str) and key and not API_KEY.fullmatch(key):
        yield "stop", "api_key must be one variable, like $ACME_API_KEY: Crush runs what else stands there"
    endpoint = provider.get("api_endpoint")
    if isinstance(endpoint, str) and endpoint and not API_ENDPOINT.fullmatch(endpoint):
        yield "stop", f"api_endpoint must be a plain https address: keys are sent to {endpoint[:80]!r}"
    kind = provider.get("type")
    if isinstance(kind, str) and kind not in _TYPES:
        yield "warn", f"type {kind!r} is not one that Crush knows"
    yield from _header_problems(provider.get("default_headers"))


def _header_problems(headers: Json) -> Iterator[Problem]:
    if headers is None:
        return
    if not isinstance(headers, dict):
        yield "stop", f"default_headers must be an object: {REFUSED}"
        return
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield "stop", f"default_headers: {name[:80]!r} is not the name of a header"
        if not isinstance(value, str):
            yield "stop", f"default_headers.{name[:80]} must be text: {REFUSED}"
        elif _EXPANDED.search(value):
            yield (
                "stop",
                f"default_headers.{name[:80]} must be free of $, ` and line breaks: Crush expands them",
            )


def model_problems(model: Json) -> Iterator[Problem]:
    if not isinstance(model, dict):
        yield "stop", f"is not an object: {REFUSED}"
        return
    for field in ("id", "name"):
        if not isinstance(model.get(field), str) or not model[field]:
            yield "stop", f"{field} is missing"
    for field in _NEEDED:
        if model.get(field) is None:
            yield "stop", f"{field} is missing: Crush would count it as 0"
    for field in COSTS:
        if model.get(field) is not None and not isinstance(model[field], Number):
            yield "stop", f"{field} must be a number without quotes: {REFUSED}"
    for field in _WHOLE:
        if model.get(field) is not None and not _is_whole(model[field]):
            yield "stop", f"{field} must be a whole number without point and exponent: {REFUSED}"
    for field in _FLAGS:
        if model.get(field) is not None and not isinstance(model[field], bool):
            yield "stop", f"{field}: write true or false, else {REFUSED}"
    levels = model.get("reasoning_levels")
    if levels is not None and not (
        isinstance(levels, list) and all(isinstance(each, str) for each in levels)
    ):
        yield "stop", f"reasoning_levels must list texts: {REFUSED}"
    if not isinstance(model.get("default_reasoning_effort", ""), str):
        yield "stop", f"default_reasoning_effort must be text: {REFUSED}"
    yield from _option_problems(model.get("options"))


def _option_problems(options: Json) -> Iterator[Problem]:
    if options is None:
        return
    if not isinstance(options, dict):
        yield "stop", f"options must be an object: {REFUSED}"
        return
    for field in _OPTIONS:
        if options.get(field) is not None and not isinstance(options[field], Number):
            yield "stop", f"options.{field} must be a number: {REFUSED}"
    if options.get("top_k") is not None and not _is_whole(options["top_k"]):
        yield "stop", f"options.top_k must be a whole number: {REFUSED}"
    if not isinstance(options.get("provider_options", {}), dict):
        yield "stop", f"options.provider_options must be an object: {REFUSED}"


def document_problems(document: Json) -> Iterator[tuple[str, Problem]]:
    """The whole document, as (where, problem)."""
    if not isinstance(document, list):
        yield "document", ("stop", "a list of providers is expected")
        return
    if not document:
        yield "document", ("stop", "the list is empty: Crush takes that for an error")
    for number, provider in enumerate(document, 1):
        if not isinstance(provider, dict):
            yield f"provider {number}", ("stop", f"is not an object: {REFUSED}")
            continue
        where = str(provider.get("id"))
        for problem in provider_problems(provider):
            yield where, problem
        models = provider.get("models")
        if models is not None and not isinstance(models, list):
            yield where, ("stop", f"models must be a list: {REFUSED}")
            continue
        for model in models or ():
            name = model.get("id") if isinstance(model, dict) else None
            for problem in model_problems(model):
                yield f"{where}/{name}", problem
        ids = {model.get("id") for model in models or () if isinstance(model, dict)}
        for problem in default_problems(provider, ids):
            yield where, problem


def default_problems(provider: Mapping[str, Json], ids: set[Json]) -> Iterator[Problem]:
    """Whether the models that a provider prefers are among its own."""
    for field in ("default_large_model_id", "default_small_model_id"):
        name = provider.get(field)
        if isinstance(name, str) and name and name not in ids:
            yield "stop", f"{field} names {name[:80]!r}, which is not listed"


def as_crush_writes(document: Json) -> bytes:
    """What Crush keeps of a document that it has read: only what it knows, in the order of its own structures."""
    return go_json([_provider(each) for each in document] if isinstance(document, list) else []).encode()


def _provider(provider: Json) -> Json:
    stated = provider if isinstance(provider, dict) else {}
    kept: dict[str, Json] = {"name": "", "id": ""}
    for field in PROVIDER_FIELDS:
        value = stated.get(field)
        if field in ("name", "id") or value not in (None, "", [], {}):
            kept[field] = [_model(each) for each in value] if isinstance(value, list) else value
    headers = kept.get("default_headers")
    if isinstance(headers, dict):
        kept["default_headers"] = {name: headers[name] for name in sorted(headers)}
    return kept


def _model(model: Json) -> Json:
    stated = model if isinstance(model, dict) else {}
    kept: dict[str, Json] = {}
    for field in MODEL_FIELDS:
        value = stated.get(field)
        if field in ("id", "name"):
            kept[field] = value or ""
        elif field in (*COSTS, *_WHOLE):
            kept[field] = Number("0") if value is None else spelled(value, field)
        elif field in _FLAGS:
            kept[field] = bool(value)
        elif field == "options" and isinstance(value, dict):
            known = {
                name: spelled(value[name], name)
                for name in _OPTION_FIELDS
                if value.get(name) not in (None, {})
            }
            kept.update({"options": known} if known else {})
        elif value not in (None, "", []):
            kept[field] = value
    return kept


def _is_whole(value: Json) -> bool:
    return isinstance(value, Number) and value.is_integer and abs(int(value.text)) <= _MOST
