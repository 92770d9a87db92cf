"""Hermes Agent itself, unmodified, reads our manifest; and refuses what the gate stops.

What is called is what its picker calls.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from catalog.schemas.hermes import HERMES
from tests.catalog.schemas import test_hermes as the_gate
from tests.catalog.schemas.memory import MemoryCatalog, give_out
from tests.catalog.schemas.test_hermes import manifest
from tests.clients.cases import cases_of
from tests.clients.running import Running
from tests.clients.serving import DocumentServer
from tests.clients.table import REAL, Table
from tests.factories import entry, lab, offering, price, provider

pytestmark = pytest.mark.slow

READ = "import json; from hermes_cli import model_catalog as c; print(json.dumps(c.get_curated_openrouter_models()))"
NOWHERE = "http://127.0.0.1:9/model-catalog.json"
MARKER = ["acme/zeta-9000", ""]
READ_ANYWAY = (
    manifest({"id": "a", "description": None}),
    manifest({"id": "a", "default": "true"}),
    manifest({"id": "a", "default": True}, {"id": "b", "default": True}),
)
"""It shows these, and takes a default that nobody meant."""


def picked(hermes: Path, home: Path, settings: str) -> list[list[str]]:
    """What its picker offers of OpenRouter: ids with their badges; empty where it would fall back on its own list."""
    (home / "config.yaml").write_text(f"model_catalog: {settings}\n")
    done = subprocess.run(
        [hermes, "-c", READ],
        cwd=home, capture_output=True, text=True, timeout=300, check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "HERMES_HOME": str(home), "no_proxy": "127.0.0.1"},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]) or []


def by_address(url: str) -> str:
    return f"{{url: {url}/catalog/hermes/model-catalog.json}}"


def test_it_offers_the_marker_of_a_running_almanac(
    hermes: Path, marked: Running, tmp_path: Path, table: Table
):
    assert picked(hermes, tmp_path, by_address(marked.url)) == [MARKER]
    table.proven("hermes", run_as=REAL)


def test_it_offers_the_marker_from_the_file_that_sync_wrote(hermes: Path, marked: Running, tmp_path: Path):
    """Its address answers nothing, and the file is young: so it was the file."""
    done = marked.almanac(tmp_path, "sync", "--for", "hermes", HERMES_HOME=str(tmp_path))["installed"]
    assert done["file"] == str(tmp_path / "cache" / "model_catalog.json")
    settings = f"{{url: '{NOWHERE}', ttl_hours: 168}}"
    assert picked(hermes, tmp_path, settings) == [MARKER]
    marked.almanac(tmp_path, "sync", "--for", "hermes", "--restore", HERMES_HOME=str(tmp_path))
    assert picked(hermes, tmp_path, settings) == []


def test_a_model_that_is_free_has_the_badge(hermes: Path, server: DocumentServer, tmp_path: Path):
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
    server.body = give_out(catalog, "hermes").data
    assert HERMES.gate(server.body) == []
    assert picked(hermes, tmp_path, by_address(server.url)) == [MARKER, ["acme/zeta-9000:free", "free"]]


@pytest.mark.parametrize(
    "data",
    [
        *cases_of(the_gate.test_the_gate_stops_what_makes_hermes_refuse_the_manifest),
        manifest({"id": "a"}, {"id": " "}), manifest({"id": "a"}, {}), manifest({"id": "a"}, "text"),
    ],
)  # fmt: skip
def test_what_the_gate_stops_it_would_have_refused(
    data: bytes, hermes: Path, server: DocumentServer, tmp_path: Path
):
    assert any(finding.severity == "stop" for finding in HERMES.gate(data))
    server.body = data
    offered = picked(hermes, tmp_path, by_address(server.url))
    assert ("a" in [name for name, _ in offered]) is (data in READ_ANYWAY)
