"""genai-prices' documents: what is shared, what travels as it is, what fails an update and what fails when computing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import ParseError
from catalog.schemas.genai_prices import GENAI_V1, GENAI_V2
from catalog.schemas.genai_units import UNITS, lacking
from catalog.schemas.patterns import pattern_problem
from tests.catalog.schemas.grammar import IDS, NUMBERS, TEXT, VALUES, assert_round_trip, objects, spelled
from tests.catalog.schemas.histories import newest, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab, offering, price, provider

MODEL: dict[str, Any] = {
    "id": "zeta-9000", "name": "Zeta 9000", "description": "The fastest.", "match": {"starts_with": "zeta-9000"},
    "context_window": 424242,
    "prices": {
        "input_mtok": {"base": 1.5, "tiers": [{"start": 200000, "price": 3}]}, "output_mtok": 6,
        "cache_read_mtok": 0.15, "cache_write_mtok": 1.875, "cache_write_1h_mtok": 3, "web_searches_kcount": 10,
        "requests_kcount": 5,
    },
}  # fmt: skip
HEAD: dict[str, Any] = {
    "id": "acme", "name": "Acme", "pricing_urls": ["https://acme.example/prices"],
    "api_pattern": "https://api\\.acme\\.example", "provider_match": {"contains": "acme"},
}  # fmt: skip


def document(model: Any = ..., **head: Any) -> bytes:
    return json.dumps([{**HEAD, "models": [MODEL if model is ... else model], **head}]).encode()


def model_with(**fields: Any) -> dict[str, Any]:
    made = {**MODEL, **fields}
    return {name: value for name, value in made.items() if value is not ...}


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in GENAI_V2.gate(data) if finding.severity == "stop"]


def stops_by_line(data: bytes) -> list[str]:
    catalog = MemoryCatalog()
    take_in(catalog, "genai-prices", data)
    lines = give_out(catalog, "genai-prices").lines
    found = [finding for line in lines for finding in GENAI_V2.gate_line(line)] + GENAI_V2.gate_lines(lines)
    return [finding.reason for finding in found if finding.severity == "stop"]


# --- in ----------------------------------------------------------------------------------------------------------


def test_what_the_shared_model_knows_is_shared_and_the_rest_travels_along():
    catalog = MemoryCatalog()
    take_in(catalog, "genai-prices", document())
    made = catalog.all(Kind.ENTRY)["acme/zeta-9000"]
    assert (made["name"], made["mode"], made["limits"]) == ("Zeta 9000", "chat", {"context_tokens": 424242})
    amounts = {
        (each["meter"], each.get("above_tokens", 0), each.get("cache_ttl", "")): each["amount"]
        for each in catalog.all(Kind.OFFERING)["acme:zeta-9000"]["prices"]
    }
    assert amounts == {
        ("input", 0, ""): "0.0000015", ("input", 200000, ""): "0.000003", ("output", 0, ""): "0.000006",
        ("cache_read", 0, ""): "0.00000015", ("cache_write", 0, ""): "0.000001875", ("cache_write", 0, "1h"): "0.000003",
        ("request", 0, ""): "0.005",
    }  # fmt: skip
    kept = catalog.all(Kind.MEMBERSHIP)["genai-prices|offering:acme:zeta-9000"]["native"]
    assert kept["set"].keys() == {"match", "description", "prices.web_searches_kcount"}
    assert spelled(give_out(catalog, "genai-prices").data) == spelled(document())


def test_prices_that_depend_on_the_hour_stay_with_the_document():
    prices = [
        {"prices": {"input_mtok": 2}},
        {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 1}},
    ]
    catalog = MemoryCatalog()
    data = document(model_with(prices=prices))
    take_in(catalog, "genai-prices", data)
    assert "prices" not in catalog.all(Kind.OFFERING)["acme:zeta-9000"]
    assert spelled(give_out(catalog, "genai-prices").data) == spelled(data)


def test_a_flag_is_a_stage():
    catalog = MemoryCatalog()
    take_in(catalog, "genai-prices", document(model_with(deprecated=True)))
    assert catalog.all(Kind.OFFERING)["acme:zeta-9000"]["stage"] == "deprecated"
    take_in(catalog, "genai-prices", document())
    assert catalog.all(Kind.OFFERING)["acme:zeta-9000"]["stage"] == "current"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{}", "a list of providers is expected"),
        (b"[]", "the list is empty"),
        (b"[null]", "number 1 of the list is not a provider"),
        (b'[{"name": "x"}]', "provider 1 has no id"),
        (b'[{"id": "x", "models": {}}]', "the models of x are no list"),
        (b'[{"id": "x", "models": ["y"]}]', "model 1 of x is not an object"),
        (b'[{"id": "x", "models": [{}]}]', "model 1 of x has no id"),
        (b"404: Not Found", "not JSON"),
    ],
)
def test_what_no_reader_could_use_is_refused(data: bytes, reason: str):
    for schema in (GENAI_V1, GENAI_V2):
        with pytest.raises(ParseError, match=reason) as refused:
            schema.parse(data)
        assert refused.value.line == 1


MODELS = objects(
    {"id": IDS},
    {
        "name": TEXT, "description": TEXT, "context_window": NUMBERS, "deprecated": st.booleans(),
        "match": st.fixed_dictionaries({"equals": IDS}), "price_variants": VALUES,
        "prices": objects(
            {},
            dict.fromkeys(
                ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_1h_mtok", "requests_kcount", "x_mtok"),
                NUMBERS
                | objects({"base": NUMBERS}, {"tiers": st.lists(objects({}, {"start": NUMBERS, "price": NUMBERS}), max_size=2)}),
            ),
        ),
    },
)  # fmt: skip
PROVIDERS = objects(
    {"id": IDS, "models": st.lists(MODELS, max_size=3)},
    {"name": TEXT, "api_pattern": TEXT, "pricing_urls": st.lists(TEXT, max_size=2), "extractors": VALUES},
)


@settings(max_examples=60, deadline=None)
@given(
    *[st.lists(PROVIDERS, min_size=1, max_size=3)] * 2, st.sampled_from(["genai-prices", "genai-prices/v1"])
)
def test_whatever_follows_the_grammar_comes_out_as_it_went_in(first, second, schema):
    catalog = MemoryCatalog()
    assert_round_trip(schema, first, catalog)
    assert_round_trip(schema, second, catalog)


# --- out, of what others said ------------------------------------------------------------------------------------


def told(*prices: dict[str, Any], own: dict[str, Any] | None = None) -> MemoryCatalog:
    made = {"api": "https://api.acme.example/v1", **(own or {})}
    return MemoryCatalog(
        [
            lab(),
            provider("acme", **{key: value for key, value in made.items() if value}),
            entry("zeta", limits={"context_tokens": 424242}),
            offering("Zeta-9000", entry="acme/zeta", prices=list(prices)),
        ]
    )


BOTH = (price(), price("0.000006", meter="output"))


def test_a_model_that_others_described_is_written_whole():
    catalog = told(*BOTH, price("0.000003", above_tokens=200_000), price("0.00000015", meter="cache_read"))
    view = give_out(catalog, "genai-prices")
    assert GENAI_V2.gate(view.data) == []
    assert json.loads(view.data) == [
        {
            "id": "acme", "name": "Acme", "api_pattern": "https://api\\.acme\\.example",
            "models": [
                {
                    "id": "Zeta-9000", "name": "Zeta", "match": {"equals": "zeta-9000"}, "context_window": 424242,
                    "prices": {
                        "input_mtok": {"base": 1.5, "tiers": [{"start": 200000, "price": 3}]},
                        "cache_read_mtok": 0.15, "output_mtok": 6,
                    },
                }
            ],
        }
    ]  # fmt: skip


def test_the_first_version_has_only_the_units_that_its_readers_know():
    catalog = told(
        *BOTH, price("0.000001", meter="cache_write"), price("0.000002", meter="cache_write", cache_ttl="1h")
    )
    [first] = json.loads(give_out(catalog, "genai-prices/v1").data)
    [second] = json.loads(give_out(catalog, "genai-prices").data)
    assert second["models"][0]["prices"].keys() - first["models"][0]["prices"].keys() == {
        "cache_write_1h_mtok"
    }


@pytest.mark.parametrize(
    ("catalog", "reason"),
    [
        (told(), "its price is not known"),
        (told(*BOTH, own={"api": None}), "what its provider's requests are recognised by is not known"),
        (
            told(BOTH[1], price(meter="cache_read")),
            "no price can be computed: cache_read_mtok needs input_mtok",
        ),
        (
            told(*BOTH, price(meter="cache_read"), price(modality="audio")),
            "cache_read_mtok and input_audio_mtok together need cache_audio_read_mtok",
        ),
    ],
)
def test_what_lacks_a_needed_field_is_left_out_and_the_reason_told(catalog: MemoryCatalog, reason: str):
    view = give_out(catalog, "genai-prices")
    assert view.data == b"[]\n"
    assert reason in next(left.reason for left in view.omissions if left.key.startswith("offering:"))


# --- would the client take it? -----------------------------------------------------------------------------------


def match(**clauses: Any) -> dict[str, Any]:
    return model_with(match=clauses)


def prices(**units: Any) -> dict[str, Any]:
    return model_with(prices=units)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("x", "is not an object"),
        (model_with(id=...), "id is missing"),
        (model_with(match=...), "match is missing"),
        (match(), "match must have exactly one of"),
        (match(equals="a", contains="b"), "match must have exactly one of"),
        (match(resembles="a"), "match must have exactly one of"),
        (match(equals=1), "match.equals must be text"),
        (match(**{"or": "a"}), "match.or must list conditions"),
        (match(**{"or": []}), "match.or must list conditions"),
        (match(**{"and": [{"regex": "("}]}), "match.and.regex is not a pattern"),
        (match(regex="a" * 201), "match.regex has more than 200 characters"),
        (match(regex="(a+)+$"), "match.regex repeats what repeats itself"),
        (model_with(context_window=1.5), "context_window must be a whole number"),
        (model_with(context_window=1e308), "context_window must be a whole number"),
        (model_with(deprecated="yes"), "deprecated: write true or false"),
        (model_with(name=1), "name must be text"),
        (model_with(prices=...), "prices is missing or empty"),
        (model_with(prices=[]), "prices is missing or empty"),
        (model_with(prices=[{"constraint": None}]), "prices[0] must have prices"),
        (
            model_with(prices=[{"prices": {"input_mtok": 1}, "constraint": {"start_date": "soon"}}]),
            "prices[0].constraint is a start_date",
        ),
        (
            model_with(prices=[{"prices": {"input_mtok": 1}, "constraint": {"start_date": "20260101"}}]),
            "prices[0].constraint is a start_date",
        ),
        (
            model_with(prices=[{"prices": {"input_mtok": 1}, "constraint": {"start_time": "00:30:00Z"}}]),
            "prices[0].constraint is a start_date",
        ),
        (prices(input_mtok=-1), "prices.input_mtok must be a number"),
        (prices(input_mtok=True), "prices.input_mtok must be a number"),
        (prices(input_mtok="a lot"), "prices.input_mtok must be a number"),
        (prices(input_mtok={"base": 1}), "prices.input_mtok must be a number"),
        (prices(input_mtok={"base": 1, "tiers": [{"start": 1.5, "price": 1}]}), "prices.input_mtok must be"),
        (prices(output_mtok=1, cache_read_mtok=1), "cache_read_mtok needs input_mtok"),
        (prices(input_mtok=1, cache_write_1h_mtok=1), "cache_write_1h_mtok needs cache_write_mtok"),
        (
            prices(input_mtok=1, cache_read_mtok=1, input_audio_mtok=1),
            "cache_read_mtok and input_audio_mtok together need cache_audio_read_mtok",
        ),
        (model_with(price_variants={}), "price_variants must be a list"),
        (model_with(price_variants=[{"when": {}, "prices": {}}]), "when must name texts"),
        (model_with(price_variants=[{"when": {"a": "b"}}]), "price_variants: prices is missing"),
    ],
)
def test_a_model_that_would_break_the_client_is_stopped(model: Any, reason: str):
    assert any(reason in each for each in stops(document(model))), stops(document(model))
    if isinstance(model, dict) and "id" in model:
        assert any(reason in each for each in stops_by_line(document(model)))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"name": None}, "name is missing"),
        ({"api_pattern": None}, "api_pattern is missing"),
        ({"api_pattern": "(.*a){30}("}, "api_pattern is not a pattern"),
        ({"api_pattern": "^(a*)*$"}, "api_pattern repeats what repeats itself"),
        ({"api_pattern": "x" * 201}, "api_pattern has more than 200 characters"),
        ({"pricing_urls": "https://acme.example"}, "pricing_urls must list texts"),
        ({"fallback_model_providers": [1]}, "fallback_model_providers must list texts"),
        ({"price_comments": 1}, "price_comments must be text"),
        ({"provider_match": "acme"}, "provider_match must have exactly one of"),
        ({"model_match": {"regex": "(a|b*)*"}}, "model_match.regex repeats what repeats itself"),
        ({"extractors": {}}, "extractors must be a list"),
        ({"extractors": [{"root": "usage"}]}, "extractors: root and mappings are needed"),
        ({"extractors": [{"root": "usage", "mappings": [{"path": "x"}]}]}, "a mapping leads from a path"),
    ],
)
def test_a_provider_that_would_break_the_client_is_stopped(head: dict[str, Any], reason: str):
    assert any(reason in each for each in stops(document(**head))), stops(document(**head))
    assert any(reason in each for each in stops_by_line(document(**head)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{}", "a list of providers is expected"),
        (b"[]", "no provider is listed"),
        (b"[1]", "is not an object"),
        (b'[{"id": "a", "name": "A", "api_pattern": "a", "models": {}}]', "models must be a list"),
        (b"[", "not JSON"),
    ],
)
def test_a_document_that_the_client_would_refuse_is_stopped(data: bytes, reason: str):
    assert any(reason in each for each in stops(data))


@pytest.mark.parametrize("window", [1000, 1000.0, None])
def test_a_context_window_that_the_client_reads_is_no_problem(window: float | None):
    assert stops(document(model_with(context_window=window))) == []


def test_what_only_counts_as_free_or_is_unknown_is_warned_of():
    for model, reason in (
        (prices(), "names no price"),
        (prices(x_mtok=1), "is not a unit that the client knows"),
    ):
        [found] = GENAI_V2.gate(document(model))
        assert (found.severity, reason in found.reason) == ("warn", True)


@pytest.mark.parametrize(
    ("pattern", "fine"),
    [
        (r"https://(.*\.)?googleapis\.com", True), (r"(https?://)?([^.]*\.)?(?:a|b)\.com", True), (r"[+*]+", True),
        (r"\(a+\)+", True), (r"(?:a|b)*", True), (r"a{3,5}", True), (r"(a{1,})+", False), (r"((a+)b)*", False),
        (r"(a+)(b)+", True), (r"([^)]+)+", False), (r"(?=a+)+", False), (r".*.*.*.*.*x", False), (r"(a)\1+", False),
        ("(?P<x>a)", False), ("*a", False), ("(a+){2,}", False),
    ],
)  # fmt: skip
def test_a_pattern_that_could_take_forever_is_told(pattern: str, fine: bool):
    assert (pattern_problem(pattern) == "") is fine


def test_the_units_are_the_clients_own():
    client = pytest.importorskip("genai_prices.data_units", reason="genai-prices is not installed")
    names = {"tool_type": "kind", "token_type": "kind", "page_type": "kind", "cache_ttl": "ttl"}
    words = {"document_pages": "pages", "tool_calls": "tools"}
    theirs = {
        unit["price_key"]: frozenset(
            (names.get(name, name), words.get(value, value)) for name, value in unit["dimensions"].items()
        )
        for unit in client.unit_data.values()
    }
    assert theirs == UNITS
    assert lacking({"input_mtok", "output_mtok", "cache_read_mtok", "output_reasoning_mtok"}) == []


# --- the real history --------------------------------------------------------------------------------------------


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.parametrize(
    ("history", "schema", "count"), [("genai_v1", "genai-prices/v1", 120), ("genai_v2", "genai-prices", 8)]
)
def test_every_version_comes_out_of_one_catalog_as_it_went_in(history: str, schema: str, count: int):
    catalog = MemoryCatalog()
    listed = versions(history)
    assert len(listed) == count
    for number, (file, data) in enumerate(listed):
        take_in(catalog, schema, data)
        view = give_out(catalog, schema)
        assert spelled(view.data) == spelled(data), file
        assert not view.omissions, file
        if number % 8 == 0:
            alone = MemoryCatalog()
            take_in(alone, schema, data)
            assert spelled(give_out(alone, schema).data) == spelled(data), file
    assert take_in(catalog, schema, data).changes == []


@pytest.mark.history
def test_the_newest_real_document_passes_and_its_two_versions_live_in_one_catalog():
    catalog = MemoryCatalog()
    take_in(catalog, "genai-prices/v1", newest("genai_v1"))
    take_in(catalog, "genai-prices", newest("genai_v2"))
    for schema, history in (("genai-prices/v1", "genai_v1"), ("genai-prices", "genai_v2")):
        assert spelled(give_out(catalog, schema).data) == spelled(newest(history))
    assert stops(give_out(catalog, "genai-prices").data) == []
    litellm = json.loads(give_out(catalog, "litellm").data)
    sonnet = litellm["claude-sonnet-4-5"]
    assert (sonnet["input_cost_per_token"], sonnet["input_cost_per_token_above_200k_tokens"]) == (
        3e-06,
        6e-06,
    )
    assert sonnet["cache_creation_input_token_cost_above_1hr"] == 6e-06


@pytest.mark.history
@pytest.mark.slow
def test_models_dev_alone_gives_useful_prices():
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", newest("modelsdev"))
    view = give_out(catalog, "genai-prices")
    assert stops(view.data) == []
    providers = {each["id"]: each for each in json.loads(view.data, parse_float=Decimal, parse_int=Decimal)}
    assert len(providers) > 100
    sonnet = next(each for each in providers["anthropic"]["models"] if each["id"] == "claude-sonnet-4-5")
    assert sonnet["prices"] == {
        "input_mtok": Decimal(3), "cache_write_mtok": Decimal("3.75"), "cache_read_mtok": Decimal("0.3"),
        "output_mtok": Decimal(15),
    }  # fmt: skip
    pro = next(each for each in providers["google"]["models"] if each["id"] == "gemini-2.5-pro")
    assert pro["prices"]["output_mtok"] == {
        "base": Decimal(10), "tiers": [{"start": Decimal(200000), "price": Decimal(15)}],
    }  # fmt: skip
    assert any("together need cache_audio_read_mtok" in left.reason for left in view.omissions)
