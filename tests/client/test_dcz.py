"""The delta codec against honest documents, the stock ``zstd`` program, and people who send something else."""

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac import dcz
from almanac.errors import MalformedError

OLD = b"".join(b'{"id":"model-%d","context_tokens":%d}\n' % (i, i * 1000) for i in range(5_000))
NEW = OLD.replace(b"4200000", b"8400000") + b'{"id":"model-5000"}\n'
LIMIT = 64 << 20


def frame_of(body: bytes, old: bytes = OLD) -> bytes:
    return dcz.MAGIC + hashlib.sha256(old).digest() + body


def zstd_frame(data: bytes, **options: int) -> bytes:
    parameters = {zstd.CompressionParameter[name]: value for name, value in options.items()}
    return zstd.compress(data, options=parameters)


@given(old=st.binary(max_size=3_000), new=st.binary(max_size=3_000))
@settings(max_examples=150, deadline=None)
def test_decode_gives_back_what_was_encoded(old: bytes, new: bytes) -> None:
    frame = dcz.encode(old, new)
    assert dcz.decode(old, frame, max_length=len(new)) == new
    assert dcz.dictionary_hash(frame) == hashlib.sha256(old).hexdigest()


def test_a_small_change_makes_a_small_delta() -> None:
    assert len(dcz.encode(OLD, NEW)) < 200


def test_a_changed_price_in_a_catalog_that_repeats_itself_makes_a_small_delta() -> None:
    """Records that differ in a few digits: the matcher must find this record's old place, not one that is alike."""
    record = "- name: provider:model-%06d-instruct\n  max_input_tokens: %d\n  input_price: 0.1\n  output_price: 0.8\n"
    old = "".join(record % (n, (8_192, 32_768, 131_072)[n % 3]) for n in range(40_000)).encode()
    middle = old.index(b"input_price: 0.1", len(old) // 2)
    new = old[:middle] + b"input_price: 0.3" + old[middle + 16 :]
    frame = dcz.encode(old, new, level=3)
    assert len(frame) < 700
    assert dcz.decode(old, frame, max_length=LIMIT) == new


@given(old=st.binary(max_size=3_000), new=st.binary(max_size=3_000), other=st.binary(max_size=3_000))
@settings(max_examples=100, deadline=None)
def test_makes_is_true_of_the_document_that_decode_gives_and_of_no_other(
    old: bytes, new: bytes, other: bytes
) -> None:
    frame = dcz.encode(old, new)
    assert dcz.makes(old, frame, new)
    assert dcz.makes(old, frame, other) == (other == new)


def test_makes_is_false_for_what_decode_refuses() -> None:
    frame = dcz.encode(OLD, NEW)
    for wrong in (frame[:-1], frame[:-5], frame[:60], frame + b"x", frame[: dcz.HEADER_LENGTH], b""):
        assert not dcz.makes(OLD, wrong, NEW)
    assert not dcz.makes(OLD, frame, NEW[:-1])
    assert not dcz.makes(OLD, frame, NEW + b"\n")
    assert not dcz.makes(NEW, frame, NEW)


def test_the_same_two_documents_always_give_the_same_bytes() -> None:
    assert dcz.encode(OLD, NEW) == dcz.encode(OLD, NEW)


def test_one_byte_inserted_at_the_front_of_a_large_document_stays_cheap() -> None:
    old = random.Random(1).randbytes(6 << 20)
    frame = dcz.encode(old, b"x" + old)
    assert len(frame) < 1_000
    assert dcz.decode(old, frame, max_length=len(old) + 1) == b"x" + old


def test_a_window_above_eight_mebibytes_follows_the_dictionary() -> None:
    old = random.Random(2).randbytes(12 << 20)
    new = old[: 6 << 20] + b"changed" + old[6 << 20 :]
    frame = dcz.encode(old, new)
    assert len(frame) < 2_000
    assert dcz.decode(old, frame, max_length=LIMIT) == new


def test_a_document_much_larger_than_its_dictionary_declares_only_what_decoders_must_accept() -> None:
    new = random.Random(3).randbytes(9 << 20)
    frame = dcz.encode(OLD, new)
    window, length = dcz._declared(frame[dcz.HEADER_LENGTH :])
    assert window <= dcz.window_limit(len(OLD)) == 8 << 20
    assert length == len(new)
    assert dcz.decode(OLD, frame, max_length=LIMIT) == new


def test_the_frame_carries_its_content_size_and_a_checksum() -> None:
    body = dcz.encode(OLD, NEW)[dcz.HEADER_LENGTH :]
    assert zstd.get_frame_info(body).decompressed_size == len(NEW)
    assert body[4] & 0x04


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd program is not installed")
@pytest.mark.parametrize("skipped", [dcz.HEADER_LENGTH, 0], ids=["the zstd frame", "the whole dcz frame"])
def test_the_stock_zstd_program_applies_our_deltas(tmp_path: Path, skipped: int) -> None:
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "delta.zst").write_bytes(dcz.encode(OLD, NEW)[skipped:])
    command = ["zstd", "-d", "-q", "--patch-from", "old", "delta.zst", "-o", "new"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "new").read_bytes() == NEW


