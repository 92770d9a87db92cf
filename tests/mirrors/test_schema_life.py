"""A schema's life as readers see it: current, deprecated, retired, and back, each time with a release as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from almanac.lifecycle import FIELD
from almanac.static import StaticApp
from mirrors.models import SignedFile
from mirrors.services import publishing, ticking
from mirrors.services.means import Means
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from tests.catalog.admin.cast import means_in
from tests.client.static_site import Answer, ask
from tests.factories import entry, membership, region, schema, small_catalog, write
from tests.mirrors.cast import Stranger

pytestmark = pytest.mark.django_db(transaction=True)

V1, V2 = "catalog/v1/models.yaml", "catalog/v2/models.yaml"
DEPRECATED = {
    "status": "deprecated",
    "deprecated": "2026-11-20",
    "sunset": "2027-06-30",
    "successor": "v2",
    "clients": {"aichat": ">=0.17 <0.27"},
}
RETIRED = {**DEPRECATED, "status": "retired"}


class House:
    """An installation, its server, and somebody who trusts neither."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.means: Means = means_in(folder)
        self.app = StaticApp(folder / "store")
        self.stranger = Stranger(self.means.primary, folder / "stranger", now=timezone.now())

    def publish(self) -> None:
        publishing.publish(self.means, by="alice", wait_s=0)

    def v1(self, **life: object) -> None:
        write(schema("v1", **life))
        self.publish()

    def versions(self) -> dict[str, int]:
        """Role -> the newest version that was signed of it."""
        rows = SignedFile.objects.exclude(role="").order_by("version")
        return dict(rows.values_list("role", "version"))

    def get(self, address: str, **headers: str) -> Answer:
        return ask(self.app, address, **headers)


@pytest.fixture
def house(tmp_path: Path) -> House:
    v1 = [
        schema("v1"),
        *(membership(subject, schema="v1") for subject in ("provider:acme", "offering:acme:zeta")),
    ]
    write(*small_catalog(), *v1)
    found = House(tmp_path)
    found.publish()
    return found


def documents_but_v1(found: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in found.items() if "/v1/models.yaml" not in f"/{path}"}


def test_a_current_schema_is_served_without_a_word_about_its_life(house: House) -> None:
    answer = house.get(f"/{V1}")
    assert answer.status == 200
    assert not {"deprecation", "sunset", "link"} & answer.headers.keys()
    assert FIELD not in json.loads(house.means.primary.get("metadata/1.v1.json"))["signed"]


@pytest.mark.parametrize("place", ["", "regions/eu/"])
@pytest.mark.parametrize("ending", ["", ".minisig"])
def test_a_deprecated_schema_says_so_at_every_plain_address(house: House, place: str, ending: str) -> None:
    house.v1(**DEPRECATED)
    answer = house.get(f"/{place}{V1}{ending}")
    assert answer.status == 200
    assert answer["Deprecation"] == "@1795132800"  # 2026-11-20 00:00 UTC
    assert answer["Sunset"] == "Wed, 30 Jun 2027 23:59:59 GMT"
    assert answer["Link"] == f'</{place}{V2}>; rel="successor-version"'
    held = house.get(f"/{place}{V1}{ending}", If_None_Match=str(answer["ETag"]))
    assert (held.status, held["Sunset"]) == (304, answer["Sunset"])
    assert house.get(f"/{place}{V2}{ending}")["Deprecation"] is None


def test_a_question_for_a_region_says_it_too(house: House) -> None:
    house.v1(**DEPRECATED)
    assert house.get(f"/{V1}?region=eu")["Sunset"] is not None
    assert house.get(f"/{V1}", method="HEAD")["Sunset"] is not None


def test_a_deprecation_changes_no_document_and_no_other_role(house: House) -> None:
    before, versions = house.stranger.documents(), house.versions()
    house.v1(**DEPRECATED)
    assert house.stranger.documents() == before
    after = house.versions()
    changed = {role for role in after if after[role] != versions[role]}
    assert changed == {"v1", "snapshot", "timestamp"}


def test_the_life_is_signed_and_stays_when_signatures_are_renewed(house: House) -> None:
    house.v1(**DEPRECATED)
    version = house.versions()["v1"]
    later = timezone.now() + timedelta(days=28)
    ticking.tick(replace(house.means, clock=lambda: later), jobs_at_once=0)
    assert house.versions()["v1"] == version + 1
    signed = json.loads(house.means.primary.get(f"metadata/{version + 1}.v1.json"))["signed"]
    assert signed[FIELD] == [
        {"name": "v1", "file": V1, "status": "deprecated", "deprecated": "2026-11-20", "sunset": "2027-06-30",
         "successor": V2, "clients": {"aichat": ">=0.17 <0.27"}},
    ]  # fmt: skip
    assert house.get(f"/{V1}")["Sunset"] is not None


