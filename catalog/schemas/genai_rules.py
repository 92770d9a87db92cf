"""What genai-prices makes of a document: what fails the whole update, and what fails later, when a price is computed.

Each function looks at one value and gives the problems as (severity, reason).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Final, Literal

from catalog.schemas.genai_units import UNITS, lacking
from catalog.schemas.patterns import pattern_problem
from catalog.schemas.reading.values import Json, Number

Problem = tuple[Literal["stop", "warn"], str]

FAILS: Final = "the whole update would fail"
CLAUSES: Final = ("equals", "starts_with", "ends_with", "contains", "regex", "or", "and")
_DECIMAL: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
"""The only one of Python's spellings of a day that the client reads too."""


def provider_problems(provider: Mapping[str, Json]) -> Iterator[Problem]:
    """A provider without its models."""
    for field in ("id", "name", "api_pattern"):
        if not isinstance(provider.get(field), str):
            yield "stop", f"{field} is missing: {FAILS}"
    pattern = provider.get("api_pattern")
    if isinstance(pattern, str) and (problem := pattern_problem(pattern)):
        yield "stop", f"api_pattern {problem}"
    for field in ("description", "price_comments"):
        if not isinstance(provider.get(field, ""), str | None):
            yield "stop", f"{field} must be text: {FAILS}"
    for field in ("pricing_urls", "fallback_model_providers"):
        names = provider.get(field)
        if names is not None and not (
            isinstance(names, list) and all(isinstance(each, str) for each in names)
        ):
            yield "stop", f"{field} must list texts: {FAILS}"
    for field in ("model_match", "provider_match"):
        if provider.get(field) is not None:
            yield from match_problems(provider[field], field)
    yield from _extractor_problems(provider.get("extractors"))


def model_problems(model: Json, *, computes: bool = True) -> Iterator[Problem]:
    """One model. ``computes``: the client wants a price for all that a set of prices can count."""
    if not isinstance(model, dict):
        yield "stop", f"is not an object: {FAILS}"
        return
    if not isinstance(model.get("id"), str):
        yield "stop", f"id is missing: {FAILS}"
    if "match" not in model:
        yield "stop", f"match is missing: {FAILS}"
    else:
        yield from match_problems(model["match"], "match")
    for field in ("name", "description", "price_comments"):
        if not isinstance(model.get(field, ""), str | None):
            yield "stop", f"{field} must be text: {FAILS}"
    window = model.get("context_window")
    if window is not None and not _is_whole(window):
        yield "stop", f"context_window must be a whole number: {FAILS}"
    if not isinstance(model.get("deprecated", False), bool | None):
        yield "stop", f"deprecated: write true or false, else {FAILS}"
    yield from _prices_problems(model.get("prices"), computes=computes)
    yield from _variant_problems(model.get("price_variants"))


def match_problems(match: Json, where: str) -> Iterator[Problem]:
    if not isinstance(match, dict) or len(match) != 1 or next(iter(match)) not in CLAUSES:
        yield "stop", f"{where} must have exactly one of {', '.join(CLAUSES)}: {FAILS}"
        return
    [(clause, value)] = match.items()
    if clause in ("or", "and"):
        if not isinstance(value, list) or not value:
            yield "stop", f"{where}.{clause} must list conditions: {FAILS}"
        for each in value if isinstance(value, list) else ():
            yield from match_problems(each, f"{where}.{clause}")
    elif not isinstance(value, str):
        yield "stop", f"{where}.{clause} must be text: {FAILS}"
    elif clause == "regex" and (problem := pattern_problem(value)):
        yield "stop", f"{where}.regex {problem}"


def _prices_problems(prices: Json, *, computes: bool) -> Iterator[Problem]:
    if isinstance(prices, dict):
        yield from _whole_price_problems(prices, "prices", computes=computes)
        return
    if not isinstance(prices, list) or not prices:
        yield "stop", "prices is missing or empty: every calculation would fail"
        return
    for number, item in enumerate(prices):
        inner = item.get("prices") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(inner, dict):
            yield "stop", f"prices[{number}] must have prices: {FAILS}"
            continue
        yield from _whole_price_problems(inner, f"prices[{number}]", computes=computes)
        if item.get("constraint") is not None:
            yield from _constraint_problems(item["constraint"], f"prices[{number}].constraint")


def _whole_price_problems(prices: Mapping[str, Json], where: str, *, computes: bool) -> Iterator[Problem]:
    stated = {unit for unit, value in prices.items() if value is not None}
    if not stated:
        yield "warn", f"{where} names no price, which counts as free"
    yield from _price_problems(prices, where)
    for lack in lacking(stated):
        yield "stop" if computes else "warn", f"{where}: {lack}, else every calculation would fail"


