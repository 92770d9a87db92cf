"""What is signed next: which roles change, which keep their bytes, and what a stock client makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signing.delegations import RoleContent, schema_delegation
from signing.errors import ContentsError, CurrentMetadataError, MissingKeyError
from signing.metadata import fingerprint, next_metadata, outdated
from tests.signing.cast import (
    DOCUMENTS,
    NOW,
    DictFetcher,
    House,
    MemoryKeys,
    StockClient,
    contents_of,
    signer_of,
)

ALL_ROLES = {
    "root", "targets", "v2", "v2-eu", "almanac-v1", "almanac-v1-eu", "network", "snapshot", "timestamp",
}  # fmt: skip


def signed(house: House, role: str) -> dict:
    return json.loads(house.current[role])["signed"]


def versions(house: House) -> dict[str, int]:
    return {role: signed(house, role)["version"] for role in house.current}


def test_the_first_day_signs_every_role_once() -> None:
    house = House()
    made = house.publish()
    assert made.changed == set(made.roles) == ALL_ROLES
    assert set(versions(house).values()) == {1}
    assert set(made.files) == {
        "metadata/timestamp.json",
        *(f"metadata/1.{role}.json" for role in ALL_ROLES - {"timestamp"}),
    }


def test_a_stock_client_reads_every_document(tmp_path: Path) -> None:
    house = House()
    house.publish()
    client = StockClient(tmp_path, house)
    assert {path: client.read(path) for path in house.documents} == house.documents


def test_the_same_again_signs_nothing() -> None:
    house = House()
    house.publish()
    again = house.publish()
    assert (again.changed, again.files) == (frozenset(), {})


def test_one_document_changes_its_role_the_snapshot_and_the_timestamp() -> None:
    house = House()
    house.publish()
    house.documents["regions/eu/catalog/v2/models.yaml"] = b"- provider: aleph\n"
    house.release = 2
    assert house.publish().changed == {"v2-eu", "snapshot", "timestamp"}
    assert versions(house)["v2-eu"] == 2
    assert versions(house)["v2"] == 1


def test_the_snapshot_carries_the_release_and_the_bytes_of_every_role() -> None:
    house = House(release=7)
    house.publish()
    snapshot = signed(house, "snapshot")
    assert snapshot["x-almanac-release"] == 7
    assert set(snapshot["meta"]) == {f"{role}.json" for role in ALL_ROLES - {"root", "snapshot", "timestamp"}}
    assert all(entry["length"] and entry["hashes"]["sha256"] for entry in snapshot["meta"].values())


def test_a_new_release_without_new_bytes_changes_the_snapshot_alone() -> None:
    house = House()
    house.publish()
    house.release = 2
    assert house.publish().changed == {"snapshot", "timestamp"}


def test_a_release_that_falls_is_refused() -> None:
    house = House(release=5)
    house.publish()
    house.release = 4
    with pytest.raises(ContentsError, match="release 4 is older"):
        house.publish()


def test_deltas_and_the_release_stand_in_a_targets_custom_field() -> None:
    house = House()
    house.publish()
    custom = signed(house, "v2")["targets"]["catalog/v2/models.yaml"]["custom"]
    assert custom == {"release": 1, "deltas": {}}


@pytest.mark.parametrize(
    ("age", "renewed"),
    [
        ({"minutes": 59}, set()),
        ({"hours": 1}, {"timestamp"}),
        ({"days": 3, "hours": 12}, {"timestamp", "network", "snapshot"}),
        ({"days": 7}, {"timestamp", "network", "snapshot"}),
        ({"days": 15}, {"timestamp", "network", "snapshot", "v2", "v2-eu", "almanac-v1", "almanac-v1-eu"}),
        ({"days": 182, "hours": 12}, ALL_ROLES),
    ],
)
def test_every_role_is_renewed_before_half_of_its_life_is_spent(age: dict, renewed: set[str]) -> None:
    house = House()
    house.publish()
    house.pass_time(**age)
    assert house.publish().changed == renewed


def test_a_role_signed_by_a_clock_that_ran_ahead_is_signed_again() -> None:
    house = House()
    house.pass_time(days=3000)
    house.publish()
    house.now = NOW
    assert house.publish().changed == ALL_ROLES


def test_a_renewed_role_keeps_its_content() -> None:
    house = House()
    house.publish()
    before = signed(house, "v2")
    house.pass_time(days=16)
    house.publish()
    after = signed(house, "v2")
    assert after["version"] == before["version"] + 1
    assert after["targets"] == before["targets"]


@pytest.mark.parametrize(
    ("purpose", "changed"),
    [
        ("timestamp", {"root", "timestamp"}),
        ("snapshot", {"root", "snapshot", "timestamp"}),
        ("targets", {"root", "targets", "snapshot", "timestamp"}),
        ("root", {"root"}),
        ("network", {"targets", "network", "snapshot", "timestamp"}),
        (
            "publisher",
            {"targets", "v2", "v2-eu", "almanac-v1", "almanac-v1-eu", "snapshot", "timestamp"},
        ),
    ],
)
def test_a_rotated_key_renews_its_roles_and_their_delegator(
    purpose: str, changed: set[str], tmp_path: Path
) -> None:
    house = House()
    house.publish()
    client = StockClient(tmp_path, house)
    client.read("catalog/v2/models.yaml")
    house.keys.rotate(purpose)
    assert house.publish().changed == changed
    assert {path: client.read(path) for path in house.documents} == house.documents


def test_root_is_rotated_twice_and_renewed_and_an_old_client_follows(tmp_path: Path) -> None:
    house = House()
    house.publish()
    client = StockClient(tmp_path, house)
    for _ in range(2):
        house.keys.rotate("root")
        house.publish()
    house.pass_time(days=200)
    house.publish()
    assert versions(house)["root"] == 4
    assert client.read("mirrors.json") == house.documents["mirrors.json"]
    assert "metadata/1.root.json" in house.store


def test_a_new_root_carries_the_signatures_of_the_old_and_of_the_new_key() -> None:
    house = House()
    house.publish()
    old = house.keys.public_keys("root")[0].keyid
    house.keys.rotate("root")
    house.publish()
    new = house.keys.public_keys("root")[0].keyid
    keyids = {signature["keyid"] for signature in json.loads(house.current["root"])["signatures"]}
    assert keyids == {old, new}


def test_a_new_region_needs_no_key_of_root_or_targets(tmp_path: Path) -> None:
    house = House()
    house.publish()
    client = StockClient(tmp_path, house)
    house.keys.send_away("root")
    house.keys.send_away("targets")
    house.regions = ("eu", "de")
    house.documents["regions/de/catalog/v2/models.yaml"] = b"- provider: aleph\n"
    made = house.publish()
    assert made.changed == {"v2", "v2-de", "almanac-v1", "almanac-v1-de", "snapshot", "timestamp"}
    assert client.read("regions/de/catalog/v2/models.yaml") == b"- provider: aleph\n"


def test_a_role_that_is_gone_stays_in_the_snapshot_so_that_clients_go_on(tmp_path: Path) -> None:
    house = House(regions=("eu", "de"))
    house.publish()
    client = StockClient(tmp_path, house)
    client.read("catalog/v2/models.yaml")
    house.regions = ("eu",)
    house.publish()
    assert "v2-de.json" in signed(house, "snapshot")["meta"]
    assert client.read("catalog/v2/models.yaml") == house.documents["catalog/v2/models.yaml"]


def test_a_role_that_comes_back_goes_on_counting() -> None:
    house = House(regions=("eu", "de"))
    house.publish()
    house.regions = ("eu",)
    house.publish()
    house.regions = ("eu", "de")
    house.documents["regions/de/catalog/v2/models.yaml"] = b"- provider: aleph\n"
    house.publish()
    assert versions(house)["v2-de"] == 2


def test_a_role_whose_bytes_were_lost_goes_on_counting() -> None:
    house = House()
    house.publish()
    del house.current["v2"]
    house.publish()
    assert versions(house)["v2"] == 2


def test_a_role_that_is_gone_stays_in_the_snapshot_even_where_its_bytes_were_lost() -> None:
    house = House(regions=("eu", "de"))
    house.publish()
    house.regions = ("eu",)
    del house.current["v2-de"]
    house.publish()
    assert signed(house, "snapshot")["meta"]["v2-de.json"]["version"] == 1


def test_without_offline_keys_publication_goes_on_until_they_expire() -> None:
    house = House()
    house.publish()
    house.keys.send_away("root")
    house.keys.send_away("targets")
    house.pass_time(days=200)
    made = house.publish()
    assert made.postponed == {"root", "targets"}
    assert "v2" in made.changed
    house.pass_time(days=166)
    with pytest.raises(MissingKeyError, match="root must be signed anew"):
        house.publish()


def test_a_missing_key_is_named_where_a_change_needs_it() -> None:
    """A new schema's role must be delegated to by targets, or no client would find it."""
    house = House()
    house.publish()
    house.keys.send_away("targets")
    absent = house.keys.public_keys("targets")[0].keyid
    contents = contents_of(house.documents)
    added = schema_delegation("litellm")
    contents["litellm"] = RoleContent()
    contents["targets"] = RoleContent(delegates=(*contents["targets"].delegates, added))
    with pytest.raises(MissingKeyError) as refusal:
        next_metadata(current=house.current, contents=contents, release=2, keyring=house.keys, now=house.now)
    assert refusal.value.role == "targets"
    assert refusal.value.keyids == (absent,)
    assert absent[:16] in str(refusal.value)
    assert refusal.value.exit_code == 19


