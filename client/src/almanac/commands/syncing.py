"""``almanac sync``: bring the catalog, and a client's own file, up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from almanac import local
from almanac.accepted import moment
from almanac.cli import Session, command
from almanac.commands.reading import change_lines
from almanac.differences import Change, counts, differences
from almanac.document import Document
from almanac.errors import ExpiredError, UsageError
from almanac.installers import known, writing
from almanac.installers.client import Client
from almanac.output import count, size
from almanac.state import State

MOST_LINES = 20


@command("sync")
@click.option(
    "--for", "client", metavar="CLIENT", help=f"Also write this client's own file: {known.listed()}."
)
@click.option(
    "--region", help="The region whose document the client gets; its nearest published ancestor counts."
)
@click.option("--client-version", help="The client's version, where it cannot be asked.")
@click.option("--restore", "undo", is_flag=True, help="Undo what --for wrote.")
def sync_command(
    session: Session, *, client: str | None, region: str | None, client_version: str | None, undo: bool
) -> None:
    """Fetch what changed, verify it, and say what it was."""
    row = known.named(client) if client is not None else None
    if undo:
        _restore(session, row)
        return
    plan = _Plan(
        row,
        writing.prepare(session.state, row, session.config.environ, client_version) if row else None,
        (region or session.config.region).lower(),
        region_is_asked_for=region is not None,
    )
    if session.offline:
        _offline(session, plan)
        return
    _online(session, plan)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked for."""

    client: Client | None
    job: writing.Job | None
    region: str
    region_is_asked_for: bool

    def paths(self, catalog: Document) -> list[str]:
        """Of the client's document. A region of the command line must exist; a settled one only for a client's file."""
        if self.client is None and not self.region_is_asked_for:
            return []
        regions = catalog.region_chain(self.region)
        return self.client.paths(regions) if self.client is not None else []

    def warnings(self, catalog: Document) -> list[str]:
        """A region that the settings name and the publisher has no more only orders the mirrors: that is said."""
        try:
            catalog.region_chain(self.region)
        except UsageError as error:
            return [f"the settings name a region that is not there: {error}"]
        return []


def _restore(session: Session, client: Client | None) -> None:
    if client is None:
        raise UsageError("--restore of what?", advice="name the client with --for")
    done = writing.restore(session.state, client)
    form = {"client": client.name, "restored": [one.as_json() for one in done]}
    session.console.report(form, [line for one in done for line in one.lines()])


def _online(session: Session, plan: _Plan) -> None:
    from almanac.sync import Surroundings, sync

    around = Surroundings(progress=session.console.progress)
    wanted = plan.paths if plan.client is not None or plan.region_is_asked_for else None
    outcome = sync(session.state, native=wanted, region=plan.region, around=around)
    warnings = list(outcome.warnings)
    if plan.region != "global" and wanted is None:
        warnings += plan.warnings(Document.parse(outcome.catalog.data))
    for warning in warnings:
        session.console.warn(warning)
    before, after = outcome.before, outcome.after
    changes = []
    if outcome.catalog.how != "unchanged":
        changes = _changes(session.state, before.newest if before else None, outcome.catalog.data)
    form: dict[str, Any] = {
        "changed": outcome.changed,
        "from": before.newest.number if before else None,
        "to": after.newest.number,
        "mirror": after.mirror,
        "requests": outcome.cost.requests,
        "bytes": outcome.cost.bytes,
        "fresh_until": moment(after.fresh_until),
        "documents": [
            {"path": got.path, "sha256": got.sha256, "bytes": got.length, "how": got.how}
            for got in (outcome.catalog, outcome.native)
            if got is not None
        ],
        "changes": [change.as_json() for change in changes],
        "warnings": warnings,
    }
    lines = _lines(form, changes, first=before is None)
    if plan.client is not None and plan.job is not None and outcome.native is not None:
        done = writing.install(session.state, plan.client, plan.job, outcome.native, mirror=after.mirror)
        form["installed"] = done.as_json()
        lines += done.lines()
    session.console.report(form, lines)


def _changes(state: State, before: Any, new: bytes) -> list[Change]:
    """What changed against the catalog held before; on the first sync that is not worth a list."""
    held = before.documents.get(local.CATALOG) if before else None
    old = state.document(held.sha256) if held else None
    if old is None or old == new:
        return []
    return differences(Document.parse(old), Document.parse(new))


def _lines(form: dict[str, Any], changes: list[Change], *, first: bool) -> list[str]:
    cost = f"{count(form['requests'], 'request')}, {size(form['bytes'])}"
    if first:
        lines = [f"release {form['to']} from {form['mirror']} ({cost})"]
    elif form["from"] != form["to"]:
        lines = [f"release {form['from']} → {form['to']} from {form['mirror']} ({cost})"]
    else:
        lines = [f"up to date: release {form['to']} from {form['mirror']} ({cost})"]
    for document in form["documents"]:
        if document["how"] != "unchanged":
            by = "by delta" if document["how"] == "delta" else "in full"
            lines.append(f"  {document['path']}: {size(document['bytes'])} {by}")
    if changes:
        totals = counts(changes)
        lines.append(f"  {totals['added']} added, {totals['changed']} changed, {totals['removed']} removed")
        details = [line for change in changes for line in change_lines(change)]
        lines += [f"  {line}" for line in details[:MOST_LINES]]
        if len(details) > MOST_LINES:
            lines.append(f"  … and more: almanac diff {form['from']}")
    return lines


def _offline(session: Session, plan: _Plan) -> None:
    """Asks nobody: says what is held, and installs from it."""
    accepted = local.accepted(session.state)
    form: dict[str, Any] = {
        "changed": False, "offline": True, "to": accepted.newest.number, "fresh_until": moment(accepted.fresh_until),
    }  # fmt: skip
    lines = [f"offline: release {accepted.newest.number} is held, from {accepted.mirror}"]
    paths = plan.paths(local.newest(session.state))
    if plan.client is not None and plan.job is not None:
        document = writing.held(session.state, accepted, paths)
        done = writing.install(session.state, plan.client, plan.job, document, mirror=accepted.mirror)
        form["installed"] = done.as_json()
        lines += done.lines()
    session.console.report(form, lines)
    if not accepted.is_fresh(datetime.now(UTC)):
        raise ExpiredError(
            f"stale since {moment(accepted.fresh_until)}",
            where="(offline)",
            advice="the catalog stays in use; sync online",
        )
