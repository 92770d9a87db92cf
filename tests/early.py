"""Loaded before Django reads its settings: the tests have a home of their own and never the developer's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="almanac-tests-"))
(HOME / "static").mkdir()
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

for name in (
    "ALMANAC_STORE",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "PUBLIC_BASE_URL",
    "PORT",
    "ALMANAC_STATE_DIR",
):
    os.environ.pop(name, None)
os.environ["ALMANAC_HOME"] = str(HOME)
os.environ["KEY_PASSPHRASE"] = "a passphrase of the tests"
os.environ["SECRET_KEY"] = "tests-only-key-5f0c2d1b7a9e4c63b8d2f7e1a4c95d08e6b37f12c0a94d5e8b61"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
