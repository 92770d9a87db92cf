"""Fixtures that every room's tests share."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.services import PORTS, SHARED_DATA, answers

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


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


def pytest_configure() -> None:
    """Pages name their assets plainly: the manifest of hashed names is made by ``manage.py start``, not by tests."""
    from django.conf import settings

    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
