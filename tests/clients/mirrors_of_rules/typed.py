"""A table of fields with their types, for two clients that take a list of objects as it is and then use its fields."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.clients.mirrors_of_rules.reading import Known, RefusedError

Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def filled(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def matching(pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def objects(fields: dict[str, Check], optional: tuple[str, ...] = (), *, least: int = 0) -> Check:
    def check(value: Any) -> bool:
        listed = isinstance(value, list) and len(value) >= least
        return listed and all(isinstance(each, dict) and not lacks(each, fields, optional) for each in value)

    return check


def one(fields: dict[str, Check], optional: tuple[str, ...] = ()) -> Check:
    return lambda value: isinstance(value, dict) and not lacks(value, fields, optional)


def lacks(item: dict[str, Any], fields: dict[str, Check], optional: tuple[str, ...] = ()) -> list[str]:
    """The fields that are missing though they are needed, or are of another type."""
    return [
        name
        for name, check in fields.items()
        if (name not in item and name not in optional) or (name in item and not check(item[name]))
    ]


def read(
    data: bytes, fields: dict[str, Check], optional: tuple[str, ...], maker: Callable[[Any], str]
) -> Known:
    try:
        root = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RefusedError(str(error)) from error
    if not isinstance(root, list):
        raise RefusedError("the root is no list")
    known = Known()
    for item in root:
        if not isinstance(item, dict):
            raise RefusedError("an entry is no object")
        wrong = lacks(item, fields, optional)
        known.harms += [f"{name} is missing or of another type" for name in wrong]
        if not wrong:
            known.models.append((maker(item), item))
    if not root:
        known.harms.append("every model disappears")
    return known
