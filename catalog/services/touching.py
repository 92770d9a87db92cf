"""Which members of a document a new release may have changed: from record versions back to the lines that read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet

from catalog.members import PUBLIC
from catalog.models import RecordVersion
from catalog.reading import StoredState
from catalog.records import Kind
from catalog.schemas.registry import ENTRY_LISTS
from catalog.subjects import record_named_by


def _changed(after: int, until: int) -> QuerySet[RecordVersion]:
    joined = Q(since__gt=after, since__lte=until)
    left = Q(until__gt=after, until__lte=until)
    return RecordVersion.objects.filter(joined | left)


class Changes:
    """What changed up to one release, asked once for all schemas whose lines reflect the same earlier one."""

    def __init__(self, *, until: int) -> None:
        self._until = until
        self._since: dict[int, dict[Kind, set[str]]] = {}

    def since(self, after: int) -> dict[Kind, set[str]]:
        """Keys of the records that are not the same in both releases, and a few that came back to what they were."""
        if after not in self._since:
            keys: dict[Kind, set[str]] = defaultdict(set)
            for kind, key in _changed(after, self._until).values_list("kind", "key"):
                keys[Kind(kind)].add(key)
            self._since[after] = dict(keys)
        return self._since[after]


def touched_records(changed: dict[Kind, set[str]]) -> set[str]:
    """For a format that lists records: each changed one, by ``kind:key``."""
    return {f"{kind}:{key}" for kind in PUBLIC for key in changed.get(kind, ())}


def touched_members(changed: dict[Kind, set[str]], state: StoredState, family: Collection[str]) -> set[str]:
    """For a format with members: those whose line reads one of the changed records.

    ``family`` names the schemas whose memberships the lines read, the schema itself among them.
    """
    adjusted = _named(_subjects(changed.get(Kind.ADJUSTMENT, ()), family))
    labs = changed.get(Kind.LAB, set())
    providers = changed.get(Kind.PROVIDER, set()) | adjusted[Kind.PROVIDER]
    entries = changed.get(Kind.ENTRY, set()) | set(state.children(Kind.ENTRY, labs)) | adjusted[Kind.ENTRY]
    offerings = changed.get(Kind.OFFERING, set()) | set(state.children(Kind.OFFERING, entries))
    if providers:
        prefixes = [slug + mark for slug in sorted(providers) for mark in ":#"]
        offerings |= set(state.keys_beginning(Kind.OFFERING, *prefixes))
        repeated = [f"{schema}|provider:{slug}#" for schema in sorted(family) for slug in sorted(providers)]
        heads = set(state.keys_beginning(Kind.MEMBERSHIP, *repeated))
    else:
        heads = set()
    lists = sorted(ENTRY_LISTS.intersection(family))
    if lists and entries:
        listed = state.keys_beginning(Kind.MEMBERSHIP, *(f"{schema}|entry:" for schema in lists))
        heads |= {
            key for key in listed if "#" in key and key.partition("|entry:")[2].partition("#")[0] in entries
        }
    return {
        *(f"entry:{key}" for key in entries),
        *(f"offering:{key}" for key in offerings),
        *(f"provider:{slug}" for slug in providers),
        *_subjects(changed.get(Kind.MEMBERSHIP, set()) | heads | changed.get(Kind.ADJUSTMENT, set()), family),
    }


def _named(subjects: Iterable[str]) -> dict[Kind, set[str]]:
    """The records that subjects name, by kind."""
    found: dict[Kind, set[str]] = defaultdict(set)
    for named in map(record_named_by, subjects):
        if named is not None:
            found[named[0]].add(named[1])
    return found


def _subjects(memberships: Iterable[str], family: Collection[str]) -> Iterable[str]:
    for key in memberships:
        schema, _, subject = key.partition("|")
        if schema in family:
            yield subject
