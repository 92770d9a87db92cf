"""The backup's archive: a tar file whose first member is a manifest with the length and SHA-256 of all others.

It is believed only as a whole: ``opened`` reads and compares every member before anybody gets the first byte. Names
come from a fixed grammar, nothing is ever extracted by the names that the archive gives.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from almanac.errors import LocalStateError, MalformedError, UsageError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
ROWS: Final = "database.jsonl"
SECRET_KEY: Final = "secret_key"  # noqa: S105  a file's name
NAME: Final = re.compile(r"database\.jsonl|secret_key|keys/(?:signed/)?[a-z0-9][a-z0-9._-]{0,127}")
MOST_MANIFEST: Final = 1_000_000
MOST_SMALL: Final = 1_000_000
_CHUNK: Final = 1024 * 1024


class BackupError(MalformedError):
    """This is not a whole backup of ours."""

    name = "backup"


def damaged(what: str, path: Path) -> BackupError:
    return BackupError(
        f"this backup cannot be used: {what}",
        where=f"({path})",
        advice="nothing was written; take another copy of it",
    )


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was read whole and found to be what its manifest says."""

    manifest: Mapping[str, Any]
    small: Mapping[str, bytes]
    """Everything but the rows."""
    rows: IO[bytes]


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Where to gather an archive's parts: a private folder beside ``path``, gone afterwards."""
    if path.exists():
        raise UsageError("this file is there already and stays as it is", where=f"({path})")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise LocalStateError(
            f"the backup cannot be written: {error.strerror}",
            where=f"({path})",
            advice="is there such a folder, and room in it?",
        ) from error


def write(path: Path, *, parts: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Packs ``parts`` and puts the archive in place, whole and durable, readable by its owner only."""
    names = sorted(str(p.relative_to(parts)) for p in parts.rglob("*") if p.is_file())
    files = {name: _measured(parts / name) for name in names}
    whole = {"format": FORMAT, **manifest, "files": files}
    packed = parts / ".packed"
    descriptor = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
            _add(tar, MANIFEST, io.BytesIO(json.dumps(whole, indent=1).encode()))
            for name in names:
                with (parts / name).open("rb") as part:
                    _add(tar, name, part)
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(packed, path)  # never over a file that came meanwhile
    except FileExistsError:
        raise UsageError("this file is there already and stays as it is", where=f"({path})") from None
    _sync_folder(path.parent)
    return whole


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Raises ``BackupError`` where one byte is not as the manifest says; then nothing of it was given out."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"the backup cannot be read: {error.strerror}", where=f"({path})") from error
    with file, tempfile.TemporaryFile() as rows:
        try:
            with gzip.GzipFile(fileobj=file) as plain:
                with tarfile.open(fileobj=plain, mode="r|") as tar:
                    manifest, small = _read(tar, rows, path)
                _nothing_follows(plain, path)
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise damaged(f"it is cut off or no archive ({error})", path) from error
        rows.seek(0)
        yield Archive(manifest, small, rows)


def _read(tar: tarfile.TarFile, rows: IO[bytes], path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    manifest = _manifest(tar.next(), tar, path)
    files: dict[str, Any] = manifest["files"]
    small: dict[str, bytes] = {}
    seen = set()
    while (member := tar.next()) is not None:
        if member.name not in files or not member.isreg() or member.name in seen:
            raise damaged(f"it holds {member.name[:200]!r}, which its manifest does not", path)
        said = files[member.name]
        if member.size != said["bytes"] or (member.name != ROWS and member.size > MOST_SMALL):
            raise damaged(f"{member.name} has {member.size} bytes and not {said['bytes']}", path)
        into = rows if member.name == ROWS else io.BytesIO()
        if _copied(tar.extractfile(member), into) != said["sha256"]:
            raise damaged(f"the SHA-256 of {member.name} is another than its manifest says", path)
        if isinstance(into, io.BytesIO):
            small[member.name] = into.getvalue()
        seen.add(member.name)
    if missing := sorted(set(files) - seen):
        raise damaged(f"{missing[0]} is missing", path)
    return manifest, small


def _manifest(member: tarfile.TarInfo | None, tar: tarfile.TarFile, path: Path) -> dict[str, Any]:
    if member is None or member.name != MANIFEST or not member.isreg() or member.size > MOST_MANIFEST:
        raise damaged("it does not begin with a manifest", path)
    opened = tar.extractfile(member)
    try:
        manifest = json.loads(opened.read() if opened else b"")
        files = manifest["files"]
        sound = all(
            NAME.fullmatch(name) and type(said["bytes"]) is int and isinstance(said["sha256"], str)
            for name, said in files.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged("its manifest cannot be read", path) from error
    if manifest.get("format") != FORMAT:
        raise damaged(f"it has the form {manifest.get('format')!r}, and this version reads {FORMAT}", path)
    if not sound or ROWS not in files:
        raise damaged("its manifest names files that are none of ours", path)
    return dict(manifest)


def _nothing_follows(plain: gzip.GzipFile, path: Path) -> None:
    """Reads to the very end, where gzip's own checksum is; a tar file is padded with zeros."""
    while data := plain.read(_CHUNK):
        if data.strip(b"\0"):
            raise damaged("something follows its end", path)


def _add(tar: tarfile.TarFile, name: str, part: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = part.seek(0, os.SEEK_END)
    member.mode = 0o600
    part.seek(0)
    tar.addfile(member, part)


def _measured(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _copied(part: IO[bytes] | None, into: IO[bytes]) -> str:
    seen = hashlib.sha256()
    while part is not None and (data := part.read(_CHUNK)):
        seen.update(data)
        into.write(data)
    return seen.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
