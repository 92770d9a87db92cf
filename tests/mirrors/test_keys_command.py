"""``manage.py keys``: what an operator does with keys, end to end, and what is never printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from nacl.pwhash import argon2id

from almanac.stores import MemoryStore
from catalog.models import AuditEvent
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from signing.keyring import Keyring
from signing.sealing import Strength
from tests.mirrors.cast import V2, Publisher, lines

pytestmark = pytest.mark.django_db(transaction=True)

PASSPHRASE = b"a passphrase that is never shown"
QUICK = Strength(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, settings: object) -> Path:
    settings.KEYS_DIR = tmp_path / "keys"  # type: ignore[attr-defined]
    settings.KEY_PASSPHRASE = PASSPHRASE  # type: ignore[attr-defined]
    return tmp_path / "keys"


@pytest.fixture
def keyring(folder: Path) -> Keyring:
    return Keyring.create(folder, PASSPHRASE, now=timezone.now(), strength=QUICK)


@pytest.fixture
def keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> tuple[int, str, str]:
        code = 0
        try:
            call_command("keys", *map(str, words))
        except SystemExit as end:
            code = int(end.code or 0)
        shown = capsys.readouterr()
        assert PASSPHRASE.decode() not in shown.out + shown.err
        return code, shown.out, shown.err

    return run


def publisher(tmp_path: Path, folder: Path) -> Publisher:
    """Signs with the keyring as it is now."""
    keys = Keyring.open(folder, PASSPHRASE)
    return Publisher(tmp_path, store=MemoryStore(), keys=keys, now=timezone.now())  # type: ignore[arg-type]


def exit_code(store: object) -> int:
    return verify_store(StoreSource(store, "memory:"), now=timezone.now()).exit_code  # type: ignore[arg-type]


def test_create_makes_a_key_for_every_purpose_and_says_so_once(keys: Run, folder: Path) -> None:
    code, out, _ = keys("create", "--dry-run")
    assert (code, folder.exists()) == (0, False)
    assert out.startswith("Would create: root, targets")
    assert len(keys("create")[1].splitlines()) == 7
    assert "nothing to create" in keys("create")[1]
    assert AuditEvent.objects.filter(action="key.create").count() == 7


def test_list_shows_public_facts_alone(keys: Run, keyring: Keyring, settings: object) -> None:
    settings.KEY_PASSPHRASE = None  # type: ignore[attr-defined]
    code, out, _ = keys("list")
    assert code == 0
    assert all(info.keyid[:16] in out for info in keyring.list())
    facts = json.loads(keys("list", "--json")[1])
    assert facts["minisign_key"].startswith("RW")
    assert {key["here"] for key in facts["keys"]} == {True}


def test_without_a_keyring_it_says_how_to_make_one(keys: Run) -> None:
    code, _, err = keys("list")
    assert code == 16
    assert "keys create" in err


def test_a_wrong_passphrase_is_one_clear_line(keys: Run, keyring: Keyring, settings: object) -> None:
    settings.KEY_PASSPHRASE = b"wrong"  # type: ignore[attr-defined]
    code, _, err = keys("rotate", "timestamp")
    assert code == 2
    assert err.startswith("error: passphrase: ")
    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("purpose", ["timestamp", "snapshot", "publisher", "network", "targets", "root"])
def test_after_a_rotation_the_next_publication_verifies(
    keys: Run, keyring: Keyring, folder: Path, tmp_path: Path, purpose: str
) -> None:
    alice = publisher(tmp_path, folder)
    alice.publish()
    old = keyring.public_keys(purpose)[0].keyid
    assert keys("rotate", purpose, "--dry-run")[0] == 0
    assert keys("rotate", purpose)[0] == 0
    alice.keys = Keyring.open(folder, PASSPHRASE)  # type: ignore[assignment]
    assert alice.keys.public_keys(purpose)[0].keyid != old
    alice.edit(V2, lines(40, changed=3))
    alice.publish()
    assert exit_code(alice.store) == 0
    assert AuditEvent.objects.filter(action="key.rotate").count() == 1


def test_a_key_is_retiring_until_the_root_that_drops_it(
    keys: Run, keyring: Keyring, folder: Path, tmp_path: Path
) -> None:
    alice = publisher(tmp_path, folder)
    alice.publish()
    old = keyring.public_keys("timestamp")[0].keyid
    assert "beside the old one" in keys("rotate", "timestamp")[2]

    def state() -> str:
        listed = json.loads(keys("list", "--json")[1])["keys"]
        return next(key["state"] for key in listed if key["keyid"] == old)

    alice.keys = Keyring.open(folder, PASSPHRASE)  # type: ignore[assignment]
    for renewed, after in ((["root"], "retiring"), (["root"], "retired"), ([], "retired")):
        assert state() == ("retired" if not renewed else "retiring")
        assert alice.tick().renewed == renewed
        assert state() == after
        assert exit_code(alice.store) == 0


def test_a_compromised_key_is_dropped_at_once(
    keys: Run, keyring: Keyring, folder: Path, tmp_path: Path
) -> None:
    alice = publisher(tmp_path, folder)
    alice.publish()
    old = keyring.public_keys("snapshot")[0].keyid
    assert "unable to verify for the seconds" in keys("rotate", "snapshot", "--now")[2]
    assert f"{old[:16]}  revoked" in keys("list")[1]
    assert AuditEvent.objects.get(action="key.rotate").detail["revoked_the_old"] is True
    alice.keys = Keyring.open(folder, PASSPHRASE)  # type: ignore[assignment]
    assert alice.tick().renewed == ["root"]
    assert old not in json.loads(alice.store.get("metadata/2.root.json"))["signed"]["keys"]
    assert alice.tick().renewed == []
    assert exit_code(alice.store) == 0


def test_the_minisign_key_is_not_rotated(keys: Run, keyring: Keyring) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        keys("rotate", "minisign")


@pytest.mark.skipif(
    os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < 3 * 2**29,
    reason="sealing an offline key takes 1 GiB of free memory",
)
def test_root_leaves_the_machine_and_comes_back(
    keys: Run, keyring: Keyring, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "words").write_text("the holder's own\n")
    words = ("--passphrase-file", tmp_path / "words")
    away = tmp_path / "root.key"
    assert keys("export", "root", "--output", away, "--remove", "--dry-run", *words)[0] == 0
    assert not away.exists()
    code, out, _ = keys("export", "root", "--output", away, "--remove", *words)
    assert code == 0
    assert "kept elsewhere" in out
    assert not list(folder.glob("root-*.key"))
    assert keys("import", away, *words)[0] == 0
    assert list(folder.glob("root-*.key"))
    assert json.loads(keys("list", "--json")[1])["keys"][0]["here"] is True


def test_a_ceremony_from_request_to_publication(
    keys: Run, keyring: Keyring, folder: Path, tmp_path: Path
) -> None:
    alice = publisher(tmp_path, folder)
    alice.publish()
    (tmp_path / "words").write_text("the holder's own")
    root = keyring.public_keys("root")[0].keyid
    keyring.export(root, tmp_path / "root.key", b"the holder's own", remove=True, strength=QUICK)
    code, _, err = keys("rotate", "snapshot")
    assert code == 0
    assert "'keys ceremony request root'" in err

    code, out, _ = keys("ceremony", "request", "root", "--output", tmp_path / "request.json")
    assert code == 0
    assert "root 2, valid until" in out
    code, _, err = keys("ceremony", "import", tmp_path / "request.json")
    assert code == 19
    assert root[:16] in err

    sign = ("ceremony", "sign", tmp_path / "request.json", "--key", tmp_path / "root.key")
    words = ("--passphrase-file", tmp_path / "words", "--output", tmp_path / "signed.json")
    code, out, err = keys(*sign, *words)
    assert (code, (tmp_path / "signed.json").exists()) == (2, False)
    assert "add --yes" in err
    assert keys(*sign, *words, "--yes")[0] == 0
    assert "signed: " + root[:16] in keys("ceremony", "show", tmp_path / "signed.json")[1]
    assert keys("ceremony", "import", tmp_path / "signed.json")[0] == 0

    alice.keys = Keyring.open(folder, PASSPHRASE)  # type: ignore[assignment]
    alice.edit(V2, lines(40, changed=3))
    alice.publish()
    assert exit_code(alice.store) == 0

    # The first root named the old key beside the new one; now a second one drops it.
    ceremony = ("ceremony", "request", "root", "--output", tmp_path / "request-2.json")
    assert "root 3, valid until" in keys(*ceremony)[1]
    sign = ("ceremony", "sign", tmp_path / "request-2.json", "--key", tmp_path / "root.key")
    words = ("--passphrase-file", tmp_path / "words", "--output", tmp_path / "signed-2.json")
    assert keys(*sign, *words, "--yes")[0] == 0
    assert keys("ceremony", "import", tmp_path / "signed-2.json")[0] == 0
    assert alice.tick().renewed == ["root"]
    assert exit_code(alice.store) == 0
    assert keys("ceremony", "request", "root", "--output", tmp_path / "again.json")[0] == 2


def test_a_holders_public_half_joins_and_thresholds_are_kept(
    keys: Run, keyring: Keyring, tmp_path: Path
) -> None:
    assert keys("threshold", "root", 2)[0] == 16
    bob = Keyring.create(tmp_path / "bob", b"bob", now=timezone.now(), strength=QUICK)
    public = bob.public_keys("root")[0]
    (tmp_path / "bob.pub").write_text(json.dumps({"purpose": "root", "public": public.keyval["public"]}))
    assert keys("import", tmp_path / "bob.pub")[0] == 0
    assert keys("threshold", "root", 2)[0] == 0
    facts = json.loads(keys("list", "--json")[1])
    assert facts["thresholds"]["root"] == 2
    assert [key["here"] for key in facts["keys"] if key["keyid"] == public.keyid] == [False]
    code, _, err = keys("retire", public.keyid[:16])
    assert code == 16
    assert "fewer than it needs" in err


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 14),
        ("{}", 14),
        ('{"purpose":"root","public":"zz"}', 14),
        ('{"purpose":"root","public":"00"}', 14),
        ('{"purpose":"root","public":"' + "ff" * 32 + '"}', 14),
        ('{"purpose":"minisign","public":"' + "ff" * 32 + '"}', 16),
    ],
)
def test_what_is_no_key_is_not_taken_in(
    keys: Run, keyring: Keyring, tmp_path: Path, text: str, code: int
) -> None:
    (tmp_path / "file").write_text(text)
    assert keys("import", tmp_path / "file")[0] == code
    assert keys("import", tmp_path / "absent")[0] == 16
    assert Keyring.open(keyring.folder).list() == keyring.list()
