"""Who presses "publish" is never kept waiting by a broker: the row is the truth, a message only wakes a worker up."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.engines.installation import Crew, Installation, Template, quick_beat, worker
from tests.engines.services import Redis, free_port, running_or_skipped, wait_until

pytestmark = pytest.mark.slow

PRESS = """
import json, sys, time
from django.contrib.auth import get_user_model
from django.test import Client
from mirrors.models import Publication

user, _ = get_user_model().objects.get_or_create(username="alice", is_staff=True, is_superuser=True)
browser = Client(headers={"host": "127.0.0.1"})
browser.force_login(user)
began = time.monotonic()
answer = browser.post(sys.argv[2])
facts = {"status": answer.status_code, "seconds": time.monotonic() - began, "states": list(
    Publication.objects.order_by("pk").values_list("state", flat=True))}
print(json.dumps(facts))
"""


def press(installation: Installation, address: str = "/admin/publish/") -> dict[str, object]:
    """As a browser does, in a process that has the installation's settings."""
    code = "import django; django.setup()\n" + PRESS
    done = installation.run([sys.executable, "-c", code, str(installation.folder), address], check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with running_or_skipped(Redis) as service:
        yield cast(Redis, service)


def test_a_press_on_publish_wakes_a_worker_without_any_schedule(
    template: Template, redis: Redis, tmp_path: Path
) -> None:
    installation = template.copy(tmp_path / "home", CELERY_BROKER_URL=redis.url)
    installation.edit("m1", "Pressed")
    with Crew(installation).at_work() as crew:
        crew.add("worker", worker("one", "--pool=solo"))
        assert press(installation)["status"] == 302
        crew.settle()
        assert installation.releases() == [1, 2]
        assert press(installation, "/admin/rollback/1/")["status"] == 302
        wait_until(lambda: installation.releases() == [1, 2, 3], "the way back is published")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_press_on_publish_while_the_broker_is_away_is_kept_and_the_next_tick_makes_it(
    template: Template, tmp_path: Path, scheme: str
) -> None:
    gone = f"{scheme}://127.0.0.1:{free_port()}/"
    installation = template.copy(tmp_path / "home", CELERY_BROKER_URL=gone)
    installation.edit("m1", "Pressed in vain")
    said = press(installation)
    assert (said["status"], said["states"]) == (302, ["announced", "queued"])
    assert float(str(said["seconds"])) < 15
    assert installation.facts("tick")["published"] == [2]
    assert installation.releases() == [1, 2]


def test_commands_publish_by_themselves_whatever_the_broker_does(template: Template, tmp_path: Path) -> None:
    installation = template.copy(tmp_path / "home", CELERY_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
    installation.edit("m1", "By hand")
    assert installation.facts("publish")["state"] == "announced"
    assert installation.facts("rollback", "1")["state"] == "announced"
    assert installation.releases() == [1, 2, 3]


def test_a_broker_that_was_emptied_loses_nobody_a_publication(
    template: Template, redis: Redis, tmp_path: Path
) -> None:
    installation = template.copy(tmp_path / "home", CELERY_BROKER_URL=redis.url)
    installation.edit("m1", "Asked before the flush")
    assert press(installation)["status"] == 302
    redis.kill()
    for kept in redis.folder.glob("appendonlydir"):
        shutil.rmtree(kept)
    redis.start()
    with Crew(installation).at_work() as crew:
        crew.add("worker", worker("one", "--pool=solo"))
        crew.add("beat", quick_beat(installation))
        crew.settle()
    assert installation.releases() == [1, 2]
    wait_until(lambda: "queued" not in installation.states(), "nothing waits")
