"""The cast of the admin's tests: Alice operates, Bob is staff without rights; one of everything to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from almanac.stores import FileStore
from catalog.records import Kind
from mirrors.models import Publication
from mirrors.services import leasing, publishing
from mirrors.services.catalog_source import CatalogSource
from mirrors.services.means import Means
from tests.factories import (
    Made,
    adjustment,
    entry,
    experiment,
    featured,
    membership,
    offering,
    price,
    schema,
    small_catalog,
    trial,
)
from tests.mirrors.cast import House

PASSWORD = "a password of the tests"


def add_operator(name: str = "alice") -> User:
    return User.objects.create_superuser(name, password=PASSWORD)


def add_bystander(name: str = "bob") -> User:
    """May sign in, and nothing else."""
    return User.objects.create_user(name, password=PASSWORD, is_staff=True)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def full_catalog() -> list[Made]:
    """The small catalog with one of each other kind, and an entry that states everything."""
    whole = entry(
        "omega",
        name="Omega 7B",
        description="Knows everything.",
        modalities={"input": ["text", "image"], "output": ["text"]},
        limits={"context_tokens": 128_000, "max_output_tokens": 8_192},
        capabilities={"tools": True, "vision": False},
        released="2025-05",
        licence="Apache-2.0",
        open_weights=True,
        links={"model card": "https://acme.example/omega"},
        sources=["https://acme.example/facts"],
        aliases=["omega-latest", "om"],
        artifacts=[
            {
                "name": "omega.Q4.gguf",
                "url": "https://acme.example/omega.Q4.gguf",
                "size_bytes": 4_000_000_000,
            }
        ],
    )
    spelt = price("0.000003", spelling="3e-06/token")
    catalog = small_catalog()
    return [
        *catalog,
        whole,
        offering("omega", entry="acme/omega", prices=[spelt, price("0.00001", meter="output")]),
        schema("litellm", membership="automatic"),
        membership("opaque:sample_spec", schema="litellm", native={"set": {"mode": '"chat"'}}),
        adjustment("offering:acme:zeta", set={"input_price": "2"}, drop=["output_price"], reason="a test"),
        featured("start", "entry:acme/omega", "offering:acme:zeta"),
        trial(),
        experiment(),
    ]


def posted(response: Any) -> dict[str, str]:
    """What a browser would send if nothing were typed into the page's form, rows included."""
    data: dict[str, Any] = {"_seen": response.context["seen"]}
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        data.update(_fields(inline.formset.management_form))
        forms += inline.formset.forms
    for form in forms:
        data.update(_fields(form))
    return data


def _fields(form: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        widget = bound.field.widget
        if hasattr(widget, "widgets"):
            parts = widget.decompress(value) if not isinstance(value, list) else value
            for index, part in enumerate(parts):
                found[f"{bound.html_name}_{index}"] = "" if part is None else str(part)
        elif bound.field.__class__.__name__ == "NullBooleanField":
            found[bound.html_name] = {True: "true", False: "false"}.get(value, "unknown")
        elif isinstance(value, bool):
            if value:
                found[bound.html_name] = "on"
        elif isinstance(value, list):
            found[bound.html_name] = value
        elif value is None and hasattr(bound.field, "choices"):
            continue
        else:
            found[bound.html_name] = "" if value is None else str(value)
    return found


KINDS_WITH_PAGES = {
    Kind.REGION: "region",
    Kind.LAB: "lab",
    Kind.PROVIDER: "provider",
    Kind.ENTRY: "modelentry",
    Kind.OFFERING: "offering",
    Kind.SCHEMA: "schema",
    Kind.MEMBERSHIP: "membership",
    Kind.ADJUSTMENT: "adjustment",
    Kind.FEATURED: "featuredlist",
    Kind.TRIAL: "trial",
    Kind.EXPERIMENT: "experiment",
}


def means_in(folder: Path) -> Means:
    """A worker's: keys in memory, a store in a folder."""
    keys = House()
    return Means(
        stores={"file:first": FileStore(folder / "store")},
        catalog=CatalogSource(),
        open_keys=lambda: keys,
        base_url="http://127.0.0.1:8000",
        staging=folder / "staging",
    )


def publish_something(folder: Path, **asked: str) -> Publication:
    return publishing.publish(means_in(folder), by="alice", wait_s=0, **asked)


def let_the_worker_work(folder: Path) -> None:
    """What the worker does with what was asked for; a guard that stops it leaves its reasons in the row."""
    means = means_in(folder)
    with leasing.held(leasing.PUBLISHER, clock=means.clock, wait_s=0) as hold:
        publishing.publish_queued(means, hold)


ALL_THE_SAME = {"override": "mass-change", "reason": "three records are soon more than thirty percent"}
