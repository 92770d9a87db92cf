"""What the shared facts do not say is kept, whatever they do say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.schemas import residual
from catalog.schemas.aichat import V2
from catalog.schemas.litellm import LITELLM
from catalog.schemas.reading.values import Json, Number, to_json
from tests.catalog.schemas.test_readers import values

records = st.dictionaries(st.sampled_from("abcdefgh") | st.text(max_size=3), values, max_size=6)


def by_name(field: str) -> str:
    return field


def backwards(field: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in field)


@given(records, records)
def test_the_native_record_is_what_was_derived_with_its_residual_applied(
    derived: dict[str, Json], native: dict[str, Json]
):
    for rank in (by_name, backwards):
        kept = residual.diff(derived, native, rank)
        assert to_json(residual.apply(derived, kept, rank)) == to_json(native)
        assert residual.values(derived, kept) == native


@given(records, records, records)
def test_a_residual_made_over_other_facts_still_gives_the_same_record(
    one: dict[str, Json], two: dict[str, Json], native: dict[str, Json]
):
    over_one = residual.diff(one, native, by_name)
    over_two = residual.diff(two, residual.apply(one, over_one, by_name), by_name)
    assert to_json(residual.apply(two, over_two, by_name)) == to_json(native)


@given(records)
def test_what_the_facts_say_in_the_formats_order_needs_no_residual(record: dict[str, Json]):
    in_order = {field: record[field] for field in sorted(record)}
    assert residual.diff(record, in_order, by_name) == {}


def test_spelling_null_and_the_order_of_inner_keys_all_count():
    derived: dict[str, Json] = {
        "a": Number("1"),
        "b": Number("0.5"),
        "c": {"x": Number("1"), "y": None},
        "d": True,
    }
    native: dict[str, Json] = {
        "a": Number("1.0"),
        "b": Number("0.50"),
        "c": {"y": None, "x": Number("1")},
        "d": None,
    }
    kept = residual.diff(derived, native, by_name)
    assert kept == {"set": {"a": "1.0", "b": "0.50", "c": '{"y":null,"x":1}', "d": "null"}}


def test_an_operators_edit_clears_the_overrides_of_what_was_edited_and_nothing_else():
    membership = {
        "schema": "v2", "subject": "offering:openai:gpt-4o", "position": 1024,
        "native": {
            "set": {"input_price": "0.50", "max_input_tokens": "100", "patch": "{}"},
            "drop": ["supports_vision", "no_stream"],
            "order": ["name", "patch", "input_price", "max_input_tokens"],
        },
    }  # fmt: skip
    changed = {"prices.input.text.token.0...USD", "limits.context_tokens", "capabilities.vision"}
    cleared = residual.clear_overrides(V2.owns, membership, changed)
    assert cleared is not None
    assert cleared["native"]["set"] == {"patch": "{}"}
    assert cleared["native"]["drop"] == ["no_stream"]
    assert cleared["position"] == 1024
    assert membership["native"]["set"]["input_price"] == "0.50"


def test_an_edit_of_something_that_is_not_overridden_clears_nothing():
    membership = {
        "schema": "litellm",
        "subject": "offering:a:b",
        "position": 1,
        "native": {"set": {"mode": '"x"'}},
    }
    assert residual.clear_overrides(LITELLM.owns, membership, {"limits.max_output_tokens"}) is None


def test_the_last_override_that_is_cleared_takes_the_residual_with_it():
    native = {"set": {"cache_read_input_token_cost_above_200k_tokens": "1e-6"}}
    membership = {"schema": "litellm", "subject": "offering:a:b", "position": 1, "native": native}
    cleared = residual.clear_overrides(
        LITELLM.owns, membership, {"prices.cache_read.text.token.200000...USD"}
    )
    assert cleared == {"schema": "litellm", "subject": "offering:a:b", "position": 1}


@given(records, records, records)
def test_a_member_that_is_held_back_says_the_same_whatever_is_derived(derived, native, others):
    raw = residual.compose(derived, residual.diff(derived, native, by_name), by_name)
    held = residual.whole(raw, {"name": "its own"})
    assert list(residual.compose(others, held, by_name).items()) == list(raw.items())
    assert held["name"] == "its own"


@given(records, records)
def test_an_adjustment_wins_over_what_was_imported(derived, native):
    imported = residual.diff(derived, native, by_name)
    own = residual.adjusted(imported, {"set": {"new": "1"}, "drop": sorted(native)[:1]})
    composed = residual.compose(derived, own, by_name)
    assert composed["new"] == "1"
    assert not set(sorted(native)[:1]).intersection(composed)
