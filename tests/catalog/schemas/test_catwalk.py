"""catwalk's document: what is shared, how Go would write it, what Crush refuses, and what must not reach its shell."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import ParseError
from catalog.schemas.catwalk import CATWALK
from catalog.schemas.catwalk_rules import as_crush_writes
from catalog.schemas.go_json import go_float, go_json
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import Number, to_json
from tests.catalog.schemas.grammar import IDS, NUMBERS, TEXT, objects
from tests.catalog.schemas.histories import newest, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab, offering, price, provider

MODEL: dict[str, Any] = {
    "id": "zeta-9000", "name": "Zeta <9000> & more", "cost_per_1m_in": 1.5, "cost_per_1m_out": 6,
    "cost_per_1m_in_cached": 1.875, "cost_per_1m_out_cached": 0.15, "context_window": 424242, "default_max_tokens": 4242,
    "can_reason": True, "reasoning_levels": ["low", "high"], "default_reasoning_effort": "low",
    "supports_attachments": True, "options": {"temperature": 0.5, "top_k": 3},
}  # fmt: skip
HEAD: dict[str, Any] = {
    "name": "Acme", "id": "acme", "api_key": "$ACME_API_KEY", "api_endpoint": "https://api.acme.example/v1",
    "type": "openai-compat", "default_large_model_id": "zeta-9000", "default_small_model_id": "zeta-9000",
}  # fmt: skip
WRITTEN = (
    b'[{"name":"Acme","id":"acme","api_key":"$ACME_API_KEY","api_endpoint":"https://api.acme.example/v1",'
    b'"type":"openai-compat","default_large_model_id":"zeta-9000","default_small_model_id":"zeta-9000",'
    b'"models":[{"id":"zeta-9000","name":"Zeta \\u003c9000\\u003e \\u0026 more","cost_per_1m_in":1.5,'
    b'"cost_per_1m_out":6,"cost_per_1m_in_cached":1.875,"cost_per_1m_out_cached":0.15,"context_window":424242,'
    b'"default_max_tokens":4242,"can_reason":true,"reasoning_levels":["low","high"],'
    b'"default_reasoning_effort":"low","supports_attachments":true,"options":{"temperature":0.5,"top_k":3}}],'
    b'"default_headers":{"X-Title":"Acme"}}]'
)


def document(model: Any = ..., **head: Any) -> bytes:
    models = [MODEL if model is ... else model]
    return json.dumps([{**HEAD, "models": models, "default_headers": {"X-Title": "Acme"}, **head}]).encode()


def model_with(**fields: Any) -> dict[str, Any]:
    made = {**MODEL, **fields}
    return {name: value for name, value in made.items() if value is not ...}


def as_data(data: bytes) -> Any:
    """Numbers by their value: Go spells ``3.0`` as ``3``."""
    return json.loads(data, parse_float=Decimal, parse_int=Decimal)


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in CATWALK.gate(data) if finding.severity == "stop"]


def stops_by_line(data: bytes) -> list[str]:
    catalog = MemoryCatalog()
    take_in(catalog, "catwalk", data)
    lines = give_out(catalog, "catwalk").lines
    found = [finding for line in lines for finding in CATWALK.gate_line(line)] + CATWALK.gate_lines(lines)
    return [finding.reason for finding in found if finding.severity == "stop"]


# --- in and out --------------------------------------------------------------------------------------------------


def test_what_the_shared_model_knows_is_shared_and_the_rest_travels_along():
    catalog = MemoryCatalog()
    take_in(catalog, "catwalk", document())
    made = catalog.all(Kind.ENTRY)["acme/zeta-9000"]
    assert (made["name"], made["mode"]) == ("Zeta <9000> & more", "chat")
    assert made["limits"] == {"context_tokens": 424242}
    assert made["capabilities"] == {"reasoning": True, "attachments": True}
    amounts = {
        each["meter"]: each["amount"] for each in catalog.all(Kind.OFFERING)["acme:zeta-9000"]["prices"]
    }
    assert amounts == {
        "input": "0.0000015", "output": "0.000006", "cache_write": "0.000001875", "cache_read": "0.00000015",
    }  # fmt: skip
    assert catalog.all(Kind.PROVIDER)["acme"]["env"] == ["ACME_API_KEY"]
    assert catalog.all(Kind.PROVIDER)["acme"]["api"] == "https://api.acme.example/v1"
    kept = catalog.all(Kind.MEMBERSHIP)["catwalk|offering:acme:zeta-9000"]["native"]["set"]
    assert kept.keys() == {"default_max_tokens", "default_reasoning_effort", "reasoning_levels", "options"}


def test_it_is_written_byte_for_byte_as_crush_would_write_it_again():
    catalog = MemoryCatalog()
    spread = json.dumps(
        [dict(reversed(each.items())) for each in json.loads(document())], indent=2
    )  # another order, other spaces
    take_in(catalog, "catwalk", spread.encode())
    written = give_out(catalog, "catwalk").data
    assert written == WRITTEN
    assert CATWALK.gate(written) == []
    assert as_crush_writes(read_json(written).value) == written
    assert take_in(catalog, "catwalk", spread.encode()).changes == []


@pytest.mark.parametrize(
    ("spelled", "written"),
    [
        ("3.0", "3"), ("0.0", "0"), ("-0", "0"), ("1e-7", "1e-7"), ("0.000001", "0.000001"), ("0.00000125", "0.00000125"),
        ("1.25e-10", "1.25e-10"), ("1e21", "1e+21"), ("123456789012345680000", "123456789012345680000"), ("1.50", "1.5"),
        ("0.049999999999999996", "0.049999999999999996"), ("2.5e2", "250"),
    ],
)  # fmt: skip
def test_a_float_is_spelled_as_go_spells_it(spelled: str, written: str):
    assert go_float(Number(spelled)).text == written


def test_text_is_escaped_as_go_escapes_it():
    assert go_json({"<a>": ["&\u2028\u2029", 'ü\n"\\\x01']}) == (
        '{"\\u003ca\\u003e":["\\u0026\\u2028\\u2029","ü\\n\\"\\\\\\u0001"]}'
    )


def test_zeroes_and_a_reading_price_in_the_place_of_a_writing_one_teach_nothing():
    catalog = MemoryCatalog()
    model = model_with(
        cost_per_1m_in=5, cost_per_1m_in_cached=0.5, cost_per_1m_out=0, cost_per_1m_out_cached=0
    )
    take_in(catalog, "catwalk", document(model))
    meters = [each["meter"] for each in catalog.all(Kind.OFFERING)["acme:zeta-9000"]["prices"]]
    assert meters == ["input"]
    assert as_data(give_out(catalog, "catwalk").data) == as_data(document(model))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{}", "a list of providers is expected"),
        (b"[]", "the list is empty"),
        (b'["x"]', "number 1 of the list is not a provider"),
        (b'[{"name": "x"}]', "provider 1 has no id"),
        (b'[{"id": "x", "models": {}}]', "the models of x are no list"),
        (b'[{"id": "x", "models": [1]}]', "model 1 of x is not an object"),
        (b'[{"id": "x", "models": [{"name": "y"}]}]', "model 1 of x has no id"),
        (b'{"error": "This version is no longer served"}', "a list of providers is expected"),
        (b"", "the file is empty"),
    ],
)
def test_what_no_reader_could_use_is_refused(data: bytes, reason: str):
    with pytest.raises(ParseError, match=reason) as refused:
        CATWALK.parse(data)
    assert refused.value.line == 1


MODELS = objects(
    {"id": IDS},
    {
        "name": TEXT, "context_window": NUMBERS, "default_max_tokens": NUMBERS, "can_reason": st.booleans(),
        "supports_attachments": st.booleans(), "reasoning_levels": st.lists(TEXT, max_size=2),
        "default_reasoning_effort": TEXT, "options": objects({}, {"temperature": NUMBERS, "top_k": NUMBERS}),
    } | dict.fromkeys(("cost_per_1m_in", "cost_per_1m_out", "cost_per_1m_in_cached", "cost_per_1m_out_cached"), NUMBERS),
)  # fmt: skip
PROVIDERS = objects(
    {"id": IDS, "models": st.lists(MODELS, max_size=3)},
    {"name": TEXT, "api_key": TEXT, "api_endpoint": TEXT, "type": st.sampled_from(["openai", "anthropic"]) | TEXT,
     "default_headers": st.dictionaries(TEXT, TEXT, max_size=2), "default_large_model_id": IDS},
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(*[st.lists(PROVIDERS, min_size=1, max_size=3)] * 2)
def test_whatever_follows_the_grammar_comes_out_as_it_went_in(first, second):
    catalog = MemoryCatalog()
    for document in (first, second):
        data = to_json(document).encode()
        take_in(catalog, "catwalk", data)
        view = give_out(catalog, "catwalk")
        assert as_data(view.data) == as_data(data)
        assert not view.omissions
        assert take_in(catalog, "catwalk", data).changes == []


# --- out, of what others said ------------------------------------------------------------------------------------


def told(*, own: dict[str, Any] | None = None, prices: Any = None, **facts: Any) -> MemoryCatalog:
    known = {
        "limits": {"context_tokens": 424242, "max_output_tokens": 4242},
        "capabilities": {"reasoning": True, "vision": True},
    }
    made = {"env": ["ACME_REGION", "ACME_API_KEY"], "api": "https://api.acme.example/v1", **(own or {})}
    listed = [price(), price("0.000006", meter="output"), price("0.00000015", meter="cache_read")]
    return MemoryCatalog(
        [
            lab(),
            provider(**{key: value for key, value in {"slug": "acme", **made}.items() if value}),
            entry("zeta", **{**known, **facts}),
            offering(
                "zeta",
                provider=made.get("slug", "acme"),
                entry="acme/zeta",
                prices=listed if prices is None else prices,
            ),
        ]
    )


def test_a_model_that_others_described_is_written_whole():
    written = give_out(told(), "catwalk").data
    assert written == (
        b'[{"name":"Acme","id":"acme","api_key":"$ACME_API_KEY","api_endpoint":"https://api.acme.example/v1",'
        b'"type":"openai-compat","models":[{"id":"zeta","name":"Zeta","cost_per_1m_in":1.5,"cost_per_1m_out":6,'
        b'"cost_per_1m_in_cached":0,"cost_per_1m_out_cached":0.15,"context_window":424242,"default_max_tokens":4242,'
        b'"can_reason":true,"supports_attachments":true}]}]'
    )
    assert CATWALK.gate(written) == []


@pytest.mark.parametrize(
    ("own", "api"),
    [
        (
            {"slug": "minimax", "api": "https://api.minimax.io/anthropic/v1"},
            "https://api.minimax.io/anthropic",
        ),
        ({"slug": "openai", "api": "https://api.openai.com/v1"}, None),
        ({"slug": "openrouter", "api": "https://openrouter.ai/api/v1"}, "https://openrouter.ai/api/v1"),
    ],
)
def test_an_address_is_what_its_type_expects(own: dict[str, Any], api: str | None):
    [made] = json.loads(give_out(told(own=own), "catwalk").data)
    assert made.get("api_endpoint") == api


@pytest.mark.parametrize(
    ("catalog", "reason"),
    [
        (told(own={"env": None}), "the variable that holds its provider's key is not known"),
        (told(own={"env": ["ACME_REGION"]}), "the variable that holds its provider's key is not known"),
        (told(own={"env": ["1_KEY"]}), "the variable that holds its provider's key is not known"),
        (told(own={"api": None}), "its provider's address is not known"),
        (told(limits={"max_output_tokens": 4242}), "how much it can read is not known"),
        (told(limits={"context_tokens": 424242}), "how much it can write is not known"),
        (told(prices=[price()]), "without its prices Crush would count it as free"),
        (told(mode="embedding"), "Crush cannot use a model for embedding"),
    ],
)
def test_what_lacks_a_needed_field_is_left_out_and_the_reason_told(catalog: MemoryCatalog, reason: str):
    view = give_out(catalog, "catwalk")
    assert view.data == b"[]"
    assert reason in next(left.reason for left in view.omissions if left.key.startswith("offering:"))


# --- would the client take it? -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (1, "is not an object"),
        (model_with(id=...), "id is missing"),
        (model_with(name=""), "name is missing"),
        (model_with(cost_per_1m_in=...), "cost_per_1m_in is missing"),
        (model_with(cost_per_1m_out="6"), "cost_per_1m_out must be a number"),
        (model_with(context_window=...), "context_window is missing"),
        (model_with(context_window=128000.0), "context_window must be a whole number"),
        (model_with(context_window="128000"), "context_window must be a whole number"),
        (model_with(default_max_tokens=2**63), "default_max_tokens must be a whole number"),
        (model_with(can_reason="yes"), "can_reason: write true or false"),
        (model_with(reasoning_levels=[1]), "reasoning_levels must list texts"),
        (model_with(default_reasoning_effort=1), "default_reasoning_effort must be text"),
        (model_with(options=[]), "options must be an object"),
        (model_with(options={"temperature": "1"}), "options.temperature must be a number"),
        (model_with(options={"top_k": 1.0}), "options.top_k must be a whole number"),
        (model_with(options={"provider_options": 1}), "options.provider_options must be an object"),
    ],
)
def test_a_model_that_would_break_the_client_is_stopped(model: Any, reason: str):
    assert any(reason in each for each in stops(document(model)))
    if isinstance(model, dict) and "id" in model:
        assert any(reason in each for each in stops_by_line(document(model)))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"name": ""}, "name is missing"),
        ({"type": 1}, "type must be text"),
        *(
            ({"api_key": key}, "api_key must be one variable")
            for key in ("sk-secret", "$(cat ~/.ssh/id)", "${ACME_API_KEY}", "$A$B", "$acme", "$A\n", "`id`")
        ),
        *(
            ({"api_endpoint": address}, "api_endpoint must be a plain https address")
            for address in (
                "http://api.acme.example", "https://user@evil.example", "https://$(id).example", "https://a.example/`id`",
                "ftp://a.example", "$(id)", "https://a.example/?x=$HOME", "https://a.example/\n",
            )
        ),
        *(
            ({"default_headers": {"X-A": value}}, "default_headers.X-A must be free of")
            for value in ("$(id)", "`id`", "$HOME", "a\r\nX-B: c")
        ),
        ({"default_headers": {"X-A": 1}}, "default_headers.X-A must be text"),
        ({"default_headers": {"X A": "b"}}, "is not the name of a header"),
        ({"default_headers": []}, "default_headers must be an object"),
        ({"default_large_model_id": "gone"}, "names 'gone', which is not listed"),
        ({"default_small_model_id": "gone"}, "names 'gone', which is not listed"),
    ],
)  # fmt: skip
def test_a_provider_that_would_break_the_client_or_reach_its_shell_is_stopped(
    head: dict[str, Any], reason: str
):
    assert any(reason in each for each in stops(document(**head))), stops(document(**head))
    assert any(reason in each for each in stops_by_line(document(**head)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{}", "a list of providers is expected"),
        (b"[]", "the list is empty"),
        (b"[1]", "is not an object"),
        (b'[{"name": "A"}]', "id is missing"),
        (b'[{"name": "A", "id": "a", "models": {}}]', "models must be a list"),
        (b"[", "not JSON"),
    ],
)
def test_a_document_that_the_client_would_refuse_is_stopped(data: bytes, reason: str):
    assert any(reason in each for each in stops(data))


@pytest.mark.parametrize(
    "head",
    [
        {"api_key": ""}, {"api_endpoint": ""}, {"api_endpoint": "$ACME_API_ENDPOINT"}, {"type": "anthropic"},
        {"api_endpoint": "http://127.0.0.1:8080/v1"}, {"default_headers": {"HTTP-Referer": "https://acme.example"}},
    ],
)  # fmt: skip
def test_what_real_providers_need_is_allowed(head: dict[str, Any]):
    assert stops(document(**head)) == []


def test_other_bytes_than_crushs_own_are_warned_of():
    assert ["would never find its own copy" in finding.reason for finding in CATWALK.gate(document())] == [
        True
    ]


def test_what_another_document_says_of_a_provider_does_not_change_this_one():
    """It fills the shared gap; here the address stays unsaid until this document says it."""
    catalog = MemoryCatalog()
    data = json.dumps([{"name": "Acme", "id": "acme", "models": [MODEL]}]).encode()
    take_in(catalog, "catwalk", data)
    head = {"id": "acme", "name": "Acme", "env": ["ACME_API_KEY"], "api": "https://api.acme.example/v1"}
    take_in(catalog, "models.dev", json.dumps({"acme": {**head, "models": {}}}).encode())
    assert catalog.all(Kind.PROVIDER)["acme"]["api"] == "https://api.acme.example/v1"
    assert as_data(give_out(catalog, "catwalk").data) == as_data(data)
    assert take_in(catalog, "catwalk", data).changes == []


# --- the real history --------------------------------------------------------------------------------------------


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_every_version_comes_out_as_it_went_in(alone: bool):
    """From one catalog that saw all before it; and every fifth from an empty one."""
    catalog = MemoryCatalog()
    listed = versions("catwalk")
    assert len(listed) == 175
    for file, data in listed[:: 5 if alone else 1]:
        catalog = MemoryCatalog() if alone else catalog
        take_in(catalog, "catwalk", data)
        view = give_out(catalog, "catwalk")
        assert as_data(view.data) == as_data(data), file
        assert not view.omissions, file
    assert take_in(catalog, "catwalk", data).changes == []


@pytest.mark.history
def test_real_prices_are_exact_and_reach_other_clients():
    catalog = MemoryCatalog()
    data = newest("catwalk")
    take_in(catalog, "catwalk", data)
    assert as_data(give_out(catalog, "catwalk").data) == as_data(data)
    litellm = json.loads(give_out(catalog, "litellm").data)
    sonnet = litellm["claude-sonnet-4-6"]
    assert (sonnet["input_cost_per_token"], sonnet["output_cost_per_token"]) == (3e-06, 1.5e-05)
    assert (sonnet["cache_creation_input_token_cost"], sonnet["cache_read_input_token_cost"]) == (
        3.75e-06,
        3e-07,
    )
    assert "name: claude-sonnet-4-6, max_input_tokens: 1000000" in give_out(catalog, "v2").data.decode()


@pytest.mark.history
@pytest.mark.slow
def test_models_dev_alone_gives_crush_a_useful_document():
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", newest("modelsdev"))
    written = give_out(catalog, "catwalk").data
    assert stops(written) == []
    assert as_crush_writes(read_json(written).value) == written
    providers = {each["id"]: each for each in json.loads(written)}
    assert len(providers) > 90
    assert providers["gemini"]["type"] == "google"
    assert providers["openai"]["api_key"] == "$OPENAI_API_KEY"
    models = {model["id"]: model for model in providers["anthropic"]["models"]}
    sonnet = models["claude-sonnet-4-5"]
    assert [sonnet[field] for field in sonnet if field.startswith("cost")] == [3, 15, 3.75, 0.3]
    assert (sonnet["context_window"], sonnet["default_max_tokens"]) == (200000, 64000)


@pytest.mark.history
@pytest.mark.slow
def test_two_documents_live_in_one_catalog_and_neither_changes_the_other():
    catalog = MemoryCatalog()
    theirs, ours = newest("modelsdev"), versions("catwalk")
    take_in(catalog, "catwalk", ours[-5][1])
    take_in(catalog, "models.dev", theirs)
    assert as_data(give_out(catalog, "catwalk").data) == as_data(ours[-5][1])
    before = give_out(catalog, "models.dev").data
    take_in(catalog, "catwalk", ours[-1][1])
    assert give_out(catalog, "models.dev").data == before
    assert as_data(give_out(catalog, "catwalk").data) == as_data(ours[-1][1])
