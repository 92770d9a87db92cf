"""A client's file, written as a whole and undone: what stood there before, if it was not ours, is kept beside it.

``installed.json`` in the state folder knows each file that was written, the hashes of what we put there, and where
its backup lies. It is written before the file, so a crash between the two forgets nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from almanac.accepted import Accepted
from almanac.durable import local_errors, read_plain, sync_folder, write_durably
from almanac.errors import LocalStateError, PolicyError, UsageError
from almanac.installers.client import Client, Done, Environ
from almanac.obtain import Obtained
from almanac.state import State

BACKUP_SUFFIX: Final = ".before-almanac"
RECORD: Final = "installed.json"
PACKAGES: Final = frozenset(("site-packages", "dist-packages", "node_modules"))


@dataclass(frozen=True, slots=True)
class Job:
    """Where the file goes and what must be known to write it; found out before anything is fetched."""

    file: Path
    version: str


@dataclass(frozen=True, slots=True)
class Written:
    """One file that we wrote."""

    client: str
    ours: tuple[str, ...]
    """SHA-256 of what we put there: the last and, until that is certain, the one before."""
    backup: str
    """What stood there before; empty where nothing did."""

    def holds(self, data: bytes) -> bool:
        return _sha256(data) in self.ours


def prepare(state: State, client: Client, environ: Environ, version: str | None) -> Job:
    """Raises where the client cannot read such a file, or where its place is not ours to write."""
    number, place = client.version(version), client.place(environ)
    if place is None:
        place = state.folder.absolute() / "clients" / client.name / client.file_name
    return Job(_resolved(place), number)


def install(state: State, client: Client, job: Job, document: Obtained, *, mirror: str) -> Done:
    """Writes the file, if it is not there already with just these bytes."""
    file = job.file
    new = client.form(document.data, job.version)
    url = mirror + document.path
    with state.locked():
        old = read_plain(file)
        if old == new:
            if client.looks_at_age:
                with local_errors(file):
                    os.utime(file)
            return client.done(file, "is up to date", url)
        written = _written(state)
        before = written.get(str(file))
        was_ours = before is not None and old is not None and before.holds(old)
        backup = before.backup if before is not None else ""
        if old is not None and not was_ours:
            backup = backup or str(_free_name(file))
            write_durably(Path(backup), old, mode=_mode(file))
        ours = (_sha256(old), _sha256(new)) if was_ours and old is not None else (_sha256(new),)
        _record(state, {**written, str(file): Written(client.name, ours, backup)})
        write_durably(file, new, mode=_mode(file))
    return client.done(file, "written", url)


def restore(state: State, client: Client) -> list[Done]:
    """Puts back what stood there before, wherever we wrote for this client; what somebody changed since is left alone."""
    with state.locked():
        written = _written(state)
        mine = {file: one for file, one in written.items() if one.client == client.name}
        if not mine:
            raise UsageError(f"nothing was written for {client.name}", advice="there is nothing to restore")
        done = []
        for file, one in mine.items():
            done.append(Done(client.name, Path(file), _put_back(state, Path(file), one)))
            written = {name: other for name, other in written.items() if name != file}
            _record(state, written)
    return done


def held(state: State, accepted: Accepted, paths: Sequence[str]) -> Obtained:
    """A client's document from what was accepted before."""
    for path in paths:
        document = accepted.newest.documents.get(path)
        data = state.document(document.sha256) if document else None
        if document is not None and data is not None:
            return Obtained(path, document.sha256, document.length, "unchanged", data)
    raise LocalStateError("not held", where=f"({paths[0]})", advice="sync once without --offline")


def _put_back(state: State, file: Path, one: Written) -> str:
    """Does it, and says what it did."""
    current = read_plain(file)
    before = read_plain(Path(one.backup)) if one.backup else None
    if current is not None and current == before:
        _remove(Path(one.backup))
        return "is what it was before"
    if current is not None and not one.holds(current):
        kept = f"; what was there before is in {one.backup}" if before is not None else ""
        return f"left as it is: somebody changed it since{kept}"
    if before is not None:
        write_durably(file, before, mode=_mode(Path(one.backup)))
        _remove(Path(one.backup))
        return "is again what it was before"
    if one.backup:
        return f"left as it is: what was there before is gone from {one.backup}"
    _remove(file)
    if state.folder.resolve() in file.parents:
        with contextlib.suppress(OSError):
            file.parent.rmdir()
    return "removed: there was none before"


def _remove(file: Path) -> None:
    with local_errors(file):
        file.unlink(missing_ok=True)
        if file.parent.is_dir():
            sync_folder(file.parent)


def _resolved(place: Path) -> Path:
    """A link of a dotfiles' manager stays a link: what it leads to is written."""
    try:
        file = place.resolve()
    except (OSError, RuntimeError) as error:
        raise LocalStateError(
            "cannot be found", where=f"at {place}", advice="do its symbolic links lead in a circle?"
        ) from error
    if PACKAGES & set(file.parts):
        raise PolicyError(
            "lies in an installed package, which almanac never changes", where=f"({file})",
            advice="name a file of your own",
        )  # fmt: skip
    return file


def _free_name(file: Path) -> Path:
    """Beside the file; a backup of an earlier life, of which nothing is recorded, is not overwritten."""
    names = itertools.chain((BACKUP_SUFFIX,), (f"{BACKUP_SUFFIX}-{number}" for number in itertools.count(2)))
    return next(path for suffix in names if not os.path.lexists(path := file.with_name(file.name + suffix)))


def _mode(file: Path) -> int:
    """Settings of other programs keep their permissions; new ones are readable as the user's files usually are."""
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        return 0o644


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _written(state: State) -> dict[str, Written]:
    data = read_plain(state.folder / RECORD)
    try:
        form = json.loads(data or b"{}")
        return {
            str(file): Written(str(one["client"]), tuple(map(str, one["ours"])), str(one["backup"]))
            for file, one in form.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LocalStateError(
            "damaged",
            where=f"file {state.folder / RECORD}",
            advice="remove it; backups end in " + BACKUP_SUFFIX,
        ) from None


def _record(state: State, written: Mapping[str, Written]) -> None:
    form = {
        file: {"client": one.client, "ours": list(one.ours), "backup": one.backup}
        for file, one in written.items()
    }
    write_durably(state.folder / RECORD, json.dumps(form, indent=1).encode() + b"\n")
