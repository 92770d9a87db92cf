"""Objects inside a member come apart and together again, whatever their fields are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.schemas.nesting import flat, joined
from catalog.schemas.reading.values import Number, to_json
from tests.catalog.schemas.grammar import VALUES

NAMES = st.sampled_from(["a", "b", "a.b", "a.", ".", "=a", "=", "=a.b", "==a.x", "", "b.c.d", "x"])
INNER = VALUES | st.dictionaries(NAMES, VALUES, max_size=3)


@given(st.dictionaries(NAMES, INNER, max_size=6))
def test_what_is_taken_apart_is_put_together_again(item):
    raw = {name: to_json(value) for name, value in flat(item, ("a", "b")).items()}
    assert joined(raw, ("a", "b")) == to_json(item)


def test_each_field_of_a_nested_object_stands_for_itself():
    item = {
        "id": "m",
        "pricing": {"prompt": "1", "completion": Number("2")},
        "other": {"x": None},
        "empty": {},
    }
    assert flat(item, ("pricing", "empty")) == {
        "id": "m", "pricing.prompt": "1", "pricing.completion": Number("2"), "other": {"x": None}, "empty": {},
    }  # fmt: skip


def test_a_field_that_comes_later_joins_its_object():
    raw = {"pricing.prompt": '"1"', "id": '"m"', "pricing.completion": '"2"'}
    assert joined(raw, ("pricing",)) == '{"pricing":{"prompt":"1","completion":"2"},"id":"m"}'


def test_an_object_that_is_stated_whole_hides_fields_that_are_derived():
    assert joined({"pricing": "null", "pricing.prompt": '"1"'}, ("pricing",)) == '{"pricing":null}'
