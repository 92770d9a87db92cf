"""What is kept line by line equals what is rendered whole, whatever happened in between."""

from __future__ import annotations

import hashlib

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from almanac.errors import LocalStateError
from catalog.errors import ChangeError
from catalog.members import ancestry, is_available
from catalog.models import DocumentLine, DocumentSegment, DocumentState
from catalog.reading import LiveState, MemoryState, ReleaseState
from catalog.records import Kind, canonical, digest
from catalog.rendering import render_view
from catalog.schemas.base import Line
from catalog.schemas.registry import SCHEMAS
from catalog.services import lines, segments
from catalog.services.documents import RenderedDocument, render_release
from catalog.services.releases import cut_release, withdraw_release
from tests.factories import (
    ALICE,
    NOW,
    entry,
    experiment,
    featured,
    lab,
    membership,
    offering,
    price,
    provider,
    region,
    removed,
    schema,
    small_catalog,
    trial,
    write,
)

pytestmark = pytest.mark.django_db


def publish() -> dict[tuple[str, str], RenderedDocument]:
    release = cut_release(now=NOW, by=ALICE)
    assert release is not None
    return {
        (document.schema, document.region): document
        for document in render_release(release=release.number, schemas=SCHEMAS)
    }


def assert_equals_the_whole_rendering(documents, release: int) -> None:
    state = ReleaseState(release)
    for (name, region_code), document in documents.items():
        whole = render_view(SCHEMAS[name], state, SCHEMAS, region=region_code)
        assert document.data == whole.data, (name, region_code)
        assert document.sha256 == hashlib.sha256(whole.data).hexdigest()
        assert (document.length, document.members) == (len(whole.data), len(whole.lines))
        assert document.omissions == whole.omissions
        assert told(document.findings) == told(found_in(SCHEMAS[name], whole.lines))


def told(findings) -> list[tuple[str, ...]]:
    return sorted(tuple(finding) for finding in findings)


def found_in(schema, lines) -> list:
    return [finding for line in lines for finding in schema.gate_line(line)] + schema.gate_lines(lines)


def test_every_schema_and_enabled_region_has_a_document():
    write(*small_catalog(), region("us", parent="global", enabled=False))
    documents = publish()
    assert set(documents) == {(name, code) for name in SCHEMAS for code in ("global", "eu")}
    assert documents["v2", "eu"].path == "regions/eu/catalog/v2/models.yaml"
    assert documents["litellm", "global"].path == "catalog/litellm/model_prices_and_context_window.json"
    assert b"zeta" in documents["v2", "global"].data
    assert_equals_the_whole_rendering(documents, 1)


def test_a_region_without_differences_has_its_parents_bytes():
    write(*small_catalog())
    documents = publish()
    for name in SCHEMAS:
        assert documents[name, "eu"].data == documents[name, "global"].data
    assert DocumentLine.objects.filter(schema="v2").count() == 3


def test_what_is_not_offered_in_a_region_is_not_in_its_documents():
    write(
        *small_catalog(),
        region("us", parent="global"),
        offering("eta", entry="acme/eta", availability={"only": ["eu"]}),
    )
    documents = publish()
    assert b"eta" in documents["v2", "eu"].data
    assert b"name: eta" not in documents["v2", "us"].data
    assert b"name: eta" in documents["v2", "global"].data
    assert b'"eta"' in documents["almanac/v1", "us"].data
    assert [tuple(left) for left in documents["v2", "us"].omissions] == [
        ("offering:acme:eta", "it is not offered in the region us", "")
    ]
    assert_equals_the_whole_rendering(documents, 1)


@pytest.mark.parametrize(
    ("availability", "code", "offered"),
    [
        ({}, "de", True),
        ({"only": ["eu"]}, "de", True),
        ({"only": ["eu"]}, "us", False),
        ({"only": ["eu"]}, "global", True),
        ({"never": ["eu"]}, "de", False),
        ({"never": ["eu"]}, "us", True),
        ({"never": ["global"]}, "de", False),
        ({"only": ["eu"], "never": ["de"]}, "de", False),
        ({"only": ["eu"], "never": ["de"]}, "fr", True),
        ({"only": ["de"], "never": ["eu"]}, "de", True),
        ({"only": ["de"], "never": ["eu"]}, "fr", False),
        ({"only": ["de"], "never": ["de"]}, "de", False),
    ],
)
def test_the_nearest_region_that_is_named_decides(availability, code, offered):
    parents = {
        "global": {},
        "eu": {"parent": "global"},
        "us": {"parent": "global"},
        "de": {"parent": "eu"},
        "fr": {"parent": "eu"},
    }
    assert is_available(availability, ancestry(code, parents)) is offered


