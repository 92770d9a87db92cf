"""Is all well? One registry of pure checks over facts that were read once (``mirrors.services.observing``).

It feeds ``doctor``, ``/readyz``, the gauges of ``/metrics`` and the admin. A check says what is so and what to do;
``warn``: somebody should look this week; ``bad``: somebody should come now. What is said here may name addresses and
errors, so it is for operators; strangers get a check's ``summary`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

Verdict = Literal["good", "warn", "bad"]

TIMESTAMP_WARN: Final = timedelta(hours=2)
TIMESTAMP_BAD: Final = timedelta(hours=12)
CLOCKS_MAY_DIFFER: Final = timedelta(minutes=10)
QUEUE_WARN: Final = timedelta(minutes=5)
QUEUE_BAD: Final = timedelta(hours=1)
DAYS_LEFT: Final[Mapping[str, tuple[int, int]]] = {
    "root": (120, 14),
    "targets": (120, 14),
    "snapshot": (6, 2),
    "network": (3, 1),
    "timestamp": (2, 1),
}
DAYS_LEFT_OF_OTHERS: Final = (14, 5)
"""Role → left when it is a warning, and when it is bad. Every role is renewed before half of its life is spent, so
less means that nobody renews, or that an offline key is missed."""
NOBODY_RENEWS: Final = "is the worker running? 'manage.py tick' renews what it has keys for, now"


@dataclass(frozen=True, slots=True)
class Served:
    """What readers get at one address, from the bytes that they get."""

    release: int
    signed_at: datetime
    """When the timestamp was signed."""
    expires: Mapping[str, datetime]
    """Of every role that is delegated to, ``root`` and ``timestamp`` included."""


@dataclass(frozen=True, slots=True)
class Failure:
    what: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class StoreFacts:
    address: str
    served: Served | Failure | None
    """``None``: nothing is published there."""
    written: bool | Failure | None = None
    """Whether it gave back what was written; ``None``: nobody tried."""
    behind: int = 0
    """Committed publications that have not reached it."""
    last_error: str = ""
    manners: Sequence[tuple[Verdict, str, str]] = ()
    """What a probe found out about a bucket: verdict, words, advice."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    vendor: str
    unapplied: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class KeyringFacts:
    """The keys, as far as can be told without opening one."""

    count: int = 0
    missing: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    passphrase_beside: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What the tables say of publications and jobs."""

    release: int | None = None
    """The newest one that was published."""
    pushing: int | None = None
    """One that is on its way and may be in a store already."""
    queued: int = 0
    oldest_queued: datetime | None = None
    interrupted: Mapping[str, str] = field(default_factory=dict)
    """Publication → why it stands still."""
    stopped: str = ""
    """Why the newest publication stopped; empty when it did not."""
    postponed: tuple[str, ...] = ()
    jobs: int = 0
    oldest_job: datetime | None = None
    failing: Mapping[str, str] = field(default_factory=dict)
    """Job → its last error."""


@dataclass(frozen=True, slots=True)
class Facts:
    now: datetime
    database: DatabaseFacts
    stores: Sequence[StoreFacts] = ()
    public: StoreFacts | None = None
    """PUBLIC_BASE_URL, as a reader elsewhere sees it; ``None`` where that is not looked at."""
    keys: KeyringFacts = KeyringFacts()
    work: WorkFacts = WorkFacts()

    @property
    def addresses(self) -> Iterator[StoreFacts]:
        yield from self.stores
        if self.public is not None:
            yield self.public


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says of one thing."""

    name: str
    verdict: Verdict
    says: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A finding with the check that made it; ``summary`` holds nothing that a stranger must not read."""

    kind: str
    name: str
    verdict: Verdict
    says: str
    advice: str
    summary: str


def _database(facts: Facts) -> Iterator[Finding]:
    if facts.database.failure:
        yield Finding("database", "bad", facts.database.failure, "is the database there? See DATABASE_URL")
    else:
        yield Finding("database", "good", f"{facts.database.vendor} answers")


def _migrations(facts: Facts) -> Iterator[Finding]:
    if facts.database.unapplied:
        says = f"{facts.database.unapplied} migrations are not applied"
        yield Finding("migrations", "bad", says, "run 'manage.py migrate'")
    else:
        yield Finding("migrations", "good", "all are applied")


def _readable(facts: Facts) -> Iterator[Finding]:
    for store in facts.addresses:
        if isinstance(store.served, Failure):
            yield Finding(_named(store), "bad", store.served.what, store.served.advice)
        else:
            yield Finding(_named(store), "good", "can be read")


def _writable(facts: Facts) -> Iterator[Finding]:
    for store in facts.stores:
        if isinstance(store.written, Failure):
            yield Finding(_named(store), "bad", store.written.what, store.written.advice)
        elif store.written is False:
            says = "gives other bytes than were written"
            yield Finding(_named(store), "bad", says, "check the disk or bucket")
        elif store.written:
            yield Finding(_named(store), "good", "can be written")


def _manners(facts: Facts) -> Iterator[Finding]:
    for store in facts.stores:
        for verdict, says, advice in store.manners:
            yield Finding(_named(store), verdict, says, advice)


def _timestamp(facts: Facts) -> Iterator[Finding]:
    for store in facts.addresses:
        name = f"{_named(store)}: timestamp"
        if store.served is None and facts.work.release is None:
            yield Finding(name, "warn", "nothing is published yet", "run 'manage.py publish'")
        elif store.served is None:
            lags = store is not facts.public and _some_store_has_it(facts)
            verdict: Verdict = "warn" if lags else "bad"
            says = f"nothing is there, and release {facts.work.release} was published"
            advice = "is it the right address? 'manage.py tick' brings stores forward"
            yield Finding(name, verdict, says, advice)
        elif isinstance(store.served, Served):
            yield _age(name, store.served, facts.now)


def _age(name: str, served: Served, now: datetime) -> Finding:
    age, left = now - served.signed_at, served.expires["timestamp"] - now
    words = f"signed {_hours(age)} ago, {_hours(left)} left"
    if age < -CLOCKS_MAY_DIFFER:
        says = f"signed {_hours(-age)} ahead of this machine's clock"
        return Finding(name, "warn", says, "set the clock of whichever machine is wrong")
    verdict: Verdict = "good" if age <= TIMESTAMP_WARN else "warn" if age <= TIMESTAMP_BAD else "bad"
    return Finding(name, verdict, words, "" if verdict == "good" else NOBODY_RENEWS)


def _days_left(facts: Facts) -> Iterator[Finding]:
    for store in facts.addresses:
        if isinstance(store.served, Served):
            yield _left(f"{_named(store)}: days left", days_left(store.served, facts.now))


def days_left(served: Served, now: datetime) -> dict[str, int]:
    """Role → whole days until its signature expires; the timestamp's is the check before this one."""
    return {role: (at - now).days for role, at in served.expires.items() if role != "timestamp"}


