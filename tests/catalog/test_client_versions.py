"""Members that need a newer client: documents for older ones beside the document, made only where they differ."""

from __future__ import annotations

import json

import pytest

from almanac.variants import MOST
from catalog.records import Kind
from catalog.schemas.base import Line
from catalog.schemas.codex import CODEX
from catalog.schemas.registry import SCHEMAS
from catalog.services.documents import render_release
from catalog.services.releases import cut_release
from tests.factories import (
    ALICE,
    NOW,
    adjustment,
    entry,
    lab,
    offering,
    provider,
    region,
    removed,
    schema,
    write,
)

CODEX_FILE = "catalog/codex/models.json"
BELOW = "catalog/codex/models.before-{}.json"
NAMES = [f"gpt-{n}" for n in range(8)]
FACTS = {"capabilities": {"tools": True}, "limits": {"context_tokens": 1000}}


def publish() -> dict[str, list[str]]:
    """Codex's documents: path → what it lists."""
    release = cut_release(now=NOW, by=ALICE)
    assert release is not None
    rendered = render_release(release=release.number, schemas=SCHEMAS)
    found = {document.path: document for document in rendered if document.schema == "codex"}
    assert not [finding for one in found.values() for finding in one.findings if finding.severity == "stop"]
    assert all(document.members == len(slugs(document.data)) for document in found.values())
    return {path: slugs(document.data) for path, document in found.items()}


def slugs(data: bytes) -> list[str]:
    return [model["slug"] for model in json.loads(data)["models"]]


def needs(slug: str, version: str | list[int]):
    own = {"minimal_client_version": json.dumps(version)}
    return adjustment(f"offering:openai:{slug}", schema="codex", set=own)


@pytest.fixture
def models(db: None) -> None:
    write(region(), lab("openai"), provider("openai"), schema("codex", membership="automatic"))
    write(*(entry(name, lab="openai", **FACTS) for name in NAMES))
    write(*(offering(name, provider="openai", entry=f"openai/{name}") for name in NAMES))


def test_without_members_that_need_a_newer_client_there_is_one_document(models):
    assert list(publish()) == [CODEX_FILE]


def test_older_clients_get_a_document_without_what_they_cannot_use(models):
    write(region("eu", parent="global"), needs("gpt-1", "0.150.0"), needs("gpt-2", [0, 98, 0]))
    found = publish()
    files = (CODEX_FILE, BELOW.format("0.98"), BELOW.format("0.150"))
    assert set(found) == {f"{place}{path}" for place in ("", "regions/eu/") for path in files}
    assert len(found[CODEX_FILE]) == 8
    assert set(found[CODEX_FILE]) - set(found[BELOW.format("0.150")]) == {"gpt-1"}
    assert set(found[CODEX_FILE]) - set(found[BELOW.format("0.98")]) == {"gpt-1", "gpt-2"}


def test_a_variant_goes_with_the_last_member_that_needs_it_and_changes_with_the_others(models):
    write(needs("gpt-1", "0.150.0"))
    publish()
    write(removed(Kind.ADJUSTMENT, "codex|offering:openai:gpt-1"), needs("gpt-3", "0.160"))
    found = publish()
    assert set(found) == {CODEX_FILE, BELOW.format("0.160")}
    write(entry("gpt-0", lab="openai", name="Renamed", **FACTS))
    assert set(publish()) == set(found)
    write(removed(Kind.ADJUSTMENT, "codex|offering:openai:gpt-3"))
    assert set(publish()) == {CODEX_FILE}


def test_there_are_only_a_few_variants_and_the_oldest_clients_share_the_last(models):
    write(*(needs(f"gpt-{n}", f"0.{n}.0") for n in range(1, 8)))
    found = publish()
    assert len(found) == 1 + MOST
    assert set(found[BELOW.format("0.4")]) == {"gpt-0"}
    assert set(found[BELOW.format("0.7")]) == set(NAMES[:7])


def test_an_empty_variant_is_not_published(models):
    write(*(needs(name, "0.5.0") for name in NAMES))
    assert list(publish()) == [CODEX_FILE]


@pytest.mark.parametrize(
    ("said", "minimum"),
    [
        ('"0.98.0"', "0.98"),
        ("[0,98,1]", "0.98.1"),
        ('"0.170.0-alpha.2"', "0.170"),
        ('"newest"', ""),
        ("null", ""),
        ("[]", ""),
        ("98", ""),
        ("[true]", ""),
        ('["0","1"]', ""),
    ],
)
def test_what_is_no_version_asks_for_none(said, minimum):
    text = f'{{"slug":"a","minimal_client_version":{said}}}'
    assert CODEX.minimum_client(Line("", "", text)) == minimum
