"""The origin: published files in front, Django behind.

What the committed release holds is served straight from the store's folder, before any middleware or database; all
other addresses are Django's.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from almanac.static import StaticApp
from mirrors.counting import Counted

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")


def store_folder(addresses: list[str], default: Path) -> Path:
    """The first store that is a folder here; an origin in front of buckets alone serves from ``default``."""
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme in {"", "file"}:
            return Path(unquote(parts.path))
    return default


django_application = get_wsgi_application()
application = Counted(
    StaticApp(
        store_folder(settings.ALMANAC_STORES, settings.ALMANAC_HOME / "store"), fallback=django_application
    )
)
