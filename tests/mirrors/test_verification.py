"""A stranger reads a store: what a publisher made is trusted, and whatever anybody changed is named."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac import dcz
from almanac.addresses import object_path
from almanac.errors import MalformedError
from almanac.stores import FileStore, MemoryStore
from mirrors.services import ticking
from mirrors.services.precompressing import QUICK, put_copies
from mirrors.services.verification import verify_store
from mirrors.verifying import tuf
from mirrors.verifying.report import Report
from mirrors.verifying.sources import HttpSource, StoreSource
from signing.keys import Ed25519Signer
from tests.mirrors.cast import ALMANAC, EU, V2, House, Publisher, lines
from tests.signing.cast import NOW, signer_of

pytestmark = pytest.mark.django_db(transaction=True)


def copy_of(store: MemoryStore) -> MemoryStore:
    other = MemoryStore()
    other._objects = dict(store._objects)
    return other


def verified(store: MemoryStore | FileStore, **asked: object) -> Report:
    return verify_store(StoreSource(store, "memory:"), **{"now": NOW + timedelta(hours=3), **asked})  # type: ignore[arg-type]


def newest(store: MemoryStore, role: str) -> str:
    found = [name for name in store.names("metadata/") if name.endswith(f".{role}.json")]
    return max(found, key=lambda name: int(name.split("/")[1].split(".")[0]))


@pytest.fixture
def published(tmp_path: Path) -> MemoryStore:
    """Three releases with deltas, a re-signed timestamp, a rotated key and precompressed copies."""
    store = MemoryStore()
    alice = Publisher(tmp_path, store=store)
    alice.publish()
    alice.pass_time(minutes=30)
    alice.edit(V2, lines(40, changed=7))
    alice.publish()
    alice.pass_time(minutes=30)
    alice.keys.rotate("publisher")
    alice.keys.rotate("timestamp")
    alice.edit(V2, lines(40, changed=8))
    alice.edit(ALMANAC, lines(60, "almanac", changed=3))
    alice.publish()
    for _ in range(2):  # the old key goes, and so does its signature
        ticking.tick(alice.means, jobs_at_once=0)
        alice.pass_time(hours=1)
    sha256 = hashlib.sha256(lines(40, changed=8)).hexdigest()
    put_copies(store, object_path(V2, sha256), QUICK)
    return store


def test_a_published_store_is_verified_and_the_report_says_what_was_trusted(published: MemoryStore) -> None:
    report = verified(published)
    assert (report.problems, report.warnings, report.exit_code) == ([], [], 0)
    assert report.release == 3
    assert report.fingerprint == hashlib.sha256(published.get("metadata/1.root.json")).hexdigest()
    assert report.counts["documents verified"] == 4
    assert report.counts["deltas applied and compared"] == 3
    copies = [name for name in published.names() if name.endswith((".br", ".gz", ".zst"))]
    assert report.counts["precompressed copies verified"] == len(copies) > 3
    assert [role.role for role in report.roles][:4] == ["root", "timestamp", "snapshot", "targets"]
    text = "\n".join(report.lines())
    assert signer_of("root").public_key.keyid[:16] in text
    assert "expires 2026-" in text


def test_the_report_as_json_says_the_same(published: MemoryStore) -> None:
    form = json.loads(json.dumps(verified(published).as_json()))
    assert (form["verified"], form["release"], form["exit_code"]) == (True, 3, 0)


def test_a_mirror_over_http_is_verified_with_its_deltas(published: MemoryStore, tmp_path: Path) -> None:
    for name in published.names():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(published.get(name))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "site")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        source = HttpSource(f"http://127.0.0.1:{server.server_port}")
        report = verify_store(source, now=NOW + timedelta(hours=3))
        source._fetcher.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert (report.problems, report.warnings) == ([], [])
    assert report.counts["deltas applied and compared"] == 3


def test_a_fingerprint_ties_the_store_to_its_publisher(published: MemoryStore) -> None:
    right = hashlib.sha256(published.get("metadata/1.root.json")).hexdigest()
    assert verified(published, fingerprint=right.upper()).exit_code == 0
    assert verified(published, fingerprint="0" * 64).exit_code == 13


def test_an_empty_store_is_said_to_be_empty() -> None:
    report = verified(MemoryStore())
    assert (report.exit_code, report.problems[0].what) == (10, "nothing is published")


def test_time_alone_makes_it_expired_and_the_rest_is_still_looked_at(published: MemoryStore) -> None:
    report = verified(published, now=NOW + timedelta(days=5))
    assert report.exit_code == 11
    assert report.counts["documents verified"] == 4


def spoil(data: bytes, place: int, bit: int) -> bytes:
    spoilt = bytearray(data)
    spoilt[place] ^= 1 << bit
    return bytes(spoilt)


def is_harmless(store: MemoryStore, name: str, spoilt: bytes) -> bool:
    """What no signature covers and no byte depends on: a copy or delta that still gives its document, free words."""
    if name.endswith((".gz", ".br", ".zst")):
        return True
    if name.startswith("deltas/"):
        _, old, new = name.removesuffix(".dcz").split("/")
        by_hash = {
            n.split("/")[-1][:64]: n for n in store.names("targets/") if n.endswith((".yaml", ".json"))
        }
        document = store.get(by_hash[new])
        try:
            return dcz.decode(store.get(by_hash[old]), spoilt, max_length=len(document)) == document
        except MalformedError:
            return False
    if name == "index.json":
        try:
            before, after = json.loads(store.get(name)), json.loads(spoilt)
        except ValueError:
            return False
        free = ("published", "regions", "experiments")
        return _without(before, free) == _without(after, free)
    return False


def _without(index: dict, names: tuple[str, ...]) -> object:
    kept = {key: value for key, value in index.items() if key not in names}
    kept["schemas"] = [
        {key: value for key, value in line.items() if key not in ("name", "status", "sunset")}
        for line in kept.get("schemas", [])
    ]
    return kept


def test_any_flipped_bit_in_any_file_is_refused_or_named(published: MemoryStore) -> None:
    clean = len(verified(published).warnings)

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        database=None,
    )
    @given(st.sampled_from(sorted(published.names())), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
    def flipped(name: str, where: float, bit: int) -> None:
        data = published.get(name)
        spoilt = spoil(data, int(where * len(data)), bit)
        if is_harmless(published, name, spoilt):
            return
        store = copy_of(published)
        store.put(name, spoilt)
        report = verified(store)
        assert report.problems or len(report.warnings) > clean, name

    flipped()


def test_every_bit_of_the_timestamp_counts(published: MemoryStore) -> None:
    data = published.get("metadata/timestamp.json")
    for place in range(len(data)):
        store = copy_of(published)
        store.put("metadata/timestamp.json", spoil(data, place, place % 8))
        assert verified(store).problems, place


def test_any_missing_file_is_named(published: MemoryStore) -> None:
    """Older files that nothing refers to may go; whatever is listed now, and every root but the last, may not.

    That the newest root is withheld nobody can tell who does not know it, unless only its keys signed what is served.
    """
    for name in sorted(published.names()):
        store = copy_of(published)
        store.delete(name)
        report = verified(store)
        is_current = name in {newest(published, role) for role in ("snapshot", "targets", "v2")}
        is_current = is_current or name == "metadata/2.root.json"
        if is_current or name.startswith(("catalog/", "regions/")) or name in ("index.json", "minisign.pub"):
            assert report.problems or report.warnings, name


def resign(store: MemoryStore, name: str, signers: list[Ed25519Signer], **changes: object) -> None:
    """Mallory's own signature, or one with a key that she stole."""
    signed = {**json.loads(store.get(name))["signed"], **changes}
    payload = tuf.canonical(signed, name)
    signatures = [
        {"keyid": signer.public_key.keyid, "sig": signer.sign_bytes(payload).hex()} for signer in signers
    ]
    store.put(name, json.dumps({"signed": signed, "signatures": signatures}).encode())


