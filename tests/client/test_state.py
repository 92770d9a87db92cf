"""The client's folder: damage, links, locks, full disks. Nothing is forgotten silently and nothing outside is touched."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from almanac import trust
from almanac.accepted import Accepted, Held, Release, from_json, to_json, with_release
from almanac.durable import read_plain, write_durably
from almanac.errors import LocalStateError, RollbackError, UsageError
from almanac.state import State
from almanac.sync import sync

from .conftest import World
from .simulator import CATALOG, NOW, Repository, catalog
from .trees import tree_hash


def test_the_folder_is_laid_out_as_promised(synced: World) -> None:
    folder = synced.state.folder
    names = {path.name for path in folder.iterdir()}
    assert {"trust", "metadata", "documents", "accepted.json", "unit_id", "lock"} <= names
    unit = (folder / "unit_id").read_text().strip()
    assert len(unit) == 32
    assert int(unit, 16) >= 0


def test_the_second_copy_lies_in_the_configuration_folder_and_holds_the_newest_metadata(
    synced: World,
) -> None:
    (file,) = (synced.state.config / "accepted").iterdir()
    form = json.loads(file.read_bytes())
    assert form["roles"]["timestamp"].encode() == synced.repository.files["metadata/timestamp.json"]
    assert form["release"] == 1


def test_nothing_in_the_folder_can_be_read_by_others(synced: World) -> None:
    for path in synced.state.folder.rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, path


def test_every_document_lies_under_its_hash(synced: World) -> None:
    import hashlib

    for file in (synced.state.folder / "documents").iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name


# The pointer, pure


def release(number: int | None, sha: str = "a", path: str = CATALOG) -> Release:
    return Release(number, NOW, {path: Held(sha * 64, 1)})


EMPTY = Accepted("f" * 64, "http://m/", NOW, NOW, {"root": 1})


def test_a_new_release_goes_in_front_and_takes_over_what_it_does_not_name() -> None:
    first = with_release(EMPTY, release(1))
    second = with_release(with_release(first, release(1, "b", "catalog/v2/models.yaml")), release(2, "c"))
    assert [r.number for r in second.releases] == [2, 1]
    assert second.newest.documents == {
        CATALOG: Held("c" * 64, 1),
        "catalog/v2/models.yaml": Held("b" * 64, 1),
    }


def test_without_numbers_other_documents_make_another_release_but_other_mirrors_do_not() -> None:
    first = with_release(
        EMPTY,
        replace(release(None), documents={CATALOG: Held("a" * 64, 1), "mirrors.json": Held("1" * 64, 1)}),
    )
    assert len(with_release(first, release(None, "2", "mirrors.json")).releases) == 1
    assert len(with_release(first, release(None, "b")).releases) == 2


def test_the_pointer_survives_the_way_to_json_and_back() -> None:
    accepted = with_release(with_release(EMPTY, release(1)), release(2, "b"))
    assert from_json(to_json(accepted)) == accepted


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 90_000, b'{"format":2}', to_json(with_release(EMPTY, release(1)))[:-40],
     to_json(with_release(EMPTY, release(1))).replace(b"aaaa", b"../x", 1), to_json(EMPTY)],
)  # fmt: skip
def test_a_pointer_that_is_not_ours_is_never_guessed_at(damage: bytes) -> None:
    with pytest.raises(ValueError):
        from_json(damage)


# C21, damage to our own files


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 500])
@pytest.mark.parametrize(
    "name",
    [
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "almanac-v1.json",
        "root_history/1.root.json",
        "validators",
    ],
)
def test_damaged_metadata_is_rebuilt_and_the_counters_hold(synced: World, name: str, content: bytes) -> None:
    older = synced.repository.files["metadata/timestamp.json"]
    synced.repository.publish_timestamp()
    synced.sync()
    (folder,) = (synced.state.folder / "metadata").iterdir()
    (folder / name).write_bytes(content)
    newest = synced.mirror.files["metadata/timestamp.json"]
    synced.mirror.files["metadata/timestamp.json"] = older
    synced.refused(RollbackError)
    synced.mirror.files["metadata/timestamp.json"] = newest
    assert synced.sync().after.versions["timestamp"] == 2


def test_lost_metadata_comes_back_from_the_second_copy_though_nothing_is_new(synced: World) -> None:
    shutil.rmtree(synced.state.folder / "metadata")
    assert synced.sync().changed is False
    (folder,) = (synced.state.folder / "metadata").iterdir()
    assert (folder / "timestamp.json").read_bytes() == synced.repository.files["metadata/timestamp.json"]


def test_a_damaged_pointer_is_said_when_reading_and_rebuilt_by_a_sync(synced: World) -> None:
    (synced.state.folder / "accepted.json").write_bytes(b"{")
    with pytest.raises(LocalStateError, match=r"accepted\.json.*almanac sync"):
        synced.state.accepted()
    synced.mirror.requests.clear()
    outcome = synced.sync()
    assert any("rebuilt" in warning for warning in outcome.warnings)
    assert synced.accepted_catalog() == synced.repository.documents[CATALOG]
    assert not any(path.startswith("targets/") for path, _ in synced.mirror.requests)


def test_a_damaged_second_copy_is_rebuilt_from_the_first(synced: World) -> None:
    (file,) = (synced.state.config / "accepted").iterdir()
    good = file.read_bytes()
    file.write_bytes(b"{")
    synced.sync()
    assert file.read_bytes() == good


def test_with_both_copies_damaged_nothing_is_forgotten_silently(synced: World) -> None:
    (file,) = (synced.state.config / "accepted").iterdir()
    file.write_bytes(b"{")
    shutil.rmtree(synced.state.folder / "metadata")
    assert str(file) in str(synced.refused(LocalStateError))


def test_a_damaged_origin_asks_for_trust_again(synced: World) -> None:
    file = synced.state.folder / "trust" / "origin.json"
    form = json.loads(file.read_bytes())
    for damage in (b"", b"{", json.dumps({**form, "root": form["root"] + " "}).encode()):
        file.write_bytes(damage)
        assert "almanac trust" in str(synced.refused(LocalStateError))


@pytest.mark.parametrize("name", ["accepted.json", "trust/origin.json", "lock", "unit_id"])
def test_a_link_in_place_of_a_file_is_never_followed(synced: World, name: str) -> None:
    outside = synced.folder / "outside"
    outside.write_text("precious")
    file = synced.state.folder / name
    file.unlink()
    file.symlink_to(outside)
    synced.repository.publish(catalog=catalog("three"))
    if name == "unit_id":
        synced.sync()
    elif name == "accepted.json":
        synced.sync()
        assert not file.is_symlink()
    else:
        synced.refused(LocalStateError)
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("name", ["accepted.json", "documents", "metadata", "trust/origin.json", "lock"])
def test_a_file_where_a_folder_should_be_and_the_other_way_round_is_a_local_error(
    synced: World, name: str
) -> None:
    path = synced.state.folder / name
    if path.is_dir():
        shutil.rmtree(path)
        path.write_bytes(b"")
    else:
        path.unlink()
        path.mkdir()
    synced.repository.publish(catalog=catalog("three"))
    with pytest.raises(LocalStateError) as caught:
        synced.sync()
    assert caught.value.exit_code == 16
    assert name.partition("/")[0] in str(caught.value)


def test_a_pipe_in_place_of_a_file_does_not_hang_the_reader(synced: World) -> None:
    file = synced.state.folder / "accepted.json"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(LocalStateError):
        synced.state.accepted()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read_is_a_local_error(synced: World) -> None:
    (synced.state.folder / "accepted.json").chmod(0)
    with pytest.raises(LocalStateError):
        synced.state.accepted()


# A disk that takes nothing (C22)


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 200 bytes: what a full disk does to a write, without filling one.

    Not a fixture: the limit is the whole process's, and the runner's own output may go to a file as well.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_takes_no_more_leaves_the_old_catalog(synced: World) -> None:
    synced.repository.publish(catalog=catalog("three"))
    with small_files():
        refusal = synced.refused(LocalStateError)
    assert "untouched" in refusal.advice


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    write_durably(tmp_path / "file", b"old")
    with small_files(), pytest.raises(LocalStateError):
        write_durably(tmp_path / "file", b"x" * 1000)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_what_a_crash_left_behind_is_swept_away(synced: World) -> None:
    left = synced.state.folder / "documents" / ".abc.1234.part"
    left.write_bytes(b"half")
    synced.sync()
    assert not left.exists()


def test_a_file_larger_than_any_of_ours_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    with pytest.raises(LocalStateError):
        read_plain(tmp_path / "file", largest=99)


# Two at once (C23)


def test_a_second_sync_waits_ten_seconds_and_then_names_the_first(synced: World) -> None:
    clock = iter(range(100))
    slept: list[float] = []
    around = replace(synced.around, monotonic=lambda: float(next(clock)), sleep=slept.append)
    with synced.state.locked(), pytest.raises(LocalStateError, match=rf"sync running \({os.getpid()}\)"):
        sync(synced.state, around=around)
    assert sum(slept) > 0.8


def test_a_second_sync_goes_on_when_the_first_has_ended(synced: World) -> None:
    holding = synced.state.locked()
    holding.__enter__()
    around = replace(synced.around, sleep=lambda _: holding.__exit__(None, None, None))
    assert sync(synced.state, around=around).changed is False


def test_a_lock_frees_itself_when_its_owner_is_killed(synced: World) -> None:
    code = (
        "import sys,time,pathlib\nfrom almanac.state import State\n"
        "s=State(pathlib.Path(sys.argv[1]),pathlib.Path(sys.argv[2]))\n"
        "with s.locked():\n print('held',flush=True)\n time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(synced.state.folder), str(synced.state.config)],
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"held\n"
    with (
        pytest.raises(LocalStateError, match=str(owner.pid)),
        synced.state.locked(monotonic=iter([0.0, 11.0]).__next__),
    ):
        pass
    owner.kill()
    owner.wait()
    owner.stdout.close()
    started = time.monotonic()
    synced.sync()
    assert time.monotonic() - started < 10


# Trust


def other_publisher() -> Repository:
    repository = Repository()
    repository.signers["root"] = repository.signers["root"]
    repository.roles["root"].unrecognized_fields["x-name"] = "another"
    repository.roles["root"].version = 0
    repository.publish_root()
    return repository


def test_trusting_the_same_root_again_changes_nothing(synced: World) -> None:
    before = tree_hash(synced.state.folder)
    _, changed = trust.pin(synced.state, synced.mirror.url, root=synced.repository.root)
    assert not changed
    assert before == tree_hash(synced.state.folder)


def test_the_same_root_at_another_address_needs_no_replace(synced: World) -> None:
    other = synced.another_mirror()
    trust.pin(synced.state, other.url, root=synced.repository.root)
    assert synced.sync().after.mirror == other.url


def test_another_root_needs_replace_and_starts_anew(synced: World) -> None:
    other = other_publisher()
    other.publish(catalog=catalog("theirs"))
    mirror = synced.another_mirror(other)
    with pytest.raises(UsageError, match="--replace"):
        trust.pin(synced.state, mirror.url, root=other.root)
    assert synced.sync().changed is False
    trust.pin(synced.state, mirror.url, root=other.root, replace=True)
    outcome = synced.sync()
    assert (outcome.before, outcome.after.mirror) == (None, mirror.url)
    assert b"theirs" in synced.accepted_catalog()


def test_two_folders_of_one_user_do_not_hold_each_other_up(synced: World) -> None:
    synced.repository.publish(catalog=catalog("three"))
    other = State(synced.folder / "another", synced.state.config)
    trust.pin(other, synced.mirror.url, root=synced.repository.root)
    sync(other, around=synced.around)
    assert synced.sync().changed
    assert len(list((synced.state.config / "accepted").iterdir())) == 2


def test_freshness_is_judged_by_the_newest_timestamp(synced: World) -> None:
    accepted = synced.state.accepted()
    assert accepted is not None
    assert accepted.is_fresh(NOW + timedelta(days=3, seconds=-1))
    assert not accepted.is_fresh(NOW + timedelta(days=3))
