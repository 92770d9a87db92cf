"""What people and scripts see: data on standard output, progress and messages on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from almanac.errors import AlmanacError


@dataclass(slots=True)
class Console:
    """Where output goes and how loud it is."""

    as_json: bool = False
    quiet: bool = False
    color: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    _progress: bool = False

    def data(self, form: Mapping[str, Any] | Sequence[Any], lines: Iterable[str]) -> None:
        """The answer itself: one JSON value, or lines of text."""
        self.end_progress()
        if self.as_json:
            print(json.dumps(form, ensure_ascii=False, indent=1), file=self.out)
            return
        for line in lines:
            print(printable(line), file=self.out)

    def report(self, form: Mapping[str, Any], lines: Iterable[str]) -> None:
        """What a command did: an answer that ``--quiet`` leaves out."""
        if self.as_json or not self.quiet:
            self.data(form, lines)

    def message(self, text: str) -> None:
        if not self.quiet:
            self.end_progress()
            print(printable(text), file=self.err)

    def warn(self, text: str) -> None:
        self.message(f"{self.styled('warning:', '33')} {text}")

    def error(self, error: AlmanacError) -> None:
        """One line; with ``--json`` the same facts on standard output as well."""
        self.end_progress()
        if self.as_json:
            print(json.dumps(error.as_json(), ensure_ascii=False), file=self.out)
        print(
            printable(" ".join(f"{self.styled('error:', '31')} {error.name}: {error}".split())), file=self.err
        )

    def interrupted(self) -> None:
        self.end_progress()
        print("interrupted", file=self.err)

    def progress(self, address: str, received: int, total: int) -> None:
        """A line that is written over, only where a person watches."""
        if self.quiet or self.as_json or not self.err.isatty() or received < 64 * 1024:
            return
        of = f" of {size(total)}" if total else ""
        name = address.rpartition("/")[2][-40:]
        print(f"\r\033[K{size(received)}{of}  {name}", end="", file=self.err, flush=True)
        self._progress = True

    def end_progress(self) -> None:
        if self._progress:
            print("\r\033[K", end="", file=self.err, flush=True)
            self._progress = False

    def styled(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.color else text


def printable(text: str) -> str:
    """Without control characters of a stranger's making: what a catalog says must not steer a terminal."""
    return "".join(
        c if c.isprintable() or (c in "\t\033" and _ours(text, i)) else "\ufffd" for i, c in enumerate(text)
    )


def _ours(text: str, index: int) -> bool:
    """Tabs, and the few colour codes that ``styled`` writes."""
    return text[index] == "\t" or text.startswith(("\033[0m", "\033[31m", "\033[32m", "\033[33m"), index)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two blanks apart."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def size(length: int) -> str:
    """Bytes for people, in powers of ten."""
    if length < 1000:
        return f"{length} B"
    power = min((len(str(length)) - 1) // 3, 3)
    return f"{length / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"


def count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def tokens(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def per_million(price: str | None) -> str:
    """A price per token as people compare it: per million, exactly."""
    if price is None:
        return "–"
    from decimal import Decimal, InvalidOperation

    amount, _, currency = price.partition(" ")
    try:
        value = (Decimal(amount) * 1_000_000).normalize()
    except InvalidOperation:
        return "–"
    return f"{value:f} {currency}"
