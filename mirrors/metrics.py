"""What ``/metrics`` says, in Prometheus' text form: gauges from facts read now, counters from what the database keeps.

Whatever concerns publications is computed from their rows, so that any process gives the same answer and a restart
forgets nothing. What only the web processes know, the requests, is counted by ``mirrors.counting``.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import DatabaseError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from almanac import __version__
from mirrors.checks import Facts, Served, examined
from mirrors.counting import counted
from mirrors.models import Publication

BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
VERDICTS: Final = {"good": 0, "warn": 1, "bad": 2}
RECENT: Final = 100
"""So many of the newest rows are looked at again: on PostgreSQL a row can appear after one with a higher number."""
FINAL: Final = (
    Publication.State.ANNOUNCED,
    Publication.State.UNCHANGED,
    Publication.State.STOPPED,
    Publication.State.FAILED,
    Publication.State.CANCELLED,
)


class Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        place = next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        self.counts[place] += 1
        self.sum += seconds

    @property
    def buckets(self) -> list[tuple[str, float]]:
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        return [(bound, float(sum(self.counts[: i + 1]))) for i, bound in enumerate(bounds)]


class Tally:
    """Sums over all finished publications. A row is counted once, when it is finished; what was counted is not read
    again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all_to = 0
        self._beyond: set[int] = set()
        self.steps: dict[str, Histogram] = {}
        self.whole: dict[str, Histogram] = {}
        self.publications: Counter[tuple[str, str]] = Counter()
        self.made: Counter[str] = Counter()

    def bring_up_to_date(self) -> None:
        with self._lock:
            rows = Publication.objects.filter(pk__gt=self._all_to, state__in=FINAL).order_by("pk")
            newest = self._all_to
            for row in rows.values_list("pk", "reason", "state", "steps", "report").iterator(chunk_size=500):
                newest = row[0]
                if row[0] not in self._beyond:
                    self._beyond.add(row[0])
                    self._count(*row[1:])
            still_open = Publication.objects.exclude(state__in=FINAL).order_by("pk").first()
            before_open = still_open.pk - 1 if still_open else newest
            self._all_to = max(self._all_to, min(before_open, newest - RECENT))
            self._beyond = {number for number in self._beyond if number > self._all_to}

    def _count(
        self, reason: str, state: str, steps: Sequence[Mapping[str, Any]], report: dict[str, object]
    ) -> None:
        self.publications[reason, state] += 1
        for name, seconds in durations(steps):
            self.steps.setdefault(name, Histogram()).add(seconds)
        if state == Publication.State.ANNOUNCED:
            self.whole.setdefault(reason, Histogram()).add(sum(seconds for _, seconds in durations(steps)))
        documents = report.get("documents")
        for document in documents if isinstance(documents, list) else ():
            self.made["documents"] += 1
            self.made["document_bytes"] += int(document.get("bytes", 0))
            self.made["deltas"] += int(document.get("deltas", 0))
            self.made["delta_bytes"] += int(document.get("delta_bytes", 0))


def durations(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """From the log of a publication, how long each step took that came to its end."""
    for entry in steps:
        if "ended" in entry:
            yield str(entry["step"]), float(entry["seconds"])


_tally = Tally()


def exposition(facts: Facts, tally: Tally | None = None) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(facts, _tally if tally is None else tally))
    return generate_latest(registry) + generate_latest(counted())


