"""The published JSON Schemas, used both ways: what is real and what we render is valid, what is broken is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml

from catalog.schemas.registry import SCHEMAS
from catalog.services.comparing import CONTRACTS as SCHEMA_FILES
from catalog.services.comparing import contract_name as json_schema_name
from tests.catalog.schemas.histories import aichat_versions, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.catalog.test_importing_over_the_starter import STARTER

HISTORIES = {
    "litellm": ("litellm", 3),
    "models.dev": ("modelsdev", 2),
    "catwalk": ("catwalk", 6),
    "genai-prices/v1": ("genai_v1", 6),
    "genai-prices": ("genai_v2", 3),
    "gpt4all": ("gpt4all_v3", 24),
    "lmstudio": ("lmstudio", 28),
}
"""Schema → its history, and how many versions of it are read here, spread evenly."""
AUTHORED = "'type' is a required property"
"""models.dev is written without tiers' type, which its own build adds, and so do we."""


@cache
def contract(name: str) -> dict[str, Any]:
    file = SCHEMA_FILES / f"{json_schema_name(name)}.schema.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def faults(name: str, document: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(contract(name)).iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def is_valid(name: str, document: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(contract(name)).is_valid(document))


def read(name: str, data: bytes) -> Any:
    return yaml.load(data, Loader=yaml.CSafeLoader) if name in ("v1", "v2") else json.loads(data)


@cache
def rendered(name: str) -> bytes:
    """The starter catalog as this schema's document."""
    return give_out(starter(), name).data


@cache
def starter() -> MemoryCatalog:
    catalog = MemoryCatalog()
    take_in(catalog, "almanac/v1", STARTER.read_bytes())
    return catalog


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_every_schema_has_a_contract_that_is_one(name):
    jsonschema.Draft202012Validator.check_schema(contract(name))
    assert contract(name)["$id"] == f"/schemas/{json_schema_name(name)}.json"
    assert contract(name)["description"]


def test_no_contract_is_without_a_schema():
    named = {f"{json_schema_name(name)}.schema.json" for name in SCHEMAS}
    assert {path.name for path in SCHEMA_FILES.glob("*.json")} == named


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_what_we_render_is_valid(name):
    document = read(name, rendered(name))
    assert document
    assert faults(name, document) == []


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.parametrize("name", list(HISTORIES))
def test_what_was_really_published_is_valid(name):
    archive, count = HISTORIES[name]
    listed = versions(archive)
    wanted = {round(place * (len(listed) - 1) / max(1, count - 1)) for place in range(count)}
    for place in sorted(wanted):
        file, data = listed[place]
        found = [fault for fault in faults(name, json.loads(data)) if AUTHORED not in fault]
        assert found == [], file


@pytest.mark.history
def test_every_aichat_list_that_was_really_published_is_valid():
    seen = 0
    for file, name, data in aichat_versions():
        assert faults(name, read(name, data)) == [], file
        seen += 1
    assert seen == 112


@pytest.mark.history
@pytest.mark.slow
def test_a_list_that_models_dev_authored_is_valid_as_soon_as_we_render_it():
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", versions("modelsdev")[0][1])
    assert faults("models.dev", json.loads(give_out(catalog, "models.dev").data)) == []


def broken(
    schema: Any, document: Any, root: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, list[Any]]]:
    """(what is missing, where) for each required field, once for each place of the contract that demands it."""
    if "$ref" in schema:
        yield from broken(root["$defs"][schema["$ref"].rpartition("/")[2]], document, root, path)
        return
    if isinstance(document, dict):
        for field in schema.get("required", ()):
            if field in document:
                yield f"{path}.{field}", [field]
        for field, value in document.items():
            inner = schema.get("properties", {}).get(field, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                place = field if field in schema.get("properties", {}) else "*"
                for name, steps in broken(inner, value, root, f"{path}.{place}"):
                    yield name, [field, *steps]
    elif isinstance(document, list) and isinstance(schema.get("items"), dict):
        for index, value in enumerate(document):
            for name, steps in broken(schema["items"], value, root, f"{path}[]"):
                yield name, [index, *steps]


def small(name: str) -> Any:
    """A document short enough to be copied for every fault: two of whatever it lists."""
    return _cut(read(name, rendered(name)))


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(item) for item in value[:2]]
    if isinstance(value, dict):
        some = list(value.items())[:2] if len(value) > 60 else value.items()
        return {key: _cut(item) for key, item in some}
    return value


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "almanac/v1"])
def test_a_document_without_a_field_that_it_must_have_is_not_valid(name):
    document = small(name)
    assert is_valid(name, document)
    tried: dict[str, list[Any]] = {}
    for what, steps in broken(contract(name), document, contract(name)):
        tried.setdefault(what, steps)
    for what, steps in tried.items():
        without = copy.deepcopy(document)
        holder = without
        for step in steps[:-1]:
            holder = holder[step]
        del holder[steps[-1]]
        assert not is_valid(name, without), what
    assert len(tried) >= 1, name


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("v2", b"max_input_tokens: 1", b"max_input_tokens: 0.1"),
        ("v1", b"- platform:", b"- elsewhere:"),
        ("litellm", b'"litellm_provider":"', b'"litellm_provider":1,"x":"'),
        ("models.dev", b'"context":', b'"context":"many","x":'),
        ("codex", b'"shell_type":"default"', b'"shell_type":"zsh"'),
        ("codex", b'"priority":1', b'"priority":"1"'),
        ("catwalk", b'"context_window":', b'"context_window":0.5,"x":'),
        ("hermes", b'"version":1', b'"version":2'),
        ("genai-prices", b'"equals":', b'"looks_like":'),
        ("gpt4all", b'"filesize":"', b'"filesize":"x'),
        ("jan", b'"quants":[', b'"quants":null,"x":['),
        ("lmstudio", b'"sha256checksum":"', b'"sha256checksum":"z'),
        ("openrouter", b'"prompt":"', b'"prompt":1,"x":"'),
        ("openai", b'"object":"model"', b'"object":"thing"'),
    ],
)
def test_a_document_with_a_wrong_value_is_not_valid(name, old, new):
    data = rendered(name)
    assert old in data, data[:300]
    assert not is_valid(name, read(name, data.replace(old, new, 1)))
