"""The log of a publication, its audit events, what others see of it while it is made, and cancelling it in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import PolicyError, UsageError
from almanac.stores import MemoryStore, ObjectStore
from catalog.models import AuditEvent, Release
from catalog.services.audit import first_broken
from mirrors import failpoints
from mirrors.models import Publication, SignedFile, StoreProgress
from mirrors.services import leasing, publishing, steps, stores
from mirrors.services.cancelling import CancelledError, cancel_publication
from mirrors.services.means import Means, Objection
from mirrors.services.preparing import StoppedError
from tests.catalog.admin.cast import ALL_THE_SAME, means_in
from tests.factories import NOW as THEN
from tests.factories import lab, small_catalog, write
from tests.mirrors.cast import V2, FaultError, FaultyStore, Publisher, Stranger, lines
from tests.mirrors.test_interruptions import LyingStore

pytestmark = pytest.mark.django_db

State = Publication.State


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """With one release out and an edit waiting."""
    publisher = Publisher(tmp_path)
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    publisher.pass_time(minutes=5)
    publisher.catalog.audit.clear()
    return publisher


def seconds_of(step: float) -> Callable[[], float]:
    """A stopwatch that goes on by this much whenever it is looked at."""
    passed: Iterator[float] = iter(step * n for n in range(1_000_000))
    return lambda: next(passed)


def by_name(publication: Publication) -> dict[str, dict[str, Any]]:
    return {entry["step"]: entry for entry in publication.steps}


def test_every_step_of_a_release_begins_and_ends_in_the_log_and_in_the_audit(publisher: Publisher) -> None:
    means = replace(publisher.means, stopwatch=seconds_of(0.001))
    publication = publishing.publish(means, by="alice", wait_s=0)
    assert [entry["step"] for entry in publication.steps] == list(steps.STEPS)
    assert all(entry["ended"] >= entry["began"] and entry["seconds"] > 0 for entry in publication.steps)
    upload = by_name(publication)["upload"]
    assert (
        upload["done"] == upload["total"] == 5
    )  # a document, its signature, a delta, its role, the snapshot
    assert (upload["unit"], upload["store"]) == ("objects", "memory:first")
    about = f"publication {publication.number}"
    for verb in ("began", "ended"):
        assert publisher.catalog.audit.count(f"alice step.{verb} {about}") == len(steps.STEPS)
    assert not any("failed" in words for words in publisher.catalog.audit)


def test_renewed_signatures_leave_a_log_and_no_audit_events_of_their_steps(publisher: Publisher) -> None:
    publisher.publish()
    publisher.catalog.audit.clear()
    publisher.pass_time(hours=2)
    assert publisher.tick().renewed == ["timestamp"]
    renewed = Publication.objects.get(reason="resign")
    assert [entry["step"] for entry in renewed.steps] == ["render", *steps.STEPS[3:]]
    assert publisher.catalog.audit == [f"tick publish publication {renewed.number}"]


def test_a_guard_fails_the_gate_and_what_was_done_before_it_is_kept(publisher: Publisher) -> None:
    publisher.catalog.guarded = [Objection("shrinks", V2, "35 of 40 records would go")]
    with pytest.raises(StoppedError):
        publisher.publish()
    stopped = Publication.objects.get(state=State.STOPPED)
    assert [entry["step"] for entry in stopped.steps] == ["cut", "render", "gate"]
    gate = stopped.steps[-1]
    assert "35 of 40 records would go" in gate["words"]
    assert (gate["error"], gate["tries"]) == ("guard", 1)
    about = f"publication {stopped.number}"
    assert [words for words in publisher.catalog.audit if "failed" in words] == [f"alice step.failed {about}"]


def test_a_store_that_stays_down_is_one_event_and_one_entry_with_its_tries(publisher: Publisher) -> None:
    store = publisher.store
    publisher.store = Refusing(store)
    asked = publishing.request_publication(by="alice", now=publisher.now)
    for _ in range(4):
        publisher.pass_time(minutes=1)
        assert publisher.tick().errors
    publication = Publication.objects.unfinished().get(pk=asked.pk)
    failed = [entry for entry in publication.steps if "failed" in entry]
    assert [(entry["step"], entry["error"]) for entry in failed] == [("upload", "fault")]
    assert failed[0]["tries"] == 4
    assert "does not answer" in failed[0]["words"]
    events = [words for words in publisher.catalog.audit if "step.failed" in words]
    assert len(events) == 1
    publisher.store = store
    publisher.tick()
    publication.refresh_from_db()
    assert publication.state == State.ANNOUNCED
    assert by_name(publication)["upload"]["ended"]


def test_a_failure_is_not_repeated_without_end() -> None:
    """An error whose kind is ever another: the log stays short."""
    publication = Publication(reason="release", requested_by="alice", requested_at=THEN, pk=1)
    log = steps.Log(Publisher(Path()).means, publication, save=lambda: None, renew=lambda: None)
    log.start(THEN)
    for number in range(300):
        log.turn_to("upload")
        log.fail(type(f"Error{number}", (Exception,), {})("down"))
    assert len(publication.steps) == steps.MOST_ENTRIES


def test_a_killed_publisher_leaves_its_step_open_and_the_next_one_says_so(publisher: Publisher) -> None:
    def killed(step: str) -> None:
        if step == "object":
            raise leasing.LostLeaseError("gone")  # after which a publisher writes nothing, as a dead one

    publisher.passing = killed
    with pytest.raises(leasing.LostLeaseError):
        publisher.publish()
    left = Publication.objects.unfinished().get()
    assert left.steps[-1]["step"] == "upload"
    assert not {"ended", "failed"} & left.steps[-1].keys()
    publisher.passing = failpoints.nothing
    publisher.catalog.audit.clear()
    publisher.tick()
    left.refresh_from_db()
    ended_here = [entry for entry in left.steps if entry.get("words") == steps.PROCESS_ENDED]
    assert [entry["step"] for entry in ended_here] == ["upload"]
    about = f"publication {left.number}"
    assert publisher.catalog.audit[:2] == [f"alice step.failed {about}", f"alice step.began {about}"]


class Refusing(FaultyStore):
    """Answers every question and takes no document."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner, nth=0, after=False)

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        if name.startswith("targets/"):
            raise FaultError("the store does not answer")
        return super().put(name, data, only_if_absent=only_if_absent)


