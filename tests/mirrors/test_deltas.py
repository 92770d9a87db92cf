"""Which deltas are made, and that following them gives the full document, whatever the history."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac import dcz
from almanac.addresses import delta_path, object_path
from almanac.stores import MemoryStore
from mirrors.deltas import BEST_LEVEL, FAST_LEVEL, LAST_LEVEL, Version, bases, is_worth_it, next_level
from mirrors.models import Delta
from mirrors.services.deltas import Changed, _Compressed, make_deltas
from tests.mirrors.cast import ALMANAC, V2, Publisher, Stranger, follow_by_deltas, forget_everything, lines

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def every(step: timedelta, count: int) -> list[Version]:
    """``v0`` is the newest, made a step ago."""
    return [Version(f"v{n}", NOW - step * (n + 1)) for n in reversed(range(count))]


def test_the_newest_sixteen_different_versions_are_bases() -> None:
    assert bases(every(timedelta(minutes=1), 40), current="new", now=NOW) == [f"v{n}" for n in range(16)]


def test_older_days_have_one_base_each_for_thirty_days() -> None:
    history = every(timedelta(hours=6), 4 * 60)
    chosen = bases(history, current="new", now=NOW)
    times = {version.sha256: version.since for version in history}
    days = [times[sha256].date() for sha256 in chosen[16:]]
    assert len(days) == len(set(days))
    assert min(times[sha256] for sha256 in chosen) > NOW - timedelta(days=31)
    assert len(chosen) == 16 + 26


def test_a_version_that_lasted_for_weeks_stands_for_its_days_once() -> None:
    history = [Version("old", NOW - timedelta(days=90)), Version("young", NOW - timedelta(hours=1))]
    assert bases(history, current="young", now=NOW) == ["old"]


def test_a_document_that_came_back_is_no_base_of_itself() -> None:
    names = ["a", "b", "a", "b", "a"]
    history = [Version(name, NOW - timedelta(hours=9 - n)) for n, name in enumerate(names)]
    assert bases(history, current="a", now=NOW) == ["b"]


def test_versions_of_a_clock_that_ran_ahead_are_left_out() -> None:
    assert bases([Version("a", NOW + timedelta(days=1))], current="b", now=NOW) == []


def test_a_delta_over_sixty_percent_of_the_compressed_document_is_not_worth_it() -> None:
    assert is_worth_it(60, 100)
    assert not is_worth_it(61, 100)


def after(position: int, level: int, document: int = 3_000_000, delta: int = 50_000, worth_it: bool = True) -> int | None:  # fmt: skip
    return next_level(position, level, document_length=document, delta_length=delta, worth_it=worth_it)


def test_the_newest_bases_get_the_smaller_deltas() -> None:
    assert [after(n, FAST_LEVEL) for n in (0, 3, 4, 45)] == [BEST_LEVEL, BEST_LEVEL, None, None]
    assert after(0, BEST_LEVEL) is None


def test_a_small_change_is_encoded_once_at_the_fast_level() -> None:
    assert after(0, FAST_LEVEL, delta=2048) is None
    assert after(0, FAST_LEVEL, document=65_000_000, delta=12_000) is None
    assert after(0, FAST_LEVEL, document=65_000_000, delta=40_000) == BEST_LEVEL


edits = st.lists(
    st.tuples(st.sampled_from([V2, ALMANAC]), st.integers(0, 5), st.integers(20, 45), st.integers(0, 40)),
    min_size=1,
    max_size=12,
)


def test_a_large_change_gets_a_last_try_where_that_is_quick() -> None:
    assert after(0, BEST_LEVEL, worth_it=False) == LAST_LEVEL
    assert after(0, LAST_LEVEL, worth_it=False) is None
    assert after(4, FAST_LEVEL, worth_it=False) is None
    assert after(0, BEST_LEVEL, document=46_000_000, worth_it=False) is None


def stored(store: MemoryStore, path: str, data: bytes) -> Changed:
    sha256 = hashlib.sha256(data).hexdigest()
    store.put(object_path(path, sha256), data)
    return Changed(path, data, sha256, None)


class Counting(MemoryStore):
    """Notes which deltas it was asked for: each is looked for once before it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, name: str) -> bytes:
        if name.startswith("deltas/"):
            self.asked.append(name)
        return super().get(name)


