"""Whole installations, with a broker where one is named: prepared once, copied for whoever needs a fresh one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.engines.services import Postgres, wait_until
from tests.mirrors.home import PREPARE, ROOT, Home

CELERY: Final = [sys.executable, "-m", "celery", "-A"]
RESTART_AFTER_S: Final = 0.5


class Installation(Home):
    """``settings`` are variables of the environment; without ``DATABASE_URL`` it is on SQLite."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder)
        self.settings = settings

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONWARNINGS": "ignore", **self.settings}

    def prepared_here(self) -> Installation:
        """With forty models and release 1 out."""
        self.folder.mkdir(parents=True)
        self.python(PREPARE)
        self.manage("publish")
        return self

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Asked of the database directly, past everything that is tested here."""
        if url := self.settings.get("DATABASE_URL"):
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as server:
                return server.execute(query, values or None).fetchall()
        with closing(sqlite3.connect(self.folder / "almanac.sqlite3", timeout=20)) as file:
            return file.execute(query, values).fetchall()

    def counted(self, table: str, columns: str, where: str = "") -> list[tuple[Any, ...]]:
        """Every row, in an order that does not depend on the database's."""
        return sorted(self.rows(f"SELECT {columns} FROM {table} {where}"), key=repr)

    def releases(self) -> list[int]:
        """The published ones, each as often as it was published."""
        found = self.rows(
            "SELECT release FROM mirrors_publication WHERE state = 'announced' AND reason = 'release' ORDER BY 1"
        )
        return [row[0] for row in found]

    def states(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT state FROM mirrors_publication ORDER BY id")]

    def is_settled(self) -> bool:
        """Nothing waits, nothing is under way, and what is live is what was published last."""
        with suppress(psycopg.Error):
            waiting = {"queued", "preparing", "signed", "pushing", "committed"} & set(self.states())
            unreleased = self.rows(
                "SELECT 1 FROM catalog_recordversion WHERE (live AND since IS NULL) OR (NOT live AND until IS NULL) LIMIT 1"
            )
            return not waiting and not unreleased
        return False


@dataclass
class Template:
    """A PostgreSQL with one prepared database, and the home that belongs to it; copying both takes a blink."""

    server: Postgres
    folder: Path
    made: int = 0

    @cached_property
    def original(self) -> Installation:
        url = self.server.create("original")
        return Installation(self.folder / "home", DATABASE_URL=url).prepared_here()

    @cached_property
    def original_on_sqlite(self) -> Installation:
        return Installation(self.folder / "sqlite").prepared_here()

    def copy(self, folder: Path, **settings: str) -> Installation:
        """With forty models and release 1 out, in a folder store of its own."""
        return self.again(self.original, folder, **settings)

    def copy_on_sqlite(self, folder: Path) -> Installation:
        return self.again(self.original_on_sqlite, folder)

    def again(self, installation: Installation, folder: Path, **settings: str) -> Installation:
        """Its home and its database, as they are."""
        shutil.copytree(installation.folder, folder)
        url = installation.settings.get("DATABASE_URL")
        if not url:
            return Installation(folder, **settings)
        self.made += 1
        name = f"copy_{self.made}"
        with psycopg.connect(self.server.address("postgres"), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name} TEMPLATE {url.rpartition('/')[2]}")
        return Installation(folder, **{**settings, "DATABASE_URL": self.server.address(name)})


@dataclass
class Supervised:
    """A process that is started again half a second after it ended, as a unit with Restart=always is."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    starts: int = 0
    kills: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """To it and to all that it started, as a supervisor's control group does."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.kills += 1
        self.signal(signal.SIGKILL)


@dataclass
class Crew:
    """Supervised processes of one installation."""

    installation: Installation
    members: dict[str, Supervised] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._keep, daemon=True)

    def add(self, name: str, command: list[str], **environment: str) -> Supervised:
        log = self.installation.folder / f"{name}.log"
        member = Supervised(name, command, {**self.installation.environment, **environment}, log)
        member.start()
        self.members[name] = member  # only now: until it runs, it is nobody's to start again
        return member

    def _keep(self) -> None:
        while not self._over.wait(0.1):
            for member in list(self.members.values()):
                if not member.is_running() and not self._over.wait(RESTART_AFTER_S):
                    member.start()

    @contextmanager
    def at_work(self) -> Iterator[Crew]:
        self._watch.start()
        try:
            yield self
        finally:
            self._over.set()
            self._watch.join()
            self._dismiss()

    def _dismiss(self) -> None:
        for member in self.members.values():
            member.signal(signal.SIGTERM)
        give_up = time.monotonic() + 10
        for member in self.members.values():
            if member.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    member.process.wait(max(0.1, give_up - time.monotonic()))
                member.signal(signal.SIGKILL)
                member.process.wait()

    def logs(self) -> str:
        return "\n".join(
            f"--- {member.name}\n{member.log.read_text(encoding='utf-8', errors='replace')[-3000:]}"
            for member in self.members.values()
        )

    def settle(self, *, patience_s: float = 90) -> None:
        """Waits until all that was acknowledged is published."""
        try:
            wait_until(
                self.installation.is_settled, "all that was asked for is published", patience_s=patience_s
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None


@contextmanager
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="almanac-engines-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def worker(name: str, *more: str, app: str = "deploy") -> list[str]:
    return [
        *CELERY,
        app,
        "worker",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
        "-n",
        f"{name}@%h",
        *more,
    ]


def quick_beat(installation: Installation) -> list[str]:
    """Asks every two seconds."""
    schedule = str(installation.folder / "beat-schedule")
    return [*CELERY, "tests.engines.quick", "beat", "--schedule", schedule, "--pidfile="]


def everything_is_whole(installation: Installation, *, least: int) -> dict[str, Any]:
    """The store as a stranger sees it, each release exactly once, nothing signed twice, an unbroken audit."""
    releases = installation.releases()
    assert releases == list(range(1, len(releases) + 1)), f"not exactly one of each release: {releases}"
    assert len(releases) >= least
    twice = installation.rows(
        "SELECT role, version FROM mirrors_signedfile WHERE role <> '' GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert twice == []
    assert installation.rows("SELECT number FROM catalog_release ORDER BY 1") == [(n,) for n in releases]
    published = installation.rows("SELECT count(*) FROM catalog_auditevent WHERE action = 'release.cut'")
    assert published == [(len(releases),)]
    installation.python("from catalog.services.audit import first_broken\nassert first_broken() is None")
    return installation.facts("verifystore")


def named(installation: Installation) -> Mapping[str, str]:
    """Entry → name in the published document, read as a stranger."""
    return named_in(installation.stranger().documents())


def named_in(documents: Mapping[str, bytes]) -> Mapping[str, str]:
    document = json.loads(documents["catalog/almanac/v1/catalog.json"])
    return {f"{entry['lab']}/{entry['slug']}": entry["name"] for entry in document["entries"]}
