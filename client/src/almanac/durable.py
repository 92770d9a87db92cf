"""Files that survive a crash: written aside, synced, renamed, and the folder synced; read without following links."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from almanac.errors import LocalStateError

TEMPORARY_SUFFIX: Final = ".part"
LARGEST: Final = 512 * 1024 * 1024


@contextlib.contextmanager
def local_errors(path: Path | str) -> Iterator[None]:
    """Turns what the operating system says about our own files into a ``LocalStateError`` that names the path."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        # of a rename the second name is what was to be replaced; the first one is a temporary file
        named = error.filename2 if isinstance(error.filename2, str) else error.filename
        where = named if isinstance(named, str) else str(path)
        raise LocalStateError(reason.lower(), where=f"at {where}", advice=_advice(error.errno)) from error


def _advice(code: int | None) -> str:
    match code:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "free some space; the catalog that was accepted is untouched"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "let this user write there, or set ALMANAC_STATE_DIR and ALMANAC_CONFIG_DIR to folders of your own"
        case errno.ELOOP:
            return "put a plain file in place of the symbolic link, or remove it"
        case _:
            return "repair or remove it; `almanac sync` makes it anew"


def write_durably(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replaces ``path`` as a whole: a reader, or the next start after a crash, sees the old bytes or the new ones."""
    with local_errors(path):
        make_folder(path.parent)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name[:40]}.", suffix=TEMPORARY_SUFFIX, dir=path.parent
        )
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """The folder and what lies above it, each entry synced into its parent; a link in its place is refused."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "", str(folder))


def sync_folder(folder: Path) -> None:
    """Makes renames in ``folder`` last; where folders cannot be opened for that (Windows) there is nothing to do."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_plain(path: Path, *, largest: int = LARGEST) -> bytes | None:
    """The bytes of a regular file; ``None`` where there is none. Links, pipes and devices are refused, never opened."""
    flags = (
        os.O_RDONLY
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_CLOEXEC", 0)
    )
    with local_errors(path):
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, "", str(path))
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(largest + 1)
    if len(data) > largest:
        raise LocalStateError(
            "larger than any file of ours", where=f"at {path}", advice="remove it and sync again"
        )
    return data


def holds(path: Path, data: bytes, *, largest: int = LARGEST) -> bool:
    """True when ``path`` is a plain file with exactly these bytes; whatever else it is, it is to be replaced."""
    with contextlib.suppress(LocalStateError):
        return read_plain(path, largest=largest) == data
    return False


def sweep_temporaries(folder: Path, *, of: str = "") -> None:
    """Removes what a crash left behind in ``folder`` (of one file, where it is shared); only while the lock is held."""
    with contextlib.suppress(OSError):
        for left in folder.iterdir():
            if left.name.startswith(f".{of[:40]}") and left.name.endswith(TEMPORARY_SUFFIX):
                left.unlink(missing_ok=True)
