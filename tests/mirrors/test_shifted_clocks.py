"""The main flows at other times: 400 days back, 8, 60 and 400 days ahead, and past the second that 32 bits cannot hold.

In one process with the clock passed in, at all five; and with real processes whose clock Debian's ``faketime`` moves,
in 2038 (at the others too with ``make clocks``).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from almanac.errors import AlmanacError, ClockError, ExpiredError, RollbackError
from almanac.state import State
from almanac.static import StaticApp
from almanac.stores import store_at
from almanac.sync import Outcome, Surroundings, sync
from almanac.trust import pin
from mirrors.services import publishing, ticking
from mirrors.services.catalog_source import CatalogSource
from mirrors.services.means import Means
from mirrors.services.verification import verify_store
from mirrors.verifying.sources import StoreSource
from signing.minisign import read_public_key, verify
from tests import factories
from tests.clocks import BEYOND_32_BITS, DAY, SHIFTS
from tests.conftest import require_program
from tests.mirrors.cast import House, Stranger
from tests.mirrors.home import Home

V2 = "catalog/v2/models.yaml"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, StaticApp(folder), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Story:
    """An installation and one client of it, who live at the same moment."""

    folder: Path
    now: datetime
    address: str = ""

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def means(self) -> Means:
        keys = House()
        address = f"file://{self.store}"
        return Means(
            stores={address: store_at(address)},
            catalog=CatalogSource(),
            open_keys=lambda: keys,
            base_url="http://127.0.0.1:8000",
            staging=self.folder / "staging",
            clock=lambda: self.now,
        )

    @property
    def client(self) -> State:
        return State(self.folder / "client", self.folder / "client-config")

    def edit(self, name: str) -> None:
        factories.write(factories.entry("m1", name=name), now=self.now)

    def publish(self) -> int | None:
        every_guard = {"override": "mass-change", "reason": "a small catalog"}
        return publishing.publish(self.means, by="alice", wait_s=0, **every_guard).release

    def sync(self) -> Outcome:
        return sync(self.client, around=Surroundings(now=lambda: self.now))

    def trust(self) -> None:
        root = (self.store / "metadata" / "1.root.json").read_bytes()
        pin(self.client, self.address, root=root, fingerprint=hashlib.sha256(root).hexdigest())

    def later(self, **length: float) -> None:
        self.now += timedelta(**length)

    def refused(self, kind: type[AlmanacError]) -> None:
        before = self.client.accepted()
        with pytest.raises(kind):
            self.sync()
        assert self.client.accepted() == before

    def problems(self) -> list[AlmanacError]:
        """As ``verifystore`` finds them."""
        return verify_store(StoreSource(store_at(f"file://{self.store}"), "here"), now=self.now).problems

    def verified(self) -> Stranger:
        count = len(list(self.folder.glob("stranger-*")))
        return Stranger(store_at(f"file://{self.store}"), self.folder / f"stranger-{count}", now=self.now)


BACK = "400 days back"
"""Before any client of ours was built: none of them believes such a clock."""


@pytest.fixture(params=[name for name in SHIFTS if name != BACK])
def story(request: pytest.FixtureRequest, transactional_db: None, tmp_path: Path) -> Iterator[Story]:
    """With a release out that its client has."""
    yield from begun(Story(tmp_path, DAY + SHIFTS[request.param]))


def begun(story: Story) -> Iterator[Story]:
    factories.write(
        factories.region(),
        factories.lab(),
        factories.provider(),
        factories.schema(membership="automatic"),
        *(factories.entry(f"m{n}") for n in range(12)),
        *(factories.offering(f"m{n}", entry=f"acme/m{n}") for n in range(12)),
        now=story.now,
    )
    assert story.publish() == 1
    with served(story.store) as story.address:
        story.trust()
        if story.now > DAY - timedelta(days=300):
            assert story.sync().after.newest.number == 1
        yield story


def test_publishing_renewing_expiring_and_going_back_at_any_time(story: Story) -> None:
    shutil.copytree(story.store, story.folder / "old")
    story.edit("Another name")
    story.later(minutes=5)
    assert story.publish() == 2
    assert story.sync().after.newest.number == 2

    # Hours, days and weeks: whatever is due is signed anew, and readers never see the end of anything.
    for length in ({"hours": 2}, {"days": 2}, {"days": 6}, {"days": 8}, {"days": 30}):
        story.later(**length)
        ticked = ticking.tick(story.means)
        assert "timestamp" in ticked.renewed
        assert ticked.errors == []
        assert story.verified().release() == 2
        assert story.sync().after.newest.number == 2

    # Nobody renews for four days: clients say so, keep what they have, and go on when somebody does.
    story.later(days=4)
    story.refused(ExpiredError)
    ticking.tick(story.means)
    assert story.sync().after.newest.number == 2

    # An old copy comes back, signed and complete.
    kept = story.folder / "kept"
    story.store.rename(kept)
    (story.folder / "old").rename(story.store)
    with pytest.raises((RollbackError, ExpiredError)):
        story.sync()
    shutil.rmtree(story.store)
    kept.rename(story.store)
    assert story.verified().plain(V2) == (story.store / V2).read_bytes()
    assert story.problems() == []


def test_an_old_copy_that_has_not_expired_is_refused_at_any_time(story: Story) -> None:
    shutil.copytree(story.store, story.folder / "old")
    story.later(hours=2)
    ticking.tick(story.means)
    story.sync()
    shutil.rmtree(story.store)
    (story.folder / "old").rename(story.store)
    story.refused(RollbackError)


@pytest.mark.django_db(transaction=True)
def test_a_publisher_works_400_days_back_and_no_client_believes_that_clock(tmp_path: Path) -> None:
    for story in begun(Story(tmp_path, DAY + SHIFTS[BACK])):
        story.edit("Another name")
        assert story.publish() == 2
        for length in ({"hours": 2}, {"days": 8}, {"days": 30}):
            story.later(**length)
            assert "timestamp" in ticking.tick(story.means).renewed
            assert story.verified().release() == 2
            assert story.problems() == []
        story.refused(ClockError)


@pytest.mark.django_db(transaction=True)
def test_a_client_whose_clock_goes_400_days_back_goes_by_what_it_knows(tmp_path: Path) -> None:
    for story in begun(Story(tmp_path, DAY)):
        right, wrong = story.now, DAY + SHIFTS[BACK]
        story.edit("Another name")
        story.publish()
        story.now = wrong
        outcome = story.sync()
        assert outcome.after.newest.number == 2
        assert "clock is behind" in " ".join(outcome.warnings)
        # The publisher's own clock, gone back, signs nothing that expires before what it replaces.
        story.edit("Yet another name")
        with pytest.raises(ClockError):
            story.publish()
        story.now = right + timedelta(hours=1)
        assert story.publish() == 3


# Real processes.


def all_of_them() -> list[str]:
    return list(SHIFTS) if os.environ.get("CLOCKS") == "all" else ["2038"]


@dataclass
class LateHome(Home):
    """An installation whose processes believe that it is another day."""

    moment: datetime = BEYOND_32_BITS

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "TZ": "UTC"}

    def at(self, **length: float) -> LateHome:
        return replace(self, moment=self.moment + timedelta(**length))

    def moved(self, command: list[str]) -> list[str]:
        return [require_program("faketime"), "-f", self.moment.strftime("@%Y-%m-%d %H:%M:%S"), *command]

    def run(self, command: list[str], *, check: bool, **environment: str) -> subprocess.CompletedProcess[str]:
        return super().run(self.moved(command), check=check, **environment)

    def almanac(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        folders = {
            "ALMANAC_STATE_DIR": str(self.folder / "client"),
            "ALMANAC_CONFIG_DIR": str(self.folder / "config"),
        }
        command = [sys.executable, "-m", "almanac", *arguments]
        return self.run(command, check=check, **folders)


@pytest.mark.slow
@pytest.mark.parametrize("shift", all_of_them())
def test_real_processes_work_at_that_time(tmp_path: Path, shift: str) -> None:
    require_program("faketime")
    moment = BEYOND_32_BITS + timedelta(days=3) if shift == "2038" else DAY + SHIFTS[shift]
    folder = tmp_path / "home"
    folder.mkdir()
    home = LateHome(folder, moment)
    home.python(PREPARE_HERE)
    home.manage("publish")
    facts = json.loads((folder / "store" / "index.json").read_text())
    assert facts["published"].startswith(f"{moment:%Y-%m-%d}")
    with served(folder / "store") as address:
        client = home.at(minutes=4)
        client.almanac("trust", address, "--fingerprint", facts["root_fingerprint"])
        first = client.almanac("sync", check=False)
        assert first.returncode == (17 if shift == BACK else 0), first.stderr
        late = home.at(days=5).almanac("sync", check=False)
        assert late.returncode == (17 if shift == BACK else 11), late.stderr
    document, key = (folder / "store" / V2).read_bytes(), (folder / "store" / "minisign.pub").read_text()
    verify(document, (folder / "store" / f"{V2}.minisig").read_bytes(), read_public_key(key))
    soon = home.at(hours=2)
    assert "timestamp" in soon.facts("tick")["renewed"]
    soon.manage("verifystore")
    soon.manage("backup", str(tmp_path / "all.tar.gz"))
    other = LateHome(tmp_path / "other", moment + timedelta(hours=3))
    other.folder.mkdir()
    other.manage("restore", str(tmp_path / "all.tar.gz"), ALMANAC_STORE=f"file://{folder / 'store'}")
    assert (other.folder / "almanac.sqlite3").stat().st_size > 0


PREPARE_HERE = """
import sys
from datetime import datetime, timezone
from django.core.management import call_command
from pathlib import Path
from signing.keyring import Keyring
from signing.sealing import Strength
from tests import factories as f

now = datetime.now(timezone.utc)
call_command("migrate", verbosity=0)
Keyring.create(Path(sys.argv[1]) / "keys", now=now, strength=Strength(1, 8 * 2**20))
made = [f.region(), f.lab(), f.provider(), f.schema(membership="automatic")]
for n in range(8):
    made += [f.entry(f"m{n}"), f.offering(f"m{n}", entry=f"acme/m{n}")]
f.write(*made, now=now)
"""


def test_the_last_shift_really_crosses_the_second_that_32_bits_cannot_hold() -> None:
    begin = DAY + SHIFTS["2038"]
    assert begin.astimezone(UTC).timestamp() < 2**31 <= (begin + timedelta(hours=2)).timestamp()
