"""The copies that are there when a publication becomes visible."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from backports import zstd

from almanac.addresses import TIMESTAMP, object_path
from almanac.static import StaticApp
from almanac.stores import FileStore, MemoryStore
from mirrors.models import Publication
from mirrors.services.precompressing import FIRST_UP_TO, put_first_copies
from mirrors.services.pushing import NewFile
from tests.client.static_site import ask
from tests.mirrors.cast import V2, Publisher, lines

pytestmark = pytest.mark.django_db


@dataclass
class Noting(MemoryStore):
    """Knows in which order names were put."""

    put_names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        self.put_names.append(name)
        return super().put(name, data, only_if_absent=only_if_absent)


def address_of(data: bytes, path: str = V2) -> str:
    return object_path(path, sha256(data).hexdigest())


def test_the_first_copies_lie_there_before_the_timestamp(tmp_path: Path) -> None:
    store = Noting()
    publisher = Publisher(tmp_path, store=store)
    publisher.catalog.documents[V2] = lines(400)
    publisher.publish()
    for suffix, decompress in (("gz", gzip.decompress), ("zst", zstd.decompress)):
        name = f"{address_of(lines(400))}.{suffix}"
        assert store.put_names.index(name) < store.put_names.index(TIMESTAMP)
        assert decompress(store.get(name)) == lines(400)


def test_whoever_asks_right_after_a_publication_is_not_sent_all_of_it(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, store=FileStore(tmp_path / "store"))
    publisher.catalog.documents[V2] = lines(400)
    publisher.publish()
    app = StaticApp(tmp_path / "store")
    for address in (f"/{V2}", f"/{address_of(lines(400))}"):
        for coding in ("gzip", "zstd"):
            assert ask(app, address, Accept_Encoding=coding)["Content-Encoding"] == coding


def compressed(*documents: tuple[str, bytes]) -> tuple[MemoryStore, list[int]]:
    """What is put for these new documents, and the lengths of what was compressed for it, in order."""
    store, lengths = MemoryStore(), []

    def counting(data: bytes) -> bytes:
        lengths.append(len(data))
        return gzip.compress(data, compresslevel=1, mtime=0)

    files = [NewFile.of(address_of(data, path), data) for path, data in documents]
    sizes = [len(data) for _, data in documents]
    staged = {file.address: [0, size, file.sha256] for file, size in zip(files, sizes, strict=True)}
    put_first_copies(store, Publication(staged=staged), files, encoders={"gz": counting})
    return store, sorted(lengths)


def test_equal_documents_are_compressed_once() -> None:
    paths = [V2, *(f"regions/{code}/{V2}" for code in ("eu", "us"))]
    store, lengths = compressed(*((path, lines(400)) for path in paths))
    assert lengths == [len(lines(400))]
    assert list(store.names()) == sorted(f"{address_of(lines(400), path)}.gz" for path in paths)


def test_large_documents_and_many_are_left_to_the_jobs() -> None:
    assert compressed((V2, bytes(FIRST_UP_TO + 1)))[1] == []
    many = [(V2, bytes([n]) * (FIRST_UP_TO - n)) for n in range(6)]
    assert compressed(*many)[1] == [FIRST_UP_TO - n for n in (5, 4, 3, 2)]


def test_what_is_small_and_what_is_no_document_have_no_copy() -> None:
    assert compressed((V2, b"- name: model\n"))[1] == []
    data = lines(400)
    delta = NewFile.of(f"deltas/{'0' * 64}/{'1' * 64}.dcz", data)
    store = MemoryStore()
    put_first_copies(store, Publication(staged={delta.address: [0, len(data), delta.sha256]}), [delta])
    assert list(store.names()) == []


def test_what_cannot_be_made_smaller_has_no_copy(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    noise = random.Random(3).randbytes(5_000)
    publisher.catalog.documents[V2] = noise
    publisher.publish()
    assert publisher.store.size(f"{address_of(noise)}.gz") is None
