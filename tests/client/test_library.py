"""``Catalog`` inside a program, and the reader of ``almanac/v1`` below it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from almanac import Catalog
from almanac.differences import differences
from almanac.document import Document, Model, Offering
from almanac.errors import (
    AlmanacError,
    LocalStateError,
    MalformedError,
    NetworkError,
    TooOldError,
    UsageError,
)

from .conftest import World
from .simulator import Answer, catalog


def of(world: World, **options: object) -> Catalog:
    return Catalog(
        world.state.folder,
        config_dir=world.state.config,
        clock=lambda: world.now,
        around=world.around,
        **options,  # type: ignore[arg-type]
    )


def test_importing_almanac_imports_nothing_heavy() -> None:
    code = (
        "import sys, almanac; almanac.Catalog;"
        "print([m for m in ('tuf', 'nacl', 'urllib3', 'click', 'securesystemslib', 'backports.zstd', 'platformdirs', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_importing_and_making_a_catalog_never_fails(tmp_path: Path) -> None:
    environment = {
        "HOME": "/nonexistent",
        "ALMANAC_STATE_DIR": "/proc/nowhere",
        "ALMANAC_OFFLINE": "nonsense",
    }
    code = "from almanac import Catalog; Catalog(); Catalog('/proc/nowhere', max_age=1, max_bytes=1)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_reading_needs_no_network(synced: World) -> None:
    synced.mirror.faults.append(lambda path, answer: Answer(503))
    held = of(synced)
    assert [model.id for model in held] == ["acme/one", "acme/two"]
    assert len(held) == 2
    assert [model.id for model in held.search("two")] == ["acme/two"]
    one = held.get("acme/one")
    assert isinstance(one, Model)
    assert one.offerings[0].price("input") == "0.0000015 USD"
    assert synced.mirror.requests == []


def test_before_the_first_sync_reading_is_a_plain_error(world: World) -> None:
    with pytest.raises(LocalStateError, match="almanac sync"):
        len(of(world))


def test_refresh_brings_the_newest_and_a_reader_sees_it(synced: World) -> None:
    held = of(synced)
    assert len(held) == 2
    synced.repository.publish(catalog=catalog("one", "two", "three"))
    assert held.refresh().catalog.how == "delta"
    assert len(held) == 3
    assert held.status().release == 2


def test_a_failed_refresh_is_raised_and_remembered_and_changes_nothing(synced: World) -> None:
    held = of(synced)
    synced.mirror.faults.append(lambda path, answer: Answer(503))
    with pytest.raises(NetworkError):
        held.refresh()
    assert isinstance(held.last_error, NetworkError)
    assert len(held) == 2


def test_an_old_catalog_is_refreshed_in_the_background_and_answered_from_meanwhile(synced: World) -> None:
    held = of(synced, max_age=timedelta(hours=6))
    synced.repository.publish(catalog=catalog("one", "two", "three"))
    assert len(held) == 2
    assert synced.mirror.requests == []
    synced.now += timedelta(hours=7)
    assert len(held) == 2
    held.wait()
    assert len(held) == 3


def test_a_refresh_in_the_background_that_fails_disturbs_no_reader(synced: World) -> None:
    held = of(synced, max_age=1)
    synced.mirror.faults.append(lambda path, answer: Answer(503))
    synced.now += timedelta(hours=7)
    assert len(held) == 2
    held.wait()
    assert len(held) == 2
    held.wait()
    assert isinstance(held.last_error, AlmanacError)


def test_old_documents_make_room_and_the_accepted_ones_never(synced: World) -> None:
    held = of(synced, max_bytes=1)
    for number in range(3):
        synced.repository.publish(catalog=catalog("one", f"n{number}"))
        held.refresh()
    accepted = synced.state.accepted()
    assert accepted is not None
    assert set(synced.state.document_sizes()) == {
        document.sha256 for document in accepted.newest.documents.values()
    }
    assert len(held) == 2


def test_many_threads_may_read_and_refresh_at_once(synced: World) -> None:
    held = of(synced, max_age=timedelta(hours=1))
    done: list[bool] = []

    def work(number: int) -> None:
        for _ in range(5):
            if number % 3 == 0:
                held.refresh()
            done.append(len(held) >= 2 and bool(held.search("one")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(9)]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 4:
            synced.repository.publish(catalog=catalog("one", "two", "three"))
    for thread in threads:
        thread.join()
    assert done == [True] * 45
    held.refresh()
    assert len(held) == 3


def test_progress_is_told(world: World) -> None:
    told: list[str] = []
    from dataclasses import replace

    held = Catalog(
        world.state.folder, config_dir=world.state.config,
        around=replace(world.around, progress=lambda address, received, total: told.append(address)),
    )  # fmt: skip
    held.refresh()
    assert any("catalog.json" in address for address in told)


# The document


def document(**form: object) -> Document:
    return Document.parse(json.dumps({"format": "almanac/v1", **form}).encode())


ENTRY = {
    "id": "acme/one",
    "lab": "acme",
    "slug": "one",
    "name": "One",
    "aliases": ["uno"],
    "description": "Small and quick.",
}
OFFERINGS = [
    {"id": "a:one-2025", "provider": "a", "native_id": "one-2025", "entry": "acme/one"},
    {"id": "b:one-2025", "provider": "b", "native_id": "one-2025", "entry": "acme/one"},
    {"id": "b:x:y/z", "provider": "b", "native_id": "x:y/z", "entry": "acme/gone"},
]


@pytest.fixture
def small() -> Document:
    return document(entries=[ENTRY], offerings=OFFERINGS)


@pytest.mark.parametrize(
    ("name", "found"),
    [("acme/one", "acme/one"), ("one", "acme/one"), ("uno", "acme/one"), ("one-2025", "acme/one"), ("b:one-2025", "b:one-2025"),
     ("x:y/z", "b:x:y/z"), ("b:x:y/z", "b:x:y/z")],
)  # fmt: skip
def test_a_model_is_found_by_any_name_that_only_it_has(small: Document, name: str, found: str) -> None:
    assert small.find(name).id == found


def test_an_offering_knows_its_parts(small: Document) -> None:
    offering = small.find("b:x:y/z")
    assert isinstance(offering, Offering)
    assert (offering.provider, offering.native_id, offering.entry) == ("b", "x:y/z", "acme/gone")


def test_search_needs_every_word_and_puts_names_first() -> None:
    entries = [{**ENTRY, "id": "a/z", "slug": "z", "name": "Z", "description": "quick one"}, ENTRY]
    found = document(entries=entries, offerings=OFFERINGS)
    assert [model.id for model in found.search("ONE")] == ["acme/one", "a/z"]
    assert [model.id for model in found.search("quick small")] == ["acme/one"]
    assert list(found.search("absent")) == []


def test_regions_lead_to_everywhere_and_circles_end() -> None:
    regions = [
        {"code": "global"},
        {"code": "eu", "parent": "global"},
        {"code": "de", "parent": "eu"},
        {"code": "a", "parent": "b"},
        {"code": "b", "parent": "a"},
    ]
    found = document(regions=regions)
    assert found.region_chain("de") == ["de", "eu", "global"]
    assert found.region_chain("a") == ["a", "b", "global"]
    with pytest.raises(UsageError):
        found.region_chain("xx")


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b'{"format":1}', b'{"format":"almanac/v1","entries":[1]}', b'{"format":"almanac/v1","offerings":[{}]}',
     b'{"format":"almanac/v1","requires":[]}', b"\xff", b"[" * 100_000, b'{"format":"almanac/v1","entries":[{"id":5}]}'],
)  # fmt: skip
def test_what_is_no_catalog_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Document.parse(data)


@pytest.mark.parametrize("form", ["almanac/v2", "almanac/v10"])
def test_a_newer_format_is_too_new(form: str) -> None:
    with pytest.raises(TooOldError):
        Document.parse(json.dumps({"format": form}).encode())


def test_differences_name_every_field_with_both_sides() -> None:
    prices = [{"meter": "input", "unit": "token", "amount": "0.1", "currency": "USD"}]
    old = document(
        entries=[ENTRY],
        offerings=[{**OFFERINGS[0], "prices": prices}],
        labs=[{"slug": "acme", "name": "Acme"}],
    )
    new = document(
        entries=[{**ENTRY, "limits": {"context_tokens": 5}, "name": "Uno"}],
        offerings=[
            {**OFFERINGS[0], "prices": [{**prices[0], "amount": "0.2"}, {**prices[0], "meter": "output"}]},
            OFFERINGS[1],
        ],
    )
    changes = {(change.how, change.key): change for change in differences(old, new)}
    assert set(changes) == {
        ("changed", "acme/one"),
        ("changed", "a:one-2025"),
        ("added", "b:one-2025"),
        ("removed", "acme"),
    }
    entry = {field.field: (field.before, field.after) for field in changes["changed", "acme/one"].fields}
    assert entry == {"name": ("One", "Uno"), "limits": (None, {"context_tokens": 5})}
    offering = {field.field: (field.before, field.after) for field in changes["changed", "a:one-2025"].fields}
    assert offering == {
        "prices.input": ("0.1 USD/token", "0.2 USD/token"),
        "prices.output": (None, "0.1 USD/token"),
    }
    assert differences(old, old) == []
