"""What was served, learned from the stores themselves: a restored server must not say anything else under a number that
readers have seen.

Each source is verified as a stranger would, and tied to this publisher by the first root; then every numbered metadata
file that lies in it is read, those that were never committed too. ``adopting`` writes down what was learned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from almanac.addresses import INDEX, METADATA_NAME, MINISIGN_KEY, TIMESTAMP, metadata_path, object_path
from almanac.errors import (
    AlmanacError,
    EquivocationError,
    ExpiredError,
    LocalStateError,
    SignatureError,
)
from mirrors.verifying import tuf
from mirrors.verifying.chain import Chain, Target, verify_chain
from mirrors.verifying.report import Report
from mirrors.verifying.sources import Source
from signing.metadata import RELEASE_FIELD

MOST: Final = 20_000_000
NUMBERED: Final = re.compile(r"metadata/([1-9][0-9]{0,9})\.[a-z0-9][a-z0-9._-]{0,127}\.json")
TOP_LEVEL: Final = frozenset({"root", "snapshot", "timestamp"})


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """One metadata file."""

    address: str
    role: str
    version: int
    data: bytes
    signed: Mapping[str, Any]

    @property
    def expires(self) -> datetime:
        return datetime.fromisoformat(self.signed["expires"])

    @property
    def is_targets(self) -> bool:
        return self.role not in TOP_LEVEL


@dataclass(slots=True)
class Seen:
    """One source that something is published in."""

    source: Source
    chain: Chain
    timestamp: SignedBytes
    release: int
    committed: dict[str, SignedBytes] = field(default_factory=dict)
    """Address → what its timestamp leads to, itself included."""


@dataclass(slots=True)
class Learned:
    seen: list[Seen] = field(default_factory=list)
    files: dict[str, SignedBytes] = field(default_factory=dict)
    """Address → every numbered file that a source holds and the backup does not know."""
    empty: list[str] = field(default_factory=list)
    """Sources in which nothing is published."""

    @property
    def newest(self) -> Seen | None:
        """The source that is furthest; where two are level, the first."""
        return max(self.seen, key=lambda one: one.timestamp.version, default=None)

    @property
    def highest_release(self) -> int:
        """Committed or not: a number that may have been seen is not given again."""
        snapshots = [int(f.signed.get(RELEASE_FIELD, 0)) for f in self.files.values() if f.role == "snapshot"]
        targets = [t.release for one in self.seen for t in one.chain.targets.values()]
        return max([0, *(one.release for one in self.seen), *snapshots, *targets])


def learn(
    sources: Sequence[Source],
    *,
    first_root: bytes | None,
    known: Mapping[str, bytes],
    keys: Mapping[str, bytes],
    now: datetime,
    progress: Any = lambda _what: None,
) -> Learned:
    """``known``: address → the bytes that the backup signed there; ``keys``: id → public key of the keyring.

    Raises:
        SignatureError: a source is another publisher's, or does not verify.
        EquivocationError: two truths under one name.
        StoreError, NetworkError: a source cannot be read; what it holds must be known.
    """
    learned = Learned()
    for source in sources:
        progress(f"reading {source.address}")
        one = _seen(source, first_root=first_root, now=now)
        if one is None:
            learned.empty.append(source.address)
            continue
        learned.seen.append(one)
        for file in one.committed.values():
            if file.role != "timestamp":
                _keep(learned, file, known)
        for name in _others(source, one, known):
            file = _file(source, name)
            _must_be_ours(file, one, keys)
            _keep(learned, file, known)
    _one_truth_about_the_newest(learned.seen)
    return learned


def _seen(source: Source, *, first_root: bytes | None, now: datetime) -> Seen | None:
    root = source.get(metadata_path("root", 1), most=MOST)
    if root is None and source.get(TIMESTAMP, most=MOST) is None:
        return None
    if first_root is not None and root != first_root:
        raise SignatureError(
            "this is another publisher's store: its first root is not the backup's",
            where=f"({source.address})",
            advice="set ALMANAC_STORE to the stores of the installation that the backup is of",
        )
    if source.get(TIMESTAMP, most=MOST) is None:
        return None  # nothing was ever committed there
    report = Report(source.address)
    chain = verify_chain(source, report, now=now, fingerprint=None)
    for problem in report.problems:
        if not isinstance(
            problem, ExpiredError
        ):  # after a long silence everything has expired, and counts on
            raise problem
    committed = {name: _file(source, name) for name in sorted(chain.files)}
    snapshot = chain.roles["snapshot"].signed
    return Seen(source, chain, committed[TIMESTAMP], int(snapshot[RELEASE_FIELD]), committed)


def _others(source: Source, one: Seen, known: Mapping[str, bytes]) -> Iterable[str]:
    names = source.names()
    for name in () if names is None else names:
        if NUMBERED.fullmatch(name) and name not in one.committed:
            if name in known:
                continue
            yield name


def _file(source: Source, name: str) -> SignedBytes:
    data = source.get(name, most=MOST)
    if data is None:
        raise LocalStateError(
            "a file went away while it was read", where=f"({source.address}, {name})", advice="try again"
        )
    found = METADATA_NAME.fullmatch(name.removeprefix("metadata/"))
    role = found[1] if found else ""
    envelope = tuf.read(data, role if role in TOP_LEVEL else "targets", name)
    numbered = NUMBERED.fullmatch(name)
    if numbered is not None and int(numbered[1]) != envelope.version:
        raise EquivocationError(f"this is version {envelope.version}", where=f"({source.address}, {name})")
    return SignedBytes(name, role, envelope.version, data, envelope.signed)


def _must_be_ours(file: SignedBytes, one: Seen, keys: Mapping[str, bytes]) -> None:
    """A file that nothing committed leads to, such as one of a publication that was given up."""
    everything = tuf.Trust({**one.chain.keys, **keys}, 1)
    try:
        tuf.verified_by(tuf.read(file.data, file.signed["_type"], file.address), everything)
    except AlmanacError as error:
        raise SignatureError(
            "a metadata file lies there that no key of ours signed",
            where=f"({one.source.address}, {file.address})",
            advice="find out who wrote it and move it away, then restore again",
        ) from error


def _keep(learned: Learned, file: SignedBytes, known: Mapping[str, bytes]) -> None:
    before = known.get(file.address) or (
        learned.files[file.address].data if file.address in learned.files else file.data
    )
    if before != file.data:
        raise EquivocationError(
            "two different files were signed under one name",
            where=f"({file.address})",
            advice="two installations have published under the same keys; find out which one readers follow",
        )
    if file.address not in known:
        learned.files[file.address] = file


def _one_truth_about_the_newest(seen: Iterable[Seen]) -> None:
    by_version: dict[int, Seen] = {}
    for one in seen:
        other = by_version.setdefault(one.timestamp.version, one)
        if other.timestamp.data != one.timestamp.data:
            raise EquivocationError(
                f"two different timestamps have the version {one.timestamp.version}",
                where=f"({other.source.address} and {one.source.address})",
                advice="two installations have published under the same keys; find out which one readers follow",
            )


def targets_of(file: SignedBytes) -> list[Target]:
    """The documents that a role's file lists."""
    return [
        Target(
            file.role,
            path,
            entry["hashes"]["sha256"],
            entry["length"],
            (entry.get("custom") or {}).get("release", 0),
            (entry.get("custom") or {}).get("deltas", {}),
        )
        for path, entry in file.signed.get("targets", {}).items()
    ]


def first_having(seen: Sequence[Seen], name: str) -> bytes | None:
    return next((data for one in seen if (data := one.source.get(name, most=MOST)) is not None), None)


def texts_after_the_commit(newest: Seen) -> dict[str, str]:
    """``index.json`` and ``minisign.pub`` as they are served, where they can be read."""
    found = {name: newest.source.get(name, most=MOST) for name in (INDEX, MINISIGN_KEY)}
    try:
        texts = {name: data.decode() for name, data in found.items() if data is not None}
        return texts if json.loads(texts.get(INDEX, "{}")).get("release") == newest.release else {}
    except (ValueError, AttributeError):
        return {}


def minisig_address(target: Target) -> str:
    return f"{object_path(target.path, target.sha256)}.minisig"
