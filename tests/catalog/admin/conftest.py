from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.catalog.admin.cast import add_operator, full_catalog, signed_in
from tests.factories import write


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def alice(db: None) -> Client:
    """An operator who is signed in, before a catalog with one of everything."""
    write(*full_catalog())
    return signed_in(add_operator())
