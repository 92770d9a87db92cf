"""What a sync costs a client: time, bytes on the wire with their headers, requests, memory.

A LiteLLM release is imported and published; a real server serves it, a counting forwarder stands in between. Measured
are a sync of the catalog and LiteLLM's document when nothing has changed, and after a change of one price. The peers
are what clients do today: fetch the whole document with gzip, with curl and (for memory) in Python; and, where nothing
has changed, curl with the ETag of the last time, which costs a server one 304 but proves nothing to the client.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import histories
from benchmarks.installation import Client, Installation, temporary_installation
from benchmarks.measuring import Row, children_cpu_seconds, in_its_own_process, missing
from benchmarks.wire import Traffic

RUNS = 7
DOCUMENT = "catalog/litellm/model_prices_and_context_window.json"
CHANGES = 3


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    cpu: float
    bytes: float
    requests: float


def run() -> list[Row]:
    if not histories.archive("litellm").exists():
        return [missing("client", "sync", "no litellm.tar.xz in ../shared/data")]
    *_, version = histories.versions("litellm")
    with temporary_installation() as installation, tempfile.TemporaryDirectory() as folder:
        installation.prepare()
        file = Path(folder) / "litellm.json"
        file.write_bytes(version.data)
        installation.manage("importcatalog", "litellm", str(file))
        installation.publish("benchmark")
        with installation.serving():
            return _measured(installation, Path(folder))


def _measured(installation: Installation, folder: Path) -> list[Row]:
    client = installation.client(folder / "client")
    client.trust()
    installation.wire.counted()
    first = _cost(installation, lambda: _sync(client))
    unchanged = _median([_cost(installation, lambda: _sync(client)) for _ in range(RUNS)])
    changed = _median([_after_a_change(installation, client, step) for step in range(1, CHANGES + 1)])
    peak = in_its_own_process("client:sync_here", environment=client.environment)["peak_bytes"]
    python = in_its_own_process("client:download_here", f"{installation.url}/{DOCUMENT}")["peak_bytes"]
    rows = _against_curl(installation, folder, first, unchanged, changed)
    note = "VmHWM of a process of its own; the peer is urllib and gzip, whole document in memory"
    rows.append(
        Row(
            "client",
            "nothing changed: peak memory",
            peak / 2**20,
            "MiB",
            python / 2**20,
            "Python download",
            note,
        )
    )
    return rows


def _against_curl(
    installation: Installation, folder: Path, first: Cost, unchanged: Cost, changed: Cost
) -> list[Row]:
    if shutil.which("curl") is None:
        return [missing("client", "sync against curl", "curl is not installed")]
    url, kept = f"{installation.url}/{DOCUMENT}", folder / "etag"
    whole = _median([_cost(installation, lambda: _curl(url)) for _ in range(RUNS)])
    _curl(url, "--etag-save", str(kept))
    conditional = _median(
        [_cost(installation, lambda: _curl(url, "--etag-compare", str(kept))) for _ in range(RUNS)]
    )
    return [
        *_rows("first sync", first, whole, "curl, gzip, whole"),
        *_rows("nothing changed", unchanged, whole, "curl, gzip, whole"),
        *_rows("nothing changed", unchanged, conditional, "curl with ETag"),
        *_rows("one change", changed, whole, "curl, gzip, whole"),
    ]


def _rows(what: str, ours: Cost, peer: Cost, name: str) -> Iterator[Row]:
    yield Row(
        "client", f"{what}: time", ours.seconds * 1000, "ms", peer.seconds * 1000, name, "whole commands"
    )
    yield Row("client", f"{what}: CPU", ours.cpu * 1000, "ms", peer.cpu * 1000, name, "of the client")
    yield Row("client", f"{what}: bytes", ours.bytes, "B", peer.bytes, name, "both ways, with headers")
    yield Row("client", f"{what}: requests", ours.requests, "", peer.requests, name)


def _sync(client: Client) -> None:
    client.run("sync", "--for", "litellm", "--quiet")


def _curl(url: str, *options: str) -> None:
    command = ["curl", "--silent", "--fail", "--compressed", "--output", "/dev/null", *options, url]
    subprocess.run(command, check=True)


def _after_a_change(installation: Installation, client: Client, step: int) -> Cost:
    in_its_own_process("client:change_a_price", step, environment=installation.environment)
    installation.publish("benchmark")
    time.sleep(0.5)
    installation.wire.counted()
    return _cost(installation, lambda: _sync(client))


def _cost(installation: Installation, work: Callable[[], None]) -> Cost:
    installation.wire.counted()
    start, worked = time.perf_counter(), children_cpu_seconds()
    work()
    seconds, cpu = time.perf_counter() - start, children_cpu_seconds() - worked
    time.sleep(0.05)
    traffic: Traffic = installation.wire.counted()
    return Cost(seconds, cpu, traffic.bytes, traffic.requests)


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(c.seconds for c in costs),
        statistics.median(c.cpu for c in costs),
        statistics.median(c.bytes for c in costs),
        statistics.median(c.requests for c in costs),
    )


# What runs in processes of its own


def sync_here() -> dict[str, object]:
    """The command in this process, so that its memory is this process's."""
    from almanac.cli import main  # noqa: PLC0415

    return {"code": main(["sync", "--for", "litellm", "--quiet"])}


def download_here(url: str) -> dict[str, object]:
    import gzip  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as answer:
        return {"bytes": len(gzip.decompress(answer.read()))}


def change_a_price(step: int) -> dict[str, object]:
    """One price of one offering, by little, through the service that every edit goes through."""
    import os  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    django.setup()
    from catalog.reading import LiveState  # noqa: PLC0415
    from catalog.records import Kind  # noqa: PLC0415
    from catalog.services.changes import ProposedChange, propose  # noqa: PLC0415

    offerings = LiveState().all(Kind.OFFERING)
    key, record = next(
        (k, dict(r)) for k, r in sorted(offerings.items()) if "gpt-4o" in k and r.get("prices")
    )
    first, *others = record["prices"]
    price = {name: value for name, value in first.items() if name != "spelling"}
    price["amount"] = f"0.0000025{step}"
    record["prices"] = [price, *others]
    changes = [ProposedChange(Kind.OFFERING, key, record)]
    propose(title="Benchmark", changes=changes, by="benchmark", now=datetime.now(UTC))
    return {"key": key}
