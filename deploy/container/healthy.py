"""The container's health check: does this container's own web server answer ``/healthz``?"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from typing import Final

PATIENCE_S: Final = 3.0


def is_healthy(environment: Mapping[str, str]) -> bool:
    """Asks under a name that ALLOWED_HOSTS lets in."""
    names = [name.strip() for name in environment.get("ALLOWED_HOSTS", "").split(",") if name.strip()]
    host = next((name.lstrip(".") for name in names if name != "*"), "127.0.0.1")
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(environment.get("PORT") or 8000), timeout=PATIENCE_S
    )
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_healthy(os.environ) else 1)
