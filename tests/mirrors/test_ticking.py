"""The periodic work: what is due is done once, whoever calls and however often."""

from __future__ import annotations

import gzip
import json
import threading
from datetime import timedelta
from pathlib import Path

import brotli
import pytest

from almanac.addresses import TIMESTAMP, object_path
from mirrors.models import Job, Lease, Publication, SignedFile, StoreProgress
from mirrors.services import leasing, ticking, working
from mirrors.services.publishing import request_publication
from tests.mirrors.cast import ALMANAC, V2, Publisher, Stranger, lines

pytestmark = pytest.mark.django_db


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path)
    publisher.publish()
    return publisher


def version(publisher: Publisher, role: str) -> int:
    newest = SignedFile.objects.filter(role=role).order_by("version").last()
    assert newest is not None
    return newest.version or 0


def test_nothing_is_due_right_after_a_publication(publisher: Publisher) -> None:
    ticked = publisher.tick(passing=lambda _name: None)
    assert (ticked.finished, ticked.published, ticked.renewed, ticked.errors) == ([], [], [], [])


def test_before_the_first_publication_there_is_nothing_to_renew(tmp_path: Path) -> None:
    assert Publisher(tmp_path).tick().renewed == []


def test_the_timestamp_is_signed_anew_each_hour_and_nothing_else(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.pass_time(minutes=61)
    assert publisher.tick().renewed == ["timestamp"]
    assert publisher.tick().renewed == []
    assert (version(publisher, "timestamp"), version(publisher, "snapshot")) == (2, 1)
    Stranger(publisher.store, tmp_path / "s", now=publisher.now).documents()
    assert Publication.objects.filter(reason="resign").get().release is None


def test_a_year_of_rounds_every_other_day_never_lets_anything_expire(
    publisher: Publisher, tmp_path: Path
) -> None:
    for day in range(0, 365, 2):
        publisher.pass_time(days=2)
        if day % 30 == 0:  # a client that asks at the last moment before the round
            Stranger(publisher.store, tmp_path / f"s{day}", now=publisher.now).documents()
        publisher.tick()
    assert version(publisher, "root") == 2
    assert version(publisher, "network") > 52


def test_every_role_is_renewed_before_half_of_its_life_is_spent(publisher: Publisher) -> None:
    publisher.pass_time(days=15, hours=1)
    assert set(publisher.tick().renewed) == {"timestamp", "snapshot", "network", "v2", "v2-eu", "almanac-v1"}


def test_a_changed_address_of_ours_publishes_a_new_mirror_list_without_a_release(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.tick(base_url="https://models.example")
    stranger = Stranger(publisher.store, tmp_path / "s", now=publisher.now)
    assert json.loads(stranger.plain("mirrors.json"))["mirrors"][0]["url"] == "https://models.example"
    assert stranger.documents()["mirrors.json"] == stranger.plain("mirrors.json")
    assert stranger.release() == 1
    assert Publication.objects.get(reason="mirrors").release is None


def test_a_store_whose_timestamp_was_put_back_is_brought_forward_again(
    publisher: Publisher, tmp_path: Path
) -> None:
    old = publisher.store.get(TIMESTAMP)
    publisher.edit(V2, lines(40, changed=3))
    publisher.pass_time(minutes=5)
    publisher.publish()
    new = publisher.store.get(TIMESTAMP)
    publisher.store.put(TIMESTAMP, old)
    [url] = publisher.tick().stores
    assert publisher.store.get(TIMESTAMP) == new
    assert StoreProgress.objects.get(url=url).last_error == ""
    assert Stranger(publisher.store, tmp_path / "s", now=publisher.now).release() == 2
    assert publisher.tick().stores == []


def test_a_boundary_that_passed_is_published_once(publisher: Publisher) -> None:
    publisher.catalog.boundary = publisher.now + timedelta(minutes=30)
    publisher.edit(V2, lines(40, changed=3))
    assert publisher.tick().published == []
    publisher.pass_time(minutes=31)
    (number,) = publisher.tick().published
    assert Publication.objects.get(pk=number).release == 2
    assert publisher.tick().published == []


def test_what_was_asked_for_is_published_and_a_stop_keeps_nobody_else(publisher: Publisher) -> None:
    from mirrors.services.means import Objection

    publisher.edit(V2, lines(40, changed=3))
    publisher.catalog.guarded = [Objection("shrink", V2, "too much")]
    first = request_publication(by="alice", now=publisher.now)
    second = request_publication(by="bob", now=publisher.now, override="shrink", reason="it is right")
    publisher.tick()
    states = [Publication.objects.get(pk=asked.pk).state for asked in (first, second)]
    assert states == [Publication.State.STOPPED, Publication.State.ANNOUNCED]


def test_precompressed_copies_come_and_get_smaller(publisher: Publisher) -> None:
    data = publisher.catalog.documents[V2]
    address = object_path(V2, __import__("hashlib").sha256(data).hexdigest())
    publisher.tick()
    assert gzip.decompress(publisher.store.get(f"{address}.gz")) == data
    assert brotli.decompress(publisher.store.get(f"{address}.br")) == data
    quick = publisher.store.size(f"{address}.br")
    assert Job.objects.filter(kind=Job.Kind.PRECOMPRESS).count() == 0
    publisher.pass_time(minutes=3)
    publisher.tick()
    assert Job.objects.count() == 0
    assert publisher.store.size(f"{address}.br") <= quick
    assert brotli.decompress(publisher.store.get(f"{address}.br")) == data


def test_a_job_that_fails_is_put_off_and_kept(publisher: Publisher) -> None:
    from tests.mirrors.cast import FaultyStore

    waiting = Job.objects.filter(kind=Job.Kind.PRECOMPRESS).count()
    inner, publisher.store = publisher.store, FaultyStore(publisher.store, nth=1, after=False)
    from mirrors.services import jobs

    jobs.run_due(publisher.means, now=publisher.now, most=1)
    job = Job.objects.exclude(last_error="").get()
    assert (job.attempts, job.due_at > publisher.now) == (1, True)
    publisher.store = inner
    publisher.pass_time(minutes=5)
    publisher.tick()
    assert Job.objects.filter(kind=Job.Kind.PRECOMPRESS).count() == 0
    assert waiting > 0


def test_a_dry_round_says_what_is_due_and_does_nothing(publisher: Publisher) -> None:
    publisher.pass_time(minutes=61)
    due = ticking.due(publisher.means)
    assert due.renewed == ["timestamp"]
    assert version(publisher, "timestamp") == 1


def test_old_staging_files_are_cleared(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "staging" / "99.staged").write_bytes(b"left behind")
    (tmp_path / "staging" / "a note").write_bytes(b"not ours")
    assert publisher.tick().cleaned == ["99.staged"]
    assert (tmp_path / "staging" / "a note").exists()


def test_the_lease_of_a_dead_process_is_free_at_once_and_that_of_a_living_one_is_not(
    publisher: Publisher,
) -> None:
    now = publisher.now
    alive, host = leasing.this_process(), leasing.this_process().split(":")[0]
    assert not leasing.is_dead(alive)
    reused = alive.rpartition(":")[0] + ":1"
    for holder, dead in (
        (alive, False),
        (reused, True),
        (f"{host}:999999999:5", True),
        ("other:999999999:5", False),
    ):
        Lease.objects.update(holder=holder, expires_at=now + timedelta(minutes=5))
        hold = leasing.acquire(leasing.PUBLISHER, holder="me", now=now)
        assert (hold is not None) == dead, holder


def test_the_number_of_a_lease_only_rises(publisher: Publisher) -> None:
    numbers = []
    for _ in range(3):
        with leasing.held("one", clock=publisher.means.clock, wait_s=0) as hold:
            numbers.append(hold.fencing)
    assert numbers == sorted(set(numbers))


@pytest.mark.django_db(transaction=True)
def test_the_worker_publishes_what_is_asked_for_and_stops_when_told(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish()
    publisher.edit(ALMANAC, lines(60, "almanac", changed=1))
    asked = request_publication(by="alice", now=publisher.now)
    stop = threading.Event()
    seconds = iter(range(10_000))

    def clock_s() -> float:
        if Publication.objects.get(pk=asked.pk).state == Publication.State.ANNOUNCED:
            stop.set()
        return float(next(seconds))

    working.work(publisher.means, stop=stop, clock_s=clock_s)
    assert Publication.objects.get(pk=asked.pk).release == 2
