"""The registry of checks: each one turns red where it should, and facts are read from what readers get."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mirrors import checks
from mirrors.checks import (
    DatabaseFacts,
    Facts,
    Failure,
    KeyringFacts,
    Served,
    StoreFacts,
    WorkFacts,
    examined,
    worst,
)
from mirrors.models import Job, Publication, StoreProgress
from mirrors.services.observing import Memory, Remembered, observe
from mirrors.services.publishing import request_publication
from mirrors.verifying.sources import StoreSource
from tests.mirrors.cast import NOW, V2, FaultyStore, MemoryStore, Publisher, lines

LIVES = {"root": 365, "targets": 365, "snapshot": 14, "network": 7, "v2": 30, "timestamp": 3}
SERVED = Served(
    release=7,
    signed_at=NOW - timedelta(minutes=30),
    expires={role: NOW + timedelta(days=days) for role, days in LIVES.items()},
)
STORE = StoreFacts("file:///srv/store", served=SERVED, written=True)
WELL = Facts(
    now=NOW,
    database=DatabaseFacts("sqlite"),
    stores=[STORE],
    keys=KeyringFacts(count=7),
    work=WorkFacts(release=7),
)


def served(**changes: object) -> Facts:
    return replace(WELL, stores=[replace(STORE, served=replace(SERVED, **changes))])


def expiring(role: str, **length: float) -> Facts:
    return served(expires={**SERVED.expires, role: NOW + timedelta(**length)})


def signed(**ago: float) -> Facts:
    return served(signed_at=NOW - timedelta(**ago))


def stored(**changes: object) -> Facts:
    return replace(WELL, stores=[replace(STORE, **changes)])


def follower(**changes: object) -> Facts:
    second = StoreFacts("s3://bucket", served=SERVED, written=True)
    return replace(WELL, stores=[STORE, replace(second, **changes)])


def working(**changes: object) -> Facts:
    return replace(WELL, work=replace(WELL.work, **changes))


def public(one: object) -> Facts:
    return replace(WELL, public=StoreFacts("https://models.example/", served=one))  # type: ignore[arg-type]


LATE = replace(SERVED, signed_at=NOW - timedelta(hours=13))
RED = [
    ("database", "bad", replace(WELL, database=DatabaseFacts("postgresql", failure="refused"))),
    ("migrations", "bad", replace(WELL, database=DatabaseFacts("sqlite", unapplied=2))),
    ("store-readable", "bad", stored(served=Failure("cannot read", "check who owns it"))),
    ("store-readable", "bad", public(Failure("nobody answers"))),
    ("store-writable", "bad", stored(written=Failure("cannot write"))),
    ("store-writable", "bad", stored(written=False)),
    (
        "store-manners",
        "bad",
        stored(manners=[("bad", "gives old bytes for a while after a write", "use another")]),
    ),
    ("timestamp", "warn", signed(hours=2, minutes=1)),
    ("timestamp", "bad", signed(hours=12, minutes=1)),
    ("timestamp", "bad", public(LATE)),
    ("timestamp", "bad", stored(served=None)),
    ("timestamp", "warn", follower(served=None)),
    ("timestamp", "warn", replace(stored(served=None), work=WorkFacts())),
    ("timestamp", "warn", signed(hours=-1)),
    ("days-left", "warn", expiring("root", days=119)),
    ("days-left", "bad", expiring("root", days=13)),
    ("days-left", "warn", expiring("targets", days=119)),
    ("days-left", "warn", expiring("snapshot", days=5)),
    ("days-left", "bad", expiring("snapshot", days=1)),
    ("days-left", "warn", expiring("network", days=2)),
    ("days-left", "warn", expiring("v2", days=13)),
    ("days-left", "bad", expiring("v2", days=4)),
    ("days-left", "bad", expiring("v2", hours=-1)),
    ("release", "bad", served(release=6)),
    ("release", "bad", served(release=8)),
    ("release", "warn", follower(served=replace(SERVED, release=6))),
    ("release", "bad", follower(served=replace(SERVED, release=8))),
    ("progress", "warn", follower(behind=1, last_error="the bucket does not answer")),
    ("keys", "bad", replace(WELL, keys=KeyringFacts(failure=Failure("other users may read this key file:")))),
    ("keys", "bad", replace(WELL, keys=KeyringFacts(count=6, missing=("timestamp",)))),
    ("passphrase", "warn", replace(WELL, keys=KeyringFacts(count=7, passphrase_beside=True))),
    ("queue", "warn", working(queued=1, oldest_queued=NOW - timedelta(minutes=6))),
    ("queue", "bad", working(queued=1, oldest_queued=NOW - timedelta(minutes=61))),
    ("queue", "warn", working(jobs=3, oldest_job=NOW - timedelta(minutes=61))),
    ("publication", "warn", working(interrupted={"publication 9": "killed"})),
    ("publication", "warn", working(stopped="35 of 40 records would go")),
    ("jobs", "warn", working(failing={"purge 9": "2 times: 503"})),
    ("postponed", "warn", working(postponed=("root",))),
]


def test_when_all_is_well_every_check_is_good() -> None:
    found = examined(WELL)
    assert {check.verdict for check in found} == {"good"}
    assert worst(found) == "good"


@pytest.mark.parametrize(("kind", "verdict", "facts"), RED)
def test_each_check_turns_red_alone_and_says_what_to_do(kind: str, verdict: str, facts: Facts) -> None:
    wrong = [check for check in examined(facts) if check.verdict != "good"]
    assert {(check.kind, check.verdict) for check in wrong} == {(kind, verdict)}
    assert all(check.says for check in wrong)
    assert worst(examined(facts)) == verdict


def test_no_check_lacks_its_red_case() -> None:
    assert {kind for kind, _, _ in RED} == set(checks.REGISTRY)


def test_limits_are_those_of_the_alarms_and_just_before_them_all_is_good() -> None:
    for facts in (
        signed(hours=2),
        expiring("root", days=120),
        expiring("v2", days=14),
        expiring("snapshot", days=6),
    ):
        assert worst(examined(facts)) == "good"


def test_a_release_that_is_on_its_way_is_no_alarm() -> None:
    facts = served(release=8)
    assert worst(examined(replace(facts, work=WorkFacts(release=7, pushing=8)))) == "good"


def test_without_a_database_nothing_else_is_said() -> None:
    facts = replace(WELL, database=DatabaseFacts("sqlite", failure="gone"), stores=[])
    assert [check.kind for check in examined(facts)] == ["database", "migrations"]


# Facts, read for real.


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path)
    publisher.publish()
    return publisher


def look(publisher: Publisher, **asked: object) -> Facts:
    return observe(publisher.means, keys_folder=publisher.folder / "keys", has_passphrase=False, **asked)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_the_age_is_that_of_the_bytes_in_the_store_and_not_of_the_database(publisher: Publisher) -> None:
    kept = publisher.store.get("metadata/timestamp.json")
    publisher.pass_time(hours=3)
    publisher.tick()
    (store,) = look(publisher).stores
    assert isinstance(store.served, Served)
    assert store.served.signed_at == publisher.now
    publisher.store.put(
        "metadata/timestamp.json", kept
    )  # a store that went back: the database knows nothing of it
    found = {check.kind: check.verdict for check in examined(look(publisher))}
    assert found["timestamp"] == "warn"


@pytest.mark.django_db
def test_every_delegated_role_is_among_the_expiries(publisher: Publisher) -> None:
    (store,) = look(publisher).stores
    assert isinstance(store.served, Served)
    assert set(store.served.expires) == {
        "root", "targets", "snapshot", "timestamp", "network", "v2", "v2-eu", "almanac-v1",
    }  # fmt: skip
    assert (store.served.release, store.behind) == (1, 0)


@pytest.mark.django_db
def test_numbered_files_are_read_once(publisher: Publisher) -> None:
    memory = Memory()
    publisher.store = FaultyStore(publisher.store, nth=0, after=False)
    look(publisher, memory=memory)
    first = publisher.store.calls
    look(publisher, memory=memory)
    assert publisher.store.calls - first < first / 2


@pytest.mark.django_db
def test_a_store_is_tried_only_where_that_is_asked_for(publisher: Publisher) -> None:
    assert look(publisher).stores[0].written is None
    assert look(publisher, write=True).stores[0].written is True
    assert "doctor-probe" not in set(publisher.store.names())
    publisher.store = FaultyStore(publisher.store, nth=1, after=False)
    assert isinstance(look(publisher, write=True).stores[0].served, Failure)


@pytest.mark.django_db
@pytest.mark.parametrize("rubbish", [b"", b"[]", b"{", b'{"signed":{"meta":3}}', b"[" * 50_000])
def test_rubbish_in_a_store_is_a_finding_and_no_error(publisher: Publisher, rubbish: bytes) -> None:
    publisher.store.put("metadata/timestamp.json", rubbish)
    assert isinstance(look(publisher).stores[0].served, Failure)


@pytest.mark.django_db
def test_work_that_waits_fails_or_is_postponed_is_seen(publisher: Publisher) -> None:
    Job.objects.update(due_at=publisher.now - timedelta(minutes=9), last_error="503", attempts=2)
    request_publication(by="alice", now=publisher.now - timedelta(minutes=7))
    newest = Publication.objects.get(state="announced")
    newest.report["postponed"] = ["root"]
    newest.save()
    StoreProgress.objects.update(publication=0)
    found = {check.kind: check for check in examined(look(publisher)) if check.verdict != "good"}
    assert {"queue", "jobs", "postponed", "progress", "keys"} == set(found)
    assert "the oldest for 9 min" in next(c.says for c in examined(look(publisher)) if c.name == "jobs")


@pytest.mark.django_db
def test_a_stop_is_told_until_a_publication_goes_through(publisher: Publisher) -> None:
    from mirrors.services.means import Objection
    from mirrors.services.preparing import StoppedError

    publisher.edit(V2, lines(5))
    publisher.catalog.guarded = [Objection("shrinks", V2, "35 of 40 records would go")]
    with pytest.raises(StoppedError):
        publisher.publish()
    assert look(publisher).work.stopped == "35 of 40 records would go"
    publisher.catalog.guarded = []
    publisher.publish()
    assert look(publisher).work.stopped == ""


@pytest.mark.django_db
def test_another_address_is_read_like_a_store(publisher: Publisher) -> None:
    empty = StoreSource(MemoryStore(), "https://models.example/")
    facts = look(publisher, public=empty)
    assert {c.name: c.verdict for c in examined(facts)}["https://models.example/: timestamp"] == "bad"


def test_whoever_asks_often_makes_nobody_read_often() -> None:
    asked, seconds = [], iter([0.0, 1.0, 4.9, 5.0])
    kept = Remembered(lambda: asked.append(1) or WELL, for_s=5.0, monotonic=lambda: next(seconds))
    for _ in range(4):
        assert kept.facts() is WELL
    assert len(asked) == 2
