"""Several stores at once: each goes at its own pace, and none keeps another or the publisher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from almanac.s3_store import S3Store
from almanac.stores import MemoryStore, ObjectStore, StoreError
from mirrors.models import StoreProgress
from mirrors.services import leasing
from tests.faults3 import FaultS3
from tests.mirrors import buckets
from tests.mirrors.buckets import (
    DOWN,
    State,
    assert_no_version_twice,
    known,
    promised,
    small,
    whole,
)
from tests.mirrors.cast import V2, Publisher, Stranger, lines

pytestmark = pytest.mark.django_db
aws, servers, clients = buckets.aws, buckets.servers, buckets.clients
s3, second_s3, bucket = buckets.s3, buckets.second_s3, buckets.bucket


def pair(first: ObjectStore, second: ObjectStore, folder: Path) -> Publisher:
    publisher = small(folder, first)
    publisher.others = {"memory:second": second}
    known()
    known("memory:second")
    return publisher


def progress() -> dict[str, int]:
    return dict(StoreProgress.objects.values_list("url", "publication"))


@pytest.mark.parametrize("down", [0, 1], ids=["the first", "the second"])
def test_a_store_that_is_down_delays_only_itself_and_tick_completes_it(
    s3: FaultS3, second_s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path, down: int
) -> None:
    servers = (s3, second_s3)
    publisher = pair(bucket(s3), bucket(second_s3), tmp_path)
    publisher.publish()
    servers[down].break_by(DOWN)
    url = list(publisher.means.stores)[down]
    for changed in (1, 2):
        publisher.edit(V2, lines(20, changed=changed))
        publisher.pass_time(minutes=5)
        publication = publisher.publish()
        assert publication.state == State.ANNOUNCED
        assert whole(servers[1 - down], publisher, tmp_path / "well")[V2] == lines(20, changed=changed)
    assert whole(servers[down], publisher, tmp_path / "ill")[V2] == lines(20)
    assert "503" in StoreProgress.objects.get(url=url).last_error
    assert publisher.tick().stores == [], "it is still down"
    servers[down].break_by()
    assert publisher.tick().stores == [url]
    assert StoreProgress.objects.get(url=url).last_error == ""
    assert len(set(progress().values())) == 1
    stranger = Stranger(servers[down].contents("site/"), tmp_path / "ill", now=publisher.now)
    assert stranger.documents()[V2] == stranger.plain(V2) == lines(20, changed=2)
    assert s3.contents("site/").get("index.json") == second_s3.contents("site/").get("index.json")
    assert promised(s3) == promised(second_s3)
    assert_no_version_twice(s3, second_s3)


def test_a_store_that_goes_down_after_the_commit_is_completed_by_tick(
    s3: FaultS3, second_s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    publisher = pair(bucket(s3), bucket(second_s3), tmp_path)
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))

    def goes_down(step: str) -> None:
        if step == "committed":
            s3.break_by(DOWN)

    publisher.passing = goes_down
    assert publisher.publish().state == State.ANNOUNCED
    assert s3.contents("site/").get(V2) == lines(20)
    assert second_s3.contents("site/").get(V2) == lines(20, changed=1)
    s3.break_by()
    assert publisher.tick().stores == ["memory:first"]
    assert s3.contents("site/").get(V2) == lines(20, changed=1)


def test_when_all_are_down_nothing_is_committed_and_the_first_one_says_why(
    s3: FaultS3, second_s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    publisher = pair(bucket(s3), bucket(second_s3), tmp_path)
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))
    for server in (s3, second_s3):
        server.break_by(DOWN)
    with pytest.raises(StoreError, match="503"):
        publisher.publish()
    for server in (s3, second_s3):
        server.break_by()
    assert publisher.publish().state == State.UNCHANGED, "the one before was finished first"
    for number, server in enumerate((s3, second_s3)):
        assert whole(server, publisher, tmp_path / str(number))[V2] == lines(20, changed=1)


def test_a_store_that_is_added_later_gets_everything(
    s3: FaultS3, second_s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    publisher = pair(bucket(s3), bucket(second_s3), tmp_path)
    publisher.others = {}
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))
    publisher.publish()
    publisher.others = {"memory:second": bucket(second_s3)}
    assert publisher.tick().stores == ["memory:second"]
    assert promised(s3) == promised(second_s3)


def test_an_empty_store_alone_is_not_published_to_as_if_it_held_the_rest(
    s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    """The address in the settings was changed to a new bucket, and the old one was not named beside it."""
    publisher = small(tmp_path, MemoryStore())
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))
    lonely = replace(publisher.means, stores={"memory:new": bucket(s3)})
    known("memory:new")
    from mirrors.services import publishing

    with pytest.raises(StoreError, match=r"lacks earlier publications.*ALMANAC_STORE"):
        publishing.publish(lonely, by="alice", wait_s=0)
    assert not s3.objects
    both = replace(publisher.means, stores={"memory:new": bucket(s3), "memory:first": publisher.store})
    publishing.publish(both, by="alice", wait_s=0)
    assert whole(s3, publisher, tmp_path / "reader")[V2] == lines(20, changed=1)


def test_a_publisher_that_lost_its_lease_commits_in_no_store(
    s3: FaultS3, second_s3: FaultS3, bucket: Callable[..., S3Store], tmp_path: Path
) -> None:
    publisher = pair(bucket(s3), bucket(second_s3), tmp_path)
    publisher.publish()
    publisher.edit(V2, lines(20, changed=1))

    def taken_over(step: str) -> None:
        if step == "read-back":
            later = publisher.now + leasing.DURATION * 2
            with leasing.held(leasing.PUBLISHER, clock=lambda: later, wait_s=0, holder="rival:1:0"):
                pass

    publisher.passing = taken_over
    with pytest.raises(leasing.LeaseError):
        publisher.publish()
    for number, server in enumerate((s3, second_s3)):
        assert whole(server, publisher, tmp_path / str(number))[V2] == lines(20)
