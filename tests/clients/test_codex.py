"""Codex itself, unmodified, reads our list of models; and shows none at all for what the gate stops."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.codex import CODEX
from tests.catalog.schemas import test_codex as the_gate
from tests.catalog.schemas.test_codex import ITEM, document
from tests.clients import marker
from tests.clients.cases import cases_of
from tests.clients.installing import CODEX as VERSION
from tests.clients.running import Running, serving
from tests.clients.serving import DocumentServer
from tests.clients.table import REAL, Table
from tests.mirrors.home import Home

pytestmark = pytest.mark.slow

BY_ADDRESS = """
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
OLDER_ONES_NEED = ("supports_reasoning_summaries", "supports_parallel_tool_calls")
"""This version reads a model without them; the gate also speaks for those before it."""


def run(codex: Path, home: Path, settings: str) -> subprocess.CompletedProcess[str]:
    (home / "config.toml").write_text(settings)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "ACME_API_KEY": "none",
    }  # fmt: skip
    return subprocess.run(
        [codex, "debug", "models"],
        cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def listed(codex: Path, home: Path, settings: str) -> list[dict[str, Any]]:
    """The models that Codex prints."""
    found = json.loads(run(codex, home, settings).stdout)
    models: list[dict[str, Any]] = found["models"] if isinstance(found, dict) else found
    return models


def test_it_lists_the_marker_of_a_running_almanac_with_our_limits(
    codex: Path, marked: Running, tmp_path: Path, table: Table
):
    (model,) = listed(codex, tmp_path, BY_ADDRESS.format(url=marked.url))
    assert (model["slug"], model["context_window"]) == (marker.NAME, marker.CONTEXT)
    assert model["input_modalities"] == ["text", "image"]
    table.proven("codex", run_as=REAL)


def test_it_says_which_version_asks(codex: Path, server: DocumentServer, tmp_path: Path):
    server.body = document(ITEM)
    assert listed(codex, tmp_path, BY_ADDRESS.format(url=server.url)) != []
    assert any(f"client_version={VERSION}" in path for path in server.asked)


def test_a_model_that_needs_a_newer_codex_is_not_told_to_this_one(
    codex: Path, marked_home: Home, tmp_path: Path
):
    """It says its version, and a running Almanac leaves out what that version could not serve."""
    listed_by_us = tmp_path / "models.json"
    newer = {"slug": "newer", "minimal_client_version": "99.0.0"}
    older = {"slug": "older", "minimal_client_version": "0.1.0"}
    listed_by_us.write_bytes(document(ITEM | older, ITEM | newer))
    home = marked_home.copy(tmp_path / "server")
    home.manage("importcatalog", "codex", str(listed_by_us))
    guards = ("--override", "shrink", "--override", "mass-change", "--reason", "two models stand for all")
    home.manage("publish", *guards)
    with serving(home) as server:
        models = listed(codex, tmp_path, BY_ADDRESS.format(url=server.url))
        assert [model["slug"] for model in models] == ["older"]
        whole = json.loads(server.document("codex/models.json"))["models"]
        assert [model["slug"] for model in whole] == ["older", "newer"]


def test_it_lists_the_marker_from_the_file_that_sync_wrote(codex: Path, marked: Running, tmp_path: Path):
    done = marked.almanac(tmp_path, "sync", "--for", "codex", CODEX_HOME=str(tmp_path))["installed"]
    (line,) = done["configuration"]
    settings = line.partition("at the top: ")[2]
    (model,) = listed(codex, tmp_path, settings)
    assert (model["slug"], model["context_window"]) == (marker.NAME, marker.CONTEXT)
    mine = tmp_path / "mine.json"
    mine.write_bytes(document(ITEM))
    (tmp_path / "config.toml").write_text(f"model_catalog_json = '{mine}'")
    again = marked.almanac(tmp_path, "sync", "--for", "codex", CODEX_HOME=str(tmp_path))["installed"]
    assert again["file"] == str(mine)
    assert [model["slug"] for model in listed(codex, tmp_path, f"model_catalog_json = '{mine}'")] == [
        marker.NAME
    ]
    marked.almanac(tmp_path, "sync", "--for", "codex", "--restore", CODEX_HOME=str(tmp_path))
    assert [model["slug"] for model in listed(codex, tmp_path, f"model_catalog_json = '{mine}'")] == [
        ITEM["slug"]
    ]


def test_what_the_gate_passes_it_lists(codex: Path, server: DocumentServer, tmp_path: Path):
    server.body = document(
        ITEM, GOOD | {"upgrade": {"model": "x", "migration_markdown": "y"}, "context_window": None}
    )
    assert CODEX.gate(server.body) == []
    models = listed(codex, tmp_path, BY_ADDRESS.format(url=server.url))
    assert [model["slug"] for model in models] == ["acme-zeta-9000", "good"]


@pytest.mark.parametrize(
    ("field", "value"), [*cases_of(the_gate.test_the_gate_stops_what_would_empty_the_list), ("slug", "good")]
)
def test_what_the_gate_stops_would_have_emptied_its_list(
    field: str, value: Any, codex: Path, server: DocumentServer, tmp_path: Path
):
    """A bad model beside a good one: neither is shown."""
    bad = {name: given for name, given in (ITEM | {field: value}).items() if given is not ...}
    server.body = document(bad, GOOD)
    assert any(finding.severity == "stop" for finding in CODEX.gate(server.body))
    models = listed(codex, tmp_path, BY_ADDRESS.format(url=server.url))
    assert (models == []) is (field not in OLDER_ONES_NEED)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"models": {}}', document(None)])
def test_with_a_document_of_another_shape_in_its_file_it_does_not_even_start(
    data: bytes, codex: Path, tmp_path: Path
):
    file = tmp_path / "models.json"
    file.write_bytes(data)
    assert any(finding.severity == "stop" for finding in CODEX.gate(data))
    assert run(codex, tmp_path, f"model_catalog_json = '{file}'").returncode != 0
