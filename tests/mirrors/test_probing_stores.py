"""A probe finds out what a bucket really honours, and says it in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from almanac.s3_store import S3Store
from almanac.stores import StoreError
from mirrors.models import StoreFindings
from mirrors.services import probing_stores
from mirrors.services.probing_stores import Findings, probe_store, remarks
from tests.faults3 import FaultS3, Nature
from tests.mirrors import buckets
from tests.mirrors.buckets import (
    BOTH,
    DOWN,
    HONEST,
)
from tests.mirrors.cast import NOW

pytestmark = pytest.mark.django_db
aws, servers, clients = buckets.aws, buckets.servers, buckets.clients
s3, second_s3, bucket = buckets.s3, buckets.second_s3, buckets.bucket


PROBES = [
    (Nature(), HONEST),
    (
        Nature(conditions="ignored"),
        Findings("ignored", "ignored", 8, reads_its_writes=True, keeps_headers=True),
    ),
    (
        Nature(conditions="refused"),
        Findings("refused", "refused", 0, reads_its_writes=True, keeps_headers=True),
    ),
    (
        Nature(conditions="raced"),
        Findings("honoured", "honoured", 8, reads_its_writes=True, keeps_headers=True),
    ),
    (
        Nature(keeps_headers=False),
        Findings("honoured", "honoured", 1, reads_its_writes=True, keeps_headers=False),
    ),
]


@pytest.mark.parametrize(("nature", "found"), PROBES, ids=lambda value: getattr(value, "conditions", ""))
def test_a_probe_finds_out_how_a_bucket_lies(
    s3: FaultS3, bucket: Callable[..., S3Store], nature: Nature, found: Findings
) -> None:
    s3.nature = nature
    assert probe_store(bucket(s3)) == found
    assert not s3.objects, "the probe left something behind"
    assert (found.conditions == BOTH) is (found.create == "honoured" and found.racers_won == 1)


def test_a_probe_finds_reads_that_lag_behind(s3: FaultS3, bucket: Callable[..., S3Store]) -> None:
    s3.nature = Nature(lagging_reads=1)
    assert not probe_store(bucket(s3)).reads_its_writes


def test_a_probe_looks_as_a_stranger_where_there_is_a_public_address(
    s3: FaultS3, bucket: Callable[..., S3Store]
) -> None:
    from mirrors.verifying.sources import HttpSource

    def public(name: str) -> bytes | None:
        return HttpSource(f"{s3.endpoint}/models/site").get(name, most=1000)

    assert probe_store(bucket(s3), public=public).public is False
    s3.public = True
    assert probe_store(bucket(s3), public=public).public is True
    assert probe_store(bucket(s3)).public is None


def test_a_probe_of_a_bucket_that_is_down_says_so_and_keeps_nothing(
    s3: FaultS3, bucket: Callable[..., S3Store]
) -> None:
    s3.break_by(DOWN)
    with pytest.raises(StoreError, match="SlowDown"):
        probing_stores.settled("s3://x", bucket(s3), now=NOW)
    assert not StoreFindings.objects.exists()


def test_what_was_found_is_told_in_words() -> None:
    def told(found: Findings) -> str:
        return "; ".join(f"{remark.verdict} {remark.says}" for remark in remarks(found))

    assert told(HONEST) == "good honours conditional writes: they are used"
    assert told(replace(HONEST, racers_won=8)).startswith("warn lets 8 of 8 racers win")
    assert "silently ignores 'only if absent' and refuses" in told(
        replace(HONEST, create="ignored", replace="refused")
    )
    assert "bad gives old bytes" in told(replace(HONEST, reads_its_writes=False))
    assert "does not keep Content-Type" in told(replace(HONEST, keeps_headers=False))
    assert "not what the public address gives" in told(replace(HONEST, public=False))
    assert "can be read at the public address" in told(replace(HONEST, public=True))
