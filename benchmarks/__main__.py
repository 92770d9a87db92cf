"""``python -m benchmarks [NAME …]``: runs the scenarios, prints one table, writes bench-results/bench.json."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.measuring import ROOT, Row, missing

SCENARIOS = {
    "delta": "bytes and processor time of an update, on real histories",
    "startup": "importing the client library",
    "origin": "requests per second of the origin against nginx",
    "publication": "publishing a change of one record in catalogs of growing size",
    "client": "a client's sync: time, bytes, requests, memory",
    "importing": "importing a LiteLLM release",
}
RESULTS = ROOT / "bench-results" / "bench.json"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(f"{name} ({what})" for name, what in SCENARIOS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run; all without one: {names}")
    chosen = parser.parse_args(arguments).names or list(SCENARIOS)
    unknown = [name for name in chosen if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario is called {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    rows: list[Row] = []
    for name in chosen:
        rows += _measured(name)
    print(table(rows))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({"machine": machine(), "rows": [r.as_json() for r in rows]}, indent=1) + "\n"
    )
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}")
    return 0


def _measured(name: str) -> list[Row]:
    """A scenario that fails is a line in the table: the others still count."""
    print(f"… {name}: {SCENARIOS[name]}", file=sys.stderr, flush=True)
    start = time.perf_counter()
    try:
        run: Callable[[], list[Row]] = importlib.import_module(f"benchmarks.{name}").run
        rows = run()
    except ModuleNotFoundError as error:
        rows = [missing(name, SCENARIOS[name], f"{error.name} is missing")]
    except Exception as error:  # noqa: BLE001  # told in the table
        rows = [missing(name, SCENARIOS[name], f"failed: {error}")]
    print(f"  {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[Row]) -> str:
    """Ratio is ours divided by the peer's, whichever of more and less is the better."""
    heads = ("scenario", "measure", "ours", "peer", "ratio", "against", "note")
    lines = [
        (
            row.scenario,
            row.measure,
            _number(row.ours, row.unit),
            _number(row.peer, row.unit),
            "–" if row.ratio is None else f"{row.ratio:.3g}",
            row.peer_name,
            " ".join(row.note.split())[:160],
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    ruled = [heads, tuple("-" * width for width in widths), *lines]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in ruled
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    shown = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit}".strip()


def machine() -> dict[str, object]:
    return {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
