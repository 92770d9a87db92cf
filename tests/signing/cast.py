"""The cast of the signing tests: keys in memory, a store in a dict, and stock python-tuf clients that read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from almanac.addresses import object_path
from signing.delegations import NETWORK, RoleContent, TargetFile, region_delegation, schema_delegation
from signing.keys import Ed25519Signer, Secret
from signing.metadata import NextMetadata, next_metadata
from signing.policy import ExpiryPolicy
from tests.clocks import moved

NOW = moved(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
PURPOSES = ("root", "targets", "publisher", "network", "snapshot", "timestamp")


def signer_of(name: str) -> Ed25519Signer:
    """Always the same key for the same name."""
    return Ed25519Signer(Secret(hashlib.sha256(name.encode()).digest()))


@dataclass
class MemoryKeys:
    """A ``KeySource`` without files: current keys by purpose, thresholds, and keys that are elsewhere."""

    current: dict[str, list[Ed25519Signer]] = field(
        default_factory=lambda: {purpose: [signer_of(purpose)] for purpose in PURPOSES}
    )
    thresholds: dict[str, int] = field(default_factory=dict)
    retired: list[Ed25519Signer] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    brought: dict[str, bytes] = field(default_factory=dict)
    rotations: int = 0

    def public_keys(self, purpose: str) -> Sequence[Key]:
        return [signer.public_key for signer in self.current[purpose]]

    def threshold(self, purpose: str) -> int:
        return self.thresholds.get(purpose, 1)

    def signer(self, keyid: str) -> Signer | None:
        known = [*self.retired, *(signer for signers in self.current.values() for signer in signers)]
        found = (signer for signer in known if signer.public_key.keyid == keyid)
        return None if keyid in self.elsewhere else next(found, None)

    def is_revoked(self, keyid: str) -> bool:
        return keyid in self.revoked

    def prepared(self, role: str) -> bytes | None:
        return self.brought.get(role)

    def rotate(self, purpose: str, *, revoke: bool = False) -> None:
        self.rotations += 1
        self.revoked |= {signer.public_key.keyid for signer in self.current[purpose] if revoke}
        self.retired += self.current[purpose]
        self.current[purpose] = [signer_of(f"{purpose} {self.rotations}")]

    def send_away(self, purpose: str) -> None:
        self.elsewhere |= {signer.public_key.keyid for signer in self.current[purpose]}


def target(
    path: str, data: bytes, *, release: int = 1, deltas: Mapping[str, int] | None = None
) -> TargetFile:
    return TargetFile(path, hashlib.sha256(data).hexdigest(), len(data), release, deltas or {})


def contents_of(
    documents: Mapping[str, bytes], *, regions: Sequence[str] = ("eu",)
) -> dict[str, RoleContent]:
    """The roles of a house with the schemas ``v2`` and ``almanac/v1`` and the documents at these paths."""
    contents: dict[str, RoleContent] = {}
    schemas = []
    for folder in ("v2", "almanac/v1"):
        regional = tuple(region_delegation(folder, region) for region in regions)
        for region, delegation in zip(regions, regional, strict=True):
            contents[delegation.role] = RoleContent(
                _under(documents, f"regions/{region}/", f"catalog/{folder}/")
            )
        schema = schema_delegation(folder)
        schemas.append(schema)
        contents[schema.role] = RoleContent(_under(documents, f"catalog/{folder}/"), regional)
    contents["network"] = RoleContent(_under(documents, "mirrors.json"))
    contents["targets"] = RoleContent(delegates=(*schemas, NETWORK))
    return contents


def _under(documents: Mapping[str, bytes], prefix: str, part: str = "") -> tuple[TargetFile, ...]:
    return tuple(
        target(path, data) for path, data in documents.items() if path.startswith(prefix) and part in path
    )


DOCUMENTS = {
    "catalog/v2/models.yaml": b"- provider: openai\n",
    "regions/eu/catalog/v2/models.yaml": b"- provider: mistral\n",
    "catalog/almanac/v1/catalog.json": b'{"format":"almanac/v1"}',
    "mirrors.json": b'{"mirrors":[]}',
}


@dataclass
class House:
    """A publisher of the tests: its keys, its newest metadata, and every byte it ever put into its store."""

    keys: MemoryKeys = field(default_factory=MemoryKeys)
    documents: dict[str, bytes] = field(default_factory=lambda: dict(DOCUMENTS))
    now: datetime = NOW
    release: int = 1
    regions: tuple[str, ...] = ("eu",)
    current: dict[str, bytes] = field(default_factory=dict)
    store: dict[str, bytes] = field(default_factory=dict)
    policy: ExpiryPolicy = field(default_factory=ExpiryPolicy)

    def publish(self) -> NextMetadata:
        made = next_metadata(
            current=self.current,
            contents=contents_of(self.documents, regions=self.regions),
            release=self.release,
            keyring=self.keys,
            now=self.now,
            policy=self.policy,
        )
        for path, data in self.documents.items():
            self.store[object_path(path, hashlib.sha256(data).hexdigest())] = data
        self.store.update(made.files)
        self.current = made.roles
        return made

    def pass_time(self, **length: float) -> None:
        self.now += timedelta(**length)


class DictFetcher(FetcherInterface):
    """Answers from a dict under ``mem:/``: no sockets."""

    def __init__(self, store: Mapping[str, bytes]) -> None:
        self.store = store

    def _fetch(self, url: str) -> Iterator[bytes]:
        data = self.store.get(url.removeprefix("mem:/"))
        if data is None:
            raise DownloadHTTPError(url, 404)
        return iter([data])


class StockClient:
    """A stock python-tuf client that keeps its state in ``folder`` and lives at the house's time."""

    def __init__(self, folder: Path, house: House) -> None:
        self.folder, self.house = folder, house
        self.bootstrap = house.store["metadata/1.root.json"]
        (folder / "metadata").mkdir(parents=True)
        (folder / "targets").mkdir()

    def refreshed(self) -> Updater:
        updater = Updater(
            str(self.folder / "metadata"),
            "mem:/metadata/",
            target_dir=str(self.folder / "targets"),
            target_base_url="mem:/targets/",
            fetcher=DictFetcher(self.house.store),
            bootstrap=self.bootstrap,
        )
        updater._trusted_set.reference_time = self.house.now
        updater.refresh()
        return updater

    def read(self, path: str) -> bytes:
        updater = self.refreshed()
        info = updater.get_targetinfo(path)
        assert info is not None, f"no role lists {path}"
        return Path(updater.download_target(info)).read_bytes()
