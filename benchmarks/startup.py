"""What importing the client library costs a program that starts: beside libraries that such programs import anyway."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys

from benchmarks.installation import ALMANAC
from benchmarks.measuring import Row, median_seconds, missing, run_command

PEERS = ("requests", "urllib3", "json")
RUNS = 15


def run() -> list[Row]:
    rows: list[Row] = []
    for statement in ("import almanac", "from almanac import Catalog"):
        try:
            ours = import_milliseconds(statement)
        except RuntimeError as error:
            rows.append(missing("startup", statement, str(error).strip().splitlines()[-1]))
            continue
        for peer in PEERS:
            if importlib.util.find_spec(peer) is None:
                rows.append(missing("startup", f"{statement} against {peer}", f"{peer} is not installed"))
                continue
            theirs = import_milliseconds(f"import {peer}")
            note = f"-X importtime, median of {RUNS} fresh processes"
            rows.append(Row("startup", statement, ours, "ms", theirs, f"import {peer}", note))
    rows += _command_line()
    return rows


def import_milliseconds(statement: str) -> float:
    """Cumulative time of the outermost import, after what every Python imports by itself."""
    return statistics.median(_one_import(statement) for _ in range(RUNS))


def _one_import(statement: str) -> float:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    outermost = [line.split("|") for line in done.stderr.splitlines() if line.startswith("import time:")]
    module = statement.split()[1]
    return next(int(f[1]) for f in reversed(outermost) if f[2].rstrip() == f" {module}") / 1000


def _command_line() -> list[Row]:
    """``almanac --version`` against what it stands on: Python itself, and the library that reads its options."""
    command = [sys.executable, "-c", ALMANAC, "--version"]
    try:
        run_command(command)
    except RuntimeError:
        return [missing("startup", "almanac --version", "the command does not answer")]
    ours = median_seconds(lambda: run_command(command), RUNS)
    rows = []
    for statement in ("pass", "import click"):
        peer = [sys.executable, "-c", statement]
        theirs = median_seconds(lambda peer=peer: run_command(peer), RUNS)  # type: ignore[misc]
        note = f"whole process, median of {RUNS}"
        rows.append(
            Row(
                "startup",
                "almanac --version",
                ours * 1000,
                "ms",
                theirs * 1000,
                f"python -c '{statement}'",
                note,
            )
        )
    return rows
