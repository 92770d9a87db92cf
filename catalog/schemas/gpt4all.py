"""GPT4All's ``models3.json``: files to download, nearly every value a text.

One object is one file. Automatic membership lists each model that has a GGUF file of known size and SHA-256 under an
``https`` address; where it has several, the one of quantisation Q4_0, else the first. GPT4All refuses a file without a
digest, and its list is read over plain HTTP, so the digest is all that vouches for a file. What the shared model does
not know is left out, not guessed: ``requires``, ``parameters``, ``type``, templates. ``order`` is the entry's key.

A chat template is a program that runs on the reader's machine: it may consist of plain statements alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from catalog.records import Record
from catalog.schemas.base import ParsedMember, Subject
from catalog.schemas.entry_list import EntryList, file_facts, files_of, format_of, written_count
from catalog.schemas.facts import FILES
from catalog.schemas.json_rules import (
    Problem,
    Rule,
    count,
    filled,
    flag,
    matching,
    number,
    or_null,
    sha256,
    text,
    web_address,
)
from catalog.schemas.reading.values import Json, ParseError
from catalog.schemas.wording import from_name

_GIB: Final = 1 << 30
_MODES: Final = ("chat", "embedding")
_PREFERRED: Final = "Q4_0"
_DIGESTS: Final = ("md5sum", "sha256sum")
_VERSION: Final = matching(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}(?:-[a-z0-9]+)?")
_FILE_FIELDS: Final = {
    "filename": "name", "filesize": "size_bytes", "sha256sum": "sha256", "quant": "quantization", "url": "url",
    "ramrequired": "ram_bytes",
}  # fmt: skip

_OWNS: Final = {"name": ("name",), "embeddingModel": ("mode",)} | dict.fromkeys(_FILE_FIELDS, (FILES,))
_TEXTS: Final = (
    "order", "description", "parameters", "quant", "type", "promptTemplate", "systemPrompt", "systemMessage",
)  # fmt: skip

TEMPLATE_STATEMENTS: Final = frozenset(
    (
        "if",
        "elif",
        "else",
        "endif",
        "for",
        "endfor",
        "set",
        "endset",
        "macro",
        "endmacro",
        "break",
        "continue",
    )
)
"""What a chat template may say: nothing that reads another file, and no name that leads into the interpreter."""
_STATEMENT: Final = re.compile(r"\{%[-+]?\s*([^\s%}]*)")
_MOST_TEMPLATE: Final = 1 << 16


class Gpt4All(EntryList):
    name: str = "gpt4all"
    file: str = "gpt4all/models3.json"
    client: str = "GPT4All 3"
    id_field: str = "filename"
    repeats: Any = "warn"
    repeats_say: str = "the later one replaces the earlier"
    fields: tuple[str, ...] = (
        "order", "md5sum", "sha256sum", "name", "filename", "filesize", "requires", "removedIn", "ramrequired",
        "parameters", "quant", "type", "embeddingModel", "systemPrompt", "description", "url", "promptTemplate",
        "systemMessage", "chatTemplate", "disableGUI", "isDefault",
    )  # fmt: skip
    rules: tuple[Rule, ...] = (
        Rule("name", filled, "must be text, and not empty"),
        Rule("filename", filled, "must be text, and not empty"),
        Rule("filesize", matching("[0-9]{1,18}"), "must be digits, written as text"),
        Rule(
            "url",
            web_address,
            "must be an https address: without one, or with another, the file is not safe to load",
        ),
        Rule("md5sum", matching("[0-9a-fA-F]{32}"), "must be 32 hexadecimal digits", needed=False),
        Rule("sha256sum", sha256, "must be 64 hexadecimal digits", needed=False),
        Rule("requires", _VERSION, "must be a version, written as text", needed=False),
        Rule("removedIn", _VERSION, "must be a version, written as text", needed=False),
        Rule("ramrequired", matching("[0-9]{1,6}"), "must be digits, written as text", needed=False),
        *(Rule(field, text, "must be text", needed=False) for field in _TEXTS),
        Rule("chatTemplate", or_null(text), "must be text, or null for none", needed=False),
        *(
            Rule(
                field,
                matching("true|false"),
                'must be the text "true": a bare true is not seen',
                needed=False,
            )
            for field in ("disableGUI", "isDefault")
        ),
        Rule("embeddingModel", flag, "must be true or false", needed=False),
        *(
            Rule(field, number, "must be a number", needed=False)
            for field in ("temperature", "topP", "minP", "repeatPenalty")
        ),
        *(
            Rule(field, count, "must be a whole number", needed=False)
            for field in (
                "topK",
                "maxLength",
                "promptBatchSize",
                "contextLength",
                "gpuLayers",
                "repeatPenaltyTokens",
            )
        ),
    )

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        known_by = item.get("name") or item.get("filename")
        if not isinstance(known_by, str) or not known_by.strip():
            raise ParseError("an object has no name", line=line)
        return ParsedMember("entry", "", known_by, self.flat(item), line)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        native = member.native
        facts: dict[str, Any] = {"mode": "embedding" if native.get("embeddingModel") is True else "chat"}
        if name := from_name(native.get("name")):
            facts["name"] = name
        ram, quant = written_count(native.get("ramrequired")), native.get("quant")
        stated = {
            "url": native.get("url"),
            "size_bytes": written_count(native.get("filesize")),
            "sha256": native.get("sha256sum"),
            "format": format_of(native.get("filename")),
            "quantization": quant.upper() if isinstance(quant, str) else None,
            "ram_bytes": ram * _GIB if ram else None,
        }
        return facts | file_facts(native.get("filename"), stated)

    def derive(self, subject: Subject) -> dict[str, Json]:
        entry = subject.entry or {}
        native: dict[str, Json] = {
            "order": subject.key.partition(":")[2],
            "name": entry.get("name", ""),
            "description": html.escape(entry.get("description", ""), quote=False),
        }
        if entry.get("mode") == "embedding":
            native["embeddingModel"] = True
        own = subject.own
        return native | _file(_chosen(entry, own.get("file")))

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        """``file`` says which of the entry's files the object is."""
        name = member.native.get("filename")
        file = {"file": name} if isinstance(name, str) else {}
        return {**super().beyond(replace(subject, membership={"native": file}), member), **file}

    def unfit(self, subject: Subject) -> str:
        entry = subject.entry or {}
        if entry["mode"] not in _MODES:
            return f"GPT4All cannot use a model for {entry['mode']}"
        if entry["stage"] == "retired":
            return "it is retired"
        if _chosen(entry, None) is None:
            return "it has no GGUF file of known size and SHA-256 under an https address"
        return ""

    def item_problems(self, item: Mapping[str, Json]) -> Iterator[Problem]:
        yield from super().item_problems(item)
        digests = [field for field in _DIGESTS if field in item]
        if not digests:
            yield (
                "stop",
                "it has neither md5sum nor sha256sum: GPT4All refuses a file that nothing vouches for",
            )
        elif len(digests) > 1:
            yield "warn", "it has both md5sum and sha256sum; GPT4All goes by sha256sum"
        template = item.get("chatTemplate")
        if isinstance(template, str):
            yield from _template_problems(template)


