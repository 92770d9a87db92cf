"""Django's SQLite, in memory, with a choice point at every transaction's beginning and end and every lone write.

Writers of SQLite queue up at BEGIN, so between BEGIN and COMMIT nobody else writes: one connection serves all.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

from tests.simulation import points
from tests.simulation.points import ERROR, LOST, READ, WRITE

WRITES = re.compile(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM|REPLACE INTO) "?(\w+)"?')
FOR_PEOPLE = ("interrupted", "stopped_by", "failed_stores", "finished", "warnings")
"""Words in a publication's report by which nothing is decided: states that differ in them alone are one."""


FOR_PEOPLE_IN_A_STORE = ("last_error", "failed_at", "failing_since", "done", "total")


class Cursor(base.SQLiteCursorWrapper):
    owner: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        written = WRITES.match(query)
        if written is None:
            points.decider.saw(query, params, self.owner.digest())
            return super().execute(query, params)
        outcome = points.OK
        if not self.owner.in_atomic_block:
            outcome = points.decider.at("write", written[1], WRITE)
            points.decider.saw(query, params, self.owner.digest())
        if outcome == ERROR:
            raise sqlite3.OperationalError("the database does not answer")
        self.owner.stale.add(written[1].removeprefix("new__"))  # a migration remakes a table under that name
        done = super().execute(query, params)
        if outcome == LOST:
            raise sqlite3.OperationalError("the database's answer was lost")
        return done

    def executemany(self, query: str, param_list: Any) -> Any:
        raise NotImplementedError("no shipped code of publication uses it")


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stale: set[str] = set()
        self._tables: dict[str, int] = {}
        self._digest = b""

    def create_cursor(self, name: str | None = None) -> Cursor:
        cursor = self.connection.cursor(factory=Cursor)
        cursor.owner = self
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            if points.decider.at("begin", "", READ) == ERROR:
                raise sqlite3.OperationalError("the database does not answer")
        super()._start_transaction_under_autocommit()

    def _commit(self) -> None:
        with self.wrap_database_errors:
            outcome = points.decider.at("commit", "", WRITE)
            if outcome == ERROR:
                raise sqlite3.OperationalError("the transaction was not committed")
        super()._commit()
        if outcome == LOST:
            with self.wrap_database_errors:
                raise sqlite3.OperationalError("the database's answer was lost")

    def forsake_transaction(self) -> None:
        """What the database does with the transaction of a process that is gone."""
        self.connection.rollback()
        self.in_atomic_block = False
        self.needs_rollback = False
        self.savepoint_ids = []
        self.atomic_blocks = []
        self.run_on_commit = []
        self.commit_on_exit = True
        self.autocommit = True

    def digest(self) -> bytes:
        """Of all that is committed, but for words to people; inside a transaction, of what was when it began."""
        if self.stale and not self.connection.in_transaction:
            for table in self.stale:
                self._tables[table] = self._table_digest(table)
            self.stale.clear()
            whole = repr(sorted(self._tables.items())).encode()
            self._digest = hashlib.blake2b(whole, digest_size=16).digest()
        return self._digest

    def _table_digest(self, table: str) -> int:
        cursor = self.connection.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        if table == "mirrors_publication":
            rows = [_without_words(dict(zip(names, row, strict=True))) for row in rows]
        elif table == "mirrors_storeprogress":
            hidden = {names.index(name) for name in FOR_PEOPLE_IN_A_STORE}
            rows = [tuple(value for i, value in enumerate(row) if i not in hidden) for row in rows]
        return hash(frozenset(rows))


def _without_words(row: dict[str, Any]) -> tuple[Any, ...]:
    report = json.loads(row["report"])
    kept = {key: value for key, value in report.items() if key not in FOR_PEOPLE}
    row.update(report=json.dumps(kept, sort_keys=True), steps="")
    return tuple(row.values())
