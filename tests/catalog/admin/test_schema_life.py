"""A schema's life and an operator's adjustments, set in the admin; each a change request like all else."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Change, ChangeRequest
from catalog.records import Kind
from catalog.schemas.registry import SCHEMAS
from catalog.services.documents import render_release
from catalog.services.releases import cut_release
from tests.catalog.admin.cast import posted
from tests.catalog.admin.test_saving import address, live
from tests.factories import NOW

LIFE = {"status": "deprecated", "deprecated": "2026-11-20", "sunset": "2027-06-30", "successor": "litellm"}
SCHEMA = "v2"


def save(alice: Client, kind: Kind, key: str, **typed: str) -> str:
    """The page that follows, as text."""
    data = posted(alice.get(address(kind, key)))
    kept = {name: value for name, value in data.items() if typed.get(name) != "off"}
    changed = {name: value for name, value in typed.items() if value != "off"}
    return alice.post(address(kind, key), kept | changed, follow=True).content.decode()


def add(alice: Client, **typed: str) -> str:
    page = reverse("admin:catalog_adjustment_add")
    data = posted(alice.get(page)) | typed
    return alice.post(page, data, follow=True).content.decode()


def schema_pk() -> str:
    return address(Kind.SCHEMA, SCHEMA).rstrip("/").split("/")[-2]


def test_a_schemas_life_is_set_by_a_change_request(alice: Client) -> None:
    save(alice, Kind.SCHEMA, SCHEMA, **LIFE, clients="aichat = >=0.27.0 <0.31")
    record = live(Kind.SCHEMA, SCHEMA)
    assert {name: record[name] for name in LIFE} == LIFE
    assert record["clients"] == {"aichat": ">=0.27.0 <0.31"}
    made = ChangeRequest.objects.get(pk=Change.objects.latest("pk").request_id)
    assert (made.author, made.status) == ("alice", "applied")
    save(alice, Kind.SCHEMA, SCHEMA, status="retired")
    assert live(Kind.SCHEMA, SCHEMA)["status"] == "retired"
    save(alice, Kind.SCHEMA, SCHEMA, status="current", deprecated="", sunset="", successor="")
    assert not {"deprecated", "sunset", "successor"} & live(Kind.SCHEMA, SCHEMA).keys()


def test_a_deprecation_without_a_day_is_as_of_today(alice: Client) -> None:
    save(alice, Kind.SCHEMA, SCHEMA, status="deprecated")
    assert len(str(live(Kind.SCHEMA, SCHEMA)["deprecated"])) == 10


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"sunset": "2026-01-01"}, "before the day of its deprecation"),
        ({"sunset": "soon"}, "is not a day"),
        ({"deprecated": "2026-02-30"}, "is not a day"),
        ({"successor": SCHEMA}, "cannot follow itself"),
        ({"successor": "nothing"}, "not one of the available choices"),
        ({"clients": "aichat = newest"}, "names no versions"),
    ],
)
def test_a_life_that_cannot_be_is_refused_at_its_field(
    alice: Client, typed: dict[str, str], said: str
) -> None:
    before, requests = live(Kind.SCHEMA, SCHEMA), ChangeRequest.objects.count()
    assert said in save(alice, Kind.SCHEMA, SCHEMA, **{**LIFE, **typed})
    assert (live(Kind.SCHEMA, SCHEMA), ChangeRequest.objects.count()) == (before, requests)


def test_nobody_is_sent_to_a_schema_that_is_retired_itself(alice: Client) -> None:
    save(alice, Kind.SCHEMA, "litellm", status="retired")
    assert "is retired itself" in save(alice, Kind.SCHEMA, SCHEMA, **LIFE)
    assert live(Kind.SCHEMA, SCHEMA)["status"] == "current"


def test_a_member_is_hidden_and_changed_in_the_admin(alice: Client) -> None:
    add(alice, schema=schema_pk(), subject="offering:acme:eta", hidden="on", reason="not tested")
    assert live(Kind.ADJUSTMENT, "v2|offering:acme:eta") == {
        "schema": "v2", "subject": "offering:acme:eta", "hidden": True, "reason": "not tested",
    }  # fmt: skip
    key = "v2|offering:acme:zeta"
    save(alice, Kind.ADJUSTMENT, key, set="input_price = 3\nsupports_vision = true", drop="")
    assert live(Kind.ADJUSTMENT, key)["set"] == {"input_price": "3", "supports_vision": "true"}
    assert "would not take the document" in save(alice, Kind.ADJUSTMENT, key, drop="name")


def test_a_member_is_held_back_by_a_tick_and_let_go_without_it(alice: Client) -> None:
    refused = add(alice, schema=schema_pk(), subject="offering:acme:eta", hold="on")
    assert "there is nothing to hold" in refused
    release = cut_release(now=NOW, by="alice")
    assert release is not None
    list(render_release(release=release.number, schemas=SCHEMAS))
    add(alice, schema=schema_pk(), subject="offering:acme:eta", hold="on", reason="under test")
    key = "v2|offering:acme:eta"
    held = live(Kind.ADJUSTMENT, key)["held"]
    assert held == {"release": 1, "native": {"set": {"name": '"eta"'}, "order": ["name"], "whole": True}}
    save(alice, Kind.ADJUSTMENT, key, set="input_price = 3")
    assert live(Kind.ADJUSTMENT, key)["held"] == held
    save(alice, Kind.ADJUSTMENT, key, hold="off")
    assert "held" not in live(Kind.ADJUSTMENT, key)
