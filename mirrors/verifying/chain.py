"""From the first root to the list of documents: each step verified by the one before it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from almanac.addresses import SHA256, TIMESTAMP, is_target_path, metadata_path
from almanac.errors import (
    ExpiredError,
    MalformedError,
    NetworkError,
    RollbackError,
    SignatureError,
)
from mirrors.verifying import tuf
from mirrors.verifying.report import Report, TrustedRole
from mirrors.verifying.sources import Source

MOST: Final[Mapping[str, int]] = {"root": 512_000, "timestamp": 16_384, "snapshot": 2_000_000}
MOST_TARGETS: Final = 5_000_000
LONGEST_LIFE: Final = {"root": timedelta(days=400), "timestamp": timedelta(days=8)}
MOST_ROOTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """One document as its role signed it."""

    role: str
    path: str
    sha256: str
    length: int
    release: int
    deltas: Mapping[str, int]


@dataclass(slots=True)
class Chain:
    """What was verified, and where it lay."""

    targets: dict[str, Target] = field(default_factory=dict)
    roles: dict[str, tuf.Envelope] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    """every key that any verified root or targets names"""
    files: set[str] = field(default_factory=set)
    """the names of the files that were verified"""


def verify_chain(source: Source, report: Report, *, now: datetime, fingerprint: str | None) -> Chain:
    """Notes in ``report`` what it finds; after a refusal nothing that hangs on the refused step is looked at."""
    chain = Chain()
    with report.noting():
        _Walk(source, report, chain, now).run(fingerprint)
    return chain


class _Walk:
    def __init__(self, source: Source, report: Report, chain: Chain, now: datetime) -> None:
        self.source, self.report, self.chain, self.now = source, report, chain, now

    def run(self, fingerprint: str | None) -> None:
        root = self._roots(fingerprint)
        timestamp = self._top_level("timestamp", root, TIMESTAMP, None)
        listed = tuf.listed(timestamp).get("snapshot")
        if listed is None:
            raise MalformedError("the timestamp names no snapshot", where=TIMESTAMP)
        snapshot = self._top_level("snapshot", root, metadata_path("snapshot", listed.version), listed)
        self.report.release = _release(snapshot)
        versions = tuf.listed(snapshot)
        self._role("targets", tuf.top_level_trust(root, "targets"), versions, ())

    def _roots(self, fingerprint: str | None) -> tuf.Envelope:
        """TUF 5.3: every root is signed by the keys of the one before and by its own."""
        trusted: tuf.Envelope | None = None
        for version in range(1, MOST_ROOTS):
            name = metadata_path("root", version)
            data = self.source.get(name, most=MOST["root"])
            if data is None:
                break
            if version == 1:
                self._check_fingerprint(data, fingerprint)
            offered = tuf.read(data, "root", name)
            if trusted is not None:
                tuf.verified_by(offered, tuf.top_level_trust(trusted, "root"))
            trust = tuf.top_level_trust(offered, "root")
            keyids = tuf.verified_by(offered, trust)
            if offered.version != version:
                raise RollbackError(f"this is root {offered.version}", where=name)
            self._warn_of_spoilt_signatures(
                offered, [trust, *([tuf.top_level_trust(trusted, "root")] if trusted else [])]
            )
            trusted = offered
            self._accept("root", offered, name, keyids, trust)
        if trusted is None:
            raise NetworkError(
                "nothing is published",
                where=f"at {self.source.address}",
                advice="is this the store's address?",
            )
        self.report.roles = [role for role in self.report.roles if role.version == trusted.version]
        with self.report.noting():
            self._check_time("root", trusted)
        return trusted

    def _check_fingerprint(self, data: bytes, wanted: str | None) -> None:
        found = hashlib.sha256(data).hexdigest()
        self.report.fingerprint = found
        if wanted is not None and wanted.lower() != found:
            raise SignatureError(
                f"the root's fingerprint is {found} and not {wanted}", where=f"at {self.source.address}",
                advice="this is another publisher's store, or somebody's forgery",
            )  # fmt: skip

    def _top_level(self, role: str, root: tuf.Envelope, name: str, listed: tuf.Listed | None) -> tuf.Envelope:
        trust = tuf.top_level_trust(root, role)
        envelope, keyids = self._read(role, role, name, trust, listed)
        self._accept(role, envelope, name, keyids, trust)
        return envelope

    def _role(
        self,
        role: str,
        trust: tuf.Trust,
        versions: Mapping[str, tuf.Listed],
        above: tuple[tuf.DelegatedRole, ...],
    ) -> None:
        """One targets role with all that it delegates to; a refused one does not hide its siblings."""
        if role in self.chain.roles:
            raise MalformedError(f"role {role!r} is delegated to twice", where="(delegations)")
        listed = versions.get(role)
        if listed is None:
            raise MalformedError(f"the snapshot does not list role {role!r}", where="(snapshot)")
        name = metadata_path(role, listed.version)
        envelope, keyids = self._read(role, "targets", name, trust, listed)
        targets = self._targets(role, envelope, above)
        self._accept(role, envelope, name, keyids, trust, documents=len(targets))
        self.chain.targets.update((target.path, target) for target in targets)
        for delegated in tuf.delegations(envelope):
            with self.report.noting():
                self._role(delegated.name, delegated.trust, versions, (*above, delegated))

    def _read(
        self, role: str, kind: str, name: str, trust: tuf.Trust, listed: tuf.Listed | None
    ) -> tuple[tuf.Envelope, tuple[str, ...]]:
        """Length and hash, then signatures, then version, then time."""
        most = (listed and listed.length) or MOST.get(role, MOST_TARGETS)
        data = self.source.get(name, most=most)
        if data is None:
            raise NetworkError("this file is missing:", where=name)
        if listed is not None:
            _check_bytes(data, listed.length, listed.sha256, name)
        envelope = tuf.read(data, kind, name)
        keyids = tuf.verified_by(envelope, trust)
        self._warn_of_spoilt_signatures(envelope, [trust])
        if listed is not None and envelope.version != listed.version:
            raise RollbackError(f"version {envelope.version} instead of {listed.version}", where=name)
        with self.report.noting():
            self._check_time(role, envelope)
        return envelope, keyids

    def _targets(
        self, role: str, envelope: tuf.Envelope, above: tuple[tuf.DelegatedRole, ...]
    ) -> list[Target]:
        try:
            targets = [
                _target(role, path, entry, envelope.where)
                for path, entry in envelope.signed["targets"].items()
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise MalformedError("its list of documents cannot be read", where=envelope.where) from error
        for target in targets:
            if not all(delegated.covers(target.path) for delegated in above):
                raise MalformedError(f"no client would find {target.path!r}", where=envelope.where)
            if target.path in self.chain.targets:
                raise MalformedError(f"{target.path!r} is listed by two roles", where=envelope.where)
            if self.report.release is not None and target.release > self.report.release:
                raise MalformedError(f"{target.path!r} is of a release to come", where=envelope.where)
        return targets

    def _accept(
        self,
        role: str,
        envelope: tuf.Envelope,
        name: str,
        keyids: tuple[str, ...],
        trust: tuf.Trust,
        *,
        documents: int = 0,
    ) -> None:
        self.chain.files.add(name)
        self.chain.roles[role] = envelope
        if envelope.signed["_type"] in ("root", "targets"):
            self.chain.keys.update(tuf.all_keys(envelope))
        counted = tuple(keyid for keyid in keyids if keyid in trust.keys)
        self.report.roles.append(
            TrustedRole(role, envelope.version, envelope.expires, counted, trust.threshold, documents)
        )

    def _check_time(self, role: str, envelope: tuf.Envelope) -> None:
        if envelope.expires <= self.now:
            raise ExpiredError(
                f"{role} expired on {envelope.expires:%Y-%m-%dT%H:%M:%SZ}", where=envelope.where
            )
        longest = LONGEST_LIFE.get(role)
        if longest is not None and envelope.expires - self.now > longest:
            raise SignatureError(
                f"signed until {envelope.expires:%Y-%m-%d}, further ahead than any {role} key may sign",
                where=envelope.where,
            )

    def _warn_of_spoilt_signatures(self, envelope: tuf.Envelope, trusts: list[tuf.Trust]) -> None:
        """Enough others hold, so clients accept it; yet whoever keeps the store should know.

        That of a key which an earlier root named is left from its rotation, when both halves signed.
        """
        known = {keyid: public for trust in trusts for keyid, public in trust.keys.items()}
        known = {**self.chain.keys, **known}
        good = tuf.verified_by(envelope, tuf.Trust(known, 1))
        spoilt = sorted(set(envelope.signatures) - set(good))
        self.report.warnings += [
            f"{envelope.where}: the signature of {keyid[:16]} does not count" for keyid in spoilt
        ]


def _check_bytes(data: bytes, length: int | None, sha256: str | None, name: str) -> None:
    if length is not None and len(data) != length:
        raise MalformedError(f"{len(data)} bytes instead of {length}", where=name)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise MalformedError("its SHA-256 is not the signed one", where=name)


def _release(snapshot: tuf.Envelope) -> int:
    release = snapshot.signed.get("x-almanac-release")
    if type(release) is not int or release < 0:
        raise MalformedError("the snapshot names no release", where=snapshot.where)
    return release


def _target(role: str, path: str, entry: tuf.Json, where: str) -> Target:
    custom = entry.get("custom") or {}
    target = Target(
        role,
        path,
        entry["hashes"]["sha256"],
        entry["length"],
        custom.get("release", 0),
        custom.get("deltas", {}),
    )
    sound = (
        is_target_path(path)
        and SHA256.fullmatch(target.sha256)
        and type(target.length) is int
        and target.length >= 0
        and type(target.release) is int
        and all(len(key) == 16 and type(length) is int for key, length in target.deltas.items())
    )
    if not sound:
        raise MalformedError(f"the document {path!r} is not well formed", where=where)
    return target
