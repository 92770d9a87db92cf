"""Records spread out into rows, and rows read back as records.

No query of its own is made here: foreign keys are handed in as objects or read through what was prefetched.
For every well-formed record, ``record_of(rows made from it)`` is the record again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models as django_models

from catalog import columns, models
from catalog.columns import Fields, References, Row
from catalog.records import Kind, Record


@dataclass(frozen=True, slots=True)
class Children:
    """The rows that belong to one row and are replaced together with it."""

    model: type[Any]
    parent: str
    """The foreign key's name."""
    field: str
    """The record's field, and the name of the reverse relation."""
    write: Callable[[Record], Fields]
    read: Callable[[Row], Fields]
    references: Callable[[Record], References] = lambda _: {}


@dataclass(frozen=True, slots=True)
class Projection:
    model: type[Any]
    key: str
    """The column that holds the record's key."""
    write: Callable[[Record], Fields]
    read: Callable[[Row], Fields]
    references: Callable[[Record], References] = lambda _: {}
    children: tuple[Children, ...] = ()
    joined: tuple[str, ...] = field(default=())
    """Foreign keys that ``read`` follows."""


PROJECTIONS: Final[Mapping[Kind, Projection]] = {
    Kind.REGION: Projection(
        models.Region,
        "code",
        columns.region_columns,
        columns.region_fields,
        references=lambda record: {"parent": (Kind.REGION, record["parent"]) if "parent" in record else None},
        joined=("parent",),
    ),
    Kind.LAB: Projection(models.Lab, "slug", columns.lab_columns, columns.lab_fields),
    Kind.PROVIDER: Projection(models.Provider, "slug", columns.provider_columns, columns.provider_fields),
    Kind.ENTRY: Projection(
        models.ModelEntry,
        "key",
        columns.entry_columns,
        columns.entry_fields,
        references=lambda record: {"lab": (Kind.LAB, record["lab"])},
        children=(
            Children(models.Alias, "entry", "aliases", lambda text: {"text": text}, lambda row: row.text),
            Children(
                models.Artifact, "entry", "artifacts", columns.artifact_columns, columns.artifact_fields
            ),
        ),
        joined=("lab",),
    ),
    Kind.OFFERING: Projection(
        models.Offering,
        "key",
        columns.offering_columns,
        columns.offering_fields,
        references=lambda record: {
            "provider": (Kind.PROVIDER, record["provider"]),
            "entry": (Kind.ENTRY, record["entry"]),
        },
        children=(Children(models.Price, "offering", "prices", columns.price_columns, columns.price_fields),),
        joined=("provider", "entry"),
    ),
    Kind.SCHEMA: Projection(models.Schema, "name", columns.schema_columns, columns.schema_fields),
    Kind.MEMBERSHIP: Projection(
        models.Membership,
        "key",
        columns.membership_columns,
        columns.membership_fields,
        references=columns.membership_references,
        joined=("schema",),
    ),
    Kind.ADJUSTMENT: Projection(
        models.Adjustment,
        "key",
        columns.adjustment_columns,
        columns.adjustment_fields,
        references=columns.membership_references,
        joined=("schema",),
    ),
    Kind.FEATURED: Projection(
        models.FeaturedList,
        "slug",
        columns.featured_columns,
        columns.featured_fields,
        references=lambda record: {"region": (Kind.REGION, record["region"])},
        children=(
            Children(
                models.FeaturedItem,
                "featured_list",
                "items",
                columns.item_columns,
                columns.item_fields,
                references=columns.shown_references,
            ),
        ),
        joined=("region",),
    ),
    Kind.TRIAL: Projection(
        models.Trial,
        "slug",
        columns.trial_columns,
        columns.trial_fields,
        references=columns.shown_references,
        joined=("entry", "offering"),
    ),
    Kind.EXPERIMENT: Projection(
        models.Experiment,
        "slug",
        columns.experiment_columns,
        columns.experiment_fields,
        children=(Children(models.Arm, "experiment", "arms", columns.arm_columns, columns.arm_fields),),
    ),
}
ALWAYS_LISTED: Final = ("items", "arms")
"""Children that their record names even when there are none."""


def kind_of(row: django_models.Model) -> Kind:
    """The kind of record that a row is the projection of; ``KeyError`` for a child row."""
    return _KINDS[type(row)]


_KINDS: Final = {projection.model: kind for kind, projection in PROJECTIONS.items()}


def record_of(row: Row, children: Mapping[str, Sequence[Row]] | None = None) -> dict[str, Any]:
    """The record that a row and its children make; ``children`` stands for those that a form holds, unsaved."""
    projection = PROJECTIONS[kind_of(row)]
    record = projection.read(row)
    for group in projection.children:
        rows: Iterable[Row] = (
            getattr(row, group.field).all() if children is None else children.get(group.field, ())
        )
        if listed := [group.read(child) for child in rows]:
            record[group.field] = listed
        elif group.field in ALWAYS_LISTED:
            record[group.field] = []
    return record
