"""LM Studio's ``model-catalog``: each model with all its files, their sizes and digests. Dormant since 2024.

Automatic membership lists each model that has a GGUF file of known size and SHA-256 in a repository on Hugging Face,
whose day of release and own page are known. What the shared model does not know is written as an empty text, which
claims nothing: ``author.blurb``, ``numParameters``, ``arch``, ``socialUrl``. ``respository`` is spelled so in the format.
``highlighted`` names the smallest file, and the largest where there are several. The format has no zone in its dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from catalog.records import Record
from catalog.schemas.base import ParsedMember, Subject
from catalog.schemas.entry_list import EntryList, file_facts, files_of, is_address, repository
from catalog.schemas.facts import FILES, believable
from catalog.schemas.json_rules import (
    Problem,
    Rule,
    count,
    filled,
    list_of,
    mapping,
    matching,
    problems,
    sha256,
    text,
    web_address,
)
from catalog.schemas.moments import from_day, is_day
from catalog.schemas.reading.values import Json, Number, ParseError
from catalog.schemas.wording import from_name

_VERSION: Final = "0.0.1"
_CHAT: Final = ("chat", "instruct")
_LINKS: Final = {"canonical": "canonicalUrl", "paper": "paperUrl", "download": "downloadUrl"}
_FILE_RULES: Final = (
    Rule("name", filled, "must be text, and not empty"),
    Rule("url", web_address, "must be an https address"),
    Rule("sizeBytes", count, "must be a whole number of bytes"),
    Rule("quantization", text, "must be text"),
    Rule("format", text, "must be text"),
    Rule("sha256checksum", sha256, "must be 64 hexadecimal digits"),
    Rule("publisher", mapping, "must be an object"),
    Rule("publisher.name", text, "must be text"),
    Rule("publisher.socialUrl", text, "must be text"),
    Rule("respository", text, "must be text (the format spells it so)"),
    Rule("repositoryUrl", web_address, "must be an https address"),
)
_OWNS: Final = {
    "name": ("name",),
    "datePublished": ("released",),
    "trainedFor": ("mode",),
    "files": (FILES,),
    "files.all": (FILES,),
    "files.highlighted": (FILES,),
    "resources": tuple(f"links.{ours}" for ours in _LINKS),
} | {f"resources.{theirs}": (f"links.{ours}",) for ours, theirs in _LINKS.items()}


class LmStudio(EntryList):
    name: str = "lmstudio"
    file: str = "lmstudio/catalog.json"
    client: str = "LM Studio"
    id_field: str = "name"
    repeats: Any = "warn"
    fields: tuple[str, ...] = (
        "_descriptorVersion", "datePublished", "name", "description",
        "author", "author.name", "author.url", "author.blurb", "numParameters",
        "resources", "resources.canonicalUrl", "resources.paperUrl", "resources.downloadUrl", "trainedFor", "arch",
        "files", "files.highlighted", "files.all",
    )  # fmt: skip
    nested: tuple[str, ...] = ("author", "resources", "files")
    rules: tuple[Rule, ...] = (
        Rule("_descriptorVersion", matching("0\\.0\\.1"), f"must be {_VERSION}", severity="warn"),
        Rule(
            "datePublished",
            matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z?"),
            "must be a date with a time",
        ),
        Rule("name", filled, "must be text, and not empty"),
        Rule("description", text, "must be text"),
        Rule("author", mapping, "must be an object"),
        Rule("author.name", text, "must be text"),
        Rule("author.url", text, "must be text"),
        Rule("author.blurb", text, "must be text"),
        Rule("numParameters", text, "must be text"),
        Rule("resources", mapping, "must be an object"),
        Rule("resources.canonicalUrl", text, "must be text"),
        Rule("resources.paperUrl", text, "must be text", needed=False),
        Rule("resources.downloadUrl", text, "must be text"),
        Rule("trainedFor", text, "must be text"),
        Rule("arch", text, "must be text"),
        Rule("files", mapping, "must be an object"),
        Rule("files.highlighted", mapping, "must be an object"),
        Rule("files.all", list_of(mapping), "must be a list of objects"),
    )
    unknown: Mapping[str, str] = {
        "datePublished": "the day of its release is not known, and datePublished needs it",
        "resources.canonicalUrl": "it has no link to its own page (canonical)",
    }

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        known_by, author = item.get("name"), item.get("author")
        if not isinstance(known_by, str) or not known_by.strip():
            raise ParseError("an object has no name", line=line)
        lab = author.get("name") if isinstance(author, dict) else None
        return ParsedMember("entry", lab if isinstance(lab, str) else "", known_by, self.flat(item), line)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        native = member.native
        facts: dict[str, Any] = {}
        if name := from_name(native.get("name")):
            facts["name"] = name
        if released := from_day(native.get("datePublished")):
            facts["released"] = released
        if native.get("trainedFor") in _CHAT:
            facts["mode"] = "chat"
        for ours, theirs in _LINKS.items():
            if is_address(native.get(f"resources.{theirs}")):
                facts[f"links.{ours}"] = native[f"resources.{theirs}"]
        files = native.get("files.all")
        for file in files if isinstance(files, list) else ():
            facts |= _from_file(file) if isinstance(file, dict) else {}
        return facts

    def derive(self, subject: Subject) -> dict[str, Json]:
        entry = subject.entry or {}
        native: dict[str, Json] = {
            "_descriptorVersion": _VERSION,
            "name": entry.get("name", ""),
            "description": entry.get("description", ""),
            "author.name": (subject.lab or {}).get("name", ""),
            "author.url": (subject.lab or {}).get("url", ""),
            "author.blurb": "",
            "numParameters": "",
            "trainedFor": "chat" if entry.get("mode") == "chat" else "other",
            "arch": "",
        }
        if is_day(entry.get("released", "")):
            native["datePublished"] = f"{entry['released']}T00:00:00"
        files = files_of(entry, whole=_is_whole)
        links = entry.get("links", {})
        if files and "download" not in links:
            links = links | {"download": f"https://huggingface.co/{repository(files[0]['url'])}"}
        native |= {f"resources.{theirs}": links[ours] for ours, theirs in _LINKS.items() if ours in links}
        return native | _files(files)

    def unfit(self, subject: Subject) -> str:
        entry = subject.entry or {}
        if entry["stage"] == "retired":
            return "it is retired"
        if not files_of(entry, whole=_is_whole):
            return "it has no GGUF file of known size and SHA-256 in a repository on Hugging Face"
        return ""

    def item_problems(self, item: Mapping[str, Json]) -> Iterator[Problem]:
        yield from super().item_problems(item)
        files = item.get("files")
        listed = files.get("all") if isinstance(files, dict) else None
        if listed == []:
            yield "stop", "files.all is empty: there is nothing to load"
        for file in listed if isinstance(listed, list) else ():
            if isinstance(file, dict):
                for severity, says in problems(file, _FILE_RULES):
                    yield severity, f"files.all: {file.get('name')}: {says}"


def _from_file(file: Mapping[str, Json]) -> dict[str, Any]:
    size = believable(file.get("sizeBytes"))
    stated = {
        "url": file.get("url"),
        "size_bytes": int(size) if size is not None and size == int(size) else None,
        "sha256": file.get("sha256checksum"),
        "format": file.get("format"),
        "quantization": file.get("quantization"),
    }
    return file_facts(file.get("name"), stated)


def _is_whole(file: Record) -> bool:
    return "size_bytes" in file and "sha256" in file and repository(file["url"]) is not None


def _files(files: list[Record]) -> dict[str, Json]:
    if not files:
        return {}
    by_size = sorted(files, key=lambda file: int(file["size_bytes"]))
    highlighted: dict[str, Json] = {"economical": {"name": by_size[0]["name"]}}
    if len(files) > 1:
        highlighted["most_capable"] = {"name": by_size[-1]["name"]}
    return {"files.highlighted": highlighted, "files.all": [_file(file) for file in files]}


def _file(file: Record) -> dict[str, Json]:
    home = repository(file["url"]) or ""
    return {
        "name": file["name"],
        "url": file["url"],
        "sizeBytes": Number(str(file["size_bytes"])),
        "quantization": file.get("quantization", ""),
        "format": file["format"],
        "sha256checksum": file["sha256"],
        "publisher": {"name": home.partition("/")[0], "socialUrl": ""},
        "respository": home,
        "repositoryUrl": f"https://huggingface.co/{home}",
    }


LMSTUDIO: Final = LmStudio()
