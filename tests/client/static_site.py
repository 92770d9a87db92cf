"""What the tests of the static server share: a store filled as a publisher would fill it, and a caller."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.util import setup_testing_defaults

from almanac import dcz
from almanac.addresses import TIMESTAMP, delta_path, metadata_path, object_path
from almanac.lifecycle import FIELD
from almanac.static import StaticApp
from almanac.stores import FileStore

MODELS = "catalog/v2/models.yaml"
EUROPEAN = "regions/eu/catalog/v2/models.yaml"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def object_address(path: str, data: bytes) -> str:
    return "/" + object_path(path, sha256(data))


@dataclass
class Publisher:
    """Writes unsigned metadata of the right form: the origin reads its own disk and checks no signature."""

    root: Path
    version: int = 0
    held: dict[str, bytes] = field(default_factory=dict)
    notices: list[dict[str, object]] = field(default_factory=list)
    """What the role says about its schemas."""

    def objects(self, documents: Mapping[str, bytes]) -> None:
        store = FileStore(self.root)
        for path, data in documents.items():
            store.put(object_path(path, sha256(data)), data)
            store.put(object_path(path, sha256(data)) + ".minisig", b"signature of " + sha256(data).encode())
            if path in self.held and self.held[path] != data:
                old = self.held[path]
                store.put(delta_path(sha256(old), sha256(data)), dcz.encode(old, data))
        self.held.update(documents)

    def metadata(self) -> bytes:
        """Everything but the timestamp, which is returned: writing it is the commit."""
        store = FileStore(self.root)
        self.version += 1
        targets = {
            path: {"length": len(data), "hashes": {"sha256": sha256(data)}}
            for path, data in self.held.items()
        }
        store.put(metadata_path("v2", self.version), signed(targets=targets, **{FIELD: self.notices}))
        store.put(metadata_path("targets", 1), signed(targets={}))
        meta = {"v2.json": {"version": self.version}, "targets.json": {"version": 1}}
        store.put(metadata_path("snapshot", self.version), signed(meta=meta))
        return signed(meta={"snapshot.json": {"version": self.version}})

    def publish(self, documents: Mapping[str, bytes]) -> None:
        self.objects(documents)
        FileStore(self.root).put(TIMESTAMP, self.metadata())

    def compressed(self, path: str) -> None:
        """Precompressed copies; the server does not look inside, so only gzip's is real."""
        data = self.held[path]
        store = FileStore(self.root)
        name = object_path(path, sha256(data))
        packed = gzip.compress(data, mtime=0)
        store.put(f"{name}.gz", packed)
        store.put(f"{name}.br", packed[:-1])
        store.put(f"{name}.zst", packed + b"+")


def signed(**content: object) -> bytes:
    return json.dumps({"signatures": [], "signed": content}).encode()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def __getitem__(self, header: str) -> str | None:
        return self.headers.get(header.lower())

    @property
    def problem(self) -> dict[str, object]:
        assert self["Content-Type"] == "application/problem+json"
        assert self["Cache-Control"] == "no-store"
        found: dict[str, object] = json.loads(self.body)
        assert found["status"] == self.status
        return found


def ask(app: StaticApp, address: str, method: str = "GET", **headers: str) -> Answer:
    """``ask(app, "/index.json", Accept_Encoding="gzip")``, with the address's path as a server decodes it."""
    path, _, query = address.partition("?")
    environ: dict[str, object] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    environ.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    got: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status, response_headers, exc_info=None):
        got.append((status, response_headers))
        return lambda data: None

    result = app(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    [(status, sent)] = got
    names = [name.lower() for name, _ in sent]
    assert len(set(names)) == len(names), f"a header is sent twice: {sent}"
    answer = Answer(int(status[:3]), {name.lower(): value for name, value in sent}, body)
    if method == "GET" and answer.status not in (204, 304):
        assert answer["Content-Length"] == str(len(body))
    return answer
