"""Ten publishers at once, while edits are acknowledged: nothing is lost, and there is one of each release."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.installation import Installation, Template, everything_is_whole, named
from tests.mirrors.home import ROOT

pytestmark = pytest.mark.slow


def race(installation: Installation, go: Path, *, racers: int, rounds: int) -> dict[str, str]:
    """Entry → the last name of which somebody was told that it is kept."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engines.racers", str(number), str(rounds), str(go)],
            cwd=ROOT,
            env=installation.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(racers)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    go.touch()
    acknowledged: dict[str, str] = {}
    for process in processes:
        said, complaint = process.communicate(timeout=240)
        assert process.returncode == 0, complaint
        for line in said.splitlines():
            slug, _, name = line.partition("\t")
            acknowledged[f"acme/{slug}"] = name
    return acknowledged


def test_ten_publishers_at_once_on_postgresql_lose_nothing_and_make_one_of_each_release(
    template: Template, tmp_path: Path
) -> None:
    installation = template.copy(tmp_path / "home")
    acknowledged = race(installation, tmp_path / "go", racers=10, rounds=2)
    assert len(acknowledged) == 10
    installation.manage("tick")
    assert installation.is_settled(), installation.states()
    assert acknowledged.items() <= named(installation).items()
    everything_is_whole(installation, least=2)
    edits = installation.rows(
        "SELECT count(*), count(release_id) FROM catalog_changerequest WHERE author <> 'alice'"
    )
    assert edits == [(20, 20)], "each acknowledged edit is in a release"
    assert set(installation.states()) <= {"announced", "unchanged"}


def test_four_publishers_at_once_on_sqlite_lose_nothing_and_make_one_of_each_release(
    template: Template, tmp_path: Path
) -> None:
    installation = template.copy_on_sqlite(tmp_path / "home")
    acknowledged = race(installation, tmp_path / "go", racers=4, rounds=2)
    installation.manage("tick")
    assert acknowledged.items() <= named(installation).items()
    everything_is_whole(installation, least=2)
