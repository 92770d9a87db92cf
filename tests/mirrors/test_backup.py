"""From nothing: what is backed up comes back, and a server that was restored says nothing twice.

Real installations in folders of their own, driven by ``manage.py``; the follower is a stock python-tuf client that saw
what was published after the backup.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tuf.api.metadata import Metadata, Snapshot

from almanac.stores import FileStore
from mirrors import archive
from mirrors.archive import BackupError
from tests.conftest import require_service
from tests.mirrors.cast import Everything, Stranger
from tests.mirrors.home import Home

pytestmark = pytest.mark.slow


@dataclass
class Story:
    """Releases 1 to 5, and a backup that was made at 3."""

    home: Home
    backup: Path
    follower: Path
    """The folder of a client that has seen release 5."""

    def new_home(self, folder: Path, *, store: Path | None = None) -> Restorable:
        """An empty home that publishes to a copy of the store."""
        kept = folder / "published"
        if store is None:
            shutil.copytree(self.home.folder / "store", kept)
        else:
            kept = store
        (folder / "home").mkdir(parents=True)
        return Restorable(folder / "home", kept)

    def client(self, folder: Path, store: Path) -> Stranger:
        shutil.copytree(self.follower, folder)
        return Stranger(FileStore(store), folder, now=datetime.now(UTC))


class Restorable(Home):
    database = ""

    def __init__(self, folder: Path, published: Path) -> None:
        super().__init__(folder)
        self.published = published

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "ALMANAC_STORE": f"file://{self.published}",
            "DATABASE_URL": self.database,
        }

    @property
    def store(self) -> FileStore:
        return FileStore(self.published)

    def restored(self, backup: Path, *more: str) -> dict[str, Any]:
        return json.loads(self.manage("restore", str(backup), *more, "--json").stdout.splitlines()[-1])

    def refuses(self, backup: Path, *more: str) -> str:
        """What it says; and it left nothing behind."""
        done = self.manage("restore", str(backup), *more, check=False)
        assert done.returncode not in {0, None}
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    base = tmp_path_factory.mktemp("story")
    home = Home.prepared(base / "home")
    backup = base / "almanac.backup"
    for number in range(2, 6):
        home.edit(f"m{number}", f"Name {number}")
        home.manage("publish")
        if number == 3:
            home.edit("m9", "approved and not yet published")
            home.manage("backup", str(backup))
    follower = base / "follower"
    Stranger(home.store, follower, now=datetime.now(UTC)).documents()
    return Story(home, backup, follower)


def versions(store: FileStore) -> dict[str, int]:
    """Role → the version that readers get, the release too."""
    files = Everything(store)
    timestamp = json.loads(files["metadata/timestamp.json"])["signed"]
    number = timestamp["meta"]["snapshot.json"]["version"]
    snapshot = Metadata[Snapshot].from_bytes(files[f"metadata/{number}.snapshot.json"]).signed
    found = {name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()}
    release = int(snapshot.unrecognized_fields["x-almanac-release"])
    return {**found, "timestamp": timestamp["version"], "snapshot": number, "release": release}


def everything(store: FileStore) -> dict[str, bytes]:
    return {name: store.get(name) for name in store.names()}


def tables(rows: Any) -> dict[str, list[bytes]]:
    """Table → its lines."""
    found: dict[str, list[bytes]] = {}
    for line in rows:
        if line.startswith(b"{"):
            lines = found.setdefault(json.loads(line)["model"], [])
        lines.append(line)
    return found


def as_data(lines: list[bytes]) -> set[str]:
    return {json.dumps(json.loads(line), sort_keys=True) for line in lines}


def immutable(files: dict[str, bytes]) -> dict[str, bytes]:
    return {
        name: data
        for name, data in files.items()
        if name.startswith(("targets/", "deltas/", "metadata/")) and name != "metadata/timestamp.json"
    }


# What comes back, and how it goes on.


def test_a_restored_server_goes_on_above_all_that_was_served_and_a_stock_client_follows(
    story: Story, tmp_path: Path
) -> None:
    home = story.new_home(tmp_path)
    before, files = versions(home.store), everything(home.store)
    done = home.restored(story.backup)
    assert (done["release"], done["next_release"], done["learned"]) == (5, 6, True)
    assert everything(home.store) == files  # nothing is published by restoring
    assert home.facts("doctor")["ok"]

    published = home.facts("publish")
    after = versions(home.store)
    assert published["release"] == after["release"] >= 6
    assert all(after[role] >= before[role] for role in before)
    for role in ("timestamp", "snapshot", "almanac-v1"):
        assert after[role] > before[role], role
    kept = everything(home.store)
    assert {name: kept[name] for name in immutable(files)} == immutable(files)

    follower = story.client(tmp_path / "follower", home.published)
    documents = follower.documents()
    assert b"approved and not yet published" in documents["catalog/almanac/v1/catalog.json"]
    assert b"Name 5" not in documents["catalog/almanac/v1/catalog.json"]  # made after the backup: it is lost
    assert home.manage("verifystore").returncode == 0
    assert home.facts("doctor")["ok"]


def test_the_restored_state_can_be_published_without_a_new_edit(story: Story, tmp_path: Path) -> None:
    bare = tmp_path / "without-edit.backup"
    first = story.new_home(tmp_path / "first")
    first.restored(story.backup)
    first.manage("publish")  # the edit that waited
    first.manage("backup", str(bare))
    number = versions(first.store)["release"]
    first.edit("m8", "after the backup")
    first.manage("publish")
    second = Restorable(tmp_path / "second", first.published)
    second.folder.mkdir()
    done = second.restored(bare)
    assert (done["release"], done["next_release"]) == (number + 1, number + 2)
    assert second.facts("publish")["release"] == number + 2
    document = everything(second.store)["catalog/almanac/v1/catalog.json"]
    assert b"after the backup" not in document
    assert b"approved and not yet published" in document
    story.client(tmp_path / "follower", second.published).documents()


def test_a_round_of_tick_renews_what_was_taken_over_without_a_release(story: Story, tmp_path: Path) -> None:
    home = story.new_home(tmp_path)
    home.restored(story.backup)
    before = versions(home.store)
    home.python("""