@pytest.mark.parametrize(
    "address",
    [V1, f"{V1}.minisig", f"{V1}?region=eu", f"{V1}?client_version=0.1", f"regions/eu/{V1}", f"regions/eu/{V1}.minisig",
     f"regions/eu/arms/order/other/{V1}"],
)  # fmt: skip
def test_a_retired_schemas_addresses_answer_410_with_the_successor(house: House, address: str) -> None:
    house.v1(**RETIRED)
    answer = house.get(f"/{address}")
    assert answer.status == 410
    assert answer.problem["successor"] == f"/{V2}"
    assert answer.problem["schema"] == "v1"
    assert answer["Link"] == f'</{V2}>; rel="successor-version"'
    assert house.get(f"/{address}", method="HEAD").body == b""
    assert house.get(f"/{V2}").status == 200


def test_an_address_that_never_was_is_still_404(house: House) -> None:
    house.v1(**RETIRED)
    for address in ("/catalog/v1/other.yaml", "/catalog/v0/models.yaml", f"/x/{V1}", f"/{V1}.gz", f"/{V1}/"):
        assert house.get(address).status == 404


def test_what_readers_trust_goes_on_verifying_when_a_schema_is_retired_and_comes_back(house: House) -> None:
    first = house.stranger.documents()
    old = house.get(f"/{V1}").body
    immutable = next(
        name for name in house.means.primary.names("targets/catalog/v1/") if name.endswith("models.yaml")
    )
    house.v1(**RETIRED)
    retired = house.stranger.documents()
    assert documents_but_v1(retired) == documents_but_v1(first)
    assert set(first) - set(retired) == {V1, f"regions/eu/{V1}"}
    assert house.get(f"/{immutable}").body == old
    assert {"v1", "v1-eu"} <= house.versions().keys()
    house.v1(status="current")
    assert house.stranger.documents() == first
    answer = house.get(f"/{V1}")
    assert (answer.status, answer.body, answer["Deprecation"]) == (200, old, None)


def test_the_index_says_how_far_each_schemas_life_is(house: House) -> None:
    house.v1(**DEPRECATED)
    lines = {line["name"]: line for line in house.stranger.index()["schemas"]}
    assert {name: lines["v1"][name] for name in ("status", "sunset", "deprecated", "successor", "clients")} == {
        "status": "deprecated", "sunset": "2027-06-30", "deprecated": "2026-11-20", "successor": V2,
        "clients": {"aichat": ">=0.17 <0.27"},
    }  # fmt: skip
    assert (lines["v2"]["status"], "successor" in lines["v2"]) == ("current", False)
    house.v1(**RETIRED)
    lines = {line["name"]: line for line in house.stranger.index()["schemas"]}
    assert (lines["v1"]["status"], lines["v1"]["target"], lines["v1"]["successor"]) == ("retired", None, V2)


def test_a_store_with_a_deprecated_and_a_retired_schema_is_verified(house: House) -> None:
    write(schema("almanac/v1", membership="automatic", status="deprecated", deprecated="2026-11-20"))
    house.v1(**RETIRED)
    report = verify_store(StoreSource(house.means.primary, "the store"), now=timezone.now())
    assert (report.problems, report.exit_code) == ([], 0)


@pytest.mark.parametrize(
    "lie", [{"status": "current"}, {"sunset": None}, {"successor": "catalog/evil.json"}, {"clients": {}}]
)
def test_an_index_that_contradicts_the_signed_life_is_named(house: House, lie: dict[str, object]) -> None:
    house.v1(**RETIRED)
    index = house.stranger.index()
    index["schemas"] = [line | (lie if line["name"] == "v1" else {}) for line in index["schemas"]]
    house.means.primary.put("index.json", json.dumps(index).encode())
    report = verify_store(StoreSource(house.means.primary, "the store"), now=timezone.now())
    assert "schema 'v1'" in str(report.problems)


def test_the_server_switches_with_the_commit_and_not_before(house: House) -> None:
    """What a publication leaves behind when it ends before its commit changes no answer."""

    class Stopped(Exception):  # noqa: N818
        pass

    def passing(step: str) -> None:
        if step == "pushing":
            raise Stopped

    write(schema("v1", **RETIRED))
    stopped = replace(house.means, passing=passing)
    with pytest.raises(Stopped):
        publishing.publish(stopped, by="alice", wait_s=0)
    assert house.get(f"/{V1}").status == 200
    write(entry("zeta", name="Another"), region("eu", parent="global"))
    house.publish()
    assert house.get(f"/{V1}").status == 410
