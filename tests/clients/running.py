"""A running Almanac: its own folder, keys, database, publication and server, as ``manage.py`` makes and starts them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signing.metadata import fingerprint
from tests.mirrors.home import ROOT, Home

PATIENCE_S = 120
EMPTY = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from django.core.management import call_command
from signing.keyring import Keyring
from signing.sealing import Strength

call_command("migrate", verbosity=0)
Keyring.create(Path(sys.argv[1]) / "keys", now=datetime.now(timezone.utc), strength=Strength(1, 8 * 2**20))
"""
MARKED = (
    EMPTY
    + """
from catalog.records import key_of
from catalog.services.changes import ProposedChange, propose
from tests.clients.marker import RECORDS

changes = [ProposedChange(kind, key_of(kind, record), record) for kind, record in RECORDS]
propose(title="the marker", changes=changes, by="alice", now=datetime.now(timezone.utc))
call_command("publish", stdout=sys.stderr)
"""
)


@dataclass(frozen=True)
class Running:
    home: Home
    url: str

    def document(self, path: str) -> bytes:
        """What stands at a plain address below ``catalog/``."""
        with urllib.request.urlopen(f"{self.url}/catalog/{path}", timeout=PATIENCE_S) as answer:
            body: bytes = answer.read()
        return body

    def almanac(self, folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
        """Our own command, in a home of its own that trusts this server; its answer as JSON."""
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "client" / "src"),
            "ALMANAC_STATE_DIR": str(folder / "almanac"),
            "ALMANAC_CONFIG_DIR": str(folder / "almanac-config"),
        }
        print_of_root = fingerprint(self.home.store.get("metadata/1.root.json"))
        answer: dict[str, Any] = {}
        for command in (["trust", self.url, "--fingerprint", print_of_root], list(arguments)):
            done = subprocess.run(
                [sys.executable, "-m", "almanac", *command, "--json"],
                cwd=folder, env={**own, **environment}, capture_output=True, text=True, timeout=PATIENCE_S,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            answer = json.loads(done.stdout)
        return answer


@contextlib.contextmanager
def serving(home: Home) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [*home.command, "serve"],
        cwd=ROOT, env={**home.environment, "PORT": str(port), "WEB_CONCURRENCY": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _await(url, process)
        yield Running(home, url)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[1].decode()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/index.json", timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within {PATIENCE_S} seconds")
