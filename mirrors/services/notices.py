"""What the signed roles and ``index.json`` say about each schema: read from the release that is published with them."""

from __future__ import annotations

from almanac.addresses import document_path
from almanac.lifecycle import SchemaNotice
from catalog.reading import ReleaseState
from catalog.records import Kind, Record
from catalog.schemas.registry import SCHEMAS
from mirrors.models import Publication

State = Publication.State


def current_notices() -> list[SchemaNotice]:
    """Of the newest release that is being signed or was; what was given up says nothing any more."""
    gone = (State.QUEUED, State.UNCHANGED, State.STOPPED, State.FAILED)
    newest = (
        Publication.objects.filter(release__isnull=False).exclude(state__in=gone).order_by("release").last()
    )
    return notices_of(newest.release) if newest and newest.release else []


def notices_of(release: int) -> list[SchemaNotice]:
    """Of every schema that the release knows, current ones too."""
    known = ReleaseState(release).many(Kind.SCHEMA, list(SCHEMAS))
    return [_notice(name, record) for name, record in known.items()]


def _notice(name: str, record: Record) -> SchemaNotice:
    successor = SCHEMAS.get(record.get("successor", ""))
    return SchemaNotice(
        name=name,
        file=document_path(SCHEMAS[name].file),
        status=record["status"],
        deprecated=record.get("deprecated", ""),
        sunset=record.get("sunset", ""),
        successor=document_path(successor.file) if successor else "",
        clients=record.get("clients", {}),
    )