@pytest.mark.parametrize(
    ("purpose", "waiting"),
    [
        ("timestamp", {"root"}),
        ("snapshot", {"root"}),
        ("root", {"root"}),
        ("targets", {"root"}),
        ("publisher", {"targets"}),
        ("network", {"targets"}),
    ],
)
def test_a_rotated_key_goes_on_signing_until_its_successor_is_named_by_the_holders(
    purpose: str, waiting: set[str], tmp_path: Path
) -> None:
    house = House()
    house.publish()
    client = StockClient(tmp_path, house)
    house.keys.send_away("root")
    house.keys.send_away("targets")
    house.keys.rotate(purpose)
    assert outdated(current=house.current, contents=contents_of(DOCUMENTS), keyring=house.keys) == waiting
    house.documents["catalog/v2/models.yaml"] = b"- provider: aleph\n"
    assert house.publish().postponed == waiting
    assert client.read("catalog/v2/models.yaml") == b"- provider: aleph\n"
    house.keys.elsewhere.clear()
    made = house.publish()
    assert waiting <= made.changed
    assert made.postponed == frozenset()
    house.publish()
    assert client.read("catalog/v2/models.yaml") == b"- provider: aleph\n"
    assert not outdated(current=house.current, contents=contents_of(DOCUMENTS), keyring=house.keys)


