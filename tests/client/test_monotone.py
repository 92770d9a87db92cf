"""The first invariant as a machine: whatever publishers, mirrors, clocks and crashes do, what is accepted never goes back.

Crashes are real: the sync runs in a child that ends itself, without a word, at its N-th rename.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from almanac import local, trust
from almanac.errors import (
    ClockError,
    EquivocationError,
    ExpiredError,
    MalformedError,
    NetworkError,
    RollbackError,
    SignatureError,
)
from almanac.fetch import Limits
from almanac.state import State
from almanac.sync import Surroundings, sync

from .simulator import CATALOG, NOW, Mirror, Repository, catalog

LIMITS = Limits(connect_s=2, read_s=2)
REFUSALS = (
    ClockError,
    EquivocationError,
    ExpiredError,
    MalformedError,
    NetworkError,
    RollbackError,
    SignatureError,
)
ROLES = ("root", "timestamp", "snapshot", "targets", "almanac-v1")


class ClientMachine(RuleBasedStateMachine):
    """One folder, any number of clients in it, one publisher, and a mirror that may show any of its pasts."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # noqa: S108
        self._folder = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
        self.folder = Path(self._folder.name)
        self.repository = Repository()
        self.repository.with_hashes = True
        self.mirror = Mirror()
        self.pasts: list[dict[str, bytes]] = []
        self.now = NOW
        self.highest: dict[str, int] = {}
        self.published: set[bytes] = set()
        self.count = 0
        self.forked = False

    @property
    def state(self) -> State:
        return State(self.folder / "state", self.folder / "config")

    def teardown(self) -> None:
        self.mirror.close()
        self._folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.publish()
        trust.pin(self.state, self.mirror.url, root=self.repository.root)

    # What the publisher does

    @rule()
    def publish(self) -> None:
        self.count += 1
        document = catalog("one", f"model-{self.count}")
        self.published.add(document)
        self.repository.publish(catalog=document)
        self._out()

    @rule()
    def sign_again(self) -> None:
        self.repository.publish_timestamp()
        self._out()

    @rule(role=st.sampled_from(["timestamp", "snapshot"]))
    def rotate(self, role: str) -> None:
        self.count += 1
        self.repository.rotate(role, f"{role}-{self.count}")
        self.repository.publish_snapshot()
        self.repository.publish_timestamp()
        self._out()

    @rule()
    def renew_everything(self) -> None:
        for role in ("almanac-v1", "v2", "network", "targets"):
            self.repository.publish_targets(role)
        self.repository.publish_root()
        self.publish()

    @rule()
    def fork(self) -> None:
        """Somebody with all the keys goes another way for one release; the mirror shows that."""
        self.count += 1
        fork = self.repository.copy()
        document = catalog("forked", f"model-{self.count}")
        self.published.add(document)
        fork.publish(catalog=document)
        self.mirror.files = dict(fork.files)
        self.pasts.append(dict(fork.files))
        self.forked = True

    def _out(self) -> None:
        self.mirror.files = dict(self.repository.files)
        self.pasts.append(dict(self.repository.files))

    # What mirrors, clocks and machines do

    @rule(data=st.data())
    def show_the_past(self, data: st.DataObject) -> None:
        self.mirror.files = self._past(data)

    @rule(data=st.data())
    def mix_two_pasts(self, data: st.DataObject) -> None:
        first, second = self._past(data), self._past(data)
        source = data.draw(st.randoms(use_true_random=False))
        mixed = {path: second[path] for path in second if path not in first or source.random() < 0.5}
        self.mirror.files = {**first, **mixed}

    def _past(self, data: st.DataObject) -> dict[str, bytes]:
        return self.pasts[data.draw(st.integers(0, len(self.pasts) - 1))]

    @rule()
    def show_the_newest(self) -> None:
        self.mirror.files = dict(self.repository.files)

    @rule(days=st.sampled_from([-4000, -30, -1, 1, 4, 40, 400]))
    def move_the_clock(self, days: int) -> None:
        self.now = min(
            max(NOW - timedelta(days=4000), self.now + timedelta(days=days)), NOW + timedelta(days=9000)
        )

    @rule()
    def right_clock_and_fresh_signatures(self) -> None:
        self.now = self.repository.now = max(self.now, self.repository.now)
        self.renew_everything()

    @rule(name=st.sampled_from(["timestamp.json", "snapshot.json", "almanac-v1.json", "validators"]))
    def lose_a_file(self, name: str) -> None:
        for file in list((self.folder / "state" / "metadata").rglob(name)):
            file.unlink()

    @rule(data=st.data())
    def lose_all_metadata_and_meet_the_past(self, data: st.DataObject) -> None:
        shutil.rmtree(self.folder / "state" / "metadata", ignore_errors=True)
        self.show_the_past(data)
        self.sync()

    # What clients do

    @rule()
    def sync(self) -> None:
        with contextlib.suppress(*REFUSALS):
            self._sync()

    @rule(number=st.integers(1, 12))
    def sync_and_crash(self, number: int) -> None:
        self._wait([self._child(dying_at(number))])

    @rule()
    def two_syncs_at_once(self) -> None:
        self._wait([self._child(lambda: None) for _ in range(2)])

    @precondition(lambda self: not self.forked)
    @rule()
    def an_honest_day_heals_everything(self) -> None:
        """With a right clock and the newest files a sync succeeds; only a fork may have gone further than the honest."""
        self.right_clock_and_fresh_signatures()
        outcome = self._sync()
        assert outcome.after.versions["timestamp"] == self.repository.roles["timestamp"].version

    def _sync(self) -> Any:
        around = Surroundings(now=lambda: self.now, limits=LIMITS, random=lambda: 0.5)
        return sync(self.state, around=around)

    def _child(self, prepare: Callable[[], None]) -> int:
        pid = os.fork()
        if pid:
            return pid
        with contextlib.suppress(BaseException):
            prepare()
            self._sync()
        os._exit(0)

    def _wait(self, children: list[int]) -> None:
        for child in children:
            os.waitpid(child, 0)

    # What must hold after every step

    @invariant()
    def nothing_went_back(self) -> None:
        origin = self.state.origin()
        accepted = self.state.accepted(origin.fingerprint) if origin else None
        if accepted is None:
            assert not self.highest
            return
        for role in ROLES:
            version = accepted.versions[role]
            assert version >= self.highest.get(role, 0), (
                f"{role} went back from {self.highest[role]} to {version}"
            )
            self.highest[role] = version
        data = self.state.document(accepted.newest.documents[CATALOG].sha256)
        assert data in self.published
        local.newest(self.state)


def dying_at(number: int) -> Callable[[], None]:
    """Ends this process at its N-th rename, as a power switch would."""

    def prepare() -> None:
        renames = 0

        def hook(event: str, _: object) -> None:
            nonlocal renames
            if event == "os.rename":
                renames += 1
                if renames == number:
                    os._exit(9)

        sys.addaudithook(hook)

    return prepare


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
class TestClientNeverGoesBack(ClientMachine.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(
        max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
