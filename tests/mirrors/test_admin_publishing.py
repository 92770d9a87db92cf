"""Publish in the admin: the difference in words, a request for the worker, and what became of it. No key is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from catalog.models import ChangeRequest, RecordVersion, Release
from catalog.records import Kind
from mirrors.models import Publication
from tests.catalog.admin.cast import ALL_THE_SAME, add_operator, full_catalog, publish_something, signed_in
from tests.factories import NOW, offering, price, write


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.KEYS_DIR = Path("/nonexistent")  # whatever opens a key here fails


@pytest.fixture
def alice(db: None) -> Client:
    write(*full_catalog())
    return signed_in(add_operator())


def test_the_first_publication_says_what_it_begins_with(alice: Client) -> None:
    page = alice.get("/admin/publish/").content.decode()
    assert "an empty catalog: this makes the first release" in page
    assert "3 offerings" in page


def test_the_difference_names_the_field_with_both_values(alice: Client, tmp_path: Path) -> None:
    publish_something(tmp_path)
    write(offering("zeta", prices=[price("0.000002"), price("0.000006", meter="output")]))
    page = alice.get("/admin/publish/").content.decode()
    assert "1.5 USD per million tokens" in page
    assert "2 USD per million tokens" in page
    assert "1 changed" in page
    assert "acme:zeta" in page


def test_publishing_asks_the_worker_and_the_page_follows_it(alice: Client, tmp_path: Path) -> None:
    answer = alice.post("/admin/publish/", follow=True)
    asked = Publication.objects.get()
    assert (asked.state, asked.requested_by) == ("queued", "alice")
    page = answer.content.decode()
    assert "waits for the worker" in page
    assert '<meta http-equiv="refresh"' in page
    address = f"/admin/mirrors/publication/{asked.pk}/progress.json"
    assert alice.get(address).json()["over"] is False
    publish_something(tmp_path)
    progress = alice.get(address).json()
    assert (progress["state"], progress["over"]) == ("announced", True)
    assert "catalog/v2/models.yaml" in progress["html"]
    assert "http-equiv" not in alice.get(f"/admin/mirrors/publication/{asked.pk}/change/").content.decode()


def test_pressing_publish_twice_asks_once(alice: Client) -> None:
    alice.post("/admin/publish/")
    alice.post("/admin/publish/")
    assert Publication.objects.count() == 1


def stopped(*, overridable: bool = True) -> Publication:
    why = {"guard": "prices", "where": "v2", "reason": "a price moved 9×", "overridable": overridable}
    return Publication.objects.create(
        reason="release",
        state="stopped",
        requested_by="alice",
        requested_at=NOW,
        finished_at=NOW,
        report={"stopped_by": [why]},
    )


def test_a_stopped_publication_says_why_and_can_be_passed_with_a_reason(alice: Client) -> None:
    publication = stopped()
    address = f"/admin/mirrors/publication/{publication.pk}/change/"
    page = alice.get(address).content.decode()
    assert "a price moved 9×" in page
    assert "Publish in spite of it" in page
    refused = alice.post("/admin/publish/", {"override": "prices", "back": publication.pk}, follow=True)
    assert "needs a reason" in refused.content.decode()
    assert Publication.objects.count() == 1
    alice.post("/admin/publish/", {"override": "prices", "reason": "they announced it"}, follow=True)
    asked = Publication.objects.first()
    assert asked is not None
    assert (asked.overrides, asked.override_reason) == ("prices", "they announced it")


def test_what_cannot_be_overridden_offers_no_way_around(alice: Client) -> None:
    page = alice.get(f"/admin/mirrors/publication/{stopped(overridable=False).pk}/change/").content.decode()
    assert "cannot be overridden" in page
    assert "Publish in spite of it" not in page


def test_rolling_back_shows_first_and_then_asks(alice: Client, tmp_path: Path) -> None:
    publish_something(tmp_path)
    write(offering("zeta", prices=[price("0.000002"), price("0.000006", meter="output")]))
    publish_something(tmp_path, **ALL_THE_SAME)
    first = Release.objects.get(number=1)
    assert (
        "Roll back to this release"
        in alice.get(f"/admin/catalog/release/{first.pk}/change/").content.decode()
    )
    before = list(RecordVersion.objects.order_by("pk").values_list("pk", "live"))
    requests = ChangeRequest.objects.count()
    page = alice.get("/admin/rollback/1/").content.decode()
    assert "acme:zeta" in page
    assert "2 USD per million" in page
    assert list(RecordVersion.objects.order_by("pk").values_list("pk", "live")) == before
    assert ChangeRequest.objects.count() == requests
    alice.post("/admin/rollback/1/")
    assert (
        '"amount":"0.0000015"'
        in RecordVersion.objects.get(kind=Kind.OFFERING, key="acme:zeta", live=True).data
    )
    asked = Publication.objects.first()
    assert asked is not None
    assert (asked.state, asked.restores) == ("queued", 1)


def test_a_release_that_readers_never_saw_is_no_way_back(alice: Client) -> None:
    Release.objects.create(number=1, cut_at=NOW, cut_by="alice")
    answer = alice.post("/admin/rollback/1/", follow=True)
    assert "was never published" in answer.content.decode()
    assert not Publication.objects.exists()


def test_the_front_page_says_what_waits_and_how_the_last_one_went(alice: Client, tmp_path: Path) -> None:
    page = alice.get("/admin/").content.decode()
    assert "19 records" in page
    publish_something(tmp_path)
    page = alice.get("/admin/").content.decode()
    assert "Release 1" in page
    assert "The catalog is as released." in page
    stopped()
    assert "stopped: nothing was published" in alice.get("/admin/").content.decode()
