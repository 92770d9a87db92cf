"""One archive of all state: every row, the sealed keys, and what is needed to know whose it is. Published files are not in
it: they lie in the stores, and a restore learns from them what was served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max

from almanac import __version__
from almanac.errors import UsageError
from mirrors import archive
from mirrors.models import SignedFile
from mirrors.services import dumping, ledger
from signing.keyring import PASSPHRASE
from signing.metadata import fingerprint
from signing.private_files import read_private

MOST_KEY_BYTES: Final = 1024 * 1024
SIGNED: Final = "signed"


@dataclass(frozen=True, slots=True)
class Places:
    """Where an installation's state lies besides its database."""

    keys: Path
    secret_key: Path
    staging: Path
    marker: Path
    """There while a restore is at work: what it left behind when it was cut off is nobody's."""


def back_up(
    path: Path, *, places: Places, facts: Mapping[str, Any], with_passphrase: bool, now: datetime
) -> dict[str, Any]:
    """Writes the archive and returns its manifest; the server may go on working meanwhile.

    ``facts``: settings that a person should set again; none of them secret.
    """
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise UsageError("the database is not migrated", advice="run 'manage.py migrate' first")
    with archive.writing(path) as parts:
        with dumping.one_moment():
            with (parts / archive.ROWS).open("w", encoding="utf-8") as rows:
                counts = dumping.dump(apps, rows)
            served = _served()
        _copy_keys(places, parts, with_passphrase=with_passphrase)
        manifest = {
            "made": now.isoformat(timespec="seconds"),
            "version": __version__,
            "database": connection.vendor,
            "migrations": sorted(map(list, executor.loader.graph.leaf_nodes())),
            "rows": counts,
            "holds_passphrase": (parts / "keys" / PASSPHRASE).exists(),
            "served": served,
            "settings": dict(facts),
        }
        return archive.write(path, parts=parts, manifest=json.loads(json.dumps(manifest)))


def _served() -> dict[str, Any]:
    roles = SignedFile.objects.exclude(role="").values("role").annotate(newest=Max("version"))
    root = ledger.first_root()
    return {
        "release": ledger.published_release(),
        "roles": {row["role"]: row["newest"] for row in roles.order_by("role")},
        "root_fingerprint": fingerprint(root) if root else None,
    }


def _copy_keys(places: Places, parts: Path, *, with_passphrase: bool) -> None:
    """As they are: sealed. A folder that others can read is refused here as everywhere."""
    for folder, into in (
        (places.keys, parts / "keys"),
        (places.keys / SIGNED, parts / "keys" / SIGNED),
    ):
        for file in sorted(folder.glob("*")) if folder.is_dir() else ():
            name = str(into.relative_to(parts) / file.name)
            is_left_out = file.name == PASSPHRASE and not with_passphrase
            if file.is_dir() or is_left_out or not archive.NAME.fullmatch(name):
                continue
            into.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(into / file.name, read_private(file, most=MOST_KEY_BYTES))
    if places.secret_key.is_file():
        shutil.copyfile(places.secret_key, parts / archive.SECRET_KEY)


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
