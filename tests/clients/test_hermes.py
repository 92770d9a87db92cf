"""Hermes Agent itself, unmodified, reads our manifest; and refuses what the gate stops.

Installed by name from PyPI into an environment of its own in a temporary folder; skipped, with the reason, where that fails.
What is called is what its picker calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.hermes import HERMES
from tests.catalog.schemas.memory import MemoryCatalog, give_out
from tests.catalog.schemas.test_hermes import manifest
from tests.clients.serving import DocumentServer, serving
from tests.factories import entry, lab, offering, price, provider

pytestmark = pytest.mark.slow

VERSION = "0.19.0"
READ = "import json; from hermes_cli import model_catalog as c; print(json.dumps(c.get_curated_openrouter_models()))"


@pytest.fixture(scope="session")
def hermes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has it."""
    folder = tmp_path_factory.mktemp("hermes") / "environment"
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", f"hermes-agent=={VERSION}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            pytest.skip(
                f"Hermes Agent is unproven here: it cannot be installed: {done.stderr.strip()[-300:]}"
            )
    return python


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    with serving() as running:
        yield running


def picked(hermes: Path, server: DocumentServer, home: Path, body: bytes) -> list[list[str]] | None:
    """What its picker offers of OpenRouter with this manifest: ids with their badges; ``None`` for its own list."""
    server.body = body
    (home / "config.yaml").write_text(f"model_catalog:\n  url: {server.url}/hermes/model-catalog.json\n")
    done = subprocess.run(
        [hermes, "-c", READ],
        cwd=home, capture_output=True, text=True, timeout=120, check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "HERMES_HOME": str(home), "no_proxy": "127.0.0.1"},
    )  # fmt: skip
    found: list[list[str]] | None = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_offers_our_models_with_their_badges(hermes: Path, server: DocumentServer, tmp_path: Path):
    catalog = MemoryCatalog(
        [
            lab(), provider("openrouter"), entry("zeta-9000", capabilities={"tools": True}),
            offering("acme/zeta-9000", provider="openrouter", entry="acme/zeta-9000", prices=[price()]),
            offering(
                "acme/zeta-9000:free", provider="openrouter", entry="acme/zeta-9000",
                prices=[price("0"), price("0", meter="output")],
            ),
        ]
    )  # fmt: skip
    data = give_out(catalog, "hermes").data
    assert HERMES.gate(data) == []
    assert picked(hermes, server, tmp_path, data) == [["acme/zeta-9000", ""], ["acme/zeta-9000:free", "free"]]
    assert server.asked == ["/hermes/model-catalog.json"]


MARKER = {"id": "acme/zeta-9000"}


@pytest.mark.parametrize(
    "data",
    [
        manifest(MARKER, version=2), manifest(MARKER, version="1"), manifest(MARKER, {"id": " "}), manifest(MARKER, {}),
        manifest(MARKER, providers={"openrouter": {"models": [MARKER]}, "nous": {}}), manifest(MARKER, "text"),
    ],
)  # fmt: skip
def test_what_the_gate_stops_it_would_have_refused(
    data: bytes, hermes: Path, server: DocumentServer, tmp_path: Path
):
    assert any(finding.severity == "stop" for finding in HERMES.gate(data))
    offered: Any = picked(hermes, server, tmp_path, data) or []
    assert "acme/zeta-9000" not in [name for name, _ in offered]
