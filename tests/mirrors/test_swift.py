"""A bucket in OpenStack Swift, a server that others wrote: the store's promises, the probe, and whole publications."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.s3_store import Patience, Place, S3Store, connected
from almanac.stores import ObjectStore, StoreError, store_at
from mirrors.services import probing_stores
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from tests.client.test_stores import StoreContract
from tests.mirrors.buckets import small
from tests.mirrors.cast import V2, Stranger, lines
from tests.mirrors.home import PREPARE, Home
from tests.swift import Swift, running_swift

pytestmark = [pytest.mark.slow, pytest.mark.service]
PATIENCE = Patience(connect_s=5, read_s=30)


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with running_swift(tmp_path_factory.mktemp("swift")) as swift, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "S3_"))]:
            patch.delenv(name)
        for name, value in swift.environment.items():
            patch.setenv(name, value)
        yield swift


@pytest.fixture(scope="module")
def client(swift: Swift) -> object:
    return connected(swift.endpoint, PATIENCE, 8)


@pytest.fixture
def store(client: object, request: pytest.FixtureRequest) -> S3Store:
    bucket = f"b{abs(hash(request.node.nodeid)):x}"
    client.create_bucket(Bucket=bucket)  # type: ignore[attr-defined]
    return S3Store(Place(bucket, "site"), lambda: client, patience=PATIENCE)  # type: ignore[arg-type, return-value]


class TestSwift(StoreContract):
    @pytest.fixture
    def store(self, store: S3Store) -> ObjectStore:
        return store


def test_a_wrong_secret_is_refused_in_words(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of somebody else")
    with pytest.raises(StoreError) as refused:
        store_at(f"s3://{store.place.bucket}/site").get("metadata/timestamp.json")
    assert "AWS_SECRET_ACCESS_KEY" in str(refused.value) or "credentials" in str(refused.value)


@pytest.mark.django_db
def test_publications_are_whole_there_though_no_condition_is_honoured(store: S3Store, tmp_path: Path) -> None:
    publisher = small(tmp_path, store)
    publisher.publish()
    found = probing_stores.kept("memory:first")
    assert found
    assert (found.create, found.replace) == ("refused", "refused")
    assert found.reads_its_writes
    publisher.edit(V2, lines(20, changed=1))
    publisher.pass_time(hours=1)
    publisher.publish()
    report = verify_store(StoreSource(store, "s3://models/site"), now=publisher.now)
    assert (report.exit_code, report.problems) == (0, [])
    assert Stranger(store, tmp_path / "reader", now=publisher.now).documents()[V2] == lines(20, changed=1)


def test_the_commands_publish_into_it_and_verify_it(store: S3Store, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.python(PREPARE)
    bucket = {"ALMANAC_STORE": f"s3://{store.place.bucket}/site"}
    home.manage("publish", **bucket)
    verified = home.manage("verifystore", bucket["ALMANAC_STORE"], **bucket)
    assert "all of it verified" in verified.stdout
    doctor = home.manage("doctor", "--json", check=False, **bucket)
    says = [check["says"] for check in json.loads(doctor.stdout)["checks"]]
    assert any("refuses" in line for line in says), says
