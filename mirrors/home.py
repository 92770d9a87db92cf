"""What the front page says, from the published index alone: no database, no key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CLIENTS: Mapping[str, tuple[str, str]] = {
    "almanac/v1": ("The almanac client and library", "almanac sync"),
    "v2": ("aichat 0.27 and newer", "AICHAT_SYNC_MODELS_URL={url} aichat --sync-models"),
    "v1": ("Programs that read aichat's older list", "curl -O {url}"),
    "litellm": ("LiteLLM", "LITELLM_MODEL_COST_MAP_URL={url} python your_program.py"),
    "models.dev": ("opencode", "OPENCODE_MODELS_URL={folder} opencode models --refresh"),
    "codex": ("OpenAI Codex CLI", 'model_catalog_url = "{url}"   # of a provider in config.toml'),
    "genai-prices": ("genai-prices", 'UpdatePrices(url="{url}").start()'),
    "catwalk": ("Crush", "CATWALK_URL={above} crush update-providers"),
    "hermes": ("Hermes Agent", "model_catalog: {{url: {url}}}   # in config.yaml"),
    "openrouter": ("Readers of OpenRouter's list", "curl -O {url}"),
    "openai": ("Readers of OpenAI's list of ids", "curl -O {url}"),
    "gpt4all": ("GPT4All, which reads a file put in its place", "curl -O {url}"),
    "lmstudio": ("LM Studio's catalog of files", "curl -O {url}"),
    "jan": ("Jan, built with this address", "MODEL_CATALOG_URL={url}"),
}
"""Schema → who reads it, and the line that points them here."""


@dataclass(frozen=True, slots=True)
class Row:
    schema: str
    reader: str
    address: str
    line: str
    size: str
    sha256: str
    status: str
    note: str = ""
    """How long it lives, where that is not for ever."""
    successor: str = ""
    """The address to use instead."""


@dataclass(frozen=True, slots=True)
class Published:
    release: int
    at: str
    age: str
    rows: tuple[Row, ...]
    regions: tuple[str, ...]
    fingerprint: str
    minisign_key: str


def read_published(index: bytes, *, base_url: str, now: datetime) -> Published | None:
    """The page's facts, or ``None`` when the index is not one: then nothing has been published here yet."""
    try:
        found = json.loads(index)
        at = datetime.fromisoformat(found["published"])
        return Published(
            release=int(found["release"]),
            at=found["published"],
            age=age_in_words((now - at).total_seconds()),
            rows=tuple(_row(schema, base_url) for schema in found["schemas"]),
            regions=tuple(
                region if isinstance(region, str) else region["code"] for region in found["regions"]
            ),
            fingerprint=str(found["root_fingerprint"]),
            minisign_key=str(found["minisign_key"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _row(schema: Mapping[str, Any], base_url: str) -> Row:
    name, path = schema["name"], schema["path"].lstrip("/")
    reader, line = CLIENTS.get(name, (name, "curl -O {url}"))
    address = f"{base_url}/{path}"
    return Row(
        schema=name,
        reader=reader,
        address=address,
        line=line.format(url=address, folder=parent(address), above=parent(parent(address))),
        size=size_in_words(schema["bytes"]) if schema["bytes"] is not None else "",
        sha256=schema["sha256"] or "",
        status=schema["status"],
        note=life_in_words(schema),
        successor=f"{base_url}/{successor}" if (successor := schema.get("successor")) else "",
    )


def life_in_words(schema: Mapping[str, Any]) -> str:
    """``Deprecated since 2026-11-20; published until 2027-06-30.``"""
    if schema["status"] == "retired":
        return "Retired: it is no longer published."
    since, until = schema.get("deprecated"), schema.get("sunset")
    parts = [f"deprecated since {since}" if since else "", f"published until {until}" if until else ""]
    said = "; ".join(part for part in parts if part) if schema["status"] == "deprecated" else ""
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def parent(address: str) -> str:
    return address.rpartition("/")[0]


def size_in_words(size: int) -> str:
    """Bytes as people read them, in units of 1,000."""
    value = float(size)
    for unit in ("bytes", "KB", "MB"):
        if value < 1000 or unit == "MB":
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def age_in_words(seconds: float) -> str:
    """``just now``, ``5 minutes ago``, ``3 hours ago``, ``2 days ago``."""
    if seconds < 60:
        return "just now"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    raise AssertionError
