"""TUF's client workflow over python-tuf's ``ngclient``: root → timestamp → snapshot → roles, each verified.

``VerifiedUpdater`` keeps python-tuf's decisions and replaces its edges: files are written durably, the second copy of
what was accepted counts as known, the time to judge by is passed in, and every failure comes out in our words.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig

from almanac import keys
from almanac.durable import holds, local_errors, make_folder, read_plain, sync_folder, write_durably
from almanac.errors import (
    AlmanacError,
    EquivocationError,
    ExpiredError,
    LocalStateError,
    NetworkError,
    RollbackError,
)
from almanac.fetch import Fetcher
from almanac.judge import KEPT, Rules, check_verified, refusal, same_version_other_content

MOST_METADATA: Final = 5_000_000
UNUSABLE: Final = (exceptions.RepositoryError, ValueError, KeyError, TypeError)
"""What a damaged copy of our own may raise: it then counts as none."""


class VerifiedUpdater(Updater):
    """One run of the workflow against one mirror; ``known`` is the second copy: role → its newest accepted bytes."""

    def __init__(
        self,
        folder: Path,
        base_url: str,
        fetcher: Fetcher,
        *,
        pinned_root: bytes,
        now: datetime | None = None,
        known: dict[str, bytes] | None = None,
        lowest_root: int = 0,
        rules: Rules = Rules(),  # noqa: B008
        config: UpdaterConfig | None = None,
    ) -> None:
        keys.register()
        self._known = known or {}
        self._lowest_root = lowest_root
        self._rules = rules
        self._roles = [Root.type, Timestamp.type, Snapshot.type]
        self._started = False
        self._delegator = Root.type
        self.newest: dict[str, bytes] = {}
        """The bytes of timestamp and snapshot that this run verified last."""
        with local_errors(folder):
            make_folder(folder / "root_history")
        with _judged(Root.type):
            super().__init__(str(folder), base_url, fetcher=fetcher, bootstrap=pinned_root, config=config)
        self._started = True
        self.config.max_root_rotations += self._roots_on_disk()
        if now is not None:
            self._trusted_set.reference_time = now

    # What was verified, for those who use it

    @property
    def versions(self) -> dict[str, int]:
        """Role → version of everything that this run verified."""
        trusted = self._trusted_set
        return {role: trusted[role].version for role in self._roles if role in trusted}

    @property
    def timestamp(self) -> Timestamp:
        return self._trusted_set.timestamp

    @property
    def snapshot(self) -> Snapshot:
        return self._trusted_set.snapshot

    @property
    def root(self) -> Root:
        return self._trusted_set.root

    def find(self, path: str) -> TargetFile | None:
        """The signed entry of a target, found along the delegations; its metadata is fetched where that is needed."""
        with _judged("targets"):
            return self.get_targetinfo(path)

    # The workflow's steps, with our edges

    def _load_root(self) -> None:
        before = self._trusted_set.root.version
        with _judged(Root.type):
            super()._load_root()
        version = self._trusted_set.root.version
        if version < self._lowest_root:
            raise RollbackError(
                f"root {version} is the newest, root {self._lowest_root} was accepted before",
                where=f"at {self._metadata_base_url}", advice=KEPT,
            )  # fmt: skip
        if version - before >= self.config.max_root_rotations:
            raise NetworkError(
                f"more than {self.config.max_root_rotations} new roots", where=f"at {self._metadata_base_url}",
                advice="run it again to continue",
            )  # fmt: skip

    def _load_timestamp(self) -> None:
        """TUF 5.4. What we hold, in both copies, is known before anything is asked for."""
        trusted = self._trusted_set
        if trusted.root.is_expired(trusted.reference_time):
            raise self._stale(trusted.root)
        for data in self._held(Timestamp.type):
            with contextlib.suppress(*UNUSABLE):
                trusted.update_timestamp(data)
            if Timestamp.type in trusted and claimed_version(data) == trusted.timestamp.version:
                self.newest[Timestamp.type] = data
        before = trusted.timestamp if Timestamp.type in trusted else None
        with _judged(Timestamp.type):
            data = self._download_metadata(Timestamp.type, self.config.timestamp_max_length)
            try:
                trusted.update_timestamp(data)
            except exceptions.EqualVersionNumberError:
                self._refuse_two_truths(Timestamp.type, before, data)
                data = self.newest[Timestamp.type]
            except exceptions.ExpiredMetadataError as error:
                raise self._stale(trusted.timestamp) from error
        if trusted.timestamp.is_expired(trusted.reference_time):
            raise self._stale(trusted.timestamp)
        if data != self._on_disk(Timestamp.type):
            previous = before.version if before else None
            check_verified(Timestamp.type, data, previous, trusted.reference_time, self._rules)
            self._persist_metadata(Timestamp.type, data)

    def _load_snapshot(self) -> None:
        """TUF 5.5. A snapshot that we hold is used if it is the one that the timestamp names, else it guards against older."""
        trusted = self._trusted_set
        listed = trusted.timestamp.snapshot_meta
        for data in self._held(Snapshot.type):
            try:
                trusted.update_snapshot(data, trusted=True)
                if self._rules.refuse_equivocation:
                    listed.verify_length_and_hashes(data)
            except UNUSABLE:
                continue
            self.newest[Snapshot.type] = data
            if data != self._on_disk(Snapshot.type):
                self._persist_metadata(Snapshot.type, data)
            return
        before = trusted.snapshot if Snapshot.type in trusted else None
        version = listed.version if trusted.root.consistent_snapshot else None
        data = b""
        try:
            data = self._download_metadata(
                Snapshot.type, listed.length or self.config.snapshot_max_length, version
            )
            trusted.update_snapshot(data)
        except Exception as error:  # a stranger's bytes: whatever they break is judged, never shown raw
            raise _our_own(
                error, Snapshot.type, claimed=claimed_version(data), expected=listed.version
            ) from error
        self._refuse_two_truths(Snapshot.type, before, data)
        previous = before.version if before else None
        check_verified(Snapshot.type, data, previous, trusted.reference_time, self._rules)
        self._persist_metadata(Snapshot.type, data)

    def _load_targets(self, role: str, parent_role: str) -> Targets:
        self._delegator = parent_role
        with _judged(role):
            loaded = super()._load_targets(role, parent_role)
        if role not in self._roles:
            self._roles.append(role)
        return loaded

    def _stale(self, expired: Signed) -> ExpiredError:
        return ExpiredError(
            f"stale since {expired.expires:%Y-%m-%dT%H:%M:%SZ}",
            where=f"by the {expired.type} metadata at {self._metadata_base_url}",
            advice=f"{KEPT}; nothing newer is signed there",
        )

    def _refuse_two_truths(self, role: str, before: Signed | None, data: bytes) -> None:
        """Same version, properly signed, other content: someone with the key tells two stories."""
        if before is None or not self._rules.refuse_equivocation:
            return
        if same_version_other_content(before, Metadata.from_bytes(data).signed):
            raise EquivocationError(
                f"version {before.version} was accepted with other content",
                where=f"in the {role} metadata at {self._metadata_base_url}",
                advice=f"{KEPT}; tell the publisher",
            )

    def _verified_before(self, role: str) -> Signed | None:
        """The copy of a role on disk, if its delegator still vouches for it."""
        delegator = self._trusted_set[self._delegator]
        with contextlib.suppress(*UNUSABLE):
            metadata = Metadata[Targets].from_bytes(self._on_disk(role) or b"")
            if isinstance(delegator, Root | Targets):
                delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
                return metadata.signed
        return None

    # Files

    def _held(self, role: str) -> list[bytes]:
        """What both copies hold of a role; unreadable ones are as good as none."""
        copies = [self._on_disk(role), self._known.get(role)]
        return [data for data in dict.fromkeys(copies) if data]

    def _on_disk(self, role: str) -> bytes | None:
        with contextlib.suppress(LocalStateError):
            return read_plain(Path(self._dir, f"{role}.json"), largest=MOST_METADATA)
        return None

    def _persist_metadata(self, rolename: str, data: bytes) -> None:
        if rolename not in (Timestamp.type, Snapshot.type):
            before = self._verified_before(rolename)
            self._refuse_two_truths(rolename, before, data)
            previous = before.version if before else None
            check_verified(rolename, data, previous, self._trusted_set.reference_time, self._rules)
        self.newest[rolename] = data
        super()._persist_metadata(rolename, data)

    def _persist_root(self, version: int, data: bytes) -> None:
        if self._started:
            check_verified(Root.type, data, None, self._trusted_set.reference_time, self._rules)
        history = Path(self._dir, "root_history", f"{version}.root.json")
        if holds(history, data):
            return
        super()._persist_root(version, data)

    def _roots_on_disk(self) -> int:
        """Roots that earlier runs verified do not count against what one run may add."""
        with contextlib.suppress(OSError):
            return sum(1 for _ in Path(self._dir, "root_history").iterdir())
        return 0

    def _persist_file(self, filename: str, data: bytes) -> None:
        write_durably(Path(filename), data)

    def _update_root_symlink(self) -> None:
        """python-tuf's ``root.json``, replaced as a whole, only when it leads elsewhere and to a root that was kept."""
        link = Path(self._dir, "root.json")
        current = Path("root_history", f"{self._trusted_set.root.version}.root.json")
        with local_errors(link):
            if not Path(self._dir, current).exists() or (link.is_symlink() and link.readlink() == current):
                return
            aside = link.with_name(".root.json.part")
            aside.unlink(missing_ok=True)
            aside.symlink_to(current)
            aside.replace(link)
            sync_folder(link.parent)


@contextlib.contextmanager
def _judged(role: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _our_own(error, role) from error


def _our_own(
    error: Exception, role: str, *, claimed: int | None = None, expected: int | None = None
) -> AlmanacError:
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = (
            "free some space"
            if error.errno == errno.ENOSPC
            else "repair or remove it; `almanac sync` makes it anew"
        )
        return LocalStateError(
            reason.lower(), where=f"at {error.filename or 'the metadata folder'}", advice=advice
        )
    return refusal(error, role=role, claimed=claimed, expected=expected)


def claimed_version(data: bytes) -> int | None:
    """The version that bytes state, whoever wrote them; only for telling one refusal from another."""
    with contextlib.suppress(Exception):
        return cast("int", Metadata[Any].from_bytes(data).signed.version)
    return None
