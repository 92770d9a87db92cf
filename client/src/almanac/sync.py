"""``sync``: refresh, verify, obtain, and only then replace the pointer. Whatever fails leaves the old catalog in use.

The decisions stand elsewhere and without I/O: ``judge`` (what a refusal means), ``mirrorlist.order`` (whom to ask),
``obtain.base_for`` (what to build on), ``accepted.with_release`` (the next pointer). Here they are carried out.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from tuf.api.metadata import Metadata, Snapshot, Timestamp

from almanac import accepted as pointer
from almanac import addresses, mirrorlist
from almanac.accepted import Accepted, Held, Release
from almanac.document import Document
from almanac.errors import AlmanacError, LocalStateError, RollbackError, UsageError
from almanac.fetch import Cost, Fetcher, Limits, Progress, Stored
from almanac.judge import Rules, certainly_passed, effective_now, worst
from almanac.mirrorlist import Mirror, MirrorList
from almanac.obtain import Obtained, Wanted, obtain, read_target
from almanac.state import Origin, Remembered, State
from almanac.verify import VerifiedUpdater

CATALOG: Final = addresses.document_path("almanac/v1/catalog.json")

Native = Callable[[Document], Sequence[str]]
"""Which target paths serve a client, best first, given the catalog that was just verified; none where no client asks."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sync uses of the world; tests pass their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    random: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    limits: Limits = field(default_factory=Limits)
    progress: Progress | None = None
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sync did."""

    before: Accepted | None
    after: Accepted
    catalog: Obtained
    native: Obtained | None
    cost: Cost
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.catalog.how != "unchanged" or (self.native is not None and self.native.how != "unchanged")


def sync(
    state: State, *, native: Native | None = None, region: str = "global", around: Surroundings | None = None
) -> Outcome:
    """Brings the catalog, and a client's own document where ``native`` names one, to what the publisher signed last."""
    around = around or Surroundings()
    origin = trusted_origin(state)
    with state.locked(monotonic=around.monotonic, sleep=around.sleep):
        return _Run(state, origin, native, region, around).over_mirrors()


def trusted_origin(state: State) -> Origin:
    origin = state.origin()
    if origin is None:
        raise UsageError(
            "no origin is trusted yet",
            advice="run `almanac trust URL --fingerprint HEX` with what its publisher tells you",
        )
    return origin


