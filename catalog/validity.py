"""Whether a record may be written: its words and its numbers. Pure; references are listed, not followed.

``problems_of`` judges one tidied record, ``references`` names the records that it needs.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from catalog.errors import Problem
from catalog.records import (
    CAPABILITIES,
    HARDWARE_TIERS,
    METERS,
    MODALITIES,
    MODES,
    STAGES,
    UNITS,
    Kind,
    Record,
    canonical,
    key_of,
)
from catalog.schema_validity import adjustment_complaints, membership_complaints, schema_complaints
from catalog.shape import FORMS, Complaint, shape_complaints
from catalog.spelling import NATIVE_ID, PARTIAL_DATE, SHA256, SLUG, moment, plain_decimal
from catalog.subjects import record_named_by

NEVER_IN_TEXT: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
WEB_ADDRESS: Final = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?\Z")
VERBATIM: Final = ("native", "document", "audience", "changes", "set", "held")
TEXT_LIMITS: Final = {
    "name": 200, "title": 300, "reason": 300, "badge": 40, "description": 20_000, "notes": 20_000, "note": 20_000, "licence": 200,
    "namespace": 128, "url": 2000, "api": 2000, "docs": 2000, "format": 40, "quantization": 40,
    "spelling": 80, "service_tier": 20, "cache_ttl": 12,
}  # fmt: skip


# --- words and numbers -------------------------------------------------------------------------------------------


def problems_of(kind: Kind, key: str, record: Record) -> list[Problem]:
    """All that is wrong with one tidied record, shape first."""
    complaints = list(shape_complaints(FORMS[kind], record))
    if not complaints:
        complaints = [*_key(kind, key, record), *_texts(record), *RULES[kind](record)]
    return [Problem(kind, key, field, reason, advice) for field, reason, advice in complaints]


def _key(kind: Kind, key: str, record: Record) -> Iterator[Complaint]:
    if key_of(kind, record) != key:
        yield (
            "",
            f"its fields give the key {key_of(kind, record)}",
            "a key never changes: remove this record and add another",
        )


def _texts(record: Any, path: str = "") -> Iterator[Complaint]:
    for name, value in record.items():
        where = f"{path}.{name}" if path else name
        if name in VERBATIM:
            if "\\u0000" in canonical(value):
                yield where, "contains the character NUL", "remove it"
        elif isinstance(value, str):
            if NEVER_IN_TEXT.search(value):
                yield where, "contains control or direction characters", "remove them"
            if len(value) > TEXT_LIMITS.get(name, 20_000):
                yield where, f"has more than {TEXT_LIMITS.get(name, 20_000)} characters", "shorten it"
        elif isinstance(value, Mapping):
            yield from _texts(value, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from _texts(item if isinstance(item, Mapping) else {"": item}, f"{where}[{index}]")


def _slug(record: Record, *names: str) -> Iterator[Complaint]:
    for name in names:
        if not SLUG.match(record[name]):
            yield (
                name,
                f"{record[name]!r} is not a slug",
                "lower-case letters, digits, '.', '_', '-', at most 128",
            )


def _word(record: Record, name: str, words: tuple[str, ...], path: str = "") -> Iterator[Complaint]:
    if name in record and record[name] not in words:
        yield f"{path}{name}", f"{record[name]!r} is none of {', '.join(words)}", ""


def _positive(record: Record, names: tuple[str, ...], path: str = "") -> Iterator[Complaint]:
    for name in names:
        if name in record and record[name] <= 0:
            yield (
                f"{path}{name}",
                f"{record[name]} is not a positive number",
                "leave it out where it is not known",
            )


def _address(record: Record, *names: str, path: str = "") -> Iterator[Complaint]:
    for name in names:
        if name in record and not WEB_ADDRESS.match(record[name]):
            yield (
                f"{path}{name}",
                f"{record[name][:80]!r} is not a web address",
                "https://host/…, no user name in it",
            )


def _date(record: Record, *names: str) -> Iterator[Complaint]:
    for name in names:
        if name in record and not _is_date(record[name]):
            yield name, f"{record[name]!r} is not a date", "2025, 2025-05 or 2025-05-01"


def _is_date(text: str) -> bool:
    if not PARTIAL_DATE.match(text):
        return False
    try:
        datetime.strptime((text + "-01-01")[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _window(record: Record, path: str = "") -> Iterator[Complaint]:
    times = {}
    for name in ("starts", "ends"):
        if name in record:
            try:
                times[name] = moment(record[name])
            except ValueError:
                yield f"{path}{name}", f"{record[name]!r} is not a time", "UTC, like 2026-11-20T08:00:00Z"
    if len(times) == 2 and times["ends"] <= times["starts"]:
        yield f"{path}ends", "is not after its start", ""


def _facts(record: Record) -> Iterator[Complaint]:
    yield from _word(record, "stage", STAGES)
    yield from _positive(
        record.get("limits", {}), ("context_tokens", "max_input_tokens", "max_output_tokens"), "limits."
    )
    for name in record.get("capabilities", {}):
        if name not in CAPABILITIES:
            yield f"capabilities.{name}", "is not a known capability", f"one of {', '.join(CAPABILITIES)}"
    for direction, modalities in record.get("modalities", {}).items():
        if unknown := [word for word in modalities if word not in MODALITIES]:
            yield f"modalities.{direction}", f"{unknown[0]!r} is none of {', '.join(MODALITIES)}", ""


def _region(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "code")
    if (record["code"] == "global") != ("parent" not in record):
        yield (
            "parent",
            "global alone has no parent",
            "name the region that it inherits from, or leave it out for global",
        )


def _lab(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "slug")
    yield from _address(record, "url")


def _provider(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "slug")
    yield from _address(record, "api", "docs")


def _entry(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "lab", "slug")
    yield from _word(record, "mode", MODES)
    yield from _facts(record)
    yield from _date(record, "released", "knowledge_cutoff", "deprecated", "retired")
    yield from _repeated("aliases", record.get("aliases", []))
    for name in record.get("links", {}):
        yield from _address(record["links"], name, path="links.")
    artifacts = record.get("artifacts", [])
    yield from _repeated("artifacts", [artifact["name"] for artifact in artifacts])
    for index, artifact in enumerate(artifacts):
        path = f"artifacts[{index}]."
        yield from _address(artifact, "url", path=path)
        yield from _positive(artifact, ("size_bytes", "ram_bytes"), path)
        yield from _word(artifact, "hardware_tier", HARDWARE_TIERS, path)
        if "sha256" in artifact and not SHA256.match(artifact["sha256"]):
            yield f"{path}sha256", "is not 64 lower-case hexadecimal digits", ""


def _repeated(field: str, names: list[str]) -> Iterator[Complaint]:
    if "" in names:
        yield field, "holds an empty name", ""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        yield field, f"{twice!r} stands there twice", ""


def _offering(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "provider")
    if not NATIVE_ID.match(record["native_id"]):
        yield (
            "native_id",
            "is not printable ASCII of 1 to 256 characters",
            "write it exactly as the provider does",
        )
    yield from _positive(record, ("ordinal",))
    yield from _facts(record)
    seen = set()
    for index, price in enumerate(record.get("prices", [])):
        yield from _price(price, f"prices[{index}].")
        what = tuple(price.get(name) for name in PRICE_IDENTITY)
        if what in seen:
            yield (
                f"prices[{index}]",
                "the same price is stated above",
                "one amount for each meter, unit, tier and term",
            )
        seen.add(what)


PRICE_IDENTITY: Final = (
    "meter", "modality", "unit", "currency", "above_tokens", "service_tier", "cache_ttl",
)  # fmt: skip


def _price(price: Record, path: str) -> Iterator[Complaint]:
    yield from _word(price, "meter", METERS, path)
    yield from _word(price, "modality", MODALITIES, path)
    yield from _word(price, "unit", UNITS, path)
    yield from _positive(price, ("above_tokens",), path)
    if not re.match(r"[A-Z]{3}\Z", price["currency"]):
        yield f"{path}currency", f"{price['currency']!r} is not a currency code", "three capital letters: USD"
    try:
        plain = plain_decimal(price["amount"])
    except ValueError as error:
        yield f"{path}amount", str(error), ""
        return
    if Decimal(plain) < 0:
        yield f"{path}amount", "is negative", "a price is 0 or more"
    elif plain != price["amount"]:
        yield f"{path}amount", f"{price['amount']!r} is not in its plain form", f"write {plain}"


def _featured(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "slug", "region")
    yield from _window(record)
    yield from _repeated("items", [item["subject"] for item in record["items"]])
    for index, item in enumerate(record["items"]):
        yield from _shown_subject(item, f"items[{index}].")
        yield from _window(item, f"items[{index}].")


def _shown_subject(record: Record, path: str = "") -> Iterator[Complaint]:
    kind, colon, name = record["subject"].partition(":")
    if not colon or not name or kind not in ("entry", "offering"):
        yield (
            f"{path}subject",
            f"{record['subject']!r} is no subject",
            "entry:lab/slug or offering:provider:native-id",
        )


def _trial(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "slug")
    yield from _shown_subject(record)
    yield from _window(record)


def _experiment(record: Record) -> Iterator[Complaint]:
    yield from _slug(record, "slug")
    yield from _word(record, "status", ("draft", "running", "paused", "ended"))
    yield from _positive(record, ("count",))
    if record["start"] < 0 or record["start"] + record["count"] > 10_000:
        yield "start", "its buckets are not within 0 to 9999", ""
    yield from _repeated("arms", [arm["slug"] for arm in record["arms"]])
    for index, arm in enumerate(record["arms"]):
        if not SLUG.match(arm["slug"]):
            yield f"arms[{index}].slug", f"{arm['slug']!r} is not a slug", ""
        if arm["weight"] < 0:
            yield f"arms[{index}].weight", "is negative", ""


RULES: Final[Mapping[Kind, Callable[[Record], Iterator[Complaint]]]] = types.MappingProxyType(
    {
        Kind.REGION: _region,
        Kind.LAB: _lab,
        Kind.PROVIDER: _provider,
        Kind.ENTRY: _entry,
        Kind.OFFERING: _offering,
        Kind.SCHEMA: schema_complaints,
        Kind.MEMBERSHIP: membership_complaints,
        Kind.ADJUSTMENT: adjustment_complaints,
        Kind.FEATURED: _featured,
        Kind.TRIAL: _trial,
        Kind.EXPERIMENT: _experiment,
    }
)

# --- references --------------------------------------------------------------------------------------------------


def references(kind: Kind, record: Record) -> Iterator[tuple[str, Kind, str]]:
    """(field, kind, key) of every record that this one needs."""
    match kind:
        case Kind.REGION if "parent" in record:
            yield "parent", Kind.REGION, record["parent"]
        case Kind.ENTRY:
            yield "lab", Kind.LAB, record["lab"]
        case Kind.OFFERING:
            yield "provider", Kind.PROVIDER, record["provider"]
            yield "entry", Kind.ENTRY, record["entry"]
            for side in ("only", "never"):
                for code in record.get("availability", {}).get(side, []):
                    yield f"availability.{side}", Kind.REGION, code
        case Kind.MEMBERSHIP | Kind.ADJUSTMENT:
            yield "schema", Kind.SCHEMA, record["schema"]
            yield from subject_of(record["subject"])
        case Kind.FEATURED:
            yield "region", Kind.REGION, record["region"]
            for index, item in enumerate(record["items"]):
                for field, subject_kind, key in subject_of(item["subject"]):
                    yield f"items[{index}].{field}", subject_kind, key
        case Kind.TRIAL:
            yield from subject_of(record["subject"])


def subject_of(subject: str) -> Iterator[tuple[str, Kind, str]]:
    """The record that a subject names, if it names one."""
    named = record_named_by(subject)
    if named is not None:
        yield "subject", *named
