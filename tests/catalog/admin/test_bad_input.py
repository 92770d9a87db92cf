"""What makes no sense is refused at its field: nothing is written, and what was typed stands in the form again."""

from __future__ import annotations

import html

import pytest
from django.test import Client

from catalog.models import ChangeRequest
from catalog.records import Kind
from tests.catalog.admin.cast import posted
from tests.catalog.admin.test_saving import address, versions

ENTRY = (Kind.ENTRY, "acme/omega")
OFFERING = (Kind.OFFERING, "acme:omega")
LIST = (Kind.FEATURED, "start")
TRIAL = (Kind.TRIAL, "early")
TESTS = (Kind.EXPERIMENT, "order")
LAB = (Kind.LAB, "acme")
PROVIDER = (Kind.PROVIDER, "acme")
MEMBER = (Kind.MEMBERSHIP, "litellm|opaque:sample_spec")

BAD = [
    (ENTRY, "context_tokens", "-1"),
    (ENTRY, "context_tokens", "0"),
    (ENTRY, "context_tokens", "1000000000000000000000"),
    (ENTRY, "max_output_tokens", "1.5"),
    (ENTRY, "max_output_tokens", "many"),
    (ENTRY, "name", ""),
    (ENTRY, "name", "x" * 301),
    (ENTRY, "name", "Om\x07ega"),
    (ENTRY, "name", "Omega \u202e evil"),
    (ENTRY, "name", "nul\x00"),
    (ENTRY, "description", "\x1b[31mred"),
    (ENTRY, "mode", "telepathy"),
    (ENTRY, "stage", "rumoured"),
    (ENTRY, "released", "yesterday"),
    (ENTRY, "released", "2025-13"),
    (ENTRY, "released", "2025-02-30"),
    (ENTRY, "knowledge_cutoff", "20250101"),
    (ENTRY, "links", "docs = javascript:alert(1)"),
    (ENTRY, "links", "no equals sign"),
    (ENTRY, "links", "a = https://a.example\na = https://b.example"),
    (ENTRY, "input_modalities", ["text", "smell"]),
    (ENTRY, "aliases-1-text", "omega-latest"),
    (ENTRY, "aliases-1-text", "x" * 257),
    (ENTRY, "artifacts-0-url", "javascript:alert(1)"),
    (ENTRY, "artifacts-0-url", "data:text/html,x"),
    (ENTRY, "artifacts-0-url", "https://user:secret@acme.example/x"),
    (ENTRY, "artifacts-0-url", "https://acme.example/a b"),
    (ENTRY, "artifacts-0-size_bytes", "-5"),
    (ENTRY, "artifacts-0-sha256", "abc"),
    (ENTRY, "artifacts-0-hardware_tier", "spaceship"),
    (OFFERING, "entry", "987654"),
    (OFFERING, "prices-0-amount", "-0.01"),
    (OFFERING, "prices-0-amount", "NaN"),
    (OFFERING, "prices-0-amount", "1e400"),
    (OFFERING, "prices-0-amount", "3/K"),
    (OFFERING, "prices-0-currency", "usd"),
    (OFFERING, "prices-0-currency", "DOLLARS"),
    (OFFERING, "prices-0-unit", "barrel"),
    (OFFERING, "prices-0-above_tokens", "-1"),
    (OFFERING, "prices-1-meter", "input"),
    (OFFERING, "available_only", ["atlantis"]),
    (OFFERING, "endpoint", "= /v1"),
    (LIST, "title", ""),
    (LIST, "starts_0", "2026-02-31"),
    (LIST, "items-0-offering", "1"),
    (LIST, "items-0-badge", "x" * 41),
    (TRIAL, "ends_0", ""),
    (TRIAL, "offering", "1"),
    (TRIAL, "starts_0", "2027-01-01"),
    (TRIAL, "audience", "{not json"),
    (TRIAL, "audience", '{"share": 0.5}'),
    (TRIAL, "audience", '{"share": NaN}'),
    (TRIAL, "audience", "[1, 2]"),
    (TRIAL, "audience", '{"a": 1, "a": 2}'),
    (TRIAL, "audience", '{"a":' * 40 + "1" + "}" * 40),
    (TRIAL, "audience", "[" * 100_000),
    (TRIAL, "audience", '{"a": ' + "9" * 5000 + "}"),
    (TESTS, "start", "9999"),
    (TESTS, "arms-1-slug", "As Is"),
    (TESTS, "arms-1-slug", "as-is"),
    (TESTS, "arms-1-weight", "-1"),
    (LAB, "url", "javascript:alert(1)"),
    (LAB, "url", "ftp://acme.example"),
    (PROVIDER, "api", "https://acme.example/\tx"),
    (PROVIDER, "docs", "https://" + "x" * 2000),
    (MEMBER, "position", "first"),
    (MEMBER, "native", '{"set": 1.5}'),
]
CHOSEN = ("entry", "offering")
"""A choice that does not exist cannot be shown; that both are chosen is said above them."""


