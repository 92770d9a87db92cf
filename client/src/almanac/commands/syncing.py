"""``almanac sync``: bring the catalog, and a client's own file, up to date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from almanac import installers, local
from almanac.accepted import moment
from almanac.cli import Session, command
from almanac.commands.reading import change_lines
from almanac.differences import Change, counts, differences
from almanac.document import Document
from almanac.errors import ExpiredError, UsageError
from almanac.output import count, size
from almanac.state import State

MOST_LINES = 20


@command("sync")
@click.option(
    "--for", "client", metavar="CLIENT", help="Also write this client's own file: aichat or litellm."
)
@click.option(
    "--region", help="The region whose document the client gets; its nearest published ancestor counts."
)
@click.option("--client-version", help="The client's version, where it cannot be asked.")
@click.option("--restore", is_flag=True, help="Undo what --for wrote.")
def sync_command(
    session: Session, *, client: str | None, region: str | None, client_version: str | None, restore: bool
) -> None:
    """Fetch what changed, verify it, and say what it was."""
    installer = installers.named(client) if client is not None else None
    if restore:
        if installer is None:
            raise UsageError("--restore of what?", advice="name the client with --for")
        done = installers.restore(session.state, installer)
        session.console.report(done.as_json(), done.lines())
        return
    chosen = (region or session.config.region).lower()
    job = installer.prepare(session.config.environ, client_version) if installer is not None else None
    if session.offline:
        _offline(session, installer, job, chosen)
        return
    _online(session, installer, job, chosen)


def _online(
    session: Session, installer: installers.Installer | None, job: installers.Job | None, region: str
) -> None:
    from almanac.sync import Surroundings, sync

    def paths(catalog: Document) -> list[str]:
        return installer.paths(catalog.region_chain(region)) if installer is not None else []

    around = Surroundings(progress=session.console.progress)
    outcome = sync(session.state, native=paths if installer else None, region=region, around=around)
    for warning in outcome.warnings:
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
        "warnings": list(outcome.warnings),
    }
    lines = _lines(form, changes, first=before is None)
    if installer is not None and job is not None and outcome.native is not None:
        done = installers.install(session.state, installer, job, outcome.native, mirror=after.mirror)
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


def _offline(
    session: Session, installer: installers.Installer | None, job: installers.Job | None, region: str
) -> None:
    """Asks nobody: says what is held, and installs from it."""
    accepted = local.accepted(session.state)
    form: dict[str, Any] = {
        "changed": False, "offline": True, "to": accepted.newest.number, "fresh_until": moment(accepted.fresh_until),
    }  # fmt: skip
    lines = [f"offline: release {accepted.newest.number} is held, from {accepted.mirror}"]
    if installer is not None and job is not None:
        chain = local.newest(session.state).region_chain(region)
        held = installers.held(session.state, accepted, installer.paths(chain))
        done = installers.install(session.state, installer, job, held, mirror=accepted.mirror)
        form["installed"] = done.as_json()
        lines += done.lines()
    session.console.report(form, lines)
    if not accepted.is_fresh(datetime.now(UTC)):
        raise ExpiredError(
            f"stale since {moment(accepted.fresh_until)}",
            where="(offline)",
            advice="the catalog stays in use; sync online",
        )
