"""What this room's commands share: errors in plain words with their exit code, ``--json``, never a traceback."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from almanac.errors import AlmanacError, LocalStateError, MalformedError, UsageError
from catalog.schemas.base import Schema
from catalog.schemas.registry import SCHEMAS

LARGEST_FILE: Final = 64 * 1024 * 1024
"""Twenty times the largest catalog known; what is bigger is no catalog."""


class PlainCommand(BaseCommand):
    """Subclasses write ``work``; what it raises becomes one line on standard error and an exit code."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self.work(**options)
        except AlmanacError as error:
            if options.get("as_json"):
                self.print_json(error.as_json())
            self._fail(f"error: {error.name}: {error}", error.exit_code)
        except DatabaseError as error:
            first_line = str(error).strip().partition("\n")[0]
            self._fail(f"error: database: {first_line} — is it there? Run 'manage.py migrate', then again", 1)
        except (
            BrokenPipeError
        ):  # whoever read has seen enough, as `| head` does; nothing may be flushed to them
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except KeyboardInterrupt:
            self._fail("interrupted; nothing was written", 130)

    def work(self, **options: Any) -> None:
        raise NotImplementedError

    def print_json(self, facts: object) -> None:
        self.stdout.write(json.dumps(facts, ensure_ascii=False, default=str))

    def _fail(self, line: str, code: int) -> None:
        self.stderr.write(line)
        sys.exit(code)


class DocumentError(MalformedError):
    """A file that is not the document it should be; says where in it."""

    def __init__(self, file: str, line: int, reason: str, advice: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}", advice=advice)


class Progress:
    """A line on a terminal's standard error, at most ten times a second; silent elsewhere."""

    def __init__(self, command: BaseCommand, word: str) -> None:
        self._stream = command.stderr
        self._word = word
        self._shown = 0.0

    def __call__(self, done: int, total: int) -> None:
        if not self._stream.isatty():
            return
        now = time.monotonic()
        if now - self._shown > 0.1 or done == total:
            self._shown = now
            self._stream.write(f"\r{self._word} {done:,} of {total:,}", ending="\n" if done == total else "")
            self._stream.flush()


def schema_named(name: str) -> Schema:
    if name not in SCHEMAS:
        raise UsageError(f"there is no schema {name!r}", advice=f"one of {', '.join(sorted(SCHEMAS))}")
    return SCHEMAS[name]


def file_bytes(path: str) -> bytes:
    """Raises ``UsageError`` where there is no such file, ``MalformedError`` where it is too large to be a catalog."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(
                LARGEST_FILE + 1
            )  # never more: a pipe and a device have no size that could be asked for
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", advice="check the file's name") from None
    if len(data) > LARGEST_FILE:
        raise DocumentError(path, 0, f"is larger than {LARGEST_FILE // 1024**2} MiB", "no catalog is")
    return data


def write_file(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise LocalStateError(
            f"{path} cannot be written: {error.strerror}", advice="choose another file"
        ) from None


def operator() -> str:
    """Who is at the keyboard, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