class _Run:
    """One sync under the lock. It has a fixed time to judge by, so that no check sees another day than the next."""

    def __init__(
        self, state: State, origin: Origin, native: Native | None, region: str, around: Surroundings
    ) -> None:
        self.state, self.origin, self.native, self.region, self.around = state, origin, native, region, around
        self.warnings: list[str] = []
        self.cost = Cost()
        self.local_now = around.now()
        self.before = self._accepted()
        self.memory = self._remembered()
        self.now, warning = effective_now(self.local_now, self._newest_signed())
        if warning:
            self.warnings.append(warning)

    def over_mirrors(self) -> Outcome:
        """The first mirror that serves all of it wins; after the last, the error that says most."""
        errors: list[AlmanacError] = []
        known = self._known_mirrors()
        for mirror in mirrorlist.order(
            known.mirrors, self.origin.url, region=self.region, random=self.around.random
        ):
            try:
                return self._from_mirror(mirror, known)
            except (LocalStateError, UsageError):
                raise
            except AlmanacError as error:
                errors.append(error)
                self.warnings.append(f"{mirror.url}: {error}")
        raise worst(errors)

    def _from_mirror(self, mirror: Mirror, known: MirrorList) -> Outcome:
        with self._fetcher(mirror) as fetcher:
            updater = VerifiedUpdater(
                self.state.metadata_folder(self.origin.fingerprint),
                mirror.url + "metadata/",
                fetcher,
                pinned_root=self.origin.root,
                now=self.now,
                known=dict(self.memory.roles),
                lowest_root=self.memory.root_version,
                rules=self.around.rules,
            )
            updater.refresh()
            self._remember(updater)
            _refuse_too_old(release_of(updater.snapshot), known, mirror)
            catalog = self._obtain(self._wanted(updater, [CATALOG]), mirror, fetcher)
            native = None
            if self.native is not None:
                paths = self.native(Document.parse(catalog.data))
                native = self._obtain(self._wanted(updater, paths), mirror, fetcher) if paths else None
            elif catalog.how != "unchanged":
                Document.check(catalog.data)
            listed = self._mirror_list(updater, mirror, fetcher)
            after = self._accept(updater, mirror, catalog, native, listed)
            self._keep_validator(mirror, fetcher)
        return Outcome(self.before, after, catalog, native, self.cost, tuple(self.warnings))

    @contextlib.contextmanager
    def _fetcher(self, mirror: Mirror) -> Iterator[Fetcher]:
        around = self.around
        fetcher = Fetcher(
            limits=around.limits, stored=self._stored(mirror), progress=around.progress, monotonic=around.monotonic,
            cost=self.cost,
        )  # fmt: skip
        try:
            yield fetcher
        finally:
            fetcher.close()

    # What is known before anything is asked for

    def _accepted(self) -> Accepted | None:
        try:
            return self.state.accepted(self.origin.fingerprint)
        except LocalStateError as error:
            self.warnings.append(f"rebuilt: {error}")
            return None

    def _remembered(self) -> Remembered:
        """A damaged second copy is made anew from the first; with both gone, going back could not be noticed."""
        try:
            return self.state.remembered(self.origin.fingerprint)
        except LocalStateError:
            if _version_of(self._metadata_file(Timestamp.type)) is None:
                raise
            self.warnings.append("rebuilt: the second copy of what was accepted was damaged")
            return Remembered()

    def _newest_signed(self) -> datetime | None:
        """A moment that has certainly passed, by what was accepted before."""
        if self.before is not None:
            return certainly_passed(self.before.fresh_until, self.around.rules)
        data = self.memory.roles.get(Timestamp.type)
        with contextlib.suppress(Exception):
            return certainly_passed(
                Metadata[Timestamp].from_bytes(data or b"").signed.expires, self.around.rules
            )
        return None

    def _metadata_file(self, role: str) -> bytes:
        from almanac.durable import read_plain

        with contextlib.suppress(LocalStateError):
            return read_plain(self.state.metadata_folder(self.origin.fingerprint) / f"{role}.json") or b""
        return b""

    def _stored(self, mirror: Mirror) -> dict[str, Stored]:
        """The timestamp that we hold with this mirror's ETag for it, so that an unchanged one costs a 304."""
        url = mirror.url + addresses.TIMESTAMP
        etag, sha256 = self.state.validators(self.origin.fingerprint).get(url, ("", ""))
        data = self._metadata_file(Timestamp.type)
        return {url: Stored(etag, data)} if etag and hashlib.sha256(data).hexdigest() == sha256 else {}

    def _known_mirrors(self) -> MirrorList:
        held = self.before.newest.documents.get(addresses.MIRRORS) if self.before else None
        data = self.state.document(held.sha256) if held else None
        with contextlib.suppress(AlmanacError):
            return mirrorlist.read_list(data) if data else MirrorList()
        return MirrorList()

    # What is fetched

    def _wanted(self, updater: VerifiedUpdater, paths: Sequence[str]) -> Wanted:
        for path in paths:
            target = updater.find(path)
            if target is not None:
                return read_target(target)
        raise AlmanacError(
            "the publisher does not offer this document",
            where=f"({' or '.join(paths)})",
            advice="ask for another",
        )

    def _obtain(self, wanted: Wanted, mirror: Mirror, fetcher: Fetcher) -> Obtained:
        held = [
            release.documents[wanted.path].sha256
            for release in (self.before.releases if self.before else ())
            if wanted.path in release.documents
        ]
        got = obtain(wanted, held, self.state.document, base_url=mirror.url, fetcher=fetcher)
        if got.warning:
            self.warnings.append(got.warning)
        return got

    def _mirror_list(self, updater: VerifiedUpdater, mirror: Mirror, fetcher: Fetcher) -> Obtained | None:
        """The signed list of mirrors. Without it the addresses known so far do, so its failure fails nothing."""
        try:
            target = updater.find(addresses.MIRRORS)
            if target is None:
                return None
            got = self._obtain(read_target(target), mirror, fetcher)
            mirrorlist.read_list(got.data)
        except LocalStateError:
            raise
        except AlmanacError as error:
            self.warnings.append(f"the list of mirrors is the one known before: {error}")
            return None
        return got

    # What is kept, the pointer last

    def _remember(self, updater: VerifiedUpdater) -> None:
        roles = {role: updater.newest[role] for role in (Timestamp.type, Snapshot.type)}
        self.memory = Remembered(
            max(updater.root.version, self.memory.root_version), release_of(updater.snapshot), roles
        )
        self.state.remember(self.origin.fingerprint, self.memory)

    def _accept(
        self, updater: VerifiedUpdater, mirror: Mirror, catalog: Obtained, *others: Obtained | None
    ) -> Accepted:
        obtained = [catalog, *(other for other in others if other is not None)]
        for got in obtained:
            if got.how != "unchanged":
                self.state.write_document(got.sha256, got.data)
        release = Release(
            release_of(updater.snapshot),
            self.local_now,
            {got.path: Held(got.sha256, got.length) for got in obtained},
        )
        base = self.before or Accepted(self.origin.fingerprint, "", self.local_now, self.local_now, {})
        versions = {**base.versions, **updater.versions}
        after = replace(
            pointer.with_release(base, release), mirror=mirror.url, checked_at=self.local_now,
            fresh_until=updater.timestamp.expires, versions=versions,
        )  # fmt: skip
        self.state.write_accepted(after)
        self.state.drop_documents(set(self.state.document_sizes()) - after.hashes())
        return after

    def _keep_validator(self, mirror: Mirror, fetcher: Fetcher) -> None:
        url = mirror.url + addresses.TIMESTAMP
        validators = self.state.validators(self.origin.fingerprint)
        etag = fetcher.etags.get(url)
        if etag is not None:
            validators[url] = (etag, hashlib.sha256(self._metadata_file(Timestamp.type)).hexdigest())
            self.state.write_validators(self.origin.fingerprint, validators)


def release_of(snapshot: Snapshot) -> int | None:
    """The publisher's number of what a snapshot describes."""
    number: Any = snapshot.unrecognized_fields.get("x-almanac-release")
    return number if type(number) is int and number >= 0 else None


def _refuse_too_old(release: int | None, known: MirrorList, mirror: Mirror) -> None:
    """The signed list of mirrors may say which release everyone must have reached by now."""
    if release is not None and release < known.oldest_release:
        raise RollbackError(
            f"release {release}, and nothing before release {known.oldest_release} is acceptable",
            where=f"at {mirror.url}", advice="the catalog that was accepted stays in use; ask another mirror",
        )  # fmt: skip


def _version_of(data: bytes) -> int | None:
    with contextlib.suppress(Exception):
        return Metadata[Timestamp].from_bytes(data).signed.version
    return None
