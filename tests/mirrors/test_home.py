from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory

from mirrors.home import age_in_words, read_published, size_in_words
from mirrors.views import home

INDEX = {
    "format": 1,
    "release": 7,
    "published": "2026-11-20T11:00:00Z",
    "schemas": [
        {
            "name": "litellm",
            "path": "/catalog/litellm/model_prices_and_context_window.json",
            "status": "current",
            "sunset": None,
            "bytes": 2410000,
            "sha256": "ab" * 32,
            "target": "catalog/litellm/model_prices_and_context_window.json",
        },
        {
            "name": "new-one",
            "path": "/catalog/new-one/a.json",
            "status": "deprecated",
            "bytes": 10,
            "sha256": "cd" * 32,
        },
    ],
    "regions": ["global", "eu"],
    "experiments": [],
    "root_fingerprint": "ef" * 32,
    "minisign_key": "RWabc",
}


def test_the_page_says_what_is_published_and_how_each_client_uses_it(now):
    published = read_published(json.dumps(INDEX).encode(), base_url="https://c.example", now=now)
    assert published is not None
    assert (published.release, published.age, published.regions) == (7, "1 hour ago", ("global", "eu"))
    first, second = published.rows
    assert first.line.startswith("LITELLM_MODEL_COST_MAP_URL=https://c.example/catalog/litellm/")
    assert first.size == "2.4 MB"
    assert second.line == "curl -O https://c.example/catalog/new-one/a.json"


@pytest.mark.parametrize(
    "index", [b"", b"{", b"[]", b"null", b'{"release":1}', b'{"published":"x","release":1}', b"\xff"]
)
def test_an_index_that_is_not_one_reads_as_nothing_published(index, now):
    assert read_published(index, base_url="https://c.example", now=now) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (172800, "2 days ago")],
)
def test_an_age_is_told_in_the_largest_whole_unit(seconds, words):
    assert age_in_words(timedelta(seconds=seconds).total_seconds()) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (123456, "123 KB"), (5 * 10**9, "5000 MB")],
)
def test_a_size_is_told_in_units_of_a_thousand(size, words):
    assert size_in_words(size) == words


def test_an_empty_store_gives_a_page_that_says_so(settings, tmp_path):
    settings.ALMANAC_STORES = [f"file://{tmp_path}"]
    response = home(RequestFactory().get("/"))
    assert response.status_code == 200
    assert b"Nothing is published here yet" in response.content


def test_a_published_store_gives_a_page_with_its_release_and_fingerprint(settings, tmp_path):
    settings.ALMANAC_STORES = [f"file://{tmp_path}"]
    (tmp_path / "index.json").write_text(json.dumps(INDEX))
    page = home(RequestFactory().get("/")).content.decode()
    assert "Release 7" in page
    assert "ef" * 32 in page


def test_what_the_index_says_is_text_and_never_markup(settings, tmp_path):
    settings.ALMANAC_STORES = [f"file://{tmp_path}"]
    (tmp_path / "index.json").write_text(json.dumps({**INDEX, "minisign_key": "<script>alert(1)</script>"}))
    assert "<script>" not in home(RequestFactory().get("/")).content.decode()


@pytest.mark.parametrize(
    ("life", "note", "successor"),
    [
        ({"status": "current", "sunset": "2027-06-30"}, "", ""),
        ({"status": "deprecated"}, "", ""),
        (
            {
                "status": "deprecated",
                "deprecated": "2026-11-20",
                "sunset": "2027-06-30",
                "successor": "catalog/b.json",
            },
            "Deprecated since 2026-11-20; published until 2027-06-30.",
            "https://c.example/catalog/b.json",
        ),
        (
            {
                "status": "retired",
                "bytes": None,
                "sha256": None,
                "target": None,
                "successor": "catalog/b.json",
            },
            "Retired: it is no longer published.",
            "https://c.example/catalog/b.json",
        ),
    ],
)
def test_the_page_says_how_long_a_schema_lives_and_what_follows(life, note, successor, now, settings):
    index = {**INDEX, "schemas": [{**INDEX["schemas"][1], **life}]}
    published = read_published(json.dumps(index).encode(), base_url="https://c.example", now=now)
    assert published is not None
    (row,) = published.rows
    assert (row.note, row.successor) == (note, successor)
    page = render_to_string("mirrors/home.html", {"published": published, "base_url": "https://c.example"})
    assert (f'<a href="{successor}">' in page) is bool(successor)
    assert ("SHA-256" in page) is (life["status"] != "retired")
