"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.clients.once import pytest_sessionfinish  # noqa: F401  (a hook of the whole run)
from tests.clients.table import pytest_terminal_summary  # noqa: F401  (another)
from tests.clocks import moved
from tests.services import PORTS, SHARED_DATA, answers

NOW = moved(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
LONGEST = ("test_history_replay.py", "test_simulation.py", "test_killed_processes.py", "test_backup.py")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def now() -> datetime:
    """A fixed moment; tests that need time to pass make their own."""
    return NOW


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real catalogs."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real catalogs (../shared/data) are not on this machine")
    return SHARED_DATA


def require_program(name: str) -> str:
    """The path of a program, or a skip that names it."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed on this machine")
    return path


def require_service(name: str) -> int:
    """The port of a service, or a skip that names it."""
    if not answers(PORTS[name]):
        pytest.skip(f"{name} does not answer on port {PORTS[name]}")
    return PORTS[name]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for each test process: Playwright starts only once in it."""
    path = require_program("chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's own loop runs in the tests' thread
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files go first, then all with slow tests: the last file then keeps no process waiting for long."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def turn(item: pytest.Item) -> int:
        if item.path.name in LONGEST:
            return LONGEST.index(item.path.name)
        return len(LONGEST) + (item.path not in slow)

    items.sort(key=turn)


def pytest_configure() -> None:
    """Pages name their assets plainly: the manifest of hashed names is made by ``manage.py start``, not by tests."""
    from django.conf import settings

    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
