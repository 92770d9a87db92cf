"""Documents that are one list of objects, put together from segments, equal those rendered whole."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from catalog.models import DocumentSegment
from catalog.reading import ReleaseState
from catalog.records import Kind
from catalog.rendering import render_view
from catalog.schemas.registry import SCHEMAS
from catalog.services.documents import render_release
from catalog.services.releases import cut_release
from catalog.services.segments import BY_PROVIDER, JOINTS, ONE_LIST
from tests.factories import (
    ALICE,
    NOW,
    Made,
    adjustment,
    entry,
    lab,
    offering,
    price,
    provider,
    region,
    removed,
    schema,
    write,
)

LISTS = sorted(ONE_LIST | BY_PROVIDER)
LIST_SCHEMAS = {name: SCHEMAS[name] for name in LISTS}
HOST = "https://huggingface.co/acme"


def model(number: int, *, name: str = "", gone: bool = False, provider_name: str = "openai") -> list[Made]:
    """An entry with a file and an offering: something for each of the lists."""
    slug = f"m{number}"
    file = {
        "name": f"{slug}.Q4.gguf", "url": f"{HOST}/{slug}/resolve/main/{slug}.Q4.gguf", "size_bytes": 10**9 + number,
        "sha256": f"{number:064x}", "format": "gguf", "quantization": "Q4_0", "ram_bytes": 8 * 10**9,
    }  # fmt: skip
    facts = {
        "name": name or f"Model {number}", "description": "A model.", "stage": "retired" if gone else "current",
        "capabilities": {"tools": True}, "limits": {"context_tokens": 1000, "max_output_tokens": 100},
        "modalities": {"input": ["text"], "output": ["text"]}, "released": "2026-05-01", "artifacts": [file],
        "links": {"canonical": f"{HOST}/{slug}"}, "open_weights": True,
    }  # fmt: skip
    prices = [price(), price("0.000006", meter="output")]
    return [entry(slug, **facts), offering(slug, entry=f"acme/{slug}", provider=provider_name, prices=prices)]


def catalog() -> list[Made]:
    found = [
        region(),
        region("eu", parent="global"),
        lab(),
        provider("openai"),
        provider("openrouter"),
        provider("nous"),
    ]
    found += [schema(name, membership="automatic") for name in LISTS]
    for number in range(9):
        found += model(number, provider_name=("openai", "openrouter", "nous")[number % 3])
    return found


def publish() -> dict[str, int]:
    """Schema → how many members its global document has; every document equals the one rendered whole."""
    release = cut_release(now=NOW, by=ALICE)
    if release is None:
        return {}
    state = ReleaseState(release.number)
    members = {}
    for document in render_release(release=release.number, schemas=LIST_SCHEMAS, segment_lines=2):
        whole = render_view(SCHEMAS[document.schema], state, LIST_SCHEMAS, region=document.region)
        assert document.data == whole.data, document.path
        assert document.members == len(whole.lines)
        if document.region == "global":
            members[document.schema] = document.members
    return members


EDITS = st.one_of(
    st.builds(
        lambda number, name, gone, who: model(number, name=name, gone=gone, provider_name=who),
        st.integers(0, 14),
        st.sampled_from(["", "Ω", 'say "a",\nb', "~"]),
        st.booleans(),
        st.sampled_from(["openai", "openrouter", "nous"]),
    ),
    st.builds(
        lambda number, name: [adjustment(f"entry:acme/m{number}", schema=name, hidden=True)],
        st.integers(0, 8),
        st.sampled_from(LISTS),
    ),
    st.just([offering("m0", entry="acme/m0", provider="openai", availability={"never": ["eu"]})]),
)


@pytest.mark.django_db
def test_every_list_has_members_and_is_kept_in_a_few_segments():
    write(*catalog())
    members = publish()
    assert set(members) == set(LISTS)
    assert all(count >= 2 for count in members.values()), members
    assert set(LISTS) <= set(JOINTS)
    for name in LISTS:
        kept = DocumentSegment.objects.filter(schema=name)
        pieces = [piece for row in kept for piece in row.pieces.split("\x1e")[1:]]
        assert sum(row.members for row in kept) == members[name]
        assert len(pieces) < members[name] or members[name] <= 2 or name in BY_PROVIDER, name


class AnyHistory(TestCase):
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(EDITS, min_size=1, max_size=4), min_size=1, max_size=4))
    def test_lists_put_together_from_segments_equal_lists_rendered_whole(self, rounds):
        write(*catalog())
        publish()
        for edits in rounds:
            for made in edits:
                write(*made)
            publish()
        write(removed(Kind.OFFERING, "openrouter:m1"))
        publish()
