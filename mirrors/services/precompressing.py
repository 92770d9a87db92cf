"""Precompressed copies beside the immutable objects: never trusted, missed by nobody.

A copy is a file beside the object (``….br``, ``.gz``, ``.zst``). A middling document has its first ones before the
commit, so that whoever asks at once is not sent all of it; jobs replace them by smaller ones when there is time.
"""

from __future__ import annotations

import gzip
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import brotli  # type: ignore[import-untyped]

from almanac.addresses import object_path
from almanac.stores import ObjectNotFoundError, ObjectStore
from mirrors.models import Job, Publication, PublishedDocument
from mirrors.services.pushing import NewFile
from mirrors.services.uploading import each, lanes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SMALLEST: Final = 1024
"""Bytes below which an encoded answer is not worth its headers."""
BEST_UP_TO: Final = 16 * 1024 * 1024
"""Bytes up to which the slowest levels end in a minute or so (delta.md §4: brotli 11 takes a second per 2.4 MB)."""
LATER: Final = timedelta(minutes=2)

Encoder = Callable[[bytes], bytes]

FIRST_UP_TO: Final = 4 * 1024 * 1024
FIRST_IN_ALL: Final = 16 * 1024 * 1024
"""Bytes of a document, and of all of them, up to which copies are made while readers wait for the publication."""
FIRST_AT_ONCE: Final = 4

FIRST: Final[Mapping[str, Encoder]] = {
    "gz": lambda data: gzip.compress(data, compresslevel=1, mtime=0),
    "zst": lambda data: zstd.compress(data, level=3),
}
QUICK: Final[Mapping[str, Encoder]] = {
    "br": lambda data: brotli.compress(data, quality=5),
    "gz": lambda data: gzip.compress(data, compresslevel=6, mtime=0),
    "zst": lambda data: zstd.compress(data, level=9),
}
BEST: Final[Mapping[str, Encoder]] = {
    "br": lambda data: brotli.compress(data, quality=11),
    "gz": lambda data: gzip.compress(data, compresslevel=9, mtime=0),
    "zst": lambda data: zstd.compress(data, level=19),
}


def request(publication: Publication, *, now: datetime) -> None:
    """Asks for copies of the documents that a publication brought; runs in its commit's transaction."""
    rows = PublishedDocument.objects.filter(appearances__publication=publication, length__gte=SMALLEST)
    asked = []
    for path, sha256, length in rows.values_list("path", "sha256", "length"):
        address = object_path(path, sha256)
        asked.append(Job(kind=Job.Kind.PRECOMPRESS, key=address, due_at=now))
        if length <= BEST_UP_TO:
            asked.append(Job(kind=Job.Kind.PRECOMPRESS_BEST, key=address, due_at=now + LATER))
    Job.objects.bulk_create(asked, ignore_conflicts=True)


def put_first_copies(
    store: ObjectStore,
    publication: Publication,
    objects: Sequence[NewFile],
    *,
    encoders: Mapping[str, Encoder] = FIRST,
) -> None:
    """What a publication's documents are sent as until the jobs have run; equal ones are compressed once.

    Nothing here touches the database, because it runs in several threads.
    """
    work = [
        (files, suffix, encode)
        for files in _first(publication, objects)
        for suffix, encode in encoders.items()
    ]
    each(work, partial(_put_first, store), at_once=max(lanes(store), FIRST_AT_ONCE))


def _first(publication: Publication, objects: Sequence[NewFile]) -> Iterator[list[NewFile]]:
    """Equal documents together, the smallest first, until it is enough."""
    equal: dict[tuple[int, str], list[NewFile]] = defaultdict(list)
    for file in objects:
        _, length, sha256 = publication.staged.get(file.address, (0, 0, ""))
        if file.address.startswith("targets/") and SMALLEST <= int(length) <= FIRST_UP_TO:
            equal[int(length), str(sha256)].append(file)
    left = FIRST_IN_ALL
    for (length, _), files in sorted(equal.items(), key=lambda item: item[0]):
        left -= length
        if left < 0:
            return
        yield files


def _put_first(store: ObjectStore, work: tuple[list[NewFile], str, Encoder]) -> None:
    files, suffix, encode = work
    data = files[0].read()
    encoded = encode(data)
    for file in files:
        _put_smaller(store, f"{file.address}.{suffix}", encoded, len(data))


def put_copies(store: ObjectStore, address: str, encoders: Mapping[str, Encoder]) -> dict[str, int]:
    """Writes the copies that are smaller than the object and than what lies there; suffix → bytes."""
    try:
        data = store.get(address)
    except ObjectNotFoundError:
        return {}
    encoded = {suffix: encode(data) for suffix, encode in encoders.items()}
    return {
        suffix: len(copy)
        for suffix, copy in encoded.items()
        if _put_smaller(store, f"{address}.{suffix}", copy, len(data))
    }


def _put_smaller(store: ObjectStore, name: str, encoded: bytes, length: int) -> bool:
    there = store.size(name)
    if len(encoded) >= (length if there is None else there):
        return False
    store.put(name, encoded)
    return True
