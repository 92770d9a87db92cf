"""The catalog as plain records: the one form in which edits, releases, diffs and renderers see it.

A record is a JSON object of one *kind*, found by its *key*. Records hold only JSON's own types, no floats:
prices are strings of decimals per single unit, sizes and limits integers, times RFC 3339 in UTC. A field that is not
known is absent, never null. ``canonical`` is the one byte form that digests are made of.

A change request is a list of (kind, key, before, after); a release is a set of record versions; a renderer is a
function of records. The relational tables are the live records, spread out for queries, forms and constraints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NotRequired, TypedDict

Record = Mapping[str, Any]


class Kind(StrEnum):
    """In the order in which they must be written: each refers only to kinds before it."""

    REGION = "region"
    LAB = "lab"
    PROVIDER = "provider"
    ENTRY = "entry"
    OFFERING = "offering"
    SCHEMA = "schema"
    MEMBERSHIP = "membership"
    ADJUSTMENT = "adjustment"
    FEATURED = "featured"
    TRIAL = "trial"
    EXPERIMENT = "experiment"


class RegionRecord(TypedDict):
    code: str
    name: str
    parent: NotRequired[str]
    """Absent only for ``global``."""
    enabled: bool
    """An enabled region has documents of its own addresses."""


class LabRecord(TypedDict):
    slug: str
    name: str
    url: NotRequired[str]


class ProviderRecord(TypedDict):
    slug: str
    name: str
    api: NotRequired[str]
    """Base URL of its API."""
    env: NotRequired[list[str]]
    """Environment variables that hold its key."""
    docs: NotRequired[str]
    names: NotRequired[dict[str, str]]
    """What a schema family calls this provider where it is not the slug: ``{"aichat": "claude", "litellm": "anthropic"}``."""
    notes: NotRequired[str]


class ArtifactRecord(TypedDict):
    name: str
    url: str
    size_bytes: NotRequired[int]
    sha256: NotRequired[str]
    format: NotRequired[str]
    """``gguf``, ``safetensors``, ``mlx``, …"""
    quantization: NotRequired[str]
    ram_bytes: NotRequired[int]
    hardware_tier: NotRequired[str]
    """``phone``, ``laptop``, ``desktop``, ``workstation`` or ``server``."""


class LimitsRecord(TypedDict, total=False):
    context_tokens: int
    max_input_tokens: int
    max_output_tokens: int


class ModalitiesRecord(TypedDict):
    input: list[str]
    output: list[str]


class EntryRecord(TypedDict):
    lab: str
    slug: str
    name: str
    mode: str
    """What it is for: one of ``MODES``."""
    stage: str
    """One of ``STAGES``."""
    description: NotRequired[str]
    modalities: NotRequired[ModalitiesRecord]
    limits: NotRequired[LimitsRecord]
    capabilities: NotRequired[dict[str, bool]]
    """Keys from ``CAPABILITIES``; absent is unknown."""
    released: NotRequired[str]
    """A date in its own precision: ``2025``, ``2025-05`` or ``2025-05-01``; so the three below."""
    knowledge_cutoff: NotRequired[str]
    deprecated: NotRequired[str]
    retired: NotRequired[str]
    licence: NotRequired[str]
    open_weights: NotRequired[bool]
    links: NotRequired[dict[str, str]]
    sources: NotRequired[list[str]]
    aliases: NotRequired[list[str]]
    artifacts: NotRequired[list[ArtifactRecord]]


class PriceRecord(TypedDict):
    meter: str
    """One of ``METERS``: what is counted."""
    modality: NotRequired[str]
    """Absent is ``text``."""
    unit: str
    """One of ``UNITS``: the amount is for a single one of it."""
    amount: str
    """A decimal without exponent, normalised: ``0.0000015``."""
    currency: str
    above_tokens: NotRequired[int]
    """The price counts for requests with more input tokens than this; absent is 0."""
    service_tier: NotRequired[str]
    """``batch``, ``flex``, ``priority``; absent is standard."""
    cache_ttl: NotRequired[str]
    """``1h``; absent is the provider's usual."""
    spelling: NotRequired[str]
    """As the first source wrote it, with its unit: ``1.5e-06/token``. Never published."""


class AvailabilityRecord(TypedDict, total=False):
    only: list[str]
    """Region codes where it is offered (and their children); absent is everywhere."""
    never: list[str]
    note: str


class OfferingRecord(TypedDict):
    provider: str
    native_id: str
    """Verbatim: printable ASCII, at most 256 characters, never a path."""
    ordinal: int
    """From 1; above it where a provider's list repeats an id."""
    entry: str
    """``lab/slug``."""
    stage: str
    limits: NotRequired[LimitsRecord]
    """Only what differs from the entry's; so the next two."""
    capabilities: NotRequired[dict[str, bool]]
    modalities: NotRequired[ModalitiesRecord]
    prices: NotRequired[list[PriceRecord]]
    availability: NotRequired[AvailabilityRecord]
    endpoint: NotRequired[dict[str, str]]


class SchemaRecord(TypedDict):
    name: str
    status: str
    """``current``, ``deprecated`` or ``retired``."""
    deprecated: NotRequired[str]
    """The day since which nobody should start to use it; a deprecated schema says it."""
    sunset: NotRequired[str]
    """The last day on which a deprecated schema is published."""
    successor: NotRequired[str]
    """The schema to use instead."""
    clients: NotRequired[dict[str, str]]
    """Client → the versions that it suits, as ``almanac.lifecycle`` reads them: ``{"aichat": ">=0.27.0"}``."""
    complete_list: NotRequired[bool]
    membership: str
    """``automatic`` until something is imported into it, then ``explicit``."""
    document: NotRequired[dict[str, Any]]
    """What belongs to the whole document rather than to a member: the spelling of its block key, say."""


