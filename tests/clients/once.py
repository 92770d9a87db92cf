"""What is slow to make is made once for each run of the tests, whichever process needs it first; the others wait for it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = "clients"


class UnprovenError(Exception):
    """A client cannot be run here; the text says why."""


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this run."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / FOLDER
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hundreds of megabytes of other people's programs are not kept for the runs after this one."""
    made = session.config._tmp_path_factory._basetemp  # type: ignore[attr-defined]
    if made is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(made / FOLDER, ignore_errors=True)
