"""Real catalogs as they really changed, streamed out of the archives of the shared data."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import ROOT

SHARED_DATA = ROOT.parent / "shared" / "data"


class Version(NamedTuple):
    number: int
    file: str
    data: bytes


def archive(name: str) -> Path:
    return SHARED_DATA / f"{name}.tar.xz"


def versions(name: str) -> Iterator[Version]:
    """In the order of their numbers; what was never valid JSON or YAML is left out."""
    with tarfile.open(archive(name)) as tar:
        held = {Path(m.name).name: tar.extractfile(m) for m in tar.getmembers() if m.isfile()}
        contents = {file: each.read() for file, each in held.items() if each is not None}
    index = csv.DictReader(io.StringIO(contents["index.csv"].decode()))
    for row in sorted(index, key=lambda r: int(r["n"])):
        if not row["note"]:
            yield Version(int(row["n"]), row["file"], contents[row["file"]])


def consecutive(name: str, *, most: int | None = None) -> list[Version]:
    """The longest run of versions that followed each other, its newest ``most``."""
    runs: list[list[Version]] = []
    for version in versions(name):
        if runs and runs[-1][-1].number + 1 == version.number:
            runs[-1].append(version)
        else:
            runs.append([version])
    longest = max(runs, key=len)
    return longest[-most:] if most else longest
