"""The command ``almanac``: what every command shares, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar

import click

from almanac import __version__
from almanac.config import Config
from almanac.errors import AlmanacError, LocalStateError, UsageError
from almanac.output import Console
from almanac.state import State

INTERRUPTED = 130


@dataclass(slots=True)
class Session:
    """What a command works with: its settings, its folder, its way to speak."""

    config: Config
    console: Console
    offline: bool

    @property
    def state(self) -> State:
        return State(self.config.state_dir, self.config.config_dir)


class Lazy(click.Group):
    """Commands whose modules are imported when they are called, in the order in which people meet them."""

    places: ClassVar[dict[str, str]] = {
        "trust": "commands.trusting",
        "sync": "commands.syncing",
        "status": "commands.reading",
        "list": "commands.reading",
        "show": "commands.reading",
        "search": "commands.reading",
        "diff": "commands.reading",
        "mirrors": "commands.mirrors",
    }

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        place = self.places.get(cmd_name)
        if place is None:
            return None
        from importlib import import_module

        from almanac.starting import without_signing_kits

        with without_signing_kits():
            found: click.Command = getattr(import_module(f"almanac.{place}"), f"{cmd_name}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.places:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.places, n=1)
            advice = f"did you mean {near[0]}?" if near else "see almanac --help"
            raise UsageError(f"there is no command {args[0]!r}", advice=advice)
        return super().resolve_command(ctx, args)


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``, ``--quiet`` and ``--offline``, before or after the command's name."""
    for option, help_text in (
        ("--offline", "Ask nobody; use what is held."),
        ("--quiet", "Only errors."),
        ("--json", "Answer as JSON."),
    ):
        name = "as_json" if option == "--json" else option.removeprefix("--")
        function = click.option(option, name, is_flag=True, help=help_text)(function)
    return function


def command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """A command that gets the ``Session`` first."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @click.command(name)
        @shared_options
        @click.pass_context
        @wraps(function)
        def run(ctx: click.Context, /, *, as_json: bool, quiet: bool, offline: bool, **options: Any) -> None:
            session: Session = ctx.obj
            session.console.as_json |= as_json
            session.console.quiet |= quiet
            session.offline |= offline
            function(session, **options)

        return run

    return decorate


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Data goes to standard output, messages to standard error. Exit codes: 0 done, 2 wrong use, 10 network, "
    "11 expired, 12 rollback refused, 13 signature, 14 malformed, 15 equivocation, 16 local state, 17 clock, "
    "18 too old for this schema, 130 interrupted. After any of them the catalog is the last good one.",
)
@shared_options
@click.version_option(__version__, prog_name="almanac")
@click.pass_context
def cli(ctx: click.Context, *, as_json: bool, quiet: bool, offline: bool) -> None:
    """Sync AI-model catalogs from mirrors that you need not trust, and read them offline."""
    session: Session = ctx.obj
    session.console.as_json |= as_json
    session.console.quiet |= quiet
    session.offline |= offline


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; whatever happens ends in one line and a code, never in a traceback."""
    console = Console(color=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    console.as_json = "--json" in given
    try:
        code = _run(console, given)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has gone (`almanac list | head`): nothing is left to say
        _say_no_more()
        return 0
    except OSError as error:
        unwritten = _unwritten(error)
        _say_no_more()
        console.out = sys.stdout
        return _failed(console, unwritten)
    return code


def _run(console: Console, given: list[str]) -> int:
    try:
        session = _session(console)
        # not cli.main(): it has its own idea of how interruptions and closed pipes end
        with cli.make_context("almanac", given, obj=session) as context:
            cli.invoke(context)
    except AlmanacError as error:
        return _failed(console, error)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        wrong = UsageError(error.format_message().rstrip(".").lower(), advice="see almanac --help")
        return _failed(console, wrong)
    except (KeyboardInterrupt, click.Abort):
        console.interrupted()
        return INTERRUPTED
    except OSError:
        raise  # of our own files it would be an AlmanacError: this one is standard output's
    except Exception as error:
        if os.environ.get("ALMANAC_DEBUG"):
            raise
        unexpected = AlmanacError(
            f"unexpected {type(error).__name__}: {error}",
            advice="please report it; ALMANAC_DEBUG=1 shows where",
        )
        return _failed(console, unexpected)
    return 0


def _failed(console: Console, error: AlmanacError) -> int:
    with suppress(OSError):  # where messages cannot be written either, the code still says it
        console.error(error)
    return error.exit_code


def _unwritten(error: OSError) -> LocalStateError:
    return LocalStateError(
        (error.strerror or str(error)).lower(),
        where=f"at {error.filename or 'standard output'}",
        advice="make room there, or write elsewhere",
    )


def _say_no_more() -> None:
    """What still waits to be written is dropped, so that leaving does not try it again."""
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115


def _session(console: Console) -> Session:
    config = Config.load()
    console.as_json |= config.switch("json")
    console.quiet |= config.switch("quiet")
    return Session(config, console, config.switch("offline"))
