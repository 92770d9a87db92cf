"""The table of ``sync --for``: which document each client gets, where, and what it is told."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from almanac.errors import UsageError
from almanac.installers import known, writing
from almanac.installers.client import Done
from almanac.obtain import Obtained
from almanac.state import State
from catalog.schemas.registry import SCHEMAS

MIRROR = "https://m.example/"
IN_OUR_FOLDER = (
    "litellm",
    "opencode",
    "codex",
    "genai-prices",
    "gpt4all",
    "lmstudio",
    "jan",
    "openrouter",
    "openai",
)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state", tmp_path / "config")


def put(state: State, name: str, environ: dict[str, str], *, region: str = "global") -> Done:
    client = known.named(name)
    version = "0.30.0" if name == "aichat" else None
    document = b"- provider: x\n  models:\n    - name: y\n" if name == "aichat" else b'{"a": 1}'
    job = writing.prepare(state, client, environ, version)
    got = Obtained(client.paths([region])[0], "a" * 64, len(document), "full", document)
    return writing.install(state, client, job, got, mirror=MIRROR)


@pytest.mark.parametrize("name", known.CLIENTS)
def test_each_client_gets_a_document_that_is_published(name: str) -> None:
    assert known.CLIENTS[name].document in {schema.file for schema in SCHEMAS.values()}


@pytest.mark.parametrize("name", known.CLIENTS)
def test_each_is_written_said_and_undone_without_a_trace(name: str, state: State, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environ = {"HOME": str(home), "AICHAT_CONFIG_DIR": str(home / "aichat")}
    done = put(state, name, environ)
    assert done.file.is_file()
    assert not set(done.as_json()) ^ {
        "client", "file", "what", "address", "settings", "configuration", "instead", "notes",
    }  # fmt: skip
    text = "\n".join(done.lines())
    assert str(done.file) in text
    assert MIRROR in text or name == "aider"
    assert "{" not in text.replace("{ttl_hours: 168}", "").replace(f"{{url: {done.url}}}", "")
    assert (state.folder in done.file.parents) is (name in IN_OUR_FOLDER)
    put(state, name, environ)
    (undone,) = writing.restore(state, known.named(name))
    assert undone.what == "removed: there was none before"
    left = [
        path for folder in (home, state.folder / "clients") for path in folder.rglob("*") if path.is_file()
    ]
    assert left == []


def test_regions_are_asked_for_from_the_nearest_to_everywhere(state: State) -> None:
    assert known.named("aichat").paths(["de", "eu", "global"]) == [
        "regions/de/catalog/v2/models.yaml", "regions/eu/catalog/v2/models.yaml", "catalog/v2/models.yaml",
    ]  # fmt: skip
    done = put(state, "opencode", {}, region="eu")
    assert any(
        "OPENCODE_MODELS_URL=https://m.example/regions/eu/catalog/models.dev," in line
        for line in done.instead
    )


def test_who_is_not_known_is_told_who_is() -> None:
    with pytest.raises(UsageError, match="aichat, litellm, opencode, .* and openai"):
        known.named("roo")
    assert known.named("Crush").name == "crush"


def test_a_version_is_taken_only_by_the_client_whose_file_names_one(state: State) -> None:
    with pytest.raises(UsageError, match="--client-version"):
        writing.prepare(state, known.named("crush"), {}, "1.0.0")


def test_litellm_gets_a_file_in_our_folder_and_the_line_to_set(state: State) -> None:
    done = put(state, "litellm", {}, region="eu")
    path = "regions/eu/catalog/litellm/model_prices_and_context_window.json"
    assert done.settings == (("LITELLM_MODEL_COST_MAP_URL", MIRROR + path),)
    assert any("MODEL_COST_MAP_MAX_SHRINK_RATIO=0" in note for note in done.notes)


@pytest.mark.parametrize(
    ("name", "environ", "place"),
    [
        ("opencode", {"OPENCODE_MODELS_PATH": "{0}/mine.json"}, "mine.json"),
        ("crush", {"XDG_DATA_HOME": "{0}/data"}, "data/crush/providers.json"),
        ("crush", {}, ".local/share/crush/providers.json"),
        ("hermes", {"HERMES_HOME": "{0}/hermes"}, "hermes/cache/model_catalog.json"),
        ("hermes", {}, ".hermes/cache/model_catalog.json"),
        ("aider", {}, ".aider/caches/model_prices_and_context_window.json"),
    ],
)
def test_what_is_read_from_a_place_is_written_there(
    name: str, environ: dict[str, str], place: str, state: State, tmp_path: Path
) -> None:
    given = {variable: value.format(tmp_path) for variable, value in environ.items()}
    assert put(state, name, {"HOME": str(tmp_path), **given}).file == tmp_path / place


def test_codex_gets_the_file_that_its_settings_name_already(state: State, tmp_path: Path) -> None:
    environ = {"CODEX_HOME": str(tmp_path)}
    ours = state.folder / "clients" / "codex" / "models.json"
    assert put(state, "codex", environ).file == ours
    for settings in ("model_catalog_json = 5", 'model_catalog_json = "models.json"', "= =", "\xff"):
        (tmp_path / "config.toml").write_text(settings, "latin-1")
        assert put(state, "codex", environ).file == ours
    (tmp_path / "config.toml").write_text(f'model_catalog_json = "{tmp_path}/mine.json"')
    assert put(state, "codex", environ).file == tmp_path / "mine.json"


def test_the_line_for_codex_is_toml(state: State) -> None:
    (line,) = put(state, "codex", {}).lines_to_write
    settings = tomllib.loads(line.partition("at the top: ")[2])
    assert settings == {"model_catalog_json": str(state.folder / "clients" / "codex" / "models.json")}


@pytest.mark.parametrize("name", ["hermes", "aider"])
def test_who_believes_only_a_young_file_finds_it_young_after_each_sync(
    name: str, state: State, tmp_path: Path
) -> None:
    environ = {"HOME": str(tmp_path)}
    file = put(state, name, environ).file
    os.utime(file, (1, 1))
    assert put(state, name, environ).what == "is up to date"
    assert file.stat().st_mtime > 1


def test_a_path_with_blanks_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    state = State(tmp_path / "my state", tmp_path / "config")
    done = put(state, "opencode", {})
    assert f"  set OPENCODE_MODELS_PATH='{done.file}'" in done.lines()
