"""What the mirrors have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class RefusedError(Exception):
    """The client would refuse the whole document."""


@dataclass
class Known:
    """What a client knows after reading."""

    models: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(its provider or maker, what is said of it), in the client's order."""
    harms: list[str] = field(default_factory=list)

    def named(self, name: str, key: str) -> dict[str, Any]:
        """The first of that name, as the client would take it."""
        return next(model for _, model in self.models if model.get(key) == name)
