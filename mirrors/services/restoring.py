"""From an archive to an installation that goes on: into an empty home only, all of it or nothing.

The archive is older than what was served since. So the stores are read before anything can be signed, and their
numbers, signatures and documents are taken over; see ``mirrors.services.learning``.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.db.migrations.executor import MigrationExecutor

from almanac.errors import LocalStateError, UsageError
from catalog.services import audit
from mirrors import archive
from mirrors.archive import Archive
from mirrors.services import dumping, ledger, refilling
from mirrors.services.adopting import adopt, known_files, note_progress
from mirrors.services.backing_up import Places
from mirrors.services.learning import Learned, learn
from mirrors.services.means import Means
from mirrors.services.pushing import stored_timestamp
from mirrors.verifying.sources import Source, StoreSource
from signing.keyring import Keyring
from signing.private_files import make_private_folder, write_private

Progress = Callable[[str], None]
MARKER: Final = (
    "A restore is at work here, or was cut off. 'manage.py restore' clears it away and begins anew.\n"
)


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Mapping[str, Any]
    release: int | None
    """The newest that readers have seen."""
    next_release: int | None
    """The least that the next publication will be."""
    learned: bool
    """True: the stores were ahead of the backup."""
    refilled: int = 0
    empty: Sequence[str] = field(default=())


def restore(
    path: Path,
    *,
    places: Places,
    means: Means,
    mirrors: Sequence[Source] = (),
    accept_empty: bool = False,
    by: str,
    progress: Progress = lambda _what: None,
) -> Restored:
    """``mirrors`` are read like stores; ``accept_empty``: nothing was published after the backup, says the operator.

    Raises:
        BackupError: the archive is not whole; nothing was touched.
        UsageError: the home is not empty; nothing was touched.
    """
    with archive.opened(path) as found:
        if places.marker.exists():
            progress("clearing away what an earlier restore left")
            _clear_away(places)
        _must_be_empty(places)
        work = _Work(found, _targets(found), places, means, mirrors, accept_empty, by, progress)
        places.marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        places.marker.write_text(MARKER, encoding="utf-8")
        try:
            done = work.do()
        except BaseException:
            _clear_away(places)
            raise
        places.marker.unlink()
        return done


@dataclass(frozen=True, slots=True)
class _Work:
    found: Archive
    targets: list[tuple[str, str]]
    places: Places
    means: Means
    mirrors: Sequence[Source]
    accept_empty: bool
    by: str
    progress: Progress

    def do(self) -> Restored:
        self._load()
        _place_keys(self.found, self.places)
        learned = self._learn()
        self.progress("taking over what was served")
        adopted, refilled = self._take_over(learned)
        released, newest = ledger.published_release(), self.means.catalog.newest_release()
        return Restored(
            self.found.manifest,
            release=released,
            next_release=newest if newest != released else (released or 0) + 1,
            learned=adopted,
            refilled=refilled,
            empty=learned.empty,
        )

    def _load(self) -> None:
        """Into the form that the rows have, which is then brought to today's."""
        self.progress("loading the database")
        executor = MigrationExecutor(connection)
        executor.migrate(self.targets)
        lines = io.TextIOWrapper(self.found.rows, encoding="utf-8")
        dumping.load(executor.loader.project_state(self.targets).apps, lines)
        lines.detach()
        call_command("migrate", verbosity=0, interactive=False)

    def _learn(self) -> Learned:
        sources = [*(StoreSource(store, url) for url, store in self.means.stores.items()), *self.mirrors]
        folder = self.places.keys
        infos = Keyring.open(folder).list() if Keyring.exists(folder) else ()
        learned = learn(
            sources,
            first_root=ledger.first_root(),
            known=known_files(),
            keys={info.keyid: bytes.fromhex(info.public) for info in infos},
            now=self.means.clock(),
            progress=self.progress,
        )
        if learned.newest is None and ledger.published_release() is not None and not self.accept_empty:
            raise UsageError(
                f"release {ledger.published_release()} was published, and no store holds anything",
                where=f"({', '.join(learned.empty)})",
                advice="set ALMANAC_STORE to where it was published, or name a mirror with --learn-from; if nothing "
                "was published or signed after the backup, say --accept-empty",
            )
        return learned

    @transaction.atomic
    def _take_over(self, learned: Learned) -> tuple[bool, int]:
        now = self.means.clock()
        adopted = adopt(learned, policy=self.means.policy, by=self.by, now=now) is not None
        refilled = len(refilling.refill(self.means, learned, accept_loss=self.accept_empty))
        note_progress({url: stored_timestamp(store) for url, store in self.means.stores.items()})
        detail = {"made": self.found.manifest["made"], "learned": adopted, "refilled": refilled}
        audit.record(actor=self.by, action="restore", about="installation", detail=detail, now=now)
        return adopted, refilled


def _must_be_empty(places: Places) -> None:
    for path in (places.keys, places.secret_key):
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise UsageError(
                "there is an installation here, and it stays as it is",
                where=f"({path})",
                advice="restore into an empty ALMANAC_HOME with an empty database",
            )
    executor = MigrationExecutor(connection)
    every = executor.loader.project_state(executor.loader.graph.leaf_nodes()).apps
    if not dumping.is_empty(every):
        raise UsageError(
            "the database is not empty, and it stays as it is",
            where=f"({connection.vendor})",
            advice="restore into an empty ALMANAC_HOME with an empty database",
        )


def _targets(found: Archive) -> list[tuple[str, str]]:
    """The migrations that the rows are of."""
    executor = MigrationExecutor(connection)
    try:
        targets = [(str(app), str(name)) for app, name in found.manifest["migrations"]]
    except (KeyError, TypeError, ValueError) as error:
        raise LocalStateError("the backup does not say which version made it") from error
    unknown = [target for target in targets if target not in executor.loader.graph.nodes]
    if unknown:
        raise UsageError(
            f"the backup was made by a newer version ({found.manifest.get('version')})",
            where=f"({'.'.join(unknown[0])})",
            advice="install that version first",
        )
    known = {node for target in targets for node in executor.loader.graph.forwards_plan(target)}
    if set(executor.loader.applied_migrations) - known:
        raise UsageError(
            "the database was migrated further than the backup",
            advice="give a database without any tables; restore makes them",
        )
    return targets


def _place_keys(found: Archive, places: Places) -> None:
    for name, data in sorted(found.small.items()):
        folder, _, file = name.rpartition("/")
        if folder:
            into = places.keys / folder.removeprefix("keys").lstrip("/")
            make_private_folder(into)
            write_private(into / file, data, only_if_absent=True)
        else:
            write_private(places.secret_key, data, only_if_absent=True)


def _clear_away(places: Places) -> None:
    """The home as empty as it was found."""
    shutil.rmtree(places.keys, ignore_errors=True)
    places.secret_key.unlink(missing_ok=True)
    with suppress(MigrationSchemaMissing):
        executor = MigrationExecutor(connection)
        if executor.loader.applied_migrations:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("flush", verbosity=0, interactive=False)
    places.marker.unlink(missing_ok=True)
