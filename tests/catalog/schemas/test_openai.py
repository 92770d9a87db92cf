"""OpenAI's list of ids: one endpoint's, with a day that is known or none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Line, ParseError
from catalog.schemas.openai import OPENAI
from tests.catalog.schemas.grammar import IDS, NUMBERS, TEXT, assert_round_trip, objects
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab, offering, provider

DATA = b"""{"object": "list", "data": [
{"id": "gpt-x", "object": "model", "created": 1715299200, "owned_by": "openai"},
{"id": "gpt-y", "object": "model", "created": 1715367049, "owned_by": "system", "permission": null}
]}"""


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in OPENAI.gate(data) if finding.severity == "stop"]


def document(*items: str) -> bytes:
    return ('{"object": "list", "data": [' + ",".join(items) + "]}").encode()


def item(**fields: object) -> str:
    known = {"id": "m", "object": "model", "created": 1, "owned_by": "acme"} | fields
    return json.dumps({name: value for name, value in known.items() if value is not ...})


def test_a_list_comes_out_as_it_went_in_and_midnight_is_a_release_date():
    made = MemoryCatalog()
    take_in(made, "openai", DATA)
    view = give_out(made, "openai")
    assert json.loads(view.data) == json.loads(DATA)
    entries = made.all(Kind.ENTRY)
    assert entries["openai/gpt-x"]["released"] == "2024-05-10"
    assert "released" not in entries["openai/gpt-y"]
    assert "native" not in made.all(Kind.MEMBERSHIP)["openai|offering:openai:gpt-x"]


def test_what_frames_the_list_comes_back_in_its_place():
    data = b'{"data":[{"id":"a"}],"has_more":false,"first_id":null,"object":"list"}'
    made = MemoryCatalog()
    take_in(made, "openai", data)
    assert json.dumps(json.loads(give_out(made, "openai").data)) == json.dumps(json.loads(data))


@given(
    st.lists(
        objects(
            {"id": IDS},
            {"object": st.just("model"), "created": NUMBERS, "owned_by": TEXT, "permission": st.none()},
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_list_of_the_grammar_comes_out_as_it_went_in(items):
    assert_round_trip("openai", {"object": "list", "data": items})


def test_the_endpoints_own_models_are_listed_and_others_are_left_out_with_a_reason():
    made = MemoryCatalog(
        [
            lab("acme"), provider("openai"), provider("acme"),
            entry("day", released="2026-05-01"), entry("month", released="2026-05"), entry("none"),
            offering("day", provider="openai", entry="acme/day"),
            offering("month", provider="openai", entry="acme/month"),
            offering("none", provider="openai", entry="acme/none"),
            offering("day", provider="acme", entry="acme/day"),
        ]
    )  # fmt: skip
    view = give_out(made, "openai")
    assert json.loads(view.data) == {
        "object": "list",
        "data": [{"id": "day", "object": "model", "created": 1777593600, "owned_by": "acme"}],
    }
    told = {omission.key: omission.reason for omission in view.omissions}
    assert "the day of its release is not known" in told["offering:openai:month"]
    assert "the day of its release is not known" in told["offering:openai:none"]
    assert told["offering:acme:day"] == "the list is of what openai offers"
    assert stops(view.data) == []


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b'{"data": {}}', document(), document("null"), document('"gpt"'), document(item(), item()),
        document(item(id="")), document(item(id=...)), document(item(id=5)), document(item(object="list")),
        document(item(object=...)), document(item(created=...)), document(item(created=None)),
        document(item(created="1")), document(item(created=1.5)), document(item(created=-1)),
        document(item(owned_by=...)), document(item(owned_by=None)), b'{"data": [{"id": "a", "id": "b"}]}',
    ],
)  # fmt: skip
def test_the_gate_stops_what_clients_would_misread(data: bytes):
    assert stops(data) != []


def test_the_gate_lets_a_list_through():
    assert OPENAI.gate(DATA) == []
    assert OPENAI.gate(document(item(extra=[1]))) == []


def test_a_line_is_judged_as_it_is_in_the_document():
    assert OPENAI.gate_line(Line("1\tm", "offering:openai:m", item())) == []
    for text in (item(created=None), "null", "{", item() + "," + item(id="n")):
        assert OPENAI.gate_line(Line("1\tm", "offering:openai:m", text))[0].severity == "stop"
    same = [Line("1\tm", "offering:openai:m", item()), Line("2\tm", "offering:acme:m", item())]
    assert [finding.severity for finding in OPENAI.gate_lines(same)] == ["stop"]
    assert OPENAI.gate_lines([])[0].severity == "stop"


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b'{"data": [\n{"id": "a"},\n{"object": "model"}]}', "has no id", 3),
        ('{"data": [\n{"id": "gpt\u20114"}]}'.encode(), "is not an id", 2),
        (b'{"data": [\n1]}', "number 1 of the list", 1),
        (b'{"data": []}', "the list is empty", 1),
        (b'{"error": "no"}', "an object with a list data", 1),
        (b"<html>", "not JSON", 1),
    ],
)
def test_what_is_no_list_of_ids_is_refused_with_its_line(data: bytes, reason: str, line: int):
    with pytest.raises(ParseError) as refused:
        OPENAI.parse(data)
    assert reason in str(refused.value)
    assert refused.value.line == line
