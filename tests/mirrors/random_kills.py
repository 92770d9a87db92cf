"""A real process edits and publishes, and is killed (SIGKILL) at random moments, thousands of times.

python -m tests.mirrors.random_kills --kills 10000 --workers 2 --seed 7 [--seconds 600] [--database postgres://…]

Django is imported once; every life of the publisher is a fork. It says on a pipe what it is about to write and, when
the transaction is over, that it is written: that is the acknowledgement an operator gets. After every kill somebody
who shares no code with it (``tests.simulation.verifier``, plain SQL) looks at the database and the store:

- every acknowledged edit is there, and what readers get of a record never goes back;
- the store is whole: everything that its timestamp promises is there, signed, and has its hash, deltas included;
- no role's version was ever signed with two different bytes, in the database or in the store;
- releases are published in their order, each once, without a hole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import tests.early  # noqa: F401  # before Django reads its settings

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there
MODELS: Final = 40
ALMANAC: Final = "catalog/almanac/v1/catalog.json"
PLACES: Final = (
    "edit", "taken-up", "cut", "rendered", "released", "deltas", "staged", "signing", "signed", "pushing", "object",
    "metadata", "read-back", "before-timestamp", "after-timestamp", "committed", "plain", "plain-done", "announcing",
)  # fmt: skip
BY_THE_CLOCK: Final = 0.4
"""So many lives end after a random time, the others a random moment after a random place: else few came far."""
PACE: Final = "pace"


class LostError(AssertionError):
    """An invariant that did not hold."""


@dataclass
class Known:
    """What the one who looks remembers from look to look."""

    acknowledged: dict[int, int] = field(default_factory=dict)
    tried: dict[int, list[int]] = field(default_factory=dict)
    published: dict[int, int] = field(default_factory=dict)
    signed: dict[str, str] = field(default_factory=dict)
    newest_row: int = 0
    release: int = 0
    timestamp: int = 0


@dataclass
class Told:
    kills: int = 0
    edits: int = 0
    publications: int = 0
    releases: int = 0
    in_the_middle: int = 0
    """Kills that left a publication unfinished."""
    steps: Counter[str] = field(default_factory=Counter)
    """Which step it was in."""
    seconds: float = 0.0


# The one that is killed.


def live(means: Any, pipe: int, seed: int, first: int, *, lies: bool) -> None:
    """Edits and publishes until the process is killed. Every edit gets the next number as its name."""
    from almanac.errors import AlmanacError
    from catalog.guards import GUARDS
    from catalog.records import key_of
    from catalog.services.changes import ProposedChange, propose
    from mirrors.services import publishing, ticking
    from tests import factories as f

    means = replace(means, passing=lambda place: os.write(pipe, f"at {place}\n".encode()))
    chance, number = random.Random(seed), first
    every_guard = ",".join(GUARDS)
    while True:
        for _ in range(chance.randrange(4)):
            model, number = chance.randrange(MODELS), number + 1
            kind, record = f.entry(f"m{model}", name=f"v{number}")
            os.write(pipe, f"try {model} {number}\n".encode())
            if lies:
                os.write(pipe, f"done {model} {number}\n".encode())
            os.write(pipe, b"at edit\n")
            change = ProposedChange(kind, key_of(kind, record), record)
            propose(title="edit", changes=[change], by="alice", now=datetime.now(UTC))
            os.write(pipe, f"done {model} {number}\n".encode())
        with suppress(AlmanacError):
            if chance.random() < 0.2:
                ticking.tick(means)
            else:
                asked = {"override": every_guard, "reason": "a test"}
                publishing.publish(means, by="alice", wait_s=0, **asked)


class Victims:
    """Forks one life after the other, kills it, and reads what it said before."""

    def __init__(self, folder: Path, seed: int, *, lies: bool) -> None:
        self.folder, self.lies = folder, lies
        self.chance = random.Random(seed)
        self.first = 0
        self.pace = float((folder / PACE).read_text())

    def one(self, known: Known, told: Told) -> None:
        reading, writing = os.pipe()
        seed = self.chance.randrange(1 << 30)
        child = os.fork()
        if not child:
            self._be_killed(writing, seed)
        os.close(writing)
        said = self._wait(reading)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as pipe:
            said += pipe.read()
        if not os.WIFSIGNALED(status):
            raise LostError(f"the publisher ended by itself: {(self.folder / 'errors').read_text()}")
        told.kills += 1
        for line in said.decode().split("\n")[:-1]:
            verb, _, rest = line.partition(" ")
            if verb == "at":
                continue
            model, number = rest.split()
            self.first = max(self.first, int(number))
            if verb == "try":
                known.tried.setdefault(int(model), []).append(int(number))
            else:
                known.acknowledged[int(model)] = int(number)
                told.edits += 1

    def _wait(self, pipe: int) -> bytes:
        """Until it is time to kill; what was said meanwhile."""
        if self.chance.random() < BY_THE_CLOCK:
            time.sleep(self.chance.random() * self.pace)
            return b""
        place = f"at {self.chance.choice(PLACES)}\n".encode()
        said, give_up = b"", time.monotonic() + 3 * self.pace
        while place not in said and (left := give_up - time.monotonic()) > 0:
            if select.select([pipe], [], [], left)[0]:
                said += os.read(pipe, 65536)
        time.sleep(self.chance.random() * 0.03 * self.pace)
        return said

    def _be_killed(self, pipe: int, seed: int) -> None:
        import traceback

        try:
            live(means_in(self.folder), pipe, seed, self.first, lies=self.lies)
        except BaseException:  # noqa: BLE001  # nothing above a forked process would show it
            (self.folder / "errors").write_text(traceback.format_exc())
        finally:
            os._exit(1)


def means_in(folder: Path) -> Any:
    from tests.catalog.admin.cast import means_in

    return means_in(folder)


# The one who looks.


class Looker:
    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database

    def look(self, known: Known, told: Told) -> None:
        with self._connected() as ask:
            self._look_at_edits(ask, known)
            self._look_at_signatures(ask, known)
            self._look_at_publications(ask, told)
        self._look_at_store(known)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A function that asks the database, with nothing of Django."""
        if not self.database:
            path = self.folder / "almanac.sqlite3"
            connection: Any = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
        else:
            import psycopg

            connection = psycopg.connect(self.database)
        try:
            yield lambda query: connection.execute(query).fetchall()
        finally:
            connection.close()

    def _look_at_edits(self, ask: Any, known: Known) -> None:
        rows = ask("SELECT key, data FROM catalog_recordversion WHERE kind = 'entry' AND live")
        names = {int(key.removeprefix("acme/m")): json.loads(data)["name"] for key, data in rows}
        for model, numbers in known.tried.items():
            there = int(names[model].removeprefix("v"))
            acknowledged = known.acknowledged.get(model, 0)
            if there < acknowledged:
                raise LostError(
                    f"edit {acknowledged} of m{model} was acknowledged and is lost: it is v{there}"
                )
            if there and there not in numbers and there != acknowledged:
                raise LostError(f"m{model} is v{there}, which nobody wrote")
            known.acknowledged[model] = there  # one whose acknowledgement was cut off counts from now on
            known.tried[model] = [number for number in numbers if number > there]

    def _look_at_signatures(self, ask: Any, known: Known) -> None:
        query = "SELECT id, role, version, data FROM mirrors_signedfile WHERE role <> '' AND id > "
        for number, role, version, data in ask(f"{query}{known.newest_row} ORDER BY id"):
            known.newest_row = number
            self._note_signed(known, f"{version}.{role}", bytes(data))

    def _note_signed(self, known: Known, name: str, data: bytes) -> None:
        sha256 = hashlib.sha256(data).hexdigest()
        if known.signed.setdefault(name, sha256) != sha256:
            raise LostError(f"{name} was signed twice, with different bytes")

    def _look_at_publications(self, ask: Any, told: Told) -> None:
        query = "SELECT release, state, steps FROM mirrors_publication WHERE reason = 'release' ORDER BY id"
        rows = ask(query)
        out = [release for release, state, _ in rows if state in {"committed", "announced"}]
        if out != list(range(1, len(out) + 1)):
            raise LostError(f"the releases have a hole, or one is there twice: {out[-20:]}")
        told.releases = len(out)
        told.publications = ask("SELECT count(*) FROM mirrors_publication WHERE state = 'announced'")[0][0]
        for _, state, steps in rows:
            if state in {"preparing", "signed", "pushing", "committed"}:
                log = json.loads(steps) if isinstance(steps, str) else steps
                told.in_the_middle += 1
                told.steps[log[-1]["step"] if log else ""] += 1

    def _look_at_store(self, known: Known) -> None:
        from almanac.stores import FileStore
        from tests.mirrors.cast import Everything
        from tests.simulation import verifier

        objects = Everything(FileStore(self.folder / "store"))
        try:
            found = verifier.read(objects)
        except verifier.BrokenError as broken:
            raise LostError(f"the store is not whole: {broken}") from broken
        if found.release < known.release or found.versions["timestamp"] < known.timestamp:
            raise LostError(f"the store went back to release {found.release}")
        known.release, known.timestamp = found.release, found.versions["timestamp"]
        for role, version in found.versions.items():
            path = "metadata/timestamp.json" if role == "timestamp" else f"metadata/{version}.{role}.json"
            self._note_signed(known, f"{version}.{role}", objects[path])
        folder, _, name = ALMANAC.rpartition("/")
        document = objects[f"targets/{folder}/{found.documents[ALMANAC]}.{name}"]
        self._look_at_document(document, known)

    def _look_at_document(self, document: bytes, known: Known) -> None:
        for entry in json.loads(document)["entries"]:
            model, name = int(entry["id"].removeprefix("acme/m")), int(entry["name"].removeprefix("v"))
            if name < known.published.get(model, 0):
                raise LostError(f"readers had v{known.published[model]} of m{model}, and get v{name} now")
            if name > known.acknowledged.get(model, 0):
                raise LostError(f"readers get v{name} of m{model}, and the catalog holds an older one")
            known.published[model] = name

    def look_in_the_end(self, known: Known) -> None:
        """After a last, undisturbed publication readers have everything that was ever acknowledged."""
        for model, number in known.acknowledged.items():
            if known.published.get(model) != number:
                raise LostError(f"m{model} is v{number}, and readers get v{known.published.get(model)}")


