"""A bad document for each client, in a running Almanac: nothing is published, it is said whom it would have broken, and
the clients that are running go on with what they had.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.registry import SCHEMAS
from tests.catalog.schemas import (
    test_aichat,
    test_catwalk,
    test_codex,
    test_genai_prices,
    test_hermes,
    test_modelsdev,
)
from tests.clients import marker, running
from tests.clients import test_codex as real_codex
from tests.clients import test_hermes as real_hermes
from tests.clients import test_opencode as real_opencode
from tests.clients.mirrored import MIRRORS
from tests.clients.running import Running
from tests.mirrors.home import Home

pytestmark = pytest.mark.slow

BAD: dict[str, tuple[bytes, str, str]] = {
    "codex": (test_codex.changed("priority", 1.0), "priority", "Codex"),
    "models.dev": (test_modelsdev.document(test_modelsdev.model_with(limit=...)), "limit", "opencode"),
    "hermes": (test_hermes.manifest({"id": "a", "default": True}, {"id": "b", "default": True}), "default", "Hermes"),
    "genai-prices": (
        test_genai_prices.document(test_genai_prices.model_with(prices=[])), "prices is missing", "genai-prices",
    ),
    "litellm": (b'{"a": {"litellm_provider": "openai", "input_cost_per_token": "1e-6"}}', "input_cost", "LiteLLM"),
    "catwalk": (
        test_catwalk.document(test_catwalk.model_with(context_window=128000.5)), "context_window", "Crush",
    ),
    "v2": (test_aichat.document("patch: {url: 'https://evil.example'}"), "patch.url", "aichat"),
}  # fmt: skip
"""Schema → a document, the field that is wrong in it, and whom it would break."""
IMPORT_AND_PUBLISH = """
import sys
from pathlib import Path
from django.core.management import call_command
from mirrors.services.edge import means_from_settings
from mirrors.services.preparing import StoppedError
from mirrors.services.publishing import publish

for file in sorted(Path(sys.argv[1]).glob("bad-*")):
    call_command("importcatalog", file.name.split("-", 2)[2], str(file), verbosity=0)
try:
    publish(means_from_settings(), by="alice")
except StoppedError as stop:
    for objection in stop.objections:
        print("stopped:", objection.overridable, objection.where, objection.reason)
"""


@pytest.fixture(scope="module")
def spoiled(marked_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """With what publishing said."""
    home = marked_home.copy(tmp_path_factory.mktemp("spoiled") / "home")
    with running.serving(home) as server:
        for number, (schema, (data, _, _)) in enumerate(BAD.items()):
            (home.folder / f"bad-{number}-{schema}").write_bytes(data)
        set_up = "import django; django.setup()\n"
        done = home.run([sys.executable, "-c", set_up + IMPORT_AND_PUBLISH, str(home.folder)], check=True)
        yield server, done.stdout


@pytest.mark.parametrize("schema", BAD)
def test_the_publication_stops_and_says_what_is_wrong_and_whom_it_would_break(
    schema: str, spoiled: tuple[Running, str]
):
    _, field, client = BAD[schema]
    said = [line for line in spoiled[1].splitlines() if line.startswith("stopped: False ")]
    assert any(SCHEMAS[schema].file in line and field in line and client in line for line in said), said


def test_no_document_has_changed(spoiled: tuple[Running, str], marked: Running):
    for schema in SCHEMAS.values():
        if schema.name != "almanac/v1":
            assert spoiled[0].document(schema.file) == marked.document(schema.file)
    assert json.loads(spoiled[0].home.store.get("index.json"))["release"] == 1


def test_opencode_goes_on(spoiled: tuple[Running, str], opencode: Path, tmp_path: Path):
    address = f"{spoiled[0].url}/catalog/models.dev"
    assert f"acme/{marker.NAME}" in real_opencode.listed(
        opencode, tmp_path, "--refresh", OPENCODE_MODELS_URL=address
    )


def test_codex_goes_on(spoiled: tuple[Running, str], codex: Path, tmp_path: Path):
    models = real_codex.listed(codex, tmp_path, real_codex.BY_ADDRESS.format(url=spoiled[0].url))
    assert [model["slug"] for model in models] == [marker.NAME]


def test_hermes_goes_on(spoiled: tuple[Running, str], hermes: Path, tmp_path: Path):
    offered = real_hermes.picked(hermes, tmp_path, real_hermes.by_address(spoiled[0].url))
    assert offered == [real_hermes.MARKER]


def test_the_mirrored_clients_go_on(spoiled: tuple[Running, str]):
    for schema, mirror in MIRRORS.items():
        known: Any = mirror.read(spoiled[0].document(SCHEMAS[schema].file))
        assert known.named(mirror.marker, mirror.name)
