"""``client/conformance.py`` as a program against a mirror on loopback: the protocol of tuf-conformance, and its attacks.

The suite itself is not part of this repository; these are cases of our own after the specification's workflow.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import DelegatedRole, Delegations, Root, Snapshot, TargetFile, Targets, Timestamp

from .simulator import Answer, Mirror, Repository, TestSigner, at, resign

FILE = Path(__file__).resolve().parents[2] / "client" / "conformance.py"


def load_program() -> Any:
    spec = importlib.util.spec_from_file_location("conformance", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAM = load_program()


class Client:
    """The program with one metadata folder and one folder for targets."""

    def __init__(self, folder: Path) -> None:
        from datetime import UTC, datetime

        self.repository = Repository(now=datetime.now(UTC))
        self.repository.publish_snapshot()
        self.repository.publish_timestamp()
        self.mirror = Mirror(self.repository)
        self.mirror.etags = False
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        self.metadata.mkdir()
        self.targets.mkdir()
        self.root = folder / "trusted.json"
        self.root.write_bytes(self.repository.root)

    def run(self, *arguments: str) -> int:
        """In this process, because starting Python costs more than a refresh; ``run_as_program`` does it for real."""
        return PROGRAM.main(["--metadata-dir", str(self.metadata), *arguments])

    def run_as_program(self, *arguments: str) -> int:
        done = subprocess.run(
            [sys.executable, str(FILE), "--metadata-dir", str(self.metadata), *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode

    def init(self) -> int:
        return self.run("init", str(self.root))

    def refresh(self) -> int:
        self.mirror.requests.clear()
        return self.run("--metadata-url", self.mirror.url + "metadata", "refresh")

    def download(self, name: str) -> int:
        self.mirror.requests.clear()
        return self.run(
            "--metadata-url", self.mirror.url + "metadata/", "--target-name", name,
            "--target-base-url", self.mirror.url + "targets/", "--target-dir", str(self.targets), "download",
        )  # fmt: skip

    def asked(self) -> list[str]:
        return [path.removeprefix("metadata/") for path, _ in self.mirror.requests]

    def versions(self) -> dict[str, int]:
        return {
            file.stem: json.loads(file.read_bytes())["signed"]["version"]
            for file in self.metadata.iterdir()
            if file.suffix == ".json"
        }

    def publish(self, *roles: str) -> None:
        """New versions of these roles, in the order in which they depend on each other."""
        for role in roles:
            match role:
                case "root":
                    self.repository.publish_root()
                case "snapshot":
                    self.repository.publish_snapshot()
                case "timestamp":
                    self.repository.publish_timestamp()
                case _:
                    self.repository.publish_targets(role)

    def bytes_of(self, path: str) -> bytes:
        return self.repository.files[f"metadata/{path}"]


@pytest.fixture
def client(quick_folder: Path) -> Iterator[Client]:
    client = Client(quick_folder)
    assert client.init() == 0
    yield client
    client.mirror.close()


def test_init_asks_nobody_and_refresh_asks_for_each_role_once_in_order(client: Client) -> None:
    assert client.mirror.requests == []
    assert client.refresh() == 0
    assert client.asked() == ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
    assert client.versions() == {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}


def test_the_program_speaks_the_protocol_of_the_suite(tmp_path: Path) -> None:
    client = Client(tmp_path)
    add_target(client, "file.txt", b"first")
    client.publish("targets", "snapshot", "timestamp")
    url = ("--metadata-url", client.mirror.url + "metadata")
    wanted = (
        "--target-name",
        "file.txt",
        "--target-base-url",
        client.mirror.url + "targets",
        "--target-dir",
        str(client.targets),
    )
    assert client.run_as_program("init", str(client.root)) == 0
    assert client.run_as_program(*url, "refresh") == 0
    assert client.run_as_program(*url, *wanted, "download") == 0
    assert [file.read_bytes() for file in client.targets.iterdir()] == [b"first"]
    client.repository.files["metadata/timestamp.json"] = b"{}"
    assert client.run_as_program(*url, "refresh") == 1
    client.mirror.close()


def test_a_second_refresh_asks_only_whether_something_is_new(client: Client) -> None:
    client.refresh()
    assert client.refresh() == 0
    assert client.asked() == ["2.root.json", "timestamp.json"]


def test_metadata_is_kept_byte_for_byte(client: Client) -> None:
    client.refresh()
    for role, path in (
        ("timestamp", "timestamp.json"),
        ("snapshot", "1.snapshot.json"),
        ("root", "1.root.json"),
    ):
        assert (client.metadata / f"{role}.json").read_bytes() == client.bytes_of(path)


@pytest.mark.parametrize(
    "broken", [b"", b"{}", b"null", b"[1]", b'{"signed": {}}', b"\xff\xfe", b"[" * 100_000]
)
def test_an_initial_root_that_cannot_be_read_is_refused_before_anything_is_asked(
    client: Client, broken: bytes
) -> None:
    (client.metadata / "root.json").write_bytes(broken)
    assert client.refresh() == 1
    assert client.mirror.requests == []


def test_an_initial_root_without_its_own_signature_is_refused(client: Client) -> None:
    form = json.loads(client.repository.root)
    form["signatures"][0]["sig"] = "00" * 64
    (client.metadata / "root.json").write_text(json.dumps(form))
    assert client.refresh() == 1
    assert client.mirror.requests == []


def test_fields_that_nobody_knows_are_signed_and_accepted(client: Client) -> None:
    root = client.repository.roles["root"]
    root.unrecognized_fields["x-unknown"] = {"a": [1, "ü"]}
    client.publish("root")
    assert client.refresh() == 0
    assert client.versions()["root"] == 2


@pytest.mark.parametrize(
    ("role", "kept"),
    [
        ("root", {"root": 1}),
        ("timestamp", {"root": 1}),
        ("snapshot", {"root": 1, "timestamp": 2}),
        ("targets", {"root": 1, "timestamp": 2, "snapshot": 2}),
    ],
)
def test_a_role_without_its_signature_stops_the_refresh_there(
    client: Client, role: str, kept: dict[str, int]
) -> None:
    client.repository.signers[role] = []
    client.publish(*(("root",) if role == "root" else ("targets", "snapshot", "timestamp")))
    assert client.refresh() == 1
    assert client.versions() == kept


# Rollback of each role


def test_an_older_timestamp_is_refused(client: Client) -> None:
    older = client.bytes_of("timestamp.json")
    client.publish("timestamp")
    assert client.refresh() == 0
    client.repository.files["metadata/timestamp.json"] = older
    assert client.refresh() == 1
    assert client.versions()["timestamp"] == 2


def test_a_new_timestamp_that_names_an_older_snapshot_is_refused(client: Client) -> None:
    client.publish("snapshot", "timestamp")
    assert client.refresh() == 0
    timestamp = client.repository.roles["timestamp"]
    assert isinstance(timestamp, Timestamp)
    timestamp.snapshot_meta.version = 1
    client.publish("timestamp")
    assert client.refresh() == 1
    assert client.versions() == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 1}


@pytest.mark.parametrize("role", ["targets", "almanac-v1"])
def test_a_new_snapshot_that_names_an_older_role_is_refused(client: Client, role: str) -> None:
    client.publish(role, "snapshot", "timestamp")
    assert client.refresh() == 0
    snapshot = client.repository.roles["snapshot"]
    assert isinstance(snapshot, Snapshot)
    snapshot.meta[f"{role}.json"].version -= 1
    client.publish("snapshot", "timestamp")
    assert client.refresh() == 1
    assert client.versions()["snapshot"] == 2


def test_a_new_snapshot_that_no_longer_lists_a_role_is_refused(client: Client) -> None:
    assert client.refresh() == 0
    snapshot = client.repository.roles["snapshot"]
    assert isinstance(snapshot, Snapshot)
    del snapshot.meta["network.json"]
    client.publish("snapshot", "timestamp")
    assert client.refresh() == 1
    assert client.versions()["snapshot"] == 1


@pytest.mark.parametrize("version", [1, 3, 7])
def test_a_root_out_of_turn_is_refused(client: Client, version: int) -> None:
    client.repository.roles["root"].version = version
    client.repository.files["metadata/2.root.json"] = client.repository.sign("root")
    assert client.refresh() == 1
    assert client.versions() == {"root": 1}


def test_the_same_timestamp_version_with_other_content_changes_nothing(client: Client) -> None:
    """TUF keeps what it has; only ``almanac sync`` calls it equivocation."""
    assert client.refresh() == 0
    timestamp = client.repository.roles["timestamp"]
    assert isinstance(timestamp, Timestamp)
    timestamp.snapshot_meta.version = 100
    client.repository.files["metadata/timestamp.json"] = client.repository.sign("timestamp")
    assert client.refresh() == 0
    assert client.asked()[-1] == "timestamp.json"
    assert (
        json.loads((client.metadata / "timestamp.json").read_bytes())["signed"]["meta"]["snapshot.json"][
            "version"
        ]
        == 1
    )


# Mix and match, lengths, hashes


def test_a_snapshot_of_another_version_than_the_timestamp_names_is_refused(client: Client) -> None:
    older = client.bytes_of("1.snapshot.json")
    client.publish("snapshot", "timestamp")
    client.repository.files["metadata/2.snapshot.json"] = older
    assert client.refresh() == 1
    assert client.versions() == {"root": 1, "timestamp": 2}


def test_targets_of_another_version_than_the_snapshot_lists_are_refused(client: Client) -> None:
    older = client.bytes_of("1.targets.json")
    client.publish("targets", "snapshot", "timestamp")
    client.repository.files["metadata/2.targets.json"] = older
    assert client.refresh() == 1
    assert "targets" not in client.versions()


@pytest.mark.parametrize("victim", ["snapshot", "targets"])
def test_metadata_that_does_not_match_the_listed_hash_is_refused(client: Client, victim: str) -> None:
    client.repository.with_hashes = True
    client.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == 0
    client.publish("targets", "snapshot", "timestamp")
    address = f"metadata/3.{victim}.json"
    client.repository.files[address] = client.repository.files[address].replace(
        b'"signatures"', b'"signatures" '
    )
    assert client.refresh() == 1
    assert client.versions()[victim] == 2


def test_a_timestamp_posing_as_snapshot_is_refused(client: Client) -> None:
    shared = [*client.repository.signers["snapshot"], *client.repository.signers["timestamp"]]
    client.repository.signers["timestamp"] = shared
    client.publish("timestamp")
    client.repository.files["metadata/1.snapshot.json"] = client.bytes_of("timestamp.json")
    assert client.refresh() == 1


# Thresholds


def two_keys(client: Client, role: str = "timestamp", threshold: int = 2) -> list[Signer]:
    signers: list[Signer] = [TestSigner(f"{role}-a"), TestSigner(f"{role}-b")]
    client.repository.rotate(role, f"{role}-a", f"{role}-b", threshold=threshold)
    return signers


def test_a_threshold_of_two_needs_two_keys(client: Client) -> None:
    signers = two_keys(client)
    client.repository.signers["timestamp"] = signers[:1]
    client.publish("timestamp")
    assert client.refresh() == 1
    client.repository.signers["timestamp"] = signers
    client.publish("timestamp")
    assert client.refresh() == 0


def test_one_key_does_not_count_twice(client: Client) -> None:
    signers = two_keys(client)
    client.repository.signers["timestamp"] = signers[:1]
    client.publish("timestamp")
    form = json.loads(client.bytes_of("timestamp.json"))
    form["signatures"] *= 2
    client.repository.files["metadata/timestamp.json"] = json.dumps(form).encode()
    assert client.refresh() == 1


def test_a_signature_under_the_other_keys_id_does_not_count(client: Client) -> None:
    signers = two_keys(client)
    client.repository.signers["timestamp"] = signers[:1]
    client.publish("timestamp")
    form = json.loads(client.bytes_of("timestamp.json"))
    form["signatures"].append({**form["signatures"][0], "keyid": signers[1].public_key.keyid})
    client.repository.files["metadata/timestamp.json"] = json.dumps(form).encode()
    assert client.refresh() == 1


def test_a_garbage_signature_beside_enough_good_ones_does_no_harm(client: Client) -> None:
    client.repository.signers["timestamp"] = two_keys(client)
    client.publish("timestamp")
    form = json.loads(client.bytes_of("timestamp.json"))
    form["signatures"].append({"keyid": "ff" * 32, "sig": "zz"})
    client.repository.files["metadata/timestamp.json"] = json.dumps(form).encode()
    assert client.refresh() == 0


def test_a_role_that_lists_one_key_twice_does_not_reach_a_threshold_of_two(client: Client) -> None:
    def twice(signed: dict[str, Any]) -> None:
        signed["version"] = 2
        signed["roles"]["timestamp"] = {"keyids": signed["roles"]["timestamp"]["keyids"] * 2, "threshold": 2}

    client.repository.files["metadata/2.root.json"] = resign(
        client.repository.root, client.repository.signers["root"], twice
    )
    assert client.refresh() == 1


@pytest.mark.parametrize("threshold", [0, -1, "1", None])
def test_a_threshold_that_is_no_positive_number_is_refused(client: Client, threshold: object) -> None:
    def change(signed: dict[str, Any]) -> None:
        signed["version"] = 2
        signed["roles"]["timestamp"]["threshold"] = threshold

    root = resign(client.repository.root, client.repository.signers["root"], change)
    client.repository.files["metadata/2.root.json"] = root
    assert client.refresh() == 1


# Rotation


def test_a_root_key_rotates_when_old_and_new_keys_sign(client: Client) -> None:
    client.repository.rotate("root", "root-2")
    client.repository.rotate("root", "root-3")
    assert client.refresh() == 0
    assert client.versions()["root"] == 3


def test_a_new_root_without_the_old_keys_is_refused(client: Client) -> None:
    client.repository.signers["root"] = []
    client.repository.rotate("root", "root-2")
    client.repository.signers["root"] = [TestSigner("root-2")]
    client.repository.files["metadata/2.root.json"] = client.repository.sign("root")
    assert client.refresh() == 1
    assert client.versions() == {"root": 1}


def test_a_new_root_without_the_new_keys_is_refused(client: Client) -> None:
    old = list(client.repository.signers["root"])
    client.repository.rotate("root", "root-2")
    client.repository.signers["root"] = old
    client.repository.files["metadata/2.root.json"] = client.repository.sign("root")
    assert client.refresh() == 1


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_rotating_an_online_key_undoes_a_fast_forward(client: Client, role: str) -> None:
    client.repository.roles[role].version = 2**30
    client.publish(*(("snapshot", "timestamp") if role == "snapshot" else ("timestamp",)))
    assert client.refresh() == 0
    for rotated in ("snapshot", "timestamp"):
        client.repository.rotate(rotated, f"{rotated}-2")
        client.repository.roles[rotated].version = 1
    client.publish("snapshot", "timestamp")
    assert client.refresh() == 0
    assert client.versions()[role] == 2


def test_many_roots_are_walked_one_by_one(client: Client) -> None:
    for _ in range(20):
        client.publish("root")
    assert client.refresh() == 0
    assert client.versions()["root"] == 21
    assert client.asked()[:3] == ["2.root.json", "3.root.json", "4.root.json"]


# Expiry


def expired(client: Client, role: str) -> None:
    client.repository.roles[role].expires = client.repository.now - timedelta(days=1)


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_an_expired_role_stops_the_refresh_and_is_not_kept(client: Client, role: str) -> None:
    assert client.refresh() == 0
    now = client.repository.now
    client.repository.now = now - timedelta(days=500)
    client.publish(role)
    client.repository.now = now
    if role != "root":
        client.publish(
            *(
                r
                for r in ("snapshot", "timestamp")
                if (role, r)
                not in {("snapshot", "snapshot"), ("timestamp", "timestamp"), ("timestamp", "snapshot")}
            )
        )
    assert client.refresh() == 1
    assert client.versions()[role] == (2 if role == "root" else 1)


def test_an_expired_root_between_is_passed_through(client: Client) -> None:
    now = client.repository.now
    client.repository.now = now - timedelta(days=500)
    client.publish("root")
    client.repository.now = now
    client.publish("root")
    assert client.refresh() == 0
    assert client.versions()["root"] == 3


# Delegations and targets


def add_target(client: Client, path: str, data: bytes, role: str = "targets") -> None:
    import hashlib

    sha256 = hashlib.sha256(data).hexdigest()
    signed = client.repository.roles[role]
    assert isinstance(signed, Targets)
    signed.targets[path] = TargetFile(len(data), {"sha256": sha256}, path)
    folder, _, name = path.rpartition("/")
    client.repository.files["targets/" + (f"{folder}/" if folder else "") + f"{sha256}.{name}"] = data


def test_a_target_is_downloaded_once_and_again_only_when_it_changed(client: Client) -> None:
    add_target(client, "some/file.txt", b"first")
    client.publish("targets", "snapshot", "timestamp")
    assert client.download("some/file.txt") == 0
    assert client.download("some/file.txt") == 0
    assert not any(path.startswith("targets/") for path, _ in client.mirror.requests)
    add_target(client, "some/file.txt", b"second")
    client.publish("targets", "snapshot", "timestamp")
    assert client.download("some/file.txt") == 0
    assert [file.read_bytes() for file in client.targets.iterdir()] == [b"second"]


def test_a_target_that_nobody_signed_is_refused_after_the_refresh(client: Client) -> None:
    assert client.download("nowhere") == 1
    assert client.versions() == {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}


@pytest.mark.parametrize("served", [b"", b"firsT", b"first and more", b"firs"])
def test_a_target_with_other_bytes_is_refused(client: Client, served: bytes) -> None:
    add_target(client, "file.txt", b"first")
    client.publish("targets", "snapshot", "timestamp")
    address = next(path for path in client.repository.files if path.endswith(".file.txt"))
    client.repository.files[address] = served
    assert client.download("file.txt") == 1
    assert list(client.targets.iterdir()) == []


def test_a_target_is_found_along_delegations_and_only_where_its_path_is_delegated(client: Client) -> None:
    add_target(client, "catalog/v2/models.yaml", b"theirs", role="v2")
    add_target(client, "catalog/almanac/v1/x.json", b"not theirs", role="v2")
    client.publish("v2", "snapshot", "timestamp")
    assert client.download("catalog/v2/models.yaml") == 0
    assert client.download("catalog/almanac/v1/x.json") == 1


def test_a_delegation_that_ends_the_search_ends_it(client: Client) -> None:
    client.repository.delegate("targets", "late", ["catalog/v2/*"])
    add_target(client, "catalog/v2/other.yaml", b"late", role="late")
    client.publish("late", "targets", "snapshot", "timestamp")
    assert client.download("catalog/v2/other.yaml") == 1


def test_delegations_in_a_circle_come_to_an_end(client: Client) -> None:
    client.repository.delegate("targets", "a", ["loop/*"], terminating=False)
    client.repository.delegate("a", "b", ["loop/*"], terminating=False)
    client.repository.delegate("b", "a", ["loop/*"], terminating=False)
    client.publish("a", "b", "targets", "snapshot", "timestamp")
    assert client.download("loop/x") == 1


@pytest.mark.parametrize("name", ["..", ".", "a/b", "ü", "100% sure", "x?y#z", "../../escape", "con"])
def test_a_role_with_an_odd_name_stays_inside_the_folder(client: Client, name: str) -> None:
    from urllib.parse import quote

    client.repository.delegate("targets", name, ["odd/*"], terminating=False)
    add_target(client, "odd/file", b"odd", role=name)
    client.publish(name, "targets", "snapshot", "timestamp")
    client.repository.files[f"metadata/1.{quote(name, '')}.json"] = client.repository.files.pop(
        f"metadata/1.{name}.json"
    )
    before = {path for path in client.metadata.parent.rglob("*") if client.metadata not in path.parents}
    assert client.download("odd/file") == 0
    after = {path for path in client.metadata.parent.rglob("*") if client.metadata not in path.parents}
    assert {path.parent for path in after - before} <= {client.targets}


@pytest.mark.parametrize("path", ["odd dir/100% sure.txt", "a/ü.txt", "a+b/c d"])
def test_a_target_with_an_odd_path_is_downloaded_into_the_folder(client: Client, path: str) -> None:
    from urllib.parse import quote

    add_target(client, path, b"odd")
    client.publish("targets", "snapshot", "timestamp")
    address = next(address for address in client.repository.files if address.startswith("targets/"))
    client.repository.files[quote(address, safe="/+")] = b"odd"
    assert client.download(path) == 0
    assert [file.read_bytes() for file in client.targets.iterdir()] == [b"odd"]


def test_without_consistent_snapshots_names_carry_no_version(client: Client) -> None:
    root = client.repository.roles["root"]
    assert isinstance(root, Root)
    root.consistent_snapshot = False
    client.publish("root")
    for role in ("snapshot", "targets"):
        client.repository.files[f"metadata/{role}.json"] = client.bytes_of(f"1.{role}.json")
    assert client.refresh() == 0
    assert client.asked() == ["2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json"]


# Too much


@pytest.mark.parametrize("role", ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_metadata_without_end_is_cut_off(client: Client, role: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(2_000):
            yield b" " * 65536

    client.mirror.faults.append(at(f"metadata/{role}", lambda answer: Answer(200, {}, endless())))
    assert client.refresh() == 1


def test_a_target_without_end_is_cut_off(client: Client) -> None:
    add_target(client, "file.txt", b"first")
    client.publish("targets", "snapshot", "timestamp")
    client.mirror.faults.append(
        at("targets/", lambda answer: Answer(200, {}, (b"first" * 10_000 for _ in range(1_000))))
    )
    assert client.download("file.txt") == 1
    assert list(client.targets.iterdir()) == []


# Other kinds of keys


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_every_usual_kind_are_verified(client: Client, kind: str) -> None:
    signer: Signer = getattr(CryptoSigner, f"generate_{kind}")()
    root = client.repository.roles["root"]
    assert isinstance(root, Root)
    for role in ("timestamp", "snapshot", "targets"):
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        root.add_key(signer.public_key, role)
        client.repository.signers[role] = [signer]
    client.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh() == 0
    form = json.loads(client.bytes_of("timestamp.json"))
    form["signed"]["version"] += 1
    client.repository.files["metadata/timestamp.json"] = json.dumps(form).encode()
    assert client.refresh() == 1


def test_a_key_of_a_kind_that_nobody_knows_makes_the_root_unusable_but_not_the_client(client: Client) -> None:
    def change(signed: dict[str, Any]) -> None:
        signed["version"] = 2
        keyid = signed["roles"]["timestamp"]["keyids"][0]
        signed["keys"][keyid] |= {"keytype": "quantum", "scheme": "quantum-1"}

    client.repository.files["metadata/2.root.json"] = resign(
        client.repository.root, client.repository.signers["root"], change
    )
    assert client.refresh() == 1
    assert client.versions() == {"root": 1}


def test_a_delegated_role_must_satisfy_the_delegator_that_led_to_it(client: Client) -> None:
    """Two roles delegate to one; a copy verified for the first is verified again for the second, whose key differs."""
    repository = client.repository
    for parent in ("first", "second"):
        repository.delegate("targets", parent, ["shared/*"], terminating=False)
        repository.delegate(parent, "common", ["shared/*"], terminating=False)
    second = repository.roles["second"]
    assert isinstance(second, Targets)
    other = TestSigner("somebody else")
    second.delegations = Delegations({}, {"common": DelegatedRole("common", [], 1, False, ["shared/*"])})
    second.add_key(other.public_key, "common")
    client.publish("common", "first", "second", "targets", "snapshot", "timestamp")
    assert client.download("shared/x") == 1
