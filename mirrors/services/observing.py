"""Reads, once, the facts that ``mirrors.checks`` judges: from the database, the keys, and the bytes that readers get."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from almanac.addresses import TIMESTAMP, metadata_path
from almanac.errors import AlmanacError, MalformedError
from almanac.s3_store import S3Store
from almanac.stores import ObjectStore
from mirrors.checks import (
    DatabaseFacts,
    Facts,
    Failure,
    KeyringFacts,
    Served,
    StoreFacts,
    Verdict,
    WorkFacts,
)
from mirrors.models import Job, Publication, StoreProgress
from mirrors.services import ledger, probing_stores
from mirrors.services.first_start import keys_facts
from mirrors.services.means import Means
from mirrors.verifying.sources import Source, StoreSource
from signing.metadata import RELEASE_FIELD
from signing.policy import ExpiryPolicy

PROBE: Final = "doctor-probe"
MOST_BYTES: Final = 20_000_000
MOST_ROLES: Final = 4096
Manner = tuple[Verdict, str, str]
_State = Publication.State


class RoleFacts(NamedTuple):
    expires: datetime
    delegates: tuple[str, ...]


@dataclass(slots=True)
class Memory:
    """What never changes need not be read twice: (address, name of a numbered file) → what it says."""

    roles: dict[tuple[str, str], RoleFacts] = field(default_factory=dict)
    roots: dict[str, int] = field(default_factory=dict)


def observe(
    means: Means,
    *,
    keys_folder: Path,
    has_passphrase: bool,
    write: bool = False,
    public: Source | None = None,
    memory: Memory | None = None,
) -> Facts:
    """``write`` tries each store with a small object; ``public`` is read as a reader elsewhere would."""
    memory, now = memory or Memory(), means.clock()
    database = _database()
    if database.failure or database.unapplied:
        return Facts(now, database)
    try:
        progress = dict(StoreProgress.objects.values_list("url", "publication"))
        errors = dict(StoreProgress.objects.values_list("url", "last_error"))
        behind = {
            url: Publication.objects.committed().filter(pk__gt=progress.get(url, 0)).count()
            for url in means.stores
        }
        work = _work(now)
    except DatabaseError as error:
        return Facts(now, DatabaseFacts(connection.vendor, failure=_first_line(error)))
    stores = [
        StoreFacts(
            address=url,
            served=read_served(StoreSource(store, url), means.policy, memory),
            written=_written(store) if write else None,
            behind=behind[url],
            last_error=errors.get(url, ""),
            manners=_manners(url, store, now, public) if write else _kept_manners(url),
        )
        for url, store in means.stores.items()
    ]
    seen = None
    if public is not None:
        served = read_served(public, means.policy, memory)
        seen = StoreFacts(public.address, served=served)
    return Facts(now, database, stores, seen, _keys(keys_folder, has_passphrase=has_passphrase), work)


def _database() -> DatabaseFacts:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        return DatabaseFacts(connection.vendor, unapplied=len(waiting))
    except DatabaseError as error:
        return DatabaseFacts(connection.vendor, failure=_first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _written(store: ObjectStore) -> bool | Failure:
    try:
        store.put(PROBE, b"doctor\n")
        whole = store.get(PROBE) == b"doctor\n"
        store.delete(PROBE)
    except AlmanacError as error:
        return _failure(error)
    return whole


def _manners(url: str, store: ObjectStore, now: datetime, public: Source | None) -> list[Manner]:
    """A bucket is looked at again, and what is found is kept for every publisher."""
    if not isinstance(store, S3Store):
        return []
    read = partial(public.get, most=MOST_BYTES) if public else None
    try:
        found = probing_stores.probed(url, store, now=now, public=read)
    except AlmanacError as error:
        return [("bad", error.what, error.advice)]
    return [(remark.verdict, remark.says, remark.advice) for remark in probing_stores.remarks(found)]


def _kept_manners(url: str) -> list[Manner]:
    found = probing_stores.kept(url)
    return (
        [(remark.verdict, remark.says, remark.advice) for remark in probing_stores.remarks(found)]
        if found
        else []
    )


def read_served(source: Source, policy: ExpiryPolicy, memory: Memory) -> Served | Failure | None:
    """What the address says of itself. Nothing is verified here: that is ``verifystore``, and every client."""
    try:
        data = source.get(TIMESTAMP, most=MOST_BYTES)
        return None if data is None else _served(source, data, policy, memory)
    except AlmanacError as error:
        return _failure(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        return Failure("its metadata cannot be read", "run 'manage.py verifystore' with this address")


def _served(source: Source, timestamp: bytes, policy: ExpiryPolicy, memory: Memory) -> Served:
    signed = json.loads(timestamp)["signed"]
    expires = {"timestamp": _expires(signed)}
    name = metadata_path("snapshot", signed["meta"]["snapshot.json"]["version"])
    snapshot = _signed(source, name)
    expires["snapshot"] = _expires(snapshot)
    versions = {file.removesuffix(".json"): int(meta["version"]) for file, meta in snapshot["meta"].items()}
    waiting = ["targets"]
    while waiting and len(expires) < MOST_ROLES:
        role = waiting.pop()
        if role in versions and role not in expires:
            facts = _role(source, metadata_path(role, versions[role]), memory)
            expires[role] = facts.expires
            waiting += facts.delegates
    expires["root"] = _role(source, metadata_path("root", _newest_root(source, memory)), memory).expires
    return Served(
        release=int(snapshot[RELEASE_FIELD]),
        signed_at=expires["timestamp"] - policy.lifetime("timestamp"),
        expires=expires,
    )


def _role(source: Source, name: str, memory: Memory) -> RoleFacts:
    key = (source.address, name)
    if key not in memory.roles:
        signed = _signed(source, name)
        delegated = (signed.get("delegations") or {}).get("roles", [])
        if len(memory.roles) >= MOST_ROLES:
            memory.roles.clear()
        memory.roles[key] = RoleFacts(_expires(signed), tuple(str(role["name"]) for role in delegated))
    return memory.roles[key]


def _newest_root(source: Source, memory: Memory) -> int:
    version = memory.roots.get(source.address, 1)
    while source.get(metadata_path("root", version + 1), most=MOST_BYTES) is not None:
        version += 1
    memory.roots[source.address] = version
    return version


def _signed(source: Source, name: str) -> dict[str, Any]:
    data = source.get(name, most=MOST_BYTES)
    if data is None:
        raise MalformedError("this file is missing:", where=name, advice="run 'manage.py verifystore'")
    signed: dict[str, Any] = json.loads(data)["signed"]
    return signed


def _expires(signed: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(signed["expires"])


def _failure(error: AlmanacError) -> Failure:
    return Failure(f"{error.what} {error.where}".strip(), error.advice)


def _keys(folder: Path, *, has_passphrase: bool) -> KeyringFacts:
    try:
        found = keys_facts(folder, has_passphrase=has_passphrase)
    except AlmanacError as error:
        return KeyringFacts(failure=_failure(error))
    return KeyringFacts(found.count, found.missing, found.elsewhere, found.passphrase_beside)


def _work(now: datetime) -> WorkFacts:
    publications = Publication.objects
    oldest = publications.queued().order_by("requested_at").first()
    on_the_way = publications.filter(state__in=(_State.PUSHING, _State.COMMITTED)).order_by("pk").last()
    newest = publications.exclude(state__in=(_State.UNCHANGED, _State.QUEUED)).first()
    signed = publications.filter(signed_at__isnull=False).order_by("pk").last()
    due = Job.objects.due(now)
    first_job = due.first()
    return WorkFacts(
        release=ledger.published_release(),
        pushing=on_the_way.release if on_the_way else None,
        queued=publications.queued().count(),
        oldest_queued=oldest.requested_at if oldest else None,
        interrupted={
            str(publication): publication.report.get("interrupted", "it is being made, or its process ended")
            for publication in publications.unfinished()
        },
        stopped=_why_stopped(newest),
        postponed=tuple(signed.report.get("postponed", ())) if signed else (),
        jobs=due.count(),
        oldest_job=first_job.due_at if first_job else None,
        failing={
            str(job): f"{job.attempts} times: {job.last_error}" for job in Job.objects.exclude(last_error="")
        },
    )


def _why_stopped(newest: Publication | None) -> str:
    if newest is None or newest.state not in {_State.STOPPED, _State.FAILED}:
        return ""
    return "; ".join(str(why["reason"]) for why in newest.report.get("stopped_by", ())) or newest.state


class Remembered:
    """Facts that several ask for within a few seconds are read once: nobody loads a store by asking often."""

    def __init__(
        self, read: Callable[[], Facts], *, for_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._for_s, self._monotonic = read, for_s, monotonic
        self._lock = threading.Lock()
        self._kept: tuple[float, Facts] | None = None

    def facts(self) -> Facts:
        with self._lock:
            now = self._monotonic()
            if self._kept is None or now - self._kept[0] >= self._for_s:
                self._kept = (now, self._read())
            return self._kept[1]

    def forget(self) -> None:
        with self._lock:
            self._kept = None
