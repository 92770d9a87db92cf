"""``sync`` against honest and dishonest publishers and mirrors. Each refusal has its error, and nothing changes by it.

``world.refused`` also compares the accepted pointer and the documents before and after, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from securesystemslib.signer import Signer
from tuf.api.metadata import Root, Snapshot, Timestamp

from almanac.errors import (
    AlmanacError,
    ClockError,
    EquivocationError,
    ExpiredError,
    MalformedError,
    NetworkError,
    RollbackError,
    SignatureError,
    TooOldError,
)

from .conftest import World
from .simulator import CATALOG, Answer, TestSigner, at, catalog, resign


def timestamp_of(world: World) -> Timestamp:
    timestamp = world.repository.roles["timestamp"]
    assert isinstance(timestamp, Timestamp)
    return timestamp


def snapshot_of(world: World) -> Snapshot:
    snapshot = world.repository.roles["snapshot"]
    assert isinstance(snapshot, Snapshot)
    return snapshot


# What a good day looks like


def test_the_first_sync_fetches_and_verifies_everything(world: World) -> None:
    outcome = world.sync()
    assert outcome.before is None
    assert outcome.after.newest.number == 1
    assert outcome.catalog.how == "full"
    assert world.accepted_catalog() == world.repository.documents[CATALOG]


def test_when_nothing_is_new_two_small_requests_say_so(synced: World) -> None:
    outcome = synced.sync()
    assert [(path, status) for path, status in synced.mirror.requests] == [
        ("metadata/2.root.json", 404),
        ("metadata/timestamp.json", 304),
    ]
    assert (outcome.cost.requests, outcome.cost.bytes < 100, outcome.changed) == (2, True, False)


def test_a_change_is_fetched_as_a_delta_and_is_the_full_document(synced: World) -> None:
    synced.repository.publish(catalog=catalog("one", "two", "three"))
    outcome = synced.sync()
    assert outcome.catalog.how == "delta"
    assert synced.accepted_catalog() == synced.repository.documents[CATALOG]
    assert [path.partition("/")[0] for path, _ in synced.mirror.requests] == ["metadata"] * 4 + ["deltas"]


def test_a_client_several_releases_behind_uses_one_delta(synced: World) -> None:
    for number in range(6):
        synced.repository.publish(catalog=catalog("one", f"new-{number}"))
    outcome = synced.sync()
    assert (outcome.catalog.how, outcome.after.newest.number) == ("delta", 7)


def test_a_timestamp_that_is_signed_again_moves_only_freshness(synced: World) -> None:
    before = synced.state.accepted()
    synced.later(hours=1)
    synced.repository.publish_timestamp()
    after = synced.sync().after
    assert before is not None
    assert after.fresh_until > before.fresh_until
    assert after.newest == before.newest


def test_a_release_that_changes_other_documents_is_accepted_without_fetching_ours(synced: World) -> None:
    synced.repository.publish(aichat=b"- provider: acme\n  models:\n  - name: one\n")
    outcome = synced.sync()
    assert (outcome.changed, outcome.after.newest.number) == (False, 2)
    assert not any(path.startswith(("targets/", "deltas/")) for path, _ in synced.mirror.requests)


def test_the_last_five_releases_are_kept_and_no_more(synced: World) -> None:
    for number in range(7):
        synced.repository.publish(catalog=catalog(f"model-{number}"))
        synced.sync()
    accepted = synced.state.accepted()
    assert accepted is not None
    assert [release.number for release in accepted.releases] == [8, 7, 6, 5, 4]
    assert set(synced.state.document_sizes()) == accepted.hashes()


def test_a_client_three_years_old_walks_every_root_to_the_newest(world: World) -> None:
    for number in range(8):
        world.repository.rotate("root", f"root-{number}")
    assert world.sync().after.versions["root"] == 9


# C1, C3: going back, and two truths


def test_an_older_timestamp_is_a_rollback(synced: World) -> None:
    older = synced.repository.files["metadata/timestamp.json"]
    synced.repository.publish_timestamp()
    synced.sync()
    synced.mirror.files["metadata/timestamp.json"] = older
    assert synced.refused(RollbackError).exit_code == 12


def test_an_older_timestamp_is_a_rollback_though_the_state_was_restored_from_a_backup(synced: World) -> None:
    import shutil

    backup = synced.folder / "backup"
    shutil.copytree(synced.state.folder, backup, symlinks=True)
    older = synced.repository.files["metadata/timestamp.json"]
    synced.repository.publish(catalog=catalog("three"))
    synced.sync()
    shutil.rmtree(synced.state.folder)
    backup.rename(synced.state.folder)
    synced.mirror.files["metadata/timestamp.json"] = older
    synced.refused(RollbackError)


def test_an_older_timestamp_is_a_rollback_though_all_metadata_was_lost(synced: World) -> None:
    import shutil

    older = synced.repository.files["metadata/timestamp.json"]
    synced.repository.publish_timestamp()
    synced.sync()
    shutil.rmtree(synced.state.folder / "metadata")
    synced.mirror.files["metadata/timestamp.json"] = older
    synced.refused(RollbackError)


def test_a_hidden_new_root_is_a_rollback_though_all_metadata_was_lost(synced: World) -> None:
    import shutil

    synced.repository.publish_root()
    synced.sync()
    shutil.rmtree(synced.state.folder / "metadata")
    del synced.mirror.files["metadata/2.root.json"]
    synced.refused(RollbackError)


def test_a_timestamp_that_names_an_older_snapshot_is_a_rollback(synced: World) -> None:
    synced.repository.publish(catalog=catalog("three"))
    synced.sync()
    timestamp_of(synced).snapshot_meta.version = 1
    synced.repository.publish_timestamp()
    synced.refused(RollbackError)


@pytest.mark.parametrize("role", ["almanac-v1", "targets", "network"])
def test_a_snapshot_that_lists_an_older_role_is_a_rollback(synced: World, role: str) -> None:
    synced.repository.publish_targets(role)
    synced.repository.publish_snapshot()
    synced.repository.publish_timestamp()
    synced.sync()
    snapshot_of(synced).meta[f"{role}.json"].version -= 1
    synced.repository.publish_snapshot()
    synced.repository.publish_timestamp()
    assert "in the snapshot metadata" in str(synced.refused(RollbackError))


def test_a_snapshot_without_a_role_that_was_there_is_a_rollback(synced: World) -> None:
    del snapshot_of(synced).meta["v2.json"]
    synced.repository.publish_snapshot()
    synced.repository.publish_timestamp()
    synced.refused(RollbackError)


def test_the_same_timestamp_version_with_other_content_is_equivocation(synced: World) -> None:
    timestamp_of(synced).expires += timedelta(hours=1)
    synced.mirror.files["metadata/timestamp.json"] = synced.repository.sign("timestamp")
    assert synced.refused(EquivocationError).exit_code == 15


def test_the_same_timestamp_in_another_envelope_is_no_equivocation(synced: World) -> None:
    form = json.loads(synced.repository.files["metadata/timestamp.json"])
    form["signatures"].append({"keyid": "ab" * 32, "sig": "00"})
    synced.mirror.files["metadata/timestamp.json"] = json.dumps(form, indent=2).encode()
    assert synced.sync().changed is False


@pytest.fixture
def hashed(world: World) -> World:
    """As our publisher signs: each level names the hash of the next."""
    world.repository.with_hashes = True
    world.repository.publish(catalog=catalog("one"))
    world.sync()
    return world


def test_two_histories_with_the_same_keys_are_noticed(hashed: World) -> None:
    fork = hashed.repository.copy()
    hashed.repository.publish(catalog=catalog("theirs"))
    hashed.sync()
    fork.publish(catalog=catalog("mine"))
    hashed.mirror.files = fork.files
    hashed.refused(EquivocationError)


@pytest.mark.parametrize("again", [1, 2])
def test_two_snapshots_of_one_version_are_noticed_each_time(hashed: World, again: int) -> None:
    hashed.repository.roles["snapshot"].version -= 1
    hashed.repository.publish_snapshot()
    snapshot_of(hashed).unrecognized_fields["x-other"] = 1
    hashed.repository.roles["snapshot"].version -= 1
    hashed.repository.publish_snapshot()
    hashed.repository.publish_timestamp()
    for _ in range(again):
        hashed.refused(EquivocationError)


@pytest.mark.parametrize("again", [1, 2])
def test_two_contents_of_one_version_of_a_role_are_noticed_each_time(hashed: World, again: int) -> None:
    hashed.repository.roles["almanac-v1"].version -= 1
    hashed.repository.publish(catalog=catalog("other"))
    for _ in range(again):
        hashed.refused(EquivocationError)


def test_files_of_two_publications_are_not_mixed(synced: World) -> None:
    older = synced.repository.files["metadata/1.snapshot.json"]
    synced.repository.publish(catalog=catalog("three"))
    synced.mirror.files["metadata/2.snapshot.json"] = older
    assert synced.refused(EquivocationError).exit_code == 15


def test_an_older_role_under_the_new_ones_name_is_mix_and_match(synced: World) -> None:
    synced.repository.publish(catalog=catalog("three"))
    synced.mirror.files["metadata/3.almanac-v1.json"] = synced.mirror.files["metadata/2.almanac-v1.json"]
    synced.refused(EquivocationError)


# C2: a mirror that is behind


@pytest.mark.parametrize(
    "missing", ["metadata/timestamp.json", "metadata/2.snapshot.json", "metadata/3.almanac-v1.json"]
)
def test_a_missing_file_is_a_network_error_and_never_a_signature_error(synced: World, missing: str) -> None:
    synced.repository.publish(catalog=catalog("three"))
    del synced.mirror.files[missing]
    assert synced.refused(NetworkError).exit_code == 10


def test_a_document_that_is_missing_is_a_network_error(world: World) -> None:
    world.mirror.faults.append(at("targets/", lambda answer: Answer(404)))
    world.refused(NetworkError)


# C4 to C8: signatures


def test_a_timestamp_posing_as_snapshot_is_refused(synced: World) -> None:
    """Even where both roles share a key, so that its signature is good for either."""
    shared = TestSigner("shared")
    for role in ("snapshot", "timestamp"):
        synced.repository.rotate(role, "shared")
    synced.repository.signers |= {"snapshot": [shared], "timestamp": [shared]}
    synced.repository.publish(catalog=catalog("three"))
    synced.mirror.files["metadata/2.snapshot.json"] = synced.mirror.files["metadata/timestamp.json"]
    assert synced.refused(SignatureError).exit_code == 13


def of_two(world: World) -> list[Signer]:
    world.repository.rotate("timestamp", "a", "b", threshold=2)
    return [TestSigner("a"), TestSigner("b")]


def signatures(world: World, change: Callable[[list[dict[str, Any]]], object]) -> None:
    form = json.loads(world.repository.files["metadata/timestamp.json"])
    change(form["signatures"])
    world.mirror.files["metadata/timestamp.json"] = json.dumps(form).encode()


def test_one_signature_where_two_are_asked_for(synced: World) -> None:
    synced.repository.signers["timestamp"] = of_two(synced)[:1]
    synced.repository.publish_timestamp()
    synced.refused(SignatureError)


def test_one_key_that_signs_twice_counts_once(synced: World) -> None:
    synced.repository.signers["timestamp"] = of_two(synced)[:1]
    synced.repository.publish_timestamp()
    signatures(synced, lambda listed: listed.append(dict(listed[0])))
    synced.refused(SignatureError)


def test_one_key_under_two_ids_counts_once(synced: World) -> None:
    def second_id(signed: dict[str, Any]) -> None:
        role = signed["roles"]["timestamp"]
        signed["version"] = 2
        signed["keys"]["ee" * 32] = signed["keys"][role["keyids"][0]]
        role |= {"keyids": [role["keyids"][0], "ee" * 32], "threshold": 2}

    root = resign(synced.repository.root, synced.repository.signers["root"], second_id)
    synced.mirror.files["metadata/2.root.json"] = root
    synced.repository.publish_timestamp()
    signatures(synced, lambda listed: listed.append({**listed[0], "keyid": "ee" * 32}))
    synced.refused(SignatureError)


def test_garbage_beside_enough_good_signatures_does_no_harm(synced: World) -> None:
    synced.repository.signers["timestamp"] = of_two(synced)
    synced.repository.publish_timestamp()
    signatures(synced, lambda listed: listed.append({"keyid": "ff" * 32, "sig": "zz"}))
    synced.sync()


@pytest.mark.parametrize("sig", ["", "00", "0" * 126, "0" * 130, "zz", None, 5, [], {}, "é" * 128])
def test_a_signature_of_any_wrong_shape_is_a_signature_error(synced: World, sig: object) -> None:
    synced.repository.publish_timestamp()
    signatures(synced, lambda listed: listed[0].update(sig=sig))
    assert synced.refused(SignatureError).exit_code == 13


@pytest.mark.parametrize(
    "kind", [("quantum", "quantum-1"), ("rsa", "rsa-md5"), ("ed25519", "ed448"), (1, None)]
)
def test_a_key_of_an_unknown_kind_is_a_signature_error(synced: World, kind: tuple[object, object]) -> None:
    def change(signed: dict[str, Any]) -> None:
        signed["version"] = 2
        signed["keys"][signed["roles"]["timestamp"]["keyids"][0]] |= {"keytype": kind[0], "scheme": kind[1]}

    root = resign(synced.repository.root, synced.repository.signers["root"], change)
    synced.mirror.files["metadata/2.root.json"] = root
    synced.refused(SignatureError)


# C9 to C11: roots


def test_a_root_that_the_old_keys_did_not_sign_is_refused(synced: World) -> None:
    synced.repository.signers["root"] = [TestSigner("thief")]
    synced.repository.publish_root()
    assert synced.refused(SignatureError).exit_code == 13


@pytest.mark.parametrize("version", [1, 3])
def test_a_root_out_of_turn_is_refused(synced: World, version: int) -> None:
    synced.repository.roles["root"].version = version
    synced.mirror.files["metadata/2.root.json"] = synced.repository.sign("root")
    synced.refused(SignatureError)


def test_roots_without_end_stop_after_256_and_the_next_run_goes_on(world: World) -> None:
    for _ in range(260):
        world.repository.publish_root()
    assert "run it again" in world.refused(NetworkError).advice
    assert world.sync().after.versions["root"] == 261


def test_an_expired_root_between_is_passed_and_an_expired_last_one_is_not(synced: World) -> None:
    synced.repository.now -= timedelta(days=500)
    synced.repository.publish_root()
    assert synced.refused(ExpiredError).exit_code == 11
    synced.repository.now += timedelta(days=500)
    synced.repository.publish_root()
    assert synced.sync().after.versions["root"] == 3


# C12, C13, C17: numbers, dates, form


@pytest.mark.parametrize("version", [0, -1, 2**31, 2**53, "1", 10**400, []])
def test_a_version_that_is_no_small_positive_number_is_malformed(synced: World, version: object) -> None:
    before = synced.repository.files["metadata/timestamp.json"]
    changed = resign(
        before, synced.repository.signers["timestamp"], lambda signed: signed.update(version=version)
    )
    synced.mirror.files["metadata/timestamp.json"] = changed
    assert synced.refused(MalformedError).exit_code == 14


def test_a_jump_of_more_than_a_million_versions_is_refused_until_new_keys_clear_it(synced: World) -> None:
    synced.repository.roles["timestamp"].version += 1_000_001
    synced.repository.publish_timestamp()
    assert synced.refused(EquivocationError).exit_code == 15
    synced.repository.rotate("timestamp", "timestamp-2")
    synced.repository.roles["timestamp"].version = 4
    synced.repository.publish_timestamp()
    assert synced.sync().after.versions["timestamp"] == 5


@pytest.mark.parametrize(
    "expires",
    ["2026-11-21T00:00:00", "2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "", None, 5, "tomorrow"],
)
def test_an_expiry_that_is_no_date_is_malformed(synced: World, expires: object) -> None:
    def change(signed: dict[str, Any]) -> None:
        signed |= {"version": 2, "expires": expires}

    before = synced.repository.files["metadata/timestamp.json"]
    synced.mirror.files["metadata/timestamp.json"] = resign(
        before, synced.repository.signers["timestamp"], change
    )
    assert synced.refused(MalformedError).exit_code == 14


def test_metadata_without_expiry_is_malformed(synced: World) -> None:
    before = synced.repository.files["metadata/timestamp.json"]
    changed = resign(before, synced.repository.signers["timestamp"], lambda signed: signed.pop("expires"))
    synced.mirror.files["metadata/timestamp.json"] = changed
    synced.refused(MalformedError)


def test_a_timestamp_signed_further_ahead_than_any_may_be_is_refused(synced: World) -> None:
    synced.repository.bump("timestamp")
    timestamp_of(synced).expires = synced.now + timedelta(days=9)
    synced.mirror.files["metadata/timestamp.json"] = synced.repository.sign("timestamp")
    assert synced.refused(SignatureError).exit_code == 13


def test_a_root_signed_further_ahead_than_any_may_be_is_refused(synced: World) -> None:
    synced.repository.bump("root")
    synced.repository.roles["root"].expires = synced.now + timedelta(days=401)
    synced.mirror.files["metadata/2.root.json"] = synced.repository.sign("root")
    synced.refused(SignatureError)


def test_a_key_that_is_there_twice_is_malformed_though_the_signature_is_good(synced: World) -> None:
    synced.repository.publish_timestamp()
    data = synced.mirror.files["metadata/timestamp.json"]
    synced.mirror.files["metadata/timestamp.json"] = data.replace(b'"signed":{', b'"signed":{"version":1,', 1)
    assert b'"version":1,' in synced.mirror.files["metadata/timestamp.json"]
    assert synced.refused(MalformedError).exit_code == 14


def test_blanks_between_are_fine_when_the_signature_is_good(synced: World) -> None:
    data = json.loads(synced.repository.publish_timestamp())
    synced.mirror.files["metadata/timestamp.json"] = json.dumps(data, indent=4).encode()
    assert synced.sync().after.versions["timestamp"] == 2


@pytest.mark.parametrize(
    "body", [b"{}", b"null", b"[]", b'"x"', b"{", b"\xff", b'{"signed":[]}', b"[" * 9000, b"1" * 9000]
)
@pytest.mark.parametrize(
    "path", ["metadata/timestamp.json", "metadata/2.snapshot.json", "metadata/2.root.json"]
)
def test_metadata_that_is_no_metadata_is_malformed(synced: World, path: str, body: bytes) -> None:
    synced.repository.publish(catalog=catalog("three"))
    synced.mirror.files[path] = body
    assert synced.refused(MalformedError).exit_code == 14


def test_metadata_that_does_not_match_its_listed_hash_is_malformed(world: World) -> None:
    world.repository.with_hashes = True
    world.repository.publish(catalog=catalog("three"))
    world.mirror.files["metadata/2.snapshot.json"] += b" "
    world.refused(MalformedError)


# C11, I17: time passes


def test_a_frozen_mirror_is_noticed_when_the_timestamp_expires_and_the_catalog_stays(synced: World) -> None:
    synced.later(days=3, seconds=1)
    error = synced.refused(ExpiredError)
    assert error.exit_code == 11
    assert "stale since 2026-11-23T12:00:00Z" in error.what
    assert synced.accepted_catalog()


def test_one_second_before_it_expires_a_timestamp_is_good(synced: World) -> None:
    synced.later(days=3, seconds=-1)
    synced.sync()


def test_after_a_long_absence_the_newest_state_is_accepted(synced: World) -> None:
    synced.later(days=300)
    for role in ("root", "almanac-v1", "v2", "network", "targets"):
        synced.repository.publish_root() if role == "root" else synced.repository.publish_targets(role)
    synced.repository.publish(catalog=catalog("new"))
    assert synced.sync().after.newest.number == 2


@pytest.mark.parametrize("role", ["snapshot", "almanac-v1"])
def test_another_expired_role_is_refused_and_kept_out(synced: World, role: str) -> None:
    synced.repository.publish(catalog=catalog("three"))
    synced.later(days=31)
    synced.repository.publish_timestamp()
    if role != "snapshot":
        synced.repository.publish_snapshot()
        synced.repository.publish_timestamp()
    synced.refused(ExpiredError)


# C24, I18: clocks


@pytest.mark.parametrize("days", [-3650, -400, -60])
def test_a_clock_that_is_behind_is_said_and_does_not_revive_the_expired(synced: World, days: int) -> None:
    synced.repository.publish_timestamp()
    synced.now += timedelta(days=days)
    outcome = synced.sync()
    assert any("clock is behind" in warning for warning in outcome.warnings)
    assert outcome.after.versions["timestamp"] == 2
    older = synced.repository.files["metadata/1.snapshot.json"]
    assert older


@pytest.mark.parametrize("year", [1970, 2025, 2099])
def test_a_clock_that_cannot_be_right_is_said_before_anything_is_asked(world: World, year: int) -> None:
    world.now = datetime(year, 1, 1, tzinfo=UTC)
    assert world.refused(ClockError).exit_code == 17
    assert world.mirror.requests == []


@pytest.mark.parametrize("days", [1, 8, 60, 400, 3650])
def test_a_clock_that_is_ahead_makes_stale_and_changes_nothing(synced: World, days: int) -> None:
    synced.now += timedelta(days=days)
    if days < 3:
        synced.sync()
    else:
        synced.refused(ExpiredError)
    synced.now -= timedelta(days=days)
    assert synced.sync().after.newest.number == 1


def test_a_clock_that_jumps_during_a_run_is_asked_once(synced: World) -> None:
    times = iter([synced.now, *[synced.now + timedelta(days=900)] * 50])
    from dataclasses import replace

    from almanac.sync import sync

    outcome = sync(synced.state, around=replace(synced.around, now=lambda: next(times)))
    assert outcome.after.checked_at == synced.now


# C25: formats to come


def test_a_newer_format_says_that_this_client_is_too_old(synced: World) -> None:
    synced.repository.publish(catalog=catalog("one", format="almanac/v2"))
    error = synced.refused(TooOldError)
    assert (error.exit_code, "upgrade" in error.advice) == (18, True)


def test_unknown_fields_and_sections_are_left_alone(synced: World) -> None:
    synced.repository.publish(
        catalog=catalog(
            "one", novelty=[{"id": "x"}], entries=[{"id": "a/b", "lab": "a", "slug": "b", "new": 1}]
        )
    )
    assert synced.sync().changed


def test_a_required_capability_that_is_unknown_is_too_new(synced: World) -> None:
    synced.repository.publish(catalog=catalog("one", requires={"time-travel": "0.9"}))
    assert "0.9 or newer" in synced.refused(TooOldError).advice


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"format":"other"}', b'{"format":"almanac/v1","entries":{}}', b"\xff"]
)
def test_a_signed_document_that_is_no_catalog_is_malformed(synced: World, body: bytes) -> None:
    synced.repository.publish(catalog=body)
    synced.refused(MalformedError)


# Roles that a mirror cannot do without


def test_a_root_rotation_of_every_online_key_recovers_from_a_fast_forward(synced: World) -> None:
    for role in ("snapshot", "timestamp"):
        synced.repository.roles[role].version = 900_000
    synced.repository.publish(catalog=catalog("thief"))
    synced.sync()
    for role in ("snapshot", "timestamp"):
        synced.repository.rotate(role, f"{role}-2")
        synced.repository.roles[role].version = 10
    synced.repository.publish(catalog=catalog("owner"))
    assert synced.sync().after.versions["timestamp"] == 11


def test_a_publisher_without_an_almanac_document_is_a_plain_error(world: World) -> None:
    targets = world.repository.roles["almanac-v1"]
    targets.targets.clear()
    world.repository.publish_targets("almanac-v1")
    world.repository.publish_snapshot()
    world.repository.publish_timestamp()
    assert world.refused(AlmanacError).exit_code == 1


def test_no_trust_no_sync(world: World) -> None:
    (world.state.folder / "trust" / "origin.json").unlink()
    with pytest.raises(AlmanacError, match="almanac trust"):
        world.sync()
    assert world.mirror.requests == []


def test_a_root_with_a_threshold_that_nobody_can_reach_is_refused(synced: World) -> None:
    root = synced.repository.roles["root"]
    assert isinstance(root, Root)
    root.roles["root"].threshold = 3
    synced.repository.publish_root()
    synced.refused(SignatureError)
