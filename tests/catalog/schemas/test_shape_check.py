"""The quick check never lets through what the JSON Schema refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.almanac_v1 import SECTIONS, _schema_of
from catalog.schemas.shape_check import compiled

STARTER = json.loads(
    (Path(__file__).parents[3] / "catalog" / "starter" / "starter.json").read_text(encoding="utf-8")
)
CHECKS = {kind: compiled(_schema_of(kind)) for kind in SECTIONS.values()}
VALIDATORS = {kind: jsonschema.Draft202012Validator(_schema_of(kind)) for kind in SECTIONS.values()}

cases = st.one_of(
    *(st.tuples(st.just(kind), st.sampled_from(STARTER[section])) for section, kind in SECTIONS.items())
)
odd = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        2**60,
        "",
        "a",
        "A/ B",
        "1.50",
        "0",
        [],
        [1],
        ["text"],
        {},
        {"tools": 1},
        {"x": True},
        "eu",
    ]
)


def test_every_record_of_the_starter_catalog_is_well_formed():
    for section, kind in SECTIONS.items():
        assert all(CHECKS[kind](record) for record in STARTER[section])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in places(item, (*path, name)))]


def changed(value: Any, path: tuple[Any, ...], odd_value: Any) -> Any:
    if not path:
        return odd_value
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], odd_value)
    return copy


@given(cases, st.data())
def test_a_record_with_one_thing_changed_is_judged_as_the_schema_judges_it(
    case: tuple[Kind, Any], data: st.DataObject
):
    kind, record = case
    path = data.draw(st.sampled_from(places(record)))
    made = changed(record, path, data.draw(odd))
    if isinstance(made, dict) and data.draw(st.booleans()):
        made = {
            name: item for name, item in made.items() if name != data.draw(st.sampled_from([*made, ""]))
        } | {"more": 1}
    assert CHECKS[kind](made) == VALIDATORS[kind].is_valid(made)


def test_it_is_stricter_than_the_schema_only_where_a_line_break_follows():
    check = compiled({"type": "string", "pattern": "^a$"})
    assert check("a")
    assert not check("a\n")
    assert not check("b")


def test_an_unknown_keyword_is_not_passed_over():
    with pytest.raises(ValueError, match="oneOf"):
        compiled({"oneOf": []})
