"""How things are measured here: rows that carry their peer, medians of repeated runs, peak memory of a process of its own.

Every row is a ratio of ours to a peer's within one run: on a slower or busier machine both move.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Row:
    scenario: str
    measure: str
    ours: float | None
    unit: str
    peer: float | None = None
    peer_name: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.ours is not None and self.peer else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def missing(scenario: str, what: str, why: str) -> Row:
    """A row that says what could not be measured."""
    return Row(scenario, what, None, "", note=why)


def median_seconds(work: Callable[[], object], times: int = 5) -> float:
    """Median of wall-clock times."""
    return statistics.median(_timed(work, time.perf_counter) for _ in range(times))


def cpu_seconds(work: Callable[[], object]) -> float:
    return _timed(work, time.process_time)


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def children_cpu_seconds() -> float:
    """Processor time of every child that has ended and was waited for: a busy machine leaves it nearly alone."""
    times = os.times()
    return times.children_user + times.children_system


def peak_memory_bytes() -> int:
    """Most memory that this process ever held.

    VmHWM, not ``ru_maxrss``: Linux hands the latter down to a child across ``exec``.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    import resource  # noqa: PLC0415  # not on every platform

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_its_own_process(
    function: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs ``module:function`` of this package in a fresh Python, which prints its result as one line of JSON."""
    module, _, name = function.partition(":")
    code = (
        f"import json, sys; from benchmarks.{module} import {name} as run; "
        "from benchmarks.measuring import peak_memory_bytes; "
        "result = run(*json.loads(sys.argv[1])); "
        "print(json.dumps({**result, 'peak_bytes': peak_memory_bytes()}))"
    )
    done = run_command(
        [sys.executable, "-c", code, json.dumps(arguments, default=str)], environment=environment
    )
    return dict(json.loads(done.splitlines()[-1]))


def run_command(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a command that must succeed; what it said otherwise."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "client" / "src")])
    done = subprocess.run(  # noqa: PLW1510  # its failure is told with its words
        list(command),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command[:6])}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def growth_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """b in cost = a * size ** b, fitted in logarithms: 1 grows as the catalog does, 0 not at all."""
    import math  # noqa: PLC0415

    xs, ys = [math.log(s) for s in sizes], [math.log(c) for c in costs]
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / sum((x - mx) ** 2 for x in xs)
