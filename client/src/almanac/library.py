"""``from almanac import Catalog``: the verified catalog inside a program.

    catalog = Catalog()
    for model in catalog.search("vision"):
        print(model.id, model.context_tokens)

Reading never touches the network: what was accepted last is there, offline and at once. ``refresh`` syncs; with
``max_age`` a reader that meets an older catalog starts that in the background and is answered from the old one.
Every method may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from almanac import local
from almanac.accepted import Accepted
from almanac.config import Config
from almanac.document import Document, Model, Offering
from almanac.errors import AlmanacError
from almanac.state import State

if TYPE_CHECKING:
    from almanac.sync import Outcome, Surroundings

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Status:
    """Which catalog this is: for the line that every program should be able to show."""

    release: int | None
    accepted_at: datetime
    checked_at: datetime
    fresh_until: datetime
    mirror: str
    fresh: bool


class Catalog:
    """The accepted catalog. Making one does nothing yet: no file is read and nobody is asked."""

    def __init__(
        self,
        state_dir: str | Path | None = None,
        *,
        config_dir: str | Path | None = None,
        max_age: timedelta | float | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        around: Surroundings | None = None,
    ) -> None:
        """``max_age`` (seconds or a timedelta) refreshes in the background; ``max_bytes`` bounds the documents kept."""
        self._folders = (state_dir, config_dir)
        self._max_age = timedelta(seconds=max_age) if isinstance(max_age, int | float) else max_age
        self._max_bytes = max_bytes
        self._progress = progress
        self._clock = clock
        self._around = around
        self._guard = threading.Lock()
        self._syncing = threading.Lock()
        self._background: threading.Thread | None = None
        self._loaded: tuple[str, Document] | None = None
        self._last_error: AlmanacError | None = None

    # Reading

    @property
    def models(self) -> dict[str, Model]:
        """Every model entry, by ``lab/slug``."""
        return dict(self._document().models)

    def get(self, name: str) -> Model | Offering:
        """By ``lab/slug``, ``provider:native-id``, or another name that only one has; else an ``AlmanacError``."""
        return self._document().find(name)

    def search(self, words: str) -> list[Model]:
        """Models in which every word occurs, the nearest first."""
        return list(self._document().search(words))

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models.values())

    def __len__(self) -> int:
        return len(self._document().models)

    def status(self) -> Status:
        """Which release this is, from where, and how fresh."""
        accepted = local.accepted(self._state())
        return Status(
            accepted.newest.number,
            accepted.newest.accepted_at,
            accepted.checked_at,
            accepted.fresh_until,
            accepted.mirror,
            accepted.is_fresh(self._clock()),
        )

    @property
    def last_error(self) -> AlmanacError | None:
        """What the last refresh failed with, in the background or not; ``None`` after one that succeeded."""
        return self._last_error

    # Refreshing

    def refresh(self) -> Outcome:
        """Syncs now. An error leaves everything as it was and is raised."""
        from almanac.sync import Surroundings, sync

        around = self._around or Surroundings(now=self._clock, progress=self._progress)
        with self._syncing:
            try:
                outcome = sync(self._state(), around=around)
            except AlmanacError as error:
                self._last_error = error
                raise
            self._last_error = None
            self._make_room(outcome.after)
        return outcome

    def wait(self, timeout: float | None = None) -> None:
        """Until a refresh in the background has ended."""
        thread = self._background
        if thread is not None:
            thread.join(timeout)

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
        except AlmanacError:
            return  # kept in last_error; the old catalog stays in use

    # The document in memory

    def _document(self) -> Document:
        state = self._state()
        accepted = local.accepted(state)
        self._refresh_if_old(accepted)
        held = accepted.newest.documents.get(local.CATALOG)
        with self._guard:
            if held is None or self._loaded is None or self._loaded[0] != held.sha256:
                document = local.document(state, accepted.newest)
                self._loaded = (held.sha256 if held else "", document)
            return self._loaded[1]

    def _refresh_if_old(self, accepted: Accepted) -> None:
        if self._max_age is None or self._clock() - accepted.checked_at <= self._max_age:
            return
        with self._guard:
            if self._background is not None and self._background.is_alive():
                return
            self._background = threading.Thread(
                target=self._refresh_quietly, name="almanac-refresh", daemon=True
            )
            self._background.start()

    def _make_room(self, accepted: Accepted) -> None:
        """Least recently used documents go first; those of the accepted release never."""
        if self._max_bytes is None:
            return
        state = self._state()
        sizes = state.document_sizes()
        total = sum(length for length, _ in sizes.values())
        needed = {held.sha256 for held in accepted.newest.documents.values()}
        dropped: set[str] = set()
        for sha256, (length, _) in sorted(sizes.items(), key=lambda item: item[1][1]):
            if total <= self._max_bytes:
                break
            if sha256 not in needed:
                dropped.add(sha256)
                total -= length
        with state.locked():
            state.drop_documents(dropped)

    def _state(self) -> State:
        state_dir, config_dir = self._folders
        config = Config.load()
        return State(
            Path(state_dir) if state_dir is not None else config.state_dir,
            Path(config_dir) if config_dir is not None else config.config_dir,
        )
