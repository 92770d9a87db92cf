"""The real catalogs of the shared data, version by version; tests that need them skip where they are absent."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[4] / "shared" / "data"


def need(name: str) -> Path:
    archive = FOLDER / f"{name}.tar.xz"
    if not archive.exists():
        pytest.skip(f"the shared data is not here: no ../shared/data/{name}.tar.xz beside the project")
    return archive


@cache
def versions(name: str) -> list[tuple[str, bytes]]:
    """(file name, bytes) of every version, in order."""
    found: dict[str, bytes] = {}
    with tarfile.open(need(name)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                found[Path(member.name).name] = stream.read()
    index = csv.DictReader(io.StringIO(found["index.csv"].decode()))
    return [(row["file"], found[row["file"]]) for row in index]


def newest(name: str) -> bytes:
    return versions(name)[-1][1]


def aichat_versions() -> Iterator[tuple[str, str, bytes]]:
    """(file name, the schema that it is of, bytes)."""
    for file, data in versions("aichat"):
        yield file, "v2" if b"\n- provider:" in b"\n" + data else "v1", data
