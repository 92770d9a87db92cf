"""Finds out what a bucket really honours, because compatible stores differ and some of them lie.

One ignores conditions without a word, another refuses all of them, a third honours them until two come at once. So
each is tried, with small objects under a name that nobody reads, and a condition is used where it was seen to work.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

from almanac.errors import AlmanacError
from almanac.handling import handling
from almanac.s3_store import Answer, Conditions, S3Store
from almanac.stores import ObjectNotFoundError, ObjectStore, StoreError
from mirrors.models import StoreFindings
from mirrors.services.uploading import each

Manner = Literal["honoured", "ignored", "refused"]
Verdict = Literal["good", "warn", "bad"]
Reader = Callable[[str], bytes | None]
"""Address below the public one → what a stranger gets there."""

FOLDER: Final = "almanac-probe"
RACERS: Final = 8
ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Findings:
    create: Manner
    """``If-None-Match: *``"""
    replace: Manner
    """``If-Match``"""
    racers_won: int
    """Of eight that created one object at once; one should."""
    reads_its_writes: bool
    keeps_headers: bool
    public: bool | None = None
    """Whether a stranger can read at the public address; ``None`` where there is none to look at."""

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            create=self.create == "honoured" and self.racers_won == 1,
            replace=self.replace == "honoured" and self.racers_won == 1,
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """What one finding means to an operator."""

    verdict: Verdict
    says: str
    advice: str = ""


def probe_store(
    store: S3Store, *, public: Reader | None = None, token: Callable[[], str] = lambda: secrets.token_hex(8)
) -> Findings:
    """Some forty small requests; what they leave is removed."""
    names = {part: f"{FOLDER}/{token()}-{part}.json" for part in ("create", "replace", "race", "read")}
    try:
        create = _probe_create(store, names["create"])
        return Findings(
            create=create,
            replace=_probe_replace(store, names["replace"]),
            racers_won=_race(store, names["race"]) if create != "refused" else 0,
            reads_its_writes=_reads_its_writes(store, names["read"]),
            keeps_headers=_keeps_headers(store, names["read"]),
            public=None if public is None else _is_public(store, names["read"], public),
        )
    finally:
        for name in names.values():
            with suppress(StoreError):
                store.delete(name)


def _probe_create(store: S3Store, name: str) -> Manner:
    if store.attempt(name, b"first") != "written":
        return "refused"
    again = store.attempt(name, b"second")
    if again == "written" or _got(store, name) == b"second":
        return "ignored"
    return "honoured" if again == "refused" else "refused"


def _probe_replace(store: S3Store, name: str) -> Manner:
    store.put(name, b"first")
    there = store.described(name)
    if there is None or not there.etag:
        return "refused"
    wrong = store.attempt(name, b"wrong", if_match='"00000000000000000000000000000000"')
    if wrong == "written":
        return "ignored"
    right = store.attempt(name, b"right", if_match=there.etag)
    return "honoured" if (wrong, right) == ("refused", "written") else "refused"


def _race(store: S3Store, name: str) -> int:
    start = threading.Barrier(RACERS)
    answers: list[Answer] = []

    def run(number: int) -> None:
        start.wait()
        answers.append(store.attempt(name, b"racer %d" % number))

    each(range(RACERS), run, at_once=RACERS)
    return answers.count("written")


def _reads_its_writes(store: S3Store, name: str) -> bool:
    """New objects, replaced ones and removed ones, each looked at in the moment after."""
    for number in range(ROUNDS):
        data = b"round %d" % number
        store.put(name, data)
        if (
            _got(store, name) != data
            or store.size(name) != len(data)
            or name not in store.names(f"{FOLDER}/")
        ):
            return False
    store.delete(name)
    if store.size(name) is not None:
        return False
    store.put(name, b"again")
    return _got(store, name) == b"again"


def _keeps_headers(store: S3Store, name: str) -> bool:
    store.put(name, b"{}")
    there = store.described(name)
    wanted = handling(name)
    return there is not None and (there.media_type, there.cache) == (wanted.media_type, wanted.cache)


def _is_public(store: S3Store, name: str, public: Reader) -> bool:
    store.put(name, b"for everybody")
    try:
        return public(name) == b"for everybody"
    except AlmanacError:
        return False


def _got(store: S3Store, name: str) -> bytes | None:
    try:
        return store.get(name)
    except ObjectNotFoundError:
        return None


def remarks(found: Findings) -> Iterator[Remark]:
    """Pure: what to tell about it."""
    if all(found.conditions):
        yield Remark("good", "honours conditional writes: they are used")
    else:
        yield Remark(
            "warn",
            f"{_about_conditions(found)}: they are not used",
            "let no other program write to this bucket; the publisher's lease in the database keeps us single",
        )
    if not found.reads_its_writes:
        says = "gives old bytes for a while after a write"
        advice = (
            "use a store that reads its own writes: publications there stop at the comparison, or come late"
        )
        yield Remark("bad", says, advice)
    if not found.keeps_headers:
        says = "does not keep Content-Type and Cache-Control"
        yield Remark("warn", says, "set them where it is served, as deploy/ shows for nginx")
    if found.public is False:
        says = "what is written there is not what the public address gives"
        advice = "does PUBLIC_BASE_URL lead to this bucket, and does its policy let everybody read?"
        yield Remark("warn", says, advice)
    elif found.public:
        yield Remark("good", "can be read at the public address")


def _about_conditions(found: Findings) -> str:
    if found.create == found.replace == "honoured":
        return f"lets {found.racers_won} of {RACERS} racers win one conditional write"
    words = {
        "honoured": "honours",
        "ignored": "silently ignores",
        "refused": "refuses",
    }
    return f"{words[found.create]} 'only if absent' and {words[found.replace]} 'only if unchanged'"


def probed(url: str, store: S3Store, *, now: datetime, public: Reader | None = None) -> Findings:
    """Looks again, keeps what was found, and lets the store use it from now on."""
    found = probe_store(store, public=public)
    StoreFindings.objects.update_or_create(url=url, defaults={"found": asdict(found), "probed_at": now})
    store.conditions = found.conditions
    return found


def kept(url: str) -> Findings | None:
    row = StoreFindings.objects.filter(url=url).first()
    try:
        return Findings(**row.found) if row else None
    except TypeError:
        return None  # kept by another version of ours: it is looked at again


def settled(url: str, store: ObjectStore, *, now: datetime) -> ObjectStore:
    """The store, using the conditions that it is known to honour; a bucket that was never probed is probed first."""
    if isinstance(store, S3Store):
        found = kept(url) or probed(url, store, now=now)
        store.conditions = found.conditions
    return store
