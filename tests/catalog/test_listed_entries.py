"""Documents that list models themselves: kept line by line, edited, guarded, like those that list offerings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.reading import LiveState, ReleaseState
from catalog.records import Kind
from catalog.rendering import render_view
from catalog.schemas.registry import SCHEMAS
from catalog.services.documents import render_release
from catalog.services.editing import edit_record
from catalog.services.guarding import judge_release
from catalog.services.releases import cut_release
from tests.factories import ALICE, NOW, entry, lab, membership, region, removed, schema, write

pytestmark = pytest.mark.django_db

SHA = "a" * 64


def file(name: str, **more: Any) -> dict[str, Any]:
    url = f"https://acme.example/{name}"
    return {"name": name, "url": url, "size_bytes": 10, "sha256": SHA, "format": "gguf", **more}


def zeta(*files: dict[str, Any], **more: Any):
    return entry(artifacts=list(files), **more)


def publish() -> int:
    release = cut_release(now=NOW, by=ALICE)
    assert release is not None
    return release.number


def listed(release: int) -> list[dict[str, Any]]:
    """The objects of the document, kept line by line, which must be the one that is rendered whole."""
    (document,) = (one for one in render_release(release=release, schemas=SCHEMAS) if one.schema == "gpt4all")
    assert document.data == render_view(SCHEMAS["gpt4all"], ReleaseState(release), SCHEMAS).data
    objects: list[dict[str, Any]] = json.loads(document.data)
    return objects


def two_files_of_one_model() -> list[Any]:
    return [
        region(), lab(), zeta(file("small.gguf"), file("large.gguf")), schema("gpt4all"),
        membership("entry:acme/zeta", schema="gpt4all", position=1, native={"file": "small.gguf"}),
        membership(
            "entry:acme/zeta#2", schema="gpt4all", position=2,
            native={"file": "large.gguf", "set": {"filesize": '"11"', "type": '"Zeta"'}},
        ),
    ]  # fmt: skip


def test_automatic_membership_lists_a_model_as_soon_as_it_has_a_file():
    write(region(), lab(), zeta())
    assert listed(publish()) == []
    write(zeta(file("small.gguf")))
    assert [one["filename"] for one in listed(publish())] == ["small.gguf"]
    write(lab(name="Other"))
    assert len(listed(publish())) == 1


def test_every_file_of_a_model_follows_when_the_model_is_edited():
    write(*two_files_of_one_model())
    assert [(one["filename"], one["filesize"]) for one in listed(publish())] == [
        ("small.gguf", "10"), ("large.gguf", "11"),
    ]  # fmt: skip
    write(zeta(file("small.gguf"), file("large.gguf"), name="Renamed"))
    assert [one["name"] for one in listed(publish())] == ["Renamed", "Renamed"]


def test_an_edit_of_a_file_clears_what_a_document_said_instead_and_leaves_its_extras():
    write(*two_files_of_one_model())
    publish()
    _, after = zeta(file("small.gguf"), file("large.gguf", size_bytes=12))
    edit = edit_record(kind=Kind.ENTRY, key="acme/zeta", after=after, by=ALICE, now=NOW)
    assert edit is not None
    assert [(one.schema, one.subject, one.field) for one in edit.cleared] == [
        ("gpt4all", "entry:acme/zeta#2", "filesize")
    ]
    large = listed(publish())[1]
    assert (large["filesize"], large["type"]) == ("12", "Zeta")


def test_guards_count_the_models_that_a_document_lists():
    many = [entry(f"m{n}", artifacts=[file(f"m{n}.gguf")]) for n in range(10)]
    bare = [entry(f"b{n}") for n in range(10)]
    write(region(), lab(), *many, *bare)
    published = publish()
    write(*(entry(f"m{n}", artifacts=[]) for n in range(4)))
    trips = judge_release(release=publish(), published=published, schemas=SCHEMAS)
    assert ("gpt4all", "mass-change") not in {(trip.schema, trip.guard) for trip in trips}
    write(removed(Kind.ENTRY, *(f"acme/b{n}" for n in range(10))))
    trips = judge_release(release=publish(), published=published, schemas=SCHEMAS)
    assert ("gpt4all", "shrink") in {(trip.schema, trip.guard) for trip in trips}


def test_a_membership_and_its_entry_are_one_row_with_a_reference():
    from catalog.models import Membership

    write(*two_files_of_one_model())
    rows = Membership.objects.filter(schema__name="gpt4all").order_by("position")
    assert [row.entry.key for row in rows if row.entry] == ["acme/zeta", "acme/zeta"]
    assert LiveState().get(Kind.MEMBERSHIP, "gpt4all|entry:acme/zeta#2") is not None
