"""What readers of some snapshots may still ask for: a pure walk from signed bytes to the files that they name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from almanac.addresses import TIMESTAMP, metadata_path
from almanac.errors import MalformedError

SNAPSHOT: Final = re.compile(r"metadata/([1-9][0-9]{0,9})\.snapshot\.json")
_ROOT: Final = re.compile(r"metadata/[1-9][0-9]{0,9}\.root\.json")
_METADATA: Final = re.compile(r"metadata/[1-9][0-9]{0,9}\.[a-z0-9][a-z0-9._-]{0,127}\.json")
_OBJECT: Final = re.compile(r"targets/(?:[^/]+/)*([0-9a-f]{64})\.[^/]+")
DELTA: Final = re.compile(r"deltas/([0-9a-f]{64})/([0-9a-f]{64})\.dcz")

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what nobody needs any more stays."""

    releases: int = 100
    """The newest ones, whose snapshots stay whole."""
    age: timedelta = timedelta(days=7)
    """Whatever was current within it stays whole; what is unreferenced goes after as long again, or after the
    timestamp's lifetime, whichever is longer."""
    every: timedelta = timedelta(days=1)
    most_unseen: timedelta = timedelta(days=3)
    """After a longer pause nobody knows whether a file was unreferenced all the time: counting begins anew."""
    temporary: timedelta = timedelta(days=1)
    at_once: int = 2000
    """Files that one round removes at the most: meanwhile nobody can publish."""


@dataclass(slots=True)
class Kept:
    """The files that stay."""

    metadata: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    """By their SHA-256, with everything that lies beside them."""
    deltas: set[tuple[str, str]] = field(default_factory=set)
    """First 16 digits of the old SHA-256, and the new one."""

    def copy(self) -> Kept:
        return Kept(set(self.metadata), set(self.documents), set(self.deltas))

    def add_snapshot(self, address: str, read: Read) -> None:
        """The snapshot, its roles, their documents and deltas; what cannot be read names nothing."""
        self.metadata.add(address)
        with _understood(address):
            meta = _signed(read(address)).get("meta", {})
            roles = {metadata_path(n.removesuffix(".json"), int(m["version"])) for n, m in meta.items()}
        for role in roles - self.metadata:
            self.add_role(role, read)

    def add_role(self, address: str, read: Read) -> None:
        self.metadata.add(address)
        with _understood(address):
            for target in _signed(read(address)).get("targets", {}).values():
                sha256 = target["hashes"]["sha256"]
                self.documents.add(sha256)
                self.deltas.update((old, sha256) for old in target.get("custom", {}).get("deltas", {}))

    def add_bases(self, names: Iterable[str]) -> None:
        """The old documents of deltas that stay, so that whoever verifies the store can try them."""
        matches = [match for match in map(DELTA.fullmatch, names) if match]
        self.documents.update(match[1] for match in matches if (match[1][:16], match[2]) in self.deltas)

    def keeps(self, name: str) -> bool:
        """True also for everything that is no immutable file of ours. A delta goes with one of its documents: as long
        as both are there it might be offered again, and its bytes must never be made anew.
        """
        if found := DELTA.fullmatch(name):
            old, new = found[1], found[2]
            return (old[:16], new) in self.deltas or {old, new} <= self.documents
        if found := _OBJECT.fullmatch(name):
            return found[1] in self.documents
        is_ours = _METADATA.fullmatch(name) and not _ROOT.fullmatch(name) and name != TIMESTAMP
        return not is_ours or name in self.metadata


def removal_order(name: str) -> tuple[int, str]:
    """What names others goes before them, so that nobody finds a snapshot whose documents are gone."""
    if name.startswith("metadata/"):
        return (0 if SNAPSHOT.fullmatch(name) else 1), name
    return (2 if name.startswith("deltas/") else 3), name


@contextmanager
def _understood(address: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedError(
            "this cannot be read, so nobody knows what it needs:",
            where=address,
            advice="nothing is removed; run 'manage.py verifystore'",
        ) from error


def _signed(data: bytes | None) -> dict[str, Any]:
    signed: dict[str, Any] = json.loads(data)["signed"] if data else {}
    return signed
