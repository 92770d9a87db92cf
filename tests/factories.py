"""Builders of records, in the order in which records refer to each other; every field a test does not care about has a default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from catalog.models import ChangeRequest
from catalog.records import Kind, key_of
from catalog.services.changes import ProposedChange, propose
from tests.clocks import moved

NOW = moved(datetime(2026, 11, 20, 8, 0, tzinfo=UTC))
ALICE = "alice"
BOB = "bob"

Made = tuple[Kind, dict[str, Any]]


def region(code: str = "global", *, parent: str | None = None, **more: Any) -> Made:
    record = {"code": code, "name": code.upper(), "enabled": True, **more}
    return Kind.REGION, record if parent is None else {**record, "parent": parent}


def lab(slug: str = "acme", **more: Any) -> Made:
    return Kind.LAB, {"slug": slug, "name": slug.capitalize(), **more}


def provider(slug: str = "acme", **more: Any) -> Made:
    return Kind.PROVIDER, {"slug": slug, "name": slug.capitalize(), **more}


def entry(slug: str = "zeta", *, lab: str = "acme", **more: Any) -> Made:
    record = {"lab": lab, "slug": slug, "name": slug.capitalize(), "mode": "chat", "stage": "current"}
    return Kind.ENTRY, {**record, **more}


def offering(
    native_id: str = "zeta", *, provider: str = "acme", entry: str = "acme/zeta", **more: Any
) -> Made:
    record = {"provider": provider, "native_id": native_id, "ordinal": 1, "entry": entry, "stage": "current"}
    return Kind.OFFERING, {**record, **more}


def price(amount: str = "0.0000015", *, meter: str = "input", **more: Any) -> dict[str, Any]:
    return {"meter": meter, "unit": "token", "amount": amount, "currency": "USD", **more}


def schema(name: str = "v2", *, membership: str = "explicit", **more: Any) -> Made:
    return Kind.SCHEMA, {"name": name, "status": "current", "membership": membership, **more}


def membership(subject: str, *, schema: str = "v2", position: int = 10, **more: Any) -> Made:
    return Kind.MEMBERSHIP, {"schema": schema, "subject": subject, "position": position, **more}


def adjustment(subject: str, *, schema: str = "v2", **more: Any) -> Made:
    return Kind.ADJUSTMENT, {"schema": schema, "subject": subject, **more}


def featured(slug: str = "start", *items: str, region: str = "global", **more: Any) -> Made:
    listed = [{"subject": subject} for subject in items]
    return Kind.FEATURED, {
        "slug": slug,
        "region": region,
        "title": slug.capitalize(),
        "items": listed,
        **more,
    }


def trial(
    slug: str = "early", *, subject: str = "entry:acme/zeta", ends: str = "2026-12-24T00:00:00Z", **more: Any
) -> Made:
    return Kind.TRIAL, {"slug": slug, "subject": subject, "badge": "New", "ends": ends, **more}


def experiment(slug: str = "order", **more: Any) -> Made:
    arms = [{"slug": "as-is", "weight": 1}, {"slug": "other", "weight": 1, "changes": {"order": "price"}}]
    record = {"slug": slug, "namespace": "home", "start": 0, "count": 5000, "status": "draft", "arms": arms}
    return Kind.EXPERIMENT, {**record, **more}


def proposed(*made: Made) -> list[ProposedChange]:
    return [ProposedChange(kind, key_of(kind, record), record) for kind, record in made]


def removed(kind: Kind, *keys: str) -> list[ProposedChange]:
    return [ProposedChange(kind, key, None) for key in keys]


def write(*made: Made | list[ProposedChange], by: str = ALICE, now: datetime = NOW) -> ChangeRequest | None:
    """Applies these records as one operator's change request."""
    changes: list[ProposedChange] = []
    for one in made:
        changes += one if isinstance(one, list) else proposed(one)
    return propose(title="A test's change", changes=changes, by=by, now=now)


def small_catalog() -> list[Made]:
    """One of everything that other records need: a lab, a provider, two entries, their offerings, a schema with both."""
    return [
        region(),
        region("eu", parent="global"),
        lab(),
        provider(),
        entry(),
        entry("eta"),
        offering(prices=[price(), price("0.000006", meter="output")]),
        offering("eta", entry="acme/eta"),
        schema(),
        membership("provider:acme", position=0),
        membership("offering:acme:zeta", position=10),
        membership("offering:acme:eta", position=20),
    ]


def without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}
