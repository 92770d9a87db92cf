"""The table of clients: the README has it as the tests have it, and what it names is there."""

from __future__ import annotations

import importlib.metadata
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from almanac.installers import known
from tests.catalog.schemas.histories import versions
from tests.clients import installing, table
from tests.clients.table import HISTORIES, NOT_RUN, REAL, ROWS, Table

ROOT = Path(__file__).resolve().parents[2]
PROVEN_IN = {
    row.key: f"test_{row.key.replace('-', '_')}" if row.proof == REAL else "test_mirrors_of_rules"
    for row in ROWS
}
COUNTS = {
    "litellm": ("litellm",), "opencode": ("modelsdev",), "genai-prices": ("genai_v1", "genai_v2"), "aichat": ("aichat",),
    "crush": ("catwalk",), "gpt4all": ("gpt4all_v3",), "lmstudio": ("lmstudio",),
}  # fmt: skip


def test_the_readme_has_it_as_it_is():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert table.written_in(readme) == table.in_markdown(), (
        f"write this into README.md:\n{table.in_markdown()}"
    )


def test_every_client_that_sync_writes_for_and_has_a_format_of_its_own_is_in_it():
    assert {row.key for row in ROWS} == set(known.CLIENTS) - {"aider", "openrouter", "openai"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_what_it_says_is_proven_is_recorded_by_a_test_of_that_client(row: table.Row):
    module = import_module(f"tests.clients.{PROVEN_IN[row.key]}")
    assert "table.proven(" in inspect.getsource(module)


@pytest.mark.parametrize("row", [row for row in ROWS if row.round_trips], ids=lambda row: row.key)
def test_the_tests_that_count_its_documents_are_there_and_so_are_the_documents(row: table.Row):
    for test in row.round_trips:
        file, _, name = test.partition("::")
        assert hasattr(import_module((HISTORIES + file).removesuffix(".py").replace("/", ".")), name)
    assert " + ".join(str(len(versions(history))) for history in COUNTS[row.key]) == row.documents


def test_the_versions_are_those_that_are_installed():
    stated = {row.key: row.version for row in ROWS}
    assert (stated["opencode"], stated["codex"], stated["hermes"]) == (
        installing.OPENCODE, installing.CODEX, installing.HERMES,
    )  # fmt: skip
    for name in ("litellm", "genai-prices"):
        try:
            assert importlib.metadata.version(name) == stated[name]
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed")


def test_what_this_run_has_not_seen_is_not_claimed(tmp_path: Path):
    seen = Table(tmp_path / "facts")
    seen.proven("codex", run_as=REAL)
    seen.unproven("opencode", "npm cannot\ninstall it")
    passed = [f"{HISTORIES}{test}[x]" for row in ROWS if row.key == "litellm" for test in row.round_trips]
    rows = {line.split("  ")[0]: line for line in table.lines(table.facts(seen.folder), passed)}
    assert REAL in rows["OpenAI Codex CLI"]
    assert "unproven: npm cannot install it" in rows["opencode"]
    assert rows["opencode"].endswith(NOT_RUN)
    assert NOT_RUN in rows["LiteLLM"]
    assert rows["LiteLLM"].endswith("14")
    with pytest.raises(AssertionError):
        seen.proven("somebody", run_as=REAL)


def test_a_client_that_cannot_be_installed_is_said_once_and_skipped_or_where_it_is_demanded_failed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, table: Table
):
    from tests.clients.conftest import installed
    from tests.clients.once import UnprovenError, made_once

    tried: list[Path] = []

    def fail(folder: Path) -> None:
        tried.append(folder)
        raise UnprovenError("no road leads there")

    def find(factory: pytest.TempPathFactory) -> Path:
        return made_once(factory, f"nobody-{id(tried)}", fail)

    kept = Table(table.folder.with_name("facts-of-a-rehearsal"))
    monkeypatch.delenv("ALMANAC_REQUIRE_CLIENTS", raising=False)
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match="Jan is unproven here: no road leads there"):
            installed(find, tmp_path_factory, "jan", "Jan", kept)
    assert len(tried) == 1
    assert facts_of(kept) == {"jan": {"unproven": "no road leads there"}}
    monkeypatch.setenv("ALMANAC_REQUIRE_CLIENTS", "1")
    with pytest.raises(pytest.fail.Exception, match="unproven"):
        installed(find, tmp_path_factory, "jan", "Jan", kept)


def facts_of(kept: Table) -> dict[str, dict[str, Any]]:
    return table.facts(kept.folder)
