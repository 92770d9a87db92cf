"""``tests/faults3.py``, the fake of our own, as a process that keeps what it acknowledged: it can be killed and comes back.

``python -m tests.engines.bucket FOLDER PORT``. Everybody may read the bucket, as readers of a public one do.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import quote, unquote

from tests.faults3 import Asked, Fault, FaultS3, Handler, Kept, Server

PLACE = "models/site"
"""Bucket and prefix."""


class KeptBucket(FaultS3):
    """Written to the folder before it is acknowledged: first the name's line, then, by one rename, the object."""

    def __init__(self, folder: Path) -> None:
        super().__init__(public=True)
        self.folder = folder
        folder.mkdir(exist_ok=True)
        for path in folder.glob("*.object"):
            headers, _, data = path.read_bytes().partition(b"\n")
            self.objects[unquote(path.name.removesuffix(".object"))] = Kept(data, json.loads(headers))

    def _keep(self, name: str, data: bytes, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        answer = super()._keep(name, data, asked)
        path = self._path(name)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(json.dumps(self.objects[name].headers).encode() + b"\n" + data)
        temporary.replace(path)
        return answer

    def _delete(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        answer = super()._delete(asked, fault)
        name = asked.key.partition("/")[2]
        if name not in self.objects:
            self._path(name).unlink(missing_ok=True)
        return answer

    def _path(self, name: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.object"

    def fault_of(self, asked: Asked) -> Fault | None:
        """It has none, and keeps no log: it runs for hours."""
        return None


def main(folder: Path, port: int) -> None:
    class Listening(Handler):
        store = KeptBucket(folder)

    with Server(("127.0.0.1", port), Listening) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