def test_an_unchanged_view_says_so_and_reads_no_lines(django_assert_num_queries):
    write(*small_catalog())
    assert all(document.changed for document in publish().values())
    write(membership("offering:acme:eta", position=5))
    documents = publish()
    assert {key for key, document in documents.items() if document.changed} == {
        ("v2", "global"),
        ("v2", "eu"),
    }
    with django_assert_num_queries(2):
        assert documents["litellm", "global"].data
    assert_equals_the_whole_rendering(documents, 2)


def test_one_changed_record_renders_one_line(monkeypatch):
    many = [made for n in range(50) for made in (entry(f"m{n}"), offering(f"m{n}", entry=f"acme/m{n}"))]
    write(*small_catalog(), *many, schema("litellm", membership="automatic"))
    publish()
    before = dict(DocumentLine.objects.values_list("id", "text"))
    write(offering("m7", entry="acme/m7", prices=[price("0.001")]))
    documents = publish()
    after = dict(DocumentLine.objects.values_list("id", "text"))
    assert len({pk for pk in before if after[pk] != before[pk]}) == 3
    assert_equals_the_whole_rendering(documents, 2)


def test_other_code_makes_all_lines_anew():
    write(*small_catalog())
    publish()
    DocumentLine.objects.filter(schema="v2", key="offering:acme:zeta").update(text="    - name: stale\n")
    DocumentState.objects.update(renderer="of an older version")
    write(lab(name="Other"))
    assert_equals_the_whole_rendering(publish(), 2)
    assert len(lines.renderer_fingerprint()) == 64


def test_a_retired_schema_has_no_document():
    write(*small_catalog(), schema("litellm", membership="automatic", status="retired"))
    assert {name for name, _ in publish()} == set(SCHEMAS) - {"litellm"}


def test_a_disabled_region_loses_its_documents_and_gets_them_back():
    write(*small_catalog())
    publish()
    write(region("eu", parent="global", enabled=False))
    assert {code for _, code in publish()} == {"global"}
    write(region("eu", parent="global"))
    documents = publish()
    assert {code for _, code in documents} == {"global", "eu"}
    assert_equals_the_whole_rendering(documents, 3)


def test_a_region_that_moves_to_another_parent_has_what_is_offered_there():
    write(
        *small_catalog(),
        region("ch", parent="global"),
        offering("eta", entry="acme/eta", availability={"never": ["eu"]}),
    )
    assert b"name: eta" in publish()["v2", "ch"].data
    write(region("ch", parent="eu"))
    documents = publish()
    assert b"name: eta" not in documents["v2", "ch"].data
    assert_equals_the_whole_rendering(documents, 2)


def test_the_same_records_give_the_same_bytes_in_memory_and_in_the_database():
    write(*small_catalog())
    documents = publish()
    memory = MemoryState(small_catalog())
    for name, one in SCHEMAS.items():
        assert documents[name, "global"].data == render_view(one, memory, SCHEMAS).data
    assert canonical(dict(LiveState().all(Kind.LAB))) == canonical(dict(memory.all(Kind.LAB)))


SETS = [
    lab(name="Other"),
    lab("zed"),
    provider(name="Other", names={"aichat": "acme-ai", "litellm": "acme_ai"}),
    provider("beta"),
    entry(mode="embedding"),
    entry(limits={"max_input_tokens": 5}, capabilities={"vision": True}),
    entry("theta", lab="zed"),
    entry("theta", lab="acme"),
    offering(prices=[price("0.5")], limits={"context_tokens": 9}),
    offering("a", entry="acme/eta"),
    offering("B:x/\u007e", provider="beta", entry="acme/eta"),
    offering("a", entry="acme/eta", availability={"never": ["eu"]}),
    offering("eta", entry="acme/eta", availability={"only": ["eu"]}),
    offering("eta", entry="acme/zeta"),
    schema(document={"block_key": "type"}),
    schema("v1", membership="automatic"),
    schema("v1", document={"block_key": "type"}),
    schema(membership="automatic"),
    schema("litellm"),
    membership("offering:acme:eta", position=1, native={"set": {"real_name": '"x"'}}),
    membership("offering:acme:a", position=15, block=0),
    membership("provider:acme#2", position=12, native={"set": {"docs": '"z"'}}),
    membership("offering:acme:zeta", schema="litellm", native={"set": {"source": '"y"'}}),
    membership("opaque:sample_spec", schema="litellm", native={"set": {"mode": '"z"'}}),
    region("eu", parent="global", name="Europe"),
    region("eu", parent="global", enabled=False),
    region("us", parent="eu"),
    featured("start", "entry:acme/zeta"),
    trial(),
    experiment(status="running"),
    experiment(),
]
REMOVALS = [
    (Kind.MEMBERSHIP, "v2|offering:acme:eta"),
    (Kind.MEMBERSHIP, "v2|offering:acme:a"),
    (Kind.MEMBERSHIP, "litellm|opaque:sample_spec"),
    (Kind.OFFERING, "acme:a"),
    (Kind.OFFERING, "beta:B:x/\u007e"),
    (Kind.PROVIDER, "beta"),
    (Kind.ENTRY, "zed/theta"),
    (Kind.LAB, "zed"),
    (Kind.REGION, "us"),
    (Kind.TRIAL, "early"),
    (Kind.EXPERIMENT, "order"),
]


