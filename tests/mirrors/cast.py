"""The cast of the publication's tests: a catalog of plain bytes, a publisher, a stranger who trusts nobody, faults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp
from tuf.ngclient import Updater

from almanac import dcz
from almanac.addresses import delta_path, object_path
from almanac.lifecycle import SchemaNotice
from almanac.stores import MemoryStore, ObjectNotFoundError, ObjectStore, StoreError
from mirrors.models import (
    Appearance,
    Delta,
    Job,
    Publication,
    PublishedDocument,
    SignedFile,
    StoreProgress,
)
from mirrors.services import publishing, ticking
from mirrors.services.means import Document, Means, Objection, Rendering, SchemaFacts
from signing.minisign import MinisignPublicKey, MinisignSigner, read_public_key, trusted_facts, verify
from tests.signing.cast import NOW, DictFetcher, MemoryKeys, signer_of

V2 = "catalog/v2/models.yaml"
EU = "regions/eu/catalog/v2/models.yaml"
ALMANAC = "catalog/almanac/v1/catalog.json"


class PlainCatalog:
    """Documents instead of records. A cut sees only what differs from the last release; a rolled-back cut never was."""

    def __init__(self, documents: Mapping[str, bytes] | None = None) -> None:
        self.documents = dict(documents or {V2: lines(40), EU: lines(38), ALMANAC: lines(60, "almanac")})
        self.released: dict[int, dict[str, bytes]] = {}
        self.refused: list[Objection] = []
        self.guarded: list[Objection] = []
        self.boundary: datetime | None = None
        self.audit: list[str] = []

    def cut(self, *, now: datetime, by: str, restores: int | None) -> int | None:
        last = self.newest_release() or 0
        if self.released.get(last) == self.documents:
            return None
        self.released[last + 1] = dict(self.documents)
        return last + 1

    def newest_release(self) -> int | None:
        kept = Publication.objects.filter(release__isnull=False).order_by("release").last()
        newest = kept.release if kept else 0
        self.released = {number: held for number, held in self.released.items() if number <= (newest or 0)}
        return newest or None

    def render(self, release: int, *, known: object) -> Rendering:
        held = self.released[release]
        documents = [Document.of(path, data) for path, data in sorted(held.items())]
        schemas = [SchemaFacts("v2", V2), SchemaFacts("almanac/v1", ALMANAC)]
        return Rendering(
            release,
            documents,
            [schema for schema in schemas if schema.path in held],
            ("global", "eu"),
            objections=list(self.refused),
        )

    def notices(self, release: int) -> Sequence[SchemaNotice]:
        return ()

    def objections(self, release: int, *, published: int, known: object) -> Sequence[Objection]:
        return list(self.guarded)

    def restore(self, release: int, *, by: str, now: datetime) -> None:
        self.documents = dict(self.released[release])

    def withdraw(self, release: int, *, by: str, now: datetime) -> None:
        del self.released[release]

    def latest_boundary(self, *, now: datetime) -> datetime | None:
        return self.boundary if self.boundary and self.boundary <= now else None

    def record(
        self, *, action: str, about: str, by: str, now: datetime, detail: Mapping[str, object]
    ) -> None:
        self.audit.append(f"{by} {action} {about}")


def lines(count: int, word: str = "model", *, changed: int | None = None) -> bytes:
    """A document of one line per record; ``changed`` gives one of them another text."""
    text = "".join(
        f"- {word}-{i:04d}: {hashlib.sha256(f'{word}{i}{i == changed}'.encode()).hexdigest()}\n"
        for i in range(count)
    )
    return text.encode()


class House(MemoryKeys):
    """All keys in memory, minisign's too."""

    def minisign(self) -> MinisignSigner:
        return MinisignSigner(signer_of("minisign"))

    def minisign_public_key(self) -> MinisignPublicKey:
        return self.minisign().public_key


@dataclass
class Publisher:
    """An installation of the tests: its catalog, its store, its clock."""

    folder: Path
    catalog: PlainCatalog = field(default_factory=PlainCatalog)
    store: ObjectStore = field(default_factory=MemoryStore)
    keys: House = field(default_factory=House)
    now: datetime = NOW
    others: dict[str, ObjectStore] = field(default_factory=dict)
    passing: Callable[[str], None] = lambda _name: None

    @property
    def means(self) -> Means:
        return Means(
            stores={"memory:first": self.store, **self.others},
            catalog=self.catalog,
            open_keys=lambda: self.keys,
            base_url="http://127.0.0.1:8000",
            staging=self.folder / "staging",
            clock=lambda: self.now,
            stopwatch=lambda: 0.0,
            passing=self.passing,
        )

    def publish(self, **asked: object) -> Publication:
        return publishing.publish(self.means, by="alice", wait_s=0, **asked)  # type: ignore[arg-type]

    def tick(self, **changes: object) -> ticking.Ticked:
        return ticking.tick(replace(self.means, **changes))  # type: ignore[arg-type]

    def edit(self, path: str, data: bytes) -> None:
        self.catalog.documents[path] = data

    def pass_time(self, **length: float) -> None:
        self.now += timedelta(**length)


