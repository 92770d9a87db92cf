"""Shared facts and the lenses that read and write them: exact, and silent where they cannot be exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import CAPABILITIES, METERS, MODALITIES, MODES, UNITS
from catalog.schemas import facts
from catalog.schemas.aichat import V1, V2
from catalog.schemas.litellm import LITELLM
from catalog.schemas.litellm_fields import MODES as LITELLM_MODES
from catalog.schemas.litellm_fields import cost_field, cost_path, float_spelling
from catalog.schemas.reading.values import Json, Number

INPUT = "prices.input.text.token.0...USD"
per_million = facts.from_price(INPUT, per=1_000_000, unit="1M tokens")
to_million = facts.to_price(per=1_000_000, unit="1M tokens", write=facts.plain_decimal)


@pytest.mark.parametrize(
    ("spelled", "amount"),
    [
        ("2.5", "0.0000025"), ("15", "0.000015"), ("0", "0"), ("0.0", "0"), ("0.049999999999999996", "0.000000049999999999999996"),
        ("1e-06", "0.000000000001"), ("0.150", "0.00000015"),
    ],
)  # fmt: skip
def test_a_price_per_million_is_exact_per_token_and_back(spelled: str, amount: str):
    price = per_million(Number(spelled))
    assert price is not None
    assert price["amount"] == amount
    assert to_million(price) == Number(spelled)


def test_an_amount_that_was_edited_is_not_written_in_its_old_spelling():
    price = per_million(Number("0.50"))
    assert price is not None
    assert to_million({**price, "amount": "0.000002"}) == Number("2")
    assert to_million({**price, "spelling": "5e-7/token"}) == Number("0.5")
    assert to_million({**price, "spelling": "nonsense/1M tokens"}) == Number("0.5")


@pytest.mark.parametrize(
    "value",
    [
        Number("-1"),
        Number("1e300"),
        Number("1e-300"),
        Number("9" * 30),
        Number("1e999999999"),
        "1.5",
        None,
        True,
    ],
)
def test_what_is_no_believable_price_is_not_shared(value: Json):
    assert per_million(value) is None
    assert facts.from_price("prices.input.text.token.0...USD", per=1, unit="token")(value) is None


@given(st.decimals(min_value=0, max_value=1000, places=9))
def test_any_price_survives_both_units(price: Decimal):
    spelled = Number(format(price.normalize(), "f"))
    read = per_million(spelled)
    assert read is not None
    assert Decimal(read["amount"]) * 1_000_000 == price
    plain = {name: value for name, value in read.items() if name != "spelling"}
    written = to_million(plain)
    assert isinstance(written, Number)
    assert written.value == price
    assert Decimal(float_spelling(Decimal(read["amount"]))) == Decimal(read["amount"])


@pytest.mark.parametrize(
    ("spelled", "count"),
    [
        ("128000", 128000),
        ("128000.0", 128000),
        ("1e6", 1000000),
        ("1.5", None),
        ("0", None),
        ("-1", None),
        ("1e12", None),
        ("1e400000", None),
    ],
)
def test_a_limit_is_shared_where_it_can_be_believed(spelled: str, count: int | None):
    assert facts.from_count(Number(spelled)) == count


def test_a_limit_that_is_text_or_true_is_not_shared():
    assert facts.from_count("128000") is None
    assert facts.from_count(True) is None


@pytest.mark.parametrize(
    ("text", "date"),
    [("2025-05-01", "2025-05-01"), ("2025-05", "2025-05"), ("2025-02-30", None), ("soon", None)],
)
def test_a_date_keeps_its_precision_and_must_exist(text: str, date: str | None):
    assert facts.from_date(text) == date


def test_an_offerings_own_facts_stand_before_its_entrys():
    entry = {
        "mode": "chat",
        "limits": {"context_tokens": 10, "max_output_tokens": 5},
        "capabilities": {"tools": True},
    }
    offering = {"limits": {"max_output_tokens": 7}, "capabilities": {"tools": False}}
    found = facts.facts_of(entry, offering)
    assert found["limits.context_tokens"] == 10
    assert found["limits.max_output_tokens"] == 7
    assert found["capabilities.tools"] is False


def test_changed_paths_name_each_fact_that_an_edit_changes():
    price = {"meter": "input", "unit": "token", "amount": "1", "currency": "USD"}
    before = {"limits": {"context_tokens": 10}, "prices": [price]}
    after = {"capabilities": {"vision": True}, "prices": [{**price, "amount": "2"}]}
    assert facts.changed_paths(before, after) == {"limits.context_tokens", "capabilities.vision", INPUT}
    assert facts.changed_paths(before, {**before, "prices": [{**price, "spelling": "1/token"}]}) == set()


def test_a_price_path_says_all_that_makes_a_price_one():
    price = {
        "meter": "cache_write", "modality": "audio", "unit": "token", "amount": "1", "currency": "USD",
        "above_tokens": 200000, "service_tier": "priority", "cache_ttl": "1h",
    }  # fmt: skip
    path = facts.price_path(price)
    assert path == "prices.cache_write.audio.token.200000.priority.1h.USD"
    assert facts.price_at(path, "1", "") == price


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("input_cost_per_token", INPUT),
        (
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
            "prices.cache_write.text.token.200000..1h.USD",
        ),
        ("output_cost_per_token_above_272k_tokens_priority", "prices.output.text.token.272000.priority..USD"),
        ("input_cost_per_audio_token_batches", "prices.input.audio.token.0.batch..USD"),
        ("output_cost_per_image", "prices.output.image.image.0...USD"),
        ("input_cost_per_token_ultrafast", None),
        ("output_cost_per_second_1080p", None),
        ("search_context_cost_per_query", None),
        ("input_cost_per_token_above_0k_tokens", None),
        ("input_cost_per_token_above_007k_tokens", None),
    ],
)
def test_a_cost_fields_name_says_which_price_it_is(field: str, path: str | None):
    assert cost_path(field) == path
    if path is not None:
        assert cost_field(path) == field


def test_no_two_fields_of_a_format_state_one_price():
    bases = [field for field in LITELLM.owns if "cost" in field]
    tails = ["", "_above_1hr", "_above_128k_tokens", "_flex", "_above_1hr_above_200k_tokens_batches"]
    fields = [base + tail for base in bases for tail in tails]
    assert len({cost_path(field) for field in fields}) == len(fields)


def test_lenses_speak_only_of_facts_that_records_have():
    known = {f"capabilities.{name}" for name in CAPABILITIES} | {f"limits.{name}" for name in facts.LIMITS}
    known |= {*facts.ENTRY_ONLY, "modalities", "provider"}
    for schema in (V1, V2, LITELLM):
        for paths in schema.owns.values():
            for path in paths:
                if path.startswith("prices."):
                    _, meter, modality, unit, *_ = path.split(".")
                    assert (meter in METERS, modality in MODALITIES, unit in UNITS) == (True, True, True)
                else:
                    assert path in known
    assert set(LITELLM_MODES.values()) <= set(MODES)
