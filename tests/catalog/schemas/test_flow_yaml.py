"""One line of YAML that every reader takes for the same."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.schemas.flow_yaml import flow
from catalog.schemas.reading.values import Json, Number
from catalog.schemas.reading.yaml_reader import read_yaml
from tests.catalog.schemas.test_readers import numbers, texts

values = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def as_numbers(value: Json) -> object:
    """Spelling aside: what is left must be equal for every reader."""
    if isinstance(value, Number):
        return int(value.text) if value.is_integer else float(value.text)
    if isinstance(value, list):
        return [as_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: as_numbers(item) for key, item in value.items()}
    return value


@given(values)
def test_our_reader_and_stock_pyyaml_see_the_same_value(value: Json):
    line = flow([value])
    assert "\n" not in line
    ours, _ = read_yaml(line.encode())
    assert json.dumps(as_numbers(ours)) == json.dumps(as_numbers([value]))
    assert json.dumps(yaml.load(line, Loader=yaml.CSafeLoader)) == json.dumps(as_numbers([value]))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("gpt-4o", "gpt-4o"), ("@cf/meta/llama", '"@cf/meta/llama"'), ("a: b", '"a: b"'), ("no", '"no"'), ("On", '"On"'),
        ("null", '"null"'), ("", '""'), ("123", '"123"'), ("1e3", '"1e3"'), ("2024-05-01", '"2024-05-01"'),
        ("mixtral:free", '"mixtral:free"'), ("a\nb", '"a\\nb"'), ("\u0085", '"\\u0085"'), ("\ufeffé😀", '"\\ufeffé😀"'),
        (Number("1e-06"), "1.0e-06"), (Number("2.5E5"), "2.5e+5"), (Number("128000"), "128000"), (Number("0.50"), "0.50"),
        ({"a": None, "b": [True]}, "{a: null, b: [true]}"), ({"max_output_tokens?": Number("1")}, "{max_output_tokens?: 1}"),
    ],
)  # fmt: skip
def test_text_is_quoted_and_numbers_respelled_only_where_a_reader_would_err(value: Json, line: str):
    assert flow(value) == line
