"""The client's folder: what is trusted, what was verified, what was accepted. One pointer, replaced last, joins it.

    trust/origin.json       the address and the pinned root
    metadata/<fingerprint>/ TUF's own files, which only go forward
    documents/<sha256>      verified documents
    accepted.json           the pointer
    unit_id, sticky.json    for targeting; never leave this computer
    lock                    held while something is written

A second copy of the newest metadata that was accepted lies in the configuration folder. It makes losing or restoring
this folder harmless: what it remembers is never gone back from, except by ``almanac trust --replace``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from almanac import accepted as pointer
from almanac.accepted import Accepted
from almanac.addresses import SHA256
from almanac.durable import holds, local_errors, make_folder, read_plain, sweep_temporaries, write_durably
from almanac.errors import LocalStateError

LOCK_PATIENCE_S: Final = 10.0
LOCK_POLL_S: Final = 0.1
SMALL: Final = 8 * 1024 * 1024
"""More than any file here but a document."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom this client trusts: an address and the root that was pinned for it."""

    url: str
    fingerprint: str
    root: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """The second copy: the newest metadata that was accepted, as signed bytes."""

    root_version: int = 0
    release: int | None = None
    roles: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """Reads and writes the folder; decides nothing."""

    folder: Path
    config: Path
    random_hex: Callable[[int], str] = secrets.token_hex

    # Trust

    def origin(self) -> Origin | None:
        data = read_plain(self._origin_file, largest=SMALL)
        if data is None:
            return None
        try:
            form = json.loads(data)
            root = form["root"].encode()
            origin = Origin(str(form["url"]), str(form["fingerprint"]), root)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._damaged(self._origin_file, "run `almanac trust` again") from None
        if hashlib.sha256(root).hexdigest() != form.get("sha256"):
            raise self._damaged(self._origin_file, "run `almanac trust` again")
        return origin

    def write_origin(self, origin: Origin) -> None:
        form = {
            "url": origin.url,
            "fingerprint": origin.fingerprint,
            "sha256": hashlib.sha256(origin.root).hexdigest(),
            "root": origin.root.decode(),
        }
        write_durably(self._origin_file, json.dumps(form, indent=1).encode() + b"\n")
        if read_plain(self.folder / "unit_id", largest=SMALL) is None:
            write_durably(self.folder / "unit_id", self.random_hex(16).encode() + b"\n")

    @property
    def _origin_file(self) -> Path:
        return self.folder / "trust" / "origin.json"

    # Metadata and its second copy

    def metadata_folder(self, fingerprint: str) -> Path:
        return self.folder / "metadata" / fingerprint[:16]

    def remembered(self, fingerprint: str) -> Remembered:
        """What the second copy knows. A damaged one is said, not skipped: skipping it would forget silently."""
        file = self._memory_file(fingerprint)
        data = read_plain(file, largest=SMALL)
        if data is None:
            return Remembered()
        try:
            form = json.loads(data)
            roles = {str(role): text.encode() for role, text in form["roles"].items()}
            return Remembered(int(form["root_version"]), form["release"], roles)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._damaged(
                file, "remove it if its loss is your doing: it guards against going back"
            ) from None

    def remember(self, fingerprint: str, memory: Remembered) -> None:
        form = {
            "about": "The newest metadata that almanac accepted; it keeps a lost state folder from being rolled back.",
            "root_version": memory.root_version,
            "release": memory.release,
            "roles": {role: data.decode() for role, data in sorted(memory.roles.items())},
        }
        data = json.dumps(form, indent=1).encode() + b"\n"
        file = self._memory_file(fingerprint)
        if not holds(file, data):
            sweep_temporaries(file.parent, of=file.name)
            write_durably(file, data)

    def forget(self, fingerprint: str) -> None:
        """Only for ``trust --replace``, which says so."""
        with local_errors(self.config):
            self._memory_file(fingerprint).unlink(missing_ok=True)

    def _memory_file(self, fingerprint: str) -> Path:
        """One for each folder and origin, so that two folders of one user do not hold each other up."""
        name = hashlib.sha256(f"{fingerprint}\n{self.folder.absolute()}".encode()).hexdigest()[:32]
        return self.config / "accepted" / f"{name}.json"

    # The pointer and the documents

    def accepted(self, fingerprint: str | None = None) -> Accepted | None:
        """What was accepted last; ``None`` where nothing was, or only under another root than ``fingerprint``."""
        file = self.folder / "accepted.json"
        data = read_plain(file, largest=SMALL)
        if data is None:
            return None
        try:
            accepted = pointer.from_json(data)
        except ValueError:
            raise self._damaged(
                file, "run `almanac sync`: it rebuilds this file from what was verified"
            ) from None
        return accepted if fingerprint in (None, accepted.fingerprint) else None

    def write_accepted(self, accepted: Accepted) -> None:
        """The commit of a sync: before it the old catalog is read, after it the new one."""
        data = pointer.to_json(accepted)
        if not holds(self.folder / "accepted.json", data):
            write_durably(self.folder / "accepted.json", data)

    def document(self, sha256: str) -> bytes | None:
        """A document by its hash; ``None`` where it is not held or its bytes are not what the hash says."""
        if not SHA256.fullmatch(sha256):
            return None
        data = read_plain(self.folder / "documents" / sha256)
        return data if data is not None and hashlib.sha256(data).hexdigest() == sha256 else None

    def write_document(self, sha256: str, data: bytes) -> None:
        write_durably(self.folder / "documents" / sha256, data)

    def document_sizes(self) -> dict[str, tuple[int, float]]:
        """Hash → (bytes, last use) of every document that lies here, wanted or not."""
        sizes: dict[str, tuple[int, float]] = {}
        with contextlib.suppress(FileNotFoundError), local_errors(self.folder):
            for file in os.scandir(self.folder / "documents"):
                if SHA256.fullmatch(file.name):
                    facts = file.stat(follow_symlinks=False)
                    sizes[file.name] = (facts.st_size, max(facts.st_atime, facts.st_mtime))
        return sizes

    def drop_documents(self, hashes: set[str]) -> None:
        with local_errors(self.folder):
            for sha256 in hashes:
                (self.folder / "documents" / sha256).unlink(missing_ok=True)

    # Validators: what saves bytes, and decides nothing

    def validators(self, fingerprint: str) -> dict[str, tuple[str, str]]:
        """Address → (ETag, SHA-256 of the bytes that were served under it)."""
        try:
            form = json.loads(
                read_plain(self.metadata_folder(fingerprint) / "validators", largest=SMALL) or b"{}"
            )
            return {str(url): (str(etag), str(sha256)) for url, (etag, sha256) in form.items()}
        except (LocalStateError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def write_validators(self, fingerprint: str, validators: Mapping[str, tuple[str, str]]) -> None:
        if self.validators(fingerprint) != validators:
            data = json.dumps(validators, indent=1).encode() + b"\n"
            write_durably(self.metadata_folder(fingerprint) / "validators", data)

    # One writer at a time

    @contextlib.contextmanager
    def locked(
        self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[None]:
        """Held by whoever writes. A second process waits ten seconds; the system frees the lock when its owner dies."""
        with local_errors(self.folder):
            make_folder(self.folder)
            descriptor = os.open(
                self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        try:
            until = monotonic() + LOCK_PATIENCE_S
            while not _try_lock(descriptor):
                if monotonic() >= until:
                    raise self._busy(descriptor)
                sleep(LOCK_POLL_S)
            with local_errors(self.folder):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self._sweep()
            yield
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        """After a crash: half-written files of earlier runs."""
        metadata = self.folder / "metadata"
        for folder in (
            self.folder,
            self.folder / "documents",
            self.folder / "trust",
            *metadata.glob("*/"),
            *metadata.glob("*/*/"),
        ):
            sweep_temporaries(folder)

    def _busy(self, descriptor: int) -> LocalStateError:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown process"
        return LocalStateError(
            f"sync running ({owner})", where=f"in {self.folder}", advice="wait for it to end, then try again"
        )

    def _damaged(self, file: Path, advice: str) -> LocalStateError:
        return LocalStateError("damaged", where=f"file {file}", advice=advice)


def _try_lock(descriptor: int) -> bool:
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