# One worker.


def prepare(folder: Path) -> None:
    from django.core.management import call_command

    from catalog.records import key_of
    from catalog.services.changes import ProposedChange, propose
    from mirrors.services import publishing
    from tests import factories as f

    call_command("migrate", verbosity=0)
    price = {"meter": "input", "unit": "token", "amount": "0.000001", "currency": "USD"}
    made = [f.region(), f.lab(), f.provider(), f.schema(membership="automatic")]
    for n in range(MODELS):
        made += [f.entry(f"m{n}", name="v0"), f.offering(f"m{n}", entry=f"acme/m{n}", prices=[price])]
    changes = [ProposedChange(kind, key_of(kind, record), record) for kind, record in made]
    propose(title="first", changes=changes, by="alice", now=datetime.now(UTC))
    publishing.publish(means_in(folder), by="alice", wait_s=0)
    kind, record = f.entry("m0", name="v0", description="changed")
    change = ProposedChange(kind, key_of(kind, record), record)
    propose(title="pace", changes=[change], by="alice", now=datetime.now(UTC))
    began = time.monotonic()
    publishing.publish(means_in(folder), by="alice", wait_s=0)
    (folder / PACE).write_text(str(time.monotonic() - began))


def publish_in_peace(folder: Path) -> None:
    from catalog.guards import GUARDS
    from mirrors.services import publishing

    publishing.publish(means_in(folder), by="alice", override=",".join(GUARDS), reason="a test", wait_s=0)


