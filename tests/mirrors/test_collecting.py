"""Garbage goes, and nobody misses it: not the newest releases, not who read a moment ago, not who was away."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from almanac.addresses import TIMESTAMP, delta_path, object_path
from almanac.stores import FileStore, MemoryStore, ObjectStore
from mirrors import failpoints
from mirrors.models import Collection, Publication, SignedFile, Unreferenced
from mirrors.retention import Limits
from mirrors.services import collecting, leasing, ticking
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from tests.mirrors.cast import ALMANAC, EU, V2, FaultyStore, Publisher, Stranger, follow_by_deltas, lines

pytestmark = pytest.mark.django_db

FEW = Limits(releases=3)
SHORT = Limits(releases=3, age=timedelta(days=2), every=timedelta(hours=12))
"""Then the timestamp's 72 hours decide how long a file waits."""


def tick(alice: Publisher, limits: Limits = FEW, **changes: object) -> ticking.Ticked:
    ticked = ticking.tick(replace(alice.means, limits=limits, **changes), jobs_at_once=100)  # type: ignore[arg-type]
    assert ticked.errors == []
    return ticked


def days(alice: Publisher, count: int, limits: Limits = FEW) -> list[str]:
    """A tick a day; what was collected."""
    found = []
    for _ in range(count):
        alice.pass_time(days=1)
        found += tick(alice, limits).collected
    return found


def releases(alice: Publisher, count: int, *, start: int = 0) -> list[str]:
    """Publishes; the SHA-256 of each document."""
    made = []
    for number in range(start, start + count):
        data = numbered(number)
        alice.edit(V2, data)
        alice.publish()
        alice.pass_time(hours=1)
        made.append(hashlib.sha256(data).hexdigest())
    return made


def numbered(number: int) -> bytes:
    """So like every other that a delta is worth it."""
    return lines(40) + f"# {number}\n".encode()


def named_by(store: ObjectStore, timestamp: bytes) -> Iterator[str]:
    """Every address that a reader of this timestamp may ask for."""
    snapshot = f"metadata/{json.loads(timestamp)['signed']['meta']['snapshot.json']['version']}.snapshot.json"
    yield snapshot
    for name, meta in json.loads(store.get(snapshot))["signed"]["meta"].items():
        role = f"metadata/{meta['version']}.{name}"
        yield role
        for path, target in json.loads(store.get(role))["signed"]["targets"].items():
            sha256 = target["hashes"]["sha256"]
            yield object_path(path, sha256)
            yield f"{object_path(path, sha256)}.minisig"
            for old in target["custom"]["deltas"]:
                yield from (n for n in store.names(f"deltas/{old}") if n.endswith(f"/{sha256}.dcz"))


def is_whole(store: ObjectStore, timestamp: bytes) -> bool:
    deltas = 0
    for name in named_by(store, timestamp):
        deltas += name.startswith("deltas/")
        assert store.size(name) is not None, f"{name} is gone"
    return deltas >= 0


@pytest.fixture
def alice(tmp_path: Path) -> Publisher:
    alice = Publisher(tmp_path)
    alice.publish()
    return alice


def test_old_snapshots_documents_deltas_and_what_lies_beside_them_go_and_roots_stay(
    alice: Publisher, tmp_path: Path
) -> None:
    alice.keys.rotate("timestamp")
    old = releases(alice, 30)
    address = object_path(V2, old[5])
    assert any(old[5] in name for name in alice.store.names("deltas/"))
    tick(alice)
    assert {f"{address}{suffix}" for suffix in ("", ".minisig", ".gz")} <= set(alice.store.names())
    alice.pass_time(days=40)  # the daily deltas of before are not wanted any more
    for number in range(100, 104):
        releases(alice, 1, start=number)
        days(alice, 3)
    assert days(alice, 15)
    names = set(alice.store.names())
    assert not [name for name in names if old[5] in name]
    assert "metadata/2.snapshot.json" not in names
    assert "metadata/2.v2.json" not in names
    assert {f"metadata/{number}.root.json" for number in (1, 2, 3)} <= names
    assert {V2, f"{V2}.minisig", "index.json", "minisign.pub", TIMESTAMP} <= names
    Stranger(alice.store, tmp_path / "s", now=alice.now).documents()


