"""The catalog that publication asks for documents, as small as it can be; its truth lies in the simulated database.

So what a publication cuts is rolled back with its transaction, and a crash loses exactly what a crash loses.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import connection

from almanac.lifecycle import SchemaNotice
from mirrors.services.means import Document, Objection, Rendering, SchemaFacts

V2 = "catalog/v2/models.yaml"
TABLES = (
    "CREATE TABLE sim_live (id INTEGER PRIMARY KEY CHECK (id = 1), documents TEXT NOT NULL)",
    "CREATE TABLE sim_release (number INTEGER PRIMARY KEY, documents TEXT NOT NULL)",
    "CREATE TABLE sim_audit (id INTEGER PRIMARY KEY, about TEXT NOT NULL)",
)


def create_tables() -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(table)


class TableCatalog:
    """Live documents, and each release as it was cut."""

    def set_up(self, documents: Mapping[str, str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute('INSERT INTO "sim_live" VALUES (1, %s)', [_text(documents)])

    def edit(self, path: str, text: str) -> None:
        """An operator's approved change: acknowledged when this returns."""
        with connection.cursor() as cursor:
            documents = {**self.live(), path: text}
            cursor.execute('UPDATE "sim_live" SET documents = %s', [_text(documents)])

    def live(self) -> dict[str, str]:
        return _documents(_one("SELECT documents FROM sim_live"))

    def released(self, number: int) -> dict[str, str]:
        return _documents(_one("SELECT documents FROM sim_release WHERE number = %s", number))

    def cut(self, *, now: datetime, by: str, restores: int | None) -> int | None:
        last = self.newest_release() or 0
        if last and self.released(last) == self.live():
            return None
        with connection.cursor() as cursor:
            cursor.execute('INSERT INTO "sim_release" VALUES (%s, %s)', [last + 1, _text(self.live())])
        return last + 1

    def newest_release(self) -> int | None:
        found = _one("SELECT max(number) FROM sim_release")
        return None if found is None else int(str(found))

    def render(self, release: int, *, known: Collection[str]) -> Rendering:
        documents = [
            Document.of(path, text.encode()) for path, text in sorted(self.released(release).items())
        ]
        return Rendering(release, documents, [SchemaFacts("v2", V2)])

    def notices(self, release: int) -> Sequence[SchemaNotice]:
        return ()

    def objections(self, release: int, *, published: int, known: Collection[str]) -> Sequence[Objection]:
        return []

    def restore(self, release: int, *, by: str, now: datetime) -> None:
        raise NotImplementedError

    def withdraw(self, release: int, *, by: str, now: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute('DELETE FROM "sim_release" WHERE number = %s', [release])

    def latest_boundary(self, *, now: datetime) -> datetime | None:
        return None

    def record(
        self, *, action: str, about: str, by: str, now: datetime, detail: Mapping[str, object]
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute('INSERT INTO "sim_audit" (about) VALUES (%s)', [f"{action} {about}"])


def _one(query: str, *params: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        row = cursor.fetchone()
    return row[0] if row else None


def _text(documents: Mapping[str, str]) -> str:
    return json.dumps(documents, sort_keys=True)


def _documents(text: object) -> dict[str, str]:
    found: dict[str, str] = json.loads(str(text))
    return found
