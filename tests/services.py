"""Says which services and programs the tests found on this machine; with ``ALMANAC_REQUIRE_SERVICES`` all must be there.

``python -m tests.services`` prints it before a run, so that nothing is left out silently.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

PORTS = {"PostgreSQL": 5432, "Redis": 6379, "RabbitMQ": 5672}
PROGRAMS = ("chromium", "minisign", "zstd", "strace", "nginx", "swift-proxy-server", "faketime")
SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def missing() -> list[str]:
    """Names of what is not on this machine; the tests that need it are skipped with that reason."""
    lacking = [name for name, port in PORTS.items() if not answers(port)]
    lacking += [name for name in PROGRAMS if shutil.which(name) is None]
    if not SHARED_DATA.is_dir():
        lacking.append("the real catalogs (../shared/data)")
    return lacking


def main() -> int:
    lacking = missing()
    sys.stderr.write(
        f"Not on this machine, its tests are skipped: {', '.join(lacking)}.\n"
        if lacking
        else "All services and programs are here.\n"
    )
    return 1 if lacking and os.environ.get("ALMANAC_REQUIRE_SERVICES") else 0


if __name__ == "__main__":
    sys.exit(main())
