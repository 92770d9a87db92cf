"""The clients that are known by a mirror of their rules: which documents they read, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.clients.mirrors_of_rules import aichat, crush, gpt4all, jan, lmstudio
from tests.clients.mirrors_of_rules.reading import Known


@dataclass(frozen=True)
class Mirror:
    key: str
    """Of the client in the table."""
    schema: str
    read: Callable[[bytes], Known]
    name: str
    """The field that a model is known by."""
    marker: str
    """What the marker is called there."""


MIRRORS: Final = {
    mirror.schema: mirror
    for mirror in (
        Mirror("aichat", "v2", aichat.read, "name", "zeta-9000"),
        Mirror("aichat", "v1", lambda data: aichat.read(data, key="platform"), "name", "zeta-9000"),
        Mirror("crush", "catwalk", crush.read, "id", "zeta-9000"),
        Mirror("gpt4all", "gpt4all", gpt4all.read, "name", "Zeta 9000"),
        Mirror("lmstudio", "lmstudio", lmstudio.read, "name", "Zeta 9000"),
        Mirror("jan", "jan", jan.read, "model_name", "acme/zeta-9000-GGUF"),
        Mirror("jan", "jan-v1", jan.read, "model_name", "acme/zeta-9000-GGUF"),
    )
}
