"""Real clients, and the Almanac that they are pointed at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import installing, running
from tests.clients.once import UnprovenError, made_once
from tests.clients.serving import DocumentServer, serving
from tests.clients.table import Table, folder_of_facts
from tests.mirrors.home import Home


@pytest.fixture(scope="session")
def marked_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An installation whose catalog holds the marker alone, and one release of it; to be copied."""

    def make(folder: Path) -> None:
        (folder / "home").mkdir()
        Home(folder / "home").python(running.MARKED)

    return Home(made_once(tmp_path_factory, "marked", make) / "home")


@pytest.fixture(scope="session")
def marked(marked_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    """It runs."""
    with running.serving(marked_home.copy(tmp_path_factory.mktemp("marked") / "home")) as server:
        yield server


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    """One document at every address, whatever it is: for what an Almanac would not publish."""
    with serving() as plain:
        yield plain


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Where tests say what they proved."""
    return Table(folder_of_facts(tmp_path_factory.getbasetemp()))


def installed(
    find: Callable[[pytest.TempPathFactory], Path],
    factory: pytest.TempPathFactory,
    key: str,
    name: str,
    table: Table,
) -> Path:
    try:
        return find(factory)
    except UnprovenError as reason:
        table.unproven(key, str(reason))
        if os.environ.get("ALMANAC_REQUIRE_CLIENTS"):
            pytest.fail(f"{name} is unproven here: {reason}")
        pytest.skip(f"{name} is unproven here: {reason}")


@pytest.fixture(scope="session")
def opencode(tmp_path_factory: pytest.TempPathFactory, table: Table) -> Path:
    return installed(installing.opencode, tmp_path_factory, "opencode", "opencode", table)


@pytest.fixture(scope="session")
def codex(tmp_path_factory: pytest.TempPathFactory, table: Table) -> Path:
    return installed(installing.codex, tmp_path_factory, "codex", "Codex", table)


@pytest.fixture(scope="session")
def hermes(tmp_path_factory: pytest.TempPathFactory, table: Table) -> Path:
    return installed(installing.hermes, tmp_path_factory, "hermes", "Hermes Agent", table)
