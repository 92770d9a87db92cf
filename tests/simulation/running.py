"""One exploration: the simulated world is set up in a process of its own, forked into workers, and reported on."""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import django
from django.conf import settings

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there


def start_django() -> None:
    """The shipped settings, but for the simulated database and the applications that publication does not need."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA foreign_keys=ON"}
    settings.DATABASES["default"] = {
        "ENGINE": "tests.simulation.database",
        "NAME": ":memory:",
        "OPTIONS": options,
    }
    settings.INSTALLED_APPS = [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "catalog.apps.CatalogConfig",
        "mirrors.apps.MirrorsConfig",
    ]
    django.setup()
    from django.core.management import call_command

    call_command("migrate", "mirrors", verbosity=0)


@dataclass(frozen=True)
class Asked:
    scenario: str = "two-publishers"
    faults: int = 1
    preemptions: int = 0
    sample: float = 1.0
    seed: int = 0
    workers: int = 1
    seconds: float = float("inf")
    bug: str = ""
    replay: str | None = None
    first: str = ""


@dataclass(frozen=True)
class Found:
    """What an exploration found; times in seconds."""

    asked: Asked
    counts: dict[str, int]
    seconds: float
    processor_seconds: float
    violations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        times = {"seconds": round(self.seconds, 1), "processor_seconds": round(self.processor_seconds, 1)}
        return {**asdict(self.asked), **self.counts, **times, "violations": self.violations}

    @property
    def is_complete(self) -> bool:
        return not self.counts["cut_short"]


class InTurn:
    """An executor of one thread, the caller's: nothing runs beside anything else here but what the scheduler lets run."""

    def __init__(self, max_workers: int = 1, **_: object) -> None:
        self.max_workers = max_workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, call: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return iter([call(item) for item in items])

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args))
        except Exception as error:  # noqa: BLE001  # a future keeps whatever was raised
            future.set_exception(error)
        return future


class Laboratory:
    """Django with the simulated database, ready for one world after the other."""

    def __init__(self) -> None:
        start_django()
        from django.db import connection

        from tests.simulation import bugs, explorer, scenarios  # noqa: F401  # once, before anything is forked
        from tests.simulation.catalog import create_tables

        create_tables()
        self._pristine = sqlite3.connect(":memory:", check_same_thread=False)
        connection.connection.backup(self._pristine)

    def explore(self, asked: Asked) -> Found:
        """Everything in child processes: what a seeded bug replaces is replaced nowhere else."""
        from tests.simulation.shared import COUNTERS, Shared

        shared = Shared(workers=asked.workers)
        with _working_folder() as folder:
            began, used = time.monotonic(), _processor_seconds()
            child = os.fork()
            if not child:
                self._be_explored(asked, shared, folder)
            _, status = os.waitpid(child, 0)
            if status:
                raise RuntimeError(f"the exploration ended with {status}")
            counts = {
                name: sum(shared.get(name, worker=w) for w in range(asked.workers)) for name in COUNTERS
            }
            counts["most_points"] = max(shared.get("most_points", worker=w) for w in range(asked.workers))
            return Found(
                asked, counts, time.monotonic() - began, _processor_seconds() - used, _violations(folder)
            )

    def _be_explored(self, asked: Asked, shared: Any, folder: Path) -> None:
        from tests.simulation.bugs import BUGS
        from tests.simulation.explorer import write_down
        from tests.simulation.world import ViolationError

        status = 1
        try:
            if asked.bug:
                BUGS[asked.bug].plant()
            deadline = time.monotonic() + asked.seconds
            self._explorer(replace(asked, faults=0, preemptions=0), shared, folder / "warm-up").rehearse()
            shared.forget()
            gc.collect()
            gc.freeze()
            gc.disable()
            workers = [
                self._start_worker(asked, shared, folder, number, deadline) for number in range(asked.workers)
            ]
            status = int(sum(os.waitpid(worker, 0)[1] for worker in workers) > 0)
        except ViolationError as violation:
            write_down(folder, {"violation": str(violation), "schedule": "", "executed": 0})
            status = 0
        except Exception:  # noqa: BLE001  # nothing above a forked process would show it
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _start_worker(self, asked: Asked, shared: Any, folder: Path, number: int, deadline: float) -> int:
        if worker := os.fork():
            return worker
        shared.of_worker(number)
        explorer = self._explorer(asked, shared, folder, f"worker-{number}")
        explorer.worker, explorer.deadline = number, deadline
        return explorer.run()

    def _explorer(self, asked: Asked, shared: Any, folder: Path, home: str = "") -> Any:
        """A new world, with the first release out."""
        from django.db import connection

        from mirrors.services import deltas, leasing, publishing
        from tests.simulation import points
        from tests.simulation.explorer import Bounds, Explorer
        from tests.simulation.scenarios import SCENARIOS, begin, recovers
        from tests.simulation.world import World

        points.decided_by(points.CALM)
        (folder / home).mkdir(exist_ok=True)
        (folder / "claims").mkdir(exist_ok=True)
        os.chdir(folder / home)
        self._pristine.backup(connection.connection)
        connection.stale.update(connection.introspection.table_names())
        scenario = SCENARIOS[asked.scenario]
        world = World(conditional=scenario.conditional, second_store=scenario.second_store)
        deltas.ThreadPoolExecutor = InTurn  # type: ignore[assignment,misc]
        leasing.this_process, leasing.is_dead = world.holder, world.is_dead
        publishing.ANNOUNCEMENTS = (world.announce,)  # type: ignore[misc]
        begin(world, scenario)
        bounds = Bounds(asked.faults, asked.preemptions, asked.sample, asked.seed, asked.first)
        explorer = Explorer(world, shared, bounds, folder, recovers(world))
        if asked.replay is not None:
            explorer.replay, explorer.trace = _choices(asked.replay), home.startswith("worker")
        points.decided_by(explorer)
        return explorer


def _choices(text: str) -> dict[int, str]:
    """``17:lost 45:crash``: at which step which answer; everything else is answered with ok."""
    pairs = (word.partition(":") for word in text.split())
    return {int(step): option for step, _, option in pairs}


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _violations(folder: Path) -> list[dict[str, Any]]:
    path = folder / "violations.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def _working_folder() -> Iterator[Path]:
    """In memory where the system has such a place: staging files are synced for nobody here."""
    folder = Path(tempfile.mkdtemp(prefix="almanac-simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