def test_a_verifier_has_nothing_to_say_about_what_is_left(alice: Publisher) -> None:
    releases(alice, 20)
    alice.pass_time(days=35)
    releases(alice, 4, start=100)
    assert days(alice, 20)
    report = verify_store(StoreSource(alice.store, "memory:"), now=alice.now)  # type: ignore[arg-type]
    assert (report.exit_code, report.warnings) == (0, [])


def test_the_newest_hundred_releases_stay_whole_whatever_their_age(alice: Publisher) -> None:
    timestamps = []
    for number in range(6):
        releases(alice, 1, start=number)
        timestamps.append(alice.store.get(TIMESTAMP))
    days(alice, 30, Limits(releases=6))
    assert all(is_whole(alice.store, timestamp) for timestamp in timestamps)
    days(alice, 20, Limits(releases=5))
    with pytest.raises(Exception, match="gone|no such|not there|store"):
        is_whole(alice.store, timestamps[0])
    assert all(is_whole(alice.store, timestamp) for timestamp in timestamps[1:])


def test_a_file_waits_a_week_from_when_it_was_first_found(alice: Publisher) -> None:
    alice.store.put("targets/catalog/v2/" + "0" * 64 + ".models.yaml", b"nobody names it")
    tick(alice)
    assert Unreferenced.objects.count() == 1
    assert days(alice, 6) == []
    assert alice.store.size("targets/catalog/v2/" + "0" * 64 + ".models.yaml") is not None
    assert len(days(alice, 1)) == 1
    assert alice.store.size("targets/catalog/v2/" + "0" * 64 + ".models.yaml") is None
    assert Unreferenced.objects.count() == 0
    assert "tick collect" not in alice.catalog.audit
    assert "collect collect memory:first" in alice.catalog.audit


def test_what_is_needed_again_is_not_removed(alice: Publisher) -> None:
    (first,) = releases(alice, 1)
    alice.edit(V2, lines(3, "short"))
    alice.publish()
    address = object_path(V2, first)
    Unreferenced.objects.create(url="memory:first", address=address, since=alice.now - timedelta(days=30))
    alice.edit(V2, numbered(0))
    alice.publish()
    tick(alice)
    assert not Unreferenced.objects.filter(address=address).exists()
    assert alice.store.size(address) is not None


@pytest.mark.parametrize("pause", [{"days": 5}, {"days": 400}, {"days": -400}])
def test_after_a_pause_or_a_jump_of_the_clock_counting_begins_anew(alice: Publisher, pause: dict) -> None:
    stray = "targets/catalog/v2/" + "0" * 64 + ".models.yaml"
    alice.store.put(stray, b"nobody names it")
    tick(alice)
    days(alice, 3)
    alice.pass_time(**pause)
    # Its publications belong to the other time; the collector alone is asked.
    with leasing.held(leasing.PUBLISHER, clock=alice.means.clock, wait_s=0) as hold:
        collecting.collect_due(replace(alice.means, limits=FEW), hold)
    assert alice.store.size(stray) is not None


def test_foreign_files_plain_addresses_and_roots_are_never_touched(alice: Publisher) -> None:
    strange = [
        "a-note.txt",
        "targets/readme.txt",
        "metadata/notes.txt",
        "metadata/7.root.json",
        "deltas/x.dcz",
    ]
    for name in strange:
        alice.store.put(name, b"somebody's")
    days(alice, 30)
    assert all(alice.store.size(name) is not None for name in strange)


def test_what_was_current_within_the_week_is_not_even_noted(alice: Publisher) -> None:
    tick(alice)
    releases(alice, 8)
    tick(alice)
    alice.pass_time(days=5)
    tick(alice)
    assert not Unreferenced.objects.exists()
    assert all(bytes(row.data) for row in SignedFile.objects.all())


def test_a_document_that_a_later_delta_may_start_from_stays(alice: Publisher) -> None:
    """No delta led from it to what followed, which was too different."""
    (held,) = releases(alice, 1)
    alice.edit(V2, lines(50, "quite different"))
    alice.publish()
    days(alice, 3)
    for number in range(4):
        alice.edit(ALMANAC, lines(60, "almanac", changed=number))
        alice.publish()
        days(alice, 4)
    assert days(alice, 10)
    (now,) = releases(alice, 1, start=1)
    assert alice.store.size(delta_path(held, now)) is not None


