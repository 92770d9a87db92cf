"""Whatever is published, renewed and rotated in whatever order, stock clients that keep their state follow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from signing.errors import MissingKeyError
from tests.signing.cast import PURPOSES, House, StockClient

REGIONS = ("eu", "de", "jp")


class AnySequence(RuleBasedStateMachine):
    """One publisher, and two stock clients: one that looks in often, one that was away for long."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="almanac-sequence-"))
        self.house = House()
        self.ever: dict[tuple[str, int], bytes] = {}
        self.highest: dict[str, int] = {}
        self.publish()
        self.often = StockClient(self.folder / "often", self.house)
        self.seldom = StockClient(self.folder / "seldom", self.house)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(
        path=st.sampled_from(["catalog/v2/models.yaml", "catalog/almanac/v1/catalog.json", "mirrors.json"]),
        data=st.binary(min_size=1, max_size=8),
    )
    def edit(self, path: str, data: bytes) -> None:
        self.house.documents[path] = data
        self.house.release += 1

    @rule(regions=st.lists(st.sampled_from(REGIONS), unique=True, max_size=3))
    def choose_regions(self, regions: list[str]) -> None:
        kept = {path: data for path, data in self.house.documents.items() if not path.startswith("regions/")}
        added = {f"regions/{region}/catalog/v2/models.yaml": region.encode() for region in regions}
        self.house.regions = tuple(regions)
        self.house.documents = {**kept, **added}

    @rule(hours=st.sampled_from([0.01, 1, 30, 24 * 4, 24 * 16, 24 * 100, 24 * 200]))
    def pass_time(self, hours: float) -> None:
        """Afterwards the hourly work is done, as it is in a living installation."""
        self.house.pass_time(hours=hours)
        self.publish()

    @rule(purpose=st.sampled_from(PURPOSES))
    def rotate(self, purpose: str) -> None:
        self.house.keys.rotate(purpose)

    @rule()
    def publish(self) -> None:
        try:
            made = self.house.publish()
        except MissingKeyError:
            # Refused whole: nothing of it may have been signed.
            assert self.house.keys.elsewhere
            return
        for role, data in made.roles.items():
            version = json.loads(data)["signed"]["version"]
            assert self.ever.setdefault((role, version), data) == data, f"two truths about {role} {version}"
            assert version >= self.highest.get(role, 0)
            assert (version > self.highest.get(role, 0)) == (role in made.changed)
            self.highest[role] = version

    @precondition(lambda self: not self.house.keys.elsewhere)
    @rule(purpose=st.sampled_from(["root", "targets"]))
    def take_an_offline_key_away(self, purpose: str) -> None:
        self.house.keys.send_away(purpose)

    @rule()
    def bring_the_offline_keys_back(self) -> None:
        """And what they were missed for is signed, as a tick does within the hour."""
        self.house.keys.elsewhere.clear()
        self.publish()

    @rule()
    def the_seldom_client_comes_back(self) -> None:
        self.reads_all(self.seldom)

    @invariant()
    def the_often_client_reads_what_is_listed(self) -> None:
        self.reads_all(self.often)

    def reads_all(self, client: StockClient) -> None:
        if self.expired():
            return
        listed = {
            path: entry["hashes"]["sha256"]
            for role, data in self.house.current.items()
            for path, entry in json.loads(data)["signed"].get("targets", {}).items()
            if self.is_delegated(role)
        }
        updater = client.refreshed()
        for path, sha256 in listed.items():
            info = updater.get_targetinfo(path)
            assert info is not None, path
            assert info.hashes["sha256"] == sha256

    def is_delegated(self, role: str) -> bool:
        names = {
            entry["name"]
            for parent in ("targets", "v2", "almanac-v1")
            for entry in (
                json.loads(self.house.current[parent])["signed"].get("delegations") or {"roles": []}
            )["roles"]
        }
        return role in names

    def expired(self) -> bool:
        """Only where offline keys were missed for long: then clients rightly keep what they have."""
        now = f"{self.house.now:%Y-%m-%dT%H:%M:%SZ}"
        late = [r for r, data in self.house.current.items() if json.loads(data)["signed"]["expires"] <= now]
        late = [
            role
            for role in late
            if role in ("root", "targets", "snapshot", "timestamp") or self.is_delegated(role)
        ]
        assert not late or self.house.keys.elsewhere
        return bool(late)


AnySequence.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
TestAnySequence = AnySequence.TestCase

PROGRAM = """
import hashlib, json
from tests.signing.cast import House
house = House(regions=("eu", "de", "jp"))
house.publish()
house.keys.rotate("publisher")
house.documents["catalog/v2/models.yaml"] = b"x"
house.publish()
print(hashlib.sha256(json.dumps(sorted((k, v.hex()) for k, v in house.store.items())).encode()).hexdigest())
"""


def test_the_same_input_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(answers) == 1
