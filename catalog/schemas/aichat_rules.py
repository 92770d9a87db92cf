"""What aichat makes of a document: its parser's rules, ported from the behaviour of serde_yaml with its own struct.

Each function looks at one value and gives the problems as (severity, reason). ``stop`` is what makes the client refuse
the whole file, or accept it to the user's harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from catalog.schemas.reading.values import Json, Number

Problem = tuple[Literal["stop", "warn"], str]

_UNSIGNED: Final = ("max_input_tokens", "max_tokens_per_chunk", "default_chunk_size", "max_batch_size")
_PRICES: Final = ("input_price", "output_price")
_FLAGS: Final = (
    "require_max_tokens",
    "supports_vision",
    "supports_function_calling",
    "no_stream",
    "no_system_message",
)
_TEXTS: Final = ("real_name", "system_prompt_prefix")
_MOST: Final = 2**64 - 1


def model_problems(model: Mapping[str, Json], *, version: str) -> Iterator[Problem]:
    """One entry of ``models``."""
    yield from _name_problems(model)
    for field in _UNSIGNED:
        if model.get(field) is not None and not _is_integer(model[field], unsigned=True):
            yield "stop", f"{field} must be a whole number without quotes, point, exponent or sign"
    if model.get("max_output_tokens") is not None and not _is_integer(
        model["max_output_tokens"], unsigned=False
    ):
        yield "stop", "max_output_tokens must be a whole number without quotes, point or exponent"
    for field in _PRICES:
        if model.get(field) is not None and not isinstance(model[field], Number):
            yield "stop", f"{field} must be a number without quotes"
    for field in _FLAGS:
        if field in model and not isinstance(model[field], bool):
            yield "stop", f"{field}: write true or false"
    if "type" in model and not isinstance(model["type"], str):
        yield "stop", "type must be text"
    for field in _TEXTS:
        if model.get(field) is not None and not isinstance(model[field], str | Number | bool):
            yield "stop", f"{field} must be text"
    yield from _patch_problems(model.get("patch"))
    if version == "v1":
        yield from (
            (
                "stop",
                f"{field} is unknown to schema v1, so requests would go out for an id that does not exist",
            )
            for field in ("real_name", "patch")
            if field in model
        )


def _name_problems(model: Mapping[str, Json]) -> Iterator[Problem]:
    if "name" not in model:
        yield "stop", "name is missing"
    elif model["name"] is None or model["name"] == "":
        yield "stop", "name is empty: it would be read as a model of that name"
    elif isinstance(model["name"], list | dict):
        yield "stop", "name must be text"


def _patch_problems(patch: Json) -> Iterator[Problem]:
    if patch is None:
        return
    if not isinstance(patch, dict):
        yield "stop", "patch must be a mapping"
        return
    for field in patch:
        if field != "body":
            yield "stop", f"patch.{field} may not be published: it decides where requests and keys go"


def _is_integer(value: Json, *, unsigned: bool) -> bool:
    if not isinstance(value, Number) or not value.is_integer:
        return False
    if value.text.startswith("-"):
        return not unsigned and value.text != "-0" and abs(int(value.text)) <= _MOST // 2 + 1
    return int(value.text) <= (_MOST if unsigned else _MOST // 2)


def document_problems(blocks: Json, *, key: str) -> Iterator[tuple[str, Problem]]:
    """The document's shape and its blocks, as (where, problem); entries are ``model_problems``'s."""
    if not isinstance(blocks, list):
        yield (
            "document",
            ("stop", "a list of blocks is expected at the top: the client refuses the whole file"),
        )
        return
    if not blocks:
        yield "document", ("stop", "the list is empty: every model would disappear")
    names: set[str] = set()
    for number, block in enumerate(blocks, 1):
        where = f"block {number}"
        if not isinstance(block, dict):
            yield where, ("stop", "a block must be a mapping")
            continue
        name = block.get(key)
        if name is None or isinstance(name, list | dict):
            yield where, ("stop", f"{key} is missing: the client refuses the whole file")
        elif (spelled := str(name)) in names:
            yield where, ("stop", f"a second block for {spelled}: the client reads only the first")
        else:
            names.add(spelled)
        models = block.get("models")
        if not isinstance(models, list):
            yield where, ("stop", "models must be a list")
        elif not models:
            yield where, ("stop", "models is empty: the provider would have none")