def test_it_looks_once_a_day(alice: Publisher) -> None:
    tick(alice)
    first = Collection.objects.get().looked_at
    alice.pass_time(hours=20)
    tick(alice)
    assert Collection.objects.get().looked_at == first
    alice.pass_time(hours=5)
    assert ticking.due(alice.means).collected == ["memory:first"]
    tick(alice)
    assert Collection.objects.get().looked_at == alice.now


def test_nothing_is_collected_beside_a_publication_that_has_begun(alice: Publisher) -> None:
    alice.store.put("targets/catalog/v2/" + "0" * 64 + ".models.yaml", b"nobody names it")
    Publication.objects.create(
        reason="resign", requested_by="x", requested_at=alice.now, state=Publication.State.PUSHING
    )
    with leasing.held(leasing.PUBLISHER, clock=alice.means.clock, wait_s=0) as hold:
        collecting.collect_due(alice.means, hold)
    assert not Unreferenced.objects.exists()


def test_a_collector_whose_lease_was_taken_removes_nothing(alice: Publisher) -> None:
    stray = "targets/catalog/v2/" + "0" * 64 + ".models.yaml"
    alice.store.put(stray, b"nobody names it")
    tick(alice)
    days(alice, 6)
    alice.pass_time(days=1)
    with leasing.held(leasing.PUBLISHER, clock=alice.means.clock, wait_s=0) as hold:
        late = replace(hold, fencing=hold.fencing - 1)
        assert "taken over" in collecting.collect_due(replace(alice.means, limits=FEW), late).errors[0]
    assert alice.store.size(stray) is not None


def test_a_store_that_lags_is_left_alone_until_it_has_caught_up(alice: Publisher) -> None:
    stray = "targets/catalog/v2/" + "0" * 64 + ".models.yaml"
    second = MemoryStore()
    alice.others = {"memory:second": second}
    alice.tick()
    second.put(stray, b"nobody names it")
    alice.others = {"memory:second": FaultyStore(second, nth=1, after=False)}
    alice.edit(V2, lines(40, "other"))
    alice.publish()
    alice.others = {"memory:second": second}
    alice.pass_time(days=2)
    with leasing.held(leasing.PUBLISHER, clock=alice.means.clock, wait_s=0) as hold:
        collecting.collect_due(alice.means, hold)
    assert not Unreferenced.objects.filter(address=stray).exists()
    tick(alice)
    assert Unreferenced.objects.filter(address=stray, url="memory:second").exists()


def test_a_store_whose_signed_files_cannot_be_read_loses_nothing(alice: Publisher) -> None:
    alice.store.put("targets/catalog/v2/" + "0" * 64 + ".models.yaml", b"nobody names it")
    alice.store.put("metadata/99.snapshot.json", b"{")
    ticked = ticking.tick(alice.means)
    assert "99.snapshot.json" in ticked.errors[0]
    assert not Unreferenced.objects.exists()


def test_snapshots_that_only_the_store_knows_are_kept_with_what_they_name(alice: Publisher) -> None:
    """A database that was restored from before: what it forgot was published all the same."""
    targets = {
        "catalog/v2/models.yaml": {"hashes": {"sha256": "e" * 64}, "custom": {"deltas": {"f" * 16: 1}}}
    }
    forgotten = {
        "metadata/900.snapshot.json": json.dumps(
            {"signed": {"meta": {"v2.json": {"version": 900}}}}
        ).encode(),
        "metadata/900.v2.json": json.dumps({"signed": {"targets": targets}}).encode(),
        f"targets/catalog/v2/{'e' * 64}.models.yaml": b"x",
        f"targets/catalog/v2/{'e' * 64}.models.yaml.minisig": b"x",
        f"deltas/{'f' * 64}/{'e' * 64}.dcz": b"x",
    }
    for name, data in forgotten.items():
        alice.store.put(name, data)
    stray = f"targets/catalog/v2/{'d' * 64}.models.yaml"
    alice.store.put(stray, b"x")
    tick(alice)
    assert [row.address for row in Unreferenced.objects.all()] == [stray]


