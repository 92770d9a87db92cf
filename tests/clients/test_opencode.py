"""opencode itself, unmodified, reads our models.dev document; and does what the gate says it does with bad ones.

Installed by name from npm into a temporary folder; skipped, with the reason, where that fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.modelsdev import MODELS_DEV
from tests.catalog.schemas.memory import MemoryCatalog, give_out
from tests.catalog.schemas.test_modelsdev import HEAD, document, model_with
from tests.factories import entry, lab, offering, price, provider

pytestmark = pytest.mark.slow

VERSION = "1.18.33"
GOOD = {**HEAD, "id": "good", "name": "Good", "models": {"fine": model_with(id="fine", name="Fine")}}


@pytest.fixture(scope="session")
def opencode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("opencode is unproven here: there is no npm")
    folder = tmp_path_factory.mktemp("opencode")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"opencode-ai@{VERSION}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    found = sorted(folder.glob("node_modules/opencode-linux-*/bin/opencode"), key=lambda path: len(str(path)))
    if done.returncode or not found:
        pytest.skip(f"opencode is unproven here: npm cannot install it: {done.stderr.strip()[-300:]}")
    return found[0]


class _Document(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body: bytes = self.server.body  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        return


@pytest.fixture
def serving() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Document)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def listed(opencode: Path, server: ThreadingHTTPServer, home: Path, body: bytes, *more: str) -> str:
    """What ``opencode models`` prints with this document at the place of models.dev's."""
    server.body = body  # type: ignore[attr-defined]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        **{f"XDG_{name}_HOME": str(home / name) for name in ("CACHE", "DATA", "CONFIG", "STATE")},
        "ACME_API_KEY": "none",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_MODELS_URL": f"http://127.0.0.1:{server.server_port}",
    }
    done = subprocess.run(
        [opencode, "models", "--refresh", *more],
        cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout


def test_it_lists_our_model_with_our_price_and_our_limits(
    opencode: Path, serving: ThreadingHTTPServer, tmp_path: Path
):
    catalog = MemoryCatalog(
        [
            lab(),
            provider("acme", env=["ACME_API_KEY"], api="https://api.acme.example/v1"),
            entry("zeta-9000", limits={"context_tokens": 424242, "max_output_tokens": 4242}),
            offering(
                "zeta-9000",
                entry="acme/zeta-9000",
                prices=[
                    price("0.0000015"),
                    price("0.000006", meter="output"),
                    price("0.000003", above_tokens=200_000),
                ],
            ),
        ]
    )
    data = give_out(catalog, "models.dev").data
    assert MODELS_DEV.gate(data) == []
    printed = listed(opencode, serving, tmp_path, data, "acme", "--verbose")
    name, _, rest = printed.partition("\n")
    assert name == "acme/zeta-9000"
    model = json.loads(rest)
    assert (model["limit"]["context"], model["limit"]["output"]) == (424242, 4242)
    assert (model["cost"]["input"], model["cost"]["output"]) == (1.5, 6)
    assert model["api"]["url"] == "https://api.acme.example/v1"
    [tier] = model["cost"]["tiers"]
    assert (tier["input"], tier["output"], tier["tier"]) == (3, 6, {"type": "context", "size": 200000})
    assert model["capabilities"]["input"]["text"]


@pytest.mark.parametrize(
    ("bad", "is_left"),
    [
        ({"models": {"bad": model_with(limit=...)}}, False),
        ({"models": {"bad": model_with(reasoning_options=None)}}, False),
        ("text", False),
        ({"models": {"bad": model_with(name=None)}}, True),
        ({"models": {"bad": model_with(status="retired")}}, True),
        (
            {
                "models": {
                    "bad": model_with(
                        cost={
                            "input": 1,
                            "output": 2,
                            "tiers": [{"tier": {"size": 1000}, "input": 1, "output": 2}],
                        }
                    )
                }
            },
            True,
        ),
    ],
)
def test_what_the_gate_stops_would_have_broken_it(
    bad: Any, is_left: bool, opencode: Path, serving: ThreadingHTTPServer, tmp_path: Path
):
    """A bad provider beside a good one: it is gone from the list, or the whole list is."""
    broken = {**HEAD, **bad} if isinstance(bad, dict) else bad
    data = json.dumps({"acme": broken, "good": GOOD}).encode()
    assert any(finding.severity == "stop" for finding in MODELS_DEV.gate(data))
    printed = listed(opencode, serving, tmp_path, data)
    assert "acme/bad" not in printed
    assert ("good/fine" in printed) is is_left


def test_what_the_gate_passes_it_lists(opencode: Path, serving: ThreadingHTTPServer, tmp_path: Path):
    without_options = model_with(reasoning_options=...)
    for model in (..., without_options):
        assert MODELS_DEV.gate(document(model)) == []
        assert "acme/zeta-9000" in listed(opencode, serving, tmp_path, document(model))
