"""From the documents that are listed to what each TUF role says: pure."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from almanac.addresses import MIRRORS, role_for_schema
from almanac.lifecycle import SchemaNotice
from signing.delegations import NETWORK, Delegation, region_delegation, schema_delegation
from signing.metadata import RoleContent, TargetFile

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Listed:
    """A document as a role lists it; ``deltas``: first 16 digits of an old SHA-256 → bytes."""

    path: str
    sha256: str
    length: int
    release: int
    deltas: Mapping[str, int] = field(default_factory=dict)


def folder_and_region(path: str) -> tuple[str, str]:
    """``regions/eu/catalog/v2/models.yaml`` → (``v2``, ``eu``)."""
    region = GLOBAL
    if path.startswith("regions/"):
        _, region, path = path.split("/", 2)
        if path.startswith("arms/"):
            path = path.split("/", 3)[3]
    return posixpath.dirname(path.removeprefix("catalog/")), region


def role_of(path: str) -> str:
    """The role that lists a path."""
    if path == MIRRORS:
        return NETWORK.role
    return role_for_schema(*folder_and_region(path))


def role_contents(
    listed: Iterable[Listed], *, known: Iterable[str] = (), notices: Iterable[SchemaNotice] = ()
) -> dict[str, RoleContent]:
    """Every role from ``targets`` down. A schema's role delegates its regions; ``targets`` delegates the rest.

    ``known`` are all paths that were ever published: the role of one that is listed no more stays, empty, so that
    a document can go and come back without the offline key, and nobody reads it in an older version of its role.
    A notice is signed with the role that lists, or once listed, its schema's documents.
    """
    listed = sorted(listed, key=lambda document: document.path)
    targets: dict[str, list[TargetFile]] = defaultdict(list)
    for document in listed:
        facts = (document.path, document.sha256, document.length, document.release, dict(document.deltas))
        targets[role_of(document.path)].append(TargetFile(*facts))
    regions: dict[str, set[str]] = defaultdict(set)
    for path in {*known, *(document.path for document in listed)} - {MIRRORS}:
        folder, region = folder_and_region(path)
        regions[folder].add(region)
    said: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for notice in sorted(notices, key=lambda notice: notice.file):
        if notice.says_something:
            said[role_of(notice.file)].append(notice.signed())
    contents = {NETWORK.role: RoleContent(tuple(targets[NETWORK.role]))}
    for folder, found in sorted(regions.items()):
        delegates = tuple(region_delegation(folder, region) for region in sorted(found - {GLOBAL}))
        role = role_for_schema(folder)
        contents[role] = RoleContent(tuple(targets[role]), delegates, tuple(said[role]))
        contents.update({d.role: RoleContent(tuple(targets[d.role])) for d in delegates})
    contents["targets"] = RoleContent(delegates=_top_delegations(regions))
    return contents


def _top_delegations(folders: Iterable[str]) -> tuple[Delegation, ...]:
    return (*(schema_delegation(folder) for folder in sorted(folders)), NETWORK)
