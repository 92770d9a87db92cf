from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from almanac import trust
from almanac.errors import AlmanacError
from almanac.fetch import Limits
from almanac.state import State
from almanac.sync import Outcome, Surroundings, sync

from .simulator import NOW, Mirror, Repository, catalog
from .trees import tree_hash

QUICK = Limits(connect_s=2, read_s=2, patience_s=0.3, slowest_bytes_s=1024, wall_s=5)


@dataclass
class World:
    """A publisher, its mirror and one client of it."""

    folder: Path
    repository: Repository
    mirror: Mirror
    now: datetime = NOW
    random: Callable[[], float] = lambda: 0.5
    closing: list[Mirror] = field(default_factory=list)

    @property
    def state(self) -> State:
        return State(self.folder / "state", self.folder / "config")

    @property
    def around(self) -> Surroundings:
        return Surroundings(now=lambda: self.now, random=self.random, limits=QUICK)

    def trust(self, **options: Any) -> None:
        trust.pin(self.state, self.mirror.url, root=self.repository.root, **options)

    def sync(self, **options: Any) -> Outcome:
        return sync(self.state, around=self.around, **options)

    def refused(self, kind: type[AlmanacError], **options: Any) -> AlmanacError:
        """Syncs, expects this error, and that what was accepted is as it was."""
        before = tree_hash(self.state.folder, "accepted.json", "documents")
        with pytest.raises(kind) as caught:
            self.sync(**options)
        assert type(caught.value) is kind
        assert tree_hash(self.state.folder, "accepted.json", "documents") == before
        return caught.value

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)
        self.repository.now = self.now

    def accepted_catalog(self) -> bytes:
        accepted = self.state.accepted()
        assert accepted is not None
        data = self.state.document(accepted.newest.documents["catalog/almanac/v1/catalog.json"].sha256)
        assert data is not None
        return data

    def another_mirror(self, repository: Repository | None = None) -> Mirror:
        mirror = Mirror(repository or self.repository)
        self.closing.append(mirror)
        return mirror


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder where syncing to disk costs nothing, if this machine has one; crash tests use a real one."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def world(quick_folder: Path) -> Iterator[World]:
    repository = Repository()
    repository.publish(catalog=catalog("one", "two"))
    world = World(quick_folder, repository, Mirror(repository))
    world.closing.append(world.mirror)
    world.trust()
    yield world
    for mirror in world.closing:
        mirror.close()


@pytest.fixture
def synced(world: World) -> World:
    world.sync()
    world.mirror.requests.clear()
    return world