def timestamp_key(store: MemoryStore) -> Ed25519Signer:
    keyid = json.loads(store.get(newest(store, "root")))["signed"]["roles"]["timestamp"]["keyids"][0]
    found = [signer_of("timestamp"), *(signer_of(f"timestamp {number}") for number in range(1, 9))]
    return next(signer for signer in found if signer.public_key.keyid == keyid)


def by_a_wrong_key(store: MemoryStore) -> None:
    resign(store, "metadata/timestamp.json", [signer_of("mallory")])


def by_the_retired_key(store: MemoryStore) -> None:
    resign(store, "metadata/timestamp.json", [signer_of("timestamp")])


def by_the_snapshot_key(store: MemoryStore) -> None:
    resign(store, "metadata/timestamp.json", [signer_of("snapshot")])


def twice_by_one_key(store: MemoryStore) -> None:
    key = timestamp_key(store)
    resign(store, "metadata/timestamp.json", [key, key])


def a_far_expiry(store: MemoryStore) -> None:
    resign(store, "metadata/timestamp.json", [timestamp_key(store)], expires="2027-11-20T00:00:00Z")


def a_root_by_herself(store: MemoryStore) -> None:
    number = int(newest(store, "root").split("/")[1].split(".")[0])
    store.put(f"metadata/{number + 1}.root.json", store.get(newest(store, "root")))
    resign(store, f"metadata/{number + 1}.root.json", [signer_of("mallory")], version=number + 1)


