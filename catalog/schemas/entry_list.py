"""JSON lists of models themselves, with files to download: what their formats have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from catalog.records import Record
from catalog.schemas.base import Subject
from catalog.schemas.json_list import JsonList
from catalog.schemas.reading.values import Json, Number

_HUGGING_FACE: Final = re.compile(r"https://huggingface\.co/([^/?#\s]+/[^/?#\s]+)(?:/.*)?")
_ADDRESS: Final = re.compile(r"https?://[!-~]+")
_FILE_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069/\\]{1,200}")
_SHA256: Final = re.compile("[0-9a-f]{64}")
_LARGEST: Final = 1 << 50
"""Bytes of a file; what is said to be larger is kept as it came, not believed."""


class EntryList(JsonList):
    lists_entries: Literal[True] = True

    def missing(self, subject: Subject) -> str:
        return "" if subject.entry else "its entry does not exist"


def files_of(entry: Record, *, whole: Callable[[Record], bool]) -> list[Record]:
    """The entry's GGUF files of which enough is known."""
    return [one for one in entry.get("artifacts", ()) if one.get("format") == "gguf" and whole(one)]


def file_facts(name: Json, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of one file by path, those that a record can hold; none without a name and an address."""
    known = {field: value for field, value in stated.items() if _RULES[field](value)}
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name) or "url" not in known:
        return {}
    return {f"artifacts.{field}.{name}": value for field, value in known.items()}


def _short(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= 40


_RULES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "url": lambda value: isinstance(value, str) and len(value) <= 2000 and _is_address(value),
    "size_bytes": lambda value: isinstance(value, int) and 0 < value < _LARGEST,
    "ram_bytes": lambda value: isinstance(value, int) and 0 < value < _LARGEST,
    "sha256": lambda value: isinstance(value, str) and _SHA256.fullmatch(value) is not None,
    "format": _short,
    "quantization": _short,
}


def _is_address(value: str) -> bool:
    host = re.split("[/?#]", value.partition("://")[2], maxsplit=1)[0]
    return _ADDRESS.fullmatch(value) is not None and "\\" not in value and "@" not in host and host != ""


def is_address(value: Json) -> bool:
    """A web address that a record can hold."""
    return isinstance(value, str) and len(value) <= 2000 and _is_address(value)


def format_of(name: Json) -> str | None:
    return "gguf" if isinstance(name, str) and name.lower().endswith(".gguf") else None


def written_count(value: Json) -> int | None:
    """A number of bytes, written as a number or as a text of digits."""
    spelled = value.text if isinstance(value, Number) else value if isinstance(value, str) else ""
    return int(spelled) if re.fullmatch("[0-9]{1,18}", spelled, re.ASCII) else None


def repository(address: str) -> str | None:
    """``organisation/name`` of an address on Hugging Face."""
    found = _HUGGING_FACE.fullmatch(address)
    return found[1] if found else None
