"""The front page says whether everything is all right, from what is really served, and a page says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from mirrors.services.edge import measured
from tests.catalog.admin.cast import add_bystander, add_operator, signed_in


@pytest.fixture(autouse=True)
def installation(settings: Any, tmp_path: Path) -> None:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.ALMANAC_STORES = [f"file://{tmp_path / 'store'}"]
    settings.KEYS_DIR = tmp_path / "keys"
    measured.forget()


@pytest.fixture
def alice(db: None) -> Client:
    return signed_in(add_operator())


def test_what_is_wrong_stands_on_the_front_page_and_what_to_do_on_its_own(alice: Client) -> None:
    front = alice.get("/admin/").content.decode()
    assert "1 thing to mend" in front
    page = alice.get("/admin/health/").content.decode()
    assert "Something is wrong now" in page
    assert "keys create" in page
    assert page.index("act now") < page.index("look at it") < page.index(">well<")


def test_a_store_that_cannot_be_read_is_said_there(alice: Client, tmp_path: Path) -> None:
    store = tmp_path / "store" / "metadata"
    store.mkdir(parents=True)
    (store / "timestamp.json").write_text("{")
    assert "its metadata cannot be read" in alice.get("/admin/health/").content.decode()


def test_who_may_not_see_publications_sees_none_of_it(db: None) -> None:
    bystander = signed_in(add_bystander())
    assert "Stores, keys and signatures" not in bystander.get("/admin/").content.decode()
    assert bystander.get("/admin/health/").status_code == 403


def test_the_page_is_for_reading_only(alice: Client) -> None:
    assert alice.post("/admin/health/").status_code == 405
