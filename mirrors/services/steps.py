"""The log of a publication: which of its ten steps began, ended or failed, when, and how far the present one is.

It lies in the publication's row and is written with the row, so that it costs hardly a write of its own: the end of
a step and the beginning of the next are one, and counts are written twice a second at most. A publisher that is
killed leaves the step that it was in without an end; whoever takes the publication up says so.

A release's steps are audit events as well: begun, ended, failed. Renewed signatures and mirror lists come every hour
from no decision of anybody, so of those only failures are; and a failure that comes again and again, as that of a
store that is down, is one event and one entry with a number of tries.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from almanac.errors import AlmanacError
from mirrors.failpoints import Passing
from mirrors.models import Publication
from mirrors.services.means import Means

STEPS: Final = (
    "cut", "render", "gate", "delta", "sign", "upload", "verify", "commit", "announce", "collect",
)  # fmt: skip
SAVED_EVERY_S: Final = 0.5
LEASE_RENEWED_EVERY_S: Final = 60.0
MOST_ENTRIES: Final = 100
OBJECTS: Final = frozenset({"object", "metadata", "copied", "verified"})
"""What is passed after each object that was put or read back."""
PROCESS_ENDED: Final = "its process ended here"

Entry = dict[str, Any]
"""step, began, and then: ended, seconds, failed, error, tries, done, total, unit, store."""


class Log:
    """One run's hand on a publication's log.

    ``save`` writes the row, as far as this publisher may, and calls ``tell`` in the same transaction.
    """

    def __init__(
        self,
        means: Means,
        publication: Publication,
        *,
        save: Callable[[], None],
        renew: Callable[[], None],
    ) -> None:
        self._means, self._publication = means, publication
        self._save, self._renew = save, renew
        self._untold: list[tuple[str, Entry]] = []
        self._current: Entry | None = None
        self._began_s = self._saved_s = self._renewed_s = self._zero_s = means.stopwatch()
        self._zero = datetime.min.replace(tzinfo=UTC)

    def start(self, now: datetime) -> None:
        """Times follow from this moment by the stopwatch: a clock that is set meanwhile does not show in them."""
        self._zero = now
        self._zero_s = self._renewed_s = self._means.stopwatch()
        for entry in self._entries:
            if not {"ended", "failed"} & entry.keys():
                self._note_failure(entry, PROCESS_ENDED, "killed")

    @property
    def _entries(self) -> list[Entry]:
        entries: list[Entry] = self._publication.steps
        return entries

    @property
    def _now(self) -> datetime:
        return self._zero + timedelta(seconds=self._means.stopwatch() - self._zero_s)

    def turn_to(self, step: str, **facts: object) -> None:
        """Ends the present step, if there is one, and begins this; the caller saves."""
        self.end()
        is_retry = any(
            entry["step"] == step and entry.get("error") not in {None, "killed"} for entry in self._entries
        )
        self._current = {"step": step, "began": _written(self._now), **facts}
        self._began_s = self._means.stopwatch()
        self._publication.steps = [*self._entries, self._current]
        if not is_retry:
            self._tell_later("step.began", self._current)
        self._means.watching(self._current)

    def end(self) -> None:
        if (entry := self._current) is None:
            return
        entry["ended"] = _written(self._now)
        entry["seconds"] = self._seconds
        if "total" in entry:
            entry["done"] = entry["total"]
        self._current = None
        self._tell_later("step.ended", entry)
        self._means.watching(entry)

    def fail(self, error: BaseException) -> None:
        """Of the present step; words and kind are kept, and a failure that was there before is counted."""
        if (entry := self._current) is None:
            return
        entry["seconds"] = self._seconds
        self._current = None
        self._note_failure(entry, in_words(error), kind_of(error))
        self._means.watching(entry)

    def expect(self, total: int, unit: str) -> None:
        """How much there is to do in the present step."""
        if self._current is not None:
            self._current.update(done=0, total=total, unit=unit)

    def count(self, done: int = 1) -> None:
        """So much more of it is done. Raises where another publisher has taken over."""
        if self._current is None or "total" not in self._current:
            return
        self._current["done"] = min(self._current["done"] + done, self._current["total"])
        self._means.watching(self._current)
        now_s = self._means.stopwatch()
        if now_s - self._renewed_s >= LEASE_RENEWED_EVERY_S:
            self._renewed_s = now_s
            self._renew()
        if now_s - self._saved_s >= SAVED_EVERY_S:
            self._save()

    def counted(self, unit: str) -> Callable[[int, int], None]:
        """For whoever says how many of how many are done."""

        def noted(done: int, total: int) -> None:
            if done == 1:
                self.expect(total, unit)
            self.count()

        return noted

    def passed(self, total: int, passing: Passing) -> Passing:
        """``passing``, and the steps and counts that follow from what is passed while objects are pushed."""

        def noted(name: str) -> None:
            passing(name)
            if name in OBJECTS:
                self.count()
            elif name == "metadata-pushed":
                self.turn_to("verify")
                self.expect(total, "objects")
                self.save()

        return noted

    def at_store(self, url: str, total: int) -> None:
        """The upload, or another try of it, goes to this store."""
        if not self.is_in("upload"):
            self.turn_to("upload")
        if self._current is not None:
            self._current["store"] = url
        self.expect(total, "objects")
        self.save()

    def is_in(self, step: str) -> bool:
        return self._current is not None and self._current["step"] == step

    def save(self) -> None:
        self._save()

    def tell(self) -> Callable[[], None]:
        """Writes the audit events since the last time; what it returns forgets them, once that is committed."""
        untold = list(self._untold)
        for action, entry in untold:
            self._means.catalog.record(
                action=action,
                about=f"publication {self._publication.number}",
                by=self._publication.requested_by,
                now=datetime.fromisoformat(entry.get("failed") or entry.get("ended") or entry["began"]),
                detail={name: entry[name] for name in _TOLD if name in entry},
            )
        self._saved_s = self._means.stopwatch()

        def forget() -> None:
            self._untold = self._untold[len(untold) :]

        return forget

    @property
    def _seconds(self) -> float:
        return round(self._means.stopwatch() - self._began_s, 3)

    def _note_failure(self, entry: Entry, words: str, kind: str) -> None:
        same = [
            other
            for other in self._entries
            if other is not entry and other["step"] == entry["step"] and other.get("error") == kind
        ]
        entry.update(failed=_written(self._now), words=words, error=kind)
        entry["tries"] = 1 + sum(other.get("tries", 1) for other in same)
        kept = [other for other in self._entries if other not in same]
        self._publication.steps = kept[-MOST_ENTRIES:]
        if not same:
            self._tell_later("step.failed", entry)

    def _tell_later(self, action: str, entry: Entry) -> None:
        if self._publication.reason == Publication.Reason.RELEASE or action == "step.failed":
            self._untold.append((action, dict(entry)))


_TOLD: Final = ("step", "store", "seconds", "total", "unit", "words")


def in_words(error: BaseException) -> str:
    return str(error) if isinstance(error, AlmanacError) else f"{type(error).__name__}: {error}"


def kind_of(error: BaseException) -> str:
    return error.name if isinstance(error, AlmanacError) else type(error).__name__


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
