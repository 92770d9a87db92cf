"""What is slow to make is made once for each run of the tests, whichever process needs it first; the others wait for it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


class UnprovenError(Exception):
    """A client cannot be run here; the text says why."""


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this run."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "clients"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that ``make`` filled; where it failed it is not tried again, and says the same to all."""
    folder = shared_folder(factory) / name
    with (folder.with_suffix(".lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done, failed = folder.with_suffix(".done"), folder.with_suffix(".failed")
        if failed.exists():
            raise UnprovenError(failed.read_text("utf-8"))
        if not done.exists():
            folder.mkdir()
            try:
                make(folder)
            except UnprovenError as reason:
                failed.write_text(str(reason), "utf-8")
                raise
            done.touch()
    return folder
