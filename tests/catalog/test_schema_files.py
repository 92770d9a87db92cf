from __future__ import annotations

import json

import jsonschema
import pytest
from django.test import Client

from tests.catalog.test_importing_over_the_starter import STARTER


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "127.0.0.1"})


def test_every_schema_is_listed_and_is_found_where_its_id_says(client):
    listed = client.get("/schemas/").json()["schemas"]
    assert "/schemas/almanac-v1.json" in listed
    for address in listed:
        answer = client.get(address)
        assert answer.status_code == 200
        schema = json.loads(b"".join(answer.streaming_content))
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"].endswith(address)


def test_the_starter_catalog_follows_the_published_schema(client):
    schema = json.loads(b"".join(client.get("/schemas/almanac-v1.json").streaming_content))
    jsonschema.Draft202012Validator(schema).validate(json.loads(STARTER.read_bytes()))


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e%2frecords", "almanac-v1.schema", "almanac-v1%00"])
def test_no_other_file_is_reached_by_a_name(client, name):
    assert client.get(f"/schemas/{name}.json").status_code in {400, 404}


def test_nothing_is_changed_there(client):
    assert client.post("/schemas/almanac-v1.json").status_code == 405
