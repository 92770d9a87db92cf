"""What writers that died left in a folder store: their temporary files, and folders that became empty."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

PREFIX: Final = ".put-"
EMPTIED: Final = "deltas"
"""Only publications write below it, so under their lease an empty folder there is nobody's."""


def clean(root: Path, *, before: datetime) -> int:
    """Removes temporary files that are older; returns how many. No link is followed."""
    removed = 0
    for path, folders, files, descriptor in os.fwalk(root, topdown=False, follow_symlinks=False):
        for name in files:
            if name.startswith(PREFIX) and _is_older(name, descriptor, before):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=descriptor)
                    removed += 1
        if Path(path) == root / EMPTIED:
            for name in folders:
                with suppress(OSError):
                    os.rmdir(name, dir_fd=descriptor)
    return removed


def _is_older(name: str, folder: int, before: datetime) -> bool:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < before.timestamp()
    except FileNotFoundError:
        return False