@pytest.mark.parametrize(
    "attack",
    [
        by_a_wrong_key,
        by_the_retired_key,
        by_the_snapshot_key,
        twice_by_one_key,
        a_far_expiry,
        a_root_by_herself,
    ],
)
def test_a_forged_signature_is_refused_with_13(
    published: MemoryStore, attack: Callable[[MemoryStore], None]
) -> None:
    attack(published)
    assert verified(published).exit_code == 13


def test_a_timestamp_typed_document_as_snapshot_is_refused(tmp_path: Path) -> None:
    """One key for both roles here, so that nothing but the type tells the documents apart."""
    store = MemoryStore()
    alice = Publisher(tmp_path, store=store)
    alice.keys.current["timestamp"] = alice.keys.current["snapshot"] = [signer_of("both")]
    alice.publish()
    data = store.get("metadata/timestamp.json")
    store.put("metadata/1.snapshot.json", data)
    listed = {"version": 1, "length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
    resign(store, "metadata/timestamp.json", [signer_of("both")], meta={"snapshot.json": listed})
    report = verified(store)
    assert report.exit_code == 13
    assert "this is a 'timestamp' and not a 'snapshot'" in str(report.problems[0])


@pytest.mark.parametrize("version", [0, -1, 2**31, 2**53, 1.0, "1", True, None])
def test_a_version_that_is_none_is_malformed(published: MemoryStore, version: object) -> None:
    try:
        resign(published, "metadata/timestamp.json", [timestamp_key(published)], version=version)
    except MalformedError:  # our canonical JSON has no floats; she writes one all the same
        text = published.get("metadata/timestamp.json").decode()
        signed = json.loads(text)["signed"]["version"]
        published.put(
            "metadata/timestamp.json", text.replace(f'"version":{signed}}}', '"version":1.0}').encode()
        )
    assert verified(published).exit_code in (13, 14)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 16_000,
        b'{"signed":{},"signatures":[]}',
        b'{"signed":{"a":NaN}}',
    ],
)
def test_nonsense_for_metadata_is_malformed_and_no_traceback(published: MemoryStore, data: bytes) -> None:
    published.put("metadata/timestamp.json", data)
    assert verified(published).exit_code == 14


def test_two_signatures_of_one_key_are_not_a_threshold_of_two() -> None:
    """One secret under two ids: counted are keys."""
    alice = signer_of("alice")
    signed = {"_type": "timestamp", "version": 1, "spec_version": "1.0", "expires": "2027-01-01T00:00:00Z"}
    signature = alice.sign_bytes(tuf.canonical(signed, "")).hex()
    document = {
        "signed": signed,
        "signatures": [{"keyid": "a", "sig": signature}, {"keyid": "b", "sig": signature}],
    }
    envelope = tuf.read(json.dumps(document).encode(), "timestamp", "here")
    with pytest.raises(Exception, match="2 needed"):
        tuf.verified_by(envelope, tuf.Trust({"a": alice.public_bytes, "b": alice.public_bytes}, 2))


def test_a_key_whose_id_is_not_its_hash_counts_as_absent() -> None:
    alice = signer_of("alice").public_key
    assert list(tuf._sound_keys({alice.keyid: alice.to_dict()})) == [alice.keyid]
    assert tuf._sound_keys({"0" * 64: alice.to_dict(), "x": {"keytype": "rsa"}, "y": 7}) == {}


def test_our_canonical_json_is_that_of_the_library(published: MemoryStore) -> None:
    from securesystemslib.formats import encode_canonical

    value = {"b": [1, None, True, 'q"\\ \n ü'], "a": {"z": -1, "": "x"}}
    assert tuf.canonical(value, "").decode() == encode_canonical(value)


