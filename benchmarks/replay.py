"""Every LiteLLM release of the shared data, imported and published one after the other, a client syncing after each.

All through the real commands, a real server and the real client, in a temporary home:

    .venv/bin/python -m benchmarks.replay [HOW MANY]

Printed for each update: what changed, what the client fetched (bytes on the wire with their headers, requests), whether
it took deltas, and what the whole document would have cost with gzip.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import histories
from benchmarks.installation import Client, Installation, temporary_installation

REASON = "a replay of releases as they really were"
NATIVE = "catalog/litellm/model_prices_and_context_window.json"
OWN = "catalog/almanac/v1/catalog.json"


@dataclass(frozen=True, slots=True)
class Update:
    file: str
    release: int | None
    """``None``: the file is the same as the one before, so nothing was published."""
    added: int
    changed: int
    removed: int
    overridden: tuple[str, ...]
    """Guards that stopped the publication until somebody gave a reason."""
    how: tuple[str, str]
    """For Almanac's and LiteLLM's document, ``delta``, ``full`` or ``unchanged``, as the client says."""
    wire_bytes: int
    """All that passed: both documents and all metadata, both ways, with headers."""
    requests: int
    gzip_bytes: int
    """The same documents whole, with gzip -9, without headers."""
    native_gzip_bytes: int
    identical: bool
    """Both of the client's copies are what the server's plain addresses give without any encoding."""


def replay(most: int | None = None) -> Iterator[Update]:
    """One update after another; the first is the first sync."""
    with (
        temporary_installation() as installation,
        tempfile.TemporaryDirectory() as folder,
        contextlib.ExitStack() as running,
    ):
        installation.prepare()
        client = installation.client(Path(folder) / "client")
        for number, version in enumerate(histories.versions("litellm")):
            if most is not None and number >= most:
                return
            file = Path(folder) / version.file
            file.write_bytes(version.data)
            imported = _last_json(installation.manage("importcatalog", "litellm", str(file), "--json"))
            published = installation.publish(REASON)
            if number == 0:
                running.enter_context(installation.serving())
                client.trust()
            yield _synced(installation, client, version.file, imported, published)


def _synced(
    installation: Installation, client: Client, file: str, imported: dict[str, Any], published: dict[str, Any]
) -> Update:
    installation.wire.counted()
    said = client.sync("--for", "litellm")
    traffic = installation.wire.counted()
    served = {path: _plain(installation, path) for path in (OWN, NATIVE)}
    held = client.documents()
    how = {document["path"]: document["how"] for document in said["documents"]}
    return Update(
        file=file,
        release=published["release"],
        added=len(imported["added"]),
        changed=len(imported["changed"]),
        removed=len(imported["removed"]),
        overridden=tuple(published["overridden"]),
        how=(how[OWN], how[NATIVE]),
        wire_bytes=traffic.bytes,
        requests=traffic.requests,
        gzip_bytes=sum(len(gzip.compress(data, 9)) for data in served.values()),
        native_gzip_bytes=len(gzip.compress(served[NATIVE], 9)),
        identical=all(held.get(path) == data for path, data in served.items()),
    )


def _plain(installation: Installation, path: str) -> bytes:
    """Past the wire, so that it is not counted."""
    address = f"http://127.0.0.1:{installation.port}/{path}"
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def _last_json(output: str) -> dict[str, Any]:
    return dict(json.loads(output.splitlines()[-1]))


def main(arguments: list[str]) -> int:
    if not histories.archive("litellm").exists():
        print("The shared data is not here: expected litellm.tar.xz in ../shared/data.", file=sys.stderr)
        return 1
    print(f"{'release':32} {'added':>6} {'changed':>7} {'removed':>7} {'how':>16} {'bytes':>9} {'requests':>8} "
          f"{'gzip':>9} {'ratio':>6} same guards")  # fmt: skip
    updates = []
    for update in replay(int(arguments[0]) if arguments else None):
        updates.append(update)
        print(line(update), flush=True)
    later = updates[1:]
    if later:
        later = [update for update in later if update.release is not None]
        wire, whole = sum(u.wire_bytes for u in later), sum(u.gzip_bytes for u in later)
        print(f"\n{len(later)} updates: {wire:,} B against {whole:,} B with gzip, {wire / whole:.3f} of it")
    return 0


def line(update: Update) -> str:
    return (
        f"{update.release or '–':>3} {update.file:28} {update.added:>6,} {update.changed:>7,} {update.removed:>7,} "
        f"{'+'.join(update.how):>16} {update.wire_bytes:>9,} {update.requests:>8} {update.gzip_bytes:>9,} "
        f"{update.wire_bytes / update.gzip_bytes:>6.3f} {'yes' if update.identical else 'NO':4} "
        f"{' '.join(update.overridden)}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
