"""Two contracts, or two schemas over the live catalog: who would break, and where."""

from __future__ import annotations

import copy
import json

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from catalog.compatibility import Difference, differences
from catalog.schemas.registry import SCHEMAS
from catalog.services.comparing import compare_schemas, contract_of
from tests.factories import lab, membership, price, provider, schema, small_catalog, write

OLD = {
    "type": "array",
    "items": {"$ref": "#/$defs/model"},
    "$defs": {
        "model": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "minLength": 1},
                "size": {"type": "integer", "minimum": 0},
                "kind": {"enum": ["a", "b"]},
                "note": {"type": "string"},
                "secret": False,
                "code": {"type": "string", "pattern": "^x"},
            },
            "required": ["id", "size"],
        }
    },
}


def changed(**fields: object) -> dict:
    """The old contract with other fields of its model; ``None`` takes one away."""
    new = copy.deepcopy(OLD)
    properties = new["$defs"]["model"]["properties"]
    for name, part in fields.items():
        properties[name] = part
        if part is None:
            del properties[name]
    return new


@pytest.mark.parametrize(
    ("new", "severity", "where", "reason"),
    [
        (changed(id={"type": ["string", "null"], "minLength": 1}), "break", "[].id", "may be null"),
        (changed(id={"type": "string"}), "break", "[].id", "minLength was 1 and is free"),
        (changed(size={"type": "number", "minimum": 0}), "break", "[].size", "may be number"),
        (changed(size={"type": "integer", "minimum": -1}), "break", "[].size", "minimum was 0 and is -1"),
        (changed(size=None), "break", "[].size", None),
        (changed(kind={"enum": ["a", "b", "c"]}), "break", "[].kind", "may be 'c'"),
        (changed(kind={"type": "string"}), "break", "[].kind", "may be anything"),
        (changed(code={"type": "string", "pattern": "^y"}), "break", "[].code", "its pattern is another one"),
        (changed(secret={"type": "string"}), "break", "[].secret", "must not be"),
        (changed(note=None), "loss", "[].note", "is not known"),
    ],
)
def test_what_readers_of_the_old_contract_cannot_bear_is_named(new, severity, where, reason):
    if reason is None:
        new["$defs"]["model"]["required"] = ["id"]
        reason = "is not there any more"
    (found,) = differences(OLD, new)
    assert (found.severity, found.where) == (severity, where)
    assert reason in found.reason


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        changed(more={"type": "string"}),
        changed(kind={"const": "a"}),
        changed(size={"type": "integer", "minimum": 10}),
        changed(id={"type": "string", "minLength": 5}),
    ],
)
def test_who_promises_more_than_was_promised_breaks_nobody(new):
    assert differences(OLD, new) == []


def test_a_reader_that_refuses_what_it_does_not_know_is_broken_by_a_new_field():
    strict = copy.deepcopy(OLD)
    strict["$defs"]["model"]["additionalProperties"] = False
    assert differences(strict, changed(more={"type": "string"}))[0].where == "[].more"


def test_a_contract_that_goes_round_in_a_circle_is_compared():
    tree = {"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}
    assert differences(tree, tree) == []
    assert [d.where for d in differences(tree, {"type": "array", "items": {"type": "string"}})] == ["[]"]


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_every_contract_is_compatible_with_itself_and_not_without_what_it_demands(name):
    contract = contract_of(name)
    assert differences(contract, contract) == []
    for definition in contract.get("$defs", {}):
        for field in contract["$defs"][definition].get("required", ()):
            weaker = copy.deepcopy(contract)
            weaker["$defs"][definition]["required"].remove(field)
            assert any(d.where.endswith(f".{field}") for d in differences(contract, weaker)), (
                definition,
                field,
            )


@given(st.recursive(st.dictionaries(st.text(max_size=3), st.none(), max_size=2), lambda inner: st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["object", "array", "string"]), "items": inner, "additionalProperties": inner,
                  "properties": st.dictionaries(st.sampled_from("ab"), inner), "enum": st.lists(st.integers(), max_size=3)}
)))  # fmt: skip
def test_any_contract_is_compatible_with_itself(contract):
    assert differences(contract, contract) == []


# --- over the live catalog ---------------------------------------------------------------------------------------


@pytest.fixture
def catalog(db: None) -> None:
    own = {"set": {"real_name": '"zeta-1"'}}
    write(*small_catalog(), lab(), provider(names={"litellm": "openai"}), schema("v1"))
    write(membership("provider:acme", schema="v1"), membership("offering:acme:eta", schema="v1"))
    write(membership("offering:acme:zeta", position=10, native=own))
    assert price()


def test_a_change_of_the_block_key_breaks_every_reader(catalog):
    found = compare_schemas("v2", "v1")
    assert found.breaks
    assert (
        Difference("break", "[].provider", "is not there any more, and its readers need it")
        in found.differences
    )
    assert {finding.client for finding in found.findings} == {"aichat 0.27 to 0.30"}
    assert [tuple(left[:2]) for left in found.lost] == [("offering:acme:zeta", "it is not a member")]


def test_the_command_says_who_breaks_and_where_and_ends_with_1(catalog, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("checkcompat", "v2", "v1")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "v1 in the place of v2: breaks aichat 0.27 to 0.30" in said
    assert "offering:acme:zeta: it is not a member" in said


def test_the_command_compares_with_a_file_and_ends_well_where_nothing_breaks(catalog, capsys, tmp_path):
    file = tmp_path / "jan.json"
    file.write_text(json.dumps(contract_of("jan")))
    call_command("checkcompat", "jan-v1", str(file), "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["breaks"], found["readers"]) == (False, "Jan's Hub")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"$ref": "#/$defs/none"}', '{"required": 1}', '{"type": 1}']
)
def test_a_file_that_is_no_contract_is_refused_in_words(text, tmp_path, capsys):
    file = tmp_path / "wrong.json"
    file.write_text(text)
    with pytest.raises(SystemExit) as ended:
        call_command("checkcompat", str(file), "v1")
    assert ended.value.code == 2
    assert "error: usage" in capsys.readouterr().err
