"""What ``make run`` does on a fresh machine, used as a newcomer uses it: start, fetch, verify, trust, sync, stop, start again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import require_program

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
ALMANAC = (sys.executable, "-m", "almanac")
PATIENCE_S = 180.0


@dataclass
class Newcomer:
    """A home with nothing in it, and a port."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = ("PATH", "LANG", "PYTHONPATH")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(self.folder),
            "ALMANAC_HOME": str(self.folder / "home"),
            "ALMANAC_STATE_DIR": str(self.folder / "client"),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}",
        }

    @contextmanager
    def started(self) -> Iterator[str]:
        """What it printed when it serves; ended by Ctrl-C."""
        printed = self.folder / "printed"
        with printed.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "start"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
                env={**self.environment, "PORT": str(self.port)}, start_new_session=True,
            )  # fmt: skip
        try:
            until = time.monotonic() + PATIENCE_S
            while not self._serves():
                assert process.poll() is None, printed.read_text()
                assert time.monotonic() < until, printed.read_text()
                time.sleep(0.2)
            yield printed.read_text()
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)

    def _serves(self) -> bool:
        try:
            return bool(self.fetch("/catalog/v2/models.yaml"))
        except (OSError, urllib.error.URLError):
            return False

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return Newcomer(tmp_path, port)


def said(printed: str, words: str) -> str:
    found = re.search(rf"{words} +(.+)", printed)
    assert found, printed
    return found[1].strip()


def test_a_newcomer_starts_it_fetches_verifies_trusts_syncs_and_starts_it_again(newcomer: Newcomer) -> None:
    minisign = require_program("minisign")
    with newcomer.started() as printed:
        assert "shown this once" in printed
        for name in ("models.yaml", "models.yaml.minisig"):
            (newcomer.folder / name).write_bytes(newcomer.fetch(f"/catalog/v2/{name}"))
        assert newcomer.fetch("/catalog/v2/models.yaml").startswith(b"- provider: ")
        key = said(printed, "minisign key")
        newcomer.run(minisign, "-Vm", str(newcomer.folder / "models.yaml"), "-P", key)

        trust = said(printed, "trust it").split()
        assert trust[0] == ".venv/bin/almanac"
        newcomer.run(*ALMANAC, *trust[1:])
        assert "release 1 from" in newcomer.run(*ALMANAC, "sync")
        assert "anthropic/" in newcomer.run(*ALMANAC, "search", "sonnet")

        # Another shell, in which nobody says PORT again: the same installation, so there is nothing to publish.
        assert "nothing to publish" in newcomer.run(sys.executable, "manage.py", "publish")

    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", newcomer.port), timeout=5)
    with newcomer.started() as again:
        assert said(again, "root fingerprint") == said(printed, "root fingerprint")
        assert said(again, "minisign key") == key
        assert "password" not in again
        assert "up to date" in newcomer.run(*ALMANAC, "sync")
