"""``sync --for``: what is written where, what is kept, and what ``--restore`` puts back."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from almanac.errors import AlmanacError, LocalStateError, MalformedError, PolicyError, UsageError
from almanac.installers import known, writing
from almanac.installers.client import Client, Done
from almanac.obtain import Obtained
from almanac.state import State

DOCUMENT = b"""# a comment
- provider: openai
  models:
    - name: gpt-x
      max_input_tokens: 128000
      input_price: 2.50
      output_price: 1e-06
      patch:
        body:
          temperature: null
    - name: '@cf/odd: name'
      description: |
        two
          lines

        of text
- provider: claude
  models:
    - name: opus
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state", tmp_path / "config")


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    return {"AICHAT_CONFIG_DIR": str(tmp_path / "aichat")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "aichat" / "models-override.yaml"


AICHAT = known.named("aichat")


def put(
    state: State, client: Client, environ: Mapping[str, str], document: bytes, version: str | None = None
) -> Done:
    job = writing.prepare(state, client, environ, version)
    path = client.paths(["eu"])[0]
    got = Obtained(path, "a" * 64, len(document), "full", document)
    return writing.install(state, client, job, got, mirror="https://m.example/")


def install(
    state: State, environ: Mapping[str, str], document: bytes = DOCUMENT, version: str = "0.30.0"
) -> Done:
    return put(state, AICHAT, environ, document, version)


def restore(state: State, client: Client = AICHAT) -> str:
    """What was done to its one file."""
    (done,) = writing.restore(state, client)
    return done.what


def test_aichat_gets_its_version_and_the_signed_list(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    done = install(state, environ)
    form = yaml.safe_load(file.read_bytes())
    assert form == {"version": "0.30.0", "list": yaml.safe_load(DOCUMENT)}
    assert done.file == file


def test_every_number_keeps_its_spelling(state: State, environ: Mapping[str, str], file: Path) -> None:
    install(state, environ)
    text = file.read_text()
    assert "input_price: 2.50\n" in text
    assert "output_price: 1e-06\n" in text


@pytest.mark.parametrize("version", ["0.30.0", "v0.30.0", "aichat 0.30.0\n", "0.31.0-rc.1"])
def test_a_version_may_be_written_as_the_program_says_it(version: str) -> None:
    assert AICHAT.version(version) == version.strip().removeprefix("aichat ").removeprefix("v")


@pytest.mark.parametrize("version", ["", "new", "0.30", "0.30.0\nlist: []", "0.30.0; rm", "1e3.0.0", "٣.0.0"])
def test_what_is_no_version_is_wrong_use(version: str) -> None:
    with pytest.raises(UsageError):
        AICHAT.version(version)


def program(folder: Path, body: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / "aichat"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def test_the_program_itself_is_asked_for_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "echo aichat 0.29.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert AICHAT.version(None) == "0.29.0"


@pytest.mark.parametrize("body", ["exit 3", "echo hello", "echo aichat 0.20.0", ":"])
def test_a_program_that_gives_no_usable_version_is_a_plain_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    program(tmp_path / "bin", body)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(AlmanacError):
        AICHAT.version(None)


def test_without_the_program_the_version_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="--client-version"):
        AICHAT.version(None)


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"# nothing\n", b"---\n- provider: x\n  models: []\n", b"- provider: x\n  models: []\n", b"\xff", b"a: b\n",
     b"\xef\xbb\xbf- provider: x\n  models:\n  - name: y\n", b"- provider: x\n...\n  name: y\n", b"\t- name: x\n", b"<html>name:</html>"],
)  # fmt: skip
def test_a_document_that_would_take_all_models_away_is_not_written(
    state: State, environ: Mapping[str, str], file: Path, document: bytes
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"old")
    with pytest.raises(MalformedError, match="nothing was written"):
        install(state, environ, document)
    assert [(p.name, p.read_bytes()) for p in file.parent.iterdir()] == [(file.name, b"old")]


