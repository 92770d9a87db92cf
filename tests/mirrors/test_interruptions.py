"""Every way in which a publication can be cut short, and what the next one makes of it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from almanac.stores import MemoryStore, StoreError
from mirrors import failpoints
from mirrors.models import Publication, PublishedDocument, SignedFile
from mirrors.services import leasing
from mirrors.services.pushing import ReadBackError
from signing.errors import MissingKeyError
from tests.mirrors.cast import ALMANAC, V2, FaultyStore, Publisher, Stranger, lines
from tests.mirrors.home import ROOT, Home

pytestmark = pytest.mark.django_db

State = Publication.State
NAMED_STEPS = (
    "taken-up", "cut", "rendered", "released", "deltas", "staged", "signing", "signed", "pushing", "object",
    "objects-pushed", "metadata", "metadata-pushed", "read-back", "before-timestamp", "after-timestamp", "committed",
    "plain", "plain-done", "announcing",
)  # fmt: skip
BEFORE_THE_COMMIT = NAMED_STEPS[: NAMED_STEPS.index("after-timestamp")]


def signed_bytes() -> dict[tuple[str, str], bytes]:
    rows = SignedFile.objects.values_list("role", "version", "address", "data")
    return {(f"{role} {version}", address): bytes(data) for role, version, address, data in rows}


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """With one release out and an edit waiting."""
    publisher = Publisher(tmp_path)
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    publisher.pass_time(minutes=5)
    return publisher


def verified(publisher: Publisher, tmp_path: Path) -> tuple[int, dict[str, bytes]]:
    stranger = Stranger(publisher.store, tmp_path / "stranger", now=publisher.now)
    documents = stranger.documents()
    return stranger.release(), documents


@pytest.mark.parametrize("step", NAMED_STEPS)
def test_a_failure_at_any_step_leaves_a_whole_store_and_the_next_tick_goes_on(
    publisher: Publisher, tmp_path: Path, step: str
) -> None:
    old, new = lines(40), lines(40, changed=3)
    publisher.passing = failpoints.from_text(f"{step}:raise")
    with pytest.raises(failpoints.FailpointError):
        publisher.publish()
    release, documents = verified(publisher, tmp_path)
    expected = (1, old) if step in BEFORE_THE_COMMIT else (2, new)
    assert (release, documents[V2]) == expected
    signed = signed_bytes()

    publisher.passing = failpoints.nothing
    publisher.pass_time(minutes=5)
    publisher.tick()
    if Publication.objects.filter(state=State.FAILED).exists():
        publisher.publish()
    release, documents = verified(publisher, tmp_path)
    assert (release, documents[V2]) == (2, new)
    assert Stranger(publisher.store, tmp_path / "s", now=publisher.now).plain(V2) == new
    assert signed.items() <= signed_bytes().items(), "what was signed once was signed anew"
    published = Publication.objects.filter(state=State.ANNOUNCED, reason="release")
    assert sorted(published.values_list("release", flat=True)) == [1, 2]


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
def test_an_error_of_any_call_to_the_store_leaves_it_whole(tmp_path: Path, *, after: bool) -> None:
    """The nth call fails, for every n, until a publication needs fewer; each time a stranger finds old or new."""
    publisher = Publisher(tmp_path)
    publisher.publish()
    store, nth, changed = publisher.store, 0, 0
    while True:
        nth += 1
        old = publisher.catalog.documents[V2]
        changed = (changed + 1) % 40
        publisher.edit(V2, lines(40, changed=changed))
        publisher.pass_time(minutes=1)
        faulty = FaultyStore(store, nth=nth, after=after)
        publisher.store = faulty
        with suppress(StoreError):
            publisher.publish()
        publisher.store = store
        _, documents = verified(publisher, tmp_path)
        assert documents[V2] in {old, publisher.catalog.documents[V2]}
        publisher.publish()
        _, documents = verified(publisher, tmp_path)
        assert documents[V2] == publisher.catalog.documents[V2]
        if faulty.calls < nth:
            break
    assert nth > 30
    releases = list(
        Publication.objects.filter(state=State.ANNOUNCED, release__isnull=False).values_list(
            "release", flat=True
        )
    )
    assert sorted(releases) == list(range(1, len(releases) + 1))


def test_a_release_whose_keys_are_elsewhere_waits_for_them(publisher: Publisher, tmp_path: Path) -> None:
    publisher.keys.send_away("publisher")
    with pytest.raises(MissingKeyError):
        publisher.publish()
    assert Publication.objects.get(state=State.FAILED).release == 2
    assert verified(publisher, tmp_path)[0] == 1
    publisher.keys.elsewhere.clear()
    assert publisher.publish().release == 2
    assert verified(publisher, tmp_path)[0] == 2


def test_a_fault_of_ours_gives_the_publication_up_and_keeps_nobody_else(
    publisher: Publisher, tmp_path: Path
) -> None:
    def broken(step: str) -> None:
        if step == "rendered":
            raise ZeroDivisionError("a fault of ours")

    publisher.passing = broken
    with pytest.raises(ZeroDivisionError):
        publisher.publish()
    given_up = Publication.objects.get(state=State.FAILED)
    assert given_up.report["stopped_by"] == [{"reason": "ZeroDivisionError: a fault of ours"}]
    publisher.passing = failpoints.nothing
    assert publisher.publish().release == 2
    assert verified(publisher, tmp_path)[0] == 2


def test_a_publication_that_lost_its_staging_file_is_finished_from_the_release(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.passing = failpoints.from_text("pushing:raise")
    with pytest.raises(failpoints.FailpointError):
        publisher.publish()
    signed = signed_bytes()
    # A delta cannot be had from the release: take the case without one.
    unfinished = Publication.objects.get(state=State.PUSHING)
    unfinished.staged = {a: place for a, place in unfinished.staged.items() if not a.startswith("deltas/")}
    unfinished.save()
    (tmp_path / "staging" / f"{unfinished.number}.staged").unlink()
    publisher.passing = failpoints.nothing
    publisher.tick()
    unfinished.refresh_from_db()
    assert unfinished.state == State.ANNOUNCED
    assert signed.items() <= signed_bytes().items()


def test_a_publication_whose_bytes_are_lost_is_made_again_under_new_versions(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.passing = failpoints.from_text("pushing:raise")
    with pytest.raises(failpoints.FailpointError):
        publisher.publish()
    (tmp_path / "staging" / f"{Publication.objects.get(state=State.PUSHING).number}.staged").write_bytes(
        b"noise"
    )
    publisher.passing = failpoints.nothing
    signed = signed_bytes()
    publication = publisher.publish()
    assert (
        Publication.objects.get(state=State.FAILED)
        .report["stopped_by"][0]["reason"]
        .startswith("the staging")
    )
    assert (publication.state, publication.release) == (State.ANNOUNCED, 2)
    assert verified(publisher, tmp_path)[1][V2] == lines(40, changed=3)
    assert signed.items() <= signed_bytes().items()


class LyingStore(MemoryStore):
    """Says that it wrote, and wrote something else: one object of one kind."""

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start = start

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        is_lie = self.start and name.startswith(self.start)
        return super().put(name, data[:-1] if is_lie else data, only_if_absent=only_if_absent)


@pytest.mark.parametrize("start", ["targets/catalog/v2", "deltas/", "metadata/2.v2", "metadata/2.snapshot"])
def test_a_store_that_gives_other_bytes_back_is_found_out_before_the_commit(
    tmp_path: Path, start: str
) -> None:
    store = LyingStore("")
    publisher = Publisher(tmp_path, store=store)
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    store.start = start
    with pytest.raises(ReadBackError, match="other bytes than were written"):
        publisher.publish()
    assert verified(publisher, tmp_path)[0] == 1


def test_a_second_publisher_waits_and_then_says_who_is_at_work(publisher: Publisher) -> None:
    clock = publisher.means.clock
    with leasing.held(leasing.PUBLISHER, clock=clock, wait_s=0, holder="elsewhere:1:0"):
        with pytest.raises(leasing.LeaseError, match="elsewhere:1:0"):
            publisher.publish()
        assert publisher.tick().busy
    assert publisher.publish().release == 2


def test_a_publisher_that_was_away_too_long_commits_nothing(publisher: Publisher, tmp_path: Path) -> None:
    """It is stopped before its timestamp; meanwhile its lease ran out and somebody else finished its work."""
    rival = Publisher(tmp_path, catalog=publisher.catalog, store=publisher.store, now=publisher.now)

    def stopped_for_long(step: str) -> None:
        if step == "read-back":
            rival.pass_time(minutes=11)
            with leasing.held(leasing.PUBLISHER, clock=lambda: rival.now, wait_s=0, holder="rival:1:0"):
                pass

    publisher.passing = stopped_for_long
    with pytest.raises(leasing.LeaseError, match="taken over"):
        publisher.publish()
    assert verified(publisher, tmp_path)[0] == 1
    rival.tick()
    assert verified(rival, tmp_path)[0] == 2


def test_another_store_that_fails_is_brought_forward_later(publisher: Publisher, tmp_path: Path) -> None:
    second = MemoryStore()
    publisher.others = {"memory:second": FaultyStore(second, nth=5, after=False)}
    publication = publisher.publish()
    assert list(publication.report["failed_stores"]) == ["memory:second"]
    assert verified(publisher, tmp_path)[0] == 2
    publisher.others = {"memory:second": second}
    publisher.edit(ALMANAC, lines(60, "almanac", changed=1))
    assert publisher.tick().stores == ["memory:second"]
    stranger = Stranger(second, tmp_path / "second", now=publisher.now)
    assert stranger.documents()[V2] == stranger.plain(V2) == lines(40, changed=3)
    publisher.publish()
    assert Stranger(second, tmp_path / "again", now=publisher.now).release() == 3


def test_asking_twice_is_asking_once(publisher: Publisher) -> None:
    from mirrors.services.publishing import request_publication

    first = request_publication(by="alice", now=publisher.now)
    second = request_publication(by="bob", now=publisher.now)
    assert first.pk == second.pk
    assert publisher.tick().published == [first.pk]
    assert publisher.tick().published == []
    assert PublishedDocument.objects.get(path=V2, listed=True).first_release == 2


@pytest.mark.slow
def test_ctrl_c_at_a_terminal_ends_with_130_and_the_next_publication_goes_on(tmp_path: Path) -> None:
    """A real process at a real terminal: what it shows, how it ends, what is left."""
    home = Home.prepared(tmp_path / "home")
    home.edit("m3", "Another name")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*home.command, "publish"],
        cwd=ROOT,
        env={**home.environment, "ALMANAC_FAILPOINT": "objects-pushed:sleep"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"upload" not in shown:
        shown += os.read(ours, 4096)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    with suppress(OSError):  # a terminal that is closed at the other end
        while more := os.read(ours, 4096):
            shown += more
    os.close(ours)
    assert process.returncode == 130
    text = shown.decode()
    assert "Traceback" not in text
    for step in ("cut", "render", "gate", "delta", "sign"):
        assert re.search(rf"{step} +\d+\.\d\d s", text), text
    assert "upload    failed" in text
    assert "interrupted; the next publication or tick goes on from here" in text
    assert home.stranger().release() == 1
    facts = home.facts("publish")
    assert "release 2 (announced)" in facts["finished"][0]
    assert home.stranger().release() == 2
