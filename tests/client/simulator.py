"""A publisher and its mirror for tests: signs what it is told, serves it over loopback, and misbehaves on request."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nacl.signing import SigningKey
from securesystemslib.signer import Key, Signature, Signer
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from almanac import addresses, dcz, keys
from tests.clocks import moved

NOW = moved(datetime(2026, 11, 20, 12, tzinfo=UTC))
CATALOG = "catalog/almanac/v1/catalog.json"
AICHAT = "catalog/v2/models.yaml"
LIVES = {"root": 365, "targets": 365, "snapshot": 14, "timestamp": 3, "network": 7}


class TestSigner(Signer):
    """An Ed25519 key made from its name, so that every run signs alike."""

    __test__ = False

    def __init__(self, name: str) -> None:
        keys.register()
        self._secret = SigningKey(hashlib.sha256(name.encode()).digest())
        form = {
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": {"public": self._secret.verify_key.encode().hex()},
        }
        canonical = json.dumps(form, sort_keys=True, separators=(",", ":")).encode()
        self._key = Key.from_dict(hashlib.sha256(canonical).hexdigest(), form)

    @property
    def public_key(self) -> Key:
        return self._key

    @classmethod
    def from_priv_key_uri(cls, *_: object) -> TestSigner:
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.keyid, self._secret.sign(payload).signature.hex())


def catalog(*names: str, **extra: Any) -> bytes:
    """A small almanac/v1 document with an entry and an offering for each name."""
    entries = [
        {"id": f"acme/{n}", "lab": "acme", "slug": n, "name": n.title(), "mode": "chat", "stage": "current"}
        for n in names
    ]
    offerings = [
        {"id": f"acme:{n}", "provider": "acme", "native_id": n, "entry": f"acme/{n}", "stage": "current",
         "prices": [{"meter": "input", "unit": "token", "amount": "0.0000015", "currency": "USD"}]}
        for n in names
    ]  # fmt: skip
    form = {
        "format": "almanac/v1",
        "regions": [{"code": "global", "name": "Everywhere", "enabled": True}, {"code": "eu", "name": "EU", "parent": "global", "enabled": True},
                    {"code": "de", "name": "Germany", "parent": "eu", "enabled": True}],
        "labs": [{"slug": "acme", "name": "Acme"}],
        "providers": [{"slug": "acme", "name": "Acme"}],
        "entries": entries, "offerings": offerings,
        "featured": [], "trials": [], "experiments": [], **extra,
    }  # fmt: skip
    return json.dumps(form, indent=0, ensure_ascii=False).encode() + b"\n"


def _unpublished(signed: Any) -> Any:
    """Before its first publication, which makes it version 1."""
    signed.version = 0
    return signed


@dataclass
class Repository:
    """Everything that was ever published, as addresses and bytes."""

    now: datetime = NOW
    files: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    release: int = 0
    with_hashes: bool = False
    signers: dict[str, list[Signer]] = field(default_factory=dict)
    roles: dict[str, Signed] = field(default_factory=dict)
    before: dict[str, list[bytes]] = field(default_factory=dict)
    """Earlier bytes of each document, for deltas."""
    deltas: bool = True

    def __post_init__(self) -> None:
        for role in ("root", "targets", "snapshot", "timestamp", "almanac-v1", "v2", "network"):
            self.signers[role] = [TestSigner(role)]
        root = _unpublished(Root(consistent_snapshot=True))
        for role in ("root", "targets", "snapshot", "timestamp"):
            root.add_key(self.signers[role][0].public_key, role)
        top = _unpublished(Targets(delegations=Delegations({}, {})))
        self.roles = {
            "root": root,
            "targets": top,
            "snapshot": _unpublished(Snapshot(meta={})),
            "timestamp": _unpublished(Timestamp()),
        }
        self.delegate("targets", "almanac-v1", ["catalog/almanac/v1/*", "regions/*/catalog/almanac/v1/*"])
        self.delegate("targets", "v2", ["catalog/v2/*", "regions/*/catalog/v2/*"])
        self.delegate("targets", "network", ["mirrors.json"])
        self.publish_root()
        for role in ("almanac-v1", "v2", "network", "targets"):
            self.publish_targets(role)

    # Steps of a publication, each usable alone by a test that wants a broken one

    def delegate(self, parent: str, role: str, paths: list[str], *, terminating: bool = True) -> None:
        delegator = self.roles[parent]
        assert isinstance(delegator, Targets)
        if delegator.delegations is None:
            delegator.delegations = Delegations({}, {})
        assert delegator.delegations.roles is not None
        self.signers.setdefault(role, [TestSigner(role)])
        delegator.delegations.roles[role] = DelegatedRole(role, [], 1, terminating, paths)
        for signer in self.signers[role]:
            delegator.add_key(signer.public_key, role)
        self.roles.setdefault(role, _unpublished(Targets()))

    def sign(self, role: str, signed: Signed | None = None) -> bytes:
        metadata = Metadata(signed or self.roles[role])
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(JSONSerializer(compact=True))

    def bump(self, role: str) -> Signed:
        signed = self.roles[role]
        signed.version += 1
        signed.expires = self.now + timedelta(days=LIVES.get(role, 30))
        return signed

    def publish_root(self) -> bytes:
        root = self.bump("root")
        data = self.sign("root")
        self.files[f"metadata/{root.version}.root.json"] = data
        return data

    def publish_targets(self, role: str) -> None:
        signed = self.bump(role)
        data = self.sign(role)
        self.files[f"metadata/{signed.version}.{role}.json"] = data
        snapshot = self.roles["snapshot"]
        assert isinstance(snapshot, Snapshot)
        snapshot.meta[f"{role}.json"] = self._meta(signed.version, data)

    def publish_snapshot(self) -> None:
        snapshot = self.bump("snapshot")
        snapshot.unrecognized_fields["x-almanac-release"] = self.release
        data = self.sign("snapshot")
        self.files[f"metadata/{snapshot.version}.snapshot.json"] = data
        timestamp = self.roles["timestamp"]
        assert isinstance(timestamp, Timestamp)
        timestamp.snapshot_meta = self._meta(snapshot.version, data)

    def publish_timestamp(self) -> bytes:
        self.bump("timestamp")
        self.files[addresses.TIMESTAMP] = self.sign("timestamp")
        return self.files[addresses.TIMESTAMP]

    def _meta(self, version: int, data: bytes) -> MetaFile:
        if not self.with_hashes:
            return MetaFile(version)
        return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})

    def put(self, path: str, data: bytes, *, role: str | None = None) -> None:
        """A document under its hash, with deltas from all that came before it, listed by its role."""
        role = role or (
            "almanac-v1" if "almanac/v1" in path else "network" if path == "mirrors.json" else "v2"
        )
        sha256 = hashlib.sha256(data).hexdigest()
        listed: dict[str, int] = {}
        if self.deltas:
            for old in self.before.get(path, [])[-16:]:
                if old != data:
                    old_hash = hashlib.sha256(old).hexdigest()
                    frame = dcz.encode(old, data)
                    self.files[addresses.delta_path(old_hash, sha256)] = frame
                    listed[addresses.delta_key(old_hash)] = len(frame)
        target = TargetFile(
            len(data), {"sha256": sha256}, path, {"custom": {"release": self.release, "deltas": listed}}
        )
        signed = self.roles[role]
        assert isinstance(signed, Targets)
        signed.targets[path] = target
        self.documents[path] = data
        self.before.setdefault(path, []).append(data)
        self.files[addresses.object_path(path, sha256)] = data

    def publish(self, **documents: bytes) -> int:
        """One release: ``catalog=…``, ``aichat=…`` or ``mirrors=…``; the timestamp last."""
        names = {"catalog": CATALOG, "aichat": AICHAT, "mirrors": addresses.MIRRORS}
        self.release += 1
        changed = {"almanac-v1": False, "v2": False, "network": False}
        for name, data in documents.items():
            path = names[name]
            self.put(path, data)
            changed["almanac-v1" if path == CATALOG else "v2" if path == AICHAT else "network"] = True
        for role, is_changed in changed.items():
            if is_changed:
                self.publish_targets(role)
        self.publish_snapshot()
        self.publish_timestamp()
        return self.release

    def rotate(self, role: str, *names: str, threshold: int = 1) -> None:
        """Other keys for a role that root lists; the new root is signed by old and new root keys."""
        root = self.roles["root"]
        assert isinstance(root, Root)
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        fresh: list[Signer] = [TestSigner(name) for name in names]
        for signer in fresh:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = threshold
        old = self.signers["root"]
        self.signers[role] = fresh
        if role == "root":
            self.signers["root"] = [*old, *fresh]
        self.publish_root()
        self.signers["root"] = fresh if role == "root" else old

    def copy(self) -> Repository:
        """The same publisher at this moment, to go another way with the same keys."""
        return deepcopy(self)

    @property
    def root(self) -> bytes:
        return self.files["metadata/1.root.json"]


@dataclass
class Answer:
    """What a mirror says; a fault changes it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] = b""


