"""Each guard: what trips it, and what does not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from catalog.guards import GUARDS, PriceMove, SchemaChange, judge
from catalog.records import Kind
from catalog.schemas.registry import SCHEMAS
from catalog.services.guarding import judge_release
from catalog.services.releases import cut_release, restore_release
from tests.factories import (
    ALICE,
    NOW,
    entry,
    lab,
    membership,
    offering,
    price,
    provider,
    region,
    removed,
    schema,
    write,
)


def names(change: SchemaChange) -> list[str]:
    return [trip.guard for trip in judge(change)]


def test_a_tenth_fewer_records_pass_and_one_more_missing_trips():
    assert names(SchemaChange("v2", 100, 90)) == []
    assert names(SchemaChange("v2", 100, 89)) == ["shrink"]
    assert names(SchemaChange("v2", 0, 0)) == []


def test_three_tenths_touched_pass_and_one_more_trips():
    assert names(SchemaChange("v2", 100, 100, touched=30)) == []
    assert names(SchemaChange("v2", 100, 100, touched=31)) == ["mass-change"]


@pytest.mark.parametrize(
    ("before", "after", "trips"),
    [
        ("1", "5", False),
        ("1", "5.000001", True),
        ("5", "1", False),
        ("5.1", "1", True),
        ("0", "0.01", True),
        ("1", "0", True),
    ],
)
def test_a_price_may_move_five_times_and_no_more(before, after, trips):
    move = PriceMove("offering:acme:zeta", "input_price", Decimal(before), Decimal(after))
    assert names(SchemaChange("v2", 1, 1, moves=(move,))) == (["price-move"] if trips else [])


def test_an_emptied_provider_and_a_new_host_are_named():
    trips = judge(SchemaChange("v2", 9, 9, emptied=("acme",), new_hosts={"evil.example": "provider:acme"}))
    assert [trip.guard for trip in trips] == ["provider-emptied", "new-host"]
    assert "acme" in trips[0].sentence
    assert trips[1].facts == {"hosts": {"evil.example": "provider:acme"}}
    assert {trip.guard for trip in trips} <= set(GUARDS)


# --- gathered from releases ----------------------------------------------------------------------------------------


def many(count: int = 20):
    return [
        made
        for n in range(count)
        for made in (
            entry(f"m{n}"),
            offering(
                f"m{n}", provider="beta" if n == 0 else "acme", entry=f"acme/m{n}", prices=[price("0.000001")]
            ),
            membership(f"offering:{'beta' if n == 0 else 'acme'}:m{n}", position=n),
        )
    ]


@pytest.fixture
def published(db) -> int:
    write(
        region(), lab(), provider(api="https://api.acme.example/v1"), provider("beta"), schema(),
        membership("provider:acme"), membership("provider:beta"), *many(),
    )  # fmt: skip
    return cut()


def cut() -> int:
    release = cut_release(now=NOW, by=ALICE)
    assert release is not None
    return release.number


def tripped(published: int, **more) -> set[tuple[str, str]]:
    trips = judge_release(release=cut(), published=published, schemas=SCHEMAS, **more)
    assert all(trip.sentence.startswith(trip.schema) for trip in trips)
    return {(trip.schema, trip.guard) for trip in trips}


def test_a_small_edit_trips_nothing(published):
    write(
        offering("m3", entry="acme/m3", prices=[price("0.000002")]),
        entry("new"),
        offering("new", entry="acme/new"),
    )
    assert tripped(published) == set()


def test_members_that_leave_shrink_their_schema_alone(published):
    write(removed(Kind.MEMBERSHIP, *(f"v2|offering:acme:m{n}" for n in (1, 2, 3))))
    assert tripped(published) == {("v2", "shrink")}


def test_a_provider_without_members_is_emptied_wherever_it_was_listed(published):
    write(removed(Kind.MEMBERSHIP, "v2|offering:beta:m0"), removed(Kind.OFFERING, "beta:m0"))
    assert tripped(published) == {
        ("v2", "provider-emptied"),
        ("v1", "provider-emptied"),
        ("litellm", "provider-emptied"),
        ("almanac/v1", "provider-emptied"),
    }


def test_a_shared_price_that_moves_far_trips_every_schema_that_states_it(published):
    write(offering("m3", entry="acme/m3", prices=[price("0.0000051")]))
    found = tripped(published)
    assert {(name, "price-move") for name in ("v1", "v2", "litellm", "almanac/v1")} <= found
    assert {guard for _, guard in found} == {"price-move"}


def test_a_price_of_what_a_schema_leaves_out_does_not_trip_it(published):
    write(offering("m3", entry="acme/m3", prices=[price("0.0000051")]))
    assert ("openai", "price-move") not in tripped(published)


def test_a_price_that_one_schema_states_itself_trips_that_schema(published):
    write(membership("offering:acme:m3", position=3, native={"set": {"input_price": "99"}}))
    assert tripped(published) == {("v2", "price-move")}


def test_many_changed_members_trip(published):
    write(
        *(
            membership(f"offering:acme:m{n}", position=n, native={"set": {"supports_vision": "true"}})
            for n in range(1, 8)
        )
    )
    assert tripped(published) == {("v2", "mass-change")}


def test_a_change_that_no_document_shows_touches_nothing(published):
    write(provider(api="https://api.acme.example/v1", notes="Ask them for credits."))
    assert tripped(published) == set()


def test_requests_to_a_host_that_was_nowhere_trip(published):
    write(provider(api="https://api.evil.example/v1"))
    assert tripped(published) == {("almanac/v1", "new-host")}


def test_a_host_with_a_user_name_before_it_is_seen_through(published):
    write(
        membership(
            "offering:acme:m3",
            position=3,
            native={"set": {"patch": '{"url": "https://api.acme.example@evil.example/"}'}},
        )
    )
    trips = judge_release(release=cut(), published=published, schemas=SCHEMAS)
    assert [(trip.guard, list(trip.facts["hosts"])) for trip in trips] == [("new-host", ["evil.example"])]


def test_a_new_host_at_the_head_of_a_block_or_deep_in_a_model_trips(published):
    write(schema("models.dev"), membership("provider:acme", schema="models.dev"), *many_of("models.dev"))
    second = cut()
    write(
        membership("provider:acme", schema="models.dev", native={"set": {"api": '"https://one.example/v1"'}}),
        membership(
            "offering:acme:m3",
            schema="models.dev",
            position=3,
            block=10,
            native={
                "set": {"provider": '{"api":"https://two.example/v1"}', "doc": '"https://three.example"'}
            },
        ),
    )
    trips = judge_release(release=cut(), published=second, schemas=SCHEMAS)
    assert [(trip.schema, trip.guard, set(trip.facts["hosts"])) for trip in trips] == [
        ("models.dev", "new-host", {"one.example", "two.example"})
    ]


def many_of(name: str):
    return [membership(f"offering:acme:m{n}", schema=name, position=n, block=10) for n in range(1, 10)]


def test_a_known_host_at_another_member_is_no_new_host(published):
    url = {"patch": '{"url": "https://other.example/"}'}
    write(membership("offering:acme:m3", position=3, native={"set": url}))
    second = cut()
    write(membership("offering:acme:m4", position=4, native={"set": url}))
    assert tripped(second) == set()


def test_a_schemas_first_publication_trips_nothing(published):
    write(*(membership(f"offering:acme:m{n}", schema="v1", position=n) for n in range(1, 3)), schema("v1"))
    assert tripped(published, known={"v2", "litellm", "almanac/v1"}) == set()


def test_a_schema_that_becomes_explicit_is_compared_with_what_it_listed(published):
    write(*(membership(f"offering:acme:m{n}", schema="v1", position=n) for n in range(1, 3)), schema("v1"))
    assert tripped(published) == {("v1", "shrink"), ("v1", "provider-emptied"), ("v1", "mass-change")}


def test_the_same_state_trips_nothing(published):
    write(lab(name="Other"))
    cut()
    restore_release(release=published, by=ALICE, now=NOW)
    assert tripped(published) == set()
