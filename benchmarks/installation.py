"""A whole Almanac in a temporary folder, used as an operator and a user do: through its commands and over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT
from benchmarks.wire import Wire

ALMANAC = "import sys; from almanac.cli import main; sys.exit(main())"
"""What the installed command ``almanac`` runs."""
MOST_OVERRIDES = 10
"""No publication is stopped by more guards than there are."""


class CommandError(RuntimeError):
    def __init__(self, command: str, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        super().__init__(f"{command}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")


class Installation:
    """One ``ALMANAC_HOME``, its port and its server, reached through a counting wire."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self.wire = free_port(), Wire(free_port(), 0)
        self.wire.target = self.port
        self.url = f"http://127.0.0.1:{self.wire.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ALMANAC_")},
            "ALMANAC_HOME": str(home),
            "PORT": str(self.port),
            "PUBLIC_BASE_URL": self.url,
            "DATABASE_URL": "",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client" / "src")]),
        }

    def manage(self, *arguments: str) -> str:
        return self._run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            self.environment,
            f"manage.py {arguments[0]}",
        )

    def prepare(self) -> None:
        """An empty database and keys, as ``make run`` makes them."""
        self.manage("migrate", "--verbosity", "0")
        self.manage("keys", "create")

    def publish(self, reason: str) -> dict[str, Any]:
        """Publishes; where a guard stops it, again with that guard overridden, for the stated reason.

        Answers the command's report, with the guards that had to be overridden.
        """
        overridden: list[str] = []
        for _ in range(MOST_OVERRIDES):
            arguments = [word for guard in overridden for word in ("--override", guard)]
            arguments += ["--reason", reason] if overridden else []
            try:
                report = json.loads(self.manage("publish", "--json", *arguments).splitlines()[-1])
            except CommandError as error:
                guard = re.search(r"guard ([a-z][a-z0-9-]*)", error.errors + error.output)
                if guard is None or guard[1] in overridden:
                    raise
                overridden.append(guard[1])
            else:
                self.manage("tick")  # what a worker does next: compressed copies beside what was published
                return {**report, "overridden": overridden}
        raise RuntimeError(f"still stopped after overriding {', '.join(overridden)}")

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """The real server; the address of the wire to it, once it answers."""
        log = (self.home / "serve.log").open("wb")
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "serve"],
            cwd=ROOT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait_until_it_answers(server)
            with self.wire.running():
                yield self.url
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            log.close()

    def _wait_until_it_answers(self, server: subprocess.Popen[bytes], patience_s: float = 60) -> None:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and server.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise RuntimeError(f"the server did not answer: {(self.home / 'serve.log').read_text()[-2000:]}")

    def client(self, folder: Path) -> Client:
        return Client(self, folder)

    def _run(self, command: list[str], environment: dict[str, str], name: str) -> str:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(name, done)
        return done.stdout


class Client:
    """A user's ``almanac`` with a state of its own."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation = installation
        self.state = folder / "state"
        self.environment = {
            **installation.environment,
            "ALMANAC_STATE_DIR": str(self.state),
            "ALMANAC_CONFIG_DIR": str(folder / "config"),
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
        }

    def run(self, *arguments: str) -> str:
        return self.installation._run(  # noqa: SLF001  # two halves of one fixture
            [sys.executable, "-c", ALMANAC, *arguments], self.environment, f"almanac {arguments[0]}"
        )

    def trust(self) -> None:
        """By the fingerprint that a careful publisher tells otherwise than over this connection."""
        with urllib.request.urlopen(f"{self.installation.url}/index.json") as answer:
            fingerprint = json.load(answer)["root_fingerprint"]
        self.run("trust", self.installation.url, "--fingerprint", fingerprint)

    def sync(self, *arguments: str) -> dict[str, Any]:
        """What the command says it did."""
        return dict(json.loads(self.run("sync", "--json", *arguments)))

    def documents(self) -> dict[str, bytes]:
        """Path → the bytes that this client has accepted, as its pointer and its folder have them."""
        newest = json.loads((self.state / "accepted.json").read_text())["releases"][0]
        return {
            path: (self.state / "documents" / held["sha256"]).read_bytes()
            for path, held in newest["documents"].items()
        }


@contextlib.contextmanager
def temporary_installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        yield Installation(home)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