def _left(name: str, left: Mapping[str, int]) -> Finding:
    warn = sorted(role for role, days in left.items() if days < _limits(role)[0])
    bad = sorted(role for role, days in left.items() if days < _limits(role)[1])
    words = ", ".join(f"{role} {days}" for role, days in sorted(left.items(), key=lambda item: item[1]))
    if not warn:
        return Finding(name, "good", words)
    advice = f"soon to expire: {', '.join(bad or warn)}; {NOBODY_RENEWS}"
    return Finding(name, "bad" if bad else "warn", words, advice)


def _limits(role: str) -> tuple[int, int]:
    return DAYS_LEFT.get(role, DAYS_LEFT_OF_OTHERS)


def _release(facts: Facts) -> Iterator[Finding]:
    ours = facts.work.release
    for store in facts.addresses:
        if not isinstance(store.served, Served):
            continue
        name, there = f"{_named(store)}: release", store.served.release
        if there == ours:
            yield Finding(name, "good", f"release {ours}, as in the database")
        elif there == facts.work.pushing:
            yield Finding(name, "good", f"release {there}, which is being published")
        elif ours is not None and there < ours and _some_store_has_it(facts):
            says = f"release {there} is there, release {ours} is published"
            yield Finding(
                name, "warn", says, "'manage.py tick' brings stores forward; a CDN may hold an old copy"
            )
        else:
            yield Finding(
                name,
                "bad",
                f"release {there} is there, release {ours} in the database",
                "'manage.py tick' finishes what was interrupted; if it stays so, one of the two was restored "
                "from a backup: see 'restore' in deploy/README.md",
            )


def _some_store_has_it(facts: Facts) -> bool:
    """Then another that has not only lags behind."""
    return any(isinstance(s.served, Served) and s.served.release == facts.work.release for s in facts.stores)


def _progress(facts: Facts) -> Iterator[Finding]:
    for store in facts.stores:
        if store.behind:
            why = f": {store.last_error}" if store.last_error else ""
            says = f"is {store.behind} publications behind{why}"
            yield Finding(_named(store), "warn", says, "'manage.py tick' brings it forward")


