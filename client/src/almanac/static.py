"""The static server of the origin and of every replica: a WSGI application over a store's folder.

An address is looked up, never joined to a path: the release's table knows the plain addresses, a
strict grammar the immutable ones. Anything else is the fallback's, or a 404; nothing is redirected.
What an answer needs is made when a release is committed, so that most requests cost two look-ups.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from almanac.addresses import INDEX, MINISIGN_KEY, SHA256, TIMESTAMP
from almanac.handling import TIMESTAMP_CACHE
from almanac.lifecycle import RETIRED, document_of, life_headers, version_of
from almanac.negotiation import (
    Encodings,
    Span,
    UnsatisfiableRangeError,
    dictionary_hash,
    entity_tags,
    single_range,
)
from almanac.problems import gone, other_method, problem, with_headers
from almanac.release_table import CommittedRelease, ReleaseTable
from almanac.representations import (
    Headers,
    Representation,
    Resource,
    immutable_object,
    plain_document,
    signature,
    small_file,
)
from almanac.stores import FileStore, StoreError
from almanac.variants import Variants, fitting, is_too_old, variants_among

OURS: Final = ("/metadata/", "/targets/", "/deltas/", "/catalog/", "/regions/")
LOOK_AGAIN_S: Final = 5.0  # how often a document's precompressed copies are looked for
_ASKED: Final = ("/catalog/", "/regions/")
_CHUNK: Final = 256 * 1024
_REMEMBERED: Final = 1024

_IMMUTABLE: Final = re.compile(
    r"/(metadata/[1-9][0-9]{0,9}\.[a-z0-9][a-z0-9._-]{0,127}\.json"
    rf"|deltas/{SHA256.pattern}/{SHA256.pattern}\.dcz"
    rf"|targets/(?:[^/]+/)*{SHA256.pattern}\.[^/]+(?<!\.br)(?<!\.gz)(?<!\.zst))"
)
_LOOSE: Final = {f"/{INDEX}": INDEX, f"/{MINISIGN_KEY}": MINISIGN_KEY}


@dataclass(slots=True)
class Site:
    """A release as addresses. Replaced as a whole; only the memory of immutable objects grows."""

    table: ReleaseTable
    addresses: dict[str, Resource] = field(default_factory=dict)
    immutable: dict[str, Resource] = field(default_factory=dict)
    lives: dict[str, Headers] = field(default_factory=dict)
    """Plain addresses of deprecated documents → the headers that say so."""
    variants: Variants = field(default_factory=dict)


class StaticApp:
    """``StaticApp(folder)`` serves a store; with a ``fallback``, what the store does not know goes there."""

    def __init__(
        self,
        root: Path,
        fallback: WSGIApplication | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = FileStore(root)
        self._fallback = fallback
        self._monotonic = monotonic
        self._release = CommittedRelease(self._store, self._make_site, monotonic)
        self._loose: dict[str, tuple[object, Resource]] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        site = self._release.current()
        resource = site.addresses.get(path) or self._elsewhere(path, site)
        if resource is None:
            notice = site.table.notices.get(document_of(path[1:]))
            if notice is not None and notice.status == RETIRED:
                return gone(notice, environ, start_response)
            if self._fallback is not None and not path.startswith(OURS):
                return self._fallback(environ, start_response)
            return problem(environ, start_response, "404 Not Found", "There is nothing at this address.")
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            return other_method(environ, start_response)
        if site.lives and path in site.lives:
            start_response = with_headers(start_response, site.lives[path])
        if environ.get("QUERY_STRING") and path.startswith(_ASKED):
            return self._as_asked(path, site, environ, start_response)
        return self._answer(resource, environ, start_response)

    # -- which bytes are meant --------------------------------------------------------------------

    def _make_site(self, table: ReleaseTable, previous: Site | None) -> Site:
        site = Site(table, variants=variants_among(table.documents))
        if table.timestamp:
            address = f"/{TIMESTAMP}"
            site.addresses[address] = small_file(TIMESTAMP, table.timestamp, cache=TIMESTAMP_CACHE)
        for document in table.documents.values():
            plain, signed, immutable = f"/{document.path}", f"/{document.path}.minisig", f"/{document.object}"
            old = previous.addresses if previous is not None and immutable in previous.addresses else {}
            newest = old.get(plain) or plain_document(
                document.path, document.object, document.sha256, document.length
            )
            by_hash = old.get(immutable) or immutable_object(document.object, self._store)
            minisig = old.get(signed) or signature(document.path, document.object, self._store)
            if headers := life_headers(table.notices, table.documents, document.path):
                site.lives.update({plain: headers, signed: headers})
            found = {plain: newest, immutable: by_hash, signed: minisig}
            site.addresses.update({address: resource for address, resource in found.items() if resource})
        for resource in site.addresses.values():
            if not resource.looked_at:
                resource.look_for_copies(self._store, self._monotonic())
        return site

    def _elsewhere(self, path: str, site: Site) -> Resource | None:
        """Addresses that are not the release's own: older immutable objects, and two files that are unsigned."""
        remembered = site.immutable.get(path)
        if remembered is not None:
            return remembered
        try:
            if path in _LOOSE:
                return self._loose_file(_LOOSE[path])
            if not _IMMUTABLE.fullmatch(path):
                return None
            resource = immutable_object(path[1:], self._store)  # the store refuses what is not a plain name
        except StoreError:
            return None
        if resource is not None and len(site.immutable) < _REMEMBERED:
            resource.look_for_copies(self._store, self._monotonic())
            site.immutable[path] = resource
        return resource

    def _loose_file(self, name: str) -> Resource:
        """A file that changes on its own, kept for as long as the disk says that it is the same."""
        found = (
            self._store.root.joinpath(name).stat(follow_symlinks=False) if self._store.size(name) else None
        )
        seen = (found.st_mtime_ns, found.st_ino, found.st_size) if found else None
        kept = self._loose.get(name)
        if kept is None or kept[0] != seen:
            kept = (seen, small_file(name, self._store.get(name)))
            self._loose[name] = kept
        return kept[1]

    def _as_asked(
        self,
        path: str,
        site: Site,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        try:
            fields = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return problem(environ, start_response, "400 Bad Request", "The query cannot be read.")
        versions = [value for name, value in fields if name == "client_version"]
        version = version_of(versions[0]) if len(versions) == 1 else None
        asked = [value for name, value in fields if name == "region"] if path.startswith("/catalog/") else []
        if not asked:
            return self._for_version(path, version, site, environ, start_response)
        region = asked[0].lower() if len(asked) == 1 and asked[0].isascii() else ""
        if region not in site.table.regions:
            detail = "Give one known region." if len(asked) == 1 else "Give one region, once."
            extra = {"regions": sorted(site.table.regions)}
            return problem(environ, start_response, "400 Bad Request", detail, extra=extra)
        wanted = path if region == "global" else f"/regions/{region}{path}"
        if wanted not in site.addresses:
            detail = f"This document is not published for the region {region}."
            return problem(environ, start_response, "404 Not Found", detail)
        return self._for_version(wanted, version, site, environ, start_response)

    def _for_version(
        self,
        path: str,
        version: tuple[int, ...] | None,
        site: Site,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """The document that fits the client's version; one that says none, or says it unreadably, gets it as it is."""
        if version is not None:
            notice = site.table.notices.get(document_of(path[1:]))
            if notice is not None and is_too_old(notice.clients, version):
                detail = f"The client is too old for {notice.name}."
                extra = {"clients": dict(notice.clients)}
                return problem(environ, start_response, "406 Not Acceptable", detail, extra=extra)
            path = f"/{fitting(path[1:], version, site.variants)}"
        return self._answer(site.addresses[path], environ, start_response)

    # -- which form of them, and whether they are needed at all -----------------------------------

    def _answer(
        self, resource: Resource, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        form, span = self._select(resource, environ)
        tags = environ.get("HTTP_IF_NONE_MATCH")
        if tags is not None:
            # The identity form's tag says which bytes the client holds, whatever encoding it asks for.
            for held in (form, resource.identity):
                if held is not None and (tags == held.etag or _names(tags, held.etag)):
                    start_response("304 Not Modified", held.not_modified.copy())
                    return []
        if form is None:
            return problem(
                environ, start_response, "406 Not Acceptable", "No encoding that we have is accepted."
            )
        now = self._monotonic()
        if now > resource.looked_at + LOOK_AGAIN_S and resource.look_for_copies(self._store, now):
            return self._answer(resource, environ, start_response)
        if span is not None:
            return self._part(form, span, environ, start_response)
        try:
            return self._whole(form, environ, start_response)
        except StoreError:
            if form is resource.identity:
                detail = "The store is damaged here. Try again later, or another mirror."
                return problem(environ, start_response, "503 Service Unavailable", detail)
            resource.forget(form)
            return self._answer(resource, environ, start_response)

    def _select(
        self, resource: Resource, environ: WSGIEnvironment
    ) -> tuple[Representation | None, Span | UnsatisfiableRangeError | None]:
        accept: str = environ.get("HTTP_ACCEPT_ENCODING", "")
        if "HTTP_RANGE" in environ:
            span = _span(resource.identity, accept, environ)
            if span is not None:
                return resource.identity, span
        if "HTTP_AVAILABLE_DICTIONARY" in environ:
            delta = self._delta(resource, accept, environ["HTTP_AVAILABLE_DICTIONARY"])
            if delta is not None:
                return delta, None
        chosen = resource.chosen
        if accept not in chosen:
            coding = Encodings(accept).choose({name: form.length for name, form in resource.forms.items()})
            if len(chosen) >= 64:
                chosen = resource.chosen = {}
            chosen[accept] = resource.forms.get(coding) if coding else None
        return chosen[accept], None

    def _delta(self, resource: Resource, accept: str, available: str) -> Representation | None:
        held = dictionary_hash(available)
        encodings = Encodings(accept)
        if held is None or not encodings.weight("dcz"):
            return None
        try:
            delta = resource.delta_from(held, self._store)
        except StoreError:
            return None
        if delta is None:
            return None
        sizes = {name: form.length for name, form in resource.forms.items()}
        return delta if encodings.choose(sizes | {"dcz": delta.length}) == "dcz" else None

    # -- sending ----------------------------------------------------------------------------------

    def _whole(
        self, form: Representation, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        body = form.body if form.body is not None else form.small_body(self._store)
        if body is not None:
            start_response("200 OK", form.headers.copy())
            return [body] if environ["REQUEST_METHOD"] == "GET" else []
        file = self._open(form)
        start_response("200 OK", form.headers.copy())
        if environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return []
        if form.length <= _CHUNK:
            with file:
                return [
                    file.read()
                ]  # in one piece: a slow reader then keeps no thread of the server's waiting
        wrapper: Callable[[BinaryIO, int], Iterable[bytes]] = environ.get("wsgi.file_wrapper", _Chunks)
        return wrapper(file, _CHUNK)

    def _part(
        self,
        form: Representation,
        span: Span | UnsatisfiableRangeError,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        if isinstance(span, UnsatisfiableRangeError):
            headers = [("Content-Range", f"bytes */{form.length}")]
            detail = f"The document has {form.length} bytes."
            return problem(environ, start_response, "416 Range Not Satisfiable", detail, headers=headers)
        try:
            file = self._open(form)
        except StoreError:
            detail = "The store is damaged here. Try again later, or another mirror."
            return problem(environ, start_response, "503 Service Unavailable", detail)
        length = span.last - span.first + 1
        headers = [(name, value) for name, value in form.headers if name != "Content-Length"]
        headers.append(("Content-Length", str(length)))
        headers.append(("Content-Range", f"bytes {span.first}-{span.last}/{form.length}"))
        start_response("206 Partial Content", headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return []
        file.seek(span.first)
        return _Chunks(file, _CHUNK, length)

    def _open(self, form: Representation) -> BinaryIO:
        """The form's file, checked to be as long as its headers promise."""
        file = self._store.open(form.object)
        if file.seek(0, 2) != form.length:
            file.close()
            raise StoreError("the object has another length than it should", where=f"({form.object})")
        file.seek(0)
        return file


class _Chunks:
    """A file in pieces, for servers without ``wsgi.file_wrapper`` and for parts of files."""

    def __init__(self, file: BinaryIO, size: int, left: int | None = None) -> None:
        self._file = file
        self._size = size
        self._left = left

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self._file.read(self._size if self._left is None else min(self._size, self._left))
        if not data:
            raise StopIteration
        if self._left is not None:
            self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


def _names(tags: str, etag: str) -> bool:
    return any(tag in (etag, "*") for tag in entity_tags(tags))


def _span(
    form: Representation, accept: str, environ: WSGIEnvironment
) -> Span | UnsatisfiableRangeError | None:
    """The part of the identity form that is asked for, if it may be sent in parts at all."""
    if not Encodings(accept).weight("identity") or environ.get("HTTP_IF_RANGE", form.etag) != form.etag:
        return None
    try:
        return single_range(environ["HTTP_RANGE"], form.length)
    except UnsatisfiableRangeError as unsatisfiable:
        return unsatisfiable
