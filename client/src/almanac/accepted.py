"""What this client has accepted: the pointer file ``accepted.json``, as a value. Pure; ``state`` keeps it on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from almanac import addresses

FORMAT: Final = 1
RELEASES_KEPT: Final = 5


@dataclass(frozen=True, slots=True)
class Held:
    """A document that was verified: its bytes lie under its hash."""

    sha256: str
    length: int


@dataclass(frozen=True, slots=True)
class Release:
    """One accepted state of the catalog; the newest is what everything reads, the others are for ``diff``."""

    number: int | None
    """``None`` where the publisher does not number releases."""
    accepted_at: datetime
    documents: Mapping[str, Held]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The pointer: which releases are kept, newest first, and what was verified with the newest."""

    fingerprint: str
    """Of the pinned root under which all this was verified."""
    mirror: str
    checked_at: datetime
    """When the last sync succeeded, by this computer's clock."""
    fresh_until: datetime
    """When the newest timestamp that was verified expires."""
    versions: Mapping[str, int]
    releases: tuple[Release, ...] = field(default=())

    @property
    def newest(self) -> Release:
        return self.releases[0]

    def hashes(self) -> set[str]:
        """Every document that is still referred to."""
        return {held.sha256 for release in self.releases for held in release.documents.values()}

    def is_fresh(self, now: datetime) -> bool:
        return now < self.fresh_until


def with_release(accepted: Accepted, release: Release) -> Accepted:
    """The next pointer: a new release goes in front and takes over the documents that it does not name anew."""
    kept = accepted.releases
    if not kept:
        return replace(accepted, releases=(release,))
    documents = {**kept[0].documents, **release.documents}
    if _is_same(kept[0], release):
        return replace(accepted, releases=(replace(kept[0], documents=documents), *kept[1:]))
    return replace(accepted, releases=(replace(release, documents=documents), *kept)[:RELEASES_KEPT])


def _is_same(old: Release, new: Release) -> bool:
    """By number; where there is none, by what both name (the list of mirrors changes without a release)."""
    if old.number is not None or new.number is not None:
        return old.number == new.number
    return all(
        old.documents[path] == held
        for path, held in new.documents.items()
        if path in old.documents and path != addresses.MIRRORS
    )


def to_json(accepted: Accepted) -> bytes:
    form = {
        "format": FORMAT,
        "fingerprint": accepted.fingerprint,
        "mirror": accepted.mirror,
        "checked_at": moment(accepted.checked_at),
        "fresh_until": moment(accepted.fresh_until),
        "versions": dict(sorted(accepted.versions.items())),
        "releases": [
            {
                "release": release.number,
                "accepted_at": moment(release.accepted_at),
                "documents": {
                    path: {"sha256": held.sha256, "length": held.length}
                    for path, held in sorted(release.documents.items())
                },
            }
            for release in accepted.releases
        ],
    }
    return json.dumps(form, indent=1).encode() + b"\n"


def from_json(data: bytes) -> Accepted:
    """Raises ``ValueError`` where this is not a pointer of ours: then it is rebuilt, never guessed at."""
    try:
        form = json.loads(data)
        if form["format"] != FORMAT or not form["releases"]:
            raise ValueError(f"format {form['format']}")
        return Accepted(
            fingerprint=_hash(form["fingerprint"]),
            mirror=str(form["mirror"]),
            checked_at=_moment(form["checked_at"]),
            fresh_until=_moment(form["fresh_until"]),
            versions={str(role): int(version) for role, version in form["versions"].items()},
            releases=tuple(_release(release) for release in form["releases"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a pointer of ours ({error})") from error


def _release(form: Mapping[str, Any]) -> Release:
    number = form["release"]
    documents = {
        path: Held(_hash(held["sha256"]), int(held["length"])) for path, held in form["documents"].items()
    }
    return Release(None if number is None else int(number), _moment(form["accepted_at"]), documents)


def _hash(text: str) -> str:
    if not addresses.SHA256.fullmatch(text):
        raise ValueError(f"{text!r} is not a SHA-256")
    return text


def moment(time: datetime) -> str:
    """RFC 3339 in UTC with Z, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return time
