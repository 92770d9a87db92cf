"""One document from one mirror: the delta where we hold an older copy, else all of it. The result's hash decides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import TargetFile

from almanac import addresses, dcz
from almanac.errors import AlmanacError, MalformedError, NetworkError
from almanac.fetch import Fetcher
from almanac.judge import KEPT

LARGEST_DOCUMENT: Final = 256 * 1024 * 1024
LARGEST_DELTA: Final = 64 * 1024 * 1024

Old = Callable[[str], bytes | None]
"""A held document by its hash, verified; ``None`` where it is not held any more."""


@dataclass(frozen=True, slots=True)
class Obtained:
    path: str
    sha256: str
    length: int
    how: str
    """``unchanged`` (held already), ``delta`` or ``full``."""
    data: bytes
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A signed entry, read strictly: names, hashes and lengths of ours alone."""

    path: str
    sha256: str
    length: int
    deltas: Mapping[str, int]


def read_target(target: TargetFile) -> Wanted:
    sha256 = target.hashes.get("sha256", "")
    if not addresses.is_target_path(target.path) or not addresses.SHA256.fullmatch(sha256):
        raise MalformedError(
            "a document without a plain name and a SHA-256", where=f"({target.path[:80]!r})", advice=KEPT
        )
    if not 0 < target.length <= LARGEST_DOCUMENT:
        raise MalformedError(f"a document of {target.length} bytes", where=f"({target.path})", advice=KEPT)
    return Wanted(target.path, sha256, target.length, _deltas(target.custom))


def _deltas(custom: Any) -> dict[str, int]:
    """Deltas only save bytes, so whatever is wrong with their list means that there are none."""
    listed = custom.get("deltas") if isinstance(custom, dict) else None
    if not isinstance(listed, dict):
        return {}
    return {
        key: length for key, length in listed.items() if type(length) is int and 0 < length <= LARGEST_DELTA
    }


def base_for(wanted: Wanted, held: Iterable[str]) -> str | None:
    """Which held document to build on: the one with the smallest delta."""
    usable = [sha256 for sha256 in held if addresses.delta_key(sha256) in wanted.deltas]
    return min(usable, key=lambda sha256: wanted.deltas[addresses.delta_key(sha256)], default=None)


def obtain(wanted: Wanted, held: Iterable[str], old: Old, *, base_url: str, fetcher: Fetcher) -> Obtained:
    """The document's bytes, verified against the signed length and hash, or the error of the full download."""
    current = old(wanted.sha256)
    if current is not None and len(current) == wanted.length:
        return Obtained(wanted.path, wanted.sha256, wanted.length, "unchanged", current)
    warning = ""
    base = base_for(wanted, held)
    base_bytes = old(base) if base else None
    if base is not None and base_bytes is not None:
        try:
            data = _by_delta(wanted, base, base_bytes, base_url, fetcher)
            return Obtained(wanted.path, wanted.sha256, wanted.length, "delta", data)
        except (AlmanacError, DownloadHTTPError) as error:
            warning = f"the delta was of no use ({error}); the full document was fetched"
    return Obtained(
        wanted.path, wanted.sha256, wanted.length, "full", _in_full(wanted, base_url, fetcher), warning
    )


def _by_delta(wanted: Wanted, base: str, base_bytes: bytes, base_url: str, fetcher: Fetcher) -> bytes:
    url = base_url + addresses.delta_path(base, wanted.sha256)
    frame = fetcher.get(url, max_length=wanted.deltas[addresses.delta_key(base)], encoded=False)
    data = dcz.decode(base_bytes, frame, max_length=wanted.length)
    _check(wanted, data, url)
    return data


def _in_full(wanted: Wanted, base_url: str, fetcher: Fetcher) -> bytes:
    """Compressed if the mirror offers that; when what comes is wrong, once more as it is."""
    url = base_url + addresses.object_path(wanted.path, wanted.sha256)
    try:
        try:
            data = fetcher.get(url, max_length=wanted.length)
            _check(wanted, data, url)
        except MalformedError:
            data = fetcher.get(url, max_length=wanted.length, encoded=False)
            _check(wanted, data, url)
    except DownloadHTTPError as error:
        raise NetworkError(
            f"not there (status {error.status_code})", where=f"at {url}", advice=KEPT
        ) from error
    return data


def _check(wanted: Wanted, data: bytes, url: str) -> None:
    if len(data) != wanted.length or hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise MalformedError("length or hash is not what was signed", where=f"at {url}", advice=KEPT)
