"""A form becomes a record, the record a change request: nothing is lost on the way, nothing is written beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Change, ChangeRequest, RecordVersion
from catalog.projection import PROJECTIONS
from catalog.records import Kind
from catalog.services.changes import ProposedChange, propose
from tests.catalog.admin.cast import KINDS_WITH_PAGES, add_operator, posted, signed_in
from tests.factories import NOW, membership, write


def live(kind: Kind, key: str) -> dict[str, object]:
    record: dict[str, object] = json.loads(RecordVersion.objects.get(kind=kind, key=key, live=True).data)
    return record


def address(kind: Kind, key: str) -> str:
    projection = PROJECTIONS[kind]
    row = projection.model.objects.get(**{projection.key: key})
    return reverse(f"admin:catalog_{KINDS_WITH_PAGES[kind]}_change", args=[row.pk])


def versions() -> list[tuple[object, ...]]:
    return list(RecordVersion.objects.order_by("pk").values_list("pk", "kind", "key", "digest", "live"))


@pytest.mark.parametrize("kind", list(KINDS_WITH_PAGES))
def test_a_form_that_is_saved_untouched_changes_nothing(alice: Client, kind: Kind) -> None:
    before, requests = versions(), ChangeRequest.objects.count()
    for key in RecordVersion.objects.filter(kind=kind, live=True).values_list("key", flat=True):
        page = alice.get(address(kind, key))
        answer = alice.post(address(kind, key), posted(page), follow=True)
        assert answer.redirect_chain, answer.context["errors"]
        assert "Nothing was changed" in answer.content.decode()
    assert (versions(), ChangeRequest.objects.count()) == (before, requests)


def test_an_edit_of_an_entry_with_its_rows_is_one_change_request(alice: Client) -> None:
    page = alice.get(address(Kind.ENTRY, "acme/omega"))
    data = posted(page) | {"name": "Omega 8B", "context_tokens": "256000", "reasoning": "true"}
    data |= {"aliases-1-text": "om8", "artifacts-0-ram_bytes": "6000000000"}
    requests = ChangeRequest.objects.count()
    alice.post(address(Kind.ENTRY, "acme/omega"), data)
    record = live(Kind.ENTRY, "acme/omega")
    assert record["name"] == "Omega 8B"
    assert record["limits"] == {"context_tokens": 256_000, "max_output_tokens": 8_192}
    assert record["capabilities"] == {"tools": True, "vision": False, "reasoning": True}
    assert record["aliases"] == ["omega-latest", "om8"]
    assert record["artifacts"][0]["ram_bytes"] == 6_000_000_000  # type: ignore[index]
    assert ChangeRequest.objects.count() == requests + 1
    made = ChangeRequest.objects.get(pk=Change.objects.latest("pk").request_id)
    assert (made.author, made.status, made.changes.count()) == ("alice", "applied", 1)


def test_an_untouched_price_keeps_its_sources_spelling_and_a_changed_one_does_not(alice: Client) -> None:
    page = alice.get(address(Kind.OFFERING, "acme:omega"))
    data = posted(page) | {"prices-1-amount": "12/M"}
    alice.post(address(Kind.OFFERING, "acme:omega"), data)
    first, second = live(Kind.OFFERING, "acme:omega")["prices"]  # type: ignore[misc]
    assert (first["spelling"], second["amount"]) == ("3e-06/token", "0.000012")
    page = alice.get(address(Kind.OFFERING, "acme:omega"))
    alice.post(address(Kind.OFFERING, "acme:omega"), posted(page) | {"prices-0-amount": "0.000004"})
    assert "spelling" not in live(Kind.OFFERING, "acme:omega")["prices"][0]  # type: ignore[index]


def test_a_new_model_can_be_added_and_its_key_is_fixed_from_then_on(alice: Client) -> None:
    page = alice.get(reverse("admin:catalog_modelentry_add"))
    lab = PROJECTIONS[Kind.LAB].model.objects.get(slug="acme")
    data = posted(page) | {"lab": lab.pk, "slug": "nova", "name": "Nova"}
    alice.post(reverse("admin:catalog_modelentry_add"), data)
    assert live(Kind.ENTRY, "acme/nova")["name"] == "Nova"
    page = alice.get(address(Kind.ENTRY, "acme/nova"))
    alice.post(
        address(Kind.ENTRY, "acme/nova"), posted(page) | {"slug": "other", "lab": "", "name": "Nova 2"}
    )
    assert live(Kind.ENTRY, "acme/nova")["name"] == "Nova 2"
    assert not RecordVersion.objects.filter(key="acme/other").exists()


def test_adding_what_is_there_already_is_refused_at_the_field(alice: Client) -> None:
    lab = PROJECTIONS[Kind.LAB].model.objects.get(slug="acme")
    page = alice.get(reverse("admin:catalog_modelentry_add"))
    before = versions()
    data = posted(page) | {"lab": lab.pk, "slug": "omega", "name": "Another"}
    answer = alice.post(reverse("admin:catalog_modelentry_add"), data)
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert versions() == before


def test_rows_can_be_added_and_taken_away(alice: Client) -> None:
    page = alice.get(address(Kind.ENTRY, "acme/omega"))
    data = posted(page) | {"aliases-0-DELETE": "on", "aliases-TOTAL_FORMS": "3", "aliases-2-text": "omega-8"}
    alice.post(address(Kind.ENTRY, "acme/omega"), data)
    assert live(Kind.ENTRY, "acme/omega")["aliases"] == ["om", "omega-8"]


def test_places_of_a_featured_list_follow_their_numbers(alice: Client) -> None:
    page = alice.get(address(Kind.FEATURED, "start"))
    alice.post(address(Kind.FEATURED, "start"), posted(page) | {"items-0-position": "5"})
    subjects = [item["subject"] for item in live(Kind.FEATURED, "start")["items"]]  # type: ignore[attr-defined]
    assert subjects == ["offering:acme:zeta", "entry:acme/omega"]


def test_a_record_that_others_need_is_not_removed_and_they_are_named(alice: Client) -> None:
    before = versions()
    page = address(Kind.ENTRY, "acme/omega").replace("/change/", "/delete/")
    assert "offering acme:omega" in alice.get(page).content.decode()
    answer = alice.post(page, {"post": "yes"}, follow=True)
    assert "offering acme:omega" in answer.content.decode()
    assert versions() == before


def test_a_record_that_nobody_needs_is_removed_through_a_change_request(alice: Client) -> None:
    page = address(Kind.TRIAL, "early").replace("/change/", "/delete/")
    answer = alice.post(page, {"post": "yes"}, follow=True)
    assert "was removed (change request" in answer.content.decode()
    assert not RecordVersion.objects.filter(kind=Kind.TRIAL, live=True).exists()
    assert Change.objects.latest("pk").after == ""


def test_many_are_retired_with_one_change_request(alice: Client) -> None:
    rows = PROJECTIONS[Kind.OFFERING].model.objects.values_list("pk", flat=True)
    requests = ChangeRequest.objects.count()
    data = {"action": "retire", "_selected_action": list(rows)}
    answer = alice.post(reverse("admin:catalog_offering_changelist"), data, follow=True)
    assert "Done: Retire offerings (3 records" in answer.content.decode()
    assert ChangeRequest.objects.count() == requests + 1
    assert live(Kind.OFFERING, "acme:zeta")["stage"] == "retired"


def test_two_tabs_edit_one_model_and_neither_loses_anything(alice: Client) -> None:
    mine = posted(alice.get(address(Kind.ENTRY, "acme/omega")))
    theirs = live(Kind.ENTRY, "acme/omega") | {"name": "Their name", "aliases": ["theirs"]}
    write((Kind.ENTRY, theirs), by="bob")
    before = versions()
    answer = alice.post(address(Kind.ENTRY, "acme/omega"), mine | {"licence": "MIT"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert versions() == before
    assert all(text in page for text in ("Their name", 'value="MIT"', 'value="Omega 7B"', "bob"))
    again = mine | {"licence": "MIT", "name": "Their name", "_seen": answer.context["seen"]}
    alice.post(address(Kind.ENTRY, "acme/omega"), again)
    assert live(Kind.ENTRY, "acme/omega")["licence"] == "MIT"


def test_history_shows_what_change_requests_did_to_the_record(alice: Client) -> None:
    page = alice.get(address(Kind.ENTRY, "acme/omega"))
    alice.post(address(Kind.ENTRY, "acme/omega"), posted(page) | {"name": "Omega 8B"})
    history = alice.get(address(Kind.ENTRY, "acme/omega").replace("/change/", "/history/")).content.decode()
    assert "<del>Omega 7B</del>" in history
    assert "<ins>Omega 8B</ins>" in history


def test_an_edit_of_the_shared_price_clears_what_a_schema_said_instead_and_names_it(alice: Client) -> None:
    own = {"set": {"input_cost_per_token": "0.000009", "mode": '"chat"'}}
    write(membership("offering:acme:omega", schema="litellm", position=30, native=own))
    page = alice.get(address(Kind.OFFERING, "acme:omega"))
    data = posted(page) | {"prices-0-amount": "0.000004"}
    answer = alice.post(address(Kind.OFFERING, "acme:omega"), data, follow=True)
    assert "Also cleared: litellm: input_cost_per_token of acme:omega" in answer.content.decode()
    kept = live(Kind.MEMBERSHIP, "litellm|offering:acme:omega")
    assert "input_cost_per_token" not in json.dumps(kept)
    assert Change.objects.latest("pk").request.changes.count() == 2


def test_with_two_person_review_an_edit_waits_until_somebody_else_approves_it(
    alice: Client, settings: Any
) -> None:
    settings.TWO_PERSON_REVIEW = True
    before = versions()
    page = alice.get(address(Kind.ENTRY, "acme/omega"))
    answer = alice.post(address(Kind.ENTRY, "acme/omega"), posted(page) | {"name": "Omega 8B"}, follow=True)
    assert "Proposed as change request" in answer.content.decode()
    assert versions() == before
    proposed = ChangeRequest.objects.latest("pk")
    step = reverse("admin:catalog_changerequest_step", args=[proposed.pk, "approve"])
    assert "cannot approve it" in alice.post(step, follow=True).content.decode()
    assert versions() == before
    signed_in(add_operator("bob")).post(step)
    assert live(Kind.ENTRY, "acme/omega")["name"] == "Omega 8B"


def test_with_two_person_review_a_new_record_waits_as_well(alice: Client, settings: Any) -> None:
    settings.TWO_PERSON_REVIEW = True
    page = alice.get(reverse("admin:catalog_lab_add"))
    data = posted(page) | {"slug": "other", "name": "Other"}
    answer = alice.post(reverse("admin:catalog_lab_add"), data, follow=True)
    assert "Proposed as change request" in answer.content.decode()
    assert not RecordVersion.objects.filter(kind=Kind.LAB, key="other").exists()


def test_a_draft_can_be_withdrawn_with_a_reason(alice: Client) -> None:
    changes = [ProposedChange(Kind.LAB, "other", {"slug": "other", "name": "Other"})]
    draft = propose(title="A draft", changes=changes, by="alice", now=NOW, draft=True)
    assert draft is not None
    page = reverse("admin:catalog_changerequest_change", args=[draft.pk])
    assert "Approve and apply" in alice.get(page).content.decode()
    alice.post(
        reverse("admin:catalog_changerequest_step", args=[draft.pk, "withdraw"]), {"reason": "too early"}
    )
    assert "too early" in alice.get(page).content.decode()
    assert "Approve and apply" not in alice.get(page).content.decode()
