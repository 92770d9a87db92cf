"""models.dev's document: what is shared, what travels as it is, what crashes opencode or hides a provider from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Omission, ParseError, Subject
from catalog.schemas.modelsdev import MODELS_DEV
from catalog.schemas.provider_sdks import ALLOWED
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import to_json
from tests.catalog.schemas.grammar import (
    DAYS,
    IDS,
    NUMBERS,
    TEXT,
    VALUES,
    assert_round_trip,
    objects,
    spelled,
)
from tests.catalog.schemas.histories import newest, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab, offering, price, provider

MODEL: dict[str, Any] = {
    "id": "zeta-9000", "name": "Zeta 9000", "family": "zeta", "release_date": "2026-05", "last_updated": "2026-05-01",
    "attachment": True, "reasoning": True, "reasoning_options": [{"type": "effort", "values": ["low", None]}],
    "temperature": True, "knowledge": "2025-06", "tool_call": True, "open_weights": False,
    "cost": {
        "input": 1.5, "output": 6, "cache_read": 0.049999999999999996,
        "tiers": [{"tier": {"type": "context", "size": 200000}, "input": 3, "output": 12}],
        "context_over_200k": {"input": 3, "output": 12},
    },
    "limit": {"context": 424242, "output": 4242}, "modalities": {"input": ["text", "image"], "output": ["text"]},
}  # fmt: skip
HEAD: dict[str, Any] = {
    "id": "acme", "env": ["ACME_API_KEY"], "npm": "@ai-sdk/openai-compatible", "api": "https://api.acme.example/v1",
    "name": "Acme", "doc": "https://acme.example/models",
}  # fmt: skip


def document(model: Any = ..., **head: Any) -> bytes:
    models = {"zeta-9000": MODEL if model is ... else model}
    return json.dumps({"acme": {**HEAD, "models": models, **head}}).encode()


def model_with(**fields: Any) -> dict[str, Any]:
    made = {**MODEL, **fields}
    return {name: value for name, value in made.items() if value is not ...}


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in MODELS_DEV.gate(data) if finding.severity == "stop"]


def stops_by_line(data: bytes) -> list[str]:
    """What the gate says line by line of a document that was imported."""
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", data)
    lines = give_out(catalog, "models.dev").lines
    found = [finding for line in lines for finding in MODELS_DEV.gate_line(line)] + MODELS_DEV.gate_lines(
        lines
    )
    return [finding.reason for finding in found if finding.severity == "stop"]


# --- in ----------------------------------------------------------------------------------------------------------


def test_what_the_shared_model_knows_is_shared_and_the_rest_travels_along():
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", document())
    made = catalog.all(Kind.ENTRY)["acme/zeta-9000"]
    assert (made["name"], made["mode"], made["stage"]) == ("Zeta 9000", "chat", "current")
    assert (made["released"], made["knowledge_cutoff"], made["open_weights"]) == ("2026-05", "2025-06", False)
    assert made["limits"] == {"context_tokens": 424242, "max_output_tokens": 4242}
    assert made["capabilities"] == {
        "attachments": True, "reasoning": True, "tools": True, "temperature": True, "prompt_caching": True,
        "vision": True, "audio_input": False, "audio_output": False, "pdf_input": False,
    }  # fmt: skip
    prices = {
        (each["meter"], each.get("above_tokens", 0)): each["amount"]
        for each in catalog.all(Kind.OFFERING)["acme:zeta-9000"]["prices"]
    }
    assert prices == {
        ("input", 0): "0.0000015", ("output", 0): "0.000006", ("cache_read", 0): "0.000000049999999999999996",
        ("input", 200000): "0.000003", ("output", 200000): "0.000012",
    }  # fmt: skip
    kept = catalog.all(Kind.MEMBERSHIP)["models.dev|offering:acme:zeta-9000"]["native"]
    assert {"family", "last_updated", "reasoning_options"} <= kept["set"].keys()
    assert not {"cost.input", "limit.context", "name", "modalities"} & kept["set"].keys()


def test_a_provider_is_learned_from_the_head_of_its_block():
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", document())
    assert catalog.all(Kind.PROVIDER)["acme"] == {
        "slug": "acme", "name": "Acme", "env": ["ACME_API_KEY"], "api": "https://api.acme.example/v1",
        "docs": "https://acme.example/models",
    }  # fmt: skip
    assert "native" not in catalog.all(Kind.MEMBERSHIP)["models.dev|provider:acme"] or catalog.all(
        Kind.MEMBERSHIP
    )["models.dev|provider:acme"]["native"].keys() == {"order"}
    take_in(catalog, "models.dev", document(env=["OTHER_KEY"], api=None))
    assert catalog.all(Kind.PROVIDER)["acme"]["env"] == ["OTHER_KEY"]
    assert "api" not in catalog.all(Kind.PROVIDER)["acme"]


def test_what_an_operator_said_about_a_provider_stays_and_the_document_keeps_its_own():
    catalog = MemoryCatalog()
    catalog.put(*provider("acme", name="Ours", env=["OURS"]))
    take_in(catalog, "models.dev", document())
    assert catalog.all(Kind.PROVIDER)["acme"]["env"] == ["OURS"]
    assert catalog.all(Kind.PROVIDER)["acme"]["name"] == "Ours"
    assert catalog.all(Kind.PROVIDER)["acme"]["api"] == "https://api.acme.example/v1"
    assert spelled(give_out(catalog, "models.dev").data) == spelled(document())


def test_a_tier_that_says_no_type_gets_it_and_somebody_is_told():
    tiers = [{"tier": {"size": 32000}, "input": 3, "output": 12}]
    parsed = MODELS_DEV.parse(document(model_with(cost={"input": 1, "output": 2, "tiers": tiers})))
    assert parsed.notices == (
        '1 price tiers did not say their type; "context" is written, as clients need it',
    )
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", document(model_with(cost={"input": 1, "output": 2, "tiers": tiers})))
    written = json.loads(give_out(catalog, "models.dev").data)["acme"]["models"]["zeta-9000"]["cost"]
    assert written["tiers"][0]["tier"] == {"type": "context", "size": 32000}
    assert "context_over_200k" not in written


def test_a_status_is_a_stage_and_an_id_that_says_it_needs_none():
    for status, stage in (("beta", "preview"), ("alpha", "preview"), ("deprecated", "deprecated")):
        catalog = MemoryCatalog()
        take_in(catalog, "models.dev", document(model_with(status=status)))
        assert catalog.all(Kind.OFFERING)["acme:zeta-9000"]["stage"] == stage
        assert spelled(give_out(catalog, "models.dev").data) == spelled(document(model_with(status=status)))
        take_in(catalog, "models.dev", document())
        assert catalog.all(Kind.OFFERING)["acme:zeta-9000"]["stage"] == "current"
        assert spelled(give_out(catalog, "models.dev").data) == spelled(document())
    data = json.dumps({"acme": {**HEAD, "models": {"z-preview": {**MODEL, "id": "z-preview"}}}}).encode()
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", data)
    assert catalog.all(Kind.OFFERING)["acme:z-preview"]["stage"] == "preview"
    assert "drop" not in catalog.all(Kind.MEMBERSHIP)["models.dev|offering:acme:z-preview"]["native"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[]", "an object is expected"),
        (b"{}", "the document is empty"),
        (b'{"a": "text"}', "'a' is not a provider"),
        (b'{"a": {"id": "a"}}', "a has no models"),
        (b'{"a": {"models": []}}', "a has no models"),
        (b'{"a": {"models": {"m": null}}}', "'m' is not an object"),
        ('{"a": {"models": {"ä": {}}}}'.encode(), "is not an id"),
        (b'{"a": {"models": {}}, "a": {"models": {}}}', "stands twice"),
        (b'{"a": {"models": {"m": {"cost": {"input": NaN}}}}}', "NaN"),
        (b"<html>", "not JSON"),
    ],
)
def test_what_no_reader_could_use_is_refused(data: bytes, reason: str):
    with pytest.raises(ParseError, match=reason) as refused:
        MODELS_DEV.parse(data)
    assert refused.value.line == 1


COSTS = objects(
    {},
    dict.fromkeys(
        ("input", "output", "cache_read", "cache_write", "reasoning", "input_audio", "cached_input"), NUMBERS
    )
    | {
        "tiers": st.lists(
            objects(
                {"tier": st.fixed_dictionaries({"type": st.just("context"), "size": NUMBERS})},
                {"input": NUMBERS, "output": NUMBERS, "cache_read": NUMBERS},
            ),
            max_size=2,
        )
    },
)
MODELS = objects(
    {},
    {
        "id": IDS, "name": TEXT, "family": TEXT, "release_date": DAYS, "last_updated": DAYS, "knowledge": DAYS,
        "attachment": st.booleans(), "reasoning": st.booleans(), "tool_call": st.booleans(), "temperature": st.booleans(),
        "open_weights": st.booleans(), "structured_output": st.booleans(), "status": st.sampled_from(["alpha", "beta", "deprecated"]),
        "cost": COSTS, "limit": objects({}, {"context": NUMBERS, "output": NUMBERS, "input": NUMBERS}),
        "modalities": st.fixed_dictionaries({"input": st.just(["text"]), "output": st.just(["text", "audio"])}),
    },
)  # fmt: skip
PROVIDERS = objects(
    {"models": st.dictionaries(IDS, MODELS, max_size=3)},
    {"id": IDS, "name": TEXT, "env": st.lists(TEXT, max_size=2), "npm": TEXT, "api": TEXT, "doc": VALUES},
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(IDS, PROVIDERS, min_size=1, max_size=3),
    st.dictionaries(IDS, PROVIDERS, min_size=1, max_size=3),
)
def test_whatever_follows_the_grammar_comes_out_as_it_went_in(first, second):
    if any('"tier":{"type"' not in spelled_tier for spelled_tier in _tiers(first) + _tiers(second)):
        return  # the type that is written into a stray tier is another test's
    catalog = MemoryCatalog()
    assert_round_trip("models.dev", first, catalog)
    assert_round_trip("models.dev", second, catalog)


def _tiers(providers: Any) -> list[str]:
    return [
        to_json(tier)
        for each in providers.values()
        for model in each["models"].values()
        if isinstance(model.get("cost"), dict) and isinstance(model["cost"].get("tiers"), list)
        for tier in model["cost"]["tiers"]
        if isinstance(tier, dict) and isinstance(tier.get("tier"), dict)
    ]


# --- out, of what others said ------------------------------------------------------------------------------------


def told(*, own: dict[str, Any] | None = None, **facts: Any) -> MemoryCatalog:
    """A catalog that no models.dev document has told anything."""
    known = {
        "limits": {"context_tokens": 424242, "max_output_tokens": 4242},
        "capabilities": {"tools": True, "vision": True},
        "released": "2026-05",
    }
    made = {
        "env": ["ACME_API_KEY"],
        "api": "https://api.acme.example/v1",
        "docs": "https://acme.example/docs",
    }
    return MemoryCatalog(
        [
            lab(),
            provider("acme", **{key: value for key, value in {**made, **(own or {})}.items() if value}),
            entry("zeta", **{key: value for key, value in {**known, **facts}.items() if value}),
            offering(
                "zeta",
                entry="acme/zeta",
                prices=[
                    price("0.0000015"),
                    price("0.000006", meter="output"),
                    price("0.000003", above_tokens=272_000),
                ],
            ),
        ]
    )


def test_a_model_that_others_described_is_written_whole():
    view = give_out(told(), "models.dev")
    assert MODELS_DEV.gate(view.data) == []
    assert json.loads(view.data) == {
        "acme": {
            "id": "acme", "name": "Acme", "env": ["ACME_API_KEY"], "npm": "@ai-sdk/openai-compatible",
            "api": "https://api.acme.example/v1", "doc": "https://acme.example/docs",
            "models": {
                "zeta": {
                    "id": "zeta", "name": "Zeta", "release_date": "2026-05", "attachment": True, "temperature": False,
                    "tool_call": True,
                    "cost": {
                        "input": 1.5, "output": 6,
                        "tiers": [{"tier": {"type": "context", "size": 272000}, "input": 3, "output": 6}],
                        "context_over_200k": {"input": 3, "output": 6},
                    },
                    "limit": {"context": 424242, "output": 4242},
                    "modalities": {"input": ["text", "image"], "output": ["text"]},
                }
            },
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("catalog", "reason"),
    [
        (told(own={"env": None}), "the variables that hold its provider's key are not known"),
        (told(own={"api": None}), "its provider's address is not known"),
        (told(limits={"max_output_tokens": 4242}), "how much it can read is not known"),
        (told(limits={"context_tokens": 424242}), "how much it can write is not known"),
    ],
)
def test_what_lacks_a_needed_field_is_left_out_and_the_reason_told(catalog: MemoryCatalog, reason: str):
    view = give_out(catalog, "models.dev")
    assert view.data == b"{}\n"
    assert reason in next(left.reason for left in view.omissions if left.key == "offering:acme:zeta")


def test_an_unknown_price_is_not_written_as_a_free_one():
    catalog = told()
    catalog.put(*offering("zeta", entry="acme/zeta", prices=[price("0.0000015")]))
    written = json.loads(give_out(catalog, "models.dev").data)
    assert "cost" not in written["acme"]["models"]["zeta"]


def test_a_year_alone_is_no_date_to_its_readers():
    written = json.loads(give_out(told(knowledge_cutoff="2025"), "models.dev").data)
    assert "knowledge" not in written["acme"]["models"]["zeta"]


def test_a_package_that_knows_its_address_is_told_none_that_is_not_of_its_shape():
    _, google = provider("google", env=["A_KEY"], api="https://generativelanguage.googleapis.com")
    head = MODELS_DEV.line(Subject("provider:google", provider=google))
    assert not isinstance(head, Omission)
    assert '"npm":"@ai-sdk/google"' in head.text
    assert "api" not in json.loads(f"{{{head.text}{head.tail}}}")["google"]


# --- would the client take it? -----------------------------------------------------------------------------------


def cost(**fields: Any) -> dict[str, Any]:
    return model_with(cost={"input": 1, "output": 2, **fields})


def tier(**fields: Any) -> dict[str, Any]:
    whole = {"tier": {"type": "context", "size": 32000}, "input": 1, "output": 2, **fields}
    return cost(tiers=[{name: value for name, value in whole.items() if value is not ...}])


BAD_MODELS: list[tuple[Any, str]] = [
    (None, "is not an object"),
    (model_with(id=...), "id is missing"),
    (model_with(name=None), "name is missing"),
    (model_with(family=5), "family must be text"),
    (model_with(family=["zeta"]), "family must be text"),
    (model_with(limit=...), "limit is missing"),
    (model_with(limit={"output": 1}), "limit.context must be a number"),
    (model_with(limit={"context": "128000", "output": 1}), "limit.context must be a number"),
    (model_with(limit={"context": 1, "output": None}), "limit.output must be a number"),
    (model_with(limit={"context": 1, "output": 1, "input": "1"}), "limit.input must be a number"),
    (model_with(tool_call="yes"), "tool_call: write true or false"),
    (model_with(release_date="May 2026"), "release_date must be"),
    (model_with(knowledge="2025"), "knowledge must be"),
    (model_with(status="retired"), "status must be one of"),
    (model_with(modalities={"input": ["smell"], "output": ["text"]}), "modalities.input"),
    (model_with(modalities={"input": ["text"]}), "modalities.output"),
    (model_with(reasoning_options=None), "reasoning_options must be a list"),
    (model_with(reasoning_options=["low"]), "a type is toggle"),
    (model_with(reasoning_options=[{"type": "effort"}]), "an effort needs its values"),
    (model_with(reasoning_options=[{"type": "budget_tokens", "min": "1"}]), "bounded by numbers"),
    (model_with(interleaved={"field": "thoughts"}), "interleaved is true"),
    (model_with(interleaved=False), "interleaved is true"),
    (model_with(cost="free"), "cost must be an object"),
    (model_with(cost={"input": 1}), "cost.output is missing"),
    (model_with(cost={"input": "1.5", "output": 1}), "cost.input must be a number"),
    (model_with(cost={"input": -1, "output": 1}), "cost.input must be a number"),
    (cost(cache_read="0.1"), "cost.cache_read must be a number"),
    (cost(tiers={}), "cost.tiers must be a list"),
    (cost(tiers=["x"]), "a tier is an object"),
    (tier(tier=...), "write tier.type context"),
    (tier(tier={"size": 32000}), "write tier.type context"),
    (tier(tier={"type": "context"}), "tier.size must be a whole number"),
    (tier(output=...), "cost.tiers.output is missing"),
    (tier(tier={"type": "context", "size": 200000}), "context_over_200k must repeat"),
    (cost(context_over_200k={"input": 1, "output": 2}), "context_over_200k must repeat"),
    (model_with(provider=[]), "provider must be an object"),
    (model_with(provider={"npm": "left-pad"}), "provider.npm: opencode would install and run"),
    (model_with(provider={"npm": "file:///tmp/x.js"}), "provider.npm: opencode would install and run"),
    (model_with(provider={"api": "http://evil.example/v1"}), "provider.api must be https"),
    (model_with(provider={"shape": "soap"}), "provider.shape is"),
    (model_with(provider={"body": "x"}), "provider.body must be an object"),
    (model_with(provider={"headers": {"Authorization": "Bearer x"}}), "may not be set by a catalog"),
    (model_with(provider={"headers": {"X-A": "$(id)"}}), "must be plain text"),
    (model_with(provider={"headers": {"X-A": "a\r\nX-B: b"}}), "must be plain text"),
    (model_with(experimental={"modes": {"fast": 1}}), "experimental.modes.fast must be an object"),
    (model_with(experimental={"modes": {"fast": {"cost": {"input": "1"}}}}), "experimental.modes.fast.cost"),
    (
        model_with(experimental={"modes": {"fast": {"provider": {"headers": {"Cookie": "x"}}}}}),
        "experimental.modes.fast.provider.headers",
    ),
]


@pytest.mark.parametrize(("model", "reason"), BAD_MODELS)
def test_a_model_that_would_break_the_client_is_stopped(model: Any, reason: str):
    assert any(reason in each for each in stops(document(model))), stops(document(model))
    if isinstance(model, dict) and "write tier.type" not in reason:
        assert any(reason in each for each in stops_by_line(document(model)))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"id": None}, "id is missing"),
        ({"env": []}, "env must name"),
        ({"env": "ACME_API_KEY"}, "env must name"),
        ({"env": None}, "env must name"),
        ({"name": 5}, "name must be text"),
        ({"npm": "file:///tmp/evil.js"}, "npm: opencode would install and run"),
        ({"npm": "@ai-sdk/openai-compatible-x"}, "npm: opencode would install and run"),
        ({"npm": None}, "npm: opencode would install and run"),
        ({"api": "http://api.acme.example/v1"}, "api must be https"),
        ({"api": "https://user@evil.example/v1"}, "api must be https"),
        ({"api": "https://api.acme.example/v1?key=${HOME}"}, "api must be https"),
        ({"api": 5}, "api must be https"),
    ],
)
def test_a_provider_that_would_break_the_client_or_lead_keys_away_is_stopped(
    head: dict[str, Any], reason: str
):
    assert any(reason in each for each in stops(document(**head)))
    assert any(reason in each for each in stops_by_line(document(**head)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[]", "an object is expected"),
        (b"{}", "no model is listed"),
        (b'{"a": null}', "is not a provider"),
        (b'{"a": {}}', "is not a provider"),
        (b'{"a": "x"}', "is not a provider"),
        (b'{"a": {"id": "a", "env": ["A"]}}', "models is missing"),
        (b'{"a": {"id": "a", "env": ["A"], "models": null}}', "models is missing"),
        (b'{"a": ', "not JSON"),
    ],
)
def test_a_document_that_would_crash_the_client_is_stopped(data: bytes, reason: str):
    assert any(reason in each for each in stops(data))


@pytest.mark.parametrize(
    "head",
    [
        {"api": "http://127.0.0.1:1234/v1"},
        {"api": "https://${ACCOUNT}.acme.example/api/${REGION}/v1"},
        {"api": "${ACME_BASE_URL}/v1"},
        *({"npm": package} for package in sorted(ALLOWED)),
    ],
)
def test_what_real_providers_need_is_allowed(head: dict[str, Any]):
    assert stops(document(**head)) == []


def test_a_provider_without_models_is_only_warned_of():
    data = json.dumps({"acme": {**HEAD, "models": {}}}).encode()
    assert [finding.severity for finding in MODELS_DEV.gate(data)] == ["warn"]
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", data)
    assert spelled(give_out(catalog, "models.dev").data) == spelled(data)


def test_two_blocks_of_one_name_are_stopped():
    catalog = told()
    catalog.put(*provider("other", env=["O"], api="https://o.example", names={"models.dev": "acme"}))
    catalog.put(*offering("eta", provider="other", entry="acme/zeta"))
    found = MODELS_DEV.gate_lines(give_out(catalog, "models.dev").lines)
    assert any("a second block for one provider" in finding.reason for finding in found)


# --- the real history --------------------------------------------------------------------------------------------


def with_types(data: bytes) -> str:
    """The document with the type of each tier, which the histories leave out in part, and else as it is spelled."""

    def completed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if "tier" in made and "type" not in made["tier"]:
            made["tier"] = {"type": "context", **made["tier"]}
        return made

    number: Callable[[str], Any] = lambda text: f"\x01{text}"  # noqa: E731
    whole = json.loads(data, object_pairs_hook=completed, parse_float=number, parse_int=number)
    return json.dumps(whole)


def check(catalog: MemoryCatalog, file: str, data: bytes, *, gate: bool = True) -> None:
    take_in(catalog, "models.dev", data)
    view = give_out(catalog, "models.dev")
    assert with_types(view.data) == with_types(data), file
    assert not view.omissions, file
    assert not gate or stops(view.data) == [], file


SPREAD = 12
"""The versions that are weeks apart come first, then sixty in a row."""
SAMPLE = (0, 1, 11, 12, 13, 71)


@pytest.mark.history
@pytest.mark.slow
def test_six_versions_come_out_of_one_catalog_and_the_first_and_last_of_an_empty_one():
    catalog = MemoryCatalog()
    listed = versions("modelsdev")
    for index in SAMPLE:
        check(catalog, *listed[index])
    assert take_in(catalog, "models.dev", listed[SAMPLE[-1]][1]).changes == []
    check(MemoryCatalog(), *listed[-1])


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_version_comes_out_of_one_catalog_that_saw_all_before_it():
    """The spread versions whole; the consecutive ones without the providers that are the same in all of them."""
    listed = versions("modelsdev")
    assert len(listed) == 72
    spread, consecutive = MemoryCatalog(), MemoryCatalog()
    for file, data in listed[:SPREAD]:
        check(spread, file, data)
    documents = [(file, read_json(data).value) for file, data in listed[SPREAD:]]
    moving = {name for _, each in documents for name in each if each[name] != documents[0][1].get(name)}
    assert len(moving) > 10
    for file, whole in documents:
        part = {name: provider for name, provider in whole.items() if name in moving}
        check(consecutive, file, to_json(part).encode(), gate=False)


@pytest.mark.history
@pytest.mark.slow
def test_one_import_of_it_alone_gives_the_other_clients_their_documents():
    catalog = MemoryCatalog()
    catalog.put(Kind.REGION, {"code": "global", "name": "Global", "enabled": True})
    take_in(catalog, "models.dev", newest("modelsdev"))
    litellm = json.loads(give_out(catalog, "litellm").data)
    assert len(litellm) > 4900
    for key, prices in {
        "gpt-4o": ("0.0000025", "0.00001"),
        "claude-sonnet-4-5": ("0.000003", "0.000015"),
        "gemini/gemini-2.5-pro": ("0.00000125", "0.00001"),
        "openrouter/anthropic/claude-sonnet-4.5": ("0.000003", "0.000015"),
    }.items():
        written = litellm[key]
        stated = (written["input_cost_per_token"], written["output_cost_per_token"])
        assert [Decimal(repr(each)) for each in stated] == [Decimal(each) for each in prices], key
    pro = litellm["gemini/gemini-2.5-pro"]
    assert pro["input_cost_per_token_above_200k_tokens"] == 2.5e-06
    assert (pro["max_input_tokens"], pro["max_output_tokens"], pro["mode"]) == (1048576, 65536, "chat")
    aichat = give_out(catalog, "v2").data.decode()
    assert (
        "    - {name: gpt-4o, max_input_tokens: 128000, max_output_tokens: 16384, input_price: 2.5, "
        "output_price: 10.0, supports_vision: true, supports_function_calling: true}\n" in aichat
    )
    assert "- provider: claude\n" in aichat
    ours = {line["id"]: line for line in json.loads(give_out(catalog, "almanac/v1").data)["offerings"]}
    amounts = {
        (each["meter"], each.get("above_tokens", 0)): each["amount"]
        for each in ours["google:gemini-2.5-pro"]["prices"]
    }
    assert amounts["input", 0] == "0.00000125"
    assert amounts["output", 200000] == "0.000015"
