"""Shared facts by path, and the lenses through which a native field sees one of them.

An offering's facts are its entry's with its own laid over them, flat: ``limits.max_input_tokens``,
``capabilities.tools``, ``modalities``, ``stage``, the fields of ``ENTRY_ONLY``, ``provider``, and one path for each price,
``prices.<meter>.<modality>.<unit>.<above>.<tier>.<ttl>.<currency>``. A price's value is its whole record; all others are
plain JSON. A *lens* reads a native field into a path (``decode``) and writes it back (``encode``); both give ``None``
where there is nothing to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from catalog.records import CAPABILITIES, PriceRecord, Record
from catalog.schemas.reading.values import Json, Number

LIMITS: Final = ("context_tokens", "max_input_tokens", "max_output_tokens")
ENTRY_ONLY: Final = (
    "name", "mode", "released", "knowledge_cutoff", "deprecated", "open_weights", "sources",
)  # fmt: skip
"""Facts of the model itself, which an offering cannot state differently."""

TIERED: Final = "prices.above"
"""Stands for every price above some number of tokens, where a format states them in one field."""

FILES: Final = "artifacts"
"""Stands for every fact of every file, and ``LINKS`` for every link."""
LINKS: Final = "links"

MOST_TOKENS: Final = 10**9
"""A limit beyond this is kept as it came, not believed."""
MOST_CHARACTERS: Final = 28
"""Of one number: Python's decimals are exact to 28 digits, the longest price seen has 25 characters."""
MOST_USD: Final = Decimal(10**6)
MOST_DIGITS: Final = 30
"""Digits after the point of one price."""

_DATE: Final = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")


def price_path(price: Record) -> str:
    return ".".join(
        (
            "prices",
            price["meter"],
            price.get("modality", "text"),
            price["unit"],
            str(price.get("above_tokens", 0)),
            price.get("service_tier", ""),
            price.get("cache_ttl", ""),
            price["currency"],
        )
    )


def price_at(path: str, amount: str, spelling: str) -> PriceRecord:
    """The record that ``price_path`` gives this path for."""
    _, meter, modality, unit, above, tier, ttl, currency = path.split(".")
    price = PriceRecord(meter=meter, unit=unit, amount=amount, currency=currency)
    if modality != "text":
        price["modality"] = modality
    if above != "0":
        price["above_tokens"] = int(above)
    if tier:
        price["service_tier"] = tier
    if ttl:
        price["cache_ttl"] = ttl
    if spelling:
        price["spelling"] = spelling
    return price


def facts_of(entry: Record | None, offering: Record | None, provider: Record | None = None) -> dict[str, Any]:
    """Every fact by path, an offering's own before its entry's."""
    facts: dict[str, Any] = {}
    for record in (entry, offering):
        if record is None:
            continue
        facts.update({f"limits.{name}": value for name, value in record.get("limits", {}).items()})
        facts.update(
            {f"capabilities.{name}": value for name, value in record.get("capabilities", {}).items()}
        )
        facts.update({name: record[name] for name in ("modalities", "stage") if name in record})
    for name in ENTRY_ONLY:
        if entry is not None and name in entry:
            facts[name] = entry[name]
    facts.update(_files_and_links(entry or {}))
    for price in (offering or {}).get("prices", ()):
        facts[price_path(price)] = price
    if provider is not None:
        facts["provider"] = provider
    return facts


def _files_and_links(entry: Record) -> Iterator[tuple[str, Any]]:
    """``links.<what>``, and of each file ``artifacts.<field>.<its name>``: what is known of one grows field by field."""
    for what, address in entry.get("links", {}).items():
        yield f"links.{what}", address
    for artifact in entry.get("artifacts", ()):
        name = artifact["name"]
        yield from (
            (f"artifacts.{field}.{name}", value) for field, value in artifact.items() if field != "name"
        )


def same_fact(path: str, one: Any, other: Any) -> bool:
    """Prices are equal when their amounts are: the spelling is the first source's."""
    if path.startswith("prices.") and one is not None and other is not None:
        return bool(one["amount"] == other["amount"])
    return bool(one == other) and type(one) is type(other)


def changed_paths(before: Record | None, after: Record | None) -> set[str]:
    """Which facts differ between two states of one entry or one offering.

    ``TIERED`` comes with any price of a tier, ``FILES`` and ``LINKS`` with any of theirs.
    """
    old = facts_of(before, before)
    new = facts_of(after, after)
    paths = {path for path in {*old, *new} if not same_fact(path, old.get(path), new.get(path))}
    groups = {group for group in (FILES, LINKS) if any(path.startswith(f"{group}.") for path in paths)}
    return (
        paths
        | groups
        | {TIERED for path in paths if path.startswith("prices.") and path.split(".")[4] != "0"}
    )


