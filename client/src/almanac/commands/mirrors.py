"""``almanac mirrors``: which mirrors there are, in the order that sync would ask them."""

from __future__ import annotations

import random
from typing import Any

import click

from almanac import addresses, mirrorlist
from almanac.cli import Session, command
from almanac.errors import AlmanacError, NetworkError
from almanac.mirrorlist import Mirror, MirrorList
from almanac.output import size, table
from almanac.state import Origin, State


@command("mirrors")
@click.option("--test", is_flag=True, help="Ask each one, and say how it does as seen from here.")
@click.option("--region", help="Order them for this region.")
def mirrors_command(session: Session, *, test: bool, region: str | None) -> None:
    """List the mirrors in the order that sync would use.

    The origin that you trust is always among them.
    """
    from almanac.sync import trusted_origin

    if test and session.offline:
        raise NetworkError("offline", where="so no mirror is asked", advice="leave out --offline or --test")
    origin = trusted_origin(session.state)
    ordered = mirrorlist.order(
        known(session.state, origin).mirrors,
        origin.url,
        region=region or session.config.region,
        random=random.random,
    )
    rows = [_row(mirror, origin, session.state, test=test) for mirror in ordered]
    head = ("mirror", "region", "weight", *(("health",) if test else ()))
    session.console.data(rows, table(head, [[str(row[column]) for column in head] for row in rows]))


def known(state: State, origin: Origin) -> MirrorList:
    """The signed list that was accepted last."""
    accepted = state.accepted(origin.fingerprint)
    held = accepted.newest.documents.get(addresses.MIRRORS) if accepted else None
    data = state.document(held.sha256) if held else None
    return mirrorlist.read_list(data) if data else MirrorList()


def _row(mirror: Mirror, origin: Origin, state: State, *, test: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "mirror": mirror.url,
        "region": mirror.region,
        "weight": mirror.weight,
        "origin": mirror.url == origin.url,
    }
    return row | _health(mirror, origin, state) if test else row


def _health(mirror: Mirror, origin: Origin, state: State) -> dict[str, Any]:
    """One verified look at a mirror's timestamp, in a folder of its own: a test changes nothing that was accepted."""
    import tempfile
    import time
    from pathlib import Path

    from almanac.fetch import Fetcher
    from almanac.verify import VerifiedUpdater

    remembered = state.remembered(origin.fingerprint)
    fetcher, started = Fetcher(), time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="almanac-test-") as folder:
            updater = VerifiedUpdater(
                Path(folder), mirror.url + "metadata/", fetcher, pinned_root=origin.root,
                known=dict(remembered.roles), lowest_root=remembered.root_version,
            )  # fmt: skip
            updater.refresh()
    except AlmanacError as error:
        return {"health": f"{error.name}: {error.what}", "ok": False}
    finally:
        fetcher.close()
    seconds = time.monotonic() - started
    cost = f"{fetcher.cost.requests} requests, {size(fetcher.cost.bytes)}"
    return {
        "health": f"ok, timestamp {updater.timestamp.version}, {seconds * 1000:.0f} ms, {cost}",
        "ok": True,
        "timestamp": updater.timestamp.version,
        "milliseconds": round(seconds * 1000),
    }
