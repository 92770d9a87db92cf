"""Where a snapshot lies: a folder, memory, a bucket (``s3_store``). Whole objects under names of the protocol's grammar.

Every store keeps the same promises (``tests/client/test_stores.py`` holds them for each):

* a reader sees an object's old bytes or its new bytes, never a part;
* a name outside the grammar of ``addresses`` is refused, by every method, before anything is touched;
* ``put(…, only_if_absent=True)`` has one winner, however many try at once;
* the one error is ``StoreError``, and it says which object could not be read or written and why.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from almanac.addresses import is_target_path
from almanac.errors import LocalStateError


class StoreError(LocalStateError):
    name = "store"


class ObjectNotFoundError(StoreError):
    name = "not-in-store"

    def __init__(self, name: str) -> None:
        super().__init__("there is no such object in the store", where=f"({name})")


class DamagedObjectError(StoreError):
    """The store itself knows that these are not the bytes that were put: they may be put again."""

    name = "damaged-in-store"

    def __init__(self, name: str) -> None:
        super().__init__(
            "the store gives other bytes than were written",
            where=f"({name})",
            advice="publish again, it is written anew; if it stays so, do not trust this store",
        )


class ObjectStore(Protocol):
    def get(self, name: str) -> bytes:
        """The object's bytes; ``ObjectNotFoundError`` when it is absent."""

    def size(self, name: str) -> int | None:
        """The object's length, ``None`` when it is absent."""

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        """Write it whole. ``False``: ``only_if_absent`` was asked for and something is there already."""

    def delete(self, name: str) -> None:
        """Remove it; an absent one is fine."""

    def names(self, prefix: str = "") -> Iterator[str]:
        """All names that start with ``prefix``, sorted by code point."""

    def flush(self) -> None:
        """Returns when every earlier ``put`` would survive a power cut."""


@runtime_checkable
class ReplacingStore(Protocol):
    """A store that can also replace what is known to lie there, and nothing else, in one step."""

    def replace(self, name: str, data: bytes, *, instead_of: bytes | None) -> bool:
        """Write it where ``instead_of`` (``None``: nothing) lies; ``False``: something else is there."""


def store_at(url: str) -> ObjectStore:
    """The store that an address means: ``file:///var/lib/almanac/store``, simply a path, or ``s3://bucket/prefix``."""
    scheme, separator, _ = url.partition("://")
    if not url:
        raise StoreError("the store's address is empty", advice="give a folder, or file:///its/path")
    if not separator:
        return FileStore(Path(url))
    parts = urlsplit(url)
    if scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return FileStore(Path(unquote(parts.path)))
    if scheme == "file":
        raise StoreError("a file address has three slashes", where=f"({url})", advice="file:///its/path")
    if scheme == "s3":
        from almanac.s3_store import S3Store

        return S3Store.at(url)
    raise StoreError(
        f"there is no store of the kind '{scheme}'",
        advice="give a folder, file:///its/path or s3://bucket/prefix",
    )


def checked_name(name: str) -> str:
    if not is_target_path(name):
        raise StoreError("this is not the name of an object", where=f"({name[:200]!r})")
    return name


def folder_of_prefix(prefix: str) -> str:
    """The folder that all names with this prefix lie in; in the grammar, or empty."""
    folder, separator, _ = prefix.rpartition("/")
    return checked_name(folder) if separator else ""


class MemoryStore:
    """A store that is gone with its process; for tests and dry runs."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes:
        try:
            return self._objects[checked_name(name)]
        except KeyError:
            raise ObjectNotFoundError(name) from None

    def size(self, name: str) -> int | None:
        data = self._objects.get(checked_name(name))
        return None if data is None else len(data)

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        with self._lock:
            if only_if_absent and checked_name(name) in self._objects:
                return False
            self._objects[checked_name(name)] = bytes(data)
            return True

    def delete(self, name: str) -> None:
        with self._lock:
            self._objects.pop(checked_name(name), None)

    def names(self, prefix: str = "") -> Iterator[str]:
        folder_of_prefix(prefix)
        with self._lock:
            found = sorted(name for name in self._objects if name.startswith(prefix))
        yield from found

    def flush(self) -> None:
        """Memory has nothing more durable to offer."""


_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""From file systems that know no locks; there one publisher at a time is the lease's matter alone."""


