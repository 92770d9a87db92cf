"""Keys at rest: sealed, private, told apart when damaged or locked, and movable to another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from nacl.pwhash import argon2id

from signing.errors import KeyringError, MissingKeyError, WrongPassphraseError
from signing.keyring import PURPOSES, Keyring, read_key_file
from signing.keys import Secret, new_seed
from signing.metadata import next_metadata
from signing.sealing import INTERACTIVE, MODERATE, Derivation, Owner, Strength, seal, unseal
from tests.signing.cast import DOCUMENTS, NOW, House, StockClient, contents_of, signer_of

QUICK = Strength(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
PASSPHRASE = b"alice's passphrase"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keyring(folder: Path) -> Keyring:
    return Keyring.create(folder, PASSPHRASE, now=NOW, strength=QUICK)


def key_file(folder: Path, purpose: str) -> Path:
    (found,) = folder.glob(f"{purpose}-*.key")
    return found


def test_the_first_day_has_a_key_for_every_purpose(keyring: Keyring) -> None:
    assert [info.purpose for info in keyring.list()] == list(PURPOSES)
    assert len({info.keyid for info in keyring.list()}) == len(PURPOSES)


def test_creating_again_keeps_what_is_there(keyring: Keyring, folder: Path) -> None:
    again = Keyring.create(folder, PASSPHRASE, now=NOW + timedelta(days=1), strength=QUICK)
    assert again.list() == keyring.list()


def test_its_keys_sign_a_publication_that_a_stock_client_reads(keyring: Keyring, tmp_path: Path) -> None:
    house = House(keys=keyring)  # type: ignore[arg-type]
    house.publish()
    client = StockClient(tmp_path / "client", house)
    assert {path: client.read(path) for path in DOCUMENTS} == DOCUMENTS
    for purpose in ("timestamp", "snapshot", "targets", "publisher", "network", "root"):
        keyring.rotate(purpose, now=house.now)
    house.publish()
    assert {path: client.read(path) for path in DOCUMENTS} == DOCUMENTS


def test_only_the_owner_can_read_the_files(keyring: Keyring, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_no_file_holds_a_seed_in_the_clear(folder: Path) -> None:
    seeds = [bytes([65 + number]) * 32 for number in range(len(PURPOSES))]
    given = iter(seeds)

    def random(length: int) -> bytes:
        return next(given) if length == 32 else os.urandom(length)

    Keyring.create(folder, PASSPHRASE, now=NOW, strength=QUICK, random=random)
    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not [seed for seed in seeds if seed in everything or seed.hex().encode() in everything]


def test_nothing_that_the_keyring_prints_is_secret(keyring: Keyring) -> None:
    signer = keyring.signer(keyring.list()[0].keyid)
    text = f"{keyring} {keyring!r} {vars(keyring)} {signer} {keyring.minisign()} {keyring.list()}"
    assert PASSPHRASE.decode() not in text


def test_listing_needs_no_passphrase(keyring: Keyring, folder: Path) -> None:
    stranger = Keyring.open(folder)
    assert stranger.list() == keyring.list()
    assert stranger.minisign_public_key().line.startswith("RW")


def test_signing_without_a_passphrase_is_refused(keyring: Keyring, folder: Path) -> None:
    with pytest.raises(WrongPassphraseError, match="none was given"):
        Keyring.open(folder).signer(keyring.list()[0].keyid)


@pytest.mark.parametrize("wrong", [b"bob's passphrase", PASSPHRASE + b" ", b""])
def test_a_wrong_passphrase_is_said_to_be_wrong(keyring: Keyring, folder: Path, wrong: bytes) -> None:
    with pytest.raises(WrongPassphraseError) as refusal:
        Keyring.open(folder, wrong).signer(keyring.list()[0].keyid)
    assert refusal.value.exit_code == 2


def test_any_flipped_byte_of_a_key_file_is_damage_and_not_a_wrong_passphrase(
    keyring: Keyring, folder: Path
) -> None:
    path = key_file(folder, "timestamp")
    keyid = next(info.keyid for info in keyring.list() if info.purpose == "timestamp")
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x11
        path.write_bytes(bytes(spoilt))
        if _is_same_json(bytes(spoilt), whole):
            continue  # white space between the fields is not part of what they say
        with pytest.raises(KeyringError, match="damaged|format"):
            Keyring.open(folder, PASSPHRASE).signer(keyid)


def _is_same_json(some: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(some) == json.loads(other))
    except ValueError:
        return False


def test_a_header_that_somebody_changed_and_summed_again_opens_nothing(
    keyring: Keyring, folder: Path
) -> None:
    """Mallory turns a network key into a timestamp key and makes the checksum fit."""
    import hashlib

    path = key_file(folder, "network")
    body = json.loads(path.read_bytes())
    del body["sha256"]
    body["purpose"] = "timestamp"
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    path.write_text(json.dumps({**body, "sha256": hashlib.sha256(canonical).hexdigest()}))
    with pytest.raises(WrongPassphraseError):
        Keyring.open(folder, PASSPHRASE).signer(body["keyid"])


def test_a_sealed_seed_must_be_that_of_the_public_key_beside_it() -> None:
    derivation, passphrase = Derivation.fresh(QUICK), Secret(PASSPHRASE)
    public = signer_of("another").public_key
    owner = Owner(public.keyid, "root", public.keyval["public"], "2026-11-20T12:00:00Z")
    sealed = seal(new_seed(), owner, passphrase, derivation)
    with pytest.raises(KeyringError, match="damaged"):
        unseal(sealed, passphrase, "root.key")


def test_a_key_that_somebody_slipped_into_the_register_is_found(
    keyring: Keyring, folder: Path, tmp_path: Path
) -> None:
    """Mallory can write in the folder and does not know the passphrase."""
    hers = Keyring.create(tmp_path / "hers", b"mallory", now=NOW, strength=QUICK)
    path = folder / "keyring.json"
    register = json.loads(path.read_bytes())
    slipped = json.loads((tmp_path / "hers" / "keyring.json").read_bytes())["keys"][5]
    register["keys"][5] = slipped
    path.write_text(json.dumps(register))
    assert slipped["keyid"] in {info.keyid for info in hers.list()}
    with pytest.raises(KeyringError, match="damaged"):
        Keyring.open(folder, PASSPHRASE).signer(register["keys"][0]["keyid"])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format":1}', '{"format":2}', "[" * 3000, '{"format":1,"kdf":7}']
)
def test_a_damaged_register_is_one_clear_line(keyring: Keyring, folder: Path, text: str) -> None:
    (folder / "keyring.json").write_text(text)
    with pytest.raises(KeyringError):
        Keyring.open(folder, PASSPHRASE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_refused(keyring: Keyring, folder: Path, mode: int) -> None:
    path = key_file(folder, "root")
    path.chmod(mode)
    with pytest.raises(KeyringError, match="other users may read"):
        Keyring.open(folder, PASSPHRASE).signer(keyring.list()[0].keyid)


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_where_others_can_write_is_refused(keyring: Keyring, folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(KeyringError, match="other users may write"):
        Keyring.open(folder, PASSPHRASE)


def test_a_folder_below_one_where_anybody_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(KeyringError, match="anybody may write"):
        Keyring.create(tmp_path / "open" / "keys", PASSPHRASE, now=NOW, strength=QUICK)


def test_a_key_file_that_is_a_link_is_refused(keyring: Keyring, folder: Path, tmp_path: Path) -> None:
    path = key_file(folder, "root")
    path.rename(tmp_path / "elsewhere.key")
    path.symlink_to(tmp_path / "elsewhere.key")
    with pytest.raises(KeyringError, match="symbolic link"):
        Keyring.open(folder, PASSPHRASE).signer(keyring.list()[0].keyid)


def test_a_file_that_asks_for_too_much_memory_is_damaged(keyring: Keyring, folder: Path) -> None:
    path = folder / "keyring.json"
    register = json.loads(path.read_bytes())
    register["kdf"]["mem"] = 2**44
    path.write_text(json.dumps(register))
    with pytest.raises(KeyringError, match="damaged"):
        Keyring.open(folder, PASSPHRASE)


def test_too_little_memory_is_said_with_the_number_that_is_needed(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from tests.signing.cast import NOW
from signing.errors import MemoryNeededError
from signing.keyring import Keyring
resource.setrlimit(resource.RLIMIT_AS, (220 * 2**20, 220 * 2**20))
try:
    Keyring.create(Path(sys.argv[1]), b"x", now=NOW)
except MemoryNeededError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "keys")], capture_output=True, text=True, check=False
    )
    assert "needs 256 MiB of free memory" in done.stdout, done.stderr


def test_without_a_passphrase_a_random_one_lies_in_the_folder(folder: Path) -> None:
    keyring = Keyring.create(folder, now=NOW, strength=QUICK)
    passphrase = (folder / "passphrase").read_bytes().strip()
    assert len(passphrase) >= 40
    assert (folder / "passphrase").stat().st_mode & 0o777 == 0o600
    assert Keyring.open(folder).signer(keyring.list()[0].keyid) is not None
    with pytest.raises(WrongPassphraseError, match="unset KEY_PASSPHRASE"):
        Keyring.open(folder, b"another").signer(keyring.list()[0].keyid)


def test_a_rotated_key_is_retired_and_still_signs(keyring: Keyring, folder: Path) -> None:
    old = keyring.public_keys("timestamp")[0].keyid
    new = keyring.rotate("timestamp", now=NOW).keyid
    assert [key.keyid for key in keyring.public_keys("timestamp")] == [new]
    reopened = Keyring.open(folder, PASSPHRASE)
    assert reopened.signer(old) is not None
    assert {info.keyid: info.state for info in reopened.list() if info.purpose == "timestamp"} == {
        old: "retired",
        new: "current",
    }


def test_a_threshold_needs_as_many_keys(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="has 1 current keys"):
        keyring.set_threshold("root", 2)
    keyring.add("root", now=NOW)
    keyring.set_threshold("root", 2)
    made = next_metadata(current={}, contents=contents_of(DOCUMENTS), release=1, keyring=keyring, now=NOW)
    root = json.loads(made.roles["root"])
    assert root["signed"]["roles"]["root"]["threshold"] == 2
    assert len(root["signatures"]) == 2


def test_of_two_current_keys_rotation_asks_which(keyring: Keyring) -> None:
    first = keyring.public_keys("root")[0].keyid
    second = keyring.add("root", now=NOW).keyid
    with pytest.raises(KeyringError, match="2 current keys of root fit"):
        keyring.rotate("root", now=NOW)
    third = keyring.rotate("root", now=NOW, keyid=first[:12]).keyid
    assert {key.keyid for key in keyring.public_keys("root")} == {second, third}


def test_root_lives_off_the_machine_and_comes_back(keyring: Keyring, folder: Path, tmp_path: Path) -> None:
    house = House(keys=keyring)  # type: ignore[arg-type]
    house.publish()
    away = tmp_path / "root.key"
    keyid = keyring.public_keys("root")[0].keyid
    register = (folder / "keyring.json").stat().st_mtime_ns
    keyring.export(keyid[:16], away, b"the holder's own", remove=True, strength=QUICK)
    assert not list(folder.glob("root-*.key"))
    assert (folder / "keyring.json").stat().st_mtime_ns > register, "a process that holds the key must notice"
    assert read_key_file(away).purpose == "root"
    assert away.stat().st_mode & 0o777 == 0o600

    house.keys = Keyring.open(folder, PASSPHRASE)  # type: ignore[assignment]
    house.pass_time(days=200)
    assert house.publish().postponed == {"root"}
    house.pass_time(days=166)
    with pytest.raises(MissingKeyError, match=keyid[:16]):
        house.publish()

    with pytest.raises(WrongPassphraseError):
        keyring.import_(away, b"not the holder's")
    keyring.import_(away, b"the holder's own")
    house.keys = Keyring.open(folder, PASSPHRASE)  # type: ignore[assignment]
    assert "root" in house.publish().changed


def test_an_export_never_overwrites(keyring: Keyring, tmp_path: Path) -> None:
    away = tmp_path / "root.key"
    away.write_text("a holder's other key")
    with pytest.raises(KeyringError, match="there already"):
        keyring.export(keyring.list()[0].keyid, away, b"x", strength=QUICK)
    assert away.read_text() == "a holder's other key"


def test_an_imported_key_of_another_keyring_joins_as_current(keyring: Keyring, tmp_path: Path) -> None:
    bobs = Keyring.create(tmp_path / "bob", b"bob", now=NOW, strength=QUICK)
    bobs_root = bobs.public_keys("root")[0].keyid
    bobs.export(bobs_root, tmp_path / "bob.key", b"on the way", strength=QUICK)
    keyring.import_(tmp_path / "bob.key", b"on the way")
    assert bobs_root in {key.keyid for key in keyring.public_keys("root")}


def test_opening_seven_keys_derives_once(folder: Path) -> None:
    """Counted by the memory that Argon2id would take: a second derivation could not be had under the limit."""
    from signing import sealing

    sealing._derived.clear()
    keyring = Keyring.create(folder, PASSPHRASE, now=NOW, strength=INTERACTIVE)
    for info in Keyring.open(folder, PASSPHRASE).list():
        assert keyring.signer(info.keyid) is not None
    assert len(sealing._derived) == 1


def test_online_keys_are_sealed_at_the_moderate_strength_by_default(folder: Path) -> None:
    Keyring.create(folder, PASSPHRASE, now=NOW)
    kdf = json.loads((folder / "keyring.json").read_bytes())["kdf"]
    assert (kdf["ops"], kdf["mem"]) == (MODERATE.ops, MODERATE.mem)


def test_a_missing_keyring_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="keys create"):
        Keyring.open(tmp_path)
