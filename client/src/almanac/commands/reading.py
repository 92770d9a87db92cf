"""``status``, ``list``, ``show``, ``search`` and ``diff``: the accepted catalog, offline."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click

from almanac import local
from almanac.accepted import Accepted, moment
from almanac.cli import Session, command
from almanac.differences import Change, differences
from almanac.document import Document, Model, Offering
from almanac.output import count, per_million, size, table, tokens


@command("status")
def status_command(session: Session) -> None:
    """Say what is trusted and held, and how fresh it is."""
    state = session.state
    origin = state.origin()
    accepted = state.accepted(origin.fingerprint) if origin else None
    form: dict[str, Any] = {
        "origin": origin and origin.url,
        "fingerprint": origin and origin.fingerprint,
        "state_dir": str(state.folder),
        "release": None,
        "freshness": "nothing yet",
    }
    lines = [f"origin     {origin.url}" if origin else "origin     none is trusted: run `almanac trust`"]
    if origin is not None:
        lines.append(f"root       {origin.fingerprint}")
    if accepted is not None:
        form |= _held(accepted, datetime.now(UTC))
        lines += _held_lines(session, form)
    elif origin is not None:
        lines.append("catalog    none yet: run `almanac sync`")
    session.console.data(form, [*lines, f"state      {state.folder}"])


def _held(accepted: Accepted, now: datetime) -> dict[str, Any]:
    newest = accepted.newest
    fresh = accepted.is_fresh(now)
    until = moment(accepted.fresh_until)
    return {
        "release": newest.number,
        "accepted_at": moment(newest.accepted_at),
        "checked_at": moment(accepted.checked_at),
        "fresh": fresh,
        "freshness": f"fresh until {until}" if fresh else f"stale since {until}",
        "mirror": accepted.mirror,
        "versions": dict(accepted.versions),
        "documents": {
            path: {"sha256": held.sha256, "bytes": held.length} for path, held in newest.documents.items()
        },
        "releases_kept": [release.number for release in accepted.releases],
    }


def _held_lines(session: Session, form: dict[str, Any]) -> list[str]:
    freshness = session.console.styled(form["freshness"], "32" if form["fresh"] else "33")
    return [
        f"release    {form['release']}, accepted {form['accepted_at']}",
        f"freshness  {freshness}; checked {form['checked_at']}",
        f"mirror     {form['mirror']}",
        *(f"document   {path} ({size(held['bytes'])})" for path, held in sorted(form["documents"].items())),
        f"kept       releases {', '.join(str(number) for number in form['releases_kept'])}",
    ]


@command("list")
@click.option("--lab", help="Only models of this lab.")
@click.option("--provider", help="Only models that this provider offers.")
@click.option("--stage", help="Only this stage: preview, current, deprecated or retired.")
@click.option("--mode", help="Only this mode: chat, embedding, image, …")
def list_command(
    session: Session, *, lab: str | None, provider: str | None, stage: str | None, mode: str | None
) -> None:
    """List the models of the accepted catalog."""
    models = [
        model
        for model in local.newest(session.state).models.values()
        if (lab is None or model.lab == lab)
        and (stage is None or model.stage == stage)
        and (mode is None or model.mode == mode)
        and (provider is None or any(offering.provider == provider for offering in model.offerings))
    ]
    _print_models(session, models)


@command("search")
@click.argument("words", nargs=-1, required=True)
def search_command(session: Session, *, words: tuple[str, ...]) -> None:
    """Find models in which all of the WORDS occur."""
    _print_models(session, list(local.newest(session.state).search(" ".join(words))))


def _print_models(session: Session, models: list[Model]) -> None:
    rows = [
        (
            model.id,
            tokens(model.context_tokens),
            _cheapest(model),
            model.mode,
            model.stage,
            str(len(model.offerings)),
        )
        for model in models
    ]
    form = [{**model.fields, "offerings": [offering.id for offering in model.offerings]} for model in models]
    head = ("model", "context", "from, per 1M in", "mode", "stage", "offerings")
    session.console.data(form, table(head, rows) if rows else [])
    session.console.message(count(len(models), "model"))


def _cheapest(model: Model) -> str:
    from decimal import Decimal, InvalidOperation

    def amount(price: str) -> Decimal:
        try:
            return Decimal(price.partition(" ")[0])
        except InvalidOperation:
            return Decimal("Infinity")

    prices = [price for offering in model.offerings if (price := offering.price("input")) is not None]
    return per_million(min(prices, key=amount, default=None))


@command("show")
@click.argument("name", metavar="ID")
def show_command(session: Session, *, name: str) -> None:
    """Show everything about one model.

    ID is an entry (lab/slug), an offering (provider:native-id), or any name that only one of them has.
    """
    found = local.newest(session.state).find(name)
    if isinstance(found, Model):
        form = {**found.fields, "offerings": [offering.fields for offering in found.offerings]}
        lines = [
            *_fields(found.fields),
            *(line for offering in found.offerings for line in _offering(offering)),
        ]
    else:
        form, lines = dict(found.fields), list(_fields(found.fields))
    session.console.data(form, lines)


def _offering(offering: Offering) -> Iterable[str]:
    yield ""
    yield offering.id
    shown = {k: v for k, v in offering.fields.items() if k not in ("id", "provider", "native_id", "entry")}
    yield from (f"  {line}" for line in _fields(shown))


def _fields(fields: Any, prefix: str = "") -> Iterable[str]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _fields(value, f"{prefix}{name}.")
        elif name == "prices" and isinstance(value, list):
            yield from (f"{'price':<24}  {_price(price)}" for price in value if isinstance(price, dict))
        else:
            text = ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
            yield f"{prefix + name:<24}  {text}"


def _price(price: dict[str, Any]) -> str:
    conditions = [f"{k} {price[k]}" for k in ("above_tokens", "service_tier", "cache_ttl") if k in price]
    what = " ".join(str(price[k]) for k in ("meter", "modality") if k in price)
    amount = f"{price.get('amount')} {price.get('currency', '')} per {price.get('unit', '')}"
    return f"{what}: {amount}" + (f" ({', '.join(conditions)})" if conditions else "")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@command("diff")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B", default="newest")
def diff_command(session: Session, *, old: str, new: str) -> None:
    """Show what changed between two releases.

    From release A to release B, field by field. B is the newest where it is left out; the last five are kept.
    """
    state = session.state
    changes = differences(_document(session, old), _document(session, new))
    form = {
        "from": local.release_named(state, old).number,
        "to": local.release_named(state, new).number,
        "changes": [change.as_json() for change in changes],
    }
    session.console.data(form, [line for change in changes for line in change_lines(change)])
    session.console.message(count(len(changes), "change"))


def _document(session: Session, name: str) -> Document:
    return local.document(session.state, local.release_named(session.state, name))


def change_lines(change: Change) -> Iterable[str]:
    """A change as people read it: a sign, the record, and its fields below."""
    sign = {"added": "+", "removed": "-", "changed": "~"}[change.how]
    thing = "entry" if change.section == "entries" else change.section.removesuffix("s")
    yield f"{sign} {thing} {change.key}"
    for field in change.fields:
        yield f"    {field.field}: {_side(field.before)} → {_side(field.after)}"


def _side(value: Any) -> str:
    return "nothing" if value is None else _text(value)
