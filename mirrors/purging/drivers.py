"""One small class for each provider's way of being told.

Sources: CloudFront's ``CreateInvalidation``, Fastly's "Purge a URL", Cloudflare's "Purge cached content by URL".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

import urllib3

from almanac.errors import NetworkError

CLOUDFLARE_AT_ONCE: Final = 100
CLOUDFRONT_AT_ONCE: Final = 1000
"""Source: each provider's limits for one call."""
CONNECT_S: Final = 3.0
READ_S: Final = 5.0
MOST_SAID: Final = 200


Connect = Callable[[], Any]
"""Makes boto3's client: its class is made while it runs."""


class PurgeError(NetworkError):
    """The cache was not told; what it holds lives for its minute."""

    name = "purge"


class Purger(Protocol):
    """``reference`` names the publication: the same one asks for the same thing."""

    @property
    def name(self) -> str: ...

    def purge(self, addresses: Sequence[str], *, reference: str) -> None:
        """Raises ``PurgeError``; asking again does no harm."""


@dataclass(frozen=True)
class Cloudflare:
    zone: str
    token: str = field(repr=False)
    api: str = "https://api.cloudflare.com/client/v4"
    name: str = "cloudflare"

    def purge(self, addresses: Sequence[str], *, reference: str) -> None:  # noqa: ARG002  # it knows none
        for files in _in_portions(addresses, CLOUDFLARE_AT_ONCE):
            body = _call(
                self.name,
                "POST",
                f"{self.api}/zones/{self.zone}/purge_cache",
                headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
                body=json.dumps({"files": files}).encode(),
            )
            if not _says_success(body):
                raise PurgeError("cloudflare says that it did not purge", where=f"(zone {self.zone})")


@dataclass(frozen=True)
class Fastly:
    """Softly: what is purged is stale, and may be served while it is fetched anew or while the origin is away."""

    token: str = field(repr=False)
    api: str = "https://api.fastly.com"
    name: str = "fastly"

    def purge(self, addresses: Sequence[str], *, reference: str) -> None:  # noqa: ARG002  # it knows none
        for address in addresses:
            bare = address.partition("://")[2]
            _call(
                self.name,
                "POST",
                f"{self.api}/purge/{bare}",
                headers={"Fastly-Key": self.token, "Fastly-Soft-Purge": "1", "Accept": "application/json"},
            )


@dataclass(frozen=True)
class CloudFront:
    """Credentials and, in tests, the endpoint come from boto3's own chain."""

    distribution: str
    connect: Connect = field(repr=False)
    name: str = "cloudfront"

    def purge(self, addresses: Sequence[str], *, reference: str) -> None:
        paths = [quote(urlsplit(address).path, safe="/~") for address in addresses]
        try:
            for number, items in enumerate(_in_portions(paths, CLOUDFRONT_AT_ONCE)):
                self.connect().create_invalidation(
                    DistributionId=self.distribution,
                    InvalidationBatch={
                        "Paths": {"Quantity": len(items), "Items": items},
                        "CallerReference": f"almanac-{reference}-{number}",
                    },
                )
        except Exception as error:  # boto3 makes its error classes while it runs
            raise PurgeError(f"cloudfront: {_shortly(error)}", where=f"({self.distribution})") from error


@dataclass(frozen=True)
class Generic:
    """Any cache that is told by one request for each address: ``PURGE https://edge.internal/{path}``."""

    method: str
    template: str
    """``{path}``: the address without scheme and host; ``{url}``: all of it, quoted."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str = "generic"

    def purge(self, addresses: Sequence[str], *, reference: str) -> None:  # noqa: ARG002  # it knows none
        for address in addresses:
            path = urlsplit(address).path.lstrip("/")
            url = self.template.replace("{path}", path).replace("{url}", quote(address, safe=""))
            _call(self.name, self.method, url, headers=dict(self.headers))


def _call(
    name: str, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
) -> bytes:
    """One request: no redirect, no retry (the job is tried again), a bounded answer, no header in any error."""
    timeout = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
    host = urlsplit(url).hostname or ""
    try:
        with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
            answer = pool.request(
                method, url, headers=dict(headers), body=body, redirect=False, preload_content=False
            )
            said = answer.read(64 * 1024)
            answer.release_conn()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise PurgeError(f"{name} cannot be told: {type(error).__name__}", where=f"({host})") from error
    if not 200 <= answer.status < 300:
        raise PurgeError(f"{name} answered {answer.status}", where=f"({host})")
    return said


def _says_success(body: bytes) -> bool:
    try:
        return json.loads(body)["success"] is True
    except (ValueError, KeyError, TypeError):
        return False


def _in_portions(items: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _shortly(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MOST_SAID]
