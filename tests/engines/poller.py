"""A client in a process of its own, by the ``almanac`` library: trusts the bucket's public address, syncs, over and over.

``python -m tests.engines.poller FOLDER ADDRESS FINGERPRINT``: a line of JSON for each sync, until it is stopped. It reads
what it accepted as an application would; ``pair`` are the two names that every edit changes together.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from almanac import Catalog
from almanac.errors import AlmanacError
from almanac.state import State
from almanac.sync import sync
from almanac.trust import pin

EVERY_S = 0.2
DOCUMENT = "catalog/almanac/v1/catalog.json"
PAIR = ("acme/first", "acme/second")


def main(folder: Path, address: str, fingerprint: str) -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    state = State(folder / "state", folder / "config")
    with urllib.request.urlopen(f"{address}/metadata/1.root.json", timeout=30) as answer:
        pin(state, address, root=answer.read(), fingerprint=fingerprint)
    catalog = Catalog(folder / "state", config_dir=folder / "config")
    while not over.wait(EVERY_S):
        print(json.dumps({"at": round(time.time(), 2), **polled(state, catalog)}), flush=True)


def polled(state: State, catalog: Catalog) -> dict[str, Any]:
    try:
        outcome = sync(state)
    except AlmanacError as error:
        said: dict[str, Any] = {"error": error.name, "code": error.exit_code}
    else:
        said = {"how": outcome.catalog.how}
    accepted = state.accepted()
    if accepted is None:
        return said
    newest = accepted.newest
    held = newest.documents[DOCUMENT]
    return {
        **said,
        "release": newest.number,
        "sha256": held.sha256,
        "pair": [name(catalog, one) for one in PAIR],
    }


def name(catalog: Catalog, identity: str) -> str | None:
    try:
        return catalog.get(identity).name
    except AlmanacError:
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