def test_a_plain_address_that_is_behind_is_a_warning(published: MemoryStore) -> None:
    old = lines(40, changed=7)
    published.put(V2, old)
    published.put(
        f"{V2}.minisig", published.get(f"{object_path(V2, hashlib.sha256(old).hexdigest())}.minisig")
    )
    report = verified(published)
    assert report.exit_code == 0
    assert report.warnings == [f"{V2} is behind: it holds an earlier document of this address"]


def test_a_plain_address_with_foreign_bytes_is_an_error(published: MemoryStore) -> None:
    published.put(EU, b"- provider: mallory\n")
    report = verified(published)
    assert report.exit_code == 14
    assert report.problems[0].where == EU


def test_a_minisign_signature_of_another_document_is_an_error(published: MemoryStore) -> None:
    published.put(f"{EU}.minisig", published.get(f"{V2}.minisig"))
    assert verified(published).exit_code == 13


def test_our_own_signature_with_a_comment_about_another_path_is_an_error(published: MemoryStore) -> None:
    """Mallory moves a document, with its true signature, to the address of another."""
    from signing.minisign import MinisignSigner

    signature = MinisignSigner(signer_of("minisign")).sign(published.get(EU), path=V2, release=1)
    published.put(f"{EU}.minisig", signature)
    report = verified(published)
    assert (report.exit_code, report.problems[0].what) == (14, "its comment speaks of something else")


def test_another_minisign_key_is_found(published: MemoryStore) -> None:
    from signing.minisign import MinisignSigner

    published.put("minisign.pub", MinisignSigner(signer_of("mallory")).public_key.text.encode())
    assert verified(published).exit_code == 13


def test_a_stray_file_is_named(published: MemoryStore) -> None:
    published.put("notes.txt", b"to do")
    assert verified(published).warnings == ["notes.txt is not part of what is published"]


def test_an_old_document_that_is_damaged_is_found(published: MemoryStore) -> None:
    name = object_path(V2, hashlib.sha256(lines(40)).hexdigest())
    published.put(name, b"x")
    report = verified(published)
    assert report.exit_code == 14
    assert name in {problem.where for problem in report.problems}


def test_an_index_that_contradicts_is_found(published: MemoryStore) -> None:
    index = json.loads(published.get("index.json"))
    index["root_fingerprint"] = "0" * 64
    published.put("index.json", json.dumps(index).encode())
    report = verified(published)
    assert "root_fingerprint" in str(report.problems[0])


def test_a_role_that_answers_for_paths_of_another_is_refused(tmp_path: Path) -> None:
    """The publisher's key is stolen and lists a document of ``network`` in ``v2``."""
    store = MemoryStore()
    Publisher(tmp_path, store=store).publish()
    house = House()
    name = newest(store, "v2")
    targets = json.loads(store.get(name))["signed"]["targets"]
    targets["mirrors.json"] = next(iter(targets.values()))
    resign(store, name, [signer_of("publisher")], targets=targets)
    data = store.get(name)
    snapshot = json.loads(store.get(newest(store, "snapshot")))["signed"]["meta"]
    snapshot["v2.json"] = {
        **snapshot["v2.json"],
        "length": len(data),
        "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
    }
    resign(store, newest(store, "snapshot"), [signer_of("snapshot")], meta=snapshot)
    data = store.get(newest(store, "snapshot"))
    meta = {
        "snapshot.json": {
            "version": 1,
            "length": len(data),
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
        }
    }
    resign(store, "metadata/timestamp.json", [signer_of("timestamp")], meta=meta)
    report = verified(store)
    assert "no client would find 'mirrors.json'" in str(report.problems[0])
    assert house.threshold("root") == 1


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    from django.core.management import call_command

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            call_command("verifystore", *words)
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return run


def test_the_command_says_what_it_trusted_and_ends_with_the_codes(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    """Signed now, because the command asks the clock."""
    from django.utils import timezone

    store = FileStore(tmp_path / "store")
    Publisher(tmp_path, store=store, now=timezone.now()).publish()
    code, out, _ = command(str(tmp_path / "store"))
    assert code == 0
    assert "root 1: signed by" in out
    assert "all of it verified" in out
    code, out, _ = command(f"file://{tmp_path}/store", "--json")
    assert (code, json.loads(out)["release"]) == (0, 1)
    store.put("metadata/timestamp.json", b"{}")
    code, _, err = command(str(tmp_path / "store"))
    assert code == 14
    assert "error: malformed: this is not TUF metadata metadata/timestamp.json" in err
    assert command(str(tmp_path / "nowhere"))[0] == 10
    assert command("gopher://example")[0] == 16
