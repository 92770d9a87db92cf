"""What a publication has made lies in one file until it is pushed; damage to it is found before a byte goes out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirrors import staging
from mirrors.staging import StagingError

PARTS = {"targets/a": b"first document", "targets/b": b"", "deltas/c": b"\x00delta\xff"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return staging.staging_path(tmp_path / "staging", 7)


def written(path: Path) -> staging.Places:
    return staging.write(path, PARTS, known={})


def test_every_part_comes_back_as_it_was_given(path: Path) -> None:
    places = written(path)
    assert {address: staging.read(path, places, address) for address in PARTS} == PARTS
    assert [entry.name for entry in path.parent.iterdir()] == ["7.staged"]


def test_a_part_that_somebody_changed_is_refused_also_by_the_process_that_wrote_it(path: Path) -> None:
    places = written(path)
    staging.check(path, places)
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    with pytest.raises(StagingError, match=r"damaged .*targets/a"):
        staging.check(path, places)


def test_a_change_that_keeps_size_and_time_is_found_by_the_next_process(path: Path) -> None:
    places = written(path)
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    with path.open("r+b") as file:  # the same file, as a disk would damage it
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    staging._WRITTEN.clear()
    with pytest.raises(StagingError, match="deltas/c"):
        staging.check(path, places)
    with pytest.raises(StagingError, match="deltas/c"):
        staging.read(path, places, "deltas/c")


def test_a_file_cut_short_and_one_that_is_gone_are_named(path: Path) -> None:
    places = written(path)
    os.truncate(path, 3)
    with pytest.raises(StagingError, match="damaged"):
        staging.check(path, places)
    path.unlink()
    with pytest.raises(StagingError, match=r"cannot read the staging file: No such file.*7\.staged"):
        staging.check(path, places)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "staging").write_text("a file")
    with pytest.raises(StagingError, match="cannot write the staging file"):
        written(staging.staging_path(tmp_path / "staging", 1))


def test_only_the_files_of_finished_publications_are_cleared(path: Path) -> None:
    folder = path.parent
    for number in (7, 8):
        written(staging.staging_path(folder, number))
    (folder / "8.new").write_bytes(b"half")
    (folder / "notes.txt").write_text("of somebody else")
    assert staging.clean(folder, keep={7}) == ["8.new", "8.staged"]
    assert sorted(entry.name for entry in folder.iterdir()) == ["7.staged", "notes.txt"]
    assert staging.clean(folder / "absent", keep=set()) == []
