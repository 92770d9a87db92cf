"""A publication's progress on a terminal: one line that is written over, and a line for each step that is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand, OutputWrapper

SHOWN_EVERY_S: Final = 0.1
_CLEAR: Final = "\r\x1b[K"


class TerminalProgress:
    """``Means.watching`` of a command. Silent where standard error is no terminal."""

    def __init__(self, command: BaseCommand, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream: OutputWrapper = command.stderr
        self._monotonic = monotonic
        self._shown_s = 0.0

    def __call__(self, entry: Mapping[str, Any]) -> None:
        if not self._stream.isatty():
            return
        if "failed" in entry:
            self._write(f"{_CLEAR}{entry['step']:9} failed\n")
        elif "ended" in entry:
            self._write(f"{_CLEAR}{entry['step']:9} {entry['seconds']:.2f} s{_counted(entry)}\n")
        elif self._monotonic() - self._shown_s >= SHOWN_EVERY_S or not entry.get("done"):
            self._shown_s = self._monotonic()
            self._write(f"{_CLEAR}{entry['step']:9} …{_counted(entry)}")

    def _write(self, text: str) -> None:
        self._stream.write(text, str, ending="")  # not in the colour of errors
        self._stream.flush()


def _counted(entry: Mapping[str, Any]) -> str:
    if not entry.get("total"):
        return ""
    return f", {entry['done']:,} of {entry['total']:,} {entry['unit']}"
