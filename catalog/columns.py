"""The columns of each kind's rows, as a record fills them, and the record's fields, as columns give them back.

``…_columns`` reads a record, ``…_fields`` a row; ``catalog.projection`` puts them together.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from catalog import models
from catalog.records import CAPABILITIES, Kind, Record, key_of
from catalog.spelling import moment, plain_decimal, searchable, written
from catalog.subjects import OF_RECORDS, record_named_by

Row = Any
Fields = dict[str, Any]
References = dict[str, tuple[Kind, str] | None]
LIMITS: Final = ("context_tokens", "max_input_tokens", "max_output_tokens")


def said(**fields: Any) -> Fields:
    """Only what says something: empty columns are absent fields."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}


def _time(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _written(when: datetime | None) -> str:
    return written(when) if when else ""


def subject_references(record: Record, *kinds: Kind) -> References:
    """One foreign key for each kind that a subject may be of; all but one of them are empty."""
    named = record_named_by(record["subject"])
    return {kind.value: named if named and named[0] is kind else None for kind in kinds}


def shown_references(record: Record) -> References:
    return subject_references(record, Kind.ENTRY, Kind.OFFERING)


# --- facts that entries and offerings share ----------------------------------------------------------------------


def facts_columns(record: Record) -> Fields:
    limits, capabilities = record.get("limits", {}), record.get("capabilities", {})
    modalities = record.get("modalities", {})
    return {
        **{name: limits.get(name) for name in LIMITS},
        **{name: capabilities.get(name) for name in CAPABILITIES},
        "input_modalities": modalities.get("input", []),
        "output_modalities": modalities.get("output", []),
    }


def facts_fields(row: Row) -> Fields:
    modalities = {"input": row.input_modalities, "output": row.output_modalities}
    return said(
        limits=row.limits,
        capabilities=row.capabilities,
        modalities=modalities if row.input_modalities or row.output_modalities else None,
    )


# --- labs, providers, entries, offerings -------------------------------------------------------------------------


def lab_columns(record: Record) -> Fields:
    return {
        "slug": record["slug"],
        "name": record["name"],
        "url": record.get("url", ""),
        "search_text": searchable(record["slug"], record["name"]),
    }


def lab_fields(row: models.Lab) -> Fields:
    return {"slug": row.slug, "name": row.name, **said(url=row.url)}


def provider_columns(record: Record) -> Fields:
    return {
        "slug": record["slug"],
        "name": record["name"],
        "api": record.get("api", ""),
        "env": record.get("env", []),
        "docs": record.get("docs", ""),
        "names": record.get("names", {}),
        "notes": record.get("notes", ""),
        "search_text": searchable(record["slug"], record["name"], *record.get("names", {}).values()),
    }


def provider_fields(row: models.Provider) -> Fields:
    optional = said(api=row.api, env=row.env, docs=row.docs, names=row.names, notes=row.notes)
    return {"slug": row.slug, "name": row.name, **optional}


ENTRY_TEXTS: Final = ("description", "released", "knowledge_cutoff", "deprecated", "retired", "licence")


def entry_columns(record: Record) -> Fields:
    return {
        "key": key_of(Kind.ENTRY, record),
        "slug": record["slug"],
        "name": record["name"],
        "mode": record["mode"],
        "stage": record["stage"],
        **{name: record.get(name, "") for name in ENTRY_TEXTS},
        "open_weights": record.get("open_weights"),
        "links": record.get("links", {}),
        "sources": record.get("sources", []),
        "search_text": searchable(key_of(Kind.ENTRY, record), record["name"], *record.get("aliases", [])),
        **facts_columns(record),
    }


def entry_fields(row: models.ModelEntry) -> Fields:
    return {
        "lab": row.lab.slug,
        "slug": row.slug,
        "name": row.name,
        "mode": row.mode,
        "stage": row.stage,
        **said(**{name: getattr(row, name) for name in ENTRY_TEXTS}),
        **said(open_weights=row.open_weights, links=row.links, sources=row.sources),
        **facts_fields(row),
    }


ARTIFACT_OPTIONAL: Final = ("size_bytes", "sha256", "format", "quantization", "ram_bytes", "hardware_tier")
ARTIFACT_NUMBERS: Final = ("size_bytes", "ram_bytes")


def artifact_columns(record: Record) -> Fields:
    optional = {
        name: record.get(name, None if name in ARTIFACT_NUMBERS else "") for name in ARTIFACT_OPTIONAL
    }
    return {"name": record["name"], "url": record["url"], **optional}


def artifact_fields(row: models.Artifact) -> Fields:
    return {
        "name": row.name,
        "url": row.url,
        **said(**{name: getattr(row, name) for name in ARTIFACT_OPTIONAL}),
    }


def offering_columns(record: Record) -> Fields:
    availability = record.get("availability", {})
    return {
        "key": key_of(Kind.OFFERING, record),
        "native_id": record["native_id"],
        "ordinal": record["ordinal"],
        "stage": record["stage"],
        "available_only": availability.get("only", []),
        "available_never": availability.get("never", []),
        "availability_note": availability.get("note", ""),
        "endpoint": record.get("endpoint", {}),
        "search_text": searchable(key_of(Kind.OFFERING, record), record["entry"]),
        **facts_columns(record),
    }


def offering_fields(row: models.Offering) -> Fields:
    availability = said(only=row.available_only, never=row.available_never, note=row.availability_note)
    return {
        "provider": row.provider.slug,
        "native_id": row.native_id,
        "ordinal": row.ordinal,
        "entry": row.entry.key,
        "stage": row.stage,
        **said(availability=availability, endpoint=row.endpoint),
        **facts_fields(row),
    }


PRICE_TEXTS: Final = ("modality", "service_tier", "cache_ttl", "spelling")


def price_columns(record: Record) -> Fields:
    return {
        "meter": record["meter"],
        "unit": record["unit"],
        "amount": Decimal(record["amount"]),
        "currency": record["currency"],
        "above_tokens": record.get("above_tokens", 0),
        **{name: record.get(name, "") for name in PRICE_TEXTS},
    }


def price_fields(row: models.Price) -> Fields:
    return {
        "meter": row.meter,
        "unit": row.unit,
        "amount": plain_decimal(str(row.amount)),
        "currency": row.currency,
        **said(above_tokens=row.above_tokens or None, **{name: getattr(row, name) for name in PRICE_TEXTS}),
    }


# --- regions, featured lists, trials, experiments ----------------------------------------------------------------


def region_columns(record: Record) -> Fields:
    return {"code": record["code"], "name": record["name"], "enabled": record["enabled"]}


def region_fields(row: models.Region) -> Fields:
    parent = row.parent.code if row.parent else None
    return {"code": row.code, "name": row.name, "enabled": row.enabled, **said(parent=parent)}


def window_columns(record: Record) -> Fields:
    return {"starts": _time(record.get("starts")), "ends": _time(record.get("ends"))}


def window_fields(row: Row) -> Fields:
    return said(starts=_written(row.starts), ends=_written(row.ends))


def featured_columns(record: Record) -> Fields:
    return {"slug": record["slug"], "title": record["title"], **window_columns(record)}


def featured_fields(row: models.FeaturedList) -> Fields:
    return {"slug": row.slug, "region": row.region.code, "title": row.title, **window_fields(row)}


def item_columns(record: Record) -> Fields:
    return {"badge": record.get("badge", ""), **window_columns(record)}


def item_fields(row: models.FeaturedItem) -> Fields:
    return {"subject": row.subject, **window_fields(row), **said(badge=row.badge)}


def trial_columns(record: Record) -> Fields:
    columns = {"slug": record["slug"], "badge": record["badge"], "audience": record.get("audience", {})}
    return {**columns, **window_columns(record)}


def trial_fields(row: models.Trial) -> Fields:
    fields = {"slug": row.slug, "subject": row.subject, "badge": row.badge}
    return {**fields, **window_fields(row), **said(audience=row.audience)}


def experiment_columns(record: Record) -> Fields:
    columns = {name: record[name] for name in ("slug", "namespace", "start", "count", "status")}
    return {**columns, "audience": record.get("audience", {})}


def experiment_fields(row: models.Experiment) -> Fields:
    columns = {name: getattr(row, name) for name in ("slug", "namespace", "start", "count", "status")}
    return {**columns, **said(audience=row.audience)}


def arm_columns(record: Record) -> Fields:
    return {"slug": record["slug"], "weight": record["weight"], "changes": record.get("changes", {})}


def arm_fields(row: models.Arm) -> Fields:
    return {"slug": row.slug, "weight": row.weight, **said(changes=row.changes)}


# --- schemas -----------------------------------------------------------------------------------------------------


def schema_columns(record: Record) -> Fields:
    return {
        "name": record["name"],
        "status": record["status"],
        "membership": record["membership"],
        "deprecated": record.get("deprecated", ""),
        "sunset": record.get("sunset", ""),
        "successor": record.get("successor", ""),
        "clients": record.get("clients", {}),
        "complete_list": record.get("complete_list", False),
        "document": record.get("document", {}),
    }


def schema_fields(row: models.Schema) -> Fields:
    fields = {"name": row.name, "status": row.status, "membership": row.membership}
    return {
        **fields,
        **said(deprecated=row.deprecated, sunset=row.sunset, successor=row.successor, clients=row.clients),
        **said(complete_list=row.complete_list or None, document=row.document),
    }


def membership_columns(record: Record) -> Fields:
    return {
        "key": key_of(Kind.MEMBERSHIP, record),
        "subject": record["subject"],
        "position": record["position"],
        "block": record.get("block"),
        "native": record.get("native", {}),
    }


def membership_fields(row: models.Membership) -> Fields:
    fields = {"schema": row.schema.name, "subject": row.subject, "position": row.position}
    return {**fields, **said(block=row.block, native=row.native)}


def membership_references(record: Record) -> References:
    return {"schema": (Kind.SCHEMA, record["schema"]), **subject_references(record, *OF_RECORDS)}


def adjustment_columns(record: Record) -> Fields:
    return {
        "key": key_of(Kind.ADJUSTMENT, record),
        "subject": record["subject"],
        "reason": record.get("reason", ""),
        "hidden": record.get("hidden", False),
        "set": record.get("set", {}),
        "drop": record.get("drop", []),
        "held": record.get("held", {}),
    }


def adjustment_fields(row: models.Adjustment) -> Fields:
    fields = {"schema": row.schema.name, "subject": row.subject, **said(reason=row.reason)}
    return {**fields, **said(hidden=row.hidden or None, set=row.set, drop=row.drop, held=row.held)}