class Watched(MemoryStore):
    """Looks at what the database says of the publication whenever something is written."""

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__()
        self.look = look

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        if not name.endswith((".br", ".gz", ".zst")):  # those are made in threads
            self.look()
        return super().put(name, data, only_if_absent=only_if_absent)


def test_the_count_of_objects_rises_while_they_are_put(publisher: Publisher) -> None:
    seen: list[tuple[int, int]] = []

    def look() -> None:
        entry = Publication.objects.latest("pk").steps[-1]
        if entry["step"] == "upload" and "total" in entry:
            seen.append((entry["done"], entry["total"]))

    watched = Watched(look)
    for name in publisher.store.names():
        MemoryStore.put(watched, name, publisher.store.get(name))
    publisher.store = watched
    publishing.publish(replace(publisher.means, stopwatch=seconds_of(1)), by="alice", wait_s=0)
    assert seen == [(done, 5) for done in range(5)]


def test_each_store_has_its_own_progress_and_its_own_time_of_failure(publisher: Publisher) -> None:
    second = MemoryStore()
    publisher.others = {"memory:second": FaultyStore(second, nth=5, after=False)}
    publisher.publish()
    first_failure = publisher.now
    publisher.pass_time(minutes=10)
    publisher.others = {"memory:second": FaultyStore(second, nth=5, after=False)}
    publisher.tick()
    lagging = StoreProgress.objects.get(url="memory:second")
    assert (lagging.failing_since, lagging.failed_at) == (first_failure, publisher.now)
    seen: list[tuple[int, int]] = []
    watched = Watched(lambda: seen.append(progress_of("memory:second")))
    for name in second.names():
        MemoryStore.put(watched, name, second.get(name))
    publisher.others = {"memory:second": watched}
    publisher.tick(stopwatch=seconds_of(1))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert max(done for done, _ in seen) > 3
    lagging.refresh_from_db()
    assert (lagging.failing_since, lagging.last_error, lagging.done, lagging.total) == (None, "", 0, 0)
    assert stores.lagging(publisher.means) == []


