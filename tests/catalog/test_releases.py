"""Releases: frozen, numbered, never edited; and the way back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from almanac.errors import UsageError
from catalog.models import AuditEvent, RecordVersion, Release
from catalog.reading import LiveState, ReleaseState
from catalog.records import Kind
from catalog.services.releases import (
    cut_release,
    next_boundary,
    pending_changes,
    release_changes,
    restore_release,
    withdraw_release,
)
from tests.factories import ALICE, NOW, entry, featured, lab, region, removed, small_catalog, trial, write

pytestmark = pytest.mark.django_db


def cut():
    return cut_release(now=NOW, by=ALICE)


def whole(state) -> dict:
    return {kind: dict(state.all(kind)) for kind in Kind}


def test_nothing_changed_is_no_release():
    assert cut() is None
    write(*small_catalog())
    assert cut().number == 1
    assert cut() is None
    assert Release.objects.count() == 1


def test_a_release_keeps_its_state_whatever_happens_later():
    write(*small_catalog())
    first = cut()
    then = whole(ReleaseState(1))
    assert then == whole(LiveState())
    write(lab(name="Other"), entry("theta"), removed(Kind.MEMBERSHIP, "v2|offering:acme:eta"))
    assert whole(ReleaseState(1)) == then
    second = cut()
    assert (second.number, second.added, second.changed, second.removed) == (2, 1, 1, 1)
    assert second.records["entry"] == 3
    assert whole(ReleaseState(1)) == then
    assert whole(ReleaseState(2)) == whole(LiveState())
    assert first.records["membership"] == 3


def test_an_edit_and_its_undoing_are_no_change():
    write(*small_catalog())
    cut()
    write(lab(name="Other"))
    write(lab(name="Third"))
    assert [(change.verb, change.key) for change in pending_changes()] == [("change", "acme")]
    write(lab())
    assert pending_changes() == []
    assert cut() is None
    assert RecordVersion.objects.filter(kind="lab").count() == 1


def test_a_record_that_came_and_went_between_two_releases_leaves_no_trace():
    write(*small_catalog())
    cut()
    write(entry("theta"))
    write(removed(Kind.ENTRY, "acme/theta"))
    assert cut() is None
    write(removed(Kind.MEMBERSHIP, "v2|offering:acme:eta"))
    write(*(made for made in small_catalog() if made[1].get("subject") == "offering:acme:eta"))
    assert cut() is None


def test_a_published_request_names_its_release():
    request = write(*small_catalog())
    release = cut()
    request.refresh_from_db()
    assert (request.status, request.release) == ("published", release)
    assert AuditEvent.objects.order_by("seq").last().action == "release.cut"


def test_two_releases_never_share_a_number():
    write(*small_catalog())
    cut()
    with pytest.raises(IntegrityError), transaction.atomic():
        Release.objects.create(number=1, cut_at=NOW, cut_by=ALICE)


def test_the_difference_of_two_releases_reads_both_ways():
    write(*small_catalog())
    cut()
    write(lab(name="Other"), entry("theta"))
    cut()
    write(lab(name="Third"), removed(Kind.ENTRY, "acme/theta"))
    cut()
    assert [(c.verb, c.key) for c in release_changes(1, 2)] == [("change", "acme"), ("add", "acme/theta")]
    assert [(c.verb, c.key) for c in release_changes(2, 1)] == [("change", "acme"), ("remove", "acme/theta")]
    assert [(c.before["name"], c.after["name"]) for c in release_changes(1, 3)] == [("Acme", "Third")]
    assert len(release_changes(0, 1)) == len(small_catalog())


def test_going_back_makes_live_rows_and_newest_release_agree():
    write(*small_catalog())
    cut()
    write(lab(name="Other"), entry("theta"), removed(Kind.MEMBERSHIP, "v2|offering:acme:eta"))
    cut()
    write(lab(name="Never released"))
    request = restore_release(release=1, by=ALICE, now=NOW)
    assert (request.title, request.status) == ("Go back to release 1", "applied")
    third = cut()
    assert third.number == 3
    assert whole(ReleaseState(3)) == whole(ReleaseState(1)) == whole(LiveState())
    assert restore_release(release=3, by=ALICE, now=NOW) is None


def test_going_back_is_applied_even_where_two_people_review(settings):
    write(*small_catalog())
    cut()
    write(lab(name="Other"))
    settings.TWO_PERSON_REVIEW = True
    assert restore_release(release=1, by=ALICE, now=NOW).status == "applied"


def test_going_back_to_what_never_was_is_a_clear_word():
    with pytest.raises(UsageError, match="there is no release 7"):
        restore_release(release=7, by=ALICE, now=NOW)


def test_as_of_is_the_last_boundary_that_passed_and_never_the_clock():
    window = {"starts": "2026-11-01T00:00:00Z", "ends": "2026-12-01T00:00:00Z"}
    write(
        *small_catalog(), featured("start", "entry:acme/zeta", **window), trial(starts="2026-11-10T00:00:00Z")
    )
    assert cut().as_of == datetime(2026, 11, 10, tzinfo=UTC)
    assert next_boundary(NOW) == datetime(2026, 12, 1, tzinfo=UTC)
    write(lab(name="Other"))
    assert cut_release(now=datetime(2026, 12, 5, 13, 14, 15, tzinfo=UTC), by=ALICE).as_of == datetime(
        2026, 12, 1, tzinfo=UTC
    )


def test_without_a_window_there_is_no_boundary():
    write(region())
    assert cut().as_of is None


def test_a_release_that_is_taken_back_leaves_its_changes_and_its_number_to_the_next_one():
    write(*small_catalog())
    first = cut()
    request = write(lab(name="Other"), removed(Kind.MEMBERSHIP, "v2|offering:acme:eta"))
    before, pending = whole(LiveState()), pending_changes()
    second = cut()
    withdraw_release(release=second.number, by=ALICE, now=NOW)
    request.refresh_from_db()
    assert (request.status, request.release) == ("applied", None)
    assert (whole(LiveState()), pending_changes()) == (before, pending)
    assert list(Release.objects.all()) == [first]
    assert AuditEvent.objects.order_by("seq").last().action == "release.withdrawn"
    write(lab(name="Yet another"))
    assert cut().number == 2
    assert whole(ReleaseState(2)) == whole(LiveState())


def test_an_edit_that_was_made_since_survives_the_release_being_taken_back():
    write(*small_catalog())
    cut()
    write(lab(name="Second"))
    cut()
    write(lab(name="Third"))
    withdraw_release(release=2, by=ALICE, now=NOW)
    (change,) = pending_changes()
    assert (change.before["name"], change.after["name"]) == ("Acme", "Third")
    assert RecordVersion.objects.filter(kind=Kind.LAB).count() == 2


def test_only_the_newest_release_is_ever_taken_back():
    write(*small_catalog())
    cut()
    write(lab(name="Other"))
    cut()
    for number in (1, 3):
        with pytest.raises(UsageError, match="not the newest"):
            withdraw_release(release=number, by=ALICE, now=NOW)
    assert Release.objects.count() == 2


steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("abc"), st.sampled_from(["One", "Two"])),
        st.tuples(st.just("remove"), st.sampled_from("abc"), st.none()),
        st.just(("cut", "", None)),
        st.just(("withdraw", "", None)),
        st.tuples(st.just("restore"), st.integers(1, 4), st.none()),
    ),
    max_size=14,
)


class AnyHistory(TestCase):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps)
    def test_every_release_of_any_history_stays_what_it_was(self, history):
        live: dict = {}
        released: list[dict] = []
        for verb, what, name in history:
            if verb == "set":
                write(lab(what, name=name))
                live[what] = name
            elif verb == "remove" and what in live:
                write(removed(Kind.LAB, what))
                del live[what]
            elif verb == "cut":
                release = cut()
                assert (release is None) == (live == (released[-1] if released else {}))
                if release:
                    released.append(dict(live))
            elif verb == "withdraw" and released:
                withdraw_release(release=len(released), by=ALICE, now=NOW)
                released.pop()
            elif verb == "restore" and what <= len(released):
                restore_release(release=what, by=ALICE, now=NOW)
                live = dict(released[what - 1])
            assert {key: record["name"] for key, record in LiveState().all(Kind.LAB).items()} == live
        for number, state in enumerate(released, start=1):
            stored = ReleaseState(number).all(Kind.LAB)
            assert {key: record["name"] for key, record in stored.items()} == state
            if number > 1:
                changed = {c.key: c.after and c.after["name"] for c in release_changes(1, number)}
                both = released[0].keys() | state.keys()
                assert changed == {
                    key: state.get(key) for key in both if state.get(key) != released[0].get(key)
                }
