"""``manage.py serve [--worker]``: the origin on 127.0.0.1:PORT, with the embedded worker beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from mirrors.counting import fresh_folder
from mirrors.management.base import PlainCommand
from mirrors.services.serving import require_free_port, run_together


class Command(PlainCommand):
    help = "Serve the published catalog and the admin on 127.0.0.1 (PORT), with WEB_CONCURRENCY processes."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
        parser.add_argument(
            "--worker", action="store_true", help="run the embedded worker as well; both stop together"
        )

    def work(self, **options: Any) -> None:
        host, port = options["host"], settings.PORT
        require_free_port(host, port)
        os.environ.update(fresh_folder(settings.ALMANAC_HOME / "metrics"))
        commands = [web_command(host, port, settings.WEB_CONCURRENCY)]
        if options["worker"]:
            commands.append([sys.executable, str(settings.BASE_DIR / "manage.py"), "work"])
        if code := run_together(commands):
            self.stderr.write(f"error: a process ended by itself (exit code {code}), so all were stopped")
            sys.exit(code)


def web_command(host: str, port: int, workers: int) -> list[str]:
    """Granian in its WSGI mode; see benchmarks for what it was measured against."""
    return [
        str(Path(sys.executable).with_name("granian")),
        "--interface", "wsgi",
        "--host", host,
        "--port", str(port),
        "--workers", str(workers),
        "--http", "1",
        "--no-ws",
        # Each slow reader of a large document holds a thread; the default would be up to 256 database connections.
        "--blocking-threads", "64",
        "--workers-kill-timeout", "3",
        "--log-level", "error",
        "--respawn-failed-workers",
        "deploy.wsgi:application",
    ]  # fmt: skip