def progress_of(url: str) -> tuple[int, int]:
    return StoreProgress.objects.values_list("done", "total").get(url=url)


def test_a_long_upload_keeps_its_lease(publisher: Publisher) -> None:
    """It is renewed while objects go, and whoever lost it stops before the next one."""
    moments: list[Any] = []

    def look() -> None:
        moments.append(leasing.Lease.objects.get(name=leasing.PUBLISHER).expires_at)

    watched = Watched(look)
    for name in publisher.store.names():
        MemoryStore.put(watched, name, publisher.store.get(name))
    publisher.store = watched

    def clock() -> Any:
        publisher.pass_time(seconds=20)
        return publisher.now

    means = replace(publisher.means, stopwatch=seconds_of(40), clock=clock)
    publishing.publish(means, by="alice", wait_s=0)
    assert len(set(moments)) > 4


# Cancelling.


class Asked:
    """A catalog's audit, for whoever cancels."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher

    def cancel(self, number: int) -> Publication:
        return cancel_publication(
            number=number, by="bob", now=self.publisher.now, catalog=self.publisher.catalog
        )


def test_one_that_waits_is_cancelled_at_once(publisher: Publisher) -> None:
    asked = publishing.request_publication(by="alice", now=publisher.now)
    cancelled = Asked(publisher).cancel(asked.number)
    assert (cancelled.state, cancelled.finished_at) == (State.CANCELLED, publisher.now)
    assert publisher.tick().published == []
    assert publisher.catalog.audit == [f"bob publication.cancel publication {asked.number}"]
    assert publisher.publish().release == 2


BEFORE_THE_SIGNATURES = ("taken-up", "cut", "rendered", "released", "deltas", "staged")


@pytest.mark.parametrize("step", BEFORE_THE_SIGNATURES)
def test_one_under_way_is_cancelled_before_it_is_signed_and_leaves_no_hole(
    publisher: Publisher, tmp_path: Path, step: str
) -> None:
    def cancels(here: str) -> None:
        if here == step:
            Asked(publisher).cancel(Publication.objects.latest("pk").number)

    publisher.passing = cancels
    signed = SignedFile.objects.count()
    with pytest.raises(CancelledError, match="bob cancelled it before it was signed"):
        publisher.publish()
    cancelled = Publication.objects.get(state=State.CANCELLED)
    assert cancelled.release is None
    assert SignedFile.objects.count() == signed
    assert Stranger(publisher.store, tmp_path / "s", now=publisher.now).release() == 1
    publisher.passing = failpoints.nothing
    assert publisher.tick().finished == []
    publisher.edit(V2, lines(40, changed=5))
    assert publisher.publish().release == 2


@pytest.mark.parametrize("step", ["signed", "object", "read-back", "before-timestamp", "after-timestamp"])
def test_what_is_signed_goes_to_its_end_whoever_would_cancel_it(publisher: Publisher, step: str) -> None:
    refused: list[str] = []

    def cancels(here: str) -> None:
        if here == step and not refused:
            try:
                Asked(publisher).cancel(Publication.objects.latest("pk").number)
            except PolicyError as error:
                refused.append(f"{error}: {error.advice}")

    publisher.passing = cancels
    assert publisher.publish().release == 2
    assert "can no longer be cancelled" in refused[0]
    assert "roll back" in refused[0]


def test_one_whose_publisher_died_is_cancelled_by_the_next_round(publisher: Publisher) -> None:
    publisher.passing = failpoints.from_text("deltas:raise")
    with pytest.raises(failpoints.FailpointError):
        publisher.publish()
    Publication.objects.filter(state=State.FAILED).update(state=State.PREPARING, release=2, finished_at=None)
    number = Publication.objects.latest("pk").number
    Asked(publisher).cancel(number)
    publisher.passing = failpoints.nothing
    publisher.tick()
    assert Publication.objects.get(pk=number).state == State.CANCELLED
    assert publisher.publish().release == 2


def test_renewals_and_what_is_not_there_cannot_be_cancelled(publisher: Publisher) -> None:
    renewal = Publication.objects.create(
        reason="resign", state=State.PREPARING, requested_by="tick", requested_at=publisher.now
    )
    with pytest.raises(PolicyError):
        Asked(publisher).cancel(renewal.number)
    with pytest.raises(UsageError, match="no publication 999"):
        Asked(publisher).cancel(999)


# With the real catalog and its audit chain.


@pytest.fixture
def means(tmp_path: Path) -> Means:
    write(*small_catalog())
    means = means_in(tmp_path)
    publishing.publish(means, by="alice", wait_s=0)
    write(lab(name="Another name"))
    return means


def test_the_audit_chain_holds_and_tells_each_step_with_its_seconds(means: Means) -> None:
    publication = publishing.publish(means, by="alice", wait_s=0, **ALL_THE_SAME)
    events = AuditEvent.objects.filter(object=f"publication {publication.number}").order_by("seq")
    told = [(event.action, event.detail.get("step")) for event in events if event.action != "publish"]
    expected = [(f"step.{verb}", step) for step in steps.STEPS for verb in ("began", "ended")]
    assert told == expected
    ends = events.filter(action="step.ended")
    assert all(event.detail["seconds"] >= 0 for event in ends)
    assert first_broken() is None


def test_a_cancelled_release_is_taken_back_with_its_number_and_its_changes(
    means: Means, tmp_path: Path
) -> None:
    asked = publishing.request_publication(by="alice", now=means.clock(), override="mass-change", reason="x")

    def cancels(step: str) -> None:
        if step == "deltas":
            cancel_publication(number=asked.number, by="bob", now=means.clock(), catalog=means.catalog)

    with pytest.raises(CancelledError):
        publishing.carry_out(replace(means, passing=cancels), asked, wait_s=0)
    assert list(Release.objects.values_list("number", flat=True)) == [1]
    assert AuditEvent.objects.get(action="release.withdrawn").actor == "bob"
    write(lab(name="A third name"))
    published = publishing.publish(means, by="alice", wait_s=0, **ALL_THE_SAME)
    assert published.release == 2
    documents = Stranger(means.primary, tmp_path / "s", now=means.clock()).documents()
    assert b"A third name" in documents["catalog/almanac/v1/catalog.json"]
    assert first_broken() is None


def test_a_store_that_lies_fails_the_verification_and_not_the_upload(tmp_path: Path) -> None:
    store = LyingStore("")
    publisher = Publisher(tmp_path, store=store)
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    store.start = "targets/catalog/v2"
    with pytest.raises(Exception, match="other bytes than were written"):
        publisher.publish()
    entries = by_name(Publication.objects.latest("pk"))
    assert "ended" in entries["upload"]
    assert entries["verify"]["error"] == "read-back"


def test_stopping_from_the_keyboard_is_noted_and_gone_on_from(publisher: Publisher, tmp_path: Path) -> None:
    def ctrl_c(step: str) -> None:
        if step == "metadata":
            raise KeyboardInterrupt

    publisher.passing = ctrl_c
    with pytest.raises(KeyboardInterrupt):
        publisher.publish()
    paused = Publication.objects.unfinished().get()
    assert paused.report["interrupted"] == "stopped from the keyboard"
    assert paused.steps[-1]["failed"]
    publisher.passing = failpoints.nothing
    publisher.tick()
    assert Stranger(publisher.store, tmp_path / "s", now=publisher.now).release() == 2


def test_the_first_store_that_fails_is_in_the_log_beside_the_one_that_took_it(publisher: Publisher) -> None:
    second = MemoryStore()
    publisher.others = {"memory:second": second}
    publisher.tick()
    publisher.publish()
    publisher.edit(V2, lines(40, changed=9))
    publisher.store = Refusing(publisher.store)
    publication = publisher.publish()
    uploads = [
        (entry["store"], "failed" in entry) for entry in publication.steps if entry["step"] == "upload"
    ]
    assert uploads == [("memory:first", True), ("memory:second", False)]


def test_nobody_counts_in_two_threads_what_one_thread_writes(tmp_path: Path) -> None:
    """Buckets are brought forward beside each other; their counts are written by the thread that waits for them."""

    class Bucket(Watched):
        at_once = 4

    threads: set[str] = set()
    buckets = {f"memory:{n}": Bucket(lambda: threads.add(threading.current_thread().name)) for n in range(3)}
    publisher = Publisher(tmp_path, others=dict(buckets))
    publisher.publish()
    assert len(threads) > 3
    assert stores.lagging(publisher.means) == []
