"""What an operator decides about one member of one schema: hidden, said otherwise, held back."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from catalog.errors import ChangeError
from catalog.models import ChangeRequest
from catalog.reading import LiveState
from catalog.records import Kind
from catalog.rendering import render_view
from catalog.schemas.registry import SCHEMAS
from catalog.services.documents import render_release
from catalog.services.guarding import judge_release
from catalog.services.releases import cut_release
from catalog.services.schema_rules import as_released
from tests.factories import (
    ALICE,
    NOW,
    adjustment,
    entry,
    offering,
    price,
    provider,
    removed,
    schema,
    small_catalog,
    write,
)

pytestmark = pytest.mark.django_db


def publish() -> dict[str, bytes]:
    """The global documents, made line by line; each equals what is rendered whole."""
    release = cut_release(now=NOW, by=ALICE)
    assert release is not None
    state = LiveState()
    made = {}
    for document in render_release(release=release.number, schemas=SCHEMAS):
        whole = render_view(SCHEMAS[document.schema], state, SCHEMAS, region=document.region)
        assert document.data == whole.data, document.path
        assert document.omissions == whole.omissions
        if document.region == "global":
            made[document.schema] = document.data
    return made


@pytest.fixture
def catalog() -> dict[str, bytes]:
    """v2 lists its members, litellm and openai whatever they can hold."""
    schemas = [
        schema(name, membership="automatic") for name in ("litellm", "openai", "almanac/v1", "catwalk")
    ]
    prices = [price(), price("0.000006", meter="output")]
    dated = [entry(name, released="2026-05-01") for name in ("zeta", "eta")]
    more = [offering("eta", entry="acme/eta", prices=prices), provider(names={"litellm": "openai"})]
    write(*small_catalog(), *schemas, *more, *dated)
    return publish()


def test_a_hidden_offering_leaves_one_document_and_stays_in_the_others(catalog):
    assert b"name: zeta" in catalog["v2"]
    write(adjustment("offering:acme:zeta", hidden=True, reason="the list is too long"))
    now = publish()
    assert b"name: zeta" not in now["v2"]
    assert b"name: eta" in now["v2"]
    assert {name for name in now if now[name] != catalog[name]} == {"v2"}
    write(removed(Kind.ADJUSTMENT, "v2|offering:acme:zeta"))
    assert publish() == catalog


def test_a_hidden_entry_takes_all_its_offerings_along_in_an_automatic_schema_too(catalog):
    assert b'/zeta"' in catalog["litellm"]
    write(offering("zeta-2"), adjustment("entry:acme/zeta", schema="litellm", hidden=True))
    now = publish()["litellm"]
    assert b"zeta" not in now
    assert b'/eta"' in now


def test_a_hidden_provider_takes_its_block_along(catalog):
    write(
        provider("beta", names={"litellm": "anthropic"}),
        offering("theta", provider="beta", entry="acme/eta", prices=[price(), price(meter="output")]),
    )
    assert b'theta"' in publish()["litellm"]
    write(adjustment("provider:acme", schema="litellm", hidden=True))
    now = publish()["litellm"]
    assert b'/eta"' not in now
    assert b'theta"' in now


def test_a_field_is_said_otherwise_or_left_out_in_one_document_alone(catalog):
    write(
        adjustment("offering:acme:zeta", set={"input_price": "9"}, drop=["output_price"]),
        adjustment("offering:acme:eta", schema="litellm", set={"supports_vision": "true"}, drop=["mode"]),
    )
    now = publish()
    assert b"input_price: 9" in now["v2"]
    assert b"input_price: 1.5" in catalog["v2"]
    assert b"output_price" in catalog["v2"]
    assert b"input_price: 9}" in now["v2"]
    assert b'"supports_vision":true' in now["litellm"]
    assert {name for name in now if now[name] != catalog[name]} == {"v2", "litellm"}


def test_what_is_held_back_goes_on_saying_what_was_released_until_it_is_let_go(catalog):
    held = as_released(schema="v2", member="offering:acme:zeta")
    assert held is not None
    assert held["release"] == 1
    write(adjustment("offering:acme:zeta", held=held))
    write(offering(prices=[price("0.000002"), price("0.000007", meter="output")]))
    now = publish()
    assert now["v2"] == catalog["v2"]
    assert now["almanac/v1"] != catalog["almanac/v1"]
    write(removed(Kind.ADJUSTMENT, "v2|offering:acme:zeta"))
    assert b"input_price: 2" in publish()["v2"]


def test_what_is_held_back_can_still_be_said_otherwise_field_by_field(catalog):
    held = as_released(schema="v2", member="offering:acme:zeta")
    write(adjustment("offering:acme:zeta", held=held, set={"input_price": "3"}))
    write(offering(prices=[price("0.000002"), price("0.000007", meter="output")]))
    now = publish()["v2"]
    assert b"input_price: 3" in now
    assert b"output_price: 6" in now


def test_what_no_release_has_cannot_be_held_back(catalog):
    assert as_released(schema="v2", member="offering:acme:unheard") is None
    assert as_released(schema="almanac/v1", member="offering:acme:zeta") is None
    write(adjustment("offering:acme:zeta", hidden=True))
    publish()
    assert as_released(schema="v2", member="offering:acme:zeta") is None


def test_an_import_leaves_the_operators_decision_alone(catalog, tmp_path):
    file = tmp_path / "models.yaml"
    file.write_bytes(catalog["v2"])
    write(adjustment("offering:acme:zeta", hidden=True))
    call_command("importcatalog", "v2", str(file), verbosity=0)
    assert LiveState().get(Kind.ADJUSTMENT, "v2|offering:acme:zeta") is not None
    assert b"name: zeta" not in render_view(SCHEMAS["v2"], LiveState(), SCHEMAS).data


def test_the_explanation_of_a_document_says_who_is_hidden_and_why(catalog, capsys):
    write(adjustment("entry:acme/zeta", hidden=True, reason="it is not tested yet"))
    held = as_released(schema="v2", member="offering:acme:eta")
    write(adjustment("offering:acme:eta", held=held, set={"input_price": "9"}, drop=["output_price"]))
    call_command("exportcatalog", "v2", "--explain")
    said = capsys.readouterr().out
    assert "entry:acme/zeta: hidden (it is not tested yet)" in said
    assert "offering:acme:eta: held at release 1; sets input_price; leaves out output_price" in said
    assert "offering:acme:zeta: its entry is hidden from this document: it is not tested yet" in said


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (adjustment("offering:acme:zeta", drop=["name"]), "would not take the document"),
        (adjustment("offering:acme:zeta", set={"input_price": '"cheap"'}), "would not take the document"),
        (adjustment("offering:acme:zeta", set={"input_price": "1,5"}), "is not JSON"),
        (adjustment("offering:acme:zeta", set={"input_price": "NaN"}), "is not JSON"),
        (adjustment("offering:acme:zeta"), "it changes nothing"),
        (adjustment("offering:acme:zeta", hidden=False), "it changes nothing"),
        (adjustment("offering:acme:zeta", set={"a": "1"}, drop=["a"]), "both set and left out"),
        (adjustment("offering:acme:zeta", set={"": "1"}), "not the name of a field"),
        (adjustment("offering:acme:unheard", hidden=True), "there is no offering acme:unheard"),
        (adjustment("nonsense", hidden=True), "is no subject"),
        (adjustment("offering:acme:zeta", schema="nothing", hidden=True), "there is no schema nothing"),
        (adjustment("entry:acme/zeta", schema="almanac/v1", hidden=True), "lists the records themselves"),
        (adjustment("offering:acme:zeta", held={"release": 0, "native": {}}), "does not hold"),
    ],
)
def test_an_adjustment_that_cannot_be_is_refused_and_nothing_is_written(catalog, record, reason):
    requests = ChangeRequest.objects.count()
    with pytest.raises(ChangeError) as refused:
        write(record)
    assert reason in " ".join(problem.reason for problem in refused.value.problems)
    assert ChangeRequest.objects.count() == requests
    assert not LiveState().all(Kind.ADJUSTMENT)


def test_a_record_that_is_adjusted_is_not_removed_under_the_adjustment(catalog):
    write(adjustment("entry:acme/zeta", schema="litellm", hidden=True))
    with pytest.raises(ChangeError, match="refer"):
        write(
            removed(Kind.MEMBERSHIP, "v2|offering:acme:zeta"),
            removed(Kind.OFFERING, "acme:zeta"),
            removed(Kind.ENTRY, "acme/zeta"),
        )


def test_hiding_many_at_once_stops_at_the_guard_that_counts(catalog):
    write(*(one for n in range(8) for one in (entry(f"m{n}"), offering(f"m{n}", entry=f"acme/m{n}"))))
    publish()
    write(*(adjustment(f"entry:acme/m{n}", schema="litellm", hidden=True) for n in range(5)))
    publish()
    trips = judge_release(release=3, published=2, schemas=SCHEMAS)
    assert {(trip.guard, trip.schema) for trip in trips} >= {("shrink", "litellm")}
    assert not [trip for trip in trips if trip.schema == "openai"]


def test_a_price_that_is_said_otherwise_is_judged_like_any_other(catalog):
    write(adjustment("offering:acme:zeta", set={"input_price": "900"}))
    publish()
    trips = judge_release(release=2, published=1, schemas=SCHEMAS)
    assert "price-move" in {trip.guard for trip in trips}
