"""Which role may speak for which paths, and the forms in which the publisher states what is to be signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from almanac.addresses import MIRRORS, SEGMENT, is_target_path, role_for_schema
from signing.errors import ContentsError

TOP_LEVEL = frozenset({"root", "targets", "snapshot", "timestamp"})


@dataclass(frozen=True, slots=True)
class TargetFile:
    """One published document; ``release`` is the one in which these bytes first appeared."""

    path: str
    sha256: str
    length: int
    release: int
    deltas: Mapping[str, int] = field(default_factory=dict)
    """first 16 hexadecimal digits of an old SHA-256 → the delta's length in bytes"""


@dataclass(frozen=True, slots=True)
class Delegation:
    """``role`` answers, and alone answers, for ``paths``, signed by ``threshold`` keys of ``key_purpose``.

    In ``paths`` a ``*`` never matches ``/``: every segment is named.
    """

    role: str
    paths: tuple[str, ...]
    key_purpose: str
    threshold: int = 1


@dataclass(frozen=True, slots=True)
class RoleContent:
    targets: tuple[TargetFile, ...] = ()
    delegates: tuple[Delegation, ...] = ()
    notices: tuple[Mapping[str, Any], ...] = ()
    """what is signed about its schemas besides their documents; see ``almanac.lifecycle``"""


NETWORK = Delegation("network", (MIRRORS,), "network")


def schema_delegation(folder: str) -> Delegation:
    """The delegation from ``targets`` to a schema's role; ``folder`` is below ``catalog/`` (``v2``, ``almanac/v1``).

    It covers the schema's regional documents too, so that the schema's own role can delegate them further.
    """
    _check_folder(folder)
    paths = (
        f"catalog/{folder}/*",
        f"regions/*/catalog/{folder}/*",
        f"regions/*/arms/*/*/catalog/{folder}/*",
    )
    return Delegation(_named(role_for_schema(folder)), paths, "publisher")


def region_delegation(folder: str, region: str) -> Delegation:
    """The delegation from a schema's role to the role of one of its regions."""
    _check_folder(folder)
    if not SEGMENT.fullmatch(region):
        raise ContentsError("a region's code is one plain word, not", where=repr(region))
    paths = (
        f"regions/{region}/catalog/{folder}/*",
        f"regions/{region}/arms/*/*/catalog/{folder}/*",
    )
    return Delegation(_named(role_for_schema(folder, region)), paths, "publisher")


def _check_folder(folder: str) -> None:
    if not is_target_path(folder):
        raise ContentsError("a schema's folder is plain segments joined by '/', not", where=repr(folder))


def _named(role: str) -> str:
    if role in TOP_LEVEL or role == NETWORK.role:
        raise ContentsError(
            f"no schema can be called {role!r}", advice="that is the name of a role of the protocol"
        )
    return role
