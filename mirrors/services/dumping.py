"""Every row of every table as lines of JSON, the same from SQLite and PostgreSQL, and back into either.

A line is ``{"model": "catalog.release", "fields": […]}`` or, after it, one row as a list. Rows are written in the form
that their migrations gave them, so that an older backup is loaded into its own form and then migrated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final

from django.apps.registry import Apps
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.models.fields.json import JSONField

from almanac.errors import MalformedError

NOT_STATE: Final = frozenset({"sessions.session"})
"""Whoever was signed in signs in again."""
MADE_BY_MIGRATING: Final = frozenset({"contenttypes.contenttype", "auth.permission"})
AT_ONCE: Final = 500

Model = type[models.Model]


def tables(apps: Apps) -> list[Model]:
    found = apps.get_models(include_auto_created=True)
    mine = [model for model in found if model._meta.managed and not model._meta.proxy]  # noqa: SLF001  # Django's own documented interface
    return sorted((m for m in mine if label(m) not in NOT_STATE), key=label)


def label(model: Model) -> str:
    return model._meta.label_lower  # noqa: SLF001


@contextmanager
def one_moment() -> Iterator[None]:
    """All reads inside see the same state; writers go on meanwhile."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


def dump(apps: Apps, into: IO[str]) -> dict[str, int]:
    """Writes everything; returns how many rows of each table."""
    counts = {}
    for model in tables(apps):
        fields = _fields(model)
        head = {"model": label(model), "fields": [field.attname for field in fields]}
        into.write(json.dumps(head) + "\n")
        counts[label(model)] = 0
        for row in model._base_manager.order_by("pk").iterator(chunk_size=AT_ONCE):  # noqa: SLF001
            into.write(json.dumps([_written(field, row) for field in fields], ensure_ascii=False) + "\n")
            counts[label(model)] += 1
    return counts


def is_empty(apps: Apps) -> bool:
    """True when there is nothing but what migrating makes."""
    present = set(connection.introspection.table_names())
    return not any(
        model._base_manager.exists()  # noqa: SLF001
        for model in tables(apps)
        if model._meta.db_table in present and label(model) not in MADE_BY_MIGRATING  # noqa: SLF001
    )


@transaction.atomic
def load(apps: Apps, lines: Iterable[str]) -> dict[str, int]:
    """Into empty tables, all or nothing.

    Raises:
        MalformedError: a line makes no sense for the tables that are here.
    """
    by_label = {label(model): model for model in tables(apps)}
    for name in MADE_BY_MIGRATING:
        if name in by_label:
            by_label[name]._base_manager.all().delete()  # noqa: SLF001
    counts: dict[str, int] = {}
    for model, fields, rows in _tables_in(lines, by_label):
        made = (_row(model, fields, row) for row in rows)
        counts[label(model)] = _insert(model, made)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(by_label.values())):
            cursor.execute(statement)
    return counts


def _tables_in(
    lines: Iterable[str], by_label: dict[str, Model]
) -> Iterator[tuple[Model, list[Any], Iterator[list[Any]]]]:
    waiting = iter(lines)
    head = _read(next(waiting, ""), 1)
    number = 1
    while head is not None:
        if not isinstance(head, dict) or head.get("model") not in by_label:
            raise MalformedError(f"line {number} of the rows names no table that is here")
        model = by_label[head["model"]]
        known = {field.attname: field for field in _fields(model)}
        if list(known) != head.get("fields"):
            raise MalformedError(f"the columns of {head['model']} are others than here")
        following: list[Any] = []

        def rows(found: list[Any] = following) -> Iterator[list[Any]]:
            nonlocal number
            for line in waiting:
                number += 1
                row = _read(line, number)
                if isinstance(row, dict):
                    found.append(row)
                    return
                yield row

        yield model, list(known.values()), rows()
        head = following[0] if following else None


def _read(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"line {number} of the rows cannot be read") from error


def _insert(model: Model, made: Iterable[models.Model]) -> int:
    waiting: list[models.Model] = []
    count = 0
    for row in made:
        waiting.append(row)
        if len(waiting) == AT_ONCE:
            model._base_manager.bulk_create(waiting)  # noqa: SLF001
            waiting.clear()
        count += 1
    model._base_manager.bulk_create(waiting)  # noqa: SLF001
    return count


def _fields(model: Model) -> Sequence[Any]:
    return sorted(model._meta.local_concrete_fields, key=lambda field: str(field.attname))  # noqa: SLF001


def _written(field: Any, row: models.Model) -> Any:
    value = field.value_from_object(row)
    if value is None or isinstance(value, bool | int | str) or isinstance(field, JSONField):
        return value
    return field.value_to_string(row)


def _row(model: Model, fields: Sequence[Any], row: Any) -> models.Model:
    try:
        pairs = zip(fields, row, strict=True)
        return model(**{field.attname: _value(field, value) for field, value in pairs})
    except (TypeError, ValueError, ValidationError) as error:
        raise MalformedError(f"a row of {label(model)} does not fit its table") from error


def _value(field: Any, value: Any) -> Any:
    if value is None or isinstance(field, JSONField):
        return value
    kept = field.target_field if field.is_relation else field
    return kept.to_python(value)