@pytest.mark.django_db
def test_regions_with_equal_documents_share_one_encoding(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    paths = [V2, *(f"regions/{code}/{V2}" for code in ("eu", "de", "us"))]
    for path in paths:
        publisher.catalog.documents[path] = lines(400)
    publisher.publish()
    counting = Counting()
    old, new = (hashlib.sha256(data).hexdigest() for data in (lines(400), lines(400, changed=1)))
    changed = []
    for path in paths:
        counting.put(object_path(path, old), lines(400))
        changed.append(stored(counting, path, lines(400, changed=1)))
    made = make_deltas(changed, store=counting, now=publisher.now, threads=4)
    assert [delta.path for delta in made] == paths
    assert {(delta.old, delta.new) for delta in made} == {(old, new)}
    assert len({id(delta.data) for delta in made}) == 1
    assert counting.asked == [delta_path(old, new)]


@pytest.mark.django_db
def test_a_base_that_is_damaged_in_the_store_is_not_built_on(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.catalog.documents[V2] = lines(400)
    publisher.publish()
    store = MemoryStore()
    old = hashlib.sha256(lines(400)).hexdigest()
    store.put(object_path(V2, old), lines(400)[:-1] + b"?")
    changed = stored(store, V2, lines(400, changed=1))
    assert make_deltas([changed], store=store, now=publisher.now, threads=2) == []
    right = dcz.encode(lines(400), changed.data)
    store.put(delta_path(old, changed.sha256), right)
    assert make_deltas([changed], store=store, now=publisher.now, threads=2) == []


def test_a_compressed_length_is_found_out_only_as_far_as_it_matters() -> None:
    data = random.Random(7).randbytes(3_000_000)
    compressed = _Compressed(data)
    assert 1000 <= compressed.length(1000) < len(data) // 2
    assert compressed.length(10**9) >= len(data)
    assert compressed.length(1) >= len(data)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=edits)
def test_following_by_deltas_gives_the_full_document(
    tmp_path_factory: pytest.TempPathFactory, history
) -> None:
    """Whoever held any earlier document gets the newest one's bytes, and the newest few of them by a delta."""
    folder: Path = tmp_path_factory.mktemp("history")
    forget_everything()  # examples share one database
    publisher = Publisher(folder)
    publisher.publish()
    held = {path: [publisher.catalog.documents[path]] for path in (V2, ALMANAC)}
    for path, changed, size, hours in history:
        publisher.edit(path, lines(size, changed=changed))
        publisher.pass_time(hours=hours)
        publisher.publish()
        publisher.tick()
        held[path].append(publisher.catalog.documents[path])
    documents = Stranger(publisher.store, folder / "stranger", now=publisher.now).documents()
    for path, versions in held.items():
        assert documents[path] == publisher.catalog.documents[path]
        for old in versions:
            result, _ = follow_by_deltas(publisher.store, path, old)
            assert hashlib.sha256(result).digest() == hashlib.sha256(documents[path]).digest()


@pytest.mark.django_db
def test_deltas_of_an_unchanged_document_stay_until_its_role_is_signed_anew(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.catalog.documents["catalog/v2/other.yaml"] = lines(40, "other")
    publisher.publish()
    publisher.edit(V2, lines(40, changed=1))
    publisher.publish()
    for changed in range(2, 21):
        publisher.pass_time(days=1)
        publisher.edit(V2, lines(40, changed=changed))
        publisher.publish()
    publisher.pass_time(days=40)
    before = Delta.objects.filter(path=V2, listed=True).count()
    assert before == 19
    publisher.edit(ALMANAC, lines(60, "almanac", changed=1))
    publisher.publish()
    assert Delta.objects.filter(path=V2, listed=True).count() == before
    publisher.edit("catalog/v2/other.yaml", lines(40, "other", changed=1))
    publisher.publish()
    assert Delta.objects.filter(path=V2, listed=True).count() == 16
    Stranger(publisher.store, tmp_path / "stranger", now=publisher.now).documents()
