"""``manage.py verifystore [URL]``: reads a store or a mirror as a stranger would and says what it trusted."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from mirrors.management.base import PlainCommand
from mirrors.services.verification import verify_store
from mirrors.verifying.report import Report
from mirrors.verifying.sources import source_at


class Command(PlainCommand):
    help = (
        "Reads a store (a folder) or a mirror (http://, https://) as a stranger would and verifies all of it: "
        "metadata, documents, deltas, minisign signatures, plain addresses and index. "
        "Exit code 0, or that of the first thing that is wrong (13 signature, 14 malformed, 11 expired, 10 missing)."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "url", nargs="?", help="a folder or an address; default: the first store of ALMANAC_STORE"
        )
        parser.add_argument(
            "--fingerprint", help="the SHA-256 of the publisher's first root, to compare with"
        )

    def work(self, **options: Any) -> None:
        report = verify_store(
            source_at(options["url"] or settings.ALMANAC_STORES[0]),
            now=timezone.now(),
            fingerprint=options["fingerprint"],
            progress=self._progress(),
        )
        if options["as_json"]:
            self.print_json(report.as_json())
        else:
            self._say(report)
        sys.exit(report.exit_code)

    def _say(self, report: Report) -> None:
        for line in report.lines():
            self.stdout.write(line)
        for warning in report.warnings:
            self.stderr.write(f"warning: {warning}")
        for problem in report.problems:
            self.stderr.write(f"error: {problem.name}: {problem}")
        verdict = "all of it verified" if not report.problems else "not as it should be"
        self.stdout.write(f"{report.store}: {verdict}")

    def _progress(self) -> Any:
        """On a terminal, the name of what is being looked at, on one line that is written over."""
        if not self.stderr.isatty():
            return lambda _what: None
        return lambda what: self.stderr.write(f"\r\x1b[K{what[:100]}\r", ending="")
