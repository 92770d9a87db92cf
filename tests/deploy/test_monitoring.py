"""Alert rules and the dashboard speak only of metrics that exist, and every alarm is in the run-book."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from mirrors import checks, metrics
from mirrors.checks import WorkFacts
from mirrors.counting import BYTES, REQUESTS
from tests.mirrors.cast import NOW, Publisher
from tests.mirrors.home import ROOT
from tests.mirrors.test_checks import WELL

MONITORING = ROOT / "deploy/monitoring"
NAME = re.compile(r"almanac_[a-z_]+")
LABELS = re.compile(r'(\w+)(?:=~|!~|!=|=)"')
THEIRS = {"job", "le"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return group["rules"]


def panels() -> list[dict[str, Any]]:
    return json.loads((MONITORING / "grafana.json").read_text())["panels"]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


@pytest.fixture
def exposed(tmp_path: Path) -> dict[str, set[str]]:
    """Every sample that a busy installation exposes → its labels."""
    Publisher(tmp_path).publish()
    REQUESTS.labels("document", "gzip", "whole").inc()
    BYTES.labels("document", "gzip").inc()
    work = WorkFacts(release=7, queued=1, oldest_queued=NOW - timedelta(hours=1), postponed=("root",))
    text = metrics.exposition(replace(WELL, work=work), metrics.Tally()).decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.django_db
def test_every_metric_and_label_that_is_asked_for_exists(exposed: dict[str, set[str]]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert asked <= set(exposed), asked - set(exposed)
    known = set().union(*exposed.values()) | THEIRS
    for expression in expressions():
        assert set(LABELS.findall(expression)) <= known, expression
        assert expression.count("(") == expression.count(")"), expression


@pytest.mark.django_db
def test_every_label_that_is_shown_exists(exposed: dict[str, set[str]]) -> None:
    known = set().union(*exposed.values())
    for rule in rules():
        assert set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))) <= known
    for panel in panels():
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known


def test_every_metric_is_on_the_dashboard(  # what nobody looks at need not be measured
) -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    for name in (
        "check", "timestamp_age_seconds", "signature_days_left", "release_served", "release_published", "store_behind",
        "queue_depth", "queue_age_seconds", "jobs_failing", "publications_unfinished", "role_postponed",
        "publications_total", "publication_step_seconds", "publication_seconds", "published_documents_total",
        "published_document_bytes_total", "published_deltas_total", "published_delta_bytes_total", "requests_total",
        "response_bytes_total", "address_readable", "database_up", "build_info",
    ):  # fmt: skip
        assert f"almanac_{name}" in shown, name


def test_every_alarm_says_what_is_so_and_where_to_read_on() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in (ROOT / "deploy/README.md").read_text().splitlines()
        if line.startswith("#")
    }
    for rule in rules():
        assert rule["labels"]["severity"] in {"none", "warn", "page", "page-all"}
        assert rule["annotations"]["summary"]
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert path == "deploy/README.md"
        assert anchor in headings, anchor


def test_the_alarms_begin_where_the_checks_do() -> None:
    by_name = {rule["alert"]: rule["expr"] for rule in rules()}
    hours = int(checks.TIMESTAMP_WARN.total_seconds()) // 3600
    assert by_name["AlmanacTimestampOld"].endswith(f"> {hours} * 3600")
    hours = int(checks.TIMESTAMP_BAD.total_seconds()) // 3600
    assert by_name["AlmanacTimestampVeryOld"].endswith(f"> {hours} * 3600")
    soon = by_name["AlmanacSignatureSoonExpires"]
    assert f'role="snapshot"}} < {checks.DAYS_LEFT["snapshot"][0]}' in soon
    assert f'role="network"}} < {checks.DAYS_LEFT["network"][0]}' in soon
    assert f"< {checks.DAYS_LEFT_OF_OTHERS[0]}" in soon
    assert by_name["AlmanacCeremonyDue"].endswith(f"< {checks.DAYS_LEFT['root'][0]}")


def test_every_check_is_in_the_run_book() -> None:
    book = (ROOT / "deploy/README.md").read_text()
    for kind in checks.REGISTRY:
        assert f"`{kind}`" in book, kind


def test_the_panels_lie_beside_each_other() -> None:
    taken = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