@pytest.mark.parametrize("step", ["garbage-noted", "garbage-removed", "garbage-removed#3"])
def test_a_round_that_is_cut_off_is_finished_by_the_next(alice: Publisher, tmp_path: Path, step: str) -> None:
    strays = [f"deltas/{number:064d}/{'a' * 64}.dcz" for number in range(2)]
    strays += [f"targets/catalog/v2/{number:064d}.models.yaml" for number in range(3)]
    for name in strays:
        alice.store.put(name, b"nobody names it")
    tick(alice)
    days(alice, 6)
    alice.pass_time(days=1)
    passing = failpoints.from_text(f"{step}:raise")
    assert ticking.tick(replace(alice.means, limits=FEW, passing=passing), jobs_at_once=0).errors
    Stranger(alice.store, tmp_path / "s", now=alice.now).documents()
    days(alice, 9)  # a delta that was to go, and did not, waits once more
    assert not set(strays) & set(alice.store.names())
    assert set(Unreferenced.objects.values_list("address", flat=True)) == set(strays[:2])


def test_a_document_that_comes_back_after_its_bytes_went_is_whole_again(
    alice: Publisher, tmp_path: Path
) -> None:
    (first, second, *_) = releases(alice, 20)
    alice.pass_time(days=40)
    releases(alice, 4, start=100)
    days(alice, 15)
    address = object_path(V2, first)
    assert alice.store.size(address) is None
    removed = set(Unreferenced.objects.filter(removed_at__isnull=False).values_list("address", flat=True))
    assert any(first in address for address in removed)
    alice.edit(V2, numbered(0))
    alice.publish()
    assert alice.store.get(f"{address}.minisig") == alice.store.get(f"{V2}.minisig")
    stranger = Stranger(alice.store, tmp_path / "s", now=alice.now)
    assert stranger.documents()[V2] == stranger.plain(V2) == numbered(0)
    alice.edit(V2, numbered(1))
    alice.publish()
    assert delta_path(first, second) in removed
    assert not removed & set(alice.store.names()), "a delta was made anew under the same address"
    assert stranger.documents()[V2] == numbered(1)


def test_the_database_lets_old_bytes_go_and_never_the_fact_that_they_were_signed(alice: Publisher) -> None:
    releases(alice, 8)
    days(alice, 20)
    releases(alice, 4, start=100)
    rows = set(SignedFile.objects.values_list("role", "version", "address"))
    days(alice, 15)
    assert rows <= set(SignedFile.objects.values_list("role", "version", "address"))
    assert SignedFile.objects.filter(role="timestamp", data=b"").count() > 25
    assert bytes(SignedFile.objects.get(role="snapshot", version=1).data) == b""
    assert all(bytes(row.data) for row in SignedFile.objects.filter(role__in=("root", "")))


def test_a_new_store_is_filled_after_much_was_collected(alice: Publisher, tmp_path: Path) -> None:
    releases(alice, 8)
    days(alice, 20)
    releases(alice, 4, start=100)
    days(alice, 10)
    second = MemoryStore()
    alice.others = {"memory:second": second}
    alice.pass_time(hours=1)
    tick(alice)
    assert second.get(TIMESTAMP) == alice.store.get(TIMESTAMP)
    assert all(second.get(name) for name in second.names())
    Stranger(second, tmp_path / "s", now=alice.now).documents()


def test_temporary_files_of_writers_that_died_go_after_a_day(tmp_path: Path) -> None:
    alice = Publisher(tmp_path, store=FileStore(tmp_path / "store"))
    alice.publish()
    young, old = tmp_path / "store" / ".put-1", tmp_path / "store" / "metadata" / ".put-2"
    (tmp_path / "elsewhere").mkdir()
    outside = tmp_path / "elsewhere" / ".put-3"
    (tmp_path / "store" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "store" / "deltas" / ("a" * 64)).mkdir(parents=True)
    for path, age in ((young, {"hours": 20}), (old, {"hours": 30}), (outside, {"days": 9})):
        path.write_bytes(b"half")
        moment = (alice.now - timedelta(**age)).timestamp()
        os.utime(path, (moment, moment))
    assert tick(alice).collected == ["1 files from memory:first, 0 more wait for their time"]
    assert (young.exists(), old.exists(), outside.exists()) == (True, False, True)
    assert not (tmp_path / "store" / "deltas" / ("a" * 64)).exists()