def _price_problems(prices: Mapping[str, Json], where: str) -> Iterator[Problem]:
    for unit, value in prices.items():
        if unit not in UNITS:
            yield "warn", f"{where}.{unit} is not a unit that the client knows"
        if value is not None and not _is_price(value):
            yield "stop", f"{where}.{unit} must be a number from 0 on, or a base with tiers"


def _is_price(value: Json) -> bool:
    if not isinstance(value, dict):
        return _is_amount(value)
    tiers = value.get("tiers")
    if not _is_amount(value.get("base")) or not isinstance(tiers, list):
        return False
    return all(
        isinstance(tier, dict) and _is_start(tier.get("start")) and _is_amount(tier.get("price"))
        for tier in tiers
    )


def _is_amount(value: Json) -> bool:
    if isinstance(value, str):
        return _DECIMAL.fullmatch(value) is not None
    return isinstance(value, Number) and (not value.text.startswith("-") or value.value == 0)


def _is_whole(value: Json) -> bool:
    """``1000.0`` counts as 1000, within the 64 bits of the client's reader."""
    if not isinstance(value, Number) or not -(2**63) <= value.value < 2**63:
        return False
    return value.value == value.value.to_integral_value()


def _is_start(value: Json) -> bool:
    return isinstance(value, Number) and value.is_integer and not value.text.startswith("-")


def _constraint_problems(constraint: Json, where: str) -> Iterator[Problem]:
    fields = constraint if isinstance(constraint, dict) else {}
    if set(fields) == {"start_date"}:
        stated = fields["start_date"]
        fits = (
            isinstance(stated, str) and bool(_DATE.fullmatch(stated)) and _reads(date.fromisoformat, stated)
        )
    else:
        fits = set(fields) == {"start_time", "end_time"} and all(
            _reads(time.fromisoformat, each) for each in fields.values()
        )
    if not fits:
        yield "stop", f"{where} is a start_date, or a start_time and an end_time: {FAILS}"


def _reads(reader: object, value: Json) -> bool:
    try:
        reader(value)  # type: ignore[operator]
    except (TypeError, ValueError):
        return False
    return True


def _variant_problems(variants: Json) -> Iterator[Problem]:
    if variants is None:
        return
    if not isinstance(variants, list):
        yield "stop", f"price_variants must be a list: {FAILS}"
        return
    for variant in variants:
        when = variant.get("when") if isinstance(variant, dict) else None
        prices = variant.get("prices") if isinstance(variant, dict) else None
        if not isinstance(when, dict) or not when or not all(isinstance(each, str) for each in when.values()):
            yield "stop", f"price_variants: when must name texts: {FAILS}"
        if not isinstance(prices, dict):
            yield "stop", f"price_variants: prices is missing: {FAILS}"
        else:
            yield from _price_problems(prices, "price_variants.prices")
        constraint = variant.get("constraint") if isinstance(variant, dict) else None
        if constraint is not None:
            yield from _constraint_problems(constraint, "price_variants.constraint")


def _extractor_problems(extractors: Json) -> Iterator[Problem]:
    if extractors is None:
        return
    if not isinstance(extractors, list):
        yield "stop", f"extractors must be a list: {FAILS}"
        return
    for extractor in extractors:
        mappings = extractor.get("mappings") if isinstance(extractor, dict) else None
        if (
            not isinstance(extractor, dict)
            or not _is_path(extractor.get("root"))
            or not isinstance(mappings, list)
        ):
            yield "stop", f"extractors: root and mappings are needed: {FAILS}"
            continue
        for mapping in mappings:
            if (
                not isinstance(mapping, dict)
                or not _is_path(mapping.get("path"))
                or not isinstance(mapping.get("dest"), str)
            ):
                yield "stop", f"extractors: a mapping leads from a path to a dest: {FAILS}"


def _is_path(value: Json) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, str | dict) for each in value)
    )


def document_problems(document: Json, *, computes: bool = True) -> Iterator[tuple[str, Problem]]:
    """The whole document, as (where, problem)."""
    if not isinstance(document, list):
        yield "document", ("stop", f"a list of providers is expected: {FAILS}")
        return
    if not document:
        yield "document", ("stop", "no provider is listed")
    for number, provider in enumerate(document, 1):
        if not isinstance(provider, dict):
            yield f"provider {number}", ("stop", f"is not an object: {FAILS}")
            continue
        where = str(provider.get("id"))
        for problem in provider_problems(provider):
            yield where, problem
        models = provider.get("models", [])
        if not isinstance(models, list):
            yield where, ("stop", f"models must be a list: {FAILS}")
            continue
        for model in models:
            name = model.get("id") if isinstance(model, dict) else None
            for problem in model_problems(model, computes=computes):
                yield f"{where}/{name}", problem
