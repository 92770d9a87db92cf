"""Makes the deltas of the documents that changed: each is applied and compared before it is offered."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from almanac import dcz
from almanac.addresses import delta_path, object_path
from almanac.errors import MalformedError
from almanac.stores import ObjectNotFoundError
from mirrors.deltas import FAST_LEVEL, Version, bases, is_worth_it, long_enough, next_level
from mirrors.models import Appearance, Delta, Unreferenced
from mirrors.services.means import Readable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

QUICK_LEVEL = 3
LARGE = 8 * 1024 * 1024
"""Bytes from which a document's deltas are made one after the other."""
PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Changed:
    """A document whose bytes are not the listed ones; ``before`` is the SHA-256 of those, if there were any."""

    path: str
    data: bytes
    sha256: str
    before: str | None


Job = tuple[Changed, str, int]
"""A document, the SHA-256 of a base, and how many newer bases there are."""
Delivered = tuple[bytes, bool] | None
"""A delta, and whether it is new; none where there is none worth offering."""


@dataclass(frozen=True, slots=True)
class MadeDelta:
    path: str
    old: str
    new: str
    data: bytes
    is_new: bool
    """False: it lies in the store already, and its bytes stay."""

    @property
    def address(self) -> str:
        return delta_path(self.old, self.new)


def make_deltas(
    changed: Iterable[Changed],
    *,
    store: Readable,
    now: datetime,
    threads: int,
    made_one: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[MadeDelta]:
    """The deltas worth offering for these documents, in a stable order.

    ``made_one`` is told after each how many of how many are made, in the caller's thread.
    """
    wanted = [
        (document, old, position)
        for document in changed
        for position, old in enumerate(wanted_bases(document.path, document.sha256, now))
    ]
    once = {(old, document.sha256): (document, old, position) for document, old, position in reversed(wanted)}
    workshop = _Workshop(store, _removed(once))
    made = dict(
        zip(
            once,
            _in_lanes(lambda one: workshop.make(*one), list(once.values()), threads, made_one),
            strict=True,
        )
    )
    return [
        MadeDelta(document.path, old, document.sha256, *delta)
        for document, old, _ in wanted
        if (delta := made[old, document.sha256]) is not None
    ]


def _in_lanes(
    make: Callable[[Job], Delivered], jobs: list[Job], threads: int, made_one: Callable[[int, int], None]
) -> Iterator[Delivered]:
    """Small documents several at once, large ones one after the other: each needs several times its size."""
    small = [job for job in jobs if len(job[0].data) <= LARGE]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        ready = pool.map(make, small)
        for done, job in enumerate(jobs, start=1):
            yield next(ready) if len(job[0].data) <= LARGE else make(job)
            made_one(done, len(jobs))


def _removed(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Those that a store had once: others may still have those bytes, so they are never made anew."""
    addresses = [delta_path(old, new) for old, new in pairs]
    rows = Unreferenced.objects.filter(address__in=addresses, removed_at__isnull=False)
    return frozenset(rows.values_list("address", flat=True))


def wanted_bases(path: str, current: str, now: datetime) -> list[str]:
    """The older documents of a path that a delta should lead from."""
    rows = Appearance.objects.filter(document__path=path).order_by("since", "pk")
    history = [Version(*row) for row in rows.values_list("document__sha256", "since")]
    return bases(history, current=current, now=now)


def listed_deltas() -> dict[tuple[str, str], dict[str, int]]:
    """(path, new) → first 16 digits of the old SHA-256 → bytes, for everything that is offered."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for path, old, new, length in Delta.objects.filter(listed=True).values_list(
        "path", "old", "new", "length"
    ):
        found.setdefault((path, new), {})[old[:16]] = length
    return found


class _Workshop:
    """Makes one delta after another, or finds it; several threads may ask at once."""

    def __init__(self, store: Readable, removed: frozenset[str]) -> None:
        self._store = store
        self._gone = removed
        self._lock = Lock()
        self._compressed: dict[str, _Compressed] = {}

    def make(self, document: Changed, old_sha256: str, position: int) -> Delivered:
        """What lies in the store stays, if it works; a delta that does not lead to the document is not offered."""
        gone = delta_path(old_sha256, document.sha256) in self._gone
        old = None if gone else self._old_bytes(document.path, old_sha256)
        if old is None:
            return None
        try:
            delta, is_new = self._store.get(delta_path(old_sha256, document.sha256)), False
            if hashlib.sha256(old).hexdigest() != old_sha256:
                return None
        except ObjectNotFoundError:
            delta, is_new = self._encoded(document, old, position), True
        if not self._is_worth_it(delta, document) or not _leads(old_sha256, old, delta, document.data):
            return None
        return delta, is_new

    def _encoded(self, document: Changed, old: bytes, position: int) -> bytes:
        level: int | None = FAST_LEVEL
        made = b""
        while level is not None:
            tried = dcz.encode(old, document.data, level=level)
            made = min(made or tried, tried, key=len)
            level = next_level(
                position,
                level,
                document_length=len(document.data),
                delta_length=len(made),
                worth_it=self._is_worth_it(made, document),
            )
        return made

    def _is_worth_it(self, delta: bytes, document: Changed) -> bool:
        with self._lock:
            compressed = self._compressed.setdefault(document.sha256, _Compressed(document.data))
            return is_worth_it(len(delta), compressed.length(long_enough(len(delta))))

    def _old_bytes(self, path: str, sha256: str) -> bytes | None:
        """The older document as it lies in the store; a damaged one shows itself when the delta is tried."""
        try:
            return self._store.get(object_path(path, sha256))
        except ObjectNotFoundError:
            return None


class _Compressed:
    """A document's length when compressed, found out only as far as somebody asks: most deltas are tiny beside it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._read = self._length = 0
        self._compressor = zstd.ZstdCompressor(level=QUICK_LEVEL)

    def length(self, enough: int) -> int:
        """The whole length, or one that is at least ``enough``."""
        while self._length < enough and self._read < len(self._data):
            piece = self._data[self._read : self._read + PIECE]
            self._read += len(piece)
            self._length += len(self._compressor.compress(piece))
            if self._read == len(self._data):
                self._length += len(self._compressor.flush())
        return self._length


def _leads(old_sha256: str, old: bytes, delta: bytes, new: bytes) -> bool:
    """True when the delta is one from the document of that hash, and really makes the new one of it."""
    try:
        return dcz.dictionary_hash(delta) == old_sha256 and dcz.makes(old, delta, new)
    except MalformedError:
        return False


def delta_report(made: Iterable[MadeDelta], before: Mapping[str, str | None]) -> dict[str, dict[str, int]]:
    """Path → how many deltas, and the bytes of the one from the document before."""
    report: dict[str, dict[str, int]] = {}
    for delta in made:
        facts = report.setdefault(delta.path, {"deltas": 0})
        facts["deltas"] += 1
        if before.get(delta.path) == delta.old:
            facts["delta_bytes"] = len(delta.data)
    return report
