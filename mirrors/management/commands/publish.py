"""``manage.py publish``: cuts, renders, gates, signs, pushes; no change means no new release."""

from __future__ import annotations

import getpass
from dataclasses import asdict, replace
from typing import Any

from django.core.management.base import CommandParser

from catalog.guards import GUARDS
from mirrors.management.base import PlainCommand
from mirrors.management.publication_text import preview_lines, publication_lines, stopped_lines
from mirrors.management.watching import TerminalProgress
from mirrors.services.edge import means_from_settings
from mirrors.services.preparing import StoppedError
from mirrors.services.publishing import preview, publish


class Command(PlainCommand):
    help = "Publish what is approved: cut a release, render, gate, sign and push it. Without a change there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be published; write nothing"
        )
        parser.add_argument(
            "--override",
            action="append",
            default=[],
            choices=GUARDS,
            metavar="GUARD",
            help=f"let this guard pass, this once (may be given several times): {', '.join(GUARDS)}",
        )
        parser.add_argument(
            "--reason", default="", metavar="TEXT", help="why a guard is overridden; kept in the audit"
        )

    def work(self, **options: Any) -> None:
        try:
            self._publish(**options)
        except StoppedError as stop:
            if options["as_json"]:
                self.print_json({**stop.as_json(), "objections": [asdict(each) for each in stop.objections]})
            self._fail("\n".join(stopped_lines(stop)), stop.exit_code)

    def _publish(self, **options: Any) -> None:
        as_json, dry_run, reason = options["as_json"], options["dry_run"], options["reason"]
        means = replace(means_from_settings(), watching=TerminalProgress(self))
        guards = ",".join(options["override"])
        if dry_run:
            prepared = preview(means, by=operator(), override=guards)
            if as_json:
                release = prepared.release if prepared else None
                self.print_json(
                    {"dry_run": True, "release": release, **(prepared.report() if prepared else {})}
                )
            else:
                self.stdout.write("\n".join(preview_lines(prepared)))
            return
        publication = publish(means, by=operator(), override=guards, reason=reason)
        if as_json:
            self.print_json({**publication.facts, "steps": publication.steps})
        else:
            self.stdout.write("\n".join(publication_lines(publication)))


def operator() -> str:
    """Who is at the keyboard, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
