"""The bytes of a publication that is not finished, in one file: written once, synced once, read by address.

A resumed publication pushes exactly these bytes, even when a newer version of the software would make others.
What stands where is kept in the publication's row, together with each part's hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from almanac.errors import LocalStateError

SUFFIX: Final = ".staged"
Places = dict[str, list[int | str]]
"""Address → [offset, length, SHA-256]."""


_WRITTEN: dict[Path, tuple[int, int, int] | None] = {}
"""The newest file of this process, and how the system would show it if somebody had touched them since."""


class StagingError(LocalStateError):
    name = "staging"


def staging_path(folder: Path, number: int) -> Path:
    return folder / f"{number}{SUFFIX}"


def write(path: Path, parts: Mapping[str, bytes], *, known: Mapping[str, str]) -> Places:
    """Returns when the file would survive a power cut. ``known`` are the SHA-256 that the caller has anyway."""
    places: Places = {}
    offset = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as file:
            for address, data in parts.items():
                file.write(data)
                sha256 = known.get(address) or hashlib.sha256(data).hexdigest()
                places[address] = [offset, len(data), sha256]
                offset += len(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
        _WRITTEN.clear()
        _WRITTEN[path] = _identity(path)
    except OSError as error:
        raise StagingError(f"cannot write the staging file: {error.strerror}", where=f"({path})") from error
    return places


def check(path: Path, places: Places) -> None:
    """Raises ``StagingError`` unless every part is there with its hash; what this process wrote just now is."""
    if path in _WRITTEN and _WRITTEN[path] == _identity(path):
        return
    for address in places:
        read(path, places, address)


def read(path: Path, places: Places, address: str) -> bytes:
    """One part, compared with its hash; documents may be large, so they are never all in memory."""
    offset, length, sha256 = places[address]
    try:
        with path.open("rb") as file:
            file.seek(int(offset))
            part = file.read(int(length))
    except OSError as error:
        raise StagingError(f"cannot read the staging file: {error.strerror}", where=f"({path})") from error
    if hashlib.sha256(part).hexdigest() != sha256:
        raise StagingError("the staging file is damaged", where=f"({path}, {address})")
    return part


def clean(folder: Path, *, keep: set[int]) -> list[str]:
    """Removes the files of publications that are finished; returns their names."""
    removed = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        number = path.stem
        if path.suffix in {SUFFIX, ".new"} and not (number.isdigit() and int(number) in keep):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
