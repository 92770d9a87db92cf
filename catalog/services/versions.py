"""Record versions: what is live, and what each release holds.

A change to a version that no release holds yet replaces it; going back to the bytes of the last release brings that
version back, so that an edit and its undoing are no change at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.models import RecordVersion
from catalog.reading import chunks
from catalog.records import Kind, Record, canonical, digest, parent_of

Identity = tuple[Kind, str]


def live_texts(identities: Iterable[Identity]) -> dict[Identity, str]:
    """Canonical JSON of the live versions of these records; absent ones are not in it."""
    return {
        (Kind(kind), key): data
        for kind, keys in _by_kind(identities).items()
        for chunk in chunks(keys)
        for key, data in RecordVersion.objects.filter(kind=kind, live=True, key__in=chunk).values_list(
            "key", "data"
        )
    }


@dataclass(slots=True)
class _Steps:
    remove: list[int] = field(default_factory=list)
    supersede: list[int] = field(default_factory=list)
    revive: list[int] = field(default_factory=list)
    add: list[RecordVersion] = field(default_factory=list)


def write_versions(afters: Mapping[Identity, Record | None]) -> None:
    """Makes these the live records; ``None`` removes."""
    current = _current(afters)
    steps = _Steps()
    for (kind, key), after in afters.items():
        live, superseded = current.get((kind, key), (None, None))
        _plan(steps, _version(kind, key, after), live, superseded)
    for ids in chunks(steps.remove):
        RecordVersion.objects.filter(pk__in=ids).delete()
    for ids in chunks(steps.supersede):
        RecordVersion.objects.filter(pk__in=ids).update(live=False)
    for ids in chunks(steps.revive):
        RecordVersion.objects.filter(pk__in=ids).update(live=True)
    RecordVersion.objects.bulk_create(steps.add)


def _version(kind: Kind, key: str, after: Record | None) -> RecordVersion | None:
    if after is None:
        return None
    text = canonical(after)
    return RecordVersion(kind=kind, key=key, parent=parent_of(kind, after), data=text, digest=digest(text))


def _plan(
    steps: _Steps, wanted: RecordVersion | None, live: RecordVersion | None, superseded: RecordVersion | None
) -> None:
    """``superseded`` is the last release's version, where it is no longer the live one."""
    if live and wanted and live.digest == wanted.digest:
        return
    if live:
        (steps.remove if live.since is None else steps.supersede).append(live.pk)
    if wanted and superseded and superseded.digest == wanted.digest:
        steps.revive.append(superseded.pk)
    elif wanted:
        steps.add.append(wanted)


def _current(
    identities: Iterable[Identity],
) -> dict[Identity, tuple[RecordVersion | None, RecordVersion | None]]:
    found: dict[Identity, tuple[RecordVersion | None, RecordVersion | None]] = {}
    for kind, keys in _by_kind(identities).items():
        for chunk in chunks(keys):
            rows = RecordVersion.objects.filter(kind=kind, key__in=chunk, until__isnull=True).defer("data")
            for row in rows:
                live, superseded = found.get((kind, row.key), (None, None))
                found[kind, row.key] = (row, superseded) if row.live else (live, row)
    return found


def _by_kind(identities: Iterable[Identity]) -> dict[Kind, list[str]]:
    keys = defaultdict(list)
    for kind, key in identities:
        keys[kind].append(key)
    return keys