from mirrors.services import ticking
from mirrors.services.edge import means_from_settings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
later = replace(means_from_settings(), clock=lambda: datetime.now(UTC) + timedelta(minutes=61))
done = ticking.tick(later)
assert done.renewed == ["timestamp"], done
assert not done.errors, done
""")
    after = versions(home.store)
    assert after == {**before, "timestamp": before["timestamp"] + 1}


def test_a_backup_that_nothing_was_published_after_goes_on_where_it_was(story: Story, tmp_path: Path) -> None:
    backup = tmp_path / "now.backup"
    story.home.manage("backup", str(backup))
    home = story.new_home(tmp_path / "new")
    done = home.restored(backup)
    assert (done["release"], done["next_release"], done["learned"]) == (5, 6, False)
    assert home.facts("publish")["state"] == "unchanged"
    home.edit("m6", "and on it goes")
    assert home.facts("publish")["release"] == 6


def test_rows_keys_and_the_secret_key_come_back_as_they_were(story: Story, tmp_path: Path) -> None:
    backup = tmp_path / "whole.backup"
    original = story.home.copy(tmp_path / "original")
    (original.folder / "secret_key").write_text("kept\n")
    original.manage("backup", str(backup))
    assert backup.stat().st_mode & 0o777 == 0o600
    home = story.new_home(tmp_path / "new")
    home.restored(backup)
    again = tmp_path / "again.backup"
    home.manage("backup", str(again))
    with archive.opened(backup) as one, archive.opened(again) as other:
        assert dict(one.small) == dict(other.small)
        first, second = tables(one.rows), tables(other.rows)
    differ = {name for name in first | second if first.get(name) != second.get(name)}
    # The restore's own audit row, the leases that are free now, and copies that are made again.
    assert differ <= {"catalog.auditevent", "mirrors.job", "mirrors.lease", "mirrors.storeprogress"}
    assert second["catalog.auditevent"][: len(first["catalog.auditevent"])] == first["catalog.auditevent"]
    assert len(first) > 30
    assert (home.folder / "keys/keyring.json").stat().st_mode & 0o777 == 0o600
    assert (home.folder / "secret_key").read_text() == "kept\n"


@pytest.mark.service
def test_a_backup_of_one_database_comes_back_in_the_other_and_goes_on_there(
    story: Story, tmp_path: Path
) -> None:
    port = require_service("PostgreSQL")
    name = f"almanac_backup_{os.getpid()}"
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            _there_and_back(story, tmp_path, f"postgres://postgres@127.0.0.1:{port}/{name}")
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _there_and_back(story: Story, tmp_path: Path, url: str) -> None:
    postgres = story.new_home(tmp_path / "postgres")
    postgres.database = url
    assert postgres.restored(story.backup)["release"] == 5
    assert postgres.facts("publish")["release"] >= 6  # new rows get numbers of their own
    assert postgres.facts("doctor")["ok"]
    back = tmp_path / "from-postgres.almanac"
    postgres.manage("backup", str(back))
    with archive.opened(story.backup) as one, archive.opened(back) as other:
        # PostgreSQL keeps the keys of a JSON column in an order of its own; the audit's hashes do not depend on it.
        before, after = tables(one.rows), tables(other.rows)
        for table in ("catalog.auditevent", "catalog.release", "mirrors.signedfile"):
            assert as_data(before[table]) <= as_data(after[table]), table
    postgres.python("from catalog.services.audit import first_broken\nassert first_broken() is None")
    sqlite = Restorable(tmp_path / "sqlite", postgres.published)
    sqlite.folder.mkdir()
    assert sqlite.restored(back)["learned"] is False
    sqlite.edit("m1", "edited in SQLite again")
    assert sqlite.facts("publish")["state"] == "announced"
    story.client(tmp_path / "follower", postgres.published).documents()


# What is lost with the store.


def test_an_empty_store_is_refused_unless_a_mirror_or_the_operator_answers_for_it(
    story: Story, tmp_path: Path
) -> None:
    home = story.new_home(tmp_path / "a", store=tmp_path / "lost")
    said = home.refuses(story.backup)
    assert "no store holds anything" in said
    assert "--learn-from" in said
    done = home.restored(story.backup, "--learn-from", str(story.home.folder / "store"))
    assert (done["release"], done["refilled"] > 10) == (5, True)
    assert home.facts("publish")["release"] >= 6
    story.client(tmp_path / "follower", home.published).documents()
    assert home.manage("verifystore").returncode == 0


def test_the_newest_release_is_made_again_where_the_operator_says_that_nothing_followed(
    story: Story, tmp_path: Path
) -> None:
    backup = tmp_path / "now.backup"
    story.home.manage("backup", str(backup))
    home = story.new_home(tmp_path / "a", store=tmp_path / "lost")
    done = home.restored(backup, "--accept-empty")
    assert (done["release"], done["learned"]) == (5, False)
    follower = story.client(tmp_path / "follower", home.published)
    follower.updater()
    home.edit("m6", "and on it goes")
    assert home.facts("publish")["release"] == 6
    story.client(tmp_path / "again", home.published).updater()


def test_a_store_of_another_publisher_is_refused(story: Story, tmp_path: Path) -> None:
    other = Home.prepared(tmp_path / "other")
    home = story.new_home(tmp_path / "a", store=other.folder / "store")
    assert "another publisher's store" in home.refuses(story.backup)
    assert_untouched(home)


def test_metadata_that_nobody_of_ours_signed_is_refused(story: Story, tmp_path: Path) -> None:
    home = story.new_home(tmp_path)
    name = next(n for n in home.store.names("metadata/") if n.endswith(".v2.json"))
    forged = json.loads(home.store.get(name))
    forged["signed"]["version"] = 4_000_000
    home.store.put("metadata/4000000.v2.json", json.dumps(forged).encode())
    assert "no key of ours signed" in home.refuses(story.backup)
    assert_untouched(home)


def test_what_was_pushed_and_never_committed_is_not_signed_again_with_other_bytes(
    story: Story, tmp_path: Path
) -> None:
    crashed = story.home.copy(tmp_path / "crashed")
    crashed.edit("m7", "crashed on its way")
    crashed.manage("publish", check=False, ALMANAC_FAILPOINT="read-back:kill")
    pushed = everything(crashed.store)
    assert len(pushed) > len(everything(story.home.store))
    home = story.new_home(tmp_path / "a", store=crashed.folder / "store")
    done = home.restored(story.backup)
    assert done["next_release"] == 7
    home.manage("tick")
    assert home.facts("publish")["release"] >= 7
    kept = everything(home.store)
    assert {name: kept[name] for name in immutable(pushed)} == immutable(pushed)
    story.client(tmp_path / "follower", home.published).documents()


def test_a_publication_that_was_open_in_the_backup_is_published_and_nothing_signed_for_it_is_signed_again(
    story: Story, tmp_path: Path
) -> None:
    crashed = story.home.copy(tmp_path / "crashed")
    crashed.edit("m7", "on its way")
    crashed.manage("publish", check=False, ALMANAC_FAILPOINT="signed:kill")
    backup = tmp_path / "open.backup"
    crashed.manage("backup", str(backup))
    home = story.new_home(tmp_path / "a", store=crashed.folder / "store")
    home.restored(backup)
    signed = immutable(everything(home.store))
    home.manage("tick")
    # Its staged bytes were no part of the backup: where they cannot be made again, it is made anew, higher.
    home.manage("publish")
    assert versions(home.store)["release"] == 6
    kept = everything(home.store)
    assert {name: kept[name] for name in signed} == signed
    assert home.manage("verifystore").returncode == 0


def test_one_that_was_open_in_the_backup_and_finished_since_is_not_pushed_again(
    story: Story, tmp_path: Path
) -> None:
    crashed = story.home.copy(tmp_path / "crashed")
    crashed.edit("m7", "on its way")
    crashed.manage("publish", check=False, ALMANAC_FAILPOINT="signed:kill")
    backup = tmp_path / "open.backup"
    crashed.manage("backup", str(backup))
    crashed.manage("tick")
    crashed.edit("m7", "and one more")
    crashed.manage("publish")
    before = versions(crashed.store)
    home = story.new_home(tmp_path / "a", store=crashed.folder / "store")
    assert home.restored(backup)["next_release"] == 8
    assert "nothing was due" in home.manage("tick").stdout
    assert home.facts("publish")["release"] == 8
    after = versions(home.store)
    assert all(after[role] >= before[role] for role in before)
    story.client(tmp_path / "follower", home.published).documents()


# What is refused.


def assert_untouched(home: Home) -> None:
    """As if nobody had been here: another restore begins from nothing."""
    left = {str(p.relative_to(home.folder)) for p in home.folder.rglob("*") if p.is_file()}
    assert {name for name in left if not name.startswith("almanac.sqlite3")} == set()
    home.python("""
