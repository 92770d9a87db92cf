"""What a publication works with: made once at the edge, passed down, so that nothing below reads settings or the clock."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from almanac.lifecycle import SchemaNotice
from almanac.stores import ObjectNotFoundError, ObjectStore, StoreError
from mirrors.failpoints import Passing, nothing
from mirrors.purging.drivers import Purger
from mirrors.retention import Limits
from signing.metadata import ExpiryPolicy, KeySource
from signing.minisign import MinisignPublicKey, MinisignSigner

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Document:
    """One view of a release; its bytes are read only where they are new, and ``read`` gives those of the hash."""

    path: str
    sha256: str
    length: int
    read: Callable[[], bytes] = field(repr=False)

    @classmethod
    def of(cls, path: str, data: bytes) -> Document:
        return cls(path, hashlib.sha256(data).hexdigest(), len(data), lambda: data)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a publication should not go on; ``overridable`` where a second look may let it pass."""

    guard: str
    where: str
    reason: str
    overridable: bool = True


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    name: str
    path: str
    status: str = "current"
    sunset: str | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """All documents of one release, and what their future readers would say to them."""

    release: int
    documents: Sequence[Document]
    schemas: Sequence[SchemaFacts]
    regions: Sequence[str] = ("global",)
    experiments: Sequence[str] = ()
    objections: Sequence[Objection] = ()
    warnings: Sequence[str] = ()
    notices: Sequence[SchemaNotice] = ()


class Catalog(Protocol):
    """What publication needs of the catalog. ``cut`` and ``render`` are called inside one transaction."""

    def cut(self, *, now: datetime, by: str, restores: int | None) -> int | None:
        """The next release, or ``None`` when nothing changed."""

    def newest_release(self) -> int | None: ...

    def render(self, release: int, *, known: Collection[str]) -> Rendering:
        """``known`` are the paths that are listed now: an empty document is left out unless it is one of them."""

    def notices(self, release: int) -> Sequence[SchemaNotice]:
        """What this release says of every schema that it knows, current ones too."""

    def objections(self, release: int, *, published: int, known: Collection[str]) -> Sequence[Objection]:
        """What the guards say to this release after the last published one, which listed the paths ``known``."""

    def restore(self, release: int, *, by: str, now: datetime) -> None:
        """Sets the live state to an earlier release's, in the caller's transaction."""

    def withdraw(self, release: int, *, by: str, now: datetime) -> None:
        """Takes the newest cut back as if it had not been made; nothing was ever signed for it."""

    def latest_boundary(self, *, now: datetime) -> datetime | None:
        """The last moment at which time alone may have made a new release due."""

    def record(
        self, *, action: str, about: str, by: str, now: datetime, detail: Mapping[str, object]
    ) -> None:
        """Writes the audit row of what a service does, in that service's transaction."""


class Keys(KeySource, Protocol):
    """The signing keys, TUF's and minisign's: a ``Keyring``."""

    def minisign(self) -> MinisignSigner: ...

    def minisign_public_key(self) -> MinisignPublicKey: ...


Watching = Callable[[Mapping[str, object]], None]
"""Is shown every entry of a publication's log when it begins, goes on and ends."""


def unwatched(_entry: Mapping[str, object]) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Means:
    stores: Mapping[str, ObjectStore]
    """Address → store; the first is the one that decides what is committed."""
    catalog: Catalog
    open_keys: Callable[[], Keys]
    """Opening sealed keys takes time and memory on purpose, so it is done when something is to be signed."""
    base_url: str
    staging: Path
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopwatch: Callable[[], float] = time.perf_counter
    passing: Passing = nothing
    watching: Watching = unwatched
    policy: ExpiryPolicy = field(default_factory=ExpiryPolicy)
    limits: Limits = field(default_factory=Limits)
    threads: int = 2
    purgers: Sequence[Purger] = ()
    """The caches that are told after a commit."""

    @property
    def primary(self) -> ObjectStore:
        return next(iter(self.stores.values()))


class Readable(Protocol):
    """As much of a store as a reader needs."""

    def get(self, name: str) -> bytes: ...

    def size(self, name: str) -> int | None: ...


class FirstThatAnswers:
    """Reads what never changes from several stores: asks them in their order, and no silent one twice."""

    def __init__(self, stores: list[ObjectStore]) -> None:
        self._stores = stores

    def get(self, name: str) -> bytes:
        return self._ask(lambda store: store.get(name))

    def size(self, name: str) -> int | None:
        return self._ask(lambda store: store.size(name))

    def _ask(self, question: Callable[[ObjectStore], Answer]) -> Answer:
        while True:
            store = self._stores[0]
            try:
                return question(store)
            except ObjectNotFoundError:
                raise
            except StoreError:
                if len(self._stores) == 1:
                    raise
                self._stores = [other for other in self._stores if other is not store]
