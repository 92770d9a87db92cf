"""Buckets of the tests: two fault-injecting servers, stores at them, and what is true of every bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from almanac.s3_store import Conditions, Patience, Place, S3Store, connected
from almanac.stores import ObjectStore
from mirrors.models import Publication, SignedFile, StoreFindings
from mirrors.services.probing_stores import Findings
from tests.faults3 import Fault, FaultS3
from tests.mirrors.cast import ALMANAC, NOW, V2, PlainCatalog, Publisher, Stranger, lines

QUICK = Patience(tries=4, total_s=30, first_wait_s=0.001, longest_wait_s=0.002, connect_s=2, read_s=0.2)
ONCE = replace(QUICK, tries=1)
HONEST = Findings("honoured", "honoured", 1, reads_its_writes=True, keeps_headers=True)
DOWN = Fault("503", times=10_000)
BOTH = Conditions(create=True, replace=True)
State = Publication.State


@pytest.fixture(scope="module", autouse=True)
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests' own credentials; nothing of the developer's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "S3_"))]:
            patch.delenv(name)
        nowhere = str(tmp_path_factory.mktemp("aws") / "none")
        patch.setenv("AWS_CONFIG_FILE", nowhere)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
        for name, value in FaultS3().environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FaultS3, FaultS3]]:
    with FaultS3().running() as first, FaultS3().running() as second:
        yield first, second


@pytest.fixture(scope="module")
def clients(servers: tuple[FaultS3, FaultS3], aws: None) -> dict[str, object]:
    return {server.endpoint: connected(server.endpoint, QUICK, 8) for server in servers}


@pytest.fixture
def s3(servers: tuple[FaultS3, FaultS3]) -> FaultS3:
    servers[0].forget()
    return servers[0]


@pytest.fixture
def second_s3(servers: tuple[FaultS3, FaultS3]) -> FaultS3:
    servers[1].forget()
    return servers[1]


@pytest.fixture
def bucket(clients: dict[str, object]) -> Callable[..., S3Store]:
    def bucket(server: FaultS3, *, patience: Patience = QUICK, at_once: int = 4) -> S3Store:
        quiet = {"sleep": lambda _s: None, "chance": lambda: 0.5}
        place = Place("models", "site")
        return S3Store(place, lambda: clients[server.endpoint], patience=patience, at_once=at_once, **quiet)  # type: ignore[arg-type]

    return bucket


def small(folder: Path, store: ObjectStore) -> Publisher:
    """Two documents, so that a publication has few calls and each of them can fail in turn."""
    return Publisher(folder, PlainCatalog({V2: lines(20), ALMANAC: lines(20, "almanac")}), store)


def known(url: str = "memory:first", found: Findings = HONEST) -> None:
    """As if the bucket had been probed at its configuration."""
    StoreFindings.objects.update_or_create(url=url, defaults={"found": asdict(found), "probed_at": NOW})


def whole(server: FaultS3, publisher: Publisher, folder: Path) -> dict[str, bytes]:
    """What a stranger reads there, all of it verified."""
    return Stranger(server.contents("site/"), folder, now=publisher.now).documents()


def assert_no_version_twice(*servers: FaultS3) -> None:
    """Per role and version one byte string ever: in the database, and in everything that was ever sent."""
    saved = {row.address: bytes(row.data) for row in SignedFile.objects.exclude(role__in=("", "timestamp"))}
    timestamps = {bytes(row.data) for row in SignedFile.objects.filter(role="timestamp")}
    for asked in (asked for server in servers for asked in server.log if asked.op == "PUT"):
        name = asked.key.partition("/site/")[2]
        if name == "metadata/timestamp.json":
            assert asked.body in timestamps
        elif name.startswith("metadata/"):
            assert asked.body == saved[name], f"{name} was sent with two contents"


def promised(server: FaultS3) -> set[str]:
    """All names but those of precompressed copies, which nobody is promised."""
    return {name for name in server.objects if not name.endswith((".br", ".gz", ".zst"))}