def in_a_child(work: Any, *arguments: Any) -> None:
    """So that the process that forks never holds a connection to the database."""
    child = os.fork()
    if not child:
        import traceback

        status = 1
        try:
            work(*arguments)
            status = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("see above")


def torment(asked: argparse.Namespace, folder: Path) -> Told:
    known, told = Known(), Told()
    in_a_child(prepare, folder)
    victims = Victims(folder, asked.seed, lies=asked.lies)
    looker = Looker(folder, asked.database)
    began = time.monotonic()
    while told.kills < asked.kills and time.monotonic() - began < asked.seconds:
        victims.one(known, told)
        looker.look(known, told)
    in_a_child(publish_in_peace, folder)
    looker.look(known, told)
    looker.look_in_the_end(known)
    told.seconds = round(time.monotonic() - began, 1)
    return told


@contextmanager
def working_folder() -> Iterator[Path]:
    """In memory where the system has such a place: a killed process loses nothing that it has written, synced or not."""
    folder = Path(tempfile.mkdtemp(prefix="almanac-kills-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database_of_its_own(server: str, number: int) -> Iterator[str]:
    """On a PostgreSQL server; nothing where the database is SQLite."""
    if not server:
        yield ""
        return
    import psycopg

    name = f"almanac_kills_{os.getpid()}_{number}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def worker(asked: argparse.Namespace) -> int:
    with working_folder() as folder, database_of_its_own(asked.database, asked.worker) as database:
        os.environ.update(
            ALMANAC_HOME=str(folder), DATABASE_URL=database, DJANGO_SETTINGS_MODULE="deploy.settings"
        )
        asked.database = database
        import django

        django.setup()
        import mirrors.services.ticking  # noqa: F401  # once, before anything is forked
        import tests.catalog.admin.cast  # noqa: F401

        try:
            told = torment(asked, folder)
        except LostError as lost:
            print(json.dumps({"lost": str(lost), "seed": asked.seed}))
            return 1
        print(json.dumps(vars(told)))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mirrors.random_kills")
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--database", default="", help="a PostgreSQL server: postgres://user@host/database")
    parser.add_argument(
        "--lies", action="store_true", help="acknowledge before it is written: must be found out"
    )
    parser.add_argument("--worker", type=int, default=-1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker >= 0:
        return worker(asked)
    began = time.monotonic()
    share = -(-asked.kills // asked.workers)
    command = [sys.executable, "-m", "tests.mirrors.random_kills", *sys.argv[1:], "--kills", str(share)]
    processes = [
        subprocess.Popen(
            [*command, "--worker", str(n), "--seed", str(asked.seed + n)], stdout=subprocess.PIPE, text=True
        )
        for n in range(asked.workers)
    ]
    found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    lost = [one for one in found if "lost" in one]
    counted = [name for name in vars(Told()) if name not in {"steps", "seconds"}]
    whole: dict[str, Any] = {name: sum(one.get(name, 0) for one in found) for name in counted}
    whole["steps"] = sum((Counter(one.get("steps", {})) for one in found), Counter())
    whole["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps({**whole, "lost": lost}))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