def _keys(facts: Facts) -> Iterator[Finding]:
    keys = facts.keys
    if keys.failure:
        yield Finding("keys", "bad", keys.failure.what, keys.failure.advice)
    elif keys.missing:
        says = f"there is no key for {', '.join(keys.missing)}"
        yield Finding("keys", "bad", says, "'manage.py keys create' makes those that are missing")
    else:
        yield Finding("keys", "good", f"{keys.count} keys, files readable by their owner only")
    if keys.elsewhere:
        yield Finding("keys elsewhere", "good", f"kept away from this machine: {', '.join(keys.elsewhere)}")


def _passphrase(facts: Facts) -> Iterator[Finding]:
    if facts.keys.failure:
        return
    if facts.keys.passphrase_beside:
        yield Finding(
            "passphrase",
            "warn",
            "lies beside the keys: it protects a key file that is copied alone, "
            "not the folder, its backups, or from whoever can read this account's files",
            "set KEY_PASSPHRASE or KEY_PASSPHRASE_FILE from outside ALMANAC_HOME where that matters",
        )
    else:
        says = "comes from the environment; a copied folder of keys is worth nothing without it"
        yield Finding("passphrase", "good", says)


def _queue(facts: Facts) -> Iterator[Finding]:
    work = facts.work
    for name, count, oldest in (
        ("publications asked for", work.queued, work.oldest_queued),
        ("jobs", work.jobs, work.oldest_job),
    ):
        age = facts.now - oldest if oldest else timedelta()
        if age > QUEUE_WARN:
            says = f"{count} wait, the oldest for {_hours(age)}"
            verdict: Verdict = "bad" if age > QUEUE_BAD and name != "jobs" else "warn"
            yield Finding(name, verdict, says, "is the worker running? 'manage.py tick' does it now")
        else:
            yield Finding(name, "good", f"{count} wait" if count else "none waits")


def _publications(facts: Facts) -> Iterator[Finding]:
    for publication, why in facts.work.interrupted.items():
        says = f"{publication} was interrupted: {why}"
        yield Finding("publication", "warn", says, "'manage.py tick' finishes it")
    if facts.work.stopped:
        says = f"the newest one stopped: {facts.work.stopped}"
        yield Finding("publication", "warn", says, "correct it, or override the guard")


def _jobs(facts: Facts) -> Iterator[Finding]:
    for job, error in facts.work.failing.items():
        yield Finding(
            "job", "warn", f"{job} failed: {error}", "it is tried again, each time after twice as long"
        )


def _postponed(facts: Facts) -> Iterator[Finding]:
    if facts.work.postponed:
        roles = ", ".join(facts.work.postponed)
        says = f"{roles} should be signed anew, and the keys for it are not on this machine"
        advice = "hold the ceremony: 'manage.py keys ceremony'; what is signed now serves until it expires"
        yield Finding("postponed", "warn", says, advice)


Look = Callable[[Facts], Iterator[Finding]]
REGISTRY: Final[Mapping[str, tuple[str, Look]]] = {
    "database": ("the database answers", _database),
    "migrations": ("the database has the form that this version needs", _migrations),
    "store-readable": ("every store can be read", _readable),
    "store-writable": ("every store can be written", _writable),
    "store-manners": ("every store keeps what it promises", _manners),
    "timestamp": ("what is served was signed lately", _timestamp),
    "days-left": ("no signature is about to expire", _days_left),
    "release": ("what is served is the release that was published", _release),
    "progress": ("every store has the newest publication", _progress),
    "keys": ("the keys are there and protected", _keys),
    "passphrase": ("the passphrase lies apart from the keys", _passphrase),
    "queue": ("what was asked for is being done", _queue),
    "publication": ("the newest publication went through", _publications),
    "jobs": ("no job fails", _jobs),
    "postponed": ("no role waits for a key that is kept elsewhere", _postponed),
}
"""Kind → what is so when it is good, and the check. Alerts and the run-book go by the kind."""

FIRST: Final = ("database", "migrations")
"""While one of these is bad the others would only repeat it."""


def examined(facts: Facts) -> list[Check]:
    """All checks, in the order in which a person would look."""
    found: list[Check] = []
    for kind, (summary, look) in REGISTRY.items():
        if kind not in FIRST and any(check.kind in FIRST and check.verdict == "bad" for check in found):
            break
        found += [Check(kind, f.name, f.verdict, f.says, f.advice, summary) for f in look(facts)]
    return found


def worst(checks: Sequence[Check]) -> Verdict:
    verdicts = {check.verdict for check in checks}
    return "bad" if "bad" in verdicts else "warn" if "warn" in verdicts else "good"


def _named(store: StoreFacts) -> str:
    return f"store {store.address}" if not store.address.startswith("http") else store.address


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    if abs(minutes) < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if abs(minutes) < 72 * 60 else f"{minutes // 1440} days"
