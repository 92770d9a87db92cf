"""From the newest real models.dev document alone: every document that it can fill is published, and every client is served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.registry import ENTRY_LISTS, SCHEMAS
from tests.catalog.schemas.histories import newest
from tests.clients import running, test_codex, test_genai_prices, test_hermes, test_litellm, test_opencode
from tests.clients.once import made_once
from tests.clients.running import Running
from tests.mirrors.home import Home

pytestmark = [pytest.mark.slow, pytest.mark.history]
MILLION = 10**6


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """What models.dev says; every number as it is written."""
    found: dict[str, Any] = json.loads(newest("modelsdev"), parse_float=Decimal)
    return found


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An Almanac that was given that document and nothing else."""

    def make(folder: Path) -> None:
        (folder / "home").mkdir()
        home = Home(folder / "home")
        home.python(running.EMPTY)
        (folder / "api.json").write_bytes(newest("modelsdev"))
        home.manage("importcatalog", "models.dev", str(folder / "api.json"))
        home.manage("publish")

    prepared = made_once(tmp_path_factory, "models-dev-alone", make)
    with running.serving(Home(prepared / "home")) as server:
        yield server


def priced(source: dict[str, Any], provider: str) -> dict[str, Any]:
    """A model of it that calls tools and has plain prices."""
    for model in source[provider]["models"].values():
        cost = model.get("cost", {})
        if model["tool_call"] and cost.get("input") and cost.get("output") and "tiers" not in cost:
            found: dict[str, Any] = model
            return found
    raise AssertionError(f"{provider} has none")


def test_every_document_that_it_can_fill_is_published_and_passes_its_gate(alone: Running):
    """It knows of no model's files, so the lists of files are not published, and nothing is made up for them."""
    index = json.loads(alone.home.store.get("index.json"))
    assert {schema["name"] for schema in index["schemas"]} == set(SCHEMAS) - ENTRY_LISTS
    for schema in SCHEMAS.values():
        if schema.name not in ENTRY_LISTS:
            stops = [each for each in schema.gate(alone.document(schema.file)) if each.severity == "stop"]
            assert stops == [], schema.name


def test_its_own_document_comes_back_as_it_went_in(alone: Running, source: dict[str, Any]):
    served = json.loads(alone.document("models.dev/api.json"), parse_float=Decimal)
    for provider in source.values():
        for model in provider["models"].values():
            for tier in model.get("cost", {}).get("tiers", ()):
                tier["tier"].setdefault("type", "context")
    assert served == source


def test_litellm_computes_with_its_prices(alone: Running, source: dict[str, Any]):
    model = priced(source, "openai")
    (told,) = test_litellm.read(model["id"], f"{alone.url}/catalog/{SCHEMAS['litellm'].file}")
    assert told["source"] == "remote"
    for direction in ("input", "output"):
        stated = Decimal(repr(told["info"][f"{direction}_cost_per_token"]))
        assert stated * MILLION == model["cost"][direction]
    assert told["info"]["max_output_tokens"] == model["limit"]["output"]


def test_genai_prices_computes_a_price_for_each_model(alone: Running):
    listed = [
        (provider["id"], model)
        for provider in json.loads(alone.document("genai-prices/v2/data.json"))
        for model in provider["models"]
    ]
    assert len(listed) > 4000
    with test_genai_prices.updating(alone.url) as update:
        assert update.wait(120)
        for provider, model in listed:
            total = test_genai_prices.computed(
                model["id"], provider_id=provider, input_tokens=1000, output_tokens=1000
            )
            stated = model["prices"].get("output_mtok", 0)
            assert stated in (0, 0.0) or total > 0, (provider, model["id"])


def test_genai_prices_computes_exactly(alone: Running, source: dict[str, Any]):
    model = priced(source, "anthropic")
    with test_genai_prices.updating(alone.url) as update:
        assert update.wait(120)
        for direction in ("input", "output"):
            usage = {f"{direction}_tokens": MILLION}
            total = test_genai_prices.computed(model["id"], provider_id="anthropic", **usage)
            assert total == model["cost"][direction]


def test_opencode_lists_a_model_with_its_prices(
    alone: Running, source: dict[str, Any], opencode: Path, tmp_path: Path
):
    model = priced(source, "openai")
    printed = test_opencode.listed(
        opencode, tmp_path, "openai", "--refresh", "--verbose",
        OPENCODE_MODELS_URL=f"{alone.url}/catalog/models.dev", OPENAI_API_KEY="none",
    )  # fmt: skip
    after = printed.partition(f"openai/{model['id']}\n")[2]
    told, _ = json.JSONDecoder(parse_float=Decimal).raw_decode(after)
    assert (told["cost"]["input"], told["cost"]["output"]) == (
        model["cost"]["input"],
        model["cost"]["output"],
    )
    assert told["limit"]["context"] == model["limit"]["context"]


def test_codex_lists_a_model_with_its_limits(
    alone: Running, source: dict[str, Any], codex: Path, tmp_path: Path
):
    model = priced(source, "openai")
    settings = test_codex.BY_ADDRESS.format(url=alone.url)
    listed = {each["slug"]: each for each in test_codex.listed(codex, tmp_path, settings)}
    assert len(listed) > 20
    assert listed[model["id"]]["context_window"] == model["limit"]["context"]


def test_hermes_offers_models_of_openrouter(
    alone: Running, source: dict[str, Any], hermes: Path, tmp_path: Path
):
    offered = [name for name, _ in test_hermes.picked(hermes, tmp_path, test_hermes.by_address(alone.url))]
    assert priced(source, "openrouter")["id"] in offered
    assert set(offered) <= set(source["openrouter"]["models"])
    assert len(offered) > 100
