"""Publish in the admin: the difference in words, a request for the worker, and what became of it. No key is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from catalog.models import ChangeRequest, RecordVersion, Release
from catalog.records import Kind
from mirrors.models import Publication, StoreProgress
from tests.catalog.admin.cast import (
    ALL_THE_SAME,
    add_bystander,
    add_operator,
    full_catalog,
    let_the_worker_work,
    publish_something,
    signed_in,
)
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
    assert "catalog/v2/models.yaml" in progress["details"]
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
    assert f"{len(full_catalog())} records" in page
    publish_something(tmp_path)
    page = alice.get("/admin/").content.decode()
    assert "Release 1" in page
    assert "The catalog is as released." in page
    stopped()
    assert "stopped: nothing was published" in alice.get("/admin/").content.decode()


def asked(alice: Client) -> Publication:
    alice.post("/admin/publish/")
    return Publication.objects.latest("pk")


def page_of(alice: Client, publication: Publication) -> str:
    return alice.get(f"/admin/mirrors/publication/{publication.pk}/change/").content.decode()


def test_one_that_waits_is_cancelled_and_tried_again(alice: Client) -> None:
    waiting = asked(alice)
    assert "Cancel this publication" in page_of(alice, waiting)
    page = alice.post(f"/admin/publications/{waiting.pk}/cancel/", follow=True).content.decode()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.cancel_asked_by) == ("cancelled", "alice")
    assert "cancelled: nothing was published" in page
    assert "Cancel this publication" not in page
    alice.post(f"/admin/publications/{waiting.pk}/retry/")
    again = Publication.objects.latest("pk")
    assert (again.pk, again.state) == (waiting.pk + 1, "queued")


def test_what_is_signed_cannot_be_cancelled_and_the_page_says_why(alice: Client) -> None:
    signed = asked(alice)
    Publication.objects.filter(pk=signed.pk).update(state="pushing", release=1)
    assert "can no longer be cancelled" in page_of(alice, signed)
    answer = alice.post(f"/admin/publications/{signed.pk}/cancel/", follow=True).content.decode()
    assert "roll back to the release before it" in answer
    signed.refresh_from_db()
    assert (signed.state, signed.cancel_asked_at) == ("pushing", None)


def test_a_request_to_cancel_is_shown_until_the_publisher_sees_it(alice: Client) -> None:
    under_way = asked(alice)
    Publication.objects.filter(pk=under_way.pk).update(state="preparing")
    page = alice.post(f"/admin/publications/{under_way.pk}/cancel/", follow=True).content.decode()
    assert "alice asked to cancel it" in page
    assert "Cancel this publication" not in page


def test_an_interrupted_one_is_tried_again_without_publishing_what_came_since(
    alice: Client, tmp_path: Path
) -> None:
    publish_something(tmp_path)
    interrupted = Publication.objects.create(
        reason="release", state="pushing", release=2, requested_by="alice", requested_at=NOW,
        report={"interrupted": "the store does not answer"},
    )  # fmt: skip
    assert "Try again" in page_of(alice, interrupted)
    for _ in range(2):
        alice.post(f"/admin/publications/{interrupted.pk}/retry/")
    (again,) = Publication.objects.filter(retries=interrupted.pk)
    alice.post("/admin/publish/")
    assert Publication.objects.queued().exclude(pk=again.pk).count() == 1
    Publication.objects.filter(pk=interrupted.pk).delete()
    write(offering("zeta", prices=[price("0.000002"), price("0.000006", meter="output")]))
    Publication.objects.queued().exclude(pk=again.pk).delete()
    let_the_worker_work(tmp_path)
    again.refresh_from_db()
    assert (again.state, again.release) == ("unchanged", None)
    assert Release.objects.count() == 1
    assert (
        f"Another try of publication {interrupted.pk}"
        in alice.get("/admin/mirrors/publication/").content.decode()
    )


def test_what_is_done_is_not_tried_again_and_a_rollback_is_asked_for_anew(
    alice: Client, tmp_path: Path
) -> None:
    done = publish_something(tmp_path)
    assert (
        "nothing to try again"
        in alice.post(f"/admin/publications/{done.pk}/retry/", follow=True).content.decode()
    )
    rolled = stopped()
    Publication.objects.filter(pk=rolled.pk).update(restores=1)
    assert "Try again" not in page_of(alice, rolled)
    answer = alice.post(f"/admin/publications/{rolled.pk}/retry/", follow=True).content.decode()
    assert "roll back to release 1 again" in answer
    assert not Publication.objects.queued().exists()


def test_whoever_may_only_look_neither_cancels_nor_tries_again(alice: Client) -> None:
    waiting = asked(alice)
    bob = add_bystander()
    bob.user_permissions.add(Permission.objects.get(codename="view_publication"))
    looking = signed_in(bob)
    page = page_of(looking, waiting)
    assert "waits for the worker" in page
    assert "Cancel this publication" not in page
    for verb in ("cancel", "retry"):
        assert looking.post(f"/admin/publications/{waiting.pk}/{verb}/").status_code == 403
        shown = alice.get(f"/admin/publications/{waiting.pk}/{verb}/")
        assert shown.headers["Location"] == f"/admin/mirrors/publication/{waiting.pk}/change/"
    assert alice.post("/admin/publications/999/cancel/", follow=True).status_code == 200
    waiting.refresh_from_db()
    assert waiting.state == "queued"


def test_the_page_has_a_bar_with_words_a_log_and_each_stores_progress(alice: Client, settings: Any) -> None:
    settings.ALMANAC_STORES = ("file:first", "s3://second")
    under_way = asked(alice)
    began = NOW.isoformat()
    entries = [
        {"step": "cut", "began": began, "ended": began, "seconds": 0.25},
        {
            "step": "upload",
            "began": began,
            "failed": began,
            "words": "<b>down</b>",
            "error": "s3",
            "tries": 3,
        },
        {
            "step": "upload",
            "began": began,
            "done": 312,
            "total": 845,
            "unit": "objects",
            "store": "file:first",
        },
    ]
    Publication.objects.filter(pk=under_way.pk).update(state="pushing", release=1, steps=entries)
    StoreProgress.objects.create(
        url="s3://second", done=7, total=9, last_error="it is away", failed_at=NOW, failing_since=NOW
    )
    answer = alice.get(f"/admin/mirrors/publication/{under_way.pk}/progress.json").json()
    assert '<progress id="bar" max="100" value="16">' in answer["html"]
    assert '<label for="bar">Step 6 of 10, upload:' in answer["html"]
    assert "312 of 845 objects pushed" in answer["html"]
    details = answer["details"]
    assert "failed (3 times): &lt;b&gt;down&lt;/b&gt;" in details
    assert "under way to file:first: 312 of 845 objects pushed" in details
    assert "7 of 9 objects" in details
    assert "it is away" in details
    assert f"{NOW:%Y-%m-%d %H:%M}" in details
    assert answer["can"] == "too_late"
