"""What stands around every server command: its home is there, and what goes wrong is one line with an exit code."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.core.management import BaseCommand, ManagementUtility, get_commands
from django.db import DatabaseError

from almanac.errors import AlmanacError, LocalStateError, UsageError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")


def run(arguments: list[str]) -> None:
    try:
        prepare_home(settings.ALMANAC_HOME)
        CommandLine(arguments).execute()
    except AlmanacError as error:
        _stop(f"error: {error.name}: {error}", error.exit_code)
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        _stop(
            f"error: database: {reason} — is it there and migrated? Run 'manage.py migrate', then 'manage.py doctor'",
            1,
        )
    except BrokenPipeError:
        # Who read has seen enough. What is still buffered goes nowhere, so that the interpreter's end says nothing either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _stop(
            f"error: local-state: {error.strerror or error}{place} — see that there is room and that it may be written",
            16,
        )
    except KeyboardInterrupt:
        _stop("interrupted", 130)


class CommandLine(ManagementUtility):
    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Django's own answer to an unknown command is right, and its exit code says that the command failed."""
        known = get_commands()
        if subcommand in known:
            return super().fetch_command(subcommand)
        alike = get_close_matches(subcommand, known, n=1)
        raise UsageError(
            f"there is no command '{subcommand}'",
            advice=f"did you mean '{alike[0]}'?" if alike else "'manage.py help' lists them",
        )


def prepare_home(home: Path) -> None:
    """The folder of all state, for its owner only; one that cannot be written is said before anything is tried."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LocalStateError(
            f"ALMANAC_HOME cannot be written: {error.strerror}",
            where=f"({home})",
            advice="make it writable, or set ALMANAC_HOME to a folder of yours",
        ) from error


def _stop(line: str, code: int) -> NoReturn:
    sys.stderr.write(line + "\n")
    sys.exit(code)
