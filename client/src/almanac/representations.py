"""One address's forms: as it is, precompressed, or as a delta; each with its headers made once, in advance."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from almanac import encodings
from almanac.addresses import MIRRORS, SHA256, delta_path
from almanac.handling import IMMUTABLE, PLAIN, SMALL, SUFFIXES, media_type
from almanac.stores import FileStore, ObjectNotFoundError

Headers = list[tuple[str, str]]

_KEPT_IN_MEMORY: Final = 64 * 1024
_CODING_COSTS: Final = 32  # bytes of the header that an encoded answer needs on top

_OBJECT: Final = re.compile(rf"targets/((?:[^/]+/)*)({SHA256.pattern})\.([^/]+)")


@dataclass(frozen=True, slots=True)
class Content:
    """Where the bytes of an address lie and how they are to be handled, whatever their encoding."""

    object: str
    sha256: str
    length: int
    media_type: str
    cache: str
    dictionary: str = ""  # the addresses that these bytes are a good dictionary for

    def headers(self, etag: str) -> Headers:
        vary = "Accept-Encoding, Available-Dictionary" if self.dictionary else "Accept-Encoding"
        shared = [
            ("ETag", etag),
            ("Cache-Control", self.cache),
            ("Vary", vary),
            ("Access-Control-Allow-Origin", "*"),
        ]
        return [*shared, ("Use-As-Dictionary", f'match="{self.dictionary}"')] if self.dictionary else shared

    @property
    def is_terse(self) -> bool:
        """Of metadata and deltas a sync reads several, each about as long as its headers: they get no needless ones."""
        return self.object.startswith(("metadata/", "deltas/"))


class Representation:
    """One encoding of a content: an object in the store, its strong ETag, its headers."""

    __slots__ = ("body", "coding", "etag", "headers", "length", "not_modified", "object")

    def __init__(self, content: Content, coding: str, object_name: str, length: int, etag: str) -> None:
        self.coding = coding
        self.object = object_name
        self.length = length
        self.etag = etag
        self.body: bytes | None = None
        self.not_modified = content.headers(etag)
        self.headers: Headers = [
            ("Content-Type", content.media_type),
            ("Content-Length", str(length)),
            *self.not_modified,
            ("X-Content-Type-Options", "nosniff"),
        ]
        if not content.is_terse:
            self.headers.append(("Access-Control-Expose-Headers", "ETag, Content-Encoding, Content-Range"))
        if coding != "identity":
            self.headers.append(("Content-Encoding", coding))
        elif not content.is_terse:
            self.headers.append(("Accept-Ranges", "bytes"))

    def small_body(self, store: FileStore) -> bytes | None:
        """The bytes, kept in memory if they are few; ``None`` when the object is to be sent from its file."""
        if self.body is None and self.length <= _KEPT_IN_MEMORY:
            body = store.get(self.object)
            if len(body) != self.length:
                raise ObjectNotFoundError(self.object)
            self.body = body
        return self.body


class Resource:
    """An address: its identity form, others made of it here, and whichever lie in the store at the moment.

    With ``compress`` the small ``body`` is compressed once, here, for as long as the resource lasts.
    """

    __slots__ = ("_deltas", "_made", "chosen", "content", "forms", "identity", "looked_at")

    def __init__(self, content: Content, body: bytes | None = None, *, compress: bool = False) -> None:
        self.content = content
        self.identity = Representation(
            content, "identity", content.object, content.length, etag(content.sha256)
        )
        self.identity.body = body
        self._made = {"identity": self.identity}
        if body is not None and compress:
            self._made |= {form.coding: form for form in _compressed(content, body)}
        self.forms: dict[str, Representation] = self._made
        self.chosen: dict[str, Representation | None] = {}  # an Accept-Encoding header → what it selects
        self.looked_at = 0.0
        self._deltas: dict[str, Representation] = {}

    def look_for_copies(self, store: FileStore, now: float) -> bool:
        """Precompressed copies come and go beside a target (one no smaller is of no use). True: some did."""
        self.looked_at = now
        forms = dict(self._made)
        for coding, suffix in SUFFIXES.items() if self.content.object.startswith("targets/") else ():
            name = self.content.object + suffix
            length = store.size(name) or 0
            if 0 < length < self.content.length:
                old = self.forms.get(coding)
                same = old is not None and old.length == length
                tag = etag(self.content.sha256, coding)
                forms[coding] = (
                    old if same and old else Representation(self.content, coding, name, length, tag)
                )
        if forms == self.forms:
            return False
        self.forms, self.chosen = forms, {}
        return True

    def forget(self, form: Representation) -> None:
        """A form whose object has gone; the identity form stays, whatever happens."""
        self.forms = {
            name: kept for name, kept in self.forms.items() if kept is not form or name == "identity"
        }
        self._deltas = {old: kept for old, kept in self._deltas.items() if kept is not form}
        self.chosen = {}

    def delta_from(self, old_sha256: str, store: FileStore) -> Representation | None:
        """The form for a client that holds the older bytes; a delta's bytes never change under their address."""
        found = self._deltas.get(old_sha256)
        if found is None and self.content.dictionary:
            name = delta_path(old_sha256, self.content.sha256)
            length = store.size(name)
            if length is not None:
                tag = etag(self.content.sha256, f"dcz-{old_sha256[:16]}")
                found = Representation(self.content, "dcz", name, length, tag)
                if len(self._deltas) < 128:
                    self._deltas[old_sha256] = found
        return found


