"""aichat's parser: serde_yaml 0.9.34 with the structs of 0.26 (v1) and 0.30 (v2), from the table of what it takes.

YAML's own grammar is libyaml's, on both sides; what a scalar then is, and what a struct makes of it, is written here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from tests.clients.mirrors_of_rules.reading import Known, RefusedError

DEEPEST = 128
_DECIMAL = re.compile(r"\+?(?:0|[1-9][0-9]*)", re.ASCII)
_NEGATIVE = re.compile(r"-[1-9][0-9]*", re.ASCII)
_OTHER_BASES = re.compile(r"\+?0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)
_INFINITE = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"}
_NOT_A_NUMBER = {".nan", ".NaN", ".NAN"}
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}

Reader = Callable[[yaml.Node], Any]


def read(data: bytes, *, key: str = "provider") -> Known:
    """``key`` is ``platform`` for the older schema."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise RefusedError("a byte order mark")
    try:
        documents = list(yaml.compose_all(data.decode("utf-8", "replace"), Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise RefusedError(str(error)) from error
    if len(documents) > 1:
        raise RefusedError("two documents")
    known = Known()
    if not documents:
        known.harms.append("every model disappears")
        return known
    root = documents[0]
    if _deeper_than(root, DEEPEST):
        raise RefusedError("nested too deep")
    if not isinstance(root, yaml.SequenceNode):
        raise RefusedError("the root is no list")
    _blocks(root, key, known)
    return known


def read_override(data: bytes, running: str) -> Known | None:
    """``models-override.yaml`` as this version reads it; ``None`` where it would silently use its own list."""
    try:
        root = yaml.compose(data.decode("utf-8", "replace"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    if not isinstance(root, yaml.MappingNode):
        return None
    fields = {_text(name): value for name, value in root.value}
    if "list" not in fields or _text(fields.get("version", root)) != running:
        return None
    known = Known()
    _blocks(fields["list"], "provider", known)
    return known


def _blocks(root: yaml.SequenceNode, key: str, known: Known) -> None:
    seen: set[str] = set()
    for block in root.value:
        fields = _struct(block, (key, "models"), known)
        name = _text(_needed(fields, key))
        models = _needed(fields, "models")
        if name in seen:
            known.harms.append(f"the second block of {name} is never seen")
        if _plain(models) == "":
            known.harms.append(f"{name} is emptied")
            continue
        if not isinstance(models, yaml.SequenceNode):
            raise RefusedError("models is no list")
        if not models.value:
            known.harms.append(f"{name} is emptied")
        read_models = [_model(model, key, known) for model in models.value]
        if name not in seen:
            known.models += [(name, model) for model in read_models]
        seen.add(name)
    if not root.value:
        known.harms.append("every model disappears")


def _model(node: yaml.Node, key: str, known: Known) -> dict[str, Any]:
    table = (
        _FIELDS if key == "provider" else {name: _FIELDS[name] for name in _FIELDS if name not in _ONLY_NEWER}
    )
    fields = _struct(node, tuple(table), known)
    model = {name: table[name](value) for name, value in fields.items()}
    name = _needed(fields, "name")
    if model["name"] == "" or (_plain(name) in _NULL):
        known.harms.append("a model is called by no name")
    for field in ("input_price", "output_price"):
        if model.get(field) is not None and not math.isfinite(model[field]):
            known.harms.append(f"{field} is no price")
    if key == "platform":
        # the older struct knows neither: requests go out for an id that does not exist, or as the API refuses them
        known.harms += [
            f"{field} is not understood" for field in _keys(node) if field in ("real_name", "patch")
        ]
    else:
        known.harms += _patch_harms(fields.get("patch"))
    return {name: value for name, value in model.items() if value is not None}


def _struct(node: yaml.Node, fields: tuple[str, ...], known: Known) -> dict[str, yaml.Node]:
    """A mapping's known fields. Unknown ones are ignored, a known one may stand once."""
    if not isinstance(node, yaml.MappingNode):
        raise RefusedError("no mapping")
    found: dict[str, yaml.Node] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode):
            raise RefusedError("a key is no text")
        if name.value == "<<":
            known.harms.append("a merge key is ignored, and what it would bring is lost")
        if name.value in fields:
            if name.value in found:
                raise RefusedError(f"{name.value} stands twice")
            found[name.value] = value
    return found


def _keys(node: yaml.Node) -> list[str]:
    return [name.value for name, _ in node.value]


def _needed(fields: dict[str, yaml.Node], name: str) -> yaml.Node:
    if name not in fields:
        raise RefusedError(f"{name} is missing")
    return fields[name]


def _plain(node: yaml.Node) -> str | None:
    """What stands there without quotes; ``None`` for quoted text and what is no scalar."""
    if isinstance(node, yaml.ScalarNode) and not node.style:
        return str(node.value)
    return None


def _text(node: yaml.Node) -> str:
    """Any scalar becomes text: a number, and ``null`` as well."""
    if not isinstance(node, yaml.ScalarNode):
        raise RefusedError("no text")
    return str(node.value)


def _number(text: str) -> int | float | None:
    if _OTHER_BASES.fullmatch(text):
        return int(text.lstrip("+"), 0)
    if _DECIMAL.fullmatch(text) or _NEGATIVE.fullmatch(text):
        return int(text)
    if text in _INFINITE:
        return -math.inf if text.startswith("-") else math.inf
    if text in _NOT_A_NUMBER:
        return math.nan
    if _FLOAT.fullmatch(text) and not _LEADING_ZERO.match(text):
        value = float(text)
        return value if math.isfinite(value) else None
    return None


def _whole(low: int, high: int) -> Reader:
    def read_whole(node: yaml.Node) -> int:
        text = _plain(node)
        value = _number(text) if text is not None else None
        if not isinstance(value, int) or not low <= value <= high:
            raise RefusedError("no whole number")
        return value

    return read_whole


def _price(node: yaml.Node) -> float:
    text = _plain(node)
    value = _number(text) if text is not None else None
    if value is None:
        raise RefusedError("no number")
    return float(value)


def _flag(node: yaml.Node) -> bool:
    text = _plain(node)
    if text not in _TRUE | _FALSE:
        raise RefusedError("neither true nor false")
    return text in _TRUE


def _or_nothing(reader: Reader) -> Reader:
    return lambda node: None if _plain(node) in _NULL else reader(node)


def _patch(node: yaml.Node) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise RefusedError("patch is no mapping")
    for name, value in node.value:
        if name.value == "headers" and not isinstance(value, yaml.MappingNode):
            raise RefusedError("headers is no mapping")
        if name.value == "url":
            _text(value)
    return {name.value: value for name, value in node.value}


def _patch_harms(node: yaml.Node | None) -> list[str]:
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = _keys(node)
    harms = [f"patch.{name} moves requests and keys elsewhere" for name in ("url", "headers") if name in keys]
    repeated = any(len(set(_keys(part))) != len(_keys(part)) for part in _mappings(node))
    return harms + (["of a key that stands twice in patch the last counts"] if repeated else [])


def _mappings(node: yaml.Node) -> list[yaml.MappingNode]:
    if isinstance(node, yaml.SequenceNode):
        return [found for item in node.value for found in _mappings(item)]
    if isinstance(node, yaml.MappingNode):
        return [node, *(found for _, item in node.value for found in _mappings(item))]
    return []


def _deeper_than(node: yaml.Node, most: int) -> bool:
    if most < 0:
        return True
    if isinstance(node, yaml.SequenceNode):
        return any(_deeper_than(item, most - 1) for item in node.value)
    if isinstance(node, yaml.MappingNode):
        return any(_deeper_than(item, most - 1) for pair in node.value for item in pair)
    return False


_UNSIGNED = _or_nothing(_whole(0, 2**64 - 1))
_FIELDS: dict[str, Reader] = {
    "name": _text,
    "type": _text,
    "real_name": _or_nothing(_text),
    "max_input_tokens": _UNSIGNED,
    "max_output_tokens": _or_nothing(_whole(-(2**63), 2**63 - 1)),
    "require_max_tokens": _flag,
    "input_price": _or_nothing(_price),
    "output_price": _or_nothing(_price),
    "supports_vision": _flag,
    "supports_function_calling": _flag,
    "no_stream": _flag,
    "no_system_message": _flag,
    "system_prompt_prefix": _or_nothing(_text),
    "patch": _or_nothing(_patch),
    "max_tokens_per_chunk": _UNSIGNED,
    "default_chunk_size": _UNSIGNED,
    "max_batch_size": _UNSIGNED,
}
_ONLY_NEWER = ("real_name", "system_prompt_prefix", "patch")
