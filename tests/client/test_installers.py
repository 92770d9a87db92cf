"""``sync --for``: what is written where, what is kept, and what ``--restore`` puts back."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from almanac import installers
from almanac.errors import AlmanacError, MalformedError, UsageError
from almanac.installers import Done, Installer
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


AICHAT: Installer = installers.named("aichat")


def install(
    state: State, environ: Mapping[str, str], document: bytes = DOCUMENT, version: str = "0.30.0"
) -> Done:
    job = AICHAT.prepare(environ, version)
    got = Obtained("catalog/v2/models.yaml", "a" * 64, len(document), "full", document)
    return installers.install(state, AICHAT, job, got, mirror="http://m/")


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
def test_a_version_may_be_written_as_the_program_says_it(environ: Mapping[str, str], version: str) -> None:
    assert AICHAT.prepare(environ, version).version == version.strip().removeprefix("aichat ").removeprefix(
        "v"
    )


@pytest.mark.parametrize("version", ["", "new", "0.30", "0.30.0\nlist: []", "0.30.0; rm", "1e3.0.0", "٣.0.0"])
def test_what_is_no_version_is_wrong_use(environ: Mapping[str, str], version: str) -> None:
    with pytest.raises(UsageError):
        AICHAT.prepare(environ, version)


def program(folder: Path, body: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / "aichat"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def test_the_program_itself_is_asked_for_its_version(
    tmp_path: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "echo aichat 0.29.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert AICHAT.prepare(environ, None).version == "0.29.0"


@pytest.mark.parametrize("body", ["exit 3", "echo hello", "echo aichat 0.20.0", ":"])
def test_a_program_that_gives_no_usable_version_is_a_plain_error(
    tmp_path: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    program(tmp_path / "bin", body)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(AlmanacError):
        AICHAT.prepare(environ, None)


def test_without_the_program_the_version_is_asked_for(
    tmp_path: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="--client-version"):
        AICHAT.prepare(environ, None)


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
    installers.restore(state, AICHAT)
    assert file.read_bytes() == b"mine"
    with pytest.raises(UsageError, match="nothing to restore"):
        installers.restore(state, AICHAT)


def test_where_nothing_stood_restore_removes_the_file(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    installers.restore(state, AICHAT)
    assert not file.exists()


def test_a_file_that_somebody_changed_since_is_left_alone(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    file.write_bytes(b"edited by hand")
    assert "left as it is" in installers.restore(state, AICHAT).what
    assert file.read_bytes() == b"edited by hand"


def test_what_the_client_wrote_itself_since_becomes_the_new_backup(
    state: State, environ: Mapping[str, str], file: Path
) -> None:
    install(state, environ)
    file.write_bytes(b"aichat --sync-models wrote this")
    install(state, environ)
    installers.restore(state, AICHAT)
    assert file.read_bytes() == b"aichat --sync-models wrote this"


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


def test_litellm_gets_a_file_in_our_folder_and_the_line_to_set(state: State) -> None:
    installer = installers.named("litellm")
    job = installer.prepare({}, None)
    path = "regions/eu/catalog/litellm/model_prices_and_context_window.json"
    got = Obtained(path, "a" * 64, 2, "full", b"{}")
    done = installers.install(state, installer, job, got, mirror="https://m.example/")
    assert done.file.read_bytes() == b"{}"
    assert state.folder in done.file.parents
    assert done.settings == (("LITELLM_MODEL_COST_MAP_URL", f"https://m.example/{path}"),)


def test_regions_are_asked_for_from_the_nearest_to_everywhere() -> None:
    assert AICHAT.paths(["de", "eu", "global"]) == [
        "regions/de/catalog/v2/models.yaml", "regions/eu/catalog/v2/models.yaml", "catalog/v2/models.yaml",
    ]  # fmt: skip
