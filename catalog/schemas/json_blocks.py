"""What the JSON documents have in common whose providers hold their models: one line for each model.

A provider is the line that opens its block, with what closes it as its tail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.records import Record
from catalog.resolving import NATIVE_ID
from catalog.schemas.base import Finding, Line, ParseError, Subject
from catalog.schemas.reading.values import Json, quoted

INSIDE: Final = "\t"
"""Sorts before whatever a name can contain, so that a block's members follow its head."""
HEAD: Final = "provider:"
WEB_ADDRESS: Final = re.compile(r"https?://[^\s/?#@\\$]+(?:[/?#][^\s\\$]*)?", re.ASCII)
_MOST_NAME: Final = 200
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def members_text(fields: Mapping[str, str]) -> str:
    return ",".join(f"{quoted(field)}:{text}" for field, text in fields.items())


def split_at(fields: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """A head's text up to and with the name of its models, and what follows them; ``None`` where it states them itself."""
    if fields.get(name) != "null":
        return None
    keys = list(fields)
    place = keys.index(name)
    before = members_text({key: fields[key] for key in keys[:place]})
    after = members_text({key: fields[key] for key in keys[place + 1 :]})
    return (before + "," if before else "") + quoted(name) + ":", "," + after if after else ""


def order_of(subject: Subject, name: str) -> str:
    """Where the line stands: by its membership, or by its provider's name and its own id."""
    membership = subject.membership or {}
    block = f"{membership['block']:010d}" if "block" in membership else f"~{name}"
    if subject.key.startswith(HEAD):
        return block
    place = (
        f"{membership['position']:010d}"
        if membership
        else f"~{(subject.offering or {}).get('native_id', '')}"
    )
    return f"{block}{INSIDE}{place}"


def joined(lines: Iterable[Line], joint: str) -> str:
    """Blocks with their members between them. A head whose tail is open waits for its first member, or is left out."""
    blocks: list[str] = []
    members: list[str] = []
    head: Line | None = None

    def close() -> None:
        if head is not None and members:
            blocks.append(head.text + joint.join(members) + head.tail)
        members.clear()

    for line in lines:
        if not line.key.startswith(HEAD):
            members.append(line.text)
            continue
        close()
        head = line if line.tail else None
        if not line.tail:
            blocks.append(line.text)
    close()
    return joint.join(blocks)


@dataclass(frozen=True, slots=True)
class Heads:
    """What only all lines together can tell of a document in blocks."""

    client: str

    def findings(self, lines: Sequence[Line]) -> Iterator[Finding]:
        if not any(not line.key.startswith(HEAD) for line in lines):
            yield Finding("stop", "document", "no model is listed", self.client)
        head: Line | None = None
        names: set[str] = set()
        ids: set[str] = set()
        for line in lines:
            if line.key.startswith(HEAD):
                head = line
                ids = set()
                name = _named(line.text)
                if name in names:
                    reason = "a second block for one provider: readers see only one of the two"
                    yield Finding("stop", line.key, reason, self.client)
                names.add(name)
                continue
            if head is None or not line.order.startswith(head.order + INSIDE):
                yield Finding("stop", line.key, "stands in no provider's block", self.client)
            name = _named(line.text)
            if name in ids:
                yield Finding("warn", line.key, "stands twice in its provider's block", self.client)
            ids.add(name)


_ID: Final = re.compile(r'"id":("(?:[^"\\]|\\.)*+")')


def _named(text: str) -> str:
    """What a line calls its member: by the key before it, or by its id."""
    if text.startswith('"'):
        return text.partition(":{")[0]
    found = _ID.search(text)
    return found[1] if found else ""


def fitting_name(value: Json) -> str | None:
    """A display name that a record can hold."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_NAME or _UNFIT.search(value):
        return None
    return value


def fitting_address(value: Json) -> str | None:
    fits = isinstance(value, str) and len(value) <= 500 and WEB_ADDRESS.fullmatch(value)
    return str(value) if fits else None


def native_id(key: str, *, line: int) -> str:
    if not NATIVE_ID.fullmatch(key):
        raise ParseError(f"{key[:80]!r} is not an id", line=line, advice="printable ASCII, at most 256")
    return key


def name_in(family: str, provider: Record) -> str:
    """What the family calls a provider."""
    return str(provider.get("names", {}).get(family) or provider.get("slug", ""))
