"""Jan's Hub: a plain ``fetch`` without any check, whose pages then read ``quants.length`` and sort by ``created_at``."""

from __future__ import annotations

from tests.clients.mirrors_of_rules import typed
from tests.clients.mirrors_of_rules.reading import Known
from tests.clients.mirrors_of_rules.typed import filled, flag, matching, objects, text, whole

_WEB = matching(r"https://[^\s@]+")
_FILES = objects({"model_id": filled, "path": _WEB, "file_size": text})
_TIME = matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z")
_FIELDS = {
    "model_name": filled, "developer": text, "description": text, "downloads": whole, "tools": flag, "createdAt": _TIME,
    "created_at": _TIME, "quants": _FILES, "num_quants": whole, "mmproj_models": _FILES, "num_mmproj": whole,
    "safetensors_files": _FILES, "num_safetensors": whole, "library_name": text,
    "readme": lambda value: value is None or isinstance(value, str),
}  # fmt: skip
_OPTIONAL = (
    "tools", "num_quants", "mmproj_models", "num_mmproj", "safetensors_files", "num_safetensors", "library_name", "readme",
)  # fmt: skip


def read(data: bytes) -> Known:
    return typed.read(data, _FIELDS, _OPTIONAL, lambda item: str(item["developer"]))
