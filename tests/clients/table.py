"""The table of clients: who is pointed at us, how, and how that is proven. The README has it; a run of the tests prints it.

Tests say what they proved with the fixture ``table``; each fact is a file of its own, so that several processes can.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

FACTS: Final = "client-facts"
REAL: Final = "the real client"
MIRROR: Final = "a mirror of its rules"
BEGIN: Final = "<!-- clients: begin -->"
END: Final = "<!-- clients: end -->"
NOT_RUN: Final = "not in this run"
HEAD: Final = ("client", "version", "how it is pointed at us", "proven with", "documents round-tripped")


HISTORIES: Final = "tests/catalog/schemas/"
"""Where real documents are imported and exported again, each as it came."""


@dataclass(frozen=True)
class Row:
    key: str
    client: str
    version: str
    way: str
    proof: str
    documents: str
    """How many real documents come out as they went in."""
    round_trips: tuple[str, ...] = ()
    """The tests that show it."""


_AICHAT: Final = (
    "test_histories.py::test_every_aichat_version_comes_out_of_one_catalog_that_saw_all_before_it"
)
_LITELLM: Final = (
    "test_histories.py::test_every_litellm_release_comes_out_of_one_catalog_that_saw_all_before_it"
)
_MODELS_DEV: Final = "test_modelsdev.py::test_every_version_comes_out_of_one_catalog_that_saw_all_before_it"
_GENAI: Final = "test_genai_prices.py::test_every_version_comes_out_of_one_catalog_as_it_went_in"
_CATWALK: Final = "test_catwalk.py::test_every_version_comes_out_as_it_went_in"
_GPT4ALL: Final = (
    "test_gpt4all.py::test_every_version_comes_out_of_an_empty_catalog_and_of_one_that_saw_all_before_it"
)
_LMSTUDIO: Final = (
    "test_lmstudio.py::test_every_version_comes_out_of_an_empty_catalog_and_of_one_that_saw_all_before_it"
)

ROWS: Final = (
    Row("litellm", "LiteLLM", "1.106.2", "`LITELLM_MODEL_COST_MAP_URL`", REAL, "14", (_LITELLM,)),
    Row(
        "opencode", "opencode", "1.18.33", "`OPENCODE_MODELS_URL`, or `sync --for opencode`", REAL, "72", (_MODELS_DEV,)
    ),
    Row("codex", "OpenAI Codex CLI", "0.169.0", "`model_catalog_url`, or `sync --for codex`", REAL, "none is public"),
    Row("hermes", "Hermes Agent", "0.19.0", "`model_catalog.url`, or `sync --for hermes`", REAL, "none is public"),
    Row("genai-prices", "genai-prices", "0.2.3", "`UpdatePrices(url=…)`", REAL, "120 + 8", (_GENAI,)),
    Row("aichat", "aichat", "0.27 to 0.30", "`AICHAT_SYNC_MODELS_URL`, or `sync --for aichat`", MIRROR, "112", (_AICHAT,)),
    Row("crush", "Crush", "2026-08", "`CATWALK_URL`, or `sync --for crush`", MIRROR, "175", (_CATWALK,)),
    Row("gpt4all", "GPT4All", "2025-02", "builds: its address is compiled in", MIRROR, "24", (_GPT4ALL,)),
    Row("lmstudio", "LM Studio", "2024-08", "builds: its address is compiled in", MIRROR, "28", (_LMSTUDIO,)),
    Row("jan", "Jan", "2026-08", "builds: `MODEL_CATALOG_URL`", MIRROR, "none may be copied"),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Where this run's facts are written."""

    folder: Path

    def proven(self, key: str, *, run_as: str) -> None:
        """The marker was listed, by the client itself or by the mirror of its rules."""
        self._write(key, "proof", run_as)

    def unproven(self, key: str, reason: str) -> None:
        self._write(key, "unproven", " ".join(reason.split()))

    def _write(self, key: str, what: str, value: Any) -> None:
        assert key in {row.key for row in ROWS}
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{key}.{what}.json").write_text(json.dumps([key, what, value]), "utf-8")


def folder_of_facts(base: Path) -> Path:
    """``base`` is this process's; the processes of one run share its parent."""
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / FACTS


def facts(folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*.json")):
        key, what, value = json.loads(file.read_text("utf-8"))
        found.setdefault(key, {})[what] = value
    return found


def lines(found: dict[str, dict[str, Any]], passed: Collection[str]) -> list[str]:
    """The table with what this run has seen; ``passed`` names the tests that passed in it."""
    rows = [HEAD, *(_seen(row, found.get(row.key, {}), passed) for row in ROWS)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _seen(row: Row, known: dict[str, Any], passed: Collection[str]) -> tuple[str, ...]:
    proof = known.get("proof") or ("unproven: " + known["unproven"] if "unproven" in known else NOT_RUN)
    shown = all(any(name.startswith(HISTORIES + test) for name in passed) for test in row.round_trips)
    return row.client, row.version, row.way.replace("`", ""), proof, row.documents if shown else NOT_RUN


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Printed by every run that has tried a client."""
    found = facts(config._tmp_path_factory.getbasetemp() / FACTS)  # type: ignore[attr-defined]
    if not found:
        return
    passed = {report.nodeid for report in terminalreporter.stats.get("passed", ())}
    terminalreporter.section("clients")
    for line in lines(found, passed):
        terminalreporter.write_line(line)


def in_markdown() -> str:
    """The table as the README has it."""
    rows = [HEAD, ("---",) * len(HEAD), *((r.client, r.version, r.way, r.proof, r.documents) for r in ROWS)]
    return "\n".join([BEGIN, *(f"| {' | '.join(row)} |" for row in rows), END])


def written_in(readme: str) -> str:
    """The part of the README that is this table."""
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}", readme, re.DOTALL)
    assert found is not None, "the README has no table of clients"
    return found[0]