class Everything(Mapping[str, bytes]):
    """A store as a mapping, for a fetcher."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def __getitem__(self, name: str) -> bytes:
        try:
            return self.store.get(name)
        except ObjectNotFoundError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return self.store.names()

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Stranger:
    """Reads a store from outside with a stock python-tuf client, and then looks at every byte that is promised."""

    def __init__(self, store: ObjectStore, folder: Path, *, now: datetime) -> None:
        self.files = Everything(store)
        self.now = now
        self.folder = folder
        (folder / "metadata").mkdir(parents=True, exist_ok=True)
        (folder / "targets").mkdir(exist_ok=True)

    def release(self) -> int:
        snapshot = Metadata[Snapshot].from_bytes(
            self.files[f"metadata/{self.snapshot_version()}.snapshot.json"]
        )
        return int(snapshot.signed.unrecognized_fields["x-almanac-release"])

    def snapshot_version(self) -> int:
        timestamp = Metadata[Timestamp].from_bytes(self.files["metadata/timestamp.json"])
        return timestamp.signed.snapshot_meta.version

    def documents(self) -> dict[str, bytes]:
        """Every listed document, verified; raises when anything that the metadata promises is not so."""
        updater = self.updater()
        found = {}
        for target, custom in self._listed():
            info = updater.get_targetinfo(target)
            assert info is not None, f"no role that is delegated to lists {target}"
            data = Path(updater.download_target(info, str(self.folder / "targets" / "one"))).read_bytes()
            (self.folder / "targets" / "one").unlink()
            self._check_deltas(data, custom["deltas"])
            found[target] = data
        return found

    def updater(self) -> Updater:
        updater = Updater(
            str(self.folder / "metadata"),
            "mem:/metadata/",
            target_dir=str(self.folder / "targets"),
            target_base_url="mem:/targets/",
            fetcher=DictFetcher(self.files),
            bootstrap=self.files["metadata/1.root.json"],
        )
        updater._trusted_set.reference_time = self.now
        updater.refresh()
        return updater

    def _listed(self) -> Iterator[tuple[str, dict]]:
        snapshot = Metadata[Snapshot].from_bytes(
            self.files[f"metadata/{self.snapshot_version()}.snapshot.json"]
        )
        for name, meta in snapshot.signed.meta.items():
            data = self.files[f"metadata/{meta.version}.{name}"]
            assert hashlib.sha256(data).hexdigest() == meta.hashes["sha256"]
            for path, target in Metadata[Targets].from_bytes(data).signed.targets.items():
                yield path, target.unrecognized_fields["custom"]

    def _check_deltas(self, new: bytes, deltas: Mapping[str, int]) -> None:
        sha256 = hashlib.sha256(new).hexdigest()
        for old16, length in deltas.items():
            (address,) = [
                n for n in self.files.store.names(f"deltas/{old16}") if n.endswith(f"/{sha256}.dcz")
            ]
            assert len(self.files[address]) == length
            old = self._by_hash(address.split("/")[1])
            assert dcz.decode(old, self.files[address], max_length=len(new)) == new

    def _by_hash(self, sha256: str) -> bytes:
        for name in self.files:
            is_beside = name.endswith((".minisig", ".br", ".gz", ".zst"))
            if (
                name.startswith("targets/")
                and name.rpartition("/")[2].startswith(f"{sha256}.")
                and not is_beside
            ):
                return self.files[name]
        raise AssertionError(f"the old document {sha256} is gone")

    def plain(self, path: str) -> bytes:
        """A plain address, its minisign signature verified with ``minisign.pub``."""
        data, signature = self.files[path], self.files[f"{path}.minisig"]
        key = read_public_key(self.files["minisign.pub"].decode())
        facts = trusted_facts(verify(data, signature, key))
        assert (facts["path"], facts["sha256"]) == (path, hashlib.sha256(data).hexdigest())
        return data

    def index(self) -> dict:
        return json.loads(self.files["index.json"])


def forget_everything() -> None:
    """An empty installation again, in the same database."""
    for model in (Appearance, Job, Delta, SignedFile, PublishedDocument, StoreProgress, Publication):
        model.objects.all().delete()


def follow_by_deltas(store: ObjectStore, path: str, held: bytes) -> tuple[bytes, bool]:
    """The current document for somebody who holds ``held``: by a delta if one is offered; True if so."""
    files = Everything(store)
    new_sha256 = hashlib.sha256(files[path]).hexdigest()
    old_sha256 = hashlib.sha256(held).hexdigest()
    if new_sha256 == old_sha256:
        return held, False
    full = files[object_path(path, new_sha256)]
    delta = files.get(delta_path(old_sha256, new_sha256))
    return (full, False) if delta is None else (dcz.decode(held, delta, max_length=len(full)), True)


class FaultError(StoreError):
    name = "fault"


class FaultyStore:
    """Passes calls on and fails the ``nth`` write or read, before or after it took effect."""

    def __init__(self, inner: ObjectStore, *, nth: int, after: bool) -> None:
        self.inner, self.nth, self.after = inner, nth, after
        self.calls = 0

    def _pass(self, call: Callable[[], object]) -> object:
        self.calls += 1
        if self.calls == self.nth and not self.after:
            raise FaultError("the store does not answer")
        result = call()
        if self.calls == self.nth and self.after:
            raise FaultError("the answer was lost")
        return result

    def get(self, name: str) -> bytes:
        return self._pass(lambda: self.inner.get(name))  # type: ignore[return-value]

    def size(self, name: str) -> int | None:
        return self._pass(lambda: self.inner.size(name))  # type: ignore[return-value]

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        return self._pass(lambda: self.inner.put(name, data, only_if_absent=only_if_absent))  # type: ignore[return-value]

    def delete(self, name: str) -> None:
        self._pass(lambda: self.inner.delete(name))

    def names(self, prefix: str = "") -> Iterator[str]:
        return self.inner.names(prefix)

    def flush(self) -> None:
        self._pass(self.inner.flush)


__all__ = ["NOW", "UTC"]
