"""What every store promises (a new store inherits ``StoreContract``), and what a folder must withstand."""

import os
import threading
from pathlib import Path

import pytest

from almanac.stores import (
    FileStore,
    MemoryStore,
    ObjectNotFoundError,
    ObjectStore,
    ReplacingStore,
    StoreError,
    store_at,
)

FORBIDDEN = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "targets/../../outside",
    "targets//x",
    "targets/",
    ".hidden",
    "targets/.put-1",
    "a\0b",
    "a\\b",
    "a b",
    "a\nb",
    "%2e%2e/x",
    "é",
    "C:/x",
    "a" * 129,
    "/".join(["a"] * 600),
]


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def open_descriptors() -> int:
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


class StoreContract:
    """Inherit it, give a ``store`` fixture, and the store is held to the promises of ``ObjectStore``."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        raise NotImplementedError

    def test_what_was_put_is_there(self, store: ObjectStore) -> None:
        assert store.put("catalog/v2/models.yaml", b"bytes")
        assert store.get("catalog/v2/models.yaml") == b"bytes"
        assert store.size("catalog/v2/models.yaml") == 5

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        assert store.put("empty", b"")
        assert store.get("empty") == b""
        assert store.size("empty") == 0

    def test_what_was_never_put_is_absent(self, store: ObjectStore) -> None:
        assert store.size("catalog/absent") is None
        with pytest.raises(ObjectNotFoundError, match="catalog/absent"):
            store.get("catalog/absent")

    def test_a_folder_is_not_an_object(self, store: ObjectStore) -> None:
        store.put("catalog/v2/models.yaml", b"bytes")
        assert store.size("catalog/v2") is None
        with pytest.raises(ObjectNotFoundError):
            store.get("catalog/v2")

    def test_a_later_put_replaces_an_earlier_one(self, store: ObjectStore) -> None:
        store.put("index.json", b"a longer first version")
        assert store.put("index.json", b"second")
        assert store.get("index.json") == b"second"

    def test_only_if_absent_keeps_the_first(self, store: ObjectStore) -> None:
        assert store.put("targets/x", b"first", only_if_absent=True)
        assert not store.put("targets/x", b"second", only_if_absent=True)
        assert store.get("targets/x") == b"first"

    def test_only_if_absent_has_one_winner(self, store: ObjectStore) -> None:
        won: list[int] = []
        start = threading.Barrier(8)

        def contend(number: int) -> None:
            start.wait()
            if store.put("targets/x", b"%d" % number, only_if_absent=True):
                won.append(number)

        threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get("targets/x") == b"%d" % won[0]

    def test_delete_removes_and_does_not_mind_an_absent_one(self, store: ObjectStore) -> None:
        store.put("deltas/a", b"x")
        store.delete("deltas/a")
        store.delete("deltas/a")
        store.delete("never/was/there")
        assert store.size("deltas/a") is None

    def test_names_are_sorted_and_start_with_the_prefix(self, store: ObjectStore) -> None:
        written = [
            "a/b/c",
            "a.b",
            "a/b.c",
            "metadata/1.root.json",
            "metadata/10.root.json",
            "metadata/2.root.json",
        ]
        for name in written:
            store.put(name, b"x")
        assert list(store.names()) == sorted(written)
        assert list(store.names("a/")) == ["a/b.c", "a/b/c"]
        assert list(store.names("metadata/1")) == ["metadata/1.root.json", "metadata/10.root.json"]
        assert list(store.names("absent/")) == []

    def test_flush_may_be_called_at_any_time(self, store: ObjectStore) -> None:
        store.flush()
        store.put("a/b", b"x")
        store.delete("a/b")
        store.flush()
        store.flush()

    @pytest.mark.parametrize("name", FORBIDDEN, ids=[repr(name)[:30] for name in FORBIDDEN])
    def test_a_name_outside_the_grammar_is_refused_by_every_method(
        self, store: ObjectStore, name: str
    ) -> None:
        for touch in (
            lambda: store.get(name),
            lambda: store.size(name),
            lambda: store.put(name, b"x"),
            lambda: store.put(name, b"x", only_if_absent=True),
            lambda: store.delete(name),
        ):
            with pytest.raises(StoreError, match="not the name of an object"):
                touch()
        assert list(store.names()) == []

    @pytest.mark.parametrize("prefix", ["../", "/", "a/../", "/etc/"])
    def test_a_prefix_that_leads_out_is_refused(self, store: ObjectStore, prefix: str) -> None:
        with pytest.raises(StoreError):
            list(store.names(prefix))

    def test_a_reader_never_sees_a_part(self, store: ObjectStore) -> None:
        versions = {bytes([letter]) * 200_000 for letter in b"abc"}
        store.put("metadata/timestamp.json", min(versions))
        done = threading.Event()

        def write() -> None:
            for _ in range(10):
                for version in versions:
                    store.put("metadata/timestamp.json", version)
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        seen = set()
        while not done.is_set():
            seen.add(store.get("metadata/timestamp.json"))
        writer.join()
        assert seen <= versions


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return MemoryStore()


class TestFileStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return FileStore(tmp_path / "not yet" / "store")

    def test_only_what_is_known_to_be_there_is_replaced(self, store: ObjectStore) -> None:
        assert isinstance(store, ReplacingStore)
        assert not store.replace("metadata/timestamp.json", b"2", instead_of=b"1")
        assert store.size("metadata/timestamp.json") is None
        assert store.replace("metadata/timestamp.json", b"1", instead_of=None)
        assert not store.replace("metadata/timestamp.json", b"3", instead_of=b"2")
        assert not store.replace("metadata/timestamp.json", b"3", instead_of=None)
        assert store.replace("metadata/timestamp.json", b"2", instead_of=b"1")
        assert store.get("metadata/timestamp.json") == b"2"

    def test_of_those_who_replace_the_same_at_once_one_wins(self, tmp_path: Path) -> None:
        FileStore(tmp_path).put("x", b"old")
        won: list[int] = []
        begin = threading.Barrier(8)

        def race(number: int) -> None:
            store = FileStore(tmp_path)  # a hand of its own, as another process has
            begin.wait()
            if store.replace("x", b"%d" % number, instead_of=b"old"):
                won.append(number)

        racers = [threading.Thread(target=race, args=(number,)) for number in range(8)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert len(won) == 1
        assert FileStore(tmp_path).get("x") == b"%d" % won[0]

    def test_a_put_leaves_nothing_but_the_object(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path)
        store.put("targets/x", b"first")
        store.put("targets/x", b"second")
        store.put("targets/x", b"third", only_if_absent=True)
        assert entries(tmp_path / "targets") == ["x"]

    def test_what_a_killed_writer_left_is_not_listed(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path)
        store.put("targets/x", b"whole")
        (tmp_path / "targets" / ".put-0123456789abcdef").write_bytes(b"half")
        assert list(store.names()) == ["targets/x"]

    def test_a_link_to_a_file_outside_is_not_followed(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"seed")
        store = FileStore(tmp_path / "store")
        store.put("targets/x", b"x")
        (tmp_path / "store" / "targets" / "link").symlink_to(secret)
        for touch in (lambda: store.get("targets/link"), lambda: store.size("targets/link")):
            with pytest.raises(StoreError, match="symbolic link"):
                touch()
        assert list(store.names()) == ["targets/x"]
        store.put("targets/link", b"replaced")
        assert secret.read_bytes() == b"seed"
        assert store.get("targets/link") == b"replaced"

    def test_a_link_to_a_folder_outside_is_not_followed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "x").write_bytes(b"seed")
        store = FileStore(tmp_path / "store")
        store.put("catalog/x", b"x")
        (tmp_path / "store" / "targets").symlink_to(outside, target_is_directory=True)
        with pytest.raises(ObjectNotFoundError):
            store.get("targets/x")
        with pytest.raises(StoreError):
            store.put("targets/y", b"y")
        store.delete("targets/x")
        assert entries(outside) == ["x"]
        assert list(store.names()) == ["catalog/x"]

    def test_an_object_where_a_folder_is_wanted_is_an_error_in_words(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path)
        store.put("catalog", b"a file")
        with pytest.raises(StoreError, match=r"cannot write in the store: .* \(catalog/v2\)"):
            store.put("catalog/v2", b"x")
        assert store.size("catalog/v2") is None

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_of_somebody_else_is_an_error_in_words(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(StoreError, match="check who owns the folder"):
            FileStore(tmp_path).put("x", b"x")

    def test_a_pipe_in_the_store_is_not_an_object_and_blocks_nobody(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ObjectNotFoundError):
            FileStore(tmp_path).get("pipe")

    def test_no_descriptor_is_left_open(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path)
        store.put("a/b/c", b"x")
        before = open_descriptors()
        for _ in range(20):
            store.put("a/b/c", b"x")
            store.get("a/b/c")
            store.size("a/b")
            with pytest.raises(StoreError):
                store.get("a/b")
            with pytest.raises(StoreError):
                store.get("a/b/c/d")
            list(store.names())
            store.flush()
        assert open_descriptors() == before


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_addressed_by_its_path_or_by_a_file_address(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "a store"
    store = store_at(form.format(folder))
    store.put("x", b"x")
    assert (folder / "x").read_bytes() == b"x"


def test_a_file_address_may_be_percent_encoded(tmp_path: Path) -> None:
    store_at(f"file://{tmp_path}/a%20store").put("x", b"x")
    assert (tmp_path / "a store" / "x").exists()


@pytest.mark.parametrize("url", ["", "file://host/path", "file://relative", "ftp://host/x", "://"])
def test_an_address_that_means_no_store_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        store_at(url)
