"""HTTP for the client: every byte, second, redirect and kind of content is bounded before it is believed.

``Fetcher`` is python-tuf's ``FetcherInterface`` over urllib3. It counts what it costs, sends the validator that it was
given and hands back the stored copy on 304. What it raises is already in the words of ``almanac.errors``, except
``DownloadHTTPError`` for 403 and 404, by which python-tuf finds the end of the chain of roots.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final
from urllib.parse import urljoin, urlsplit

import urllib3
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from almanac import __version__, encodings
from almanac.errors import MalformedError, NetworkError

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS: Final = 3
CHUNK: Final = 64 * 1024
MOST_DRAINED: Final = 4096
ENCODING_OVERHEAD: Final = 1024
"""What an encoding may add to a body that cannot be made smaller; the decoded bytes are held to the exact limit."""
NOT_OURS: Final = "it may be a captive portal or a proxy; the old copy is kept"

Progress = Callable[[str, int, int], None]
"""Called with (address, bytes so far, bytes in all or 0)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a server may take. The slowest that is waited for is ``slowest_bytes_s``, after ``patience_s``."""

    connect_s: float = 5.0
    read_s: float = 10.0
    patience_s: float = 5.0
    slowest_bytes_s: int = 1024
    wall_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A copy that we hold of what an address said, and the ETag under which it was said."""

    etag: str
    data: bytes


