"""The gate's bad documents, taken from the gate's own tests, so that a rule that is added there is tried here as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def cases_of(test: Callable[..., Any]) -> list[Any]:
    """What a parametrized test is given."""
    (mark,) = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    return list(mark.args[1])