def test_two_signatures_of_one_key_do_not_make_a_threshold_of_two() -> None:
    """The attacker here is a careless operator: threshold 2, the same key twice."""
    house = House()
    house.keys.current["root"] = [signer_of("root"), signer_of("root")]
    house.keys.thresholds["root"] = 2
    with pytest.raises(MissingKeyError, match="2 of the keys"):
        house.publish()


def test_a_threshold_of_two_takes_two_keys(tmp_path: Path) -> None:
    house = House()
    house.keys.current["root"] = [signer_of("root a"), signer_of("root b"), signer_of("root c")]
    house.keys.thresholds["root"] = 2
    house.keys.elsewhere = {signer_of("root c").public_key.keyid}
    house.publish()
    assert StockClient(tmp_path, house).read("mirrors.json") == house.documents["mirrors.json"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("catalog/v2/deep/models.yaml", "no client would find"),
        ("catalog/v1/models.yaml", "no client would find"),
        ("catalog/v2/../v1/models.yaml", "not well formed"),
        ("/catalog/v2/models.yaml", "not well formed"),
    ],
)
def test_a_document_that_no_client_would_find_is_refused(path: str, words: str) -> None:
    contents = contents_of({})
    stray = contents_of({"catalog/v2/models.yaml": b"x"})["v2"].targets[0]
    from dataclasses import replace

    contents["v2"] = replace(contents["v2"], targets=(replace(stray, path=path),))
    with pytest.raises(ContentsError, match=words):
        next_metadata(current={}, contents=contents, release=1, keyring=MemoryKeys(), now=NOW)


def test_a_role_without_content_or_without_delegation_is_refused() -> None:
    contents = contents_of({})
    del contents["v2-eu"]
    with pytest.raises(ContentsError, match="'v2-eu' is delegated to and has no content"):
        next_metadata(current={}, contents=contents, release=1, keyring=MemoryKeys(), now=NOW)
    contents = contents_of({})
    contents["v9"] = contents["network"]
    with pytest.raises(ContentsError, match="no role delegates to 'v9'"):
        next_metadata(current={}, contents=contents, release=1, keyring=MemoryKeys(), now=NOW)


def test_unreadable_metadata_of_before_is_said_and_not_replaced() -> None:
    house = House()
    house.publish()
    house.current["v2"] = b"{"
    with pytest.raises(CurrentMetadataError, match="role v2"):
        house.publish()


def test_the_fingerprint_is_that_of_the_first_root() -> None:
    house = House()
    house.publish()
    assert len(fingerprint(house.store["metadata/1.root.json"])) == 64


@pytest.mark.parametrize("purpose", ["timestamp", "snapshot", "targets", "root", "network", "publisher"])
def test_our_own_client_follows_a_rotated_key(purpose: str, tmp_path: Path) -> None:
    from almanac.verify import VerifiedUpdater

    house = House()
    house.publish()

    def versions_seen() -> dict[str, int]:
        updater = VerifiedUpdater(
            tmp_path,
            "mem:/metadata/",
            DictFetcher(house.store),  # type: ignore[arg-type]
            pinned_root=house.store["metadata/1.root.json"],
            now=house.now,
        )
        updater.refresh()
        assert all(updater.find(path) for path in house.documents)
        return updater.versions

    before = versions_seen()
    house.keys.rotate(purpose)
    changed = house.publish().changed
    after = versions_seen()
    assert {role for role in after if after[role] > before[role]} == changed & set(after)
