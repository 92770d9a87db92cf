"""A list asks the database as often for many rows as for few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Offering, Price
from catalog.records import Kind
from tests.catalog.admin.test_saving import address
from tests.factories import entry, featured, membership, offering, price, trial, write

LISTS = {
    "/admin/": 25,
    "/admin/catalog/modelentry/": 12,
    "/admin/catalog/modelentry/?q=zeta": 12,
    "/admin/catalog/offering/": 12,
    "/admin/catalog/offering/?q=zeta&stage__exact=current": 12,
    "/admin/catalog/provider/": 10,
    "/admin/catalog/lab/": 10,
    "/admin/catalog/membership/": 10,
    "/admin/catalog/schema/": 10,
    "/admin/catalog/featuredlist/": 10,
    "/admin/catalog/trial/": 10,
    "/admin/catalog/experiment/": 10,
    "/admin/catalog/region/": 10,
    "/admin/catalog/changerequest/": 12,
    "/admin/catalog/release/": 10,
    "/admin/catalog/auditevent/": 10,
    "/admin/mirrors/publication/": 10,
    "/admin/publish/": 15,
    "/admin/autocomplete/?app_label=catalog&model_name=offering&field_name=entry&term=zeta": 8,
}


@contextmanager
def counted() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as context:
        yield context


def many(count: int) -> None:
    names = [f"zeta-{number:04}" for number in range(count)]
    entries = [entry(name) for name in names]
    offerings = [
        offering(name, entry=f"acme/{name}", prices=[price(), price("0.2", meter="output")]) for name in names
    ]
    members = [
        membership(f"offering:acme:{name}", position=100 + place, native={"set": {"x": "1"}})
        for place, name in enumerate(names)
    ]
    lists = [featured(f"list-{name}", f"entry:acme/{name}") for name in names[:10]]
    trials = [trial(f"trial-{name}", subject=f"entry:acme/{name}") for name in names[:10]]
    write(*entries, *offerings, *members, *lists, *trials)


@pytest.mark.parametrize("address", LISTS)
def test_a_page_asks_as_often_for_many_rows_as_for_few(alice: Client, address: str) -> None:
    many(3)
    alice.get(address)
    with counted() as few:
        assert alice.get(address).status_code == 200
    many(45)
    with counted() as much:
        assert alice.get(address).status_code == 200
    assert len(much) <= len(few) + 1, [query["sql"][:200] for query in much.captured_queries]
    assert len(much) <= LISTS[address]


def test_the_form_of_a_model_asks_as_often_with_many_offerings(alice: Client) -> None:
    form = "/admin/catalog/offering/" + str(Offering.objects.first().pk) + "/change/"  # type: ignore[union-attr]
    with counted() as few:
        alice.get(form)
    many(40)
    with counted() as much:
        alice.get(form)
    assert len(much) <= len(few)
    assert Price.objects.count() > 80
    with counted() as entry_form:
        alice.get(address(Kind.ENTRY, "acme/omega"))
    assert len(entry_form) < 15
