"""``manage.py doctor``: is all well, and what to do where it is not; exit code 1 when something is wrong."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from mirrors.checks import Check, examined, worst
from mirrors.management.base import PlainCommand
from mirrors.services.edge import facts_from_settings

SIGNS = {"good": "ok  ", "warn": "warn", "bad": "BAD "}


class Command(PlainCommand):
    help = "Look at database, stores, keys, signatures and work, and say what to do. Exit code 1: something is wrong."
    requires_system_checks: list[str] = []

    def work(self, **options: Any) -> None:
        checks = examined(facts_from_settings(write=True, public=True))
        wrong = worst(checks) == "bad"
        if options["as_json"]:
            self.print_json({"ok": not wrong, "checks": [asdict(check) for check in checks]})
        else:
            self.stdout.write("\n".join(_line(check) for check in checks))
        if wrong:
            sys.exit(1)


def _line(check: Check) -> str:
    advice = f" — {check.advice}" if check.advice else ""
    return f"{SIGNS[check.verdict]} {check.name}: {check.says}{advice}"
