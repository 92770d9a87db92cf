"""Signatures for people with stock minisign."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from almanac.errors import MalformedError
from signing.errors import MinisignError
from signing.minisign import MinisignSigner, read_public_key, read_signature, trusted_facts, verify
from tests.signing.cast import signer_of

DATA = b"- provider: openai\n"
PATH = "catalog/v2/models.yaml"

alice = MinisignSigner(signer_of("alice"))
mallory = MinisignSigner(signer_of("mallory"))

needs_minisign = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")


def signature() -> bytes:
    return alice.sign(DATA, path=PATH, release=7)


def stock(folder: Path, data: bytes, minisig: bytes, *key: str) -> subprocess.CompletedProcess[str]:
    (folder / "models.yaml").write_bytes(data)
    (folder / "models.yaml.minisig").write_bytes(minisig)
    return subprocess.run(
        ["minisign", "-Vm", "models.yaml", *key], cwd=folder, capture_output=True, text=True, check=False
    )


@needs_minisign
def test_stock_minisign_accepts_it_with_the_key_line(tmp_path: Path) -> None:
    done = stock(tmp_path, DATA, signature(), "-P", alice.public_key.line)
    assert done.returncode == 0, done.stderr
    assert f"path:{PATH} release:7 sha256:{hashlib.sha256(DATA).hexdigest()}" in done.stdout


@needs_minisign
def test_stock_minisign_accepts_it_with_the_key_file(tmp_path: Path) -> None:
    (tmp_path / "minisign.pub").write_text(alice.public_key.text)
    assert stock(tmp_path, DATA, signature(), "-p", "minisign.pub").returncode == 0


@needs_minisign
@pytest.mark.parametrize(
    ("data", "minisig", "key"),
    [
        (DATA + b"x", signature(), alice),
        (DATA, signature(), mallory),
        (DATA, signature().replace(b"release:7", b"release:8"), alice),
    ],
)
def test_stock_minisign_and_ours_refuse_the_same(
    tmp_path: Path, data: bytes, minisig: bytes, key: MinisignSigner
) -> None:
    assert stock(tmp_path, data, minisig, "-P", key.public_key.line).returncode != 0
    with pytest.raises(MinisignError):
        verify(data, minisig, key.public_key)


@needs_minisign
def test_a_signature_of_stock_minisign_verifies_here(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    for command in (["-G", "-W", "-p", "p", "-s", "s"], ["-S", "-s", "s", "-m", "f", "-t", "a comment"]):
        subprocess.run(["minisign", *command], cwd=tmp_path, check=True, capture_output=True)
    key = read_public_key((tmp_path / "p").read_text())
    assert verify(DATA, (tmp_path / "f.minisig").read_bytes(), key) == "a comment"


def test_the_trusted_comment_is_given_back_with_its_facts() -> None:
    facts = trusted_facts(verify(DATA, signature(), alice.public_key))
    assert facts == {"path": PATH, "release": "7", "sha256": hashlib.sha256(DATA).hexdigest()}


def test_the_same_file_has_the_same_signature() -> None:
    assert signature() == signature()


def test_the_key_line_begins_as_people_know_it_and_reads_back() -> None:
    assert alice.public_key.line.startswith("RW")
    assert (
        read_public_key(alice.public_key.line) == read_public_key(alice.public_key.text) == alice.public_key
    )


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"\xff",
        b"untrusted comment: x\n",
        signature() + b"\n",
        signature()[:-10],
        signature().replace(b"\n", b"\r\n"),
        signature().replace(b"\nRU", b"\nRW"),
        b"x" * 10_000,
    ],
)
def test_what_is_no_signature_is_malformed(spoilt: bytes) -> None:
    with pytest.raises(MalformedError):
        read_signature(spoilt)


def test_any_flipped_byte_after_the_untrusted_line_is_refused() -> None:
    whole = signature()
    for place in range(whole.index(b"\n") + 1, len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1
        with pytest.raises((MinisignError, MalformedError)):
            verify(DATA, bytes(spoilt), alice.public_key)


def test_a_comment_with_a_line_break_is_never_signed() -> None:
    with pytest.raises(MalformedError):
        alice.sign(DATA, path="a\ntrusted comment: b", release=1)