def test_what_stood_there_is_kept_beside_and_restored(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"mine")
    file.chmod(0o640)
    install(state, environ)
    install(state, environ, DOCUMENT + b"- provider: new\n  models:\n    - name: z\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert restore(state) == "is again what it was before"
    assert [(p.name, p.read_bytes()) for p in file.parent.iterdir()] == [(file.name, b"mine")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    with pytest.raises(UsageError, match="nothing to restore"):
        restore(state)


def test_where_nothing_stood_restore_removes_the_file(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    assert "there was none" in restore(state)
    assert list(file.parent.iterdir()) == []


def test_a_file_that_somebody_changed_since_is_left_alone(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    file.write_bytes(b"edited by hand")
    assert "left as it is" in restore(state)
    assert file.read_bytes() == b"edited by hand"


def test_what_the_client_wrote_itself_since_becomes_the_new_backup(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    file.write_bytes(b"aichat --sync-models wrote this")
    install(state, environ)
    restore(state)
    assert [(p.name, p.read_bytes()) for p in file.parent.iterdir()] == [
        (file.name, b"aichat --sync-models wrote this")
    ]


def test_installing_the_same_again_writes_nothing(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    before = file.stat().st_ino
    assert install(state, environ).what == "is up to date"
    assert file.stat().st_ino == before


def test_a_link_of_a_dotfiles_manager_stays_a_link(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    target = file.parent.parent / "dotfiles.yaml"
    target.write_bytes(b"mine")
    file.parent.mkdir()
    file.symlink_to(target)
    install(state, environ)
    assert file.is_symlink()
    assert yaml.safe_load(target.read_bytes())["version"] == "0.30.0"


NEWER = DOCUMENT + b"- provider: new\n  models:\n    - name: z\n"


def test_a_backup_that_nothing_is_recorded_of_is_not_overwritten(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    """As after the loss of the state folder: what stood there before all of it is still the older backup."""
    file.parent.mkdir()
    file.write_bytes(b"mine")
    install(state, environ)
    (state.folder / writing.RECORD).unlink()
    install(state, environ, NEWER)
    assert file.with_name(file.name + ".before-almanac").read_bytes() == b"mine"
    restore(state)
    assert file.read_bytes().startswith(b"version: 0.30.0")
    assert file.with_name(file.name + ".before-almanac").read_bytes() == b"mine"


class Crash(BaseException):
    pass


@pytest.mark.parametrize("stop", range(1, 7))
def test_a_crash_at_any_write_of_the_second_sync_does_not_forget_what_was_there_first(
    state: State, environ: Mapping[str, str], file: Path, stop: int
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"mine")
    install(state, environ)
    _crashing(lambda: install(state, environ, NEWER), stop)
    install(state, environ, DOCUMENT + b"- provider: newest\n  models:\n    - name: q\n")
    restore(state)
    assert [(p.name, p.read_bytes()) for p in file.parent.iterdir()] == [(file.name, b"mine")]


@pytest.mark.parametrize("stop", range(1, 9))
@pytest.mark.parametrize("before", [b"mine", None])
def test_a_crash_at_any_write_of_restore_is_made_good_by_the_next_one(
    state: State, environ: Mapping[str, str], file: Path, stop: int, before: bytes | None
) -> None:
    file.parent.mkdir()
    if before is not None:
        file.write_bytes(before)
    install(state, environ)
    _crashing(lambda: restore(state), stop)
    with contextlib.suppress(UsageError):
        restore(state)
    expected = [] if before is None else [(file.name, before)]
    left = [path for path in file.parent.iterdir() if not path.name.endswith(".part")]
    assert [(path.name, path.read_bytes()) for path in left] == expected


_WATCHING: list[Callable[[], None]] = []


def _audit(event: str, _arguments: tuple[object, ...]) -> None:
    if event in ("os.rename", "os.remove"):
        for watcher in _WATCHING:
            watcher()


sys.addaudithook(_audit)


def _crashing(action: Callable[[], object], stop: int) -> None:
    """Ends it before its ``stop``th rename or removal; an action with fewer of them simply ends."""
    left = itertools.count(1)

    def watch() -> None:
        if next(left) == stop:
            raise Crash

    _WATCHING.append(watch)
    try:
        with contextlib.suppress(Crash):
            action()
    finally:
        _WATCHING.clear()


def test_a_client_whose_place_moved_gets_both_places_restored(
    state: State, environ: Mapping[str, str], file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / file.name
    for path, was in ((file, b"one"), (other, b"two")):
        path.parent.mkdir()
        path.write_bytes(was)
        install(state, {"AICHAT_CONFIG_DIR": str(path.parent)})
    assert [done.file for done in writing.restore(state, AICHAT)] == [file, other]
    assert (file.read_bytes(), other.read_bytes()) == (b"one", b"two")


def test_a_backup_that_somebody_took_away_is_said_and_nothing_is_removed(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"mine")
    install(state, environ)
    file.with_name(file.name + ".before-almanac").unlink()
    assert "is gone" in restore(state)
    assert file.exists()


def test_a_file_that_was_removed_since_comes_back_as_it_was(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"mine")
    install(state, environ)
    file.unlink()
    install(state, environ, NEWER)
    restore(state)
    assert file.read_bytes() == b"mine"


def test_what_lies_in_an_installed_package_is_never_written(state: State, tmp_path: Path) -> None:
    for folder in ("node_modules", "site-packages"):
        place = tmp_path / folder / "opencode" / "api.json"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"theirs")
        link = tmp_path / f"link-to-{folder}"
        link.symlink_to(place)
        for named in (place, link):
            with pytest.raises(PolicyError, match="installed package"):
                put(state, known.named("opencode"), {"OPENCODE_MODELS_PATH": str(named)}, b"{}")
        assert [path.read_bytes() for path in place.parent.iterdir()] == [b"theirs"]


def test_links_in_a_circle_and_folders_in_the_way_are_said_with_their_place(
    state: State, tmp_path: Path
) -> None:
    circle, folder = tmp_path / "circle", tmp_path / "folder.json"
    circle.symlink_to(circle)
    folder.mkdir()
    for place in (circle, folder):
        with pytest.raises(LocalStateError) as caught:
            put(state, known.named("opencode"), {"OPENCODE_MODELS_PATH": str(place)}, b"{}")
        assert str(place) in caught.value.where


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"x": 1}', b'{"aichat": {"file": "x"}}'])
def test_a_damaged_record_is_named_and_nothing_is_written(
    state: State, environ: Mapping[str, str], file: Path, content: bytes
) -> None:
    state.folder.mkdir()
    (state.folder / writing.RECORD).write_bytes(content)
    with pytest.raises(LocalStateError, match=writing.RECORD):
        install(state, environ)
    assert not file.exists()