def _compressed(content: Content, body: bytes) -> Iterator[Representation]:
    """The forms of a small body that are worth their header."""
    for coding, encoded in encodings.encoded(body).items():
        if len(encoded) + _CODING_COSTS < len(body):
            made = Representation(content, coding, content.object, len(encoded), etag(content.sha256, coding))
            made.body = encoded
            yield made


def etag(sha256: str, form: str = "") -> str:
    """Strong, one per encoding, and for equal bytes always the same (a client may compute it from its copy)."""
    return f'"{sha256[:32]}-{form}"' if form else f'"{sha256[:32]}"'


def plain_document(path: str, object_name: str, sha256: str, length: int) -> Resource:
    """A target at its plain address, which always means its newest bytes."""
    dictionary = "" if path == MIRRORS else f"/{path}"
    return Resource(Content(object_name, sha256, length, media_type(path), PLAIN, dictionary))


def immutable_object(name: str, store: FileStore) -> Resource | None:
    """What lies at an immutable address: a target or a signature by its hash, a delta, numbered metadata."""
    length = store.size(name)
    if length is None:
        return None
    found = _OBJECT.fullmatch(name)
    if found is None or found[3].endswith(".minisig"):
        file = found[3] if found else name
        data = store.get(name)
        content = Content(name, hashlib.sha256(data).hexdigest(), len(data), media_type(file), IMMUTABLE)
        is_few = len(data) <= _KEPT_IN_MEMORY
        return Resource(content, data if is_few else None, compress=name.startswith("metadata/"))
    folder, sha256, file = found.groups()
    match = f"/targets/{folder}*.{file}"
    return Resource(Content(name, sha256, length, media_type(file), IMMUTABLE, match))


def small_file(name: str, data: bytes, *, cache: str = SMALL) -> Resource:
    """A mutable file that is served from memory, as it was when it was read."""
    content = Content(name, hashlib.sha256(data).hexdigest(), len(data), media_type(name), cache)
    return Resource(content, body=data, compress=name.endswith(".json"))


def signature(path: str, object_name: str, store: FileStore) -> Resource | None:
    """The ``.minisig`` of a plain document: the one beside its immutable bytes, so that the two always agree."""
    try:
        data = store.get(f"{object_name}.minisig")
    except ObjectNotFoundError:
        return None
    return small_file(f"{path}.minisig", data)
