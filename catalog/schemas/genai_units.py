"""genai-prices' units: what each one counts, which others it needs beside it, and where the shared prices stand.

A unit has traits. One whose traits are fewer counts the same things less precisely: where a price is set for reading a
cache, one for input must be. Two that could count the same thing (audio, and what is read from a cache) need a price
for both together. The client raises an error for a price that lacks one of these, and only when it computes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from itertools import combinations
from typing import Final, NamedTuple

Traits = frozenset[tuple[str, str]]

_MODALITIES: Final = ("", "text", "audio", "image", "video")
_INPUT_KINDS: Final[dict[str, dict[str, str]]] = {
    "input{m}": {},
    "cache{m}_read": {"kind": "cache_read"},
    "cache{m}_write": {"kind": "cache_write"},
    "cache{m}_write_5m": {"kind": "cache_write", "ttl": "5m"},
    "cache{m}_write_1h": {"kind": "cache_write", "ttl": "1h"},
    "input{m}_tool": {"kind": "tool"},
}
_OUTPUT_KINDS: Final[dict[str, dict[str, str]]] = {
    "output{m}": {},
    "output{m}_reasoning": {"kind": "reasoning"},
    "output{m}_citation": {"kind": "citation"},
}


def _token_units() -> Iterator[tuple[str, Traits]]:
    for direction, kinds in (("input", _INPUT_KINDS), ("output", _OUTPUT_KINDS)):
        for name, more in kinds.items():
            for modality in _MODALITIES:
                traits = {"family": "tokens", "direction": direction, **more}
                if modality:
                    traits["modality"] = modality
                unit = name.format(m=f"_{modality}" if modality else "")
                yield f"{unit}_mtok", frozenset(traits.items())


UNITS: Final[dict[str, Traits]] = {
    **dict(_token_units()),
    "input_mchars": frozenset({("family", "characters"), ("direction", "input")}),
    "input_text_messages_kcount": frozenset(
        {("family", "messages"), ("direction", "input"), ("modality", "text")}
    ),
    "audio_hours": frozenset({("family", "durations"), ("modality", "audio")}),
    "input_audio_hours": frozenset({("family", "durations"), ("modality", "audio"), ("direction", "input")}),
    "output_audio_hours": frozenset(
        {("family", "durations"), ("modality", "audio"), ("direction", "output")}
    ),
    "input_gpixels": frozenset({("family", "pixels"), ("direction", "input")}),
    "input_document_kpages": frozenset({("family", "pages"), ("direction", "input")}),
    "input_annotated_document_kpages": frozenset(
        {("family", "pages"), ("direction", "input"), ("kind", "annotated")}
    ),
    "rerank_searches_kcount": frozenset({("family", "rerank")}),
    "web_searches_kcount": frozenset({("family", "tools"), ("kind", "web_search")}),
    "social_searches_kcount": frozenset({("family", "tools"), ("kind", "social_search")}),
    "storage_searches_kcount": frozenset({("family", "tools"), ("kind", "storage_search")}),
    "code_executions_kcount": frozenset({("family", "tools"), ("kind", "code_execution")}),
    "requests_kcount": frozenset({("family", "requests")}),
}
_BY_TRAITS: Final = {traits: name for name, traits in UNITS.items()}


def lacking(priced: Collection[str]) -> list[str]:
    """What a set of prices lacks, in words; empty where the client can compute with it."""
    known = [name for name in priced if name in UNITS]
    found = [f"{name} needs {other}" for name in known for other in _ancestors(name) if other not in priced]
    for one, other in combinations(sorted(known), 2):
        both = _join(one, other)
        if both is not None and both not in priced:
            found.append(f"{one} and {other} together need {both or 'a unit that does not exist'}")
    return found


@cache
def _ancestors(name: str) -> tuple[str, ...]:
    return tuple(other for other, traits in UNITS.items() if traits < UNITS[name])


@cache
def _join(one: str, other: str) -> str | None:
    """The unit for what both count; empty: there is none. ``None``: nothing is counted by both."""
    ours, theirs = dict(UNITS[one]), dict(UNITS[other])
    if any(theirs.get(trait, value) != value for trait, value in ours.items()):
        return None
    return _BY_TRAITS.get(frozenset({**ours, **theirs}.items()), "")


class Shared(NamedTuple):
    """A shared price: its parts, for how many of its unit the format states it, and how that is spelled."""

    meter: str
    modality: str
    unit: str
    ttl: str
    per: int
    spelled: str


_M: Final = 1_000_000
_K: Final = 1_000
SHARED: Final[dict[str, Shared]] = {
    "input_mtok": Shared("input", "text", "token", "", _M, "1M tokens"),
    "cache_write_mtok": Shared("cache_write", "text", "token", "", _M, "1M tokens"),
    "cache_write_5m_mtok": Shared("cache_write", "text", "token", "5m", _M, "1M tokens"),
    "cache_write_1h_mtok": Shared("cache_write", "text", "token", "1h", _M, "1M tokens"),
    "cache_read_mtok": Shared("cache_read", "text", "token", "", _M, "1M tokens"),
    "output_mtok": Shared("output", "text", "token", "", _M, "1M tokens"),
    "output_reasoning_mtok": Shared("reasoning", "text", "token", "", _M, "1M tokens"),
    **{
        f"{name}_mtok": Shared(meter, modality, "token", "", _M, "1M tokens")
        for modality in ("audio", "image", "video")
        for name, meter in (
            (f"input_{modality}", "input"),
            (f"cache_{modality}_read", "cache_read"),
            (f"cache_{modality}_write", "cache_write"),
            (f"output_{modality}", "output"),
        )
    },
    "input_mchars": Shared("input", "text", "character", "", _M, "1M characters"),
    "input_document_kpages": Shared("input", "pdf", "page", "", _K, "1K pages"),
    "requests_kcount": Shared("request", "text", "request", "", _K, "1K requests"),
}
FIRST_VERSION: Final = frozenset(
    (
        "input_mtok", "cache_write_mtok", "cache_read_mtok", "output_mtok", "input_audio_mtok", "cache_audio_read_mtok",
        "output_audio_mtok", "requests_kcount",
    )
)  # fmt: skip
"""The units that readers of v1 know."""


def path_of(unit: str, above: int = 0) -> str:
    shared = SHARED[unit]
    return f"prices.{shared.meter}.{shared.modality}.{shared.unit}.{above}..{shared.ttl}.USD"