@pytest.mark.parametrize(("record", "field", "typed"), BAD, ids=lambda value: repr(value)[:60])
def test_bad_input_is_refused_at_its_field(
    alice: Client, record: tuple[Kind, str], field: str, typed: str | list[str]
) -> None:
    before, requests = versions(), ChangeRequest.objects.count()
    page = alice.get(address(*record))
    answer = alice.post(address(*record), posted(page) | {field: typed})
    assert answer.status_code == 200, "it was taken, or it broke"
    assert (versions(), ChangeRequest.objects.count()) == (before, requests)
    assert errors_at(answer, field), answer.context["errors"]
    if isinstance(typed, str) and typed.isprintable() and len(typed) < 1000 and field not in CHOSEN:
        assert typed in html.unescape(answer.content.decode())


def errors_at(answer: object, field: str) -> bool:
    """At the field, at its row, or above the rows that it stands in."""
    context = answer.context  # type: ignore[attr-defined]
    prefix, _, rest = field.partition("-")
    if not rest:
        errors = context["adminform"].form.errors
        return any(field.startswith(name) for name in errors) or (field in CHOSEN and "__all__" in errors)
    formsets = [inline.formset for inline in context["inline_admin_formsets"]]
    formset = next(formset for formset in formsets if formset.prefix == prefix)
    return any(formset.errors) or bool(formset.non_form_errors())


def test_an_address_in_the_own_network_is_a_field_error_or_harmless_text(alice: Client) -> None:
    """The server never calls these addresses; what must not happen is that a click runs something."""
    page = alice.get(address(*LAB)).content.decode()
    assert "javascript:" not in page


def test_markup_that_was_typed_is_shown_as_text(alice: Client) -> None:
    page = alice.get(address(*ENTRY))
    alice.post(address(*ENTRY), posted(page) | {"name": "<script>alert(1)</script>"})
    for where in (address(*ENTRY), address(*ENTRY).replace("/change/", "/history/"), "/admin/publish/"):
        shown = alice.get(where).content.decode()
        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert" in shown


def test_fields_that_are_not_in_the_form_are_not_taken(alice: Client) -> None:
    """Mass assignment: a status, an author, another key, a search text."""
    before = versions()
    extra = {
        "key": "acme/evil",
        "status": "published",
        "author": "bob",
        "search_text": "x",
        "id": "1",
        "slug": "evil",
    }
    page = alice.get(address(*ENTRY))
    alice.post(address(*ENTRY), posted(page) | extra)
    assert versions() == before


def test_a_post_without_its_rows_changes_nothing(alice: Client) -> None:
    page = alice.get(address(*ENTRY))
    data = {
        name: value for name, value in posted(page).items() if not name.startswith(("aliases", "artifacts"))
    }
    before = versions()
    answer = alice.post(address(*ENTRY), data | {"name": "Other"})
    assert answer.status_code == 200
    assert versions() == before


def test_a_digest_in_any_case_and_with_its_name_is_the_same_digest(alice: Client) -> None:
    page = alice.get(address(*ENTRY))
    alice.post(address(*ENTRY), posted(page) | {"artifacts-0-sha256": "sha256:" + "AB" * 32})
    saved = alice.get(address(*ENTRY)).content.decode()
    assert "ab" * 32 in saved