def test_a_delta_of_another_document_is_refused() -> None:
    with pytest.raises(MalformedError, match="another document"):
        dcz.decode(NEW, dcz.encode(OLD, NEW), max_length=LIMIT)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        dcz.MAGIC,
        dcz.MAGIC + bytes(32),
        b"\x5e\x2a\x4d\x19\x20\x00\x00\x00" + bytes(40),
        bytes(100),
    ],
)
def test_what_is_not_dcz_is_refused(frame: bytes) -> None:
    with pytest.raises(MalformedError):
        dcz.decode(b"old document", frame, max_length=LIMIT)
    with pytest.raises(MalformedError, match="not a dcz delta"):
        dcz.dictionary_hash(frame)


def test_a_delta_cut_off_anywhere_is_refused() -> None:
    frame = dcz.encode(OLD, NEW)
    for length in range(len(frame)):
        with pytest.raises(MalformedError):
            dcz.decode(OLD, frame[:length], max_length=LIMIT)


@pytest.mark.parametrize("junk", [b"\0", b"junk", zstd.compress(b"more")])
def test_what_follows_the_frame_is_refused(junk: bytes) -> None:
    with pytest.raises(MalformedError, match="after its end"):
        dcz.decode(OLD, dcz.encode(OLD, NEW) + junk, max_length=LIMIT)


def test_a_flipped_bit_is_found() -> None:
    """Header flags aside (a reader may ignore those), no flip gives wrong bytes without an error."""
    frame = dcz.encode(OLD, NEW)
    for position in range(dcz.HEADER_LENGTH + 9, len(frame)):
        flipped = frame[:position] + bytes([frame[position] ^ 1]) + frame[position + 1 :]
        with pytest.raises(MalformedError):
            dcz.decode(OLD, flipped, max_length=LIMIT)


def test_a_bomb_that_declares_its_size_is_refused_before_it_is_opened() -> None:
    bomb = frame_of(zstd_frame(bytes(4 << 20)))
    with pytest.raises(MalformedError, match="more than the 1000 allowed"):
        dcz.decode(OLD, bomb, max_length=1_000)


def test_a_bomb_that_hides_its_size_is_stopped_at_the_limit() -> None:
    bomb = frame_of(zstd_frame(bytes(4 << 20), content_size_flag=0))
    with pytest.raises(MalformedError, match="more than the 1000 bytes allowed"):
        dcz.decode(OLD, bomb, max_length=1_000)


def test_a_document_of_exactly_the_allowed_length_is_accepted() -> None:
    hidden = frame_of(zstd_frame(bytes(1_000), content_size_flag=0))
    assert dcz.decode(OLD, hidden, max_length=1_000) == bytes(1_000)


def test_an_absurd_window_is_refused() -> None:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    body = compressor.compress(b"small", mode=compressor.FLUSH_BLOCK) + compressor.flush()
    with pytest.raises(MalformedError, match="window of 134217728 bytes"):
        dcz.decode(OLD, frame_of(body), max_length=LIMIT)


@given(body=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_garbage_after_a_right_header_is_refused_in_plain_words(body: bytes) -> None:
    for garbage in (body, b"\x28\xb5\x2f\xfd" + body):
        try:
            made = dcz.decode(OLD, frame_of(garbage), max_length=10_000)
        except MalformedError:
            continue
        assert len(made) <= 10_000
