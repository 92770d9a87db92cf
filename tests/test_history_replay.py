"""Fourteen real releases of LiteLLM's catalog, imported, published and synced one after the other, as people would."""

import pytest

from benchmarks import histories
from benchmarks.replay import Update, replay

pytestmark = [
    pytest.mark.history,
    pytest.mark.slow,
    pytest.mark.timeout(3600),  # minutes on a quiet machine; how long is no part of what is tested
    pytest.mark.skipif(
        not histories.archive("litellm").exists(), reason="needs litellm.tar.xz in ../shared/data"
    ),
]


@pytest.fixture(scope="module")
def updates() -> list[Update]:
    return list(replay())


@pytest.fixture(scope="module")
def published(updates) -> list[Update]:
    """Without the files that are their predecessor's bytes: of those there is no release."""
    return [update for update in updates if update.release is not None]


def test_every_file_that_differs_became_the_next_release(updates, published):
    files = [version.data for version in histories.versions("litellm")]
    differ = [number for number, data in enumerate(files) if number == 0 or data != files[number - 1]]
    assert len(updates) == len(files) == 14
    assert [number for number, update in enumerate(updates) if update.release is not None] == differ
    assert [update.release for update in published] == list(range(1, len(differ) + 1))


def test_every_sync_after_the_first_used_deltas_alone(published):
    assert published[0].how == ("full", "full")
    assert [update.how for update in published[1:]] == [("delta", "delta")] * (len(published) - 1)


def test_nothing_is_fetched_where_nothing_was_published(updates):
    same = [update for update in updates if update.release is None]
    assert [update.how for update in same] == [("unchanged", "unchanged")] * len(same)


def test_every_copy_is_the_published_document_byte_for_byte(updates):
    assert all(update.identical for update in updates)


def test_every_update_cost_less_than_the_documents_with_gzip(updates):
    for update in updates[1:]:
        assert update.wire_bytes < update.gzip_bytes, update
