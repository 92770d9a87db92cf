"""Processes that start and stop together leave nobody behind."""

import subprocess
import sys
import time
from pathlib import Path

from mirrors.services.serving import run_together

RUN = (
    f"import sys; from {run_together.__module__} import run_together; sys.exit(run_together([sys.argv[1:]]))"
)
# A server that has a worker of its own and is killed, as a machine short of memory would do it.
KILLED = """
import os, signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(worker.pid))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_workers_of_a_server_that_was_killed_are_ended_too(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    command = [sys.executable, "-c", RUN, sys.executable, "-c", KILLED, str(noted)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], timeout=60, check=False).returncode != 0
    worker = int(noted.read_text())
    for _ in range(100):
        if not is_running(worker):
            return
        time.sleep(0.05)
    raise AssertionError("the worker still runs")


def is_running(pid: int) -> bool:
    """A zombie that nobody has collected yet no longer runs."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")
