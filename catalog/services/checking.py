"""Judges a set of changes as a whole: every record well-formed, every reference met, nobody left dangling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import Q

from catalog.errors import ChangeError, Problem
from catalog.models import RecordVersion
from catalog.reading import chunks, loaded
from catalog.records import Kind, Record
from catalog.services.schema_rules import adjustment_problems, schema_problems
from catalog.validity import problems_of, references

Afters = Mapping[tuple[Kind, str], Record | None]
OF_SCHEMAS: Final = (Kind.MEMBERSHIP, Kind.ADJUSTMENT)
MOST_PROBLEMS: Final = 200
"""Enough to see what is wrong with a file; more would hide it."""


def refuse_what_is_wrong(afters: Afters) -> None:
    """Raises ``ChangeError`` with all problems found, or returns."""
    problems = []
    for problem in _problems(afters):
        problems.append(problem)
        if len(problems) == MOST_PROBLEMS:
            break
    if problems:
        raise ChangeError(problems)


def _problems(afters: Afters) -> Iterator[Problem]:
    sound = True
    for (kind, key), after in afters.items():
        if after is not None:
            for problem in problems_of(kind, key, after):
                sound = False
                yield problem
    if sound:
        yield from _unmet_references(afters)
        yield from _left_dangling(afters)
        yield from _region_cycles(afters)
        yield from schema_problems(afters)
        yield from adjustment_problems(afters)


def _unmet_references(afters: Afters) -> Iterator[Problem]:
    wanted: dict[Kind, dict[str, Problem]] = defaultdict(dict)
    for (kind, key), after in afters.items():
        if after is None:
            continue
        for field, needed_kind, needed in references(kind, after):
            if (needed_kind, needed) in afters:
                if afters[needed_kind, needed] is None:
                    yield _unmet(kind, key, field, needed_kind, needed)
            elif needed not in wanted[needed_kind]:
                wanted[needed_kind][needed] = _unmet(kind, key, field, needed_kind, needed)
    for needed_kind, needs in wanted.items():
        found: set[str] = set()
        for chunk in chunks(needs):
            live = RecordVersion.objects.filter(kind=needed_kind, live=True, key__in=chunk)
            found.update(live.values_list("key", flat=True))
        yield from (problem for needed, problem in needs.items() if needed not in found)


def _unmet(kind: Kind, key: str, field: str, needed_kind: Kind, needed: str) -> Problem:
    return Problem(
        kind, key, field, f"there is no {needed_kind} {needed}", "add it first, or in the same change"
    )


def _left_dangling(afters: Afters) -> Iterator[Problem]:
    """A record is removed only together with, or after, everything that refers to it."""
    gone: dict[Kind, set[str]] = defaultdict(set)
    for (kind, key), after in afters.items():
        if after is None:
            gone[kind].add(key)
    left: dict[tuple[Kind, str], list[str]] = defaultdict(list)
    for kind, key, record in _possible_referrers(gone):
        if (kind, key) in afters:
            continue
        for _, needed_kind, needed in references(kind, record):
            if needed in gone[needed_kind]:
                left[needed_kind, needed].append(f"{kind} {key}")
    for (kind, key), referrers in left.items():
        names = ", ".join(sorted(referrers)[:5]) + (
            f" and {len(referrers) - 5} more" if len(referrers) > 5 else ""
        )
        yield Problem(
            kind,
            key,
            "",
            f"cannot be removed: {names} refer to it",
            "remove those first, or retire it instead",
        )


def _possible_referrers(gone: Mapping[Kind, set[str]]) -> Iterator[tuple[Kind, str, Record]]:
    """Live records that may refer to one of these: a superset, found through indexes where there may be many."""
    seen: set[int] = set()
    for wanted in _where_referrers_are(gone):
        for pk, kind, key, data in RecordVersion.objects.filter(wanted, live=True).values_list(
            "pk", "kind", "key", "data"
        ):
            if pk not in seen:
                seen.add(pk)
                yield Kind(kind), key, loaded(data) or {}


def _where_referrers_are(gone: Mapping[Kind, set[str]]) -> Iterator[Q]:
    for kind, child in ((Kind.LAB, Kind.ENTRY), (Kind.ENTRY, Kind.OFFERING)):
        for keys in chunks(sorted(gone.get(kind, ()))):
            yield Q(kind=child, parent__in=keys)
    for kind in (Kind.ENTRY, Kind.OFFERING, Kind.PROVIDER):
        for keys in chunks(sorted(gone.get(kind, ()))):
            yield Q(kind__in=OF_SCHEMAS, parent__in=[f"{kind}:{key}" for key in keys])
    for slug in sorted(gone.get(Kind.PROVIDER, ())):
        for mark in ":#":
            yield Q(kind=Kind.OFFERING, key__gte=slug + mark, key__lt=slug + chr(ord(mark) + 1))
        yield Q(kind__in=OF_SCHEMAS, parent__gte=f"provider:{slug}#", parent__lt=f"provider:{slug}$")
    for name in sorted(gone.get(Kind.SCHEMA, ())):
        yield Q(kind__in=OF_SCHEMAS, key__gte=f"{name}|", key__lt=f"{name}}}")
    if gone.get(Kind.REGION):
        yield Q(kind__in=(Kind.REGION, Kind.FEATURED)) | Q(
            kind=Kind.OFFERING, data__contains='"availability":{'
        )
    if gone.get(Kind.ENTRY) or gone.get(Kind.OFFERING):
        yield Q(kind__in=(Kind.FEATURED, Kind.TRIAL))


def _region_cycles(afters: Afters) -> Iterator[Problem]:
    touched = {key: after for (kind, key), after in afters.items() if kind is Kind.REGION}
    if not touched:
        return
    live = RecordVersion.objects.filter(kind=Kind.REGION, live=True).values_list("key", "data")
    regions = {**{key: loaded(data) for key, data in live}, **touched}
    parents = {key: region["parent"] for key, region in regions.items() if region and "parent" in region}
    for key in sorted(key for key, after in touched.items() if after):
        line = [key]
        while (parent := parents.get(line[-1])) is not None and parent not in line:
            line.append(parent)
        if parent is not None:
            yield Problem(
                Kind.REGION, key, "parent", f"goes in a circle: {' → '.join([*line, parent])}", "break it"
            )
