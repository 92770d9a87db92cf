"""``/metrics``: the same from every process, nothing counted twice, and only for this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from almanac.static import StaticApp
from mirrors import metrics, status
from mirrors.checks import WorkFacts
from mirrors.counting import Counted, counted, fresh_folder
from mirrors.models import Publication
from mirrors.services.means import Objection
from mirrors.services.preparing import StoppedError
from tests.mirrors.cast import NOW, V2, Publisher, lines
from tests.mirrors.home import ROOT
from tests.mirrors.test_checks import WELL, look

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(found: Samples, name: str, /, **labels: str) -> float:
    return found[f"almanac_{name}", tuple(sorted(labels.items()))]


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path)
    publisher.publish()
    return publisher


@pytest.mark.django_db
def test_publications_are_told_from_their_rows(publisher: Publisher) -> None:
    publisher.edit(V2, lines(40, changed=3))
    publisher.publish()
    publisher.publish()
    publisher.edit(V2, lines(5))
    publisher.catalog.guarded = [Objection("shrinks", V2, "too much")]
    with pytest.raises(StoppedError):
        publisher.publish()
    found = samples(metrics.exposition(look(publisher), metrics.Tally()))
    assert value(found, "publications_total", reason="release", state="announced") == 2
    assert value(found, "publications_total", reason="release", state="unchanged") == 1
    assert value(found, "publications_total", reason="release", state="stopped") == 1
    assert value(found, "published_documents_total") == 5  # 3 documents and the mirror list, then one
    assert value(found, "published_deltas_total") == 1
    assert value(found, "published_document_bytes_total") > 5 * len(lines(30))
    assert value(found, "publication_step_seconds_count", step="commit") == 2
    assert value(found, "publication_seconds_count", reason="release") == 2
    assert value(found, "release_published") == value(found, "release_served", address="memory:first") == 2


@pytest.mark.django_db
def test_what_was_counted_is_not_counted_again_and_another_process_says_the_same(
    publisher: Publisher,
) -> None:
    kept = metrics.Tally()
    kept.bring_up_to_date()
    for number in range(3):
        publisher.edit(V2, lines(40, changed=number))
        publisher.publish()
        kept.bring_up_to_date()
    other = metrics.Tally()
    other.bring_up_to_date()
    assert kept.publications == other.publications == {("release", "announced"): 4}
    assert kept.made == other.made


@pytest.mark.django_db
def test_one_that_is_finished_late_is_counted_then(publisher: Publisher) -> None:
    Publication.objects.update(state="pushing")
    tally = metrics.Tally()
    tally.bring_up_to_date()
    assert not tally.publications
    Publication.objects.update(state="announced")
    tally.bring_up_to_date()
    assert sum(tally.publications.values()) == 1


def test_steps_that_came_to_their_end_are_counted() -> None:
    failed = {"step": "upload", "failed": "2026-11-20T12:00:00Z", "seconds": 9.0}
    steps = [{"step": "cut", "ended": "2026-11-20T11:59:00Z", "seconds": 0.5}, failed, {"step": "upload"}]
    assert list(metrics.durations(steps)) == [("cut", 0.5)]
    histogram = metrics.Histogram()
    for seconds in (0.05, 0.06, 1000.0):
        histogram.add(seconds)
    assert dict(histogram.buckets)["0.05"] == 1
    assert dict(histogram.buckets)["0.1"] == 2
    assert dict(histogram.buckets)["+Inf"] == 3


@pytest.mark.django_db
def test_ages_days_and_queues_are_gauges() -> None:
    facts = replace(
        WELL,
        work=WorkFacts(
            release=7,
            queued=2,
            oldest_queued=NOW - timedelta(minutes=7),
            postponed=("root",),
            failing={"purge 8": "503", "purge 9": "503"},
        ),
    )
    text = metrics.exposition(facts, metrics.Tally())
    assert text.count(b'almanac_check{kind="jobs"') == 1  # one series each, however many findings
    found = samples(text)
    assert value(found, "timestamp_age_seconds", address="file:///srv/store") == 1800
    assert value(found, "signature_days_left", address="file:///srv/store", role="v2") == 30
    assert value(found, "queue_depth", what="publications") == 2
    assert value(found, "queue_age_seconds", what="publications") == 420
    assert value(found, "role_postponed", role="root") == 1
    assert value(found, "check", kind="queue", name="publications asked for") == 1


@pytest.mark.django_db
def test_only_this_machine_is_told_unless_the_setting_says_otherwise(client: Client, settings: Any) -> None:
    for far in (
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},  # through a proxy on this machine
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"REMOTE_ADDR": ""},
    ):
        refused = client.get("/metrics", **far)  # type: ignore[arg-type]
        assert refused.status_code == 404, far
        assert b"almanac_" not in refused.content
    for near in ("127.0.0.1", "::1"):
        answer = client.get("/metrics", REMOTE_ADDR=near)
        assert answer.status_code == 200
        assert b"almanac_database_up 1.0" in answer.content
    settings.METRICS_PUBLIC = True
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
    status.measured.forget()


# Requests.


def ask(application: Any, path: str, **headers: str) -> str:
    said = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", **headers}
    answer = application(environ, lambda status, _headers, *_more: said.append(status))
    b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return said[0]


def differences(before: Samples, after: Samples) -> dict[tuple[str, ...], float]:
    return {
        (name.removeprefix("almanac_"), *(text for _, text in labels)): number - before.get((name, labels), 0)
        for (name, labels), number in after.items()
        if number != before.get((name, labels), 0) and name.endswith("_total")
    }


def test_requests_are_counted_by_kind_encoding_and_result(tmp_path: Path) -> None:
    served = tmp_path / "store"
    (served / "metadata").mkdir(parents=True)
    (served / "metadata/1.root.json").write_bytes(b"{}" * 50)
    application = Counted(StaticApp(served))
    before = samples(metrics.generate_latest(counted()))
    assert ask(application, "/metadata/1.root.json") == "200 OK"
    ask(application, "/metadata/1.root.json", HTTP_RANGE="bytes=0-9")
    ask(application, "/metadata/1.root.json", HTTP_IF_NONE_MATCH="*")
    ask(application, "/catalog/none")
    ask(application, "/catalog\nnone")
    found = differences(before, samples(metrics.generate_latest(counted())))
    assert found == {
        ("requests_total", "identity", "metadata", "whole"): 1,
        ("requests_total", "identity", "metadata", "part"): 1,
        ("requests_total", "identity", "metadata", "unchanged"): 1,
        ("requests_total", "identity", "document", "missing"): 1,
        ("requests_total", "identity", "other", "missing"): 1,
        ("response_bytes_total", "identity", "metadata"): 110,
    }


def test_an_encoding_is_one_of_ours_or_identity() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Encoding", environ["ENCODING"]), ("Content-Length", "3")])
        return [b"abc"]

    before = samples(metrics.generate_latest(counted()))
    ask(Counted(application), "/targets/x", ENCODING="dcz")
    ask(Counted(application), "/targets/x", ENCODING="what-a-stranger-wrote")
    found = differences(before, samples(metrics.generate_latest(counted())))
    assert ("requests_total", "dcz", "object", "whole") in found
    assert not [labels for labels in found if "what-a-stranger-wrote" in labels]


COUNT = """
from mirrors.counting import Counted
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
for _ in range(3):
    Counted(application)({"REQUEST_METHOD": "GET", "PATH_INFO": "/targets/x"}, lambda *_: None)
"""
TELL = """
from prometheus_client import generate_latest
from mirrors.counting import counted
print(generate_latest(counted()).decode())
"""


def test_processes_of_one_server_count_together_and_a_new_server_begins_at_zero(tmp_path: Path) -> None:
    (tmp_path / "counter_99.db").write_bytes(b"left by an earlier server")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}", **fresh_folder(tmp_path)}

    def python(code: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout

    for _ in range(2):
        python(COUNT)
    found = samples(python(TELL).encode())
    assert value(found, "requests_total", kind="object", encoding="identity", result="whole") == 6
    assert value(found, "response_bytes_total", kind="object", encoding="identity") == 30
