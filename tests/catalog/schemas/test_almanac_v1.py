"""Our own document: its form to the byte, its JSON Schema, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_type_hints

import jsonschema
import pytest

from catalog import records
from catalog.records import Kind
from catalog.schemas.almanac_v1 import ALMANAC_V1, SCHEMA_FILE, public_form
from catalog.schemas.base import Line, Omission, ParseError, Subject
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in

STARTER = Path(__file__).parents[3] / "catalog" / "starter" / "starter.json"
SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))

OFFERING = {
    "stage": "current", "ordinal": 1, "entry": "acme/zeta", "native_id": "zeta", "provider": "acme",
    "prices": [{"currency": "USD", "amount": "0.0000015", "unit": "token", "meter": "input", "spelling": "1.5/1M tokens"}],
    "limits": {"max_output_tokens": 5, "context_tokens": 10},
}  # fmt: skip
ENTRY = {
    "lab": "acme", "slug": "zeta", "name": "Ζέτα", "mode": "chat", "stage": "preview",
    "capabilities": {"vision": False, "tools": True},
}  # fmt: skip


def small_catalog() -> MemoryCatalog:
    return MemoryCatalog(
        [
            (Kind.REGION, {"code": "global", "name": "Global", "enabled": True}),
            (Kind.LAB, {"slug": "acme", "name": "Acme"}),
            (Kind.PROVIDER, {"slug": "acme", "name": "Acme"}),
            (Kind.ENTRY, ENTRY),
            (Kind.OFFERING, OFFERING),
        ]
    )


def test_the_document_has_one_record_a_line_and_all_sections():
    written = give_out(small_catalog(), "almanac/v1").data.decode()
    assert written == (
        '{"format":"almanac/v1",\n"regions":[\n{"code":"global","name":"Global","enabled":true}\n],\n'
        '"labs":[\n{"slug":"acme","name":"Acme"}\n],\n"providers":[\n{"slug":"acme","name":"Acme"}\n],\n'
        '"entries":[\n{"id":"acme/zeta","lab":"acme","slug":"zeta","name":"Ζέτα","mode":"chat","stage":"preview",'
        '"capabilities":{"tools":true,"vision":false}}\n],\n'
        '"offerings":[\n{"id":"acme:zeta","provider":"acme","native_id":"zeta","entry":"acme/zeta","stage":"current",'
        '"limits":{"context_tokens":10,"max_output_tokens":5},'
        '"prices":[{"meter":"input","unit":"token","amount":"0.0000015","currency":"USD"}]}\n],\n'
        '"featured":[\n],\n"trials":[\n],\n"experiments":[\n]}\n'
    )
    assert ALMANAC_V1.gate(written.encode()) == []


def test_the_starter_catalog_comes_out_as_it_went_in_but_for_drafts():
    catalog = MemoryCatalog()
    data = STARTER.read_bytes()
    plan = take_in(catalog, "almanac/v1", data)
    assert plan.report.created[Kind.ENTRY] > 100
    assert take_in(catalog, "almanac/v1", data).changes == []
    view = give_out(catalog, "almanac/v1")
    before, after = json.loads(data), json.loads(view.data)
    published = [experiment for experiment in before["experiments"] if experiment["status"] != "draft"]
    assert after == before | {"experiments": published}
    assert {omission.reason for omission in view.omissions} <= {"a draft is not published"}
    assert ALMANAC_V1.gate(view.data) == []
    jsonschema.Draft202012Validator(SCHEMA).validate(after)


LISTED_OF_THE_STARTER = {
    "openai": 20,
    "codex": 20,
    "hermes": 90,
    "gpt4all": 5,
    "lmstudio": 5,
    "jan": 5,
    "jan-v1": 5,
}
"""At the least, where a document lists one provider's models, or files; of any other, a hundred."""


def test_every_native_document_can_be_made_from_the_starter_catalog():
    from catalog.schemas.registry import NATIVE

    catalog = MemoryCatalog()
    take_in(catalog, "almanac/v1", STARTER.read_bytes())
    for name, schema in NATIVE.items():
        view = give_out(catalog, name)
        stopped = [finding for finding in schema.gate(view.data) if finding.severity == "stop"]
        assert stopped == []
        assert [finding for finding in schema.gate_lines(view.lines) if finding.severity == "stop"] == []
        assert len(view.lines) > LISTED_OF_THE_STARTER.get(name, 100), name


def test_the_published_schema_knows_every_field_of_every_record_and_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    shapes = {
        "region": records.RegionRecord, "lab": records.LabRecord, "provider": records.ProviderRecord,
        "entry": records.EntryRecord, "offering": records.OfferingRecord, "featured": records.FeaturedRecord,
        "trial": records.TrialRecord, "experiment": records.ExperimentRecord, "artifact": records.ArtifactRecord,
        "price": records.PriceRecord, "limits": records.LimitsRecord, "availability": records.AvailabilityRecord,
    }  # fmt: skip
    for name, shape in shapes.items():
        assert set(get_type_hints(shape)) - {"spelling"} == set(SCHEMA["$defs"][name]["properties"]) - {
            "id"
        }, name
    assert SCHEMA["$defs"]["entry"]["properties"]["mode"]["enum"] == list(records.MODES)
    assert SCHEMA["$defs"]["price"]["properties"]["meter"]["enum"] == list(records.METERS)
    assert SCHEMA["$defs"]["capabilities"]["propertyNames"]["enum"] == list(records.CAPABILITIES)


def test_a_repeated_id_shows_its_ordinal():
    form = public_form(Kind.OFFERING, {**OFFERING, "ordinal": 2})
    assert (form["id"], form["ordinal"]) == ("acme#2:zeta", 2)


