"""What is listed and what was signed, read from and written to the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import Max, Q

from almanac.addresses import METADATA_NAME
from almanac.lifecycle import SchemaNotice
from catalog.reading import chunks
from mirrors.contents import Listed, role_contents, role_of
from mirrors.models import Appearance, Delta, Publication, PublishedDocument, SignedFile
from mirrors.services.deltas import Changed, MadeDelta, listed_deltas, wanted_bases
from signing.metadata import RoleContent

ROLES_AT_ONCE: Final = 50
"""In one query: SQLite takes an expression of a thousand parts."""


def published_release() -> int | None:
    """The newest release that readers have seen; a mirror list or a renewal publishes none."""
    newest = Publication.objects.committed().filter(release__isnull=False).last()
    return newest.release if newest else None


def listed_documents() -> dict[str, PublishedDocument]:
    return {document.path: document for document in PublishedDocument.objects.filter(listed=True)}


def current_contents(notices: Iterable[SchemaNotice]) -> dict[str, RoleContent]:
    """What the roles should say now, ``notices`` about the schemas included."""
    deltas = listed_deltas()
    rows = PublishedDocument.objects.filter(listed=True)
    listed = [
        Listed(path, sha256, length, release, deltas.get((path, sha256), {}))
        for path, sha256, length, release in rows.values_list("path", "sha256", "length", "first_release")
    ]
    known = PublishedDocument.objects.values_list("path", flat=True).distinct()
    return role_contents(listed, known=known, notices=notices)


def current_metadata() -> dict[str, bytes]:
    """Role → its newest signed bytes, of every role that was ever signed."""
    newest = SignedFile.objects.exclude(role="").values("role").annotate(newest=Max("version"))
    wanted = [Q(role=row["role"], version=row["newest"]) for row in newest.order_by("role")]
    found: dict[str, bytes] = {}
    for some in chunks(wanted, ROLES_AT_ONCE):
        rows = SignedFile.objects.filter(reduce(or_, some)).order_by("role")
        found.update((role, bytes(data)) for role, data in rows.values_list("role", "data"))
    return found


def served_metadata() -> dict[str, bytes]:
    """The timestamp that readers have now, and the snapshot and targets that follow from it; empty on the first day.

    What was signed and given up is among them if a later publication carried it.
    """
    newest = Publication.objects.committed().last()
    before = newest.pk if newest else 0
    seen = Q(publication__in=Publication.objects.committed())
    seen |= Q(publication__state=Publication.State.FAILED, publication__lt=before)
    row = SignedFile.objects.filter(seen, role="timestamp").order_by("version").last()
    found: dict[str, bytes] = {}
    for following in ("snapshot", "targets", ""):
        if row is None:
            break
        found[row.role] = bytes(row.data)
        if following:
            version = _signed(bytes(row.data))["meta"][f"{following}.json"]["version"]
            row = SignedFile.objects.filter(role=following, version=version).first()
    return found


def root_keyids() -> frozenset[str]:
    """The keys that the newest signed root names, whoever they sign for."""
    newest = SignedFile.objects.filter(role="root").order_by("version").last()
    return frozenset(_signed(bytes(newest.data))["keys"]) if newest else frozenset()


def first_root() -> bytes | None:
    """The root whose hash is the fingerprint that clients compare."""
    found = SignedFile.objects.filter(role="root").order_by("version").first()
    return bytes(found.data) if found else None


def list_documents(
    publication: Publication,
    *,
    changed: Sequence[Changed],
    removed: Sequence[str],
    made: Sequence[MadeDelta],
    release: int,
    now: datetime,
) -> None:
    """Writes down what the publication lists; runs inside its signing transaction."""
    PublishedDocument.objects.filter(path__in=[*removed, *(c.path for c in changed)]).update(listed=False)
    for document in changed:
        row, _ = PublishedDocument.objects.update_or_create(
            path=document.path,
            sha256=document.sha256,
            defaults={"listed": True},
            create_defaults={
                "listed": True,
                "role": role_of(document.path),
                "length": len(document.data),
                "first_release": release,
                "first_published_at": now,
            },
        )
        Appearance.objects.create(document=row, publication=publication, since=now)
    _list_deltas(changed, made)
    _let_old_deltas_go(changed, now)


def _list_deltas(changed: Sequence[Changed], made: Sequence[MadeDelta]) -> None:
    Delta.objects.filter(path__in=[document.path for document in changed], listed=True).update(listed=False)
    rows = [
        Delta(path=delta.path, old=delta.old, new=delta.new, length=len(delta.data), listed=True)
        for delta in made
    ]
    Delta.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["path", "old", "new"], update_fields=["length", "listed"]
    )


def _let_old_deltas_go(changed: Sequence[Changed], now: datetime) -> None:
    """Deltas of unchanged documents whose window has passed go only with a role that is signed anew anyway."""
    roles = {role_of(document.path) for document in changed}
    paths = [document.path for document in changed]
    for document in PublishedDocument.objects.filter(listed=True, role__in=roles).exclude(path__in=paths):
        in_window = wanted_bases(document.path, document.sha256, now)
        stale = Delta.objects.filter(path=document.path, new=document.sha256, listed=True)
        stale.exclude(old__in=in_window).update(listed=False)


def signed_rows(publication: Publication, files: Mapping[str, bytes]) -> list[SignedFile]:
    """The rows of metadata files, by their addresses."""
    return [
        SignedFile(
            publication=publication,
            address=address,
            role=_role_of_address(address),
            version=_signed(data)["version"],
            data=data,
        )
        for address, data in files.items()
    ]


def expiries() -> dict[str, datetime]:
    """Role → when its newest signature expires, of every role that is still delegated to."""
    wanted = {"root", "snapshot", "timestamp", *current_contents(())}
    return {
        role: datetime.fromisoformat(_signed(data)["expires"])
        for role, data in current_metadata().items()
        if role in wanted
    }


def _signed(data: bytes) -> dict[str, Any]:
    signed: dict[str, Any] = json.loads(data)["signed"]
    return signed


def _role_of_address(address: str) -> str:
    found = METADATA_NAME.fullmatch(address.removeprefix("metadata/"))
    if found is None:
        raise ValueError(f"{address!r} names no metadata")
    return found[1]