@dataclass(frozen=True, slots=True)
class Lens:
    """One native field and the shared fact behind it."""

    field: str
    paths: tuple[str, ...]
    """The first is what ``decode`` states; ``encode`` takes the first that is known."""
    encode: Callable[[Any], Json]
    decode: Callable[[Json], Any]


class Lenses:
    """A format's table of lenses, in the order of its fields."""

    def __init__(self, table: Iterable[Lens]) -> None:
        self.table = tuple(table)
        self.by_field = {lens.field: lens for lens in self.table}

    def write(self, facts: Mapping[str, Any]) -> dict[str, Json]:
        written: dict[str, Json] = {}
        for lens in self.table:
            for path in lens.paths:
                if path in facts:
                    value = lens.encode(facts[path])
                    if value is not None:
                        written[lens.field] = value
                    break
        return written

    def read(self, native: Mapping[str, Json]) -> dict[str, Any]:
        """Where two fields state one fact, the first of the table is believed."""
        facts: dict[str, Any] = {}
        for lens in self.table:
            if lens.field in native and lens.paths[0] not in facts:
                value = lens.decode(native[lens.field])
                if value is not None:
                    facts[lens.paths[0]] = value
        return facts


def nothing(_: Any) -> None:
    """A direction in which a lens says nothing."""


def to_count(value: int) -> Json:
    return Number(str(value))


def from_count(value: Json) -> int | None:
    """A number of tokens, if it is a believable one; ``128000.0`` counts, its spelling is kept elsewhere."""
    amount = believable(value)
    if amount is None or amount != amount.to_integral_value():
        return None
    return int(amount) if 0 < amount <= MOST_TOKENS else None


def to_flag(value: bool) -> Json:
    return value


def from_flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def to_absence(value: bool) -> Json:
    """``no_stream: true`` stands for a capability that is known to be missing."""
    return None if value else True


def from_absence(value: Json) -> bool | None:
    return not value if isinstance(value, bool) else None


def to_text(value: str) -> Json:
    return value


def from_date(value: Json) -> str | None:
    """A date in its own precision, if the calendar has it."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        date.fromisoformat((value + "-01-01")[:10])
    except ValueError:
        return None
    return value


def from_choice(names: Mapping[str, str]) -> Callable[[Json], str | None]:
    return lambda value: names.get(value) if isinstance(value, str) else None


def to_choice(names: Mapping[str, str]) -> Callable[[str], Json]:
    return names.get


def plain_decimal(value: Decimal) -> str:
    """Without exponent, without trailing zeros: the form of ``PriceRecord.amount``."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def from_price(path: str, *, per: int, unit: str) -> Callable[[Json], PriceRecord | None]:
    """Reads a price that is stated for ``per`` units; ``unit`` ends its spelling."""

    def decode(value: Json) -> PriceRecord | None:
        stated = believable(value)
        if stated is None or not isinstance(value, Number):
            return None
        amount = stated.scaleb(-_power(per))
        if not 0 <= amount <= MOST_USD or -int(amount.as_tuple().exponent) > MOST_DIGITS:
            return None
        return price_at(path, plain_decimal(amount), f"{value.text}/{unit}")

    return decode


def to_price(*, per: int, unit: str, write: Callable[[Decimal], str]) -> Callable[[Record], Json]:
    """Writes a price for ``per`` units: as the source spelled it where that is still the amount, else by ``write``."""

    def encode(price: Record) -> Json:
        value = Decimal(price["amount"]).scaleb(_power(per))
        lexeme, _, spelled_unit = price.get("spelling", "").partition("/")
        if spelled_unit == unit and _NUMBER.fullmatch(lexeme):
            spelled = Number(lexeme)
            if believable(spelled) == value:
                return spelled
        return Number(write(value))

    return encode


_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(?:[eE]([-+]?[0-9]{1,3}))?", re.ASCII)


def believable(value: Json) -> Decimal | None:
    """A number's value, if it is written shortly enough that exact arithmetic stays cheap and exact."""
    parts = (
        _NUMBER.fullmatch(value.text)
        if isinstance(value, Number) and len(value.text) <= MOST_CHARACTERS
        else None
    )
    if parts is None or abs(int(parts[2] or 0)) > MOST_DIGITS:
        return None
    return Decimal(parts[0])


def _power(per: int) -> int:
    return len(str(per)) - 1


CAPABILITY_PATHS: Final = frozenset(f"capabilities.{name}" for name in CAPABILITIES)