def line(key: str, kind_record: dict[str, object]) -> Line | Omission:
    return ALMANAC_V1.line(Subject(key, record=kind_record))


def test_every_kind_has_a_line_and_a_draft_has_none():
    trial = {"slug": "t", "subject": "entry:acme/zeta", "badge": "New", "ends": "2027-01-01T00:00:00Z"}
    made = line("trial:t", trial)
    assert isinstance(made, Line)
    assert json.loads(made.text) == trial
    experiment = {"slug": "e", "namespace": "n", "start": 0, "count": 10, "status": "draft", "arms": []}
    assert isinstance(line("experiment:e", experiment), Omission)
    assert isinstance(line("experiment:e", {**experiment, "status": "running"}), Line)
    assert isinstance(ALMANAC_V1.line(Subject("entry:acme/zeta")), Omission)


def test_a_line_is_judged_as_it_is_in_the_document():
    good = ALMANAC_V1.line(Subject("offering:acme:zeta", offering=OFFERING))
    assert isinstance(good, Line)
    assert ALMANAC_V1.gate_line(good) == []
    for text in ("{", "[]", '{"provider":"acme"}', good.text.replace('"0.0000015"', "1.5e-06")):
        assert ALMANAC_V1.gate_line(good._replace(text=text))[0].severity == "stop"
    assert ALMANAC_V1.gate_lines([good]) == []
    assert ALMANAC_V1.gate_lines([]) != []


def with_record(section: str, record: str) -> bytes:
    sections = "".join(
        f',\n"{name}":[{record if name == section else ""}]'
        for name in SCHEMA["properties"]
        if name != "format"
    )
    return f'{{"format":"almanac/v1"{sections}}}'.encode()


@pytest.mark.parametrize(
    ("section", "record", "reason"),
    [
        ("labs", '{"slug":"a","name":"A","lisence":"x","ur":"https://a.example"}', "did you mean url?"),
        ("labs", '{"slug":"a","name":"A","approved":true,"author":"bob"}', "not allowed"),
        ("labs", '{"slug":"Ä","name":"A"}', "slug"),
        ("labs", '{"slug":"a","name":"A"},{"slug":"a","name":"B"}', "stands twice"),
        ("labs", '{"slug":"a"}', "'name' is a required property"),
        ("labs", "5", "is not of type 'object'"),
        ("providers", '{"slug":"a","name":"A","api":"javascript:alert(1)"}', "api"),
        ("providers", '{"slug":"a","name":"A","api":"https://user@host/"}', "api"),
        ("entries", '{"id":"x/y","lab":"a","slug":"b","name":"B","mode":"chat","stage":"current"}', "the id 'x/y' is not 'a/b'"),
        ("entries", '{"lab":"a","slug":"b","name":"B","mode":"chat","stage":"soon"}', "stage"),
        ("entries", '{"lab":"a","slug":"b","name":"B","mode":"chat","stage":"current","limits":{"context_tokens":-1}}', "limits/context_tokens"),
        ("entries", '{"lab":"a","slug":"b","name":"B","mode":"chat","stage":"current","limits":{"context_tokens":1e6}}', "is not a whole number"),
        ("entries", '{"lab":"a","slug":"b","name":"B","mode":"chat","stage":"current","capabilities":{"tools":null}}', "capabilities/tools"),
        ("entries", '{"lab":"a","slug":"b","name":"B","mode":"chat","stage":"current","released":"May 2025"}', "released"),
        ("offerings", '{"provider":"a","native_id":"\\u0430","entry":"a/b","stage":"current"}', "native_id"),
        ("offerings", '{"provider":"a","native_id":"b","entry":"a/b","stage":"current","prices":[{"meter":"input","unit":"token","amount":"1e-6","currency":"USD"}]}', "prices/0/amount"),
        ("trials", '{"slug":"a","subject":"entry:a/b","badge":"x","ends":"2027-01-01"}', "ends"),
    ],
)  # fmt: skip
def test_a_record_that_is_not_one_is_refused_with_its_line(section: str, record: str, reason: str):
    data = with_record(section, "\n" + record)
    with pytest.raises(ParseError) as refused:
        ALMANAC_V1.parse(data)
    assert reason in str(refused.value)
    assert refused.value.line >= 2
    assert ALMANAC_V1.gate(data)[0].severity == "stop"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":"almanac/v2"}',
        b'{"format":"almanac/v1","modles":[]}',
        b'{"format":"almanac/v1","labs":{}}',
    ],
)
def test_what_is_not_our_document_is_refused(data: bytes):
    with pytest.raises(ParseError):
        ALMANAC_V1.parse(data)


def test_references_that_lead_nowhere_are_stopped():
    data = with_record(
        "offerings",
        '{"provider":"a","native_id":"b","entry":"a/b","stage":"current","availability":{"only":["eu"]}}',
    )
    reasons = [finding.reason for finding in ALMANAC_V1.gate(data)]
    assert len(reasons) == 3
    assert any("refers to region eu" in reason for reason in reasons)


def test_importing_our_document_keeps_the_spelling_of_prices_that_did_not_change():
    catalog = small_catalog()
    written = give_out(catalog, "almanac/v1").data
    assert take_in(catalog, "almanac/v1", written).changes == []
    changed = written.replace(b'"amount":"0.0000015"', b'"amount":"0.000002"')
    (change,) = take_in(catalog, "almanac/v1", changed).changes
    assert change.after is not None
    assert "spelling" not in change.after["prices"][0]
