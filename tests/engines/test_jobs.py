"""Two workers at one job: what one has done, the other's failure does not bring back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from almanac.stores import MemoryStore, StoreError
from mirrors.models import Job
from mirrors.services import jobs
from tests.mirrors.cast import Publisher

pytestmark = pytest.mark.django_db


class AnotherWorkerIsFaster(MemoryStore):
    """While this one reads, the other one has finished the job; then the store breaks."""

    def get(self, name: str) -> bytes:
        Job.objects.all().delete()
        raise StoreError("the store does not answer")


def test_a_job_that_another_worker_has_done_meanwhile_stays_done(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish()
    assert Job.objects.exists()
    publisher.store = AnotherWorkerIsFaster()
    assert jobs.run_due(publisher.means, now=publisher.now + timedelta(hours=1), most=1) == []
    assert not Job.objects.exists()
