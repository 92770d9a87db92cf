"""``/readyz``: 200 and little, or 503 and what is wrong, without a word that a stranger could use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from mirrors import status
from mirrors.checks import DatabaseFacts, Failure, examined
from tests.mirrors.test_checks import RED, WELL, stored

SECRETS = ("file:///srv/store", "hunter2", "10.0.0.7")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    status.ready.forget()


def test_well_is_two_hundred_and_small() -> None:
    answer = status.readiness(examined(WELL))
    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "ok", "warnings": {}})
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("kind", "verdict", "facts"), RED)
def test_what_is_bad_is_503_and_named_and_a_warning_is_not(kind: str, verdict: str, facts: Any) -> None:
    answer = status.readiness(examined(facts))
    document = json.loads(answer.content)
    if verdict == "warn":
        assert (answer.status_code, set(document["warnings"])) == (200, {kind})
    else:
        assert (answer.status_code, set(document["failing"])) == (503, {kind})
        assert answer["Content-Type"] == "application/problem+json"
        assert document["failing"][kind] in document["detail"]


def test_nothing_that_an_error_or_a_store_said_is_passed_on() -> None:
    for facts in (
        stored(served=Failure("password hunter2 refused by 10.0.0.7", "see file:///srv/store")),
        replace(WELL, database=DatabaseFacts("postgresql", failure="user hunter2 at 10.0.0.7: refused")),
    ):
        body = status.readiness(examined(facts)).content.decode()
        assert not [secret for secret in SECRETS if secret in body]


@pytest.mark.django_db
def test_a_fresh_installation_is_not_ready_and_says_why(
    client: Client, tmp_path: Path, settings: Any
) -> None:
    settings.ALMANAC_STORES = [f"file://{tmp_path / 'store'}"]
    settings.KEYS_DIR = tmp_path / "keys"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json()["failing"]) == {"keys"}
    assert set(answer.json()["warnings"]) == {"timestamp"}
    assert client.post("/readyz").status_code == 405


@pytest.mark.django_db
def test_a_database_without_its_tables_is_named(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'mirrors'")
    assert set(client.get("/readyz").json()["failing"]) == {"migrations"}


def test_healthz_needs_no_database(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"
