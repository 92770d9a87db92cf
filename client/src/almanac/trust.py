"""First trust: which root, for which address. There is no trust on first use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Root

from almanac import keys
from almanac.addresses import SHA256, metadata_path
from almanac.errors import LocalStateError, MalformedError, NetworkError, SignatureError, UsageError
from almanac.fetch import Fetcher
from almanac.mirrorlist import base_address
from almanac.state import Origin, State

LARGEST_ROOT = 512_000


@dataclass(frozen=True, slots=True)
class SeenRoot:
    """What an address shows as its first root: to be compared with what the publisher says elsewhere."""

    url: str
    fingerprint: str
    version: int
    expires: datetime
    threshold: int
    keyids: tuple[str, ...]


def fingerprint_of(root: bytes) -> str:
    return hashlib.sha256(root).hexdigest()


def read_fingerprint(text: str) -> str:
    """As people paste it: any case, with colons or blanks between the digits, ``sha256:`` before them."""
    plain = "".join(text.lower().removeprefix("sha256:").replace(":", "").split())
    if not SHA256.fullmatch(plain):
        raise UsageError(
            "not a fingerprint", where=repr(text[:80]), advice="it is a SHA-256: 64 hexadecimal digits"
        )
    return plain


def fetch_first_root(url: str, fetcher: Fetcher) -> bytes:
    address = base_address(url) + metadata_path("root", 1)
    try:
        return fetcher.get(address, max_length=LARGEST_ROOT)
    except DownloadHTTPError as error:
        raise NetworkError(
            f"no root there (status {error.status_code})", where=f"at {address}", advice="check the address"
        ) from error


def look_at(url: str, root: bytes) -> SeenRoot:
    """A root that is signed by its own keys as it demands; anything else could not be trusted by anyone."""
    keys.register()
    try:
        metadata = Metadata[Root].from_bytes(root)
    except (RepositoryError, ValueError) as error:
        raise MalformedError(
            "not root metadata", where=f"from {url}", advice="check the file or the address"
        ) from error
    signed = metadata.signed
    if not isinstance(signed, Root):
        raise MalformedError(
            f"{signed.type} metadata, not root", where=f"from {url}", advice="check the file"
        )
    try:
        signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise SignatureError(
            "the root is not signed as it demands", where=f"from {url}", advice="check its source"
        ) from error
    role = signed.roles[Root.type]
    return SeenRoot(
        url, fingerprint_of(root), signed.version, signed.expires, role.threshold, tuple(sorted(role.keyids))
    )


def pin(
    state: State, url: str, *, root: bytes, fingerprint: str | None = None, replace: bool = False
) -> tuple[SeenRoot, bool]:
    """Trusts ``root`` for ``url``; False when that was so already. Another root than the trusted one needs ``replace``."""
    address = base_address(url)
    seen = look_at(address, root)
    if fingerprint is not None and read_fingerprint(fingerprint) != seen.fingerprint:
        raise SignatureError(
            f"the fingerprint is {seen.fingerprint}, not the one given",
            where=f"at {address}",
            advice="nothing is trusted; ask the publisher which is right",
        )
    with state.locked():
        return seen, _pin_locked(state, address, seen, root, replace)


def _pin_locked(state: State, address: str, seen: SeenRoot, root: bytes, replace: bool) -> bool:
    try:
        held = state.origin()
    except LocalStateError:
        if not replace:
            raise
        held = None
    if held is not None and held.fingerprint != seen.fingerprint and not replace:
        raise UsageError(
            f"another root is trusted already, for {held.url} ({held.fingerprint[:16]}…)",
            where=f"than the one of {address}",
            advice="if you mean to leave that publisher, add --replace",
        )
    if held is not None and (held.url, held.fingerprint) == (address, seen.fingerprint) and not replace:
        return False
    state.write_origin(Origin(address, seen.fingerprint, root))
    if replace:
        state.forget(seen.fingerprint)
    return True