@dataclass(slots=True)
class Cost:
    requests: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Fetcher(FetcherInterface):
    """One run's connections. Not shared between threads."""

    limits: Limits = field(default_factory=Limits)
    stored: Mapping[str, Stored] = field(default_factory=dict)
    progress: Progress | None = None
    monotonic: Callable[[], float] = time.monotonic
    cost: Cost = field(default_factory=Cost)
    etags: dict[str, str] = field(default_factory=dict)
    """The ETag of each address of this run."""
    _pools: dict[str | None, urllib3.PoolManager] = field(default_factory=dict)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """What python-tuf calls for metadata."""
        return self.get(url, max_length=max_length)

    @contextlib.contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[Any]]:
        """What python-tuf calls for targets."""
        yield io.BytesIO(self.get(url, max_length=max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        yield self.get(url, max_length=2**31)

    def get(self, url: str, *, max_length: int, encoded: bool = True) -> bytes:
        """The body at ``url``: at most ``max_length`` bytes, decoded; ``encoded=False`` asks for it as it is."""
        stored = self.stored.get(url)
        headers = {
            "User-Agent": f"almanac/{__version__}",
            "Accept-Encoding": encodings.ACCEPTED if encoded else "identity",
        }
        if stored is not None:
            headers["If-None-Match"] = stored.etag
        address = url
        for _ in range(MOST_REDIRECTS + 1):
            response = self._open(address, headers)
            try:
                if response.status not in REDIRECTS:
                    return self._body(url, response, max_length, stored)
                address = _redirect(address, response.headers.get("Location", ""))
            finally:
                response.close()
        raise NetworkError(
            f"more than {MOST_REDIRECTS} redirects", where=f"from {url}", advice="the old copy is kept"
        )

    def _open(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=self.limits.connect_s, read=self.limits.read_s)
        self.cost.requests += 1
        try:
            return self._pool(url).request(
                "GET", url, headers=dict(headers), preload_content=False, decode_content=False,
                redirect=False, retries=False, timeout=timeout,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NetworkError(_plain(error), where=f"at {url}", advice=NOT_REACHED) from error

    def _body(
        self, url: str, response: urllib3.BaseHTTPResponse, max_length: int, stored: Stored | None
    ) -> bytes:
        """Judges status and kind of content, then reads no more than was allowed."""
        if response.status != 200:
            self._drain(response)
        if response.status == 304 and stored is not None:
            self.etags[url] = stored.etag
            return stored.data
        if response.status in (403, 404):
            raise DownloadHTTPError(f"{response.status} at {url}", response.status)
        if response.status != 200:
            raise NetworkError(
                f"not our content (status {response.status})", where=f"at {url}", advice=NOT_OURS
            )
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise NetworkError(f"not our content ({kind})", where=f"at {url}", advice=NOT_OURS)
        data = self._read(url, response, max_length)
        if not data and max_length > 0:
            raise NetworkError("not our content (empty)", where=f"at {url}", advice=NOT_OURS)
        if data[:64].lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise NetworkError("not our content (a web page)", where=f"at {url}", advice=NOT_OURS)
        if etag := response.headers.get("ETag"):
            self.etags[url] = etag
        return data

    def _drain(self, response: urllib3.BaseHTTPResponse) -> None:
        """Reads a short answer to its end, so that the connection can be used again; a long one is hung up on."""
        if _is_number(response) and int(response.headers["Content-Length"]) > MOST_DRAINED:
            return
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            self.cost.bytes += len(response.read1(MOST_DRAINED, decode_content=False))
            response.release_conn()

    def _read(self, url: str, response: urllib3.BaseHTTPResponse, max_length: int) -> bytes:
        decoder = encodings.decoder_for(
            response.headers.get("Content-Encoding", ""), max_length=max_length, where=url
        )
        try:
            for chunk in self._chunks(url, response, max_length + ENCODING_OVERHEAD):
                decoder.feed(chunk)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NetworkError(_plain(error), where=f"at {url}", advice=NOT_REACHED) from error
        return decoder.finish()

    def _chunks(self, url: str, response: urllib3.BaseHTTPResponse, max_length: int) -> Iterator[bytes]:
        """The raw body in pieces, watched for length and speed."""
        started, received = self.monotonic(), 0
        total = int(response.headers.get("Content-Length") or 0) if _is_number(response) else 0
        if total > max_length:
            raise too_long(url, max_length)
        # read1 hands out what has arrived, so that a server which sends a byte a second is seen as one
        while chunk := response.read1(CHUNK, decode_content=False):
            received += len(chunk)
            self.cost.bytes += len(chunk)
            if received > max_length:
                raise too_long(url, max_length)
            self._check_speed(url, received, self.monotonic() - started)
            if self.progress is not None:
                self.progress(url, received, total)
            yield chunk

    def _check_speed(self, url: str, received: int, elapsed: float) -> None:
        limits = self.limits
        slow = elapsed > limits.patience_s and received < limits.slowest_bytes_s * elapsed
        if slow or elapsed > limits.wall_s:
            raise NetworkError(
                f"too slow ({received} bytes in {elapsed:.0f} s)", where=f"at {url}", advice=NOT_REACHED
            )

    def _pool(self, url: str) -> urllib3.PoolManager:
        """The pool for this address: direct, or through the proxy that the environment names."""
        from urllib.request import getproxies, proxy_bypass

        parts = urlsplit(url)
        proxies = getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if proxy is not None and proxy_bypass(parts.hostname or ""):
            proxy = None
        if proxy not in self._pools:
            self._pools[proxy] = urllib3.PoolManager() if proxy is None else urllib3.ProxyManager(proxy)
        return self._pools[proxy]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()


NOT_REACHED: Final = "check the connection and the address; the old copy is kept"


def too_long(url: str, max_length: int) -> MalformedError:
    return MalformedError(
        f"more than the {max_length} bytes allowed", where=f"at {url}", advice="the old copy is kept"
    )


def _redirect(source: str, location: str) -> str:
    """Where a redirect leads, if it may be followed: from https to https on the same port."""
    target = urljoin(source, location)
    old, new = urlsplit(source), urlsplit(target)
    try:
        same_port = (old.port or 443) == (new.port or 443)
    except ValueError:
        same_port = False
    if (
        not location
        or old.scheme != "https"
        or new.scheme != "https"
        or not same_port
        or new.username is not None
    ):
        raise NetworkError(
            "a redirect that is not followed",
            where=f"from {source} to {target}",
            advice="use the address that it leads to, if you trust it",
        )
    return target


def _is_number(response: urllib3.BaseHTTPResponse) -> bool:
    length = response.headers.get("Content-Length", "")
    return length.isascii() and length.isdigit() and len(length) < 19


def _plain(error: Exception) -> str:
    """What went wrong with a connection, in few words."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "this name is unknown"
        case urllib3.exceptions.NewConnectionError():
            return "nothing answers"
        case urllib3.exceptions.ConnectTimeoutError():
            return "no connection in time"
        case urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case urllib3.exceptions.SSLError():
            return "the TLS certificate or handshake is wrong"
        case urllib3.exceptions.LocationParseError() | urllib3.exceptions.URLSchemeUnknown() | ValueError():
            return "this is not an address that can be fetched"
        case _:
            return "the connection broke off"
