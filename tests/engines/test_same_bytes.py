"""PostgreSQL and SQLite, and any hash seed, give the same bytes: documents, deltas, signatures, metadata, copies."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.installation import Installation, Template
from tests.mirrors.home import ROOT

pytestmark = pytest.mark.slow


def start(folder: Path, *, seed: str, database: str) -> subprocess.Popen[str]:
    folder.mkdir()
    environment = Installation(folder / "home", DATABASE_URL=database, PYTHONHASHSEED=seed).environment
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engines.story", str(folder / "store")],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_whole_story_of_publications_gives_the_same_bytes_on_postgresql_and_on_sqlite(
    template: Template, tmp_path: Path
) -> None:
    told = {
        "PostgreSQL": start(tmp_path / "PostgreSQL", seed="1", database=template.server.create("story")),
        "SQLite": start(tmp_path / "SQLite", seed="2", database=f"sqlite:///{tmp_path}/story.sqlite3"),
    }
    for process in told.values():
        complaint = process.communicate(timeout=300)[1]
        assert process.returncode == 0, complaint
    one, other = (everything(tmp_path / name / "store") for name in told)
    assert one.keys() == other.keys()
    assert {name: (one[name], other[name]) for name in one if one[name] != other[name]} == {}
    kinds = {name.partition("/")[0] for name in one}
    assert {"metadata", "targets", "deltas", "catalog", "index.json", "mirrors.json"} <= kinds
    assert sum(name.endswith(".snapshot.json") for name in one) >= 5
    assert any(name.endswith(".br") for name in one)
    assert any(name.endswith(".dcz") for name in one)


def everything(store: Path) -> dict[str, str]:
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file()
    }
