"""Every published version of two real catalogs goes in and comes out as it was."""

from __future__ import annotations

import json
from functools import cache

import pytest
import yaml

from catalog.records import Kind
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import to_json
from catalog.schemas.reading.yaml_reader import read_yaml
from catalog.schemas.registry import SCHEMAS
from catalog.validity import problems_of
from tests.catalog.schemas.histories import aichat_versions, newest, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in

pytestmark = [pytest.mark.history, pytest.mark.slow]


@cache
def spelled_yaml(data: bytes) -> str:
    """Everything that a reader can see, as one text: orders, nulls, and how each number is spelled."""
    return to_json(read_yaml(data)[0])


@cache
def stock_yaml(data: bytes) -> str:
    """The same as stock PyYAML sees it: ``1`` and ``1.0`` differ, and so do orders."""
    return json.dumps(yaml.load(data, Loader=yaml.CSafeLoader))


def spelled_json(data: bytes) -> str:
    return to_json(read_json(data, last_key_counts=True).value)


def stops(schema: str, data: bytes) -> list[str]:
    return [
        f"{finding.where}: {finding.reason}"
        for finding in SCHEMAS[schema].gate(data)
        if finding.severity == "stop"
    ]


def check_aichat(catalog: MemoryCatalog, file: str, schema: str, data: bytes) -> None:
    take_in(catalog, schema, data)
    view = give_out(catalog, schema)
    assert spelled_yaml(view.data) == spelled_yaml(data), file
    assert stock_yaml(view.data) == stock_yaml(data), file
    assert not view.omissions, file
    assert stops(schema, view.data) == [], file
    assert take_in(catalog, schema, data).changes == [], file


def test_every_aichat_version_comes_out_of_an_empty_catalog_as_it_went_in():
    for file, schema, data in aichat_versions():
        check_aichat(MemoryCatalog(), file, schema, data)


def test_every_aichat_version_comes_out_of_one_catalog_that_saw_all_before_it():
    catalog = MemoryCatalog()
    seen = 0
    for file, schema, data in aichat_versions():
        check_aichat(catalog, file, schema, data)
        seen += 1
    assert seen == 112


def test_nine_aichat_versions_have_the_older_spelling_and_get_it_back():
    older = 0
    for file, schema, data in aichat_versions():
        if b"\n- type:" in b"\n" + data:
            catalog = MemoryCatalog()
            take_in(catalog, schema, data)
            written = give_out(catalog, schema).data
            assert b"- type: openai\n" in written, file
            assert b"platform:" not in written, file
            older += 1
    assert older == 9


def test_every_litellm_release_comes_out_of_an_empty_catalog_as_it_went_in():
    for file, data in versions("litellm"):
        catalog = MemoryCatalog()
        take_in(catalog, "litellm", data)
        assert spelled_json(give_out(catalog, "litellm").data) == spelled_json(data), file


def test_every_litellm_release_comes_out_of_one_catalog_that_saw_all_before_it():
    catalog = MemoryCatalog()
    for file, data in versions("litellm"):
        take_in(catalog, "litellm", data)
        view = give_out(catalog, "litellm")
        assert spelled_json(view.data) == spelled_json(data), file
        assert json.dumps(json.loads(view.data)) == json.dumps(json.loads(data)), file
        assert stops("litellm", view.data) == [], file
        assert take_in(catalog, "litellm", data).changes == [], file


def test_three_catalogs_live_in_one_and_none_changes_anothers_document():
    catalog = MemoryCatalog()
    aichat = {schema: data for _, schema, data in aichat_versions()}
    releases = [data for _, data in versions("litellm")]
    take_in(catalog, "v1", aichat["v1"])
    take_in(catalog, "litellm", releases[3])
    take_in(catalog, "v2", aichat["v2"])
    for _, schema, data in list(aichat_versions())[100::4]:
        aichat[schema] = data
        take_in(catalog, schema, data)
    take_in(catalog, "litellm", releases[-1])
    for schema, data in aichat.items():
        assert spelled_yaml(give_out(catalog, schema).data) == spelled_yaml(data)
        assert take_in(catalog, schema, data).changes == []
    assert spelled_json(give_out(catalog, "litellm").data) == spelled_json(releases[-1])
    assert take_in(catalog, "litellm", releases[-1]).changes == []


def test_what_is_imported_is_well_formed():
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", newest("litellm"))
    for _, schema, data in list(aichat_versions())[::10]:
        take_in(catalog, schema, data)
    problems = [
        str(problem)
        for kind in Kind
        for key, record in catalog.all(kind).items()
        for problem in problems_of(kind, key, record)
    ]
    assert problems == []


def test_our_own_document_lists_all_of_it_and_reads_back():
    catalog = MemoryCatalog()
    catalog.put(Kind.REGION, {"code": "global", "name": "Global", "enabled": True})
    take_in(catalog, "litellm", newest("litellm"))
    written = give_out(catalog, "almanac/v1").data
    assert stops("almanac/v1", written) == []
    again = MemoryCatalog()
    take_in(again, "almanac/v1", written)
    assert give_out(again, "almanac/v1").data == written


def test_a_small_change_upstream_changes_few_records():
    catalog = MemoryCatalog()
    releases = versions("litellm")
    take_in(catalog, "litellm", releases[11][1])
    plan = take_in(catalog, "litellm", releases[12][1])
    assert len(plan.report.added) == 14
    assert len(plan.report.changed) < 40
    assert len(plan.changes) < 120
