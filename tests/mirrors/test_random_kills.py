"""A part of ``make kills``: a real publisher, killed at a hundred random moments, and one that is found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import require_service
from tests.mirrors.home import ROOT

pytestmark = pytest.mark.slow

SEED = os.environ.get("KILLS_SEED", "7")


def killed(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.mirrors.random_kills", "--seed", SEED, *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    if ran.returncode not in (0, 1) or ran.stderr:
        raise RuntimeError(ran.stdout + ran.stderr)  # not an assertion: nothing was lost
    found = json.loads(ran.stdout.splitlines()[-1])
    print(
        f"{found['kills']} kills, {found['edits']} edits, {found['releases']} releases, {found['seconds']} s"
    )
    return found


def test_nothing_acknowledged_is_lost_however_often_the_publisher_is_killed() -> None:
    found = killed("--kills", "100", "--seconds", "20", "--workers", "1")
    assert not found["lost"]
    assert found["kills"] >= 20
    assert found["releases"] > 2


@pytest.mark.service
def test_nor_is_it_on_postgresql() -> None:
    port = require_service("PostgreSQL")
    server = f"postgres://postgres@127.0.0.1:{port}/postgres"
    found = killed("--kills", "40", "--seconds", "12", "--workers", "1", "--database", server)
    assert not found["lost"]
    assert found["kills"] >= 8


def test_an_edit_that_is_acknowledged_before_it_is_written_is_found_to_be_lost() -> None:
    """The other test means something only if this one sees it."""
    found = killed("--kills", "400", "--seconds", "60", "--workers", "1", "--lies")
    assert "was acknowledged and is lost" in found["lost"][0]["lost"]
