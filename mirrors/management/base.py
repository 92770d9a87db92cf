"""What every command of this app shares: errors in plain words with their exit code, ``--json``, no traceback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from almanac.errors import AlmanacError


class PlainCommand(BaseCommand):
    """Subclasses write ``work``; what it raises becomes one line and an exit code."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        with self.in_plain_words(as_json=options.get("as_json", False)):
            self.work(**options)

    def work(self, **options: Any) -> None:
        raise NotImplementedError

    @contextmanager
    def in_plain_words(self, *, as_json: bool) -> Iterator[None]:
        try:
            yield
        except AlmanacError as error:
            if as_json:
                self.stdout.write(json.dumps(error.as_json(), ensure_ascii=False))
            self._fail(f"error: {error.name}: {error}", error.exit_code)
        except DatabaseError as error:
            first_line = str(error).strip().partition("\n")[0]
            advice = "is it there and migrated? Run 'manage.py migrate', then 'manage.py doctor'"
            self._fail(f"error: database: {first_line} — {advice}", 1)
        except KeyboardInterrupt:
            self._fail("interrupted; the next publication or tick goes on from here", 130)

    def print_json(self, facts: object) -> None:
        self.stdout.write(json.dumps(facts, ensure_ascii=False, default=str))

    def _fail(self, line: str, code: int) -> None:
        self.stderr.write(line)
        sys.exit(code)
