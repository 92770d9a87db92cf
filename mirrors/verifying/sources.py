"""Where a verification reads: a store, which can also be listed, or somebody's mirror over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tuf.api.exceptions import DownloadHTTPError

from almanac.errors import MalformedError, NetworkError
from almanac.fetch import Fetcher
from almanac.stores import ObjectNotFoundError, ObjectStore, store_at


class Source(Protocol):
    address: str

    def get(self, name: str, *, most: int) -> bytes | None:
        """The bytes, ``None`` when there are none; never more than ``most``."""
        ...

    def names(self) -> Iterable[str] | None:
        """Everything that lies there; ``None`` where nobody can list it."""
        ...


class StoreSource:
    def __init__(self, store: ObjectStore, address: str) -> None:
        self.address = address
        self._store = store

    def get(self, name: str, *, most: int) -> bytes | None:
        size = self._store.size(name)
        if size is None:
            return None
        if size > most:
            raise MalformedError(f"{size} bytes, more than the {most} allowed", where=f"({name})")
        try:
            return self._store.get(name)
        except ObjectNotFoundError:
            return None

    def names(self) -> Iterable[str]:
        return self._store.names()


class HttpSource:
    """What everybody sees at an address; asked without encoding, so that the bytes are the store's own."""

    def __init__(self, address: str, fetcher: Fetcher | None = None) -> None:
        self.address = address if address.endswith("/") else f"{address}/"
        self._fetcher = fetcher or Fetcher()

    def get(self, name: str, *, most: int) -> bytes | None:
        try:
            return self._fetcher.get(f"{self.address}{name}", max_length=most, encoded=False)
        except DownloadHTTPError:
            return None
        except (NetworkError, MalformedError) as error:
            # What the fetcher advises is for clients, who keep an old copy.
            raise type(error)(error.what, where=error.where) from error

    def names(self) -> None:
        return None


def source_at(address: str) -> Source:
    """The source that an address means: ``http(s)://…``, or whatever ``store_at`` knows."""
    if address.startswith(("http://", "https://")):
        return HttpSource(address)
    return StoreSource(store_at(address), address)
