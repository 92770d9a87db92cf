"""What publishing a change of one record costs, and how that grows with the catalog.

Each size has an installation of its own (SQLite, a file store, real keys), filled through the services. Then, in a
fresh process, one price is changed and published, four times: the first finds nothing in memory, the others are what
a running worker does. Times are of the whole ``publish`` command, opening the sealed keys included.

The peer is a script as it stands in many repositories: read all records, write the whole document, compress it with
gzip -9, hash it and put it down. It neither checks nor signs, and makes no delta.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import synthetic
from benchmarks.installation import temporary_installation
from benchmarks.measuring import Row, growth_exponent, in_its_own_process

SIZES = tuple(int(n) for n in os.environ.get("BENCH_SIZES", "2500,5000,25000,100000").split(","))
MODELS_PER_REQUEST = 10_000
CHANGES = 4


def run() -> list[Row]:
    rows: list[Row] = []
    ours: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    for size in SIZES:
        with temporary_installation() as installation:
            environment = {**installation.environment, "DJANGO_SETTINGS_MODULE": "deploy.settings"}
            filled = in_its_own_process("publication:fill", size, environment=environment)
            print(f"  {size:,} models: filled and first published", file=sys.stderr, flush=True)
            changed = in_its_own_process("publication:change_one", size, environment=environment)
            peer = in_its_own_process("publication:write_anew", size, str(installation.home))
        ours.append(changed)
        peers.append(peer)
        rows += _rows(size, filled, changed, peer)
    if len(SIZES) > 1:
        for what, field, unit in (
            ("time", "seconds", ""),
            ("CPU", "cpu", ""),
            ("peak memory", "peak_bytes", ""),
        ):
            exponents = [growth_exponent(SIZES, [each[field] for each in side]) for side in (ours, peers)]
            note = "cost = size ** b: 1 grows as the catalog does, 0 not at all"
            rows.append(
                Row("publication", f"growth of {what}, b", exponents[0], unit, exponents[1], "script", note)
            )
    return rows


def _rows(size: int, filled: dict[str, Any], changed: dict[str, Any], peer: dict[str, Any]) -> list[Row]:
    name = f"{size:,} models"
    steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in changed["steps"].items())
    megabyte = 1024 * 1024
    return [
        Row("publication", f"{name}: one record", changed["seconds"], "s", peer["seconds"], "script", steps),
        Row("publication", f"{name}: one record, CPU", changed["cpu"], "s", peer["cpu"], "script"),
        Row(
            "publication",
            f"{name}: the same, nothing in memory",
            changed["first"],
            "s",
            peer["seconds"],
            "script",
        ),
        Row(
            "publication",
            f"{name}: peak memory",
            changed["peak_bytes"] / megabyte,
            "MiB",
            peer["peak_bytes"] / megabyte,
            "script",
            "VmHWM of a process of its own",
        ),
        Row(
            "publication",
            f"{name}: everything, first time",
            filled["published"],
            "s",
            peer["seconds"],
            "script",
            f"{filled['cpu']:.1f} s of it on the processor; filling took {filled['filled']:.0f} s",
        ),
    ]


# What runs in processes of its own


def fill(size: int) -> dict[str, Any]:
    """A database with ``size`` models, and its first publication."""
    _set_up()
    from django.core.management import call_command  # noqa: PLC0415  # after django.setup()

    call_command("migrate", verbosity=0)
    call_command("keys", "create", stdout=io.StringIO())
    start = time.perf_counter()
    _propose(synthetic.foundations())
    for first in range(0, size, MODELS_PER_REQUEST):
        numbers = range(first, min(first + MODELS_PER_REQUEST, size))
        _propose(each for n in numbers for each in synthetic.model(n))
    filled = time.perf_counter() - start
    seconds, cpu, _ = _publish()
    return {"filled": filled, "published": seconds, "cpu": cpu}


def change_one(size: int) -> dict[str, Any]:
    """Changes one price and publishes, several times; the steps are the last one's."""
    _set_up()
    seconds, cpu, steps = [], [], {}
    for step in range(1, CHANGES + 1):
        record = synthetic.offering(size // 2, step=step)
        _propose([("offering", f"{record['provider']}:{record['native_id']}", record)])
        took, worked, steps = _publish()
        seconds.append(took)
        cpu.append(worked)
    return {
        "first": seconds[0],
        "seconds": statistics.median(seconds[1:]),
        "cpu": statistics.median(cpu[1:]),
        "steps": steps,
    }


def write_anew(size: int, folder: str) -> dict[str, Any]:
    """The peer: the records come from a file, as they would from a repository."""
    source = Path(folder) / "records.jsonl"
    with source.open("w") as file:
        for n in range(size):
            file.writelines(json.dumps(record) + "\n" for _, _, record in synthetic.model(n))
    start, worked = time.perf_counter(), time.process_time()
    with source.open() as file:
        document = json.dumps([json.loads(line) for line in file], separators=(",", ":")).encode()
    target = Path(folder) / f"{hashlib.sha256(document).hexdigest()}.json"
    target.write_bytes(document)
    target.with_suffix(".json.gz").write_bytes(gzip.compress(document, 9))
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - worked}


def _set_up() -> None:
    import django  # noqa: PLC0415

    django.setup()


def _propose(written: Any) -> None:
    from catalog.records import Kind  # noqa: PLC0415
    from catalog.services.changes import ProposedChange, propose  # noqa: PLC0415

    changes = [ProposedChange(Kind(kind), key, record) for kind, key, record in written]
    propose(title="Benchmark", changes=changes, by="benchmark", now=datetime.now(UTC))


def _publish() -> tuple[float, float, dict[str, float]]:
    """(seconds of the command, of them on the processor, seconds of each step as the publication noted them)."""
    from django.core.management import call_command  # noqa: PLC0415

    from mirrors.models import Publication  # noqa: PLC0415

    start, worked = time.perf_counter(), time.process_time()
    call_command("publish", "--json", stdout=io.StringIO())
    seconds, cpu = time.perf_counter() - start, time.process_time() - worked
    return seconds, cpu, step_seconds(Publication.objects.latest("pk").steps)


def step_seconds(steps: Any) -> dict[str, float]:
    """How long each step took, from the log of a publication."""
    found: dict[str, float] = {}
    for entry in steps:
        found[entry["step"]] = found.get(entry["step"], 0.0) + entry.get("seconds", 0.0)
    return found
