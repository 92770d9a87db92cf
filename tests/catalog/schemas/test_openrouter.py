"""OpenRouter's list: prices as texts, nulls written, its own ids alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Line
from catalog.schemas.openrouter import OPENROUTER
from tests.catalog.schemas.grammar import DAYS, IDS, NUMBERS, TEXT, VALUES, WHOLE, assert_round_trip, objects
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab, offering, price, provider

ITEM: dict[str, Any] = {
    "id": "acme/zeta-9000", "canonical_slug": "acme/zeta-9000-20260501", "hugging_face_id": "", "name": "Acme: Zeta",
    "created": 1777593600, "description": "**Large**", "context_length": 424242,
    "architecture": {
        "modality": "text+image+file->text", "input_modalities": ["text", "image", "file"],
        "output_modalities": ["text"], "tokenizer": "GPT", "instruct_type": None,
    },
    "pricing": {"prompt": "0.0000015", "completion": "0.00000600", "web_search": "0.01", "image": "0"},
    "top_provider": {"context_length": 424242, "max_completion_tokens": None, "is_moderated": False},
    "per_request_limits": None, "supported_parameters": ["tools", "tool_choice", "seed"],
    "default_parameters": {"temperature": None}, "knowledge_cutoff": None, "expiration_date": None,
    "links": {"details": "/api/v1/models/acme/zeta/endpoints"},
}  # fmt: skip


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in OPENROUTER.gate(data) if finding.severity == "stop"]


def document(*items: Any) -> bytes:
    return json.dumps({"data": items}).encode()


def changed(path: str, value: Any) -> bytes:
    """The document with one field set, or with ``...`` left out."""
    item = json.loads(json.dumps(ITEM))
    *parents, name = path.split(".")
    place = item
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[name]
    else:
        place[name] = value
    return document(item)


def test_prices_and_limits_are_shared_and_the_rest_travels_along():
    made = MemoryCatalog()
    take_in(made, "openrouter", document(ITEM))
    (known,) = made.all(Kind.ENTRY).values()
    assert known["name"] == "Acme: Zeta"
    assert known["released"] == "2026-05-01"
    assert known["limits"] == {"context_tokens": 424242}
    assert known["modalities"] == {"input": ["text", "image", "pdf"], "output": ["text"]}
    assert known["capabilities"] == {"tools": True}
    (offered,) = made.all(Kind.OFFERING).values()
    assert [(one["meter"], one.get("modality", "text"), one["amount"]) for one in offered["prices"]] == [
        ("input", "image", "0"), ("input", "text", "0.0000015"), ("output", "text", "0.000006"),
    ]  # fmt: skip
    (kept,) = (m for m in made.all(Kind.MEMBERSHIP).values() if m["subject"].startswith("offering:"))
    assert "pricing.web_search" in kept["native"]["set"]
    assert not {"pricing.prompt", "pricing.completion", "name", "created"} & kept["native"]["set"].keys()
    view = give_out(made, "openrouter")
    assert json.dumps(json.loads(view.data)) == json.dumps({"data": [ITEM]})
    assert stops(view.data) == []


def test_a_price_of_seventeen_digits_is_exact_and_keeps_its_zeros():
    made = MemoryCatalog()
    pricing = {"prompt": "0.00000008333333333333334", "completion": "0.000000500", "request": "-1"}
    take_in(made, "openrouter", document(ITEM | {"pricing": pricing}))
    (offered,) = made.all(Kind.OFFERING).values()
    assert [one["amount"] for one in offered["prices"]] == ["0.00000008333333333333334", "0.0000005"]
    assert json.loads(give_out(made, "openrouter").data)["data"][0]["pricing"] == pricing


def test_a_price_that_was_spelled_with_an_exponent_is_written_without():
    made = zeta(prices=[price(spelling="1.5e-06/token"), price("0.000006", meter="output")])
    (item,) = json.loads(give_out(made, "openrouter").data)["data"]
    assert item["pricing"] == {"prompt": "0.0000015", "completion": "0.000006"}


def zeta(**more: Any) -> MemoryCatalog:
    known = {
        "released": "2026-05-01", "limits": {"context_tokens": 424242, "max_output_tokens": 4242},
        "modalities": {"input": ["text", "pdf"], "output": ["text"]}, "capabilities": {"tools": True, "reasoning": False},
        "links": {"paper": "https://acme.example/p", "canonical": "https://huggingface.co/acme/zeta"},
    }  # fmt: skip
    prices = more.pop("prices", [price(), price("0.000006", meter="output")])
    known |= more
    return MemoryCatalog(
        [
            lab(), provider("openrouter"), provider("acme"),
            entry(**{name: value for name, value in known.items() if value is not ...}),
            offering("acme/zeta", provider="openrouter", prices=prices), offering("zeta", prices=prices),
        ]
    )  # fmt: skip


def test_a_member_that_no_document_has_named_is_whole_and_says_nothing_that_is_not_known():
    view = give_out(zeta(), "openrouter")
    (item,) = json.loads(view.data)["data"]
    assert item == {
        "id": "acme/zeta", "canonical_slug": "acme/zeta", "hugging_face_id": "acme/zeta", "name": "Zeta",
        "created": 1777593600, "description": "", "context_length": 424242,
        "architecture": {
            "modality": "text+file->text", "input_modalities": ["text", "file"], "output_modalities": ["text"],
            "tokenizer": "Other", "instruct_type": None,
        },
        "pricing": {"prompt": "0.0000015", "completion": "0.000006"},
        "top_provider": {"context_length": 424242, "max_completion_tokens": 4242},
        "per_request_limits": None, "supported_parameters": ["max_tokens", "tools", "tool_choice"],
        "default_parameters": {}, "knowledge_cutoff": None, "expiration_date": None,
    }  # fmt: skip
    assert OPENROUTER.gate(view.data) == []
    assert {omission.key: omission.reason for omission in view.omissions} == {
        "offering:acme:zeta": "the list is of what openrouter offers"
    }


@pytest.mark.parametrize(
    ("lack", "reason"),
    [
        ({"released": "2026-05"}, "the day of its release is not known"),
        ({"limits": ...}, "its context length is not known"),
        ({"modalities": ...}, "its modalities are not known"),
        ({"prices": [price("0.000006", meter="output")]}, "its price for input is not known"),
        ({"prices": [price()]}, "its price for output is not known"),
        ({"stage": "retired"}, "it is retired"),
    ],
)
def test_what_lacks_a_fact_is_left_out_with_the_reason(lack: dict[str, Any], reason: str):
    view = give_out(zeta(**lack), "openrouter")
    assert view.lines == ()
    assert reason in {o.key: o.reason for o in view.omissions}["offering:openrouter:acme/zeta"]


def test_another_formats_spelling_of_an_id_is_not_listed_twice():
    made = zeta()
    made.put(*offering("openrouter/acme/zeta", provider="openrouter", prices=[price()]))
    view = give_out(made, "openrouter")
    assert len(view.lines) == 1
    assert (
        "another format"
        in {o.key: o.reason for o in view.omissions}["offering:openrouter:openrouter/acme/zeta"]
    )


DECIMALS = st.from_regex(r"0\.0{3,7}[1-9][0-9]{0,16}|0|-1|1\.50|[0-9]e-6", fullmatch=True)
PRICING = st.dictionaries(
    st.sampled_from(
        ["prompt", "completion", "input_cache_read", "web_search", "image", "request", "discount"]
    ),
    DECIMALS | VALUES,
    max_size=5,
)
SIDES = st.lists(st.sampled_from(["text", "image", "file", "audio", "embeddings"]), max_size=3)


@given(
    st.lists(
        objects(
            {"id": IDS},
            {
                "name": TEXT, "created": NUMBERS, "context_length": WHOLE, "pricing": PRICING,
                "architecture": st.fixed_dictionaries(
                    {"input_modalities": SIDES, "output_modalities": SIDES}, optional={"tokenizer": TEXT}
                ),
                "top_provider": st.dictionaries(
                    st.sampled_from(["context_length", "max_completion_tokens", "is_moderated"]), VALUES | WHOLE
                ),
                "supported_parameters": st.lists(st.sampled_from(["tools", "tool_choice", "temperature", "seed"])),
                "knowledge_cutoff": DAYS, "expiration_date": st.none(), "hugging_face_id": st.none() | TEXT,
            },
        ),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_any_list_of_the_grammar_comes_out_as_it_went_in(items):
    assert_round_trip("openrouter", {"data": items})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", ...), ("id", ""), ("name", None), ("created", ...), ("created", "1"), ("context_length", ...),
        ("context_length", None), ("context_length", "424242"), ("context_length", 1.5), ("description", None),
        ("pricing", ...), ("pricing", None), ("pricing.prompt", ...), ("pricing.prompt", 0.0000015),
        ("pricing.completion", None), ("pricing.prompt", "1e-6"), ("pricing.prompt", "free"), ("pricing.prompt", ""),
        ("pricing.web_search", 0.01), ("architecture", ...), ("architecture.input_modalities", "text"),
        ("architecture.output_modalities", ...), ("hugging_face_id", ...), ("top_provider", ...),
        ("top_provider.context_length", ...), ("top_provider.max_completion_tokens", "1"), ("per_request_limits", ...),
        ("supported_parameters", None), ("supported_parameters", [1]), ("knowledge_cutoff", 2025),
    ],
)  # fmt: skip
def test_the_gate_stops_what_readers_would_misread(path: str, value: Any):
    assert any(path.split(".", maxsplit=1)[0] in reason for reason in stops(changed(path, value)))


def test_the_gate_stops_a_document_of_another_shape():
    for data in (b"", b"[]", b"{}", b'{"data": {}}', document(), document(None), document(ITEM, ITEM)):
        assert stops(data) != []
    assert stops(document(ITEM)) == []


def test_a_line_is_judged_as_it_is_in_the_document():
    assert OPENROUTER.gate_line(Line("1", "offering:openrouter:x", json.dumps(ITEM))) == []
    broken = json.dumps(ITEM | {"pricing": {"prompt": 1}})
    assert OPENROUTER.gate_line(Line("1", "offering:openrouter:x", broken))[0].severity == "stop"
