"""An operator's edit of a shared fact reaches every document."""

from __future__ import annotations

import pytest

from catalog.reading import LiveState
from catalog.records import Kind
from catalog.rendering import render_view
from catalog.schemas.registry import SCHEMAS
from catalog.services.editing import edit_record, plan_edit
from tests.factories import ALICE, NOW, entry, membership, offering, price, small_catalog, write

pytestmark = pytest.mark.django_db
PRICED = {"prices": [price("0.000001"), price("0.000002", meter="output")]}


def v2() -> str:
    return render_view(SCHEMAS["v2"], LiveState(), SCHEMAS).data.decode()


def edit(made):
    kind, record = made
    key = (
        f"{record['lab']}/{record['slug']}"
        if kind is Kind.ENTRY
        else f"{record['provider']}:{record['native_id']}"
    )
    return edit_record(kind=kind, key=key, after=record, by=ALICE, now=NOW)


@pytest.fixture
def overridden():
    own = {"set": {"input_price": "3.0", "supports_vision": "true", "real_name": '"z"'}}
    write(*small_catalog(), offering(**PRICED), membership("offering:acme:zeta", position=10, native=own))
    assert "input_price: 3.0" in v2()


def test_editing_a_price_clears_the_override_of_that_price_alone(overridden):
    edited = edit(offering(prices=[price("0.000007"), price("0.000002", meter="output")]))
    assert [str(cleared) for cleared in edited.cleared] == ["v2: input_price of acme:zeta"]
    assert sorted(change.kind for change in edited.request.changes.all()) == ["membership", "offering"]
    assert "input_price: 7," in v2()
    assert "supports_vision: true" in v2()
    assert "real_name: z" in v2()


def test_editing_an_entry_clears_the_overrides_at_its_offerings(overridden):
    edited = edit(entry(capabilities={"vision": False}))
    assert [cleared.field for cleared in edited.cleared] == ["supports_vision"]
    assert "supports_vision: false" in v2()
    assert "input_price: 3.0" in v2()


def test_what_an_offering_states_itself_is_not_touched_by_its_entry(overridden):
    write(offering(**PRICED, capabilities={"vision": True}))
    assert edit(entry(capabilities={"vision": False})).cleared == ()
    assert "supports_vision: true" in v2()


def test_an_edit_of_something_else_clears_nothing(overridden):
    assert edit(entry(description="Better now.")).cleared == ()
    assert "input_price: 3.0" in v2()


def test_an_edit_is_shown_before_it_is_done(overridden):
    kind, record = offering(prices=[price("0.000007")])
    planned = plan_edit(kind=kind, key="acme:zeta", after=record)
    assert [cleared.field for cleared in planned.cleared] == ["input_price"]
    assert "input_price: 3.0" in v2()


def test_an_edit_that_changes_nothing_is_none(overridden):
    assert edit(offering(**PRICED)) is None


def test_a_new_record_is_an_edit_too(overridden):
    assert edit(entry("theta")).request.title == "Edit entry acme/theta"
