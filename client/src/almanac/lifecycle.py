"""What a role says about its schemas besides their documents: how far their life is, what follows, whom they suit.

It lies in the role's own signed metadata, so it is verified like a document, switches with the release as a whole, and
changes no document and no other role. The publisher writes it, the static server makes headers of it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from almanac.addresses import is_target_path
from almanac.errors import MalformedError

FIELD: Final = "x-almanac-schemas"
"""The role's field; readers of TUF metadata that do not know it pass over it."""
CURRENT: Final = "current"
DEPRECATED: Final = "deprecated"
RETIRED: Final = "retired"

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_VERSION: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}", re.ASCII)
_COMPARISON: Final = re.compile(rf"(>=|<=|>|<|=)({_VERSION.pattern})", re.ASCII)
_VARIANT: Final = re.compile(r"\.before-[0-9]+(?:\.[0-9]+)*(?=\.[^./]+\Z|\Z)", re.ASCII)
_BELOW: Final = re.compile(r"(?:regions/[^/]+/(?:arms/[^/]+/[^/]+/)?)?(catalog/.+?)(?:\.minisig)?")


@dataclass(frozen=True, slots=True)
class SchemaNotice:
    """``file`` is the schema's global document, its target path; so is ``successor``. Days are ``2027-06-30``."""

    name: str
    file: str
    status: str = CURRENT
    deprecated: str = ""
    sunset: str = ""
    successor: str = ""
    clients: Mapping[str, str] = field(default_factory=dict)
    """Client → the versions that it suits, as ``suits`` reads them."""

    @property
    def says_something(self) -> bool:
        return self.status != CURRENT or bool(self.clients)

    def signed(self) -> dict[str, Any]:
        """What the role's metadata holds of it; empty where there is nothing to say."""
        if not self.says_something:
            return {}
        facts = {
            "name": self.name,
            "file": self.file,
            "status": self.status,
            "deprecated": self.deprecated,
            "sunset": self.sunset,
            "successor": self.successor,
            "clients": dict(self.clients),
        }
        return {name: value for name, value in facts.items() if value}


def read_notices(signed: Mapping[str, Any]) -> tuple[SchemaNotice, ...]:
    """The notices in a role's signed part. Raises ``MalformedError``."""
    found = signed.get(FIELD, [])
    if not isinstance(found, list):
        raise MalformedError("the notices about schemas are not a list", where=f"({FIELD})")
    return tuple(_notice(one) for one in found)


def _notice(found: object) -> SchemaNotice:
    if not isinstance(found, dict) or not all(_is_sound(name, value) for name, value in found.items()):
        raise MalformedError("the notice about a schema is not one", where=f"({FIELD})")
    known = {name: value for name, value in found.items() if name in SchemaNotice.__slots__}
    if not {"name", "file", "status"} <= known.keys():
        raise MalformedError("the notice about a schema lacks its name, file or status", where=f"({FIELD})")
    return SchemaNotice(**known)


def _is_sound(name: str, value: object) -> bool:
    """Only what may stand in a header or an address; a field of a later version may be anything."""
    match name:
        case "clients":
            return isinstance(value, dict) and all(
                isinstance(text, str) and is_range(text) for text in value.values()
            )
        case "deprecated" | "sunset":
            return isinstance(value, str) and is_day(value)
        case "file" | "successor":
            return isinstance(value, str) and is_target_path(value)
        case "name" | "status":
            return isinstance(value, str)
        case _:
            return True


def headers_of(notice: SchemaNotice, successor: str) -> list[tuple[str, str]]:
    """The headers of a deprecated document: ``Deprecation`` is RFC 9745, ``Sunset`` RFC 8594, the relation RFC 5829."""
    headers = []
    if notice.deprecated:
        headers.append(("Deprecation", f"@{int(_midnight(notice.deprecated).timestamp())}"))
    if notice.sunset:
        headers.append(("Sunset", format_datetime(_end_of_day(notice.sunset), usegmt=True)))
    if successor:
        headers.append(successor_link(successor))
    return headers


def life_headers(
    notices: Mapping[str, SchemaNotice], documents: Container[str], path: str
) -> list[tuple[str, str]]:
    """What the readers of a document are told about its schema; the successor's document is the one for their region."""
    file = document_of(path)
    notice = notices.get(file)
    if notice is None or notice.status != DEPRECATED:
        return []
    theirs = path[: path.index("catalog/")] + notice.successor
    known = theirs if theirs in documents else notice.successor
    return headers_of(notice, f"/{known}" if notice.successor else "")


def successor_link(address: str) -> tuple[str, str]:
    return "Link", f'<{address}>; rel="successor-version"'


def document_of(path: str) -> str:
    """The global document whose address a path is, or that of a region, an arm, a variant or a signature of it."""
    found = _BELOW.fullmatch(path)
    return _VARIANT.sub("", found[1]) if found else ""


def is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        return _midnight(text).year > 1970
    except ValueError:
        return False


def _midnight(day: str) -> datetime:
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)


def _end_of_day(day: str) -> datetime:
    """A schema is published on the day that is called its last."""
    return _midnight(day) + timedelta(days=1) - timedelta(seconds=1)


# --- versions of clients -----------------------------------------------------------------------------------------


def version_of(text: str) -> tuple[int, ...] | None:
    """``0.169.0`` as numbers, without what a build adds (``0.170.0-alpha.2``); ``None`` for anything else."""
    plain = re.split("[-+]", text.strip(), maxsplit=1)[0]
    if not _VERSION.fullmatch(plain):
        return None
    parts = [int(part) for part in plain.split(".")]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return tuple(parts)


def is_range(text: str) -> bool:
    """``>=0.27.0 <0.31``: comparisons with a space between them, all of which must hold."""
    parts = text.split()
    return bool(parts) and len(parts) <= 8 and all(_COMPARISON.fullmatch(part) for part in parts)


def suits(text: str, version: tuple[int, ...]) -> bool:
    """Whether a range contains a version."""
    return all(_holds(*comparison, version) for comparison in _comparisons(text))


def lower_bounds(text: str) -> Iterator[tuple[int, ...]]:
    """The versions of a range below which nothing fits."""
    return (bound for sign, bound in _comparisons(text) if sign in (">=", ">", "="))


def _comparisons(text: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in text.split():
        found = _COMPARISON.fullmatch(part)
        if found and (bound := version_of(found[2])) is not None:
            yield found[1], bound


def _holds(sign: str, bound: tuple[int, ...], version: tuple[int, ...]) -> bool:
    match sign:
        case ">=":
            return version >= bound
        case ">":
            return version > bound
        case "<=":
            return version <= bound
        case "<":
            return version < bound
        case _:
            return version == bound
