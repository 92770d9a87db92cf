"""OpenAI Codex's ``{"models": […]}``: one bad object, and Codex shows no model at all.

Codex sends what it lists to one provider by the Responses API. Of the known providers that is ``openai``, so automatic
membership lists its models for chat that call tools; the list of another provider is imported, or made by hand.

Half of what Codex demands is about Codex and not about a model. Such fields have the format's neutral value
(``NEUTRAL``): no prompt of our own, no reasoning levels, the client's own shell, output cut where Codex's own list
cuts it. Two fields steer the model: ``base_instructions`` and ``model_messages`` may be published when empty, or when the
SHA-256 of the text is listed in ``REVIEWED``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from almanac.lifecycle import version_of
from catalog.schemas.base import Finding, Line, ParsedMember, Subject
from catalog.schemas.facts import Lens, Lenses, facts_of, from_count, nothing, to_count, to_flag, to_text
from catalog.schemas.json_list import Frame, JsonList
from catalog.schemas.json_rules import (
    Problem,
    Rule,
    filled,
    flag,
    list_of,
    not_empty,
    object_with,
    one_of,
    or_null,
    small_whole,
    text,
    whole,
)
from catalog.schemas.openai import not_of
from catalog.schemas.reading.json_reader import parse_value
from catalog.schemas.reading.values import Json, Number, to_json
from catalog.schemas.wording import from_name

_PROVIDER: Final = "openai"
_MODES: Final = ("chat", "responses")
_TAKEN: Final = ("text", "image")
MOST_BYTES: Final = 1 << 20
"""Of the whole document."""

REVIEWED: Final[frozenset[str]] = frozenset()
"""SHA-256 of the texts that may steer a model, each put here by a second person who has read it."""
_MINIMUM: Final = "minimal_client_version"
_STEERING: Final = ("base_instructions", "model_messages")

NEUTRAL: Final[Mapping[str, Json]] = {
    "supported_reasoning_levels": [],
    "shell_type": "default",
    "visibility": "list",
    "supported_in_api": True,
    "priority": Number("1"),
    "base_instructions": "",
    "supports_reasoning_summaries": False,
    "support_verbosity": False,
    "truncation_policy": {"mode": "bytes", "limit": Number("10000")},
    "supports_parallel_tool_calls": False,
    "experimental_supported_tools": [],
}
"""What Codex demands and no catalog of models knows."""

_LENSES: Final = Lenses(
    (
        Lens("display_name", ("name",), to_text, from_name),
        Lens("supports_parallel_tool_calls", ("capabilities.parallel_tools",), to_flag, nothing),
        Lens("context_window", ("limits.context_tokens", "limits.max_input_tokens"), to_count, from_count),
        Lens("max_context_window", ("limits.context_tokens", "limits.max_input_tokens"), to_count, nothing),
    )
)
_OWNS: Final = {lens.field: lens.paths for lens in _LENSES.table} | {"input_modalities": ("modalities",)}


_OPTIONAL: Final = (
    Rule("additional_speed_tiers", list_of(text), "must be a list of texts", needed=False),
    Rule(
        "availability_nux",
        or_null(object_with(Rule("message", text, ""))),
        "must be null, or an object with a message",
        needed=False,
    ),
    Rule("auto_compact_token_limit", or_null(whole), "must be a whole number or null", needed=False),
    Rule("effective_context_window_percent", whole, "must be a whole number", needed=False),
    Rule("comp_hash", or_null(text), "must be text or null", needed=False),
    Rule("supports_image_detail_original", flag, "must be true or false", needed=False),
    Rule(
        "web_search_tool_type",
        one_of("text", "text_and_image"),
        "must be text or text_and_image",
        needed=False,
    ),
    Rule(
        "default_reasoning_summary",
        one_of("auto", "concise", "detailed", "none"),
        "must be auto, concise, detailed or none",
        needed=False,
    ),
)
"""What Codex reads if it is there, and no other field depends on. A field with a default of its own takes no null."""


class Codex(JsonList):
    name: str = "codex"
    file: str = "codex/models.json"
    client: str = "Codex 0.169"
    frame: Frame = (("models", None),)
    id_field: str = "slug"
    fields: tuple[str, ...] = (
        "slug", "display_name", "description", "default_reasoning_level", "supported_reasoning_levels", "shell_type",
        "visibility", "supported_in_api", "priority", "upgrade", "base_instructions", "model_messages",
        "supports_reasoning_summaries", "support_verbosity", "default_verbosity", "apply_patch_tool_type",
        "truncation_policy", "supports_parallel_tool_calls", "context_window", "max_context_window",
        "input_modalities", "experimental_supported_tools", "service_tiers",
    )  # fmt: skip
    rules: tuple[Rule, ...] = (
        Rule("slug", filled, "must be text, and not empty"),
        Rule("display_name", text, "must be text"),
        Rule("description", or_null(text), "must be text or null", needed=False),
        Rule(
            "default_reasoning_level",
            or_null(not_empty),
            "must be null, or text that is not empty",
            needed=False,
        ),
        Rule(
            "supported_reasoning_levels",
            list_of(object_with(Rule("effort", not_empty, ""), Rule("description", text, ""))),
            "must be a list of objects with effort (not empty) and description",
        ),
        Rule(
            "shell_type",
            one_of("default", "local", "unified_exec", "disabled", "shell_command"),
            "must be default, local, unified_exec, disabled or shell_command",
        ),
        Rule("visibility", one_of("list", "hide", "none"), "must be list, hide or none"),
        Rule("supported_in_api", flag, "must be true or false"),
        Rule("priority", small_whole, "must be a whole number within 32 bits"),
        *_OPTIONAL,
        Rule(
            "upgrade",
            or_null(object_with(Rule("model", text, ""), Rule("migration_markdown", text, ""))),
            "must be null or left out, or hold model and migration_markdown",
            needed=False,
        ),
        Rule("base_instructions", text, "must be text"),
        Rule("supports_reasoning_summaries", flag, "must be true or false: older versions need it"),
        Rule("support_verbosity", flag, "must be true or false"),
        Rule(
            "default_verbosity",
            or_null(one_of("low", "medium", "high")),
            "must be low, medium or high",
            needed=False,
        ),
        Rule(
            "apply_patch_tool_type",
            or_null(one_of("freeform")),
            "is unknown to Codex",
            needed=False,
        ),
        Rule(
            "truncation_policy",
            object_with(Rule("mode", one_of("bytes", "tokens"), ""), Rule("limit", whole, "")),
            "must hold mode (bytes or tokens) and limit (a whole number)",
        ),
        Rule("supports_parallel_tool_calls", flag, "must be true or false: older versions need it"),
        Rule("context_window", or_null(whole), "must be a whole number or null", needed=False),
        Rule("max_context_window", or_null(whole), "must be a whole number or null", needed=False),
        Rule("input_modalities", list_of(one_of(*_TAKEN)), "may list text and image alone", needed=False),
        Rule("experimental_supported_tools", list_of(text), "must be a list of texts"),
        Rule(
            "service_tiers",
            list_of(object_with(Rule("id", text, ""), Rule("name", text, ""), Rule("description", text, ""))),
            "must be a list of objects with id, name and description",
            needed=False,
        ),
    )
    repeats_say: str = "Codex would show no model at all"

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        return ParsedMember("offering", _PROVIDER, self.native_id(item, line), self.flat(item), line)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        return _LENSES.read(member.native)

    def derive(self, subject: Subject) -> dict[str, Json]:
        facts = facts_of(subject.entry, subject.offering)
        native: dict[str, Json] = {"slug": (subject.offering or {}).get("native_id", ""), **NEUTRAL}
        native.update(_LENSES.write(facts))
        if description := (subject.entry or {}).get("description"):
            native["description"] = description
        if taken := [item for item in facts.get("modalities", {}).get("input", ()) if item in _TAKEN]:
            native["input_modalities"] = taken
        return native

    def unfit(self, subject: Subject) -> str:
        if reason := not_of(_PROVIDER, subject):
            return reason
        if subject.entry and subject.entry["mode"] not in _MODES:
            return f"Codex cannot use a model for {subject.entry['mode']}"
        if facts_of(subject.entry, subject.offering).get("capabilities.tools") is not True:
            return "it is not known to call tools, which Codex needs"
        return ""

    def item_problems(self, item: Mapping[str, Json]) -> Iterator[Problem]:
        yield from super().item_problems(item)
        for field in _STEERING:
            said = item.get(field)
            if said not in (None, "") and _digest(said) not in REVIEWED:
                yield (
                    "stop",
                    (
                        f"{field} steers the model, and nobody has reviewed this text (SHA-256 {_digest(said)}): "
                        "a second person reads it and lists its SHA-256"
                    ),
                )

    def minimum_client(self, line: Line) -> str:
        if f'"{_MINIMUM}"' not in line.text:
            return ""
        item = parse_value(line.text)
        return _version(item.get(_MINIMUM)) if isinstance(item, dict) else ""

    def gate(self, data: bytes) -> list[Finding]:
        return [*super().gate(data), *self._size_findings(len(data))]

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        return [
            *super().gate_lines(lines),
            *self._size_findings(sum(len(line.text.encode()) for line in lines)),
        ]

    def _size_findings(self, size: int) -> list[Finding]:
        if size <= MOST_BYTES:
            return []
        return [
            Finding(
                "stop", "document", f"{size:,} bytes are more than the 1 MiB that Codex reads", self.client
            )
        ]


def _version(value: Json) -> str:
    """``"0.98.0"`` or ``[0, 98, 0]``, as Codex's own list has written it at different times."""
    parts = (
        [part.text if isinstance(part, Number) else "" for part in value] if isinstance(value, list) else []
    )
    found = version_of(value if isinstance(value, str) else ".".join(parts))
    return ".".join(map(str, found)) if found else ""


def _digest(said: Json) -> str:
    return hashlib.sha256((said if isinstance(said, str) else to_json(said)).encode()).hexdigest()


CODEX: Final = Codex()
