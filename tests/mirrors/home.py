"""A whole installation in a folder of its own, driven as an operator does: by ``manage.py`` in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from almanac.stores import FileStore
from tests.mirrors.cast import Stranger

ROOT = Path(__file__).resolve().parent.parent.parent
PREPARE = """
import sys
from datetime import datetime, timezone
from django.core.management import call_command
from catalog.records import Kind, key_of
from catalog.services.changes import ProposedChange, propose
from pathlib import Path
from signing.keyring import Keyring
from signing.sealing import Strength
from tests import factories as f

now = datetime.now(timezone.utc)
call_command("migrate", verbosity=0)
Keyring.create(Path(sys.argv[1]) / "keys", now=now, strength=Strength(1, 8 * 2**20))
price = {"meter": "input", "unit": "token", "amount": "0.000001", "currency": "USD"}
made = [f.region(), f.region("eu", parent="global"), f.lab(), f.provider()]
for n in range(40):
    made += [f.entry(f"m{n}"), f.offering(f"m{n}", entry=f"acme/m{n}", prices=[price, {**price, "meter": "output"}])]
propose(title="first", changes=[ProposedChange(k, key_of(k, r), r) for k, r in made], by="alice", now=now)
"""
EDIT = """
import sys
from datetime import datetime, timezone
from catalog.records import Kind, key_of
from catalog.services.changes import ProposedChange, propose
from tests import factories as f

kind, record = f.entry(sys.argv[2], name=sys.argv[3])
propose(title="edit", changes=[ProposedChange(kind, key_of(kind, record), record)], by="alice",
        now=datetime.now(timezone.utc))
"""


@dataclass
class Home:
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "KEY_PASSPHRASE"}
        return {
            **kept,
            "ALMANAC_HOME": str(self.folder),
            "DATABASE_URL": "",
            "PYTHONDONTWRITEBYTECODE": "1",  # its renames would be counted as ours
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}",
        }

    @classmethod
    def prepared(cls, folder: Path) -> Home:
        """With one release out."""
        folder.mkdir(parents=True)
        home = cls(folder)
        home.python(PREPARE)
        home.manage("publish")
        return home

    def copy(self, folder: Path) -> Home:
        shutil.copytree(self.folder, folder)
        return Home(folder)

    def edit(self, slug: str, name: str) -> None:
        self.python(EDIT, slug, name)

    def python(self, code: str, *arguments: str) -> None:
        set_up = "import django; django.setup()\n"
        self.run([sys.executable, "-c", set_up + code, str(self.folder), *arguments], check=True)

    def manage(
        self, *arguments: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return self.run([*self.command, *arguments], check=check, **environment)

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py")]

    def run(self, command: list[str], *, check: bool, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def facts(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.manage(*arguments, "--json").stdout.splitlines()[-1])

    @property
    def store(self) -> FileStore:
        return FileStore(self.folder / "store")

    def stranger(self) -> Stranger:
        folder = self.folder / f"stranger-{len(list(self.folder.glob('stranger-*')))}"
        return Stranger(self.store, folder, now=datetime.now(UTC))
