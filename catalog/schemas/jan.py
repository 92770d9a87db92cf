"""Jan's ``model_catalog.json`` and ``model_catalog_v2.json``: each model with its quantised files.

Automatic membership lists each model that has a GGUF file of known size under an ``https`` address, and whose day of
release is known. Jan's Hub reads ``quants`` unguarded and sorts by ``created_at``, though its own list says
``createdAt``: both are written, and ``quants`` and ``mmproj_models`` even where there are none. ``downloads`` is a
counter of somebody else's: 0 in a list that counts nothing. ``tools`` is left out where it is not known. A size is a
display text, ``2.3 GB``, from which bytes cannot be had back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from catalog.records import Record
from catalog.schemas.base import ParsedMember, Subject
from catalog.schemas.entry_list import EntryList, file_facts, files_of, format_of, is_address, repository
from catalog.schemas.facts import FILES
from catalog.schemas.json_rules import (
    Rule,
    count,
    filled,
    flag,
    list_of,
    matching,
    object_with,
    or_null,
    text,
    web_address,
)
from catalog.schemas.moments import from_day, is_day
from catalog.schemas.reading.values import Json, Number, ParseError
from catalog.schemas.wording import from_name

_MIDNIGHT: Final = "T00:00:00.000Z"
_ISO: Final = matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
_GGUF: Final = re.compile(r"[-_. ]gguf$", re.IGNORECASE)
_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_FILES: Final = list_of(
    object_with(Rule("model_id", text, ""), Rule("path", web_address, ""), Rule("file_size", text, ""))
)
_FILES_SAY: Final = "must be a list of objects with model_id, path (an https address) and file_size"
_OWNS: Final = {
    "createdAt": ("released",),
    "created_at": ("released",),
    "tools": ("capabilities.tools",),
    "quants": (FILES,),
    "num_quants": (FILES,),
}


class Jan(EntryList):
    client: str = "Jan's Hub"
    id_field: str = "model_name"
    repeats: Any = "warn"
    fields: tuple[str, ...] = (
        "model_name", "description", "developer", "downloads", "createdAt", "created_at", "tools", "num_quants",
        "quants", "num_mmproj", "mmproj_models", "num_safetensors", "safetensors_files", "config", "library_name",
        "readme",
    )  # fmt: skip
    rules: tuple[Rule, ...] = (
        Rule("model_name", filled, "must be text, and not empty"),
        Rule("developer", text, "must be text"),
        Rule("description", text, "must be text"),
        Rule("downloads", count, "must be a whole number"),
        Rule("createdAt", _ISO, "must be a time in UTC"),
        Rule("created_at", _ISO, "must be a time in UTC, as createdAt: Jan sorts by it", severity="warn"),
        Rule("tools", flag, "must be true or false", needed=False),
        Rule("quants", _FILES, _FILES_SAY + ": Jan's Hub reads it unguarded"),
        Rule("num_quants", count, "must be a whole number", needed=False),
        Rule("mmproj_models", _FILES, _FILES_SAY, needed=False),
        Rule("num_mmproj", count, "must be a whole number", needed=False),
        Rule("safetensors_files", _FILES, _FILES_SAY, needed=False),
        Rule("library_name", text, "must be text", needed=False),
        Rule("readme", or_null(text), "must be text or null", needed=False),
    )
    unknown: Mapping[str, str] = {"createdAt": "the day of its release is not known, and createdAt needs it"}

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.file = file

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        name, developer = item.get("model_name"), item.get("developer")
        if not isinstance(name, str) or not name.strip():
            raise ParseError("an object has no model_name", line=line)
        lab = developer if isinstance(developer, str) else ""
        return ParsedMember("entry", lab, _known_by(name), self.flat(item), line)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        native = member.native
        facts: dict[str, Any] = {}
        named = native.get("model_name")
        if isinstance(named, str) and (name := from_name(_known_by(named))):
            facts["name"] = name
        created = native.get("createdAt")
        if isinstance(created, str) and created.endswith(_MIDNIGHT) and (released := from_day(created)):
            facts["released"] = released
        if isinstance(native.get("tools"), bool):
            facts["capabilities.tools"] = native["tools"]
        quants = native.get("quants")
        for file in quants if isinstance(quants, list) else ():
            facts |= _from_file(file) if isinstance(file, dict) else {}
        return facts

    def derive(self, subject: Subject) -> dict[str, Json]:
        entry = subject.entry or {}
        files = files_of(entry, whole=_is_whole)
        home = repository(files[0]["url"]) if files else None
        native: dict[str, Json] = {
            "model_name": home or entry.get("name", ""),
            "description": entry.get("description", ""),
            "developer": (subject.lab or {}).get("name", ""),
            "downloads": Number("0"),
            "num_quants": Number(str(len(files))),
            "quants": [_quant(file) for file in files],
            "num_mmproj": Number("0"),
            "mmproj_models": [],
            "readme": None,
        }
        if is_day(entry.get("released", "")):
            native["createdAt"] = native["created_at"] = entry["released"] + _MIDNIGHT
        tools = entry.get("capabilities", {}).get("tools")
        return native if tools is None else native | {"tools": tools}

    def unfit(self, subject: Subject) -> str:
        entry = subject.entry or {}
        if entry["mode"] != "chat":
            return f"Jan's Hub lists models for chat, and this one is for {entry['mode']}"
        if entry["stage"] == "retired":
            return "it is retired"
        if not files_of(entry, whole=_is_whole):
            return "it has no GGUF file of known size under an https address"
        return ""


def _known_by(model_name: str) -> str:
    """The model's name without the organisation before it and the kind of its files after it."""
    tail = model_name.strip().rstrip("/").rpartition("/")[2]
    return _GGUF.sub("", tail).strip() or model_name


def _from_file(file: Mapping[str, Json]) -> dict[str, Any]:
    path = file.get("path")
    if not isinstance(path, str) or not is_address(path):
        return {}
    name = re.split("[?#]", path, maxsplit=1)[0].rpartition("/")[2]
    return file_facts(name, {"url": path, "format": format_of(name)})


def _is_whole(file: Record) -> bool:
    return "size_bytes" in file and web_address(file["url"])


def _quant(file: Record) -> dict[str, Json]:
    name = str(file["name"])
    return {
        "model_id": _GGUF.sub("", name),
        "path": file["url"],
        "file_size": shown_size(file["size_bytes"]),
    }


def shown_size(size: int) -> str:
    """``2.3 GB``: of 1024 each, one digit after the point."""
    unit = 0
    while size >= 1 << (10 * (unit + 1)) and unit + 1 < len(_UNITS):
        unit += 1
    shown = (Decimal(size) / (1 << (10 * unit))).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{shown} {_UNITS[unit]}"


JAN: Final = Jan("jan", "jan/model_catalog_v2.json")
JAN_V1: Final = Jan("jan-v1", "jan/model_catalog.json")
