"""Records and their differences in words, for people. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from catalog.records import Kind, Record
from catalog.spelling import plain_decimal

KIND_NAMES: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.REGION: ("region", "regions"),
    Kind.LAB: ("lab", "labs"),
    Kind.PROVIDER: ("provider", "providers"),
    Kind.ENTRY: ("model entry", "model entries"),
    Kind.OFFERING: ("offering", "offerings"),
    Kind.SCHEMA: ("schema", "schemas"),
    Kind.MEMBERSHIP: ("schema member", "schema members"),
    Kind.ADJUSTMENT: ("adjustment", "adjustments"),
    Kind.FEATURED: ("featured list", "featured lists"),
    Kind.TRIAL: ("trial", "trials"),
    Kind.EXPERIMENT: ("experiment", "experiments"),
}
GROUPS: Final = ("limits", "capabilities", "modalities", "availability")
"""Objects whose fields are named without the object's own name."""
LONGEST: Final = 400
"""Characters of one value; more of it would hide the others."""


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """``None``: the record did not state it."""

    label: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RecordDifference:
    kind: Kind
    key: str
    fields: tuple[FieldDifference, ...]
    verb: str
    """``added``, ``changed`` or ``removed``."""

    @property
    def kind_name(self) -> str:
        return KIND_NAMES[self.kind][0]


def record_difference(kind: Kind, key: str, before: Record | None, after: Record | None) -> RecordDifference:
    verb = "changed" if before and after else "added" if after else "removed"
    return RecordDifference(kind, key, tuple(field_differences(before, after)), verb)


def field_differences(before: Record | None, after: Record | None) -> list[FieldDifference]:
    """Only the fields that differ, in the order in which the newer record states them."""
    old, new = in_words(before or {}), in_words(after or {})
    labels = [*new, *(label for label in old if label not in new)]
    return [
        FieldDifference(label, old.get(label), new.get(label))
        for label in labels
        if old.get(label) != new.get(label)
    ]


def in_words(record: Record) -> dict[str, str]:
    """Label → value of everything that a record states."""
    words: dict[str, str] = {}
    for name, value in record.items():
        words.update(LISTS[name](value) if name in LISTS else _plain(name, value))
    return words


def _plain(name: str, value: Any) -> dict[str, str]:
    label = name.replace("_", " ")
    if not isinstance(value, Mapping):
        return {label: _value(value)}
    inner = {part: text for key, held in value.items() for part, text in _plain(str(key), held).items()}
    return inner if name in GROUPS else {f"{label}: {part}": text for part, text in inner.items()}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return shortened(", ".join(value)) or "none"
    return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _prices(prices: list[Record]) -> dict[str, str]:
    return {
        price_label(price): price_words(price["amount"], price["currency"], price["unit"]) for price in prices
    }


def price_label(price: Record) -> str:
    """``price: input, audio, above 200 000 tokens, batch``."""
    above = f"above {_value(price['above_tokens'])} tokens" if price.get("above_tokens") else ""
    ttl = f"kept for {price['cache_ttl']}" if price.get("cache_ttl") else ""
    modality = "" if price.get("modality") == "text" else price.get("modality", "")
    parts = [price["meter"].replace("_", " "), modality, above, price.get("service_tier", ""), ttl]
    unit = "" if price["unit"] == "token" else f" per {price['unit']}"
    return f"price: {', '.join(part for part in parts if part)}{unit}"


def price_words(amount: str | Decimal, currency: str, unit: str) -> str:
    """``1.5 USD per million tokens (0.0000015 each)``, or ``0.04 USD per image``."""
    plain = plain_decimal(str(amount))
    if unit in ("token", "character", "pixel") and plain != "0":
        return f"{per_million(plain)} {currency} per million {unit}s ({plain} each)"
    return f"{plain} {currency} per {unit}"


def per_million(amount: str | Decimal) -> str:
    return plain_decimal(str(Decimal(str(amount)).scaleb(6)))


def _artifacts(artifacts: list[Record]) -> dict[str, str]:
    return {
        f"file {artifact['name']}: {name.replace('_', ' ')}": _value(value)
        for artifact in artifacts
        for name, value in artifact.items()
        if name != "name"
    }


def _items(items: list[Record]) -> dict[str, str]:
    return {f"place {place}": _details(item, "subject") for place, item in enumerate(items, start=1)}


def _arms(arms: list[Record]) -> dict[str, str]:
    return {f"arm {arm['slug']}": _details(arm, "slug") for arm in arms}


def _details(record: Record, name: str) -> str:
    rest = [f"{key} {_value(value)}" for key, value in record.items() if key != name]
    head = [] if name == "slug" else [str(record[name])]
    return shortened("; ".join([*head, *rest]))


def _native(native: Record) -> dict[str, str]:
    """A schema's own values; each is kept as the raw text that its document had."""
    words = {f"override: {name}": shortened(str(text)) for name, text in native.get("set", {}).items()}
    if native.get("drop"):
        words["left out"] = ", ".join(native["drop"])
    rest = {name: value for name, value in native.items() if name not in ("set", "drop")}
    return {**words, **{f"own {name}": _value(value) for name, value in rest.items()}}


LISTS: Final[Mapping[str, Any]] = {
    "prices": _prices,
    "artifacts": _artifacts,
    "items": _items,
    "arms": _arms,
    "native": _native,
}