from django.apps import apps
from django.db import connection
from mirrors.services import dumping
assert not connection.introspection.table_names() or dumping.is_empty(apps)
""")


def test_a_home_that_is_not_empty_stays_as_it_is(story: Story, tmp_path: Path) -> None:
    copied = story.home.copy(tmp_path / "copied")
    home = Restorable(copied.folder, copied.folder / "store")
    before = (home.folder / "keys/keyring.json").read_bytes()
    assert "there is an installation here" in home.refuses(story.backup)
    shutil.rmtree(home.folder / "keys")
    assert "the database is not empty" in home.refuses(story.backup)
    assert home.facts("publish", "--dry-run")
    assert before


def test_a_restore_that_was_cut_off_begins_anew(story: Story, tmp_path: Path) -> None:
    home = story.new_home(tmp_path)
    home.restored(story.backup)
    (home.folder / "restoring").write_text("as it is while a restore is at work")
    assert home.restored(story.backup)["release"] == 5
    assert not (home.folder / "restoring").exists()


def repacked(source: Path, into: Path, change: Any) -> Path:
    """The same archive after ``change(members)``, with a manifest that was not made anew."""
    with tarfile.open(source) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    with tarfile.open(into, "w:gz") as tar:
        for name, data in change(members):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return into


def test_every_kind_of_damage_is_named_and_nothing_is_written(story: Story, tmp_path: Path) -> None:
    whole = story.backup.read_bytes()

    def saved(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    def manifest(**changes: Any) -> Any:
        def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
            made = {**json.loads(members[0][1]), **changes}
            return [("manifest.json", json.dumps(made).encode()), *members[1:]]

        return change

    unpacked = gzip.decompress(whole)
    flipped = bytearray(unpacked)
    flipped[len(unpacked) // 2] ^= 1
    with tarfile.open(story.backup) as tar:
        files = json.loads(tar.extractfile("manifest.json").read())["files"]  # type: ignore[union-attr]
    outside = {**files, "../../outside": {"bytes": 1, "sha256": "0" * 64}}
    bad = [
        saved("empty", b""),
        saved("text", b"this is no archive"),
        saved("half", whole[: len(whole) // 2]),
        saved("without its end", whole[:-1]),
        saved("with more behind it", whole + b"x"),
        saved("one bit", gzip.compress(bytes(flipped))),
        repacked(story.backup, tmp_path / "less", lambda m: m[:-1]),
        repacked(story.backup, tmp_path / "more", lambda m: [*m, ("keys/other.key", b"x")]),
        repacked(story.backup, tmp_path / "twice", lambda m: [*m, m[-1]]),
        repacked(story.backup, tmp_path / "no manifest", lambda m: m[1:]),
        repacked(story.backup, tmp_path / "escape", lambda m: [*m, ("../../outside", b"x")]),
        repacked(story.backup, tmp_path / "named escape", manifest(files=outside)),
        repacked(story.backup, tmp_path / "other form", manifest(format=2)),
        repacked(story.backup, tmp_path / "no files", manifest(files={})),
        repacked(
            story.backup, tmp_path / "other bytes", lambda m: [m[0], (m[1][0], b"x" * len(m[1][1])), *m[2:]]
        ),
    ]
    for path in bad:
        with pytest.raises(BackupError, match="this backup cannot be used"), archive.opened(path):
            pytest.fail(f"{path.name} was opened")
    assert not (tmp_path / "outside").exists()

    home = story.new_home(tmp_path / "a")
    said = home.refuses(tmp_path / "one bit")
    assert "error: backup: this backup cannot be used" in said
    assert_untouched(home)


def test_a_link_in_an_archive_is_refused(story: Story, tmp_path: Path) -> None:
    with tarfile.open(story.backup) as tar:
        first = tar.next()
        data = tar.extractfile(first).read()  # type: ignore[arg-type, union-attr]
    with tarfile.open(tmp_path / "linked", "w:gz") as tar:
        tar.addfile(first, io.BytesIO(data))  # type: ignore[arg-type]
        link = tarfile.TarInfo("database.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BackupError), archive.opened(tmp_path / "linked"):
        pytest.fail("it was opened")


def test_a_backup_of_a_newer_version_says_so(story: Story, tmp_path: Path) -> None:
    def newer(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        made = {**json.loads(members[0][1]), "migrations": [["mirrors", "9999_later"]], "version": "99.0"}
        return [("manifest.json", json.dumps(made).encode()), *members[1:]]

    home = story.new_home(tmp_path)
    said = home.refuses(repacked(story.backup, tmp_path / "newer", newer))
    assert "made by a newer version (99.0)" in said
    assert_untouched(home)


def test_a_backup_never_replaces_a_file_and_leaves_nothing_half_made(story: Story, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    done = story.home.manage("backup", str(there), check=False)
    assert (done.returncode, there.read_text()) == (2, "mine")
    nowhere = story.home.manage("backup", str(tmp_path / "no" / "folder"), check=False)
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (16, True)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_without_the_passphrase_the_archive_does_not_hold_it(story: Story, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    said = story.home.manage("backup", str(sealed), "--without-passphrase")
    assert "passphrase" not in said.stderr
    with archive.opened(sealed) as found:
        assert "keys/keyring.json" in found.small
        assert "keys/passphrase" not in found.small
    with archive.opened(story.backup) as found:
        assert "keys/passphrase" in found.small
