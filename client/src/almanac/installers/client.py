"""What is known of one client, and what a person is told once its file is written. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac import addresses
from almanac.errors import UsageError

Environ = Mapping[str, str]


def nowhere(_environ: Environ) -> Path | None:
    """It reads an address only, or nobody says where it reads: the copy lies below our own data folder."""
    return None


def as_signed(document: bytes, _version: str) -> bytes:
    return document


def _no_version(version: str | None) -> str:
    if version is not None:
        raise UsageError("--client-version says nothing to this client", advice="leave it out")
    return ""


@dataclass(frozen=True, slots=True)
class Client:
    """A row of the table. Texts may name ``{file}``, ``{url}`` (the document's address) and ``{base}``."""

    name: str
    document: str
    """Its native document, below ``catalog/``."""
    place: Callable[[Environ], Path | None] = nowhere
    form: Callable[[bytes, str], bytes] = as_signed
    version: Callable[[str | None], str] = _no_version
    settings: tuple[tuple[str, str], ...] = ()
    """Environment variables that make it use what was written or, where it reads an address only, that address."""
    lines: tuple[str, ...] = ()
    """The same for what is no environment variable."""
    instead: tuple[str, ...] = ()
    """How it fetches from the address by itself instead, unverified."""
    notes: tuple[str, ...] = ()
    base_ends: str = ""
    """What the client itself puts behind ``{base}``."""
    looks_at_age: bool = False
    """It believes a young file only, so each sync makes the file young again."""

    @property
    def file_name(self) -> str:
        name = self.document.rpartition("/")[2]
        return name if "." in name else f"{name}.json"

    def paths(self, regions: Iterable[str]) -> list[str]:
        """The target paths of its document, the best first."""
        return [addresses.document_path(self.document, region=region) for region in regions]

    def done(self, file: Path, what: str, url: str) -> Done:
        words = {"file": str(file), "url": url, "base": url.removesuffix(self.base_ends)}

        def filled(texts: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(text.format(**words) for text in texts)

        settings = tuple((name, value.format(**words)) for name, value in self.settings)
        return Done(
            self.name, file, what, url, settings, filled(self.lines), filled(self.instead), filled(self.notes)
        )


@dataclass(frozen=True, slots=True)
class Done:
    """What was written or undone."""

    client: str
    file: Path
    what: str
    url: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    lines_to_write: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {
            "client": self.client,
            "file": str(self.file),
            "what": self.what,
            "address": self.url,
            "settings": dict(self.settings),
            "configuration": list(self.lines_to_write),
            "instead": list(self.instead),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        return [
            f"{self.client}: {self.file} {self.what}",
            *(f"  set {name}={shlex.quote(value)}" for name, value in self.settings),
            *(f"  {line}" for line in self.lines_to_write),
            *(f"  or, unverified, by address: {line}" for line in self.instead),
            *(f"  {note}" for note in self.notes),
        ]