def _template_problems(template: str) -> Iterator[Problem]:
    if len(template) > _MOST_TEMPLATE:
        yield "stop", f"chatTemplate has more than {_MOST_TEMPLATE:,} characters"
    for statement in _STATEMENT.findall(template):
        if statement not in TEMPLATE_STATEMENTS:
            yield (
                "stop",
                f"chatTemplate says {statement[:40]!r}, which is not among the plain statements that it may use",
            )
    if "__" in template:
        yield "stop", "chatTemplate names something with two underscores, which may lead out of the template"


def _chosen(entry: Record, name: str | None) -> Record | None:
    """The file of this name, or the one that stands for the model."""
    if name is not None:
        return next((one for one in entry.get("artifacts", ()) if one["name"] == name), None)
    files = files_of(entry, whole=_is_whole)
    return min(files, key=lambda one: one.get("quantization") != _PREFERRED) if files else None


def _is_whole(file: Record) -> bool:
    return "size_bytes" in file and "sha256" in file and web_address(file["url"])


def _file(file: Record | None) -> dict[str, Json]:
    if file is None:
        return {}
    written = {
        theirs: str(file[ours])
        for theirs, ours in _FILE_FIELDS.items()
        if ours in file and theirs != "ramrequired"
    }
    if "quant" in written:
        written["quant"] = written["quant"].lower()
    if "ram_bytes" in file:
        written["ramrequired"] = str(-(-file["ram_bytes"] // _GIB))
    return {**written}


GPT4ALL: Final = Gpt4All()
