"""The real ``almanac sync`` is killed at each of its writes, and its disk fails at each of them.

Afterwards the catalog that is read is the old one or the new one, whole; and the next sync ends as if nothing had been.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from almanac import local, trust
from almanac.errors import RollbackError
from almanac.state import State
from almanac.sync import Surroundings, sync

from .conftest import QUICK
from .simulator import CATALOG, Mirror, Repository, catalog

MOST_POINTS = 60


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace here"),
]


class Victim:
    """A client that holds release 1 while release 2 is out; each run starts from a copy of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = Repository(now=datetime.now(UTC))
        self.repository.with_hashes = True
        self.old = catalog("one", "two")
        self.new = catalog("one", "two", "three")
        self.repository.publish(catalog=self.old)
        self.mirror = Mirror(self.repository)
        trust.pin(self.state("prepared"), self.mirror.url, root=self.repository.root)
        self.before = sync(self.state("prepared"), around=Surroundings(limits=QUICK)).after
        self.older_timestamp = self.repository.files["metadata/timestamp.json"]
        self.repository.rotate("root", "root-2")
        self.repository.publish(catalog=self.new)

    def state(self, name: str) -> State:
        return State(self.folder / name / "state", self.folder / name / "config")

    def run(self, name: str, *inject: str) -> subprocess.CompletedProcess[str]:
        """The second copy's name depends on where the folder lies, so it is carried over by a first look."""
        run = self.folder / name
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.folder / "prepared", run, symlinks=True)
        (memory,) = (run / "config" / "accepted").iterdir()
        memory.rename(self.state(name)._memory_file(self.before.fingerprint))
        environment = {
            **os.environ, "ALMANAC_STATE_DIR": str(run / "state"), "ALMANAC_CONFIG_DIR": str(run / "config"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        return subprocess.run(
            ["strace", "-f", "-qq", "-o", os.devnull, *inject, sys.executable, "-m", "almanac", "sync", "--json"],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def check_whole(self, name: str) -> bytes:
        """What is read now: one of the two catalogs, byte for byte, with the pointer that belongs to it."""
        state = self.state(name)
        newest = local.accepted(state).newest
        data = state.document(newest.documents[CATALOG].sha256)
        assert (newest.number, data) in ((1, self.old), (2, self.new))
        local.newest(state)
        assert data is not None
        return data

    def check_recovers(self, name: str) -> None:
        """The next sync gets the new release; and what the mirror had before is refused from then on."""
        state = self.state(name)
        around = Surroundings(limits=QUICK)
        after = sync(state, around=around).after
        assert after.newest.number == 2
        assert self.check_whole(name) == self.new
        assert set(state.document_sizes()) == after.hashes()
        assert not list((self.folder / name).rglob("*.part"))
        newest = self.mirror.files["metadata/timestamp.json"]
        self.mirror.files["metadata/timestamp.json"] = self.older_timestamp
        with pytest.raises(RollbackError):
            sync(state, around=replace(around))
        self.mirror.files["metadata/timestamp.json"] = newest


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("crash"))
    yield victim
    victim.mirror.close()


def points(victim: Victim, call: str, action: str) -> Iterator[tuple[int, subprocess.CompletedProcess[str]]]:
    """Runs with the fault at the first, second, … call, until a run ends without meeting it."""
    for number in range(1, MOST_POINTS):
        done = victim.run("run", "-e", f"trace={call}", "-e", f"inject={call}:{action}:when={number}")
        if done.returncode == 0:
            assert number > 5, f"{call} is hardly ever called: {number - 1} times"
            return
        yield number, done
    raise AssertionError(f"more than {MOST_POINTS} calls of {call}")


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_killed_at_any_write_the_client_holds_a_whole_catalog_and_goes_on(victim: Victim, call: str) -> None:
    seen = set()
    for _, done in points(victim, call, "signal=KILL"):
        assert done.returncode in (-9, 137)
        seen.add(victim.check_whole("run"))
        victim.check_recovers("run")
    assert victim.old in seen


@pytest.mark.parametrize(("call", "error"), [("fsync", "EIO"), ("rename", "ENOSPC")])
def test_a_disk_that_fails_at_any_write_is_a_local_error_and_the_old_catalog_stays(
    victim: Victim, call: str, error: str
) -> None:
    for number, done in points(victim, call, f"error={error}"):
        assert done.returncode == 16, (number, done.stderr)
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: local-state: ")
        victim.check_whole("run")
        victim.check_recovers("run")
