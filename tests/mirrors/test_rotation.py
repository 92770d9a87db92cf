"""A key is replaced while readers come at every moment and the publisher dies at every write."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Timestamp

from almanac.addresses import TIMESTAMP
from almanac.stores import MemoryStore, ObjectStore
from mirrors import staging
from mirrors.models import Publication, SignedFile
from mirrors.services import ticking
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from signing.ceremony import completed, sign_request
from tests.mirrors.cast import V2, FaultError, House, Publisher, Stranger, forget_everything, lines
from tests.signing.cast import signer_of

pytestmark = pytest.mark.django_db

PURPOSES = ("timestamp", "snapshot", "targets", "root", "publisher", "network")


class StoppingStore(MemoryStore):
    """Says after each write that it was made, and fails for good after ``most`` of them."""

    def __init__(self) -> None:
        super().__init__()
        self.most: int | None = None
        self.writes = 0
        self.after_write: Callable[[], None] = lambda: None

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        if self.most is not None and self.writes >= self.most:
            raise FaultError("the machine is gone")
        written = super().put(name, data, only_if_absent=only_if_absent)
        self.writes += 1
        self.after_write()
        return written


class Readers:
    """One who comes for the first time, one who was here before the rotation, and one who follows every step."""

    def __init__(self, folder: Path, alice: Publisher, store: ObjectStore | None = None) -> None:
        self.folder, self.alice, self.store = folder, alice, store or alice.store
        self.count = itertools.count()
        self.read(folder / "before")
        self.read(folder / "following")

    def read(self, folder: Path) -> None:
        Stranger(self.store, folder, now=self.alice.now).documents()

    def look(self) -> None:
        number = next(self.count)
        shutil.copytree(self.folder / "before", self.folder / f"old-{number}")
        for name in (f"fresh-{number}", f"old-{number}", "following"):
            self.read(self.folder / name)
        shutil.rmtree(self.folder / f"fresh-{number}")
        shutil.rmtree(self.folder / f"old-{number}")


def tick(alice: Publisher) -> ticking.Ticked:
    return ticking.tick(alice.means, jobs_at_once=0)


def rounds(alice: Publisher) -> list[list[str]]:
    """Ticks until nothing is due any more."""
    made = []
    while due := tick(alice).renewed:
        made.append(due)
        assert len(made) < 5, "it publishes again and again"
    return made


def root(store: ObjectStore) -> Root:
    numbers = [
        int(n.split("/")[1].split(".")[0]) for n in store.names("metadata/") if n.endswith(".root.json")
    ]
    return Metadata[Root].from_bytes(store.get(f"metadata/{max(numbers)}.root.json")).signed


@pytest.fixture
def alice(tmp_path: Path) -> Publisher:
    alice = Publisher(tmp_path, store=StoppingStore())
    alice.publish()
    return alice


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_reader_verifies_after_every_single_write_of_a_rotation(
    alice: Publisher, tmp_path: Path, purpose: str
) -> None:
    readers = Readers(tmp_path / "readers", alice)
    old = alice.keys.public_keys(purpose)[0].keyid
    alice.keys.rotate(purpose)
    alice.store.after_write = readers.look
    assert rounds(alice)
    assert next(readers.count) >= 1
    assert old not in root(alice.store).keys


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_publisher_that_dies_after_any_write_of_a_rotation_leaves_a_store_that_everybody_verifies(
    tmp_path: Path, purpose: str
) -> None:
    for most in itertools.count():
        forget_everything()
        folder = tmp_path / str(most)
        alice = Publisher(folder, store=StoppingStore())
        alice.publish()
        readers = Readers(folder / "readers", alice)
        old = alice.keys.public_keys(purpose)[0].keyid
        alice.keys.rotate(purpose)
        alice.store.most = alice.store.writes + most
        errors = [error for _ in range(3) for error in tick(alice).errors]
        readers.look()
        alice.store.most = None
        alice.store.after_write = readers.look
        rounds(alice)
        assert tick(alice).renewed == []
        assert old not in root(alice.store).keys
        if not errors:
            break
    assert most >= 1


@pytest.mark.parametrize("purpose", ["timestamp", "snapshot", "targets"])
def test_the_old_key_is_named_until_what_the_new_one_signed_is_committed(
    alice: Publisher, purpose: str
) -> None:
    (old,) = root(alice.store).roles[purpose].keyids
    alice.keys.rotate(purpose)
    new = alice.keys.public_keys(purpose)[0].keyid
    tick(alice)
    assert root(alice.store).version == 2
    assert root(alice.store).roles[purpose].keyids == sorted([old, new])
    signatures = json.loads(SignedFile.objects.filter(role=purpose).latest("version").data)["signatures"]
    assert {signature["keyid"] for signature in signatures} == {old, new}
    tick(alice)
    assert root(alice.store).version == 3
    assert root(alice.store).roles[purpose].keyids == [new]


def test_a_verifier_says_nothing_of_the_old_keys_signatures_that_are_left(alice: Publisher) -> None:
    alice.keys.rotate("targets")
    for _ in range(3):
        tick(alice)
        report = verify_store(StoreSource(alice.store, "memory:"), now=alice.now)
        assert (report.exit_code, report.warnings) == (0, [])


def test_a_thief_of_the_old_timestamp_key_is_refused(alice: Publisher, tmp_path: Path) -> None:
    thief = signer_of("timestamp")
    alice.keys.rotate("timestamp")
    rounds(alice)
    stranger = Stranger(alice.store, tmp_path / "stranger", now=alice.now)
    stranger.documents()
    forged = Metadata[Timestamp].from_bytes(alice.store.get(TIMESTAMP))
    forged.signed.version += 1
    forged.signed.expires += timedelta(days=300)
    forged.sign(thief)
    alice.store.put(TIMESTAMP, forged.to_bytes())
    with pytest.raises(UnsignedMetadataError):
        stranger.updater()
    with pytest.raises(UnsignedMetadataError):
        Stranger(alice.store, tmp_path / "fresh", now=alice.now).updater()


def test_a_publication_that_was_given_up_on_the_way_does_not_drop_the_old_key_too_early(
    alice: Publisher, tmp_path: Path
) -> None:
    """Signed with the new key, never committed: what readers have is still signed by the old one alone."""
    readers = Readers(tmp_path / "readers", alice)
    alice.keys.rotate("timestamp")
    alice.edit(V2, lines(40, changed=3))
    alice.store.most = alice.store.writes
    with pytest.raises(FaultError):
        alice.publish()
    given_up = Publication.objects.unfinished().get()
    staging.staging_path(alice.means.staging, given_up.number).unlink()
    alice.catalog.released[2] = {}  # nobody can make its documents again
    alice.store.most = None
    alice.store.after_write = readers.look
    tick(alice)
    given_up.refresh_from_db()
    assert given_up.state == Publication.State.FAILED
    alice.catalog.released[2] = dict(alice.catalog.documents)
    rounds(alice)
    alice.publish()
    rounds(alice)
    assert signer_of("timestamp").public_key.keyid not in root(alice.store).keys


def test_two_rotations_before_the_first_is_through_end_with_the_last_key(
    alice: Publisher, tmp_path: Path
) -> None:
    alice.store.after_write = Readers(tmp_path / "readers", alice).look
    alice.keys.rotate("timestamp")
    tick(alice)
    alice.keys.rotate("timestamp")
    alice.keys.rotate("snapshot")
    rounds(alice)
    for purpose in ("timestamp", "snapshot"):
        assert root(alice.store).roles[purpose].keyids == [alice.keys.public_keys(purpose)[0].keyid]


def test_a_key_that_is_lost_can_be_rotated_without_a_gap(alice: Publisher, tmp_path: Path) -> None:
    alice.store.after_write = Readers(tmp_path / "readers", alice).look
    alice.keys.send_away("timestamp")
    alice.keys.rotate("timestamp")
    assert rounds(alice) == [["root"], ["root"]]


def test_a_store_that_missed_the_rotation_goes_through_the_same_steps(
    alice: Publisher, tmp_path: Path
) -> None:
    second = StoppingStore()
    alice.others = {"memory:second": second}
    alice.edit(V2, lines(40, changed=1))
    alice.publish()
    readers = Readers(tmp_path / "readers", alice, second)
    second.most = second.writes
    for purpose in ("timestamp", "snapshot", "targets", "root"):
        alice.keys.rotate(purpose)
        while tick(alice).renewed:
            pass
    second.most = None
    second.after_write = readers.look
    assert tick(alice).stores == ["memory:second"]
    assert next(readers.count) > 8
    assert second.get(TIMESTAMP) == alice.store.get(TIMESTAMP)


class TestThresholds:
    """Two of three must sign; TUF counts keys, so a holder of an old and a new key could count as two."""

    @pytest.fixture
    def three(self, tmp_path: Path) -> Publisher:
        keys = House(thresholds={"timestamp": 2})
        keys.current["timestamp"] = [signer_of(name) for name in ("ann", "ben", "cem")]
        dora = Publisher(tmp_path, store=StoppingStore(), keys=keys)
        dora.publish()
        return dora

    def test_both_halves_of_one_pair_are_not_enough_while_both_are_listed(
        self, three: Publisher, tmp_path: Path
    ) -> None:
        readers = Readers(tmp_path / "readers", three)
        three.store.after_write = readers.look
        three.keys.retired += three.keys.current["timestamp"]
        three.keys.current["timestamp"] = [signer_of(name) for name in ("ann 2", "ben 2", "cem")]
        tick(three)
        bridge = root(three.store)
        assert (bridge.roles["timestamp"].threshold, len(bridge.roles["timestamp"].keyids)) == (3, 5)
        forged = Metadata[Timestamp].from_bytes(three.store.get(TIMESTAMP))
        forged.signed.version += 1
        forged.sign(signer_of("ann"))
        forged.sign(signer_of("ann 2"), append=True)
        with pytest.raises(UnsignedMetadataError):
            bridge.verify_delegate("timestamp", forged.signed_bytes, forged.signatures)
        rounds(three)
        assert root(three.store).roles["timestamp"].threshold == 2
        assert len(root(three.store).roles["timestamp"].keyids) == 3

    def test_one_of_three_is_replaced_in_one_step_because_two_old_signatures_are_enough(
        self, three: Publisher, tmp_path: Path
    ) -> None:
        three.store.after_write = Readers(tmp_path / "readers", three).look
        three.keys.current["timestamp"][0] = signer_of("ann 2")
        assert rounds(three) == [["root"]]

    def test_a_threshold_that_rises_with_a_new_key_leaves_no_gap(
        self, alice: Publisher, tmp_path: Path
    ) -> None:
        alice.store.after_write = Readers(tmp_path / "readers", alice).look
        alice.keys.current["timestamp"].append(signer_of("ben"))
        alice.keys.thresholds["timestamp"] = 2
        assert rounds(alice) == [["root"], ["root"]]
        assert root(alice.store).roles["timestamp"].threshold == 2


class TestHolders:
    """Root, or targets, is signed elsewhere."""

    @staticmethod
    def ceremony(alice: Publisher, role: str, *names: str) -> None:
        from mirrors.services.keyholding import signing_request

        request = signing_request(means=alice.means, role=role, release=1, now=alice.now)
        for name in names:
            request = sign_request(request, signer_of(name))
        alice.keys.brought[role] = completed(request)

    def test_root_is_asked_for_twice_in_turn_and_nothing_is_published_again_and_again(
        self, alice: Publisher, tmp_path: Path
    ) -> None:
        alice.store.after_write = Readers(tmp_path / "readers", alice).look
        alice.keys.send_away("root")
        alice.keys.rotate("timestamp")
        for version in (2, 3):
            tick(alice)
            assert Publication.objects.latest("pk").report["postponed"] == ["root"]
            assert tick(alice).renewed == []
            self.ceremony(alice, "root", "root")
            alice.pass_time(hours=1)
            tick(alice)
            assert root(alice.store).version == version
        assert rounds(alice) == []
        assert Publication.objects.latest("pk").report["postponed"] == []
        assert root(alice.store).roles["timestamp"].keyids == [alice.keys.public_keys("timestamp")[0].keyid]

    def test_targets_is_signed_by_its_new_holder_before_the_old_one_is_dropped(
        self, alice: Publisher, tmp_path: Path
    ) -> None:
        alice.store.after_write = Readers(tmp_path / "readers", alice).look
        alice.keys.send_away("targets")
        alice.keys.rotate("targets")
        alice.keys.send_away("targets")
        tick(alice)
        assert Publication.objects.latest("pk").report["postponed"] == ["root", "targets"]
        assert tick(alice).renewed == []
        with pytest.raises(Exception, match="more signatures"):
            self.ceremony(alice, "targets")
        self.ceremony(alice, "targets", f"targets {alice.keys.rotations}")
        alice.pass_time(hours=1)
        tick(alice)
        rounds(alice)
        assert root(alice.store).version == 3
        assert root(alice.store).roles["targets"].keyids == [alice.keys.public_keys("targets")[0].keyid]


class TestACompromisedKey:
    @pytest.mark.parametrize("purpose", ["timestamp", "snapshot", "targets"])
    def test_it_is_dropped_in_one_step(self, alice: Publisher, tmp_path: Path, purpose: str) -> None:
        readers = Readers(tmp_path / "readers", alice)
        (old,) = root(alice.store).roles[purpose].keyids
        alice.keys.rotate(purpose, revoke=True)
        assert rounds(alice) == [["root"]]
        assert old not in root(alice.store).keys
        readers.look()

    def test_readers_miss_it_for_no_more_than_the_writes_between_root_and_timestamp(
        self, alice: Publisher, tmp_path: Path
    ) -> None:
        readers = Readers(tmp_path / "readers", alice)
        refused = []

        def look() -> None:
            try:
                readers.look()
            except RepositoryError:
                refused.append(True)

        alice.keys.rotate("timestamp", revoke=True)
        alice.store.after_write = look
        rounds(alice)
        assert refused == [True]
        readers.look()
