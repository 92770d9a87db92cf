"""Goes through the schedules, depth first: at a choice point the whole world forks, one child for each other answer.

A fork copies everything at once, the publishers in the middle of their code, their database and their stores, so a
schedule costs only what comes after its last choice. What comes after depends on nothing but the state: what lies in
database, stores and staging folder, what each publisher has learned, and how many faults and interruptions are left.
A state that was explored before is counted and not explored again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import greenlet
from django.db import connection

from tests.simulation.points import CRASH, OK, POWER, SWITCH
from tests.simulation.shared import Shared
from tests.simulation.world import STAGING, Process, ViolationError, World

AFTERWARDS = timedelta(hours=3)
"""When everything is calm again: every lease has run out, also one that a wrong clock gave."""


@dataclass(frozen=True)
class Bounds:
    faults: int = 1
    preemptions: int = 1
    sample: float = 1.0
    """Which part of the branches after the first is gone into, drawn by ``seed``."""
    seed: int = 0
    first: str = ""
    """The only answer that a schedule may begin to differ with; any, where this is empty."""


@dataclass
class Explorer:
    world: World
    shared: Shared
    bounds: Bounds
    folder: Path
    """Where forked schedules have their own folders, and violations are written down."""
    recover: Callable[[Process], object]
    replay: dict[int, str] | None = None
    """Step → answer: no exploration, this one schedule."""
    trace: bool = False
    worker: int = 0
    deadline: float = float("inf")
    step: int = 0
    path: list[tuple[int, str]] = field(default_factory=list)
    depth: int = 0
    calm: bool = False
    hub: greenlet.greenlet | None = None
    log: list[str] = field(default_factory=list)
    nodes: list[tuple[bytes, int]] = field(default_factory=list)
    """The states on this process's way, and what the count of schedules was there."""
    busy: bool = False

    def __post_init__(self) -> None:
        self.faults, self.preemptions = self.bounds.faults, self.bounds.preemptions

    # The decider's side: called from wherever shipped code touches the world.

    def at(self, kind: str, what: str, faults: tuple[str, ...]) -> str:
        if self.busy:
            return OK
        running = self.world.running
        assert running is not None
        while True:
            self.step += 1
            self.shared.add("points")
            self._check(f"{running.name} {kind} {what}".rstrip())
            answer = OK if self.calm else self._answer(running, kind, what, faults)
            if self.trace:
                print(f"{self.step:5} {running.name:9} {kind:7} {what[:90]:90} {answer}")
            if answer in (SWITCH, CRASH, POWER):
                assert self.hub is not None
                self.hub.switch(answer)  # never comes back after a crash
                continue  # interrupted before it did anything: the same point again
            running.learn((kind, what, answer))
            return answer

    def saw(self, *what: object) -> None:
        if not self.busy and self.world.running is not None:
            self.world.running.learn(what)

    def _answer(self, running: Process, kind: str, what: str, faults: tuple[str, ...]) -> str:
        if self.replay is not None:
            return self._take(self.replay.get(self.step, OK))
        self._met_before(running)
        for option in self._options(running, faults):
            if self._is_wanted(option) and not self._is_known(running, option) and self._fork(option):
                return self._take(option)
        return OK

    def _is_known(self, running: Process, option: str) -> bool:
        """Where a process ends at once, what is left can be told without going there."""
        if option not in (CRASH, POWER):
            return False
        over = [running, *self._begun()] if option == POWER else [running]
        states = {process.name: "dead" for process in over}
        digest = self.world.digest(after_power_cut=option == POWER)
        count = self.shared.recall(self._junction(digest, states, self.faults - 1))
        if count is None:
            return False
        self.shared.add("merged")
        self.shared.add("schedules", count)
        return True

    def _begun(self) -> list[Process]:
        return [process for process in self.world.processes if process.state in {"running", "paused"}]

    def _junction(self, digest: str, states: dict[str, str], faults: int) -> bytes:
        """The state between two processes; where none is left, only the recovery follows."""
        summaries = [states.get(process.name) or process.summary() for process in self.world.processes]
        if all(summary in {"dead", "ended"} for summary in summaries):
            return self._recovery_state(digest)
        whole = f"junction {digest} {summaries} {faults} {self.preemptions}"
        return hashlib.blake2b(whole.encode(), digest_size=16).digest()

    def _recovery_state(self, digest: str) -> bytes:
        return hashlib.blake2b(b"recovery" + digest.encode(), digest_size=16).digest()

    def _take(self, option: str) -> str:
        if option == SWITCH:
            self.preemptions -= 1
        elif option != OK:
            self.faults -= 1
        return option

    def _options(self, running: Process, faults: tuple[str, ...]) -> list[str]:
        options: list[str] = []
        if self.faults:
            options += [*faults, CRASH]
            if len(self._begun()) > 1 or any(
                shelf.has_more_to_flush() for shelf in self.world.shelves.values()
            ):
                options.append(POWER)
        others = [
            process for process in self.world.processes if not process.is_over and process is not running
        ]
        if self.preemptions and others and not connection.connection.in_transaction:
            options.append(SWITCH)
        return options

    def _is_wanted(self, option: str) -> bool:
        if self._is_over():
            return False
        if self.depth == 0:
            return self.bounds.first in {"", option} and self._claimed(f"{self.step}-{option}")
        if self.bounds.sample >= 1:
            return True
        drawn = hashlib.blake2b(
            f"{self.bounds.seed} {self.path} {self.step} {option}".encode(), digest_size=4
        )
        return int.from_bytes(drawn.digest(), "big") < self.bounds.sample * 2**32

    def _is_over(self) -> bool:
        if time.monotonic() > self.deadline:
            self.shared.set("cut_short", 1)
            return True
        return bool(self.shared.get("stop", worker=0))

    def _claimed(self, branch: str) -> bool:
        """Branches of the calm schedule are shared among the workers: who comes first has it."""
        try:
            (self.folder / "claims" / branch).mkdir()
        except FileExistsError:
            return False
        return True

    # Forking and meeting.

    def _fork(self, option: str) -> bool:
        """True in the child, which goes on with this option; the parent waits until everything after it is done."""
        self.shared.add("forks")
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            if status:
                self.shared.add("violations")
                self.shared.set("stop", 1)
            return False
        self.depth += 1
        self.path.append((self.step, option))
        self.nodes.clear()
        move_into(self.folder / f"{os.getpid()}")
        return True

    def _met_before(self, running: Process) -> None:
        if self.depth == 0:
            return
        self._meet(self._state(running))

    def _meet(self, state: bytes) -> None:
        if self.depth == 0:
            return
        count = self.shared.recall(state)
        if count is not None:
            self.shared.add("merged")
            self.shared.add("schedules", count)
            self._leave()
        self.nodes.append((state, self.shared.get("schedules")))

    def _state(self, running: Process | None) -> bytes:
        summaries = [process.summary() for process in self.world.processes]
        name = running.name if running else ""
        whole = f"{self.world.digest()} {name} {summaries} {self.faults} {self.preemptions}"
        return hashlib.blake2b(whole.encode(), digest_size=16).digest()

    def _leave(self) -> NoReturn:
        if not self._is_over():
            now = self.shared.get("schedules")
            for state, before in self.nodes:
                self.shared.remember(state, now - before)
        if self.depth:
            move_out(self.folder / f"{os.getpid()}")
        os._exit(0)

    # The scheduler's side.

    def rehearse(self) -> None:
        """The calm schedule alone, here and now: whatever is made at a first time is made before the forks."""
        self._run()

    def run(self) -> NoReturn:
        """One schedule to its end, and every other that branches off it."""
        try:
            self._run()
        except ViolationError as violation:
            self._write_down(str(violation))
        except Exception:  # noqa: BLE001  # nothing above a forked process would show it
            self._write_down(traceback.format_exc())
        self._leave()

    def _run(self) -> None:
        self.hub = greenlet.getcurrent()
        running = self.world.processes[0]
        while True:
            outcome = self._resume(running)
            if outcome == POWER:
                self._power_cut()
            elif outcome == CRASH:
                running.state = "dead"
            elif outcome == SWITCH:
                running.state = "paused"
            else:
                running.state = "ended"
            self._check(f"{running.name} {outcome}")
            others = [p for p in self.world.processes if not p.is_over and p is not running]
            if others:
                running = others[0]
            elif running.is_over:
                break
            if outcome != SWITCH:
                self._meet(self._junction(self.world.digest(), {}, self.faults))
        self.shared.add("schedules")
        self.shared.add("executed")
        self.shared.set("most_points", max(self.step, self.shared.get("most_points")))
        self._recover()

    def _resume(self, process: Process) -> str:
        if process.greenlet is None:
            process.greenlet = greenlet.greenlet(self._life)
        process.state = "running"
        self.world.running = process
        return str(process.greenlet.switch(process))

    def _life(self, process: Process) -> str:
        try:
            self.world.carry_out(process)
        except (ViolationError, greenlet.GreenletExit):
            raise
        except Exception as error:
            raise ViolationError(
                f"{process.name} ended by an error of ours: {traceback.format_exc()}"
            ) from error
        return "ended"

    def _power_cut(self) -> None:
        for process in self.world.processes:
            if process.state != "new":
                process.state = "dead"
        for shelf in self.world.shelves.values():
            shelf.lose_power()

    def _check(self, where: str) -> None:
        self.log.append(where)
        self.busy = True
        try:
            running = self.world.running
            if running is not None and running.state == "dead" and connection.connection.in_transaction:
                connection.forsake_transaction()
            self.shared.add("checks")
            self.world.check()
        finally:
            self.busy = False

    def _recover(self) -> None:
        """Nothing goes wrong any more: a new process, a right clock."""
        state = self._recovery_state(self.world.digest())
        if self.replay is None and self.shared.recall(state) is not None:
            return
        self.shared.add("recoveries")
        self.calm = True
        self.world.now += AFTERWARDS
        process = self.world.process("recovery", self.recover)
        self._resume(process)
        process.state = "ended"
        if process.error:
            raise ViolationError(f"I5: what was left cannot be gone on with: {process.error}")
        self._check("recovered")
        self.busy = True
        self.world.check_end()
        self.shared.remember(state, 1)

    def _write_down(self, what: str) -> None:
        self.shared.add("violations")
        self.shared.set("stop", 1)
        if self.trace:
            print(what)
        facts = {
            "violation": what,
            "schedule": " ".join(
                f"{step}:{option}" for step, option in (self.replay or dict(self.path)).items()
            ),
            "executed": self.shared.get("executed"),
            "log": self.log[-12:],
            "ended": {process.name: process.error for process in self.world.processes},
        }
        write_down(self.folder, facts)


def write_down(folder: Path, facts: dict[str, object]) -> None:
    with (folder / "violations.jsonl").open("a") as file:
        file.write(json.dumps(facts) + "\n")


def move_into(home: Path) -> None:
    """A folder of this schedule's own, with what the staging folder holds now."""
    home.mkdir()
    if STAGING.is_dir():
        (home / STAGING).mkdir()
        for path in STAGING.iterdir():
            (home / path).write_bytes(path.read_bytes())
    os.chdir(home)


def move_out(home: Path) -> None:
    if STAGING.is_dir():
        for path in STAGING.iterdir():
            path.unlink()
        STAGING.rmdir()
    os.chdir("/")
    home.rmdir()