def test_more_than_one_round_bears_is_taken_up_by_the_next_tick(alice: Publisher) -> None:
    for number in range(7):
        alice.store.put(f"targets/catalog/v2/{number:064d}.models.yaml", b"nobody names it")
    few = replace(FEW, at_once=3)
    tick(alice, few)
    days(alice, 7, few)
    assert len([name for name in alice.store.names() if "0" * 60 in name]) == 4
    tick(alice, few)
    tick(alice, few)
    assert not [name for name in alice.store.names() if "0" * 60 in name]


# Whatever happens in whatever order.


@dataclass
class Watched:
    """An installation, and what readers of its last week and holders of its last versions count on."""

    alice: Publisher
    rng: random.Random
    limits: Limits = SHORT
    seen: list[tuple[bytes, datetime]] = field(default_factory=list)
    """Timestamps, and until when each was the current one."""
    released: list[bytes] = field(default_factory=list)
    history: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    removed: int = 0
    first: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = dict(self.alice.catalog.documents)

    def note(self) -> None:
        current = self.alice.store.get(TIMESTAMP)
        if not self.seen or self.seen[-1][0] != current:
            self.seen.append((current, self.alice.now))
        self.seen[-1] = (current, self.alice.now)
        for path in (V2, EU, ALMANAC):
            held = self.history[path]
            data = self.alice.store.get(path)
            if not held or held[-1] != data:
                held.append(data)

    def step(self) -> None:
        self.note()
        match self.rng.choice(("edit", "edit", "edit", "back", "publish", "tick", "tick", "wait", "rotate")):
            case "edit":
                path = self.rng.choice((V2, V2, EU, ALMANAC))
                self.alice.edit(
                    path,
                    self.first[path] + f"# {self.rng.randrange(10**9)}\n".encode(),
                )
                self.release()
            case "back":
                path = self.rng.choice((V2, ALMANAC))
                self.alice.edit(path, self.rng.choice(self.history[path]))
                self.release()
            case "publish":
                self.release()
            case "wait":
                self.alice.pass_time(hours=self.rng.choice((1, 20, 50)))
            case "rotate":
                self.alice.keys.rotate(self.rng.choice(("timestamp", "snapshot", "targets")))
            case _:
                self.alice.pass_time(hours=self.rng.choice((1, 25, 30, 60)))
        before = set(self.alice.store.names())
        tick(self.alice, self.limits)
        self.removed += len(before - set(self.alice.store.names()))
        self.note()
        self.check()

    def release(self) -> None:
        if self.alice.publish().state == Publication.State.ANNOUNCED:
            self.released.append(self.alice.store.get(TIMESTAMP))

    def check(self) -> None:
        store, week_ago = self.alice.store, self.alice.now - self.limits.age
        for timestamp in {t for t, until in self.seen if until >= week_ago}:
            assert is_whole(store, timestamp)
        for timestamp in self.released[-self.limits.releases :]:
            assert is_whole(store, timestamp)
        for path, held in self.history.items():
            self.check_deltas(path, held)

    def check_deltas(self, path: str, held: list[bytes]) -> None:
        different = list(dict.fromkeys(data for data in reversed(held) if data != held[-1]))[:16]
        for old in different:
            found, by_delta = follow_by_deltas(self.alice.store, path, old)
            assert found == held[-1]
            pair = delta_path(hashlib.sha256(old).hexdigest(), hashlib.sha256(found).hexdigest())
            assert by_delta or Unreferenced.objects.filter(address=pair, removed_at__isnull=False).exists()


@pytest.mark.parametrize("seed", range(4))
def test_readers_of_the_last_week_and_holders_of_the_last_versions_find_everything(
    tmp_path: Path, seed: int
) -> None:
    alice = Publisher(tmp_path)
    alice.publish()
    watched = Watched(alice, random.Random(seed))
    for _ in range(70):
        watched.step()
    assert watched.removed > 10
    Stranger(alice.store, tmp_path / "s", now=alice.now).documents()
    report = verify_store(StoreSource(alice.store, "memory:"), now=alice.now)  # type: ignore[arg-type]
    assert (report.exit_code, report.warnings) == (0, [])