Fault = Callable[[str, Answer], Answer | None]


class Mirror:
    """Serves ``files`` on loopback: ETags, 304, 404, and whatever ``faults`` make of it."""

    def __init__(self, repository: Repository | None = None) -> None:
        self.files = repository.files if repository else {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, int]] = []
        self.asked: list[dict[str, str]] = []
        self.etags = True
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                mirror._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that hangs up is what many of these tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.lstrip("/")
        self.asked.append(dict(handler.headers))
        answer = self._plain(path, dict(handler.headers))
        for fault in self.faults:
            answer = fault(path, answer) or answer
        self.requests.append((path, answer.status))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            handler.send_response(answer.status)
            body = answer.body
            if isinstance(body, bytes):
                answer.headers.setdefault("Content-Length", str(len(body)))
                body = iter([body])
            else:
                answer.headers.setdefault("Connection", "close")
                handler.close_connection = True
            for name, value in answer.headers.items():
                if value:
                    handler.send_header(name, value)
            handler.end_headers()
            for piece in body:
                handler.wfile.write(piece)
                handler.wfile.flush()
            if answer.headers.get("Connection") == "close":
                handler.close_connection = True

    def _plain(self, path: str, headers: dict[str, str]) -> Answer:
        data = self.files.get(path)
        if data is None:
            return Answer(404, {"Content-Type": "text/plain"}, b"not here\n")
        etag = f'"{hashlib.sha256(data).hexdigest()}"' if self.etags else ""
        if etag and headers.get("If-None-Match") == etag:
            return Answer(304, {"ETag": etag})
        return Answer(200, {"ETag": etag, "Content-Type": "application/octet-stream"}, data)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def resign(data: bytes, signers: list[Signer], change: Callable[[dict[str, Any]], None]) -> bytes:
    """Metadata changed as plain JSON (what the library would refuse to write) and signed again."""
    from securesystemslib.formats import encode_canonical

    form = json.loads(data)
    change(form["signed"])
    payload = encode_canonical(form["signed"])
    assert isinstance(payload, str)
    form["signatures"] = [signer.sign(payload.encode()).to_dict() for signer in signers]
    return json.dumps(form).encode()


def at(path: str, change: Callable[[Answer], Answer | None]) -> Fault:
    """A fault at one address (or below it, where ``path`` ends with a slash)."""

    def fault(asked: str, answer: Answer) -> Answer | None:
        return change(answer) if asked == path or (path.endswith("/") and asked.startswith(path)) else None

    return fault
