"""Publications into buckets, over real sockets: every fault at every call, and buckets as they are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from django.db import transaction

from almanac.errors import AlmanacError, EquivocationError
from almanac.handling import handling
from almanac.s3_store import Conditions, Patience, Place, S3Store, connected
from almanac.stores import StoreError
from mirrors.models import Publication
from mirrors.services import probing_stores, ticking
from mirrors.services.pushing import ReadBackError
from mirrors.services.uploading import each
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from tests.faults3 import Fault, FaultS3, Nature
from tests.mirrors import buckets
from tests.mirrors.buckets import (
    BOTH,
    ONCE,
    State,
    assert_no_version_twice,
    known,
    small,
    whole,
)
from tests.mirrors.cast import V2, Publisher, Stranger, lines
from tests.mirrors.home import PREPARE, Home

pytestmark = pytest.mark.django_db
aws, servers, clients = buckets.aws, buckets.servers, buckets.clients
s3, second_s3, bucket = buckets.s3, buckets.second_s3, buckets.bucket


FAULTS = [
    Fault("503"), Fault("500", after=True), Fault("drop"), Fault("drop", after=True), Fault("409"),
    Fault("truncate"), Fault("short"), Fault("flip"), Fault("stale"), Fault("503", times=3),
]  # fmt: skip
SILENCES = [Fault("silence"), Fault("silence", after=True)]


@dataclass
class Swept:
    calls: int = 0
    """That one publication makes."""
    stopped: int = 0
    """Publications that the fault stopped, so that a later one had to finish them."""


def sweep(
    s3: FaultS3, store: S3Store, healthy: S3Store, folder: Path, fault: Fault, *, step: int = 1
) -> Swept:
    """The same publication once for each of its calls, that call failing; before each all is as it was."""
    publisher = small(folder, healthy)
    publisher.publish()
    old, new = publisher.catalog.documents[V2], lines(20, changed=3)
    publisher.edit(V2, new)
    publisher.pass_time(minutes=5)
    before = dict(s3.objects)
    swept = Swept()
    for nth in itertools.count(1, step):
        s3.objects, reader = dict(before), folder / f"reader-{nth}"
        with transaction.atomic():
            publisher.store = store
            s3.break_by(replace(fault, nth=nth))
            with suppress(AlmanacError):
                publisher.publish()
            calls = s3.calls
            s3.break_by()
            assert whole(s3, publisher, reader)[V2] in {old, new}
            publisher.store = healthy
            if Publication.objects.unfinished().exists():
                swept.stopped += 1
                ticking.tick(publisher.means, jobs_at_once=0)
            if publisher.catalog.newest_release() != 2 or not Publication.objects.filter(
                release=2, state="announced"
            ):
                publisher.publish()
            assert whole(s3, publisher, reader)[V2] == new
            assert Stranger(s3.contents("site/"), reader, now=publisher.now).plain(V2) == new
            assert_no_version_twice(s3)
            published = Publication.objects.filter(state=State.ANNOUNCED, reason="release")
            assert sorted(published.values_list("release", flat=True)) == [1, 2]
            transaction.set_rollback(True)
        s3.log.clear()
        swept.calls = calls
        if calls < nth:
            return swept
    raise AssertionError


def named(fault: Fault) -> str:
    return f"{fault.do}{'-after' if fault.after else ''}{f'-x{fault.times}' if fault.times > 1 else ''}"


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_any_fault_at_any_call_of_a_publication_leaves_the_bucket_whole_and_a_retry_completes_it(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path, fault: Fault
) -> None:
    """Without second tries in the store itself, so that each fault reaches the publisher."""
    known()
    healthy = bucket(s3, at_once=1)
    swept = sweep(s3, bucket(s3, patience=ONCE, at_once=1), healthy, tmp_path, fault)
    assert swept.calls > 15
    assert swept.stopped or fault.after or fault.do == "stale", "no fault reached the publisher"


@pytest.mark.slow
@pytest.mark.parametrize("fault", SILENCES, ids=named)
def test_a_silence_at_any_call_of_a_publication_leaves_the_bucket_whole(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path, fault: Fault
) -> None:
    """Every third call, because each silence is waited out."""
    known()
    sweep(s3, bucket(s3, patience=ONCE, at_once=1), bucket(s3, at_once=1), tmp_path, fault, step=3)


@pytest.mark.parametrize("seed", range(3))
def test_faults_that_a_bucket_shakes_off_by_trying_again_do_not_reach_the_publisher(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path, seed: int
) -> None:
    """One call in six fails, in every way that passes, while eight objects go up at once."""
    kinds = [
        Fault("503"),
        Fault("500", after=True),
        Fault("drop"),
        Fault("drop", after=True),
        Fault("truncate"),
    ]
    known()
    publisher = small(tmp_path, bucket(s3, at_once=8))
    publisher.publish()
    publisher.edit(V2, lines(20, changed=seed))
    s3.break_by(*(replace(kinds[(n + seed) % 5], nth=1 + seed + 6 * n) for n in range(30)))
    assert publisher.publish().state == State.ANNOUNCED
    assert s3.calls > 30
    s3.break_by()
    assert whole(s3, publisher, tmp_path / "reader")[V2] == lines(20, changed=seed)
    assert_no_version_twice(s3)


# -- buckets as they are ----------------------------------------------------------------------------


def test_many_objects_go_up_at_once_and_the_timestamp_goes_last(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    publisher = Publisher(tmp_path, store=bucket(s3, at_once=8))
    known()
    publisher.publish()
    puts = [asked.key.removeprefix("models/site/") for asked in s3.log if asked.op == "PUT"]
    kinds = [name.partition("/")[0] for name in puts]
    copies = [i for i, name in enumerate(puts) if name.endswith((".gz", ".zst"))]
    objects = [i for i, kind in enumerate(kinds) if kind in ("targets", "deltas") and i not in copies]
    last_object = max(objects)
    first_metadata = kinds.index("metadata")
    timestamp = puts.index("metadata/timestamp.json")
    assert last_object < first_metadata < timestamp
    assert copies
    assert max(copies) < timestamp
    assert [name for name in puts if name.startswith("metadata/")][-4:] == [
        "metadata/1.snapshot.json", "metadata/1.targets.json", "metadata/1.root.json", "metadata/timestamp.json",
    ]  # fmt: skip
    assert timestamp < min(i for i, kind in enumerate(kinds) if kind in ("catalog", "regions"))
    for name in s3.objects:
        told, wanted = s3.objects[name].headers, handling(name.removeprefix("site/"))
        assert (told["content-type"], told["cache-control"]) == (wanted.media_type, wanted.cache)


def test_faults_in_the_middle_of_many_uploads_leave_the_bucket_whole(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    known()
    publisher = Publisher(tmp_path, store=bucket(s3, at_once=8, patience=ONCE))
    with suppress(StoreError):
        s3.break_by(Fault("drop", op="PUT", nth=4, times=3))
        publisher.publish()
    assert not s3.contents("site/").size("metadata/timestamp.json")
    s3.break_by()
    publisher.tick()
    assert whole(s3, publisher, tmp_path / "reader")[V2] == lines(40)


@pytest.mark.parametrize("kind", ["honoured", "ignored", "refused", "raced"])
def test_a_bucket_is_published_to_whatever_its_manners_are(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path, kind: str
) -> None:
    """It is probed before the first publication, and what was found is kept."""
    s3.nature = Nature(conditions=kind)  # type: ignore[arg-type]
    publisher = small(tmp_path, bucket(s3))
    publisher.publish()
    found = probing_stores.kept("memory:first")
    assert found
    assert found.conditions == (BOTH if kind == "honoured" else Conditions())
    publisher.edit(V2, lines(20, changed=1))
    s3.log.clear()
    publisher.store = bucket(s3)
    publisher.publish()
    assert whole(s3, publisher, tmp_path / "reader")[V2] == lines(20, changed=1)
    assert any(asked.condition for asked in s3.log) == (kind == "honoured")
    assert not any("almanac-probe" in asked.key for asked in s3.log), "it was probed again"
    assert not any("almanac-probe" in name for name in s3.objects)


def test_the_commit_is_a_conditional_write_that_a_late_one_cannot_undo(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    known()
    publisher = small(tmp_path, bucket(s3))
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))
    publisher.publish()
    commits = [
        asked.condition for asked in s3.log if asked.op == "PUT" and asked.key.endswith("timestamp.json")
    ]
    assert commits[0] == "*"
    assert commits[1].startswith('"')


def test_a_rival_that_writes_the_timestamp_between_our_look_and_our_write_is_found_out(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    known()
    publisher = small(tmp_path, bucket(s3))
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))
    mine = bucket(s3)

    def rival(step: str) -> None:
        if step == "before-timestamp":
            mine.put("metadata/timestamp.json", mine.get("metadata/timestamp.json") + b"\n")

    publisher.passing = rival
    with pytest.raises(EquivocationError, match="another publisher"):
        publisher.publish()


def test_reads_that_lag_behind_stop_a_publication_before_its_commit(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    known()
    publisher = small(tmp_path, bucket(s3))
    publisher.publish()
    s3.nature = Nature(lagging_reads=1)
    publisher.edit(V2, lines(20, changed=1))
    with pytest.raises((StoreError, ReadBackError)):
        publisher.publish()
    assert whole(s3, publisher, tmp_path / "reader")[V2] == lines(20)
    s3.nature = Nature()
    for kept in s3.objects.values():
        kept.lag = 0
    publisher.tick()
    assert whole(s3, publisher, tmp_path / "reader")[V2] == lines(20, changed=1)


def test_a_bucket_reads_over_sockets_as_a_stranger_verifies_it(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    known()
    publisher = Publisher(tmp_path, store=bucket(s3))
    publisher.publish()
    publisher.pass_time(hours=1)
    publisher.edit(V2, lines(40, changed=7))
    publisher.publish()
    report = verify_store(StoreSource(bucket(s3), "s3://models/site"), now=publisher.now)
    assert (report.exit_code, report.problems, report.warnings) == (0, [], [])


def test_uploads_are_bounded_and_end_before_an_error_is_raised() -> None:
    import threading

    lock, now, most, begun = threading.Lock(), [0], [0], []
    gate = threading.Event()

    def work(number: int) -> None:
        with lock:
            begun.append(number)
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(0.01)
        with lock:
            now[0] -= 1
        if number == 20:
            raise StoreError("a fault")

    with pytest.raises(StoreError):
        each(range(100), work, at_once=4)
    assert 1 < most[0] <= 4
    assert now[0] == 0
    assert len(begun) < 30


# -- as an operator sees it, and at a fake of others ------------------------------------------------


@pytest.mark.slow
def test_commands_work_with_a_bucket_in_the_settings(s3: FaultS3, tmp_path: Path) -> None:
    """Only the environment says that the store is a bucket; ``doctor`` says what it found there, and keeps it."""
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.python(PREPARE)
    s3.nature = Nature(conditions="ignored")
    bucket = {**s3.environment, "ALMANAC_STORE": "s3://models/site"}
    home.manage("publish", **bucket)
    assert s3.contents("site/").size("metadata/timestamp.json")
    doctor = home.manage("doctor", "--json", check=False, **bucket)
    says = [check["says"] for check in json.loads(doctor.stdout)["checks"]]
    assert any("silently ignores 'only if absent'" in line for line in says), says
    assert not [name for name in s3.objects if "probe" in name]
    verified = home.manage("verifystore", "s3://models/site", **bucket)
    assert "all of it verified" in verified.stdout
    s3.break_by(Fault("403", code="ExpiredToken", times=10_000))
    refused = home.manage("verifystore", "s3://models/site", check=False, **bucket)
    assert refused.returncode == 16
    assert "the credentials have expired" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_publication_into_moto_a_fake_that_others_wrote(tmp_path: Path) -> None:
    """It checks neither signatures nor checksums, so it shows only that two readings of S3's manual agree."""
    moto = pytest.importorskip("moto.server", reason="moto, a fake, is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        client = connected(endpoint, Patience(), 8)
        client.create_bucket(Bucket="models")
        store = S3Store(Place("models", "site"), lambda: client)
        publisher = small(tmp_path, store)
        publisher.publish()
        found = probing_stores.kept("memory:first")
        publisher.edit(V2, lines(20, changed=1))
        publisher.pass_time(hours=1)
        publisher.publish()
        report = verify_store(StoreSource(store, "s3://models/site"), now=publisher.now)
        assert (report.exit_code, report.problems) == (0, [])
        assert Stranger(store, tmp_path / "reader", now=publisher.now).documents()[V2] == lines(20, changed=1)
        assert found
        assert (found.create, found.replace, found.keeps_headers) == ("honoured", "honoured", True)
    finally:
        server.stop()