class MembershipRecord(TypedDict):
    schema: str
    subject: str
    """``entry:lab/slug``, ``offering:<offering key>``, ``provider:<slug>`` (a block of its own) or ``opaque:<name>``."""
    position: int
    """Sorts the members of a document; gaps are left so that an insertion moves nobody."""
    block: NotRequired[int]
    """Which block of the document the member stands in, where a document has blocks."""
    native: NotRequired[dict[str, Any]]
    """What the document says beyond or against the shared facts; see ``catalog.schemas.residual``."""


class HeldRecord(TypedDict):
    release: int
    """The release whose state of the member is kept."""
    native: dict[str, Any]
    """The whole member as that release's document states it; see ``catalog.schemas.residual``."""


class AdjustmentRecord(TypedDict):
    """What an operator decided about one member of one schema; no import touches it."""

    schema: str
    subject: str
    """As a membership's. An entry's hides all its offerings, a provider's all of its members."""
    reason: NotRequired[str]
    hidden: NotRequired[bool]
    set: NotRequired[dict[str, str]]
    """Field → raw JSON text that this document states instead of the shared fact."""
    drop: NotRequired[list[str]]
    """Fields that this document does not state."""
    held: NotRequired[HeldRecord]


class FeaturedItemRecord(TypedDict):
    subject: str
    starts: NotRequired[str]
    ends: NotRequired[str]
    badge: NotRequired[str]


class FeaturedRecord(TypedDict):
    slug: str
    region: str
    title: str
    starts: NotRequired[str]
    ends: NotRequired[str]
    items: list[FeaturedItemRecord]


class TrialRecord(TypedDict):
    slug: str
    subject: str
    badge: str
    starts: NotRequired[str]
    ends: str
    audience: NotRequired[dict[str, Any]]


class ArmRecord(TypedDict):
    slug: str
    weight: int
    changes: NotRequired[dict[str, Any]]


class ExperimentRecord(TypedDict):
    slug: str
    namespace: str
    start: int
    count: int
    status: str
    """``draft``, ``running``, ``paused`` or ``ended``."""
    audience: NotRequired[dict[str, Any]]
    arms: list[ArmRecord]


MODES: Final = (
    "chat", "completion", "responses", "embedding", "rerank", "image", "image_edit", "video", "speech", "transcription",
    "realtime", "moderation", "ocr", "search", "other",
)  # fmt: skip
STAGES: Final = ("preview", "current", "deprecated", "retired")
METERS: Final = ("input", "output", "cache_read", "cache_write", "reasoning", "request")
UNITS: Final = ("token", "character", "image", "pixel", "second", "page", "query", "request")
MODALITIES: Final = ("text", "image", "audio", "video", "pdf")
CAPABILITIES: Final = (
    "tools", "parallel_tools", "vision", "reasoning", "structured_output", "streaming", "system_prompt", "temperature",
    "prompt_caching", "web_search", "attachments", "computer_use", "assistant_prefill", "audio_input", "audio_output",
    "pdf_input",
)  # fmt: skip
HARDWARE_TIERS: Final = ("phone", "laptop", "desktop", "workstation", "server")


def offering_key(provider: str, native_id: str, ordinal: int = 1) -> str:
    """``provider:native-id``; a repeated id carries its ordinal on the provider's side (``openai#2:gpt-4o``),
    where no slug can contain ``#`` and every native id stays verbatim."""
    return f"{provider}:{native_id}" if ordinal == 1 else f"{provider}#{ordinal}:{native_id}"


def split_offering_key(key: str) -> tuple[str, str, int]:
    """(provider, native id, ordinal); split at the first colon. Raises ``ValueError`` where there is none."""
    head, colon, native_id = key.partition(":")
    if not colon:
        raise ValueError(f"{key!r} is not provider:native-id")
    provider, hash_sign, ordinal = head.partition("#")
    return provider, native_id, int(ordinal) if hash_sign else 1


def key_of(kind: Kind, record: Record) -> str:
    """The key under which a record of this kind is found."""
    match kind:
        case Kind.REGION:
            return str(record["code"])
        case Kind.ENTRY:
            return f"{record['lab']}/{record['slug']}"
        case Kind.OFFERING:
            return offering_key(record["provider"], record["native_id"], record["ordinal"])
        case Kind.SCHEMA:
            return str(record["name"])
        case Kind.MEMBERSHIP | Kind.ADJUSTMENT:
            return f"{record['schema']}|{record['subject']}"
        case _:
            return str(record["slug"])


def parent_of(kind: Kind, record: Record) -> str:
    """The key of the record whose change touches this one's rendering: an offering's entry, a
    membership's or an adjustment's subject."""
    match kind:
        case Kind.ENTRY:
            return str(record["lab"])
        case Kind.OFFERING:
            return str(record["entry"])
        case Kind.MEMBERSHIP | Kind.ADJUSTMENT:
            return str(record["subject"])
        case _:
            return ""


def canonical(record: Record) -> str:
    """Compact JSON with sorted keys at the top and below, text as it is: equal records, equal bytes."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
