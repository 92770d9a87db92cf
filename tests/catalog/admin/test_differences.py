"""Differences in words, and the same ones that the services see."""

from __future__ import annotations

import pytest

from catalog.admin.differences import FieldDifference, field_differences, price_words
from catalog.admin.pending import KindDifference, between, by_kind, unreleased, waiting
from catalog.records import Kind
from catalog.services.releases import cut_release, pending_changes, release_changes
from tests.catalog.admin.cast import full_catalog
from tests.factories import NOW, entry, lab, offering, price, removed, write


def test_only_fields_that_differ_are_named_with_both_values() -> None:
    before = {
        "name": "Old",
        "limits": {"context_tokens": 128_000},
        "capabilities": {"tools": True},
        "aliases": ["a"],
    }
    after = {"name": "Old", "limits": {"context_tokens": 1_000_000}, "aliases": ["a", "b"]}
    assert field_differences(before, after) == [
        FieldDifference("context tokens", "128\u202f000", "1\u202f000\u202f000"),
        FieldDifference("aliases", "a", "a, b"),
        FieldDifference("tools", "yes", None),
    ]


def test_a_price_is_found_again_by_what_it_counts() -> None:
    before = {"prices": [price("0.000001"), price("0.01", unit="image")]}
    after = {
        "prices": [price("0.01", unit="image"), price("0.000002", service_tier="batch"), price("0.000001")]
    }
    assert field_differences(before, after) == [
        FieldDifference("price: input, batch", None, "2 USD per million tokens (0.000002 each)")
    ]


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0.0000015", "1.5 USD per million tokens (0.0000015 each)"),
        ("0", "0 USD per token"),
        ("0.00000000000000000000000012345", "0.00000000000000000012345 USD per million tokens"),
    ],
)
def test_a_price_keeps_every_digit(amount: str, words: str) -> None:
    assert price_words(amount, "USD", "token").startswith(words)


def summary(kinds: list[KindDifference]) -> list[tuple[object, ...]]:
    return [(kind.kind, kind.added, kind.changed, kind.removed, kind.records) for kind in kinds]


@pytest.mark.django_db
def test_pages_show_the_differences_that_the_services_make() -> None:
    write(*full_catalog())
    assert summary(unreleased()) == summary(by_kind(pending_changes()))
    cut_release(now=NOW, by="alice")
    assert unreleased() == []
    write(lab("new"), entry("omega", name="Other"), offering("zeta", prices=[price("9")]))
    write(removed(Kind.TRIAL, "early"))
    assert summary(unreleased()) == summary(by_kind(pending_changes()))
    assert waiting() == 4
    cut_release(now=NOW, by="alice")
    write(removed(Kind.LAB, "new"))
    write(entry("omega", name="Again"))
    cut_release(now=NOW, by="alice")
    for older, newer in ((0, 1), (1, 2), (2, 3), (1, 3), (3, 1), (0, 3)):
        assert summary(between(older, newer)) == summary(by_kind(release_changes(older, newer)))


@pytest.mark.django_db
def test_a_page_counts_all_and_spells_out_the_first() -> None:
    write(lab(), *[entry(f"m{number:03}") for number in range(70)])
    entries = unreleased(shown=50)[1]
    assert (entries.total, len(entries.records), entries.not_shown) == (70, 50, 20)
