"""The client's README: each of its programs runs as it stands, and each command and name in it is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from almanac.cli import Lazy
from almanac.document import Model, Offering
from almanac.installers import known
from almanac.library import Catalog, Status

from .conftest import World

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "client" / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def environment(world: World) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(world.folder),
        "PYTHONPATH": str(ROOT / "client" / "src"),
        "ALMANAC_STATE_DIR": str(world.state.folder),
        "ALMANAC_CONFIG_DIR": str(world.state.config),
    }


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_each_program_runs_as_it_stands(number: int, synced: World) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAMS[number]],
        env=environment(synced), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_it_has_a_program_that_reads_and_one_that_refreshes() -> None:
    assert len(PROGRAMS) == 2
    assert ".refresh()" in PROGRAMS[1]


def test_every_command_is_in_its_table_and_every_one_of_the_table_is_there() -> None:
    stated = set(re.findall(r"`almanac ([a-z]+)", README))
    row = re.search(r"`almanac (status · .*?)`", README)
    assert row is not None
    stated |= set(re.findall(r"(?:^|· )([a-z]+)", row[1]))
    assert stated == set(Lazy.places)


def test_every_client_of_sync_for_is_in_its_table() -> None:
    section = README.partition("## Another client's own file")[2].partition("\n## ")[0]
    rows = [
        line.split("|")[1] for line in section.splitlines() if line.startswith("| `") and "--for" not in line
    ]
    assert {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)} == set(known.CLIENTS)


def test_every_public_name_of_the_library_is_in_its_table() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    section = prose.partition("## The library")[2].partition("\n## ")[0]
    stated = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", section))))
    for kind in (Catalog, Model, Offering):
        public = {name for name in vars(kind) if not name.startswith("_")}
        assert public <= stated, kind
    assert {field.name for field in fields(Status)} <= stated
    parameters = set(Catalog.__init__.__annotations__) - {"return"}
    assert parameters <= stated
