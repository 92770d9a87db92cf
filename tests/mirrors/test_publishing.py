"""What a publication leaves in a store, seen by a stranger."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from almanac.addresses import delta_path, object_path
from almanac.errors import ClockError, EquivocationError, UsageError
from mirrors.models import Appearance, Delta, Publication, PublishedDocument, SignedFile
from mirrors.services import leasing, publishing, rolling_back
from mirrors.services.means import Objection
from mirrors.services.preparing import StoppedError
from tests.mirrors.cast import ALMANAC, EU, V2, Publisher, Stranger, forget_everything, lines

pytestmark = pytest.mark.django_db

State = Publication.State


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


@pytest.fixture
def stranger(publisher: Publisher, tmp_path: Path) -> Stranger:
    return Stranger(publisher.store, tmp_path / "stranger", now=publisher.now)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_first_publication_verifies_as_a_whole(publisher: Publisher, stranger: Stranger) -> None:
    publication = publisher.publish()
    assert (publication.state, publication.release) == (State.ANNOUNCED, 1)
    documents = stranger.documents()
    assert {path: documents[path] for path in publisher.catalog.documents} == publisher.catalog.documents
    assert stranger.release() == 1
    assert publication.report["root_fingerprint"] == sha(stranger.files["metadata/1.root.json"])


def test_plain_addresses_hold_the_documents_and_their_minisign_signatures(
    publisher: Publisher, stranger: Stranger
) -> None:
    publisher.publish()
    for path, data in publisher.catalog.documents.items():
        assert stranger.plain(path) == data
        signature = stranger.files[f"{object_path(path, sha(data))}.minisig"]
        assert signature == stranger.files[f"{path}.minisig"]
    assert stranger.plain("mirrors.json").startswith(b'{"format":1,"oldest_release":1,"mirrors":[')
    assert stranger.files["minisign.pub"].splitlines()[-1].startswith(b"RW")


def test_the_index_says_what_is_published(publisher: Publisher, stranger: Stranger) -> None:
    publication = publisher.publish()
    index = stranger.index()
    assert list(index) == [
        "format", "release", "published", "schemas", "regions", "experiments", "root_fingerprint", "minisign_key",
    ]  # fmt: skip
    assert (index["format"], index["release"], index["published"]) == (
        1,
        1,
        f"{publisher.now:%Y-%m-%dT%H:%M:%SZ}",
    )
    data = publisher.catalog.documents[V2]
    assert index["schemas"][0] == {
        "name": "v2",
        "path": V2,
        "status": "current",
        "sunset": None,
        "bytes": len(data),
        "sha256": sha(data),
        "target": object_path(V2, sha(data)),
    }
    assert index["root_fingerprint"] == publication.report["root_fingerprint"]


def test_no_change_means_no_release_and_not_one_byte_more(publisher: Publisher) -> None:
    publisher.publish()
    before = {name: publisher.store.get(name) for name in publisher.store.names()}
    again = publisher.publish()
    assert (again.state, again.release) == (State.UNCHANGED, None)
    assert {name: publisher.store.get(name) for name in publisher.store.names()} == before


def test_nothing_at_all_to_publish_is_no_error(publisher: Publisher) -> None:
    publisher.catalog.released[0] = publisher.catalog.documents
    assert publisher.publish().state == State.UNCHANGED
    assert list(publisher.store.names()) == []


def test_an_unchanged_document_keeps_its_role_its_signature_and_its_first_release(
    publisher: Publisher, stranger: Stranger
) -> None:
    publisher.publish()
    minisig = stranger.files[f"{ALMANAC}.minisig"]
    publisher.edit(V2, lines(40, changed=3))
    publication = publisher.publish()
    assert publication.report["signed"] == ["snapshot", "timestamp", "v2"]
    assert [document["path"] for document in publication.report["documents"]] == [V2]
    assert stranger.files[f"{ALMANAC}.minisig"] == minisig
    rows = PublishedDocument.objects.filter(listed=True).values_list("path", "first_release")
    assert dict(rows) == {V2: 2, EU: 1, ALMANAC: 1, "mirrors.json": 1}


def test_a_change_is_offered_as_a_small_delta(publisher: Publisher, stranger: Stranger) -> None:
    publisher.publish()
    old = publisher.catalog.documents[V2]
    new = lines(40, changed=3)
    publisher.edit(V2, new)
    facts = publisher.publish().report["documents"][0]
    delta = stranger.files[delta_path(sha(old), sha(new))]
    assert facts["deltas"] == 1
    assert facts["delta_bytes"] == len(delta) < len(new) / 10
    assert stranger.documents()[V2] == new


def test_a_delta_that_saves_too_little_is_not_offered(publisher: Publisher, stranger: Stranger) -> None:
    publisher.publish()
    publisher.edit(V2, lines(40, "entirely-other"))
    assert publisher.publish().report["documents"][0]["deltas"] == 0
    assert not list(publisher.store.names("deltas/"))
    stranger.documents()


def test_a_delta_lies_in_the_store_for_ever_as_it_was_first_made(
    publisher: Publisher, stranger: Stranger
) -> None:
    first, second = lines(40), lines(40, changed=3)
    publisher.publish()
    publisher.edit(V2, second)
    publisher.publish()
    address = delta_path(sha(first), sha(second))
    made = stranger.files[address]
    publisher.edit(V2, first)
    publisher.publish()
    # Somebody's older software made it: longer, and just as right.
    publisher.edit(V2, second)
    report = publisher.publish().report["documents"][0]
    assert report["deltas"] == 1
    assert stranger.files[address] == made
    assert stranger.documents()[V2] == second


def test_a_damaged_delta_is_neither_offered_nor_replaced(publisher: Publisher, stranger: Stranger) -> None:
    publisher.publish()
    new = lines(40, changed=3)
    address = delta_path(sha(publisher.catalog.documents[V2]), sha(new))
    publisher.store.put(address, b"rubbish")
    publisher.edit(V2, new)
    assert publisher.publish().report["documents"][0]["deltas"] == 0
    assert stranger.files[address] == b"rubbish"
    assert stranger.documents()[V2] == new


def test_going_back_to_older_bytes_keeps_their_signature_and_first_release(
    publisher: Publisher, stranger: Stranger
) -> None:
    publisher.publish()
    first = publisher.catalog.documents[V2]
    minisig = stranger.files[f"{V2}.minisig"]
    publisher.edit(V2, lines(40, changed=1))
    publisher.publish()
    publisher.edit(V2, first)
    publisher.edit(EU, lines(38, changed=1))  # and something new beside it
    publication = publisher.publish()
    assert publication.release == 3
    assert stranger.plain(V2) == first
    assert stranger.files[f"{V2}.minisig"] == minisig
    assert PublishedDocument.objects.get(path=V2, listed=True).first_release == 1
    assert Appearance.objects.filter(document__path=V2).count() == 3


def test_regions_with_the_same_bytes_share_their_deltas(publisher: Publisher, stranger: Stranger) -> None:
    publisher.edit(EU, publisher.catalog.documents[V2])
    publisher.publish()
    for path in (V2, EU):
        publisher.edit(path, lines(40, changed=3))
    publisher.publish()
    assert len(list(publisher.store.names("deltas/"))) == 1
    assert Delta.objects.count() == 2
    stranger.documents()


def test_a_document_that_is_listed_no_more_leaves_its_plain_address(
    publisher: Publisher, stranger: Stranger
) -> None:
    publisher.publish()
    old = publisher.catalog.documents.pop(EU)
    publication = publisher.publish()
    assert publication.report["removed"] == [EU]
    assert EU not in stranger.documents()
    assert EU not in stranger.files
    assert f"{EU}.minisig" not in stranger.files
    assert stranger.files[object_path(EU, sha(old))] == old
    publisher.edit(EU, old)
    publisher.publish()
    assert stranger.documents()[EU] == stranger.plain(EU) == old


def test_a_document_that_its_reader_would_refuse_stops_everything(publisher: Publisher) -> None:
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    publisher.catalog.refused = [Objection("parser", V2, "aichat would stop at line 3", overridable=False)]
    with pytest.raises(StoppedError, match="aichat would stop at line 3"):
        publisher.publish(override="parser", reason="surely not")
    stopped = Publication.objects.get(state=State.STOPPED)
    assert stopped.release is None
    assert stopped.report["stopped_by"][0]["guard"] == "parser"
    publisher.catalog.refused = []
    assert publisher.publish().release == 2


def test_a_guard_stops_until_it_is_overridden_with_a_reason(publisher: Publisher) -> None:
    publisher.publish()
    publisher.edit(V2, lines(5))
    publisher.catalog.guarded = [Objection("shrinks", V2, "35 of 40 records would go")]
    with pytest.raises(StoppedError, match="--override shrinks"):
        publisher.publish()
    with pytest.raises(StoppedError):
        publisher.publish(override="moves", reason="another guard than this")
    with pytest.raises(UsageError, match="needs a reason"):
        publisher.publish(override="shrinks", reason=" ")
    publication = publisher.publish(override="shrinks", reason="the provider closed")
    assert (publication.release, publication.override_reason) == (2, "the provider closed")


def test_a_first_publication_and_a_rollback_trip_no_guard(publisher: Publisher) -> None:
    publisher.catalog.guarded = [Objection("shrinks", V2, "35 of 40 records would go")]
    assert publisher.publish().release == 1
    publisher.edit(V2, lines(5))
    assert publisher.publish(restores=1).release == 2


def test_a_preview_tells_what_would_be_published_and_keeps_nothing(publisher: Publisher) -> None:
    publisher.publish()
    before = set(publisher.store.names())
    publisher.edit(V2, lines(40, changed=3))
    prepared = publishing.preview(publisher.means, by="alice")
    assert prepared is not None
    (document,) = prepared.report()["documents"]
    assert (document["path"], document["deltas"]) == (V2, 1)
    assert set(publisher.store.names()) == before
    assert publisher.publish().release == 2


def test_other_bytes_under_an_immutable_address_stop_the_publication(publisher: Publisher) -> None:
    publisher.publish()
    new = lines(40, changed=3)
    publisher.store.put(object_path(V2, sha(new)), b"somebody else's")
    publisher.edit(V2, new)
    timestamp = publisher.store.get("metadata/timestamp.json")
    with pytest.raises(EquivocationError, match="other bytes"):
        publisher.publish()
    assert publisher.store.get("metadata/timestamp.json") == timestamp


def test_a_store_that_somebody_else_brought_further_is_left_alone(publisher: Publisher) -> None:
    """What a database restored from an old backup meets: it must not roll the store back."""
    publisher.publish()
    further = json.loads(publisher.store.get("metadata/timestamp.json"))
    further["signed"]["version"] = 9
    theirs = json.dumps(further).encode()
    publisher.store.put("metadata/timestamp.json", theirs)
    publisher.edit(V2, lines(40, changed=3))
    with pytest.raises(EquivocationError, match="another publisher"):
        publisher.publish()
    assert publisher.store.get("metadata/timestamp.json") == theirs


def test_a_clock_that_went_back_signs_nothing(publisher: Publisher) -> None:
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    publisher.pass_time(days=-1)
    with pytest.raises(ClockError, match="before the newest signature"):
        publisher.publish()
    publisher.pass_time(days=1, minutes=1)
    assert publisher.publish().release == 2


def test_one_role_and_version_has_one_byte_string(publisher: Publisher) -> None:
    for changed in range(4):
        publisher.edit(V2, lines(40, changed=changed))
        publisher.publish()
        publisher.pass_time(hours=2)
        publisher.tick()
    pairs = list(SignedFile.objects.exclude(role="").values_list("role", "version"))
    assert len(pairs) == len(set(pairs))
    for row in SignedFile.objects.exclude(role="timestamp"):
        assert publisher.store.get(row.address) == bytes(row.data)


def test_the_audit_names_who_published(publisher: Publisher) -> None:
    publication = publisher.publish()
    assert f"alice publish publication {publication.number}" in publisher.catalog.audit


def test_going_back_makes_the_live_state_and_the_newest_release_agree(
    publisher: Publisher, stranger: Stranger
) -> None:
    publisher.publish()
    first = dict(publisher.catalog.documents)
    publisher.edit(V2, lines(5))
    publisher.publish()
    publisher.catalog.guarded = [Objection("mass-change", V2, "all of it")]
    publication = rolling_back.roll_back(publisher.means, release=1, by="alice")
    assert (publication.state, publication.release) == (State.ANNOUNCED, 3)
    assert publisher.catalog.documents == first
    assert stranger.documents()[V2] == first[V2]
    with pytest.raises(UsageError, match="release 9 was never published"):
        rolling_back.roll_back(publisher.means, release=9, by="alice")


def test_the_same_state_keys_and_time_give_the_same_store(tmp_path: Path) -> None:
    """So a third party can rebuild what we published; and nothing depends on the order of a set."""
    stores = []
    for name in ("one", "other"):
        forget_everything()
        publisher = Publisher(tmp_path / name)
        publisher.publish()
        publisher.edit(V2, lines(40, changed=3))
        publisher.publish()
        stores.append({address: publisher.store.get(address) for address in publisher.store.names()})
    assert stores[0] == stores[1]


def test_what_was_asked_for_earlier_is_made_earlier(publisher: Publisher, stranger: Stranger) -> None:
    """A request that waited is not overtaken by whoever publishes at once: numbers are the order of everything."""
    publisher.publish()
    waiting = publishing.request_publication(by="bob", now=publisher.now, override="shrinks", reason="so")
    publisher.edit(V2, lines(40, changed=3))
    publication = publisher.publish()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.release) == (State.ANNOUNCED, 2)
    assert publication.state == State.UNCHANGED
    assert publication.report["finished"] == [f"publication {waiting.pk}: release 2 (announced)"]
    publisher.edit(V2, lines(40, changed=4))
    assert publisher.publish().release == 3
    assert stranger.release() == 3


def test_one_that_was_overtaken_while_it_waited_is_made_under_a_new_number(
    publisher: Publisher, stranger: Stranger
) -> None:
    """As on PostgreSQL, where a row may appear after one with a higher number was made."""
    publisher.publish()
    waiting = publishing.request_publication(by="bob", now=publisher.now, override="shrinks", reason="so")
    publisher.pass_time(hours=2)
    renewal = Publication.objects.create(reason="resign", requested_by="tick", requested_at=publisher.now)
    with leasing.held(leasing.PUBLISHER, clock=publisher.means.clock, wait_s=0) as hold:
        publishing.run(publisher.means, renewal, hold)
    publisher.edit(V2, lines(40, changed=3))
    publisher.pass_time(minutes=1)
    (made,) = publisher.tick().published
    waiting.refresh_from_db()
    assert (waiting.state, waiting.report) == (State.UNCHANGED, {"continued_as": made})
    again = Publication.objects.get(pk=made)
    assert again.pk > renewal.pk
    assert (again.release, again.overrides, again.requested_by) == (2, "shrinks", "bob")
    publisher.edit(V2, lines(40, changed=4))
    assert publisher.publish().release == 3
    assert publisher.tick().errors == []
    assert stranger.release() == 3
