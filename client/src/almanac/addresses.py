"""The grammar of the protocol's addresses: pure functions between a target's path and where its bytes lie.

A *target path* is a plain address without its leading slash (``regions/eu/catalog/v2/models.yaml``).
Everything that names a file in a store is made here and checked here, so no other code joins strings
that came over the wire. Source of the forms: the protocol (README, "The protocol").
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

SHA256 = re.compile(r"[0-9a-f]{64}")
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
METADATA_NAME = re.compile(r"(?:[1-9][0-9]{0,9}\.)?([a-z0-9][a-z0-9._-]{0,127})\.json")

TIMESTAMP = "metadata/timestamp.json"
MIRRORS = "mirrors.json"
INDEX = "index.json"
MINISIGN_KEY = "minisign.pub"


class Place(NamedTuple):
    """What a document's target path says: which schema, file, region and arm (``global`` and ``None`` if unnamed)."""

    schema: str
    file: str
    region: str = "global"
    experiment: str | None = None
    arm: str | None = None


def is_target_path(path: str) -> bool:
    """True when every segment is plain: no empty one, no dots alone, nothing that a file system could read otherwise."""
    return len(path) <= 1024 and all(SEGMENT.fullmatch(segment) for segment in path.split("/"))


def document_path(
    schema_file: str, *, region: str = "global", experiment: str | None = None, arm: str | None = None
) -> str:
    """The target path of a view; ``schema_file`` is ``v2/models.yaml`` or ``litellm/model_prices….json``."""
    prefix = "" if region == "global" and arm is None else f"regions/{region}/"
    if arm is not None:
        prefix += f"arms/{experiment}/{arm}/"
    return f"{prefix}catalog/{schema_file}"


def parse_document_path(path: str, schema_files: dict[str, str]) -> Place | None:
    """The inverse of ``document_path``; ``schema_files`` maps a schema's name to its file below ``catalog/``."""
    region, experiment, arm, rest = "global", None, None, path
    if rest.startswith("regions/"):
        _, region, rest = rest.split("/", 2) if rest.count("/") >= 2 else ("", "", "")
        if rest.startswith("arms/") and rest.count("/") >= 3:
            _, experiment, arm, rest = rest.split("/", 3)
    if not rest.startswith("catalog/"):
        return None
    below = rest.removeprefix("catalog/")
    for schema, file in schema_files.items():
        if file == below:
            return Place(schema, posixpath.basename(file), region, experiment, arm)
    return None


def object_path(target_path: str, sha256: str) -> str:
    """Where a target's immutable bytes lie: ``targets/<folder>/<sha256>.<file>`` (TUF consistent snapshots)."""
    folder, file = posixpath.split(target_path)
    return posixpath.join("targets", folder, f"{sha256}.{file}")


def delta_path(old_sha256: str, new_sha256: str) -> str:
    return f"deltas/{old_sha256}/{new_sha256}.dcz"


def delta_key(old_sha256: str) -> str:
    """The name of a delta in a target's ``custom["deltas"]``: the first 16 hexadecimal digits of the old SHA-256."""
    return old_sha256[:16]


def metadata_path(role: str, version: int | None) -> str:
    """``metadata/<N>.<role>.json``; only ``timestamp`` has no number."""
    return f"metadata/{role}.json" if version is None else f"metadata/{version}.{role}.json"


def role_for_schema(schema_folder: str, region: str = "global") -> str:
    """The TUF role that signs a schema's documents: its folder with ``/`` as ``-``, then the region."""
    role = schema_folder.replace("/", "-")
    return role if region == "global" else f"{role}-{region}"
