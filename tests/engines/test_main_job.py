"""The main job on all engines in its short form; ``make main-job`` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.engines import main_job
from tests.engines.main_job import VICTIMS, check_client
from tests.engines.services import Postgres, Redis, running_or_skipped
from tests.engines.start_commands import start_commands

pytestmark = pytest.mark.slow


def test_every_part_is_killed_once_while_a_client_polls_and_sees_whole_releases_only(tmp_path: Path) -> None:
    for service in (Postgres, Redis):
        with running_or_skipped(service):
            """It is on this machine."""
    deaths = [["first worker", "beat"], ["web", "PostgreSQL"], ["bucket", "second worker", "Redis"]]
    done = main_job.run(tmp_path, deaths, seed=1, short=True)
    assert done["kills"] == dict.fromkeys(VICTIMS, 1)
    assert done["acknowledged_edits"] == 4
    assert done["releases_seen"] >= 2


def test_the_long_form_kills_each_part_in_its_turn_and_then_any_of_them() -> None:
    deaths = main_job.drawn(20, random.Random(1))
    assert deaths[: len(VICTIMS)] == [[victim] for victim in VICTIMS]
    assert len(deaths) == 20
    assert {len(victims) for victims in deaths} == {1, 2}


def test_the_run_book_starts_what_the_units_and_the_image_start() -> None:
    deploy = Path(main_job.ROOT) / "deploy"
    units = "".join(path.read_text() for path in (deploy / "systemd").glob("*.service"))
    image = (deploy / "container" / "entrypoint.sh").read_text()
    commands = start_commands()
    assert list(commands) == ["web", "worker", "beat"]
    for name, command in commands.items():
        words = command.partition(".venv/bin/python ")[2].partition(" --schedule")[0]
        assert words in units, f"{name}: no unit starts it as the run-book does"
    for words in ("celery -A deploy worker", "celery -A deploy beat", "manage.py serve"):
        assert words in image


@pytest.mark.parametrize(
    ("log", "complaint"),
    [
        ([(2, "b", "x", "x"), (1, "a", "x", "x")], "from release 2 back"),
        ([(1, "a", "x", "y")], "half of an edit"),
        ([(2, "a", "x", "x")], "not the document of release 2"),
    ],
)
def test_a_client_that_saw_anything_else_is_told_of(
    log: list[tuple[int, str, str, str]], complaint: str
) -> None:
    seen = [{"release": number, "sha256": sha256, "pair": [one, two]} for number, sha256, one, two in log]
    with pytest.raises(AssertionError, match=complaint):
        check_client(seen, {1: "a", 2: "b"})
