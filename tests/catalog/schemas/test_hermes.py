"""Hermes Agent's manifest: ids in each provider's order, and never one that makes Hermes refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Line, ParseError
from catalog.schemas.hermes import HERMES
from tests.catalog.schemas.grammar import IDS, NAMES, TEXT, VALUES, assert_round_trip, objects
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab, offering, price, provider

MANIFEST: dict[str, Any] = {
    "version": 1, "updated_at": "2026-11-20T00:00:00Z", "metadata": {"source": "x"},
    "providers": {
        "openrouter": {
            "metadata": {"note": None},
            "models": [
                {"id": "acme/zeta-9000", "description": "recommended", "default": True},
                {"id": "acme/eta", "description": "", "metadata": {}},
            ],
        },
        "nous": {"models": [{"id": "hermes-4"}], "metadata": {}},
        "other": {"models": []},
    },
}  # fmt: skip


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in HERMES.gate(data) if finding.severity == "stop"]


def manifest(*models: Any, **top: Any) -> bytes:
    whole = {"version": 1, "providers": {"openrouter": {"models": list(models)}}} | top
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def test_a_manifest_comes_out_as_it_went_in():
    made = MemoryCatalog()
    data = json.dumps(MANIFEST).encode()
    take_in(made, "hermes", data)
    view = give_out(made, "hermes")
    assert json.dumps(json.loads(view.data)) == json.dumps(MANIFEST)
    assert HERMES.gate(view.data) == []
    assert set(made.all(Kind.OFFERING)) == {
        "openrouter:acme/zeta-9000",
        "openrouter:acme/eta",
        "nous:hermes-4",
    }
    assert take_in(made, "hermes", data).changes == []


def test_a_provider_is_called_what_the_manifest_calls_it():
    made = MemoryCatalog()
    data = b'{"version":1,"providers":{"Open Router":{"models":[{"id":"a"}]},"open-router":{"models":[{"id":"a"}]}}}'
    take_in(made, "hermes", data)
    assert json.dumps(json.loads(give_out(made, "hermes").data)) == json.dumps(json.loads(data))


@given(
    st.dictionaries(
        st.sampled_from(["openrouter", "nous", "Nous", "x y"]) | NAMES,
        objects(
            {"models": st.lists(objects({"id": IDS}, {"description": TEXT, "default": st.just(True)}), max_size=3)},
            {"metadata": VALUES},
        ),
        max_size=3,
    ).filter(lambda providers: any(block["models"] for block in providers.values())),
    st.dictionaries(st.sampled_from(["version", "updated_at", "metadata"]), VALUES),
)  # fmt: skip
def test_any_manifest_of_the_grammar_comes_out_as_it_went_in(providers, top):
    assert_round_trip("hermes", {**top, "providers": providers})


def test_models_that_hermes_can_use_are_listed_and_others_are_left_out_with_a_reason():
    free = [price("0"), price("0", meter="output")]
    made = MemoryCatalog(
        [
            lab(), provider("openrouter"), provider("nous"), provider(),
            entry(capabilities={"tools": True}), entry("eta", capabilities={"tools": True}),
            entry("mute"), entry("vector", mode="embedding"), entry("gone", stage="retired"),
            offering("acme/zeta:free", provider="openrouter", prices=free),
            offering("acme/zeta", provider="openrouter", prices=[price()]),
            offering("eta", provider="nous", entry="acme/eta"),
            offering("mute", provider="nous", entry="acme/mute"),
            offering("vector", provider="nous", entry="acme/vector"),
            offering("gone", provider="nous", entry="acme/gone"),
            offering("eta", entry="acme/eta"),
        ]
    )  # fmt: skip
    view = give_out(made, "hermes")
    listed = json.loads(view.data)
    assert listed["version"] == 1
    assert {name: block["models"] for name, block in listed["providers"].items()} == {
        "openrouter": [{"id": "acme/zeta"}, {"id": "acme/zeta:free", "description": "free"}],
        "nous": [{"id": "eta"}],
    }
    assert HERMES.gate(view.data) == []
    assert HERMES.gate_lines(view.lines) == []
    told = {omission.key: omission.reason for omission in view.omissions}
    assert "call tools" in told["offering:nous:mute"]
    assert "for embedding" in told["offering:nous:vector"]
    assert "retired" in told["offering:nous:gone"]
    assert "openrouter and nous" in told["offering:acme:eta"]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", manifest(), manifest({"id": "a"}, version=2), manifest({"id": "a"}, version=...),
        manifest({"id": "a"}, version="1"), manifest({"id": "a"}, version=1.0), manifest({"id": "a"}, providers=...),
        manifest({"id": "a"}, providers=[]), manifest({"id": "a"}, providers={"openrouter": {}}),
        manifest({"id": "a"}, providers={"openrouter": {"models": [{"id": "a"}]}, "nous": {"models": None}}),
        manifest({"id": " "}), manifest({"id": ""}), manifest({}), manifest({"id": 5}), manifest("a"), manifest(None),
        manifest({"id": "a", "description": None}), manifest({"id": "a", "default": "true"}),
        manifest({"id": "a", "default": True}, {"id": "b", "default": True}),
    ],
)  # fmt: skip
def test_the_gate_stops_what_makes_hermes_refuse_the_manifest(data: bytes):
    assert stops(data) != []


def test_an_id_that_stands_twice_is_a_warning():
    (finding,) = HERMES.gate(manifest({"id": "a"}, {"id": "a"}))
    assert finding.severity == "warn"


def test_lines_are_judged_as_they_are_in_the_document():
    assert HERMES.gate_line(Line("", "offering:nous:a", '{"id":"a"}')) == []
    assert HERMES.gate_line(Line("", "offering:nous:a", '{"id":" "}'))[0].severity == "stop"
    made = MemoryCatalog()
    take_in(made, "hermes", manifest({"id": "a", "default": True}, {"id": "b", "default": True}, {"id": "a"}))
    found = HERMES.gate_lines(give_out(made, "hermes").lines)
    assert sorted(finding.severity for finding in found) == ["stop", "warn"]
    assert HERMES.gate_lines([])[0].severity == "stop"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"version": 1}', "an object with providers"),
        (manifest(), "no provider lists a model"),
        (manifest(providers={"nous": {"models": {}}}), "'nous' has no list of models"),
        (manifest(providers={"x" * 300: {"models": []}}), "is too long"),
        (manifest("a"), "is not an object"),
        (manifest({"name": "a"}), "has no id"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_reason(data: bytes, reason: str):
    with pytest.raises(ParseError, match=reason):
        HERMES.parse(data)
