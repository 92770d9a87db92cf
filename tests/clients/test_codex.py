"""Codex itself, unmodified, reads our list of models; and shows none at all for what the gate stops.

Installed by name from npm into a temporary folder; skipped, with the reason, where that fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.codex import CODEX
from tests.catalog.schemas.memory import MemoryCatalog, give_out
from tests.catalog.schemas.test_codex import ITEM, document
from tests.clients.serving import DocumentServer, serving
from tests.factories import entry, lab, offering, provider

pytestmark = pytest.mark.slow

VERSION = "0.169.0"
CONFIG = """
model = "zeta-9000"
model_provider = "acme"
[features]
api_key_model_discovery = true
[model_providers.acme]
name = "Acme"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "ACME_API_KEY"
model_catalog_url = "{url}/catalog/codex/models.json"
"""
GOOD = ITEM | {"slug": "good", "display_name": "Good"}


@pytest.fixture(scope="session")
def codex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Codex is unproven here: there is no npm")
    folder = tmp_path_factory.mktemp("codex")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"@openai/codex@{VERSION}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)
    found = folder / "node_modules" / ".bin" / "codex"
    if done.returncode or not found.exists():
        pytest.skip(f"Codex is unproven here: npm cannot install it: {done.stderr.strip()[-300:]}")
    return found


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    with serving() as running:
        yield running


def listed(codex: Path, server: DocumentServer, home: Path, body: bytes) -> list[dict[str, Any]]:
    """The models that Codex prints with this document at the address of its list."""
    server.body = body
    (home / "config.toml").write_text(CONFIG.format(url=server.url))
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "ACME_API_KEY": "none",
    }  # fmt: skip
    done = subprocess.run(
        [codex, "debug", "models"],
        cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    models: list[dict[str, Any]] = found["models"] if isinstance(found, dict) else found
    return models


def test_it_lists_our_model_with_our_limits(codex: Path, server: DocumentServer, tmp_path: Path):
    catalog = MemoryCatalog(
        [
            lab(), provider("openai"),
            entry(
                "zeta-9000", limits={"context_tokens": 424242}, capabilities={"tools": True},
                modalities={"input": ["text", "image"], "output": ["text"]},
            ),
            offering("zeta-9000", provider="openai", entry="acme/zeta-9000"),
        ]
    )  # fmt: skip
    data = give_out(catalog, "codex").data
    assert CODEX.gate(data) == []
    (model,) = listed(codex, server, tmp_path, data)
    assert (model["slug"], model["context_window"]) == ("zeta-9000", 424242)
    assert model["input_modalities"] == ["text", "image"]
    assert any(f"client_version={VERSION}" in path for path in server.asked)


def test_what_the_gate_passes_it_lists(codex: Path, server: DocumentServer, tmp_path: Path):
    data = document(
        ITEM, GOOD | {"upgrade": {"model": "x", "migration_markdown": "y"}, "context_window": None}
    )
    assert CODEX.gate(data) == []
    assert [model["slug"] for model in listed(codex, server, tmp_path, data)] == ["acme-zeta-9000", "good"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", ""), ("slug", "good"), ("display_name", ...), ("supported_reasoning_levels", ["low"]),
        ("shell_type", "zsh"), ("truncation_policy", {"mode": "bytes", "limit": 1.5}), ("priority", 1.0),
        ("base_instructions", None), ("context_window", "424242"), ("input_modalities", ["pdf"]),
        ("upgrade", {"model": "x"}), ("service_tiers", ["fast"]), ("apply_patch_tool_type", "function"),
    ],
)  # fmt: skip
def test_what_the_gate_stops_would_have_emptied_its_list(
    field: str, value: Any, codex: Path, server: DocumentServer, tmp_path: Path
):
    """A bad model beside a good one: neither is shown."""
    bad = {name: given for name, given in (ITEM | {field: value}).items() if given is not ...}
    data = document(bad, GOOD)
    assert any(finding.severity == "stop" for finding in CODEX.gate(data))
    assert listed(codex, server, tmp_path, data) == []
