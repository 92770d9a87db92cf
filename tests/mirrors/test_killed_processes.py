"""The real publisher, killed for real: at each of its named steps, and at each call that makes something durable."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mirrors.services.serving import require_free_port
from tests.conftest import require_program
from tests.mirrors.home import ROOT, Home
from tests.mirrors.test_interruptions import BEFORE_THE_COMMIT, NAMED_STEPS

pytestmark = pytest.mark.slow

ALMANAC = "catalog/almanac/v1/catalog.json"
IMMUTABLE = ("targets/", "deltas/", "metadata/")
DURABLE_CALLS = {"fsync": 1, "linkat": 1, "rename": 1, "renameat": 1, "fdatasync": 3}
"""System call → which of its points are tried: every one, or (the database's own, which SQLite answers for) every third."""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An installation with one release out and an edit waiting."""
    home = Home.prepared(tmp_path_factory.mktemp("installation") / "home")
    home.edit("m3", "Another name")
    return home


@pytest.fixture
def homes(waiting: Home, tmp_path: Path) -> Iterator[Home]:
    return (waiting.copy(tmp_path / str(number)) for number in count())


def whole(home: Home) -> bool:
    """A stranger verifies everything; True when what they get is the new state."""
    documents = home.stranger().documents()
    return b"Another name" in documents[ALMANAC]


def immutable(home: Home) -> dict[str, bytes]:
    names = (name for name in home.store.names() if name.startswith(IMMUTABLE))
    return {name: home.store.get(name) for name in names if name != "metadata/timestamp.json"}


def signed(home: Home) -> dict[tuple[str, int | None, str], bytes]:
    with closing(sqlite3.connect(home.folder / "almanac.sqlite3")) as database:
        rows = database.execute("SELECT role, version, address, data FROM mirrors_signedfile").fetchall()
    return {(role, version, address): bytes(data) for role, version, address, data in rows}


def releases(home: Home) -> list[int]:
    with closing(sqlite3.connect(home.folder / "almanac.sqlite3")) as database:
        query = "SELECT release FROM mirrors_publication WHERE state = 'announced' AND release IS NOT NULL ORDER BY 1"
        return [row[0] for row in database.execute(query)]


def check_recovery(home: Home) -> None:
    """After the kill a stranger finds old or new; after the next run new, and nothing was signed or written anew."""
    whole(home)
    files, signatures = immutable(home), signed(home)
    home.manage("publish")
    assert whole(home)
    assert home.stranger().plain(ALMANAC) == home.stranger().documents()[ALMANAC]
    assert files.items() <= immutable(home).items()
    assert signatures.items() <= signed(home).items()
    assert releases(home) == [1, 2]


@pytest.mark.parametrize("step", NAMED_STEPS)
def test_killed_at_a_named_step(homes: Iterator[Home], step: str) -> None:
    home = next(homes)
    done = home.manage("publish", check=False, ALMANAC_FAILPOINT=f"{step}:kill")
    assert done.returncode == -signal.SIGKILL
    assert whole(home) == (step not in BEFORE_THE_COMMIT)
    check_recovery(home)


@pytest.mark.parametrize("call", DURABLE_CALLS)
def test_killed_at_each_call_that_makes_something_durable(homes: Iterator[Home], call: str) -> None:
    strace = require_program("strace")
    points = counted(strace, next(homes), call)
    assert points

    def killed_and_recovered(job: tuple[int, Home]) -> bool:
        """False where it came to its end: strace counts each thread by itself, and a run may make a call less."""
        when, home = job
        fault = f"inject={call}:signal=KILL:when={when}"
        command = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", fault]
        done = home.run([*command, *home.command, "publish"], check=False)
        assert done.returncode in {0, -signal.SIGKILL, 128 + signal.SIGKILL}, done.stderr
        check_recovery(home)
        return done.returncode != 0

    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [(when, next(homes)) for when in range(1, points + 1, DURABLE_CALLS[call])]
        killed = list(pool.map(killed_and_recovered, jobs))
    print(f"{call}: killed at {sum(killed)} of {len(jobs)} calls")
    assert sum(killed) >= len(jobs) / 2


def counted(strace: str, home: Home, call: str) -> int:
    """How many of these calls one publication makes."""
    log = home.folder / "calls"
    home.run(
        [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={call}", *home.command, "publish"], check=True
    )
    return len(re.findall(rf"^\d+ +{call}\(", log.read_text(), re.MULTILINE))


def test_a_full_disk_stops_before_the_commit_and_says_so(homes: Iterator[Home]) -> None:
    strace = require_program("strace")
    home = next(homes)
    fault = "inject=linkat:error=ENOSPC:when=2+"
    done = home.run(
        [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=linkat", "-e", fault, *home.command, "publish"],
        check=False,
    )
    assert done.returncode == 16
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert not whole(home)
    check_recovery(home)


def test_two_publishers_at_once_make_one_release(homes: Iterator[Home]) -> None:
    home = next(homes)
    processes = [
        subprocess.Popen(
            [*home.command, "publish", "--json"],
            cwd=ROOT,
            env=home.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert releases(home) == [1, 2]
    assert whole(home)


def test_ticks_beside_publications_do_no_harm(homes: Iterator[Home]) -> None:
    home = next(homes)
    commands = ("publish", "tick", "publish", "tick")
    processes = [
        subprocess.Popen([*home.command, command], cwd=ROOT, env=home.environment, stdout=subprocess.DEVNULL)
        for command in commands
    ]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert releases(home) == [1, 2]
    assert whole(home)


def test_server_and_worker_publish_what_is_asked_for_and_stop_together(homes: Iterator[Home]) -> None:
    home = next(homes)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**home.environment, "PORT": str(port), "PUBLIC_BASE_URL": "http://127.0.0.1:8000"}
    serving = subprocess.Popen([*home.command, "serve", "--worker"], cwd=ROOT, env=environment)
    try:
        assert published(port) == 1
        home.python(ASK)
        wait_until(lambda: published(port) == 2)
    finally:
        serving.send_signal(signal.SIGINT)
    assert serving.wait(60) == 0
    require_free_port("127.0.0.1", port)


ASK = """
from datetime import datetime, timezone
from mirrors.services.publishing import request_publication

request_publication(by="alice", now=datetime.now(timezone.utc))
"""


def published(port: int) -> int:
    """The release that the server gives; waits for it to be up."""
    body = wait_until(lambda: fetched(f"http://127.0.0.1:{port}/index.json"))
    return int(json.loads(body)["release"])


def fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except OSError:
        return b""


def wait_until(look: Callable[[], Any], *, patience_s: float = 120) -> Any:
    give_up = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.1)
    return found
