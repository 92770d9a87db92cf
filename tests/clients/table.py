"""The table of clients: who is pointed at us, how, and how that is proven. The README has it; a run of the tests prints it.

Tests say what they proved with the fixture ``table``; each fact is a file of its own, so that several processes can.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FACTS: Final = "client-facts"
REAL: Final = "the real client"
MIRROR: Final = "a mirror of its rules"
BEGIN: Final = "<!-- clients: begin -->"
END: Final = "<!-- clients: end -->"
HEAD: Final = ("client", "version", "how it is pointed at us", "proven with", "documents round-tripped")


@dataclass(frozen=True)
class Row:
    key: str
    client: str
    version: str
    way: str
    proof: str
    documents: str
    """What ``round_tripped`` counts, for people: how many real documents of which format."""


ROWS: Final = (
    Row("litellm", "LiteLLM", "1.106.2", "`LITELLM_MODEL_COST_MAP_URL`", REAL, "14 of litellm"),
    Row(
        "opencode",
        "opencode",
        "1.18.33",
        "`OPENCODE_MODELS_URL`; `sync --for opencode`",
        REAL,
        "72 of models.dev",
    ),
    Row(
        "codex",
        "OpenAI Codex CLI",
        "0.169.0",
        "`model_catalog_url`; `sync --for codex`",
        REAL,
        "none is public",
    ),
    Row(
        "hermes", "Hermes Agent", "0.19.0", "`model_catalog.url`; `sync --for hermes`", REAL, "none is public"
    ),
    Row("genai-prices", "genai-prices", "0.2.3", "`UpdatePrices(url=…)`", REAL, "120 of v1, 8 of v2"),
    Row(
        "aichat",
        "aichat",
        "0.27–0.30",
        "`AICHAT_SYNC_MODELS_URL`; `sync --for aichat`",
        MIRROR,
        "99 of v1, 13 of v2",
    ),
    Row("crush", "Crush", "2026-08", "`CATWALK_URL`; `sync --for crush`", MIRROR, "175 of catwalk"),
    Row("gpt4all", "GPT4All", "2025-02", "a file, or builds", MIRROR, "24 of v3"),
    Row("lmstudio", "LM Studio", "2024-08", "a file, or builds", MIRROR, "28 of lmstudio"),
    Row("jan", "Jan", "2026-08", "builds, `MODEL_CATALOG_URL`", MIRROR, "none may be copied"),
)


@dataclass(frozen=True)
class Table:
    """Where this run's facts are written."""

    folder: Path

    def proven(self, key: str, *, run_as: str) -> None:
        """The marker was listed, by the client itself or by the mirror of its rules."""
        self._write(key, "proof", run_as)

    def unproven(self, key: str, reason: str) -> None:
        self._write(key, "unproven", reason)

    def round_tripped(self, key: str, schema: str, count: int) -> None:
        """So many real documents came out as they went in, and were read."""
        self._write(key, f"documents-{schema}", count)

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


def lines(found: dict[str, dict[str, Any]]) -> list[str]:
    """The table with what this run has seen."""
    rows = [HEAD, *(_seen(row, found.get(row.key, {})) for row in ROWS)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _seen(row: Row, known: dict[str, Any]) -> tuple[str, ...]:
    proof = known.get("proof") or (
        "unproven: " + known["unproven"] if "unproven" in known else "not in this run"
    )
    counted = [
        f"{value} of {what.removeprefix('documents-')}"
        for what, value in known.items()
        if what.startswith("documents-")
    ]
    return row.client, row.version, row.way.replace("`", ""), proof, ", ".join(counted) or "–"


def in_markdown() -> str:
    """The table as the README has it."""
    rows = [HEAD, ("---",) * len(HEAD), *((r.client, r.version, r.way, r.proof, r.documents) for r in ROWS)]
    return "\n".join([BEGIN, *(f"| {' | '.join(row)} |" for row in rows), END])


def written_in(readme: str) -> str:
    """The part of the README that is this table."""
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}", readme, re.DOTALL)
    assert found is not None, "the README has no table of clients"
    return found[0]
