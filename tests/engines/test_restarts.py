"""PostgreSQL, Redis and RabbitMQ killed in the middle of publications, under two Celery workers and beat.

Nobody helps: a supervisor starts what died again, and that is all. What was acknowledged is published, once.
The store is ``tests/faults3.py``, a fake of our own, because it lets a test stop a publication at a given write.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest

from tests.engines.gate import Gate
from tests.engines.installation import Crew, Installation, named_in, quick_beat, worker
from tests.engines.services import Postgres, RabbitMQ, Redis, Service, running_or_skipped, wait_until
from tests.mirrors.cast import Stranger

pytestmark = pytest.mark.slow

MIDDLES = {
    "at its first object": r"/targets/",
    "at its signed metadata": r"/metadata/\d+\.",
    "at its commit": r"/metadata/timestamp\.json$",
    "after its commit": r"/index\.json$",
}
EDIT_AND_ASK = """
import sys
from datetime import datetime, timezone
from catalog.records import Kind, key_of
from catalog.services.changes import ProposedChange, propose
from mirrors.services.publishing import request_publication
from mirrors.tasks import wake
from tests import factories as f

now = datetime.now(timezone.utc)
kind, record = f.entry(sys.argv[2], name=sys.argv[3])
propose(title="edit", changes=[ProposedChange(kind, key_of(kind, record), record)], by="alice", now=now)
wake(request_publication(by="alice", now=now))
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_or_skipped(Postgres) as service:
        yield cast(Postgres, service)


@pytest.fixture(scope="module", params=[Redis, RabbitMQ], ids=["Redis", "RabbitMQ"])
def broker(request: pytest.FixtureRequest) -> Iterator[Redis | RabbitMQ]:
    with running_or_skipped(request.param) as service:
        yield cast("Redis | RabbitMQ", service)


class Site:
    """Two workers, one of each pool, and beat, on services that can be killed, publishing to a bucket that can be stopped."""

    def __init__(
        self, installation: Installation, crew: Crew, bucket: Gate, services: dict[str, Service]
    ) -> None:
        self.installation, self.crew, self.bucket, self.services = installation, crew, bucket, services
        self.edits = 0

    def edit_and_ask(self) -> str:
        """The name that was acknowledged."""
        self.edits += 1
        name = f"Name {self.edits}"
        self.installation.python(EDIT_AND_ASK, "m7", name)
        return name

    def kill_in_the_middle(self, service: str, pattern: str) -> None:
        """The publication stands at that write while the service dies and comes back."""
        self.bucket.hold(pattern)
        name = self.edit_and_ask()
        wait_until(self.bucket.reached.is_set, "the publication came to the write that it is stopped at")
        self.services[service].kill()
        time.sleep(0.3)
        self.services[service].start()
        self.bucket.open()
        self.crew.settle()
        self.check(name)

    def check(self, name: str) -> None:
        """The newest acknowledged name is what a stranger gets, by as many releases as there were edits."""
        assert self.installation.releases() == list(range(1, self.edits + 2))
        assert self.bucket.contents("site/").get("index.json")
        stranger = Stranger(
            self.bucket.contents("site/"),
            self.installation.folder / f"stranger-{self.edits}",
            now=datetime.now(UTC),
        )
        assert named_in(stranger.documents())["acme/m7"] == name
        assert stranger.release() == self.edits + 1


@pytest.fixture(scope="module")
def site(
    postgres: Postgres, broker: Redis | RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with Gate().running() as bucket:
        bucket.public = True
        settings = {
            **bucket.environment,
            "DATABASE_URL": postgres.create(f"site_{broker.name.lower()}"),
            "CELERY_BROKER_URL": broker.url,
            "ALMANAC_STORE": "s3://models/site",
        }
        installation = Installation(folder / "home", **settings).prepared_here()
        with Crew(installation).at_work() as crew:
            crew.add("prefork", worker("prefork", "--concurrency=2"))
            crew.add("solo", worker("solo", "--pool=solo"))
            crew.add("beat", quick_beat(installation))
            services: dict[str, Service] = {"PostgreSQL": postgres, "broker": broker}
            yield Site(installation, crew, cast(Gate, bucket), services)


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize("service", ["PostgreSQL", "broker"])
def test_a_service_killed_in_the_middle_of_a_publication_costs_nothing(
    site: Site, service: str, middle: str
) -> None:
    site.kill_in_the_middle(service, MIDDLES[middle])


def test_a_worker_killed_in_the_middle_of_a_publication_is_replaced(site: Site) -> None:
    site.bucket.hold(MIDDLES["at its signed metadata"])
    name = site.edit_and_ask()
    wait_until(site.bucket.reached.is_set, "the publication came to the write that it is stopped at")
    for member in ("prefork", "solo"):
        site.crew.members[member].kill()
    site.bucket.open()
    site.crew.settle()
    site.check(name)


def test_all_services_killed_at_whatever_step_the_publication_is(site: Site) -> None:
    """Mostly while the catalog is cut and rendered, which takes longest; a quick worker may be further."""
    name = site.edit_and_ask()
    wait_until(lambda: site.installation.states()[-1] != "queued", "the publication is under way")
    for service in site.services.values():
        service.kill()
    for service in site.services.values():
        service.start()
    site.crew.settle()
    site.check(name)
