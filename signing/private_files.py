"""Files that nobody else may read: written whole and durable, refused where others could read or swap them."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signing.errors import KeyringError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Refuses a folder in which somebody else could swap the keys."""
    try:
        resolved = folder.resolve(strict=True)
        if resolved.stat().st_mode & OTHERS_WRITE:
            raise KeyringError(
                "other users may write in the folder of the keys:", where=str(folder),
                advice=f"chmod 700 {folder}",
            )  # fmt: skip
        for parent in resolved.parents:
            mode = parent.stat().st_mode
            # In a sticky folder (/tmp) others cannot rename what is ours.
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                raise KeyringError(
                    "anybody may write in a folder above the keys:", where=str(parent),
                    advice="whoever can rename that folder can put other keys in place of these",
                )  # fmt: skip
    except OSError as error:
        raise _unusable(folder, error) from error


def read_private(path: Path, *, most: int) -> bytes:
    """The bytes of a file that only its owner can read; at most ``most`` and one of them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise KeyringError("this is not a plain file:", where=str(path))
            if status.st_mode & OTHERS:
                raise KeyringError(
                    "other users may read this key file:", where=str(path),
                    advice=f"chmod 600 {path}, and rotate the key if somebody may have read it",
                )  # fmt: skip
            return file.read(most + 1)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise KeyringError("a key file is never a symbolic link:", where=str(path)) from error
        raise _unusable(path, error) from error


def write_private(path: Path, data: bytes, *, only_if_absent: bool = False) -> None:
    """Writes all of it or nothing, durable before it returns, with mode 0600 from the first byte."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if only_if_absent:
            os.link(temporary, path)
            temporary.unlink()
        else:
            temporary.replace(path)
        _sync_folder(path.parent)
    except FileExistsError as error:
        temporary.unlink(missing_ok=True)
        raise KeyringError("this file is there already and stays as it is:", where=str(path)) from error
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unusable(path, error) from error


def write_new(path: Path, data: bytes) -> None:
    """Like ``write_private``, and what is there already stays as it is."""
    write_private(path, data, only_if_absent=True)


def remove_private(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise _unusable(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock falls with its process."""
    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> KeyringError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return KeyringError(f"{reason}:", where=str(path))