class AnyHistory(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.tuples(
                st.lists(st.one_of(st.sampled_from(SETS), st.sampled_from(REMOVALS)), min_size=1, max_size=5),
                st.booleans(),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_documents_kept_line_by_line_equal_documents_rendered_whole(self, rounds):
        write(*small_catalog())
        release = cut_release(now=NOW, by=ALICE)
        render_release(release=release.number, schemas=SCHEMAS, segment_lines=2)
        for edits, is_taken_back in rounds:
            for edit in edits:
                try:
                    write(edit if isinstance(edit[1], dict) else removed(*edit))
                except ChangeError:
                    continue  # it refers to what an earlier edit took away
            release = cut_release(now=NOW, by=ALICE)
            if release is not None:
                found = render_release(release=release.number, schemas=SCHEMAS, segment_lines=2)
                views = {(document.schema, document.region): document for document in found}
                assert_equals_the_whole_rendering(views, release.number)
                if is_taken_back:
                    withdraw_release(release=release.number, by=ALICE, now=NOW)


def test_every_database_gives_these_bytes():
    """One digest for all: whatever the database, the hash seed and the order of writing."""
    special = [
        offering(name, entry="acme/eta")
        for name in ("Z", "a", "_x", "-y", "B b", "0", "\u007e", "aa", "a/b", "a.b")
    ]
    write(*small_catalog(), *special)
    documents = publish()
    joined = b"".join(documents[key].data for key in sorted(documents))
    assert digest(joined.decode()) == digest(
        "".join(
            render_view(
                SCHEMAS[name], MemoryState([*reversed(special), *small_catalog()]), SCHEMAS, region=code
            ).data.decode()
            for name, code in sorted(documents)
        )
    )


@pytest.mark.parametrize("text", ["plain", 'with "quotes"\nand lines', "a\x1eb", "a\x1fb", "", "[", "\x1e"])
def test_a_segment_gives_back_its_lines_whatever_they_hold(text: str) -> None:
    pieces = [Line("0", "offering:a", text, "tail"), Line("1", "offering:" + text, "other")]
    assert list(segments._read(segments._written(pieces))) == pieces
    assert list(segments._read(segments._written([]))) == []


def test_lines_that_somebody_wrote_to_are_noticed_before_they_are_published() -> None:
    write(*small_catalog())
    first = publish()
    release = ReleaseState(1).number
    DocumentSegment.objects.filter(schema="v2").update(pieces=segments._written([Line("a", "b", "- c\n")]))
    again = {
        (document.schema, document.region): document
        for document in render_release(release=release, schemas=SCHEMAS)
    }
    assert again["v2", "global"].sha256 == first["v2", "global"].sha256
    with pytest.raises(LocalStateError, match="do not give the document that they gave before"):
        again["v2", "global"].data  # noqa: B018


def test_what_changed_is_asked_once_and_unchanged_views_are_brought_forward_together() -> None:
    write(*small_catalog())
    publish()
    write(membership("offering:acme:eta", position=5))
    release = cut_release(now=NOW, by=ALICE)
    assert release is not None
    with CaptureQueriesContext(connection) as asked:
        render_release(release=release.number, schemas=SCHEMAS)
    assert set(DocumentState.objects.values_list("release", flat=True)) == {release.number}
    statements = [query["sql"] for query in asked.captured_queries]
    since = [sql for sql in statements if "catalog_recordversion" in sql and '"since" > 1' in sql]
    updates = [sql for sql in statements if sql.startswith('UPDATE "catalog_documentstate"')]
    assert len(since) == 1
    assert len(updates) == 1 + len({("v2", "global"), ("v2", "eu")})