class FileStore:
    """A folder. Every step below ``root`` is opened relative to the one above and never through a link.

    A put writes a temporary file beside the object (its name begins with a dot, so it is outside the
    grammar and nobody serves or lists it), syncs it and renames it. The folders are synced by ``flush``.
    """

    def __init__(self, root: Path) -> None:
        if os.open not in os.supports_dir_fd:  # pragma: no cover
            raise StoreError("a folder can be a store only on a POSIX system")
        self.root = Path(root)
        self._touched: set[str] = set()
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes:
        with self.open(name) as opened, _in_words("read", name):
            return opened.read()

    def open(self, name: str) -> BinaryIO:
        """The object, opened for reading: what its name held at this moment, even if it is replaced meanwhile."""
        with _in_words("read", name), self._folder_of(name) as (folder, file):
            try:
                descriptor = os.open(file, _READ, dir_fd=folder)
            except _ABSENT:
                raise ObjectNotFoundError(name) from None
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise ObjectNotFoundError(name)
            return os.fdopen(descriptor, "rb")

    def size(self, name: str) -> int | None:
        with _in_words("read", name):
            try:
                with self._folder_of(name) as (folder, file):
                    found = os.stat(file, dir_fd=folder, follow_symlinks=False)
            except (*_ABSENT, ObjectNotFoundError):
                return None
        if stat.S_ISLNK(found.st_mode):
            raise StoreError("a symbolic link lies in the store", where=f"({name})", advice="remove it")
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        if only_if_absent and self.size(name) is not None:
            return False  # spares the writing; the link below decides between those who come at once
        with _in_words("write", name), self._folder_of(name, make=True) as (folder, file):
            temporary = f".put-{secrets.token_hex(8)}"
            try:
                _write_and_sync(temporary, data, folder)
                if only_if_absent:
                    os.link(temporary, file, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                else:
                    os.replace(temporary, file, src_dir_fd=folder, dst_dir_fd=folder)
            except FileExistsError:
                return False
            finally:
                _unlink(temporary, folder)
        self._remember(name.rpartition("/")[0])
        return True

    def replace(self, name: str, data: bytes, *, instead_of: bytes | None) -> bool:
        """Whoever replaces meanwhile on this file system waits; plain puts do not."""
        with self._alone(name):
            try:
                there = self.get(name)
            except ObjectNotFoundError:
                there = None
            return there == instead_of and self.put(name, data)

    def delete(self, name: str) -> None:
        with _in_words("delete", name):
            try:
                with self._folder_of(name) as (folder, file):
                    os.unlink(file, dir_fd=folder)
            except (*_ABSENT, ObjectNotFoundError):
                return
        self._remember(name.rpartition("/")[0])

    def names(self, prefix: str = "") -> Iterator[str]:
        with _in_words("list", prefix or "the store"):
            yield from self._below(folder_of_prefix(prefix), prefix)

    def flush(self) -> None:
        with self._lock:
            touched, self._touched = self._touched, set()
        for path in sorted(touched):
            with _in_words("sync", path or "the store"):
                try:
                    with self._open_folder(path.split("/") if path else []) as folder:
                        os.fsync(folder)
                except _ABSENT:
                    continue

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        from fcntl import LOCK_EX, flock

        with _in_words("lock", name), self._open_folder([], make=True) as root:
            try:
                flock(root, LOCK_EX)  # until it is closed
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            yield

    def _below(self, folder: str, start: str) -> Iterator[str]:
        """Names under ``folder``; entries are ordered as their full names will be (``a.b`` before ``a/b``)."""
        try:
            with (
                self._open_folder(folder.split("/") if folder else []) as descriptor,
                os.scandir(descriptor) as found,
            ):
                entries = sorted(
                    entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
                    for entry in found
                    if not entry.is_symlink()
                )
        except _ABSENT:
            return
        for entry in entries:
            name = f"{folder}/{entry}" if folder else entry
            if not is_target_path(name.rstrip("/")):
                continue
            if not entry.endswith("/"):
                if name.startswith(start):
                    yield name
            elif name.startswith(start) or start.startswith(name):
                yield from self._below(name[:-1], start)

    @contextmanager
    def _folder_of(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder that an object lies in, and the object's name there."""
        *folders, file = checked_name(name).split("/")
        try:
            with self._open_folder(folders, make=make) as folder:
                yield folder, file
        except _ABSENT:
            if make:
                raise
            raise ObjectNotFoundError(name) from None

    @contextmanager
    def _open_folder(self, folders: list[str], *, make: bool = False) -> Iterator[int]:
        if make:
            self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for depth, part in enumerate(folders):
                if make and _make_folder(part, descriptor):
                    self._remember("/".join(folders[:depth]))
                inner = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def _remember(self, folder: str) -> None:
        with self._lock:
            self._touched.add(folder)


def _make_folder(name: str, folder: int) -> bool:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return False
    return True


def _write_and_sync(name: str, data: bytes, folder: int) -> None:
    descriptor = os.open(name, _CREATE, 0o644, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _unlink(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


_ADVICE: Final = {
    errno.EACCES: "check who owns the folder",
    errno.EPERM: "check who owns the folder",
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EROFS: "the disk is mounted read-only",
    errno.ELOOP: "a symbolic link lies in the store: remove it",
}


@contextmanager
def _in_words(verb: str, name: str) -> Iterator[None]:
    """Turns the operating system's error into one that a person can act on."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        advice = _ADVICE.get(error.errno or 0, "")
        raise StoreError(f"cannot {verb} in the store: {reason}", where=f"({name})", advice=advice) from error
