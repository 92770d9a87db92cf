"""The web server and, beside it, the worker: child processes that start and stop together."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from types import FrameType
from typing import Final

from almanac.errors import LocalStateError, UsageError

GRACE_S: Final = 15.0
POLL_S: Final = 0.1
PR_SET_PDEATHSIG: Final = 1
"""Source: prctl(2)."""


class PortTakenError(UsageError):
    name = "port"


def require_free_port(host: str, port: int) -> None:
    """Raises ``PortTakenError`` with what to do; better now than after everything else was prepared."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
                reason = (
                    "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
                )
                raise PortTakenError(
                    f"port {port} {reason}",
                    where=f"({host})",
                    advice="set PORT to another one, such as PORT=8001",
                ) from error
            raise


def run_together(commands: Sequence[Sequence[str]]) -> int:
    """Runs the commands until one ends or a signal comes, then ends all; the exit code of the one that ended first.

    Raises ``LocalStateError`` when a program is missing.
    """
    told = _Told()
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            children.append(_started(command))  # noqa: PERF401  # those that started are ended when the next cannot
        while not told.signals and all(child.poll() is None for child in children):
            time.sleep(POLL_S)
    except FileNotFoundError as error:
        raise LocalStateError(
            f"{error.filename} is not installed here",
            advice="run 'make run' once, it installs what is missing",
        ) from error
    finally:
        _end(children)
    if told.signals:
        return 0
    return next((child.returncode for child in children if child.returncode), 1)


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C reaches only us and we tell it once; it does not outlive us."""
    return subprocess.Popen(list(command), start_new_session=True, preexec_fn=_end_with_parent)  # noqa: PLW1509


def _end_with_parent() -> None:
    """On Linux a child gets SIGTERM when its parent dies, even by SIGKILL; elsewhere it has to be stopped by hand."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class _Told:
    """Remembers the signals that asked us to stop."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    give_up = time.monotonic() + GRACE_S
    for child in children:
        try:
            child.wait(max(0.1, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for child in children:
        # What a killed child left behind (a web server's own workers) would go on answering at our port.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