class _Families(Collector):
    def __init__(self, facts: Facts, tally: Tally) -> None:
        self._facts, self._tally = facts, tally

    def collect(self) -> Iterable[Metric]:
        facts = self._facts
        yield _gauge("build_info", "The version that answers.", ["version"], [([__version__], 1)])
        yield _gauge("database_up", "1: the database answers.", [], [([], int(not facts.database.failure))])
        yield _gauge("check", "Every check: 0 good, 1 warning, 2 bad.", ["kind", "name"], _worst(facts))
        if facts.database.failure:
            return
        yield from self._served()
        yield from self._work()
        yield from self._published()

    def _served(self) -> Iterator[Metric]:
        facts = self._facts
        seen = [(one.address, one.served) for one in facts.addresses]
        served = [(address, one) for address, one in seen if isinstance(one, Served)]
        yield _gauge(
            "address_readable",
            "1: what is published was read there.",
            ["address"],
            [([address], int(isinstance(one, Served))) for address, one in seen],
        )
        yield _gauge(
            "timestamp_age_seconds",
            "Since the timestamp that is served there was signed.",
            ["address"],
            [([address], (facts.now - one.signed_at).total_seconds()) for address, one in served],
        )
        yield _gauge(
            "signature_days_left",
            "Until the signature that is served there expires.",
            ["address", "role"],
            [
                ([address, role], (expires - facts.now).total_seconds() / 86400)
                for address, one in served
                for role, expires in sorted(one.expires.items())
            ],
        )
        releases: list[tuple[list[str], float]] = [([address], one.release) for address, one in served]
        yield _gauge("release_served", "The release that readers get there.", ["address"], releases)
        yield _gauge(
            "store_behind",
            "Committed publications that have not reached the store.",
            ["store"],
            [([store.address], store.behind) for store in facts.stores],
        )

    def _work(self) -> Iterator[Metric]:
        work, now = self._facts.work, self._facts.now
        yield _gauge("release_published", "The newest published release.", [], [([], work.release or 0)])
        waiting = {"publications": (work.queued, work.oldest_queued), "jobs": (work.jobs, work.oldest_job)}
        depth: list[tuple[list[str], float]] = [([what], count) for what, (count, _) in waiting.items()]
        yield _gauge("queue_depth", "What is due and not done.", ["what"], depth)
        ages = [([what], (now - at).total_seconds() if at else 0.0) for what, (_, at) in waiting.items()]
        yield _gauge("queue_age_seconds", "Since the oldest of it was due.", ["what"], ages)
        yield _gauge("jobs_failing", "Jobs whose last try failed.", [], [([], len(work.failing))])
        yield _gauge("publications_unfinished", "Begun and not finished.", [], [([], len(work.interrupted))])
        postponed = [([role], 1) for role in work.postponed]
        yield _gauge("role_postponed", "1: waits for a key that is kept elsewhere.", ["role"], postponed)

    def _published(self) -> Iterator[Metric]:
        tally = self._tally
        try:
            tally.bring_up_to_date()
        except DatabaseError:
            return
        total = CounterMetricFamily(
            "almanac_publications", "Finished publications.", labels=["reason", "state"]
        )
        for (reason, state), count in sorted(tally.publications.items()):
            total.add_metric([reason, state], count)
        yield total
        for what, says in (
            ("documents", "Documents that were new or changed."),
            ("document_bytes", "Bytes of those documents."),
            ("deltas", "Deltas that were offered for those documents."),
            ("delta_bytes", "Bytes of the delta from the document before, for each of those."),
        ):
            yield CounterMetricFamily(f"almanac_published_{what}", says, value=tally.made[what])
        yield _histogram("publication_step_seconds", "How long each step took.", "step", tally.steps)
        yield _histogram("publication_seconds", "How long a publication took.", "reason", tally.whole)


def _worst(facts: Facts) -> list[tuple[list[str], float]]:
    """One value for each check and thing, however many findings there are."""
    found: dict[tuple[str, str], int] = {}
    for check in examined(facts):
        key = (check.kind, check.name)
        found[key] = max(found.get(key, 0), VERDICTS[check.verdict])
    return [([*key], value) for key, value in found.items()]


def _gauge(
    name: str, says: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> Metric:
    family = GaugeMetricFamily(f"almanac_{name}", says, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family


def _histogram(name: str, says: str, label: str, of: dict[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(f"almanac_{name}", says, labels=[label])
    for value, histogram in sorted(of.items()):
        family.add_metric([value], histogram.buckets, histogram.sum)
    return family
