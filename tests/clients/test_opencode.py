"""opencode itself, unmodified, reads our models.dev document; and does what the gate says it does with bad ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.modelsdev import MODELS_DEV
from tests.catalog.schemas.memory import MemoryCatalog, give_out
from tests.catalog.schemas.test_modelsdev import BAD_MODELS, HEAD, document, model_with
from tests.clients import marker
from tests.clients.running import Running
from tests.clients.serving import DocumentServer
from tests.clients.table import REAL, Table
from tests.factories import entry, lab, offering, price, provider

pytestmark = pytest.mark.slow

GOOD = {**HEAD, "id": "good", "name": "Good", "models": {"fine": model_with(id="fine", name="Fine")}}
CRASH = (
    "is not an object", "id is missing", "limit is missing", "reasoning_options must be a list",
    "an effort needs its values", "cost.tiers must be a list",
)  # fmt: skip
"""One such model, and nothing at all is listed. A sample is run; each takes seconds."""
SAMPLE = CRASH[0], CRASH[2], CRASH[4]
HIDES = (
    "name is missing", "limit.context must be a number", "limit.output must be a number", "limit.input must be a number",
    "tool_call: write true or false", "status must be one of", "cost.input must be a number",
    "cost.cache_read must be a number", "a tier is an object", "write tier.type context",
    "tier.size must be a whole number", "cost.tiers.output is missing", "family must be text",
)  # fmt: skip
"""One such model, and its provider's whole list is gone. What else the gate stops is shown, and then misused."""
NEGATIVE = model_with(cost={"input": -1, "output": 1})


def listed(opencode: Path, home: Path, *arguments: str, **environment: str) -> str:
    """What ``opencode models`` prints."""
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        **{f"XDG_{name}_HOME": str(home / name) for name in ("CACHE", "DATA", "CONFIG", "STATE")},
        "ACME_API_KEY": "none",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
    }
    done = subprocess.run(
        [opencode, "models", *arguments],
        cwd=home, env={**own, **environment}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.stdout


def model_in(printed: str) -> dict[str, Any]:
    """The one that it printed in all detail."""
    name, _, rest = printed.partition("\n")
    assert name == f"acme/{marker.NAME}"
    model: dict[str, Any] = json.loads(rest)
    return model


def test_it_lists_the_marker_of_a_running_almanac_with_our_price_and_our_limits(
    opencode: Path, marked: Running, tmp_path: Path, table: Table
):
    address = f"{marked.url}/catalog/models.dev"
    model = model_in(
        listed(opencode, tmp_path, "acme", "--refresh", "--verbose", OPENCODE_MODELS_URL=address)
    )
    assert (model["limit"]["context"], model["limit"]["output"]) == (marker.CONTEXT, marker.OUTPUT)
    assert (model["cost"]["input"], model["cost"]["output"]) == (1.5, 6)
    assert model["api"]["url"] == "https://api.acme.example/v1"
    table.proven("opencode", run_as=REAL)


def test_it_lists_the_marker_from_the_file_that_sync_wrote(
    opencode: Path, marked: Running, server: DocumentServer, tmp_path: Path
):
    """Its address has another list, and the file is still what it shows."""
    done = marked.almanac(tmp_path, "sync", "--for", "opencode")["installed"]
    server.body = json.dumps({"good": GOOD}).encode()
    printed = listed(
        opencode,
        tmp_path,
        "acme",
        "--refresh",
        "--verbose",
        OPENCODE_MODELS_URL=server.url,
        **done["settings"],
    )
    assert model_in(printed)["limit"]["context"] == marker.CONTEXT
    assert marked.almanac(tmp_path, "sync", "--for", "opencode")["installed"]["what"] == "is up to date"


def test_prices_above_a_size_are_told(opencode: Path, server: DocumentServer, tmp_path: Path):
    prices = [price(), price("0.000006", meter="output"), price("0.000003", above_tokens=200_000)]
    catalog = MemoryCatalog(
        [
            lab(),
            provider("acme", env=["ACME_API_KEY"], api="https://api.acme.example/v1"),
            entry("zeta-9000", limits={"context_tokens": 424242, "max_output_tokens": 4242}),
            offering("zeta-9000", entry="acme/zeta-9000", prices=prices),
        ]
    )
    server.body = give_out(catalog, "models.dev").data
    assert MODELS_DEV.gate(server.body) == []
    model = model_in(
        listed(opencode, tmp_path, "acme", "--refresh", "--verbose", OPENCODE_MODELS_URL=server.url)
    )
    [tier] = model["cost"]["tiers"]
    assert (tier["input"], tier["output"], tier["tier"]) == (3, 6, {"type": "context", "size": 200000})
    assert model["capabilities"]["input"]["text"]


@pytest.mark.parametrize(
    "bad",
    ["text", *({**HEAD, "models": {"bad": model}} for model, reason in BAD_MODELS if reason in SAMPLE)],
    ids=["a provider is text", *SAMPLE],
)
def test_one_such_entry_and_it_lists_nothing_at_all(
    bad: Any, opencode: Path, server: DocumentServer, tmp_path: Path
):
    server.body = json.dumps({"acme": bad, "good": GOOD}).encode()
    assert any(finding.severity == "stop" for finding in MODELS_DEV.gate(server.body))
    assert "good/fine" not in listed(opencode, tmp_path, "--refresh", OPENCODE_MODELS_URL=server.url)


def test_what_else_the_gate_stops_hides_its_provider_or_is_shown_as_if_it_were_good(
    opencode: Path, server: DocumentServer, tmp_path: Path
):
    """All in one document, each at a provider of its own."""
    tried = {
        f"bad-{number}": (model, reason)
        for number, (model, reason) in enumerate(BAD_MODELS)
        if reason not in CRASH
    }
    whole: dict[str, Any] = {
        name: {**HEAD, "id": name, "name": name, "models": {"bad": {**model, "id": "bad"}}}
        for name, (model, _) in tried.items()
    }
    server.body = json.dumps({**whole, "good": GOOD}).encode()
    stopped = {
        finding.where.partition("/")[0]
        for finding in MODELS_DEV.gate(server.body)
        if finding.severity == "stop"
    }
    assert stopped == set(tried)
    printed = listed(opencode, tmp_path, "--refresh", OPENCODE_MODELS_URL=server.url).split()
    assert "good/fine" in printed
    for name, (model, reason) in tried.items():
        assert (f"{name}/bad" in printed) is (reason not in HIDES or model == NEGATIVE), reason


def test_what_the_gate_passes_it_lists(opencode: Path, server: DocumentServer, tmp_path: Path):
    for model in (..., model_with(reasoning_options=...)):
        server.body = document(model)
        assert MODELS_DEV.gate(server.body) == []
        assert "acme/zeta-9000" in listed(opencode, tmp_path, "--refresh", OPENCODE_MODELS_URL=server.url)
