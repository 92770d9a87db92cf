"""Importing a LiteLLM release through ``importcatalog``: into an empty catalog, again, and the next release over it.

The peer is LiteLLM's own way to take such a file in: parse it and copy every model into a fresh map.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from benchmarks import histories
from benchmarks.installation import Installation, temporary_installation
from benchmarks.measuring import Row, children_cpu_seconds, median_seconds, missing


def run() -> list[Row]:
    if not histories.archive("litellm").exists():
        return [missing("importing", "a LiteLLM release", "no litellm.tar.xz in ../shared/data")]
    older, newer = list(histories.versions("litellm"))[-3:-1]
    with temporary_installation() as installation, tempfile.TemporaryDirectory() as folder:
        installation.prepare()
        nothing = median_seconds(lambda: installation.manage("importcatalog", "--help"), 3)
        rows: list[Row] = []
        for what, version in (("empty catalog", older), ("the same again", older), ("next release", newer)):
            file = Path(folder) / version.file
            file.write_bytes(version.data)
            start, worked = time.perf_counter(), children_cpu_seconds()
            _import(installation, file)
            seconds, cpu = time.perf_counter() - start, children_cpu_seconds() - worked
            models = len(json.loads(version.data))
            peer = median_seconds(lambda file=file: _read_as_litellm(file))  # type: ignore[misc]
            note = f"{version.file}, {models:,} models; {nothing:.1f} s of it start the command"
            rows += [
                Row("importing", f"litellm: {what}", seconds, "s", peer, "json.loads + copy", note),
                Row("importing", f"litellm: {what}, CPU", cpu, "s", peer, "json.loads + copy"),
            ]
    return rows


def _import(installation: Installation, file: Path) -> None:
    installation.manage("importcatalog", "litellm", str(file), "--json")


def _read_as_litellm(file: Path) -> int:
    return len({name: dict(model) for name, model in json.loads(file.read_bytes()).items()})
