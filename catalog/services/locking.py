"""One writer at a time: what was read when a change was judged is still so when it is written."""

from __future__ import annotations

from typing import Final

from django.db import connection

CATALOG_LOCK: Final = 7_208_417_355
"""Names the lock among PostgreSQL's advisory locks; any number that nobody else uses."""


def hold_catalog() -> None:
    """Until the transaction ends. SQLite needs nothing: its transactions begin with the write lock."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOG_LOCK])
