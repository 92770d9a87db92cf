"""Crush's reading of catwalk's second format: Go's ``encoding/json`` into its structs, and what it writes and hashes again."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

from tests.clients.mirrors_of_rules.reading import Known, RefusedError

_INT64 = range(-(2**63), 2**63)
_SHELL = re.compile(r"\$\(|`|\$\{|\$[A-Za-z_]")
_ONE_VARIABLE = re.compile(r"\$[A-Z][A-Z0-9_]*", re.ASCII)
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}

PROVIDER = {
    "name": "text", "id": "text", "api_key": "text?", "api_endpoint": "text?", "type": "text?",
    "default_large_model_id": "text?", "default_small_model_id": "text?", "models": "models?", "default_headers": "texts?",
}  # fmt: skip
MODEL = {
    "id": "text", "name": "text", "cost_per_1m_in": "float", "cost_per_1m_out": "float", "cost_per_1m_in_cached": "float",
    "cost_per_1m_out_cached": "float", "context_window": "int64", "default_max_tokens": "int64", "can_reason": "flag",
    "reasoning_levels": "list?", "default_reasoning_effort": "text?", "supports_attachments": "flag", "options": "options?",
}  # fmt: skip
OPTIONS = {
    "temperature": "float?", "top_p": "float?", "top_k": "int64?", "frequency_penalty": "float?",
    "presence_penalty": "float?", "provider_options": "any?",
}  # fmt: skip
_ZERO = {"text": "", "float": 0.0, "int64": 0, "flag": False}


def read(data: bytes) -> Known:
    try:
        root = json.loads(
            data.decode("utf-8", "replace"), parse_float=Literal, parse_int=Literal, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as error:
        raise RefusedError(str(error)) from error
    if not isinstance(root, list):
        raise RefusedError("the root is no list")
    if not root:
        raise RefusedError("an empty list is an error")
    known = Known()
    for item in root:
        provider = struct(item, PROVIDER)
        known.harms += list(_harms(item, provider))
        known.models += [(provider["id"], model) for model in provider.get("models", ())]
    return known


class Literal(str):
    """A number as it is written: Go decides by its spelling which type can take it."""

    __slots__ = ()


def _refuse(name: str) -> Any:
    raise RefusedError(f"{name} is no JSON")


def struct(item: Any, table: dict[str, str]) -> dict[str, Any]:
    """Known fields by their type; null leaves the zero value, as a missing field does. The rest is ignored."""
    if item is None:
        item = {}
    if not isinstance(item, dict):
        raise RefusedError("no object")
    found: dict[str, Any] = {}
    for name, kind in table.items():
        value = item.get(name)
        if value is not None:
            found[name] = _value(value, kind.removesuffix("?"))
        elif not kind.endswith("?"):
            found[name] = _ZERO[kind]
    return found


def _value(value: Any, kind: str) -> Any:
    match kind:
        case "text" if isinstance(value, str) and not isinstance(value, Literal):
            return value
        case "flag" if isinstance(value, bool):
            return value
        case "float" if isinstance(value, Literal) and abs(float(value)) != float("inf"):
            return float(value)
        case "int64" if (
            isinstance(value, Literal) and re.fullmatch("-?[0-9]+", value) and int(value) in _INT64
        ):
            return int(value)
        case "list" if isinstance(value, list):
            return ["" if each is None else _value(each, "text") for each in value]
        case "texts" if isinstance(value, dict):
            return {name: "" if each is None else _value(each, "text") for name, each in value.items()}
        case "models" if isinstance(value, list):
            return [struct(each, MODEL) for each in value]
        case "options":
            return struct(value, OPTIONS)
        case "any" if isinstance(value, dict):
            return value
    raise RefusedError(f"{value!r} is no {kind}")


def _harms(item: Any, provider: dict[str, Any]) -> Any:
    ids = {model["id"] for model in provider.get("models", ())}
    if not provider["id"] or not provider["name"] or not all(ids):
        yield "something has no name"
    key, endpoint = provider.get("api_key", ""), provider.get("api_endpoint", "")
    if key and not _ONE_VARIABLE.fullmatch(key):
        yield "api_key is run by a shell, or is a secret"
    if _SHELL.search(endpoint) and not _ONE_VARIABLE.fullmatch(endpoint):
        yield "api_endpoint is run by a shell"
    if endpoint and not endpoint.startswith(("https://", "http://127.", "http://localhost", "$")):
        yield "keys travel in the open"
    if "@" in endpoint or any(ord(character) < 32 for character in endpoint + key):
        yield "api_endpoint leads elsewhere"
    for name, value in provider.get("default_headers", {}).items():
        if (
            _SHELL.search(value)
            or any(ord(character) < 32 for character in value)
            or re.search(r"[^A-Za-z0-9-]", name)
        ):
            yield f"the header {name} is run by a shell, or breaks the request"
    for field in ("default_large_model_id", "default_small_model_id"):
        if provider.get(field) and provider[field] not in ids:
            yield f"{field} names no model of it"
    stated = item.get("models") if isinstance(item, dict) else None
    for model in stated if isinstance(stated, list) else ():
        for field in ("cost_per_1m_in", "cost_per_1m_out", "context_window", "default_max_tokens"):
            if isinstance(model, dict) and model.get(field) is None:
                yield f"{field} counts as 0"
        if isinstance(model, dict) and not model.get("name"):
            yield "a model has no name"


# What it writes again, and by which it asks whether there is anything new


def written_again(data: bytes) -> bytes:
    """``json.Marshal`` of what it has read: its own copy on disk."""
    root = json.loads(data, parse_float=Literal, parse_int=Literal)
    return ("[" + ",".join(_marshal(struct(item, PROVIDER), PROVIDER) for item in root) + "]").encode()


def etag(data: bytes) -> str:
    """Sixteen bytes of the SHA-256 of its own copy."""
    return f'"{hashlib.sha256(written_again(data)).digest()[:16].hex()}"'


def _marshal(value: dict[str, Any], table: dict[str, str]) -> str:
    """Fields in the order of the struct; optional ones only where they are not empty."""
    parts = []
    for name, kind in table.items():
        if kind.endswith("?") and value.get(name) in (None, "", [], {}):
            continue
        if kind == "models?":
            text = "[" + ",".join(_marshal(model, MODEL) for model in value[name]) + "]"
        elif kind == "options?":
            text = _marshal(value[name], OPTIONS)
            if text == "{}":
                continue
        else:
            text = _go(value[name])
        parts.append(f"{_go(name)}:{text}")
    return "{" + ",".join(parts) + "}"


def _go(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Literal | int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_go(name)}:{_go(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_go(each) for each in value) + "]"
    if value is None:
        return "null"
    text = json.dumps(value, ensure_ascii=False)
    return "".join(_ESCAPED.get(character, character) for character in text)


def _float(value: float) -> str:
    """Go's shortest form: with an exponent below 1e-6 and from 1e21 on."""
    exact = Decimal(repr(value))
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        digits = f"{exact.normalize():e}"
        mantissa, _, exponent = digits.partition("e")
        sign, size = exponent[0], exponent[1:].lstrip("0")
        return f"{mantissa}e{sign}{size.zfill(2) if sign == '+' else size}"
    return f"{exact.normalize():f}"
