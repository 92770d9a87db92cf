"""Every registered task, run twice, three times and beside itself, ends as if it had run once.

``CASES`` has one for each task that the app of ``deploy/celery.py`` registers; a new task without one fails here. Each
run is a process of its own, as a worker's is, on a real database; "beside itself" is two of them let go at once.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.celery import app
from tests.engines.installation import Installation, Template
from tests.mirrors.home import ROOT

pytestmark = pytest.mark.slow

ASK = """
from datetime import datetime, timezone
from mirrors.services.publishing import request_publication
assert request_publication(by="alice", now=datetime.now(timezone.utc)).pk == 2
"""
MAKE_JOBS_DUE = """
from mirrors.models import Job
from datetime import datetime, timezone
Job.objects.update(due_at=datetime.now(timezone.utc))
"""
RUN = """
import json, sys
from deploy.celery import app

name, arguments = sys.argv[2], json.loads(sys.argv[3])
app.loader.import_default_modules()
print("ready", flush=True)
for _ in sys.stdin:
    app.tasks[name](*arguments)
    print("done", flush=True)
"""


@dataclass(frozen=True)
class Case:
    """``prepare`` gives the task something to do; without it, running it often would show nothing."""

    arguments: tuple[object, ...]
    prepare: Callable[[Installation], None]
    releases: tuple[int, ...]
    """The published ones afterwards."""


def something_to_publish(installation: Installation) -> None:
    installation.edit("m3", "Another name")
    installation.python(ASK)


def everything_due(installation: Installation) -> None:
    """A publication that was asked for, jobs, and what a publisher left behind when it died."""
    something_to_publish(installation)
    installation.python(MAKE_JOBS_DUE)
    died = installation.manage("publish", check=False, ALMANAC_FAILPOINT="metadata:kill")
    assert died.returncode < 0


CASES = {
    "mirrors.tasks.publish": Case((2,), something_to_publish, (1, 2)),
    "mirrors.tasks.tick": Case((), everything_due, (1, 2)),
}


def test_every_registered_task_has_a_case_here() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    missing, gone = ours - set(CASES), set(CASES) - ours
    assert not missing, (
        f"{', '.join(sorted(missing))}: no case says that it may run twice, three times and beside itself; add one to CASES"
    )
    assert not gone, f"{', '.join(sorted(gone))}: there is no such task any more; take it out of CASES"


def test_a_task_of_which_nobody_said_that_it_may_run_twice_is_named() -> None:
    """The test above, with a task that it does not know."""

    @app.task(name="mirrors.tasks.untested")
    def untested() -> None: ...

    try:
        with pytest.raises(AssertionError, match=r"mirrors\.tasks\.untested: no case says"):
            test_every_registered_task_has_a_case_here()
    finally:
        app.tasks.unregister("mirrors.tasks.untested")


class Runner:
    """A process that runs the task each time it is told to."""

    def __init__(self, installation: Installation, name: str) -> None:
        code = "import django; django.setup()\n" + RUN
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(installation.folder), name, json.dumps(CASES[name].arguments)],
            cwd=ROOT,
            env={**installation.environment, "LOG_LEVEL": "WARNING"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._said() == "ready\n"

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("once more\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        assert self._said() == "done\n", self.process.communicate()[1]

    def end(self) -> None:
        """It complained of nothing."""
        assert self.process.communicate(timeout=60)[1] == ""

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def end_state(installation: Installation) -> dict[str, object]:
    """All that must not depend on how often a task ran: what readers get, and what the database says was done.

    Precompressed copies are made when there is time, and nobody is promised one.
    """
    store = installation.store
    names = [name for name in store.names() if not name.endswith((".br", ".gz", ".zst"))]
    documents = {
        name: hashlib.sha256(store.get(name)).hexdigest()
        for name in names
        if name.startswith(("targets/", "catalog/", "regions/", "deltas/")) and not name.endswith(".minisig")
    }
    return {
        "names": names,
        "documents": documents,
        "publications": installation.counted("mirrors_publication", "state, reason, release"),
        "signed": installation.counted("mirrors_signedfile", "role, version"),
        "audit": installation.counted("catalog_auditevent", "seq, action, object, actor"),
        "releases": installation.counted("catalog_release", "number, added, changed, removed"),
        "failed jobs": installation.counted("mirrors_job", "kind, key", "WHERE last_error <> ''"),
        "leases": installation.counted("mirrors_lease", "name, holder"),
    }


@pytest.mark.parametrize("engine", ["PostgreSQL", "SQLite"])
@pytest.mark.parametrize("name", CASES)
def test_run_twice_three_times_and_beside_itself_it_ends_the_same(
    template: Template, tmp_path: Path, name: str, engine: str
) -> None:
    case = CASES[name]
    make = template.copy if engine == "PostgreSQL" else template.copy_on_sqlite
    prepared = make(tmp_path / "prepared")
    case.prepare(prepared)

    alone = template.again(prepared, tmp_path / "alone")
    runner = Runner(alone, name)
    runner.begin()
    runner.wait()
    once = end_state(alone)
    assert alone.releases() == list(case.releases)
    assert once["failed jobs"] == []
    for times in ("twice", "three times"):
        runner.begin()
        runner.wait()
        assert end_state(alone) == once, f"run {times}, it does not end as run once"
    runner.end()

    beside = template.again(prepared, tmp_path / "beside itself")
    both = [Runner(beside, name), Runner(beside, name)]
    for runner in both:
        runner.begin()
    for runner in both:
        runner.wait()
    for runner in both:
        runner.end()
    assert end_state(beside) == once, "run beside itself, it does not end as run once"
    beside.manage("verifystore")
