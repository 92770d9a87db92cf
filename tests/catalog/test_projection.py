"""Rows are the records, spread out: whatever is projected reads back as it was."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from catalog.models import ModelEntry, Offering, RecordVersion
from catalog.projection import PROJECTIONS, record_of
from catalog.reading import LiveState, loaded
from catalog.records import CAPABILITIES, METERS, MODALITIES, MODES, STAGES, UNITS, Kind, canonical
from catalog.shape import tidy
from catalog.spelling import plain_decimal
from catalog.validity import problems_of
from tests.factories import (
    adjustment,
    entry,
    experiment,
    featured,
    lab,
    membership,
    offering,
    price,
    provider,
    removed,
    schema,
    small_catalog,
    trial,
    write,
)


def read_back() -> dict[tuple[str, str], str]:
    return {
        (kind.value, getattr(row, projection.key)): canonical(record_of(row))
        for kind, projection in PROJECTIONS.items()
        for row in projection.model.objects.select_related(*projection.joined).prefetch_related(
            *(group.field for group in projection.children)
        )
    }


def live() -> dict[tuple[str, str], str]:
    rows = RecordVersion.objects.filter(live=True).values_list("kind", "key", "data")
    return {(kind, key): data for kind, key, data in rows}


@pytest.mark.django_db
def test_every_kind_reads_back_from_its_rows_as_it_was_written():
    write(
        *small_catalog(),
        lab("zed", url="https://zed.example/"),
        provider(
            "full",
            api="https://api.example/v1",
            env=["KEY"],
            docs="https://d.example/",
            names={"aichat": "claude"},
            notes="One.\nTwo.",
        ),
        entry(
            "full",
            description="A model.",
            modalities={"input": ["text", "image"], "output": ["text"]},
            limits={"context_tokens": 128000, "max_output_tokens": 1},
            capabilities={"tools": True, "vision": False},
            released="2025-05",
            knowledge_cutoff="2024",
            deprecated="2026-01-31",
            retired="2027",
            licence="Apache-2.0",
            open_weights=False,
            links={"page": "https://page.example/"},
            sources=["b", "a"],
            aliases=["zwei", "eins"],
            artifacts=[
                {
                    "name": "b.gguf",
                    "url": "https://h/b",
                    "size_bytes": 2**40,
                    "sha256": "0" * 64,
                    "hardware_tier": "laptop",
                },
                {
                    "name": "a.gguf",
                    "url": "https://h/a",
                    "format": "gguf",
                    "quantization": "Q4",
                    "ram_bytes": 1,
                },
            ],
        ),
        offering(
            "workers-ai/@cf/A:b~c",
            entry="acme/full",
            limits={"max_input_tokens": 5},
            capabilities={"streaming": True},
            prices=[
                price(
                    "0.000000100000000000000015", modality="audio", spelling="1.00000000000000015e-07/token"
                ),
                price(
                    "0",
                    above_tokens=128000,
                    service_tier="batch",
                    cache_ttl="1h",
                    currency="EUR",
                    unit="image",
                ),
            ],
            availability={"only": ["eu"], "never": ["global"], "note": "Ask."},
            endpoint={"wire": "responses"},
        ),
        (Kind.OFFERING, {**offering("zeta")[1], "ordinal": 2}),
        schema(
            "litellm",
            status="deprecated",
            deprecated="2026-11-20",
            sunset="2027-06-30",
            successor="models.dev",
            clients={"litellm": ">=1.50 <2"},
            complete_list=True,
            document={"key": "type", "n": [1]},
        ),
        membership(
            "opaque:sample_spec", schema="litellm", block=0, native={"set": {"x": "1e-06", "y": "null"}}
        ),
        membership("entry:acme/full", schema="litellm"),
        membership("provider:full#2"),
        adjustment("entry:acme/full", hidden=True, reason="not yet"),
        adjustment("offering:acme:zeta", set={"x": "[1]"}, drop=["y"]),
        adjustment(
            "provider:full#2",
            held={"release": 3, "native": {"set": {"z": "1"}, "order": ["z"], "whole": True}},
        ),
        featured("start", "offering:acme:zeta", "entry:acme/full", starts="2026-01-01T00:00:00Z"),
        trial(starts="2026-01-01T00:00:00Z", audience={"client": ">=1"}),
        experiment(audience={"region": ["eu"]}),
    )
    assert read_back() == live()
    assert len(read_back()) == 27


@pytest.mark.django_db
def test_changed_and_removed_records_change_and_remove_their_rows():
    write(*small_catalog(), entry("full", aliases=["a", "b"]))
    write(
        entry("full", aliases=["b"], name="Fuller"), offering("eta", entry="acme/full", prices=[price("1")])
    )
    assert read_back() == live()
    assert ModelEntry.objects.get(key="acme/full").search_text == "acme/full fuller b"
    write(removed(Kind.MEMBERSHIP, "v2|offering:acme:eta"), removed(Kind.OFFERING, "acme:eta"))
    assert read_back() == live()
    assert not Offering.objects.filter(key="acme:eta").exists()


@pytest.mark.django_db
def test_an_accent_or_a_capital_does_not_hide_an_entry_from_the_search():
    write(*small_catalog(), entry("naive", name="Na\u00efve \u2163", aliases=["GPT-X"]))
    assert ModelEntry.objects.get(search_text__contains="naive iv gpt-x").key == "acme/naive"


slugs = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12)
limits = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(1, 2**53 - 1)
        for name in ("context_tokens", "max_input_tokens", "max_output_tokens")
    },
)
capabilities = st.dictionaries(st.sampled_from(CAPABILITIES), st.booleans(), max_size=4)
modalities = st.fixed_dictionaries(
    {side: st.lists(st.sampled_from(MODALITIES), max_size=3) for side in ("input", "output")}
)
dates = st.sampled_from(["", "2025", "2025-05", "2025-05-31"])
amounts = st.decimals(min_value=0, max_value=10**6, allow_nan=False, places=18).map(
    lambda n: plain_decimal(str(n))
)
facts = {"limits": limits, "capabilities": capabilities, "modalities": modalities}
entries = st.fixed_dictionaries(
    {
        "lab": st.just("acme"),
        "slug": slugs,
        "name": texts.filter(bool),
        "mode": st.sampled_from(MODES),
        "stage": st.sampled_from(STAGES),
    },
    optional={
        **facts,
        "description": texts,
        "released": dates,
        "retired": dates,
        "licence": texts,
        "open_weights": st.booleans(),
        "sources": st.lists(texts, max_size=3),
        "aliases": st.lists(texts.filter(bool), unique=True, max_size=4),
    },
)
prices = st.lists(
    st.fixed_dictionaries(
        {
            "meter": st.sampled_from(METERS),
            "unit": st.sampled_from(UNITS),
            "amount": amounts,
            "currency": st.just("USD"),
        },
        optional={
            "modality": st.sampled_from(MODALITIES),
            "above_tokens": st.integers(1, 10**6),
            "service_tier": st.sampled_from(["", "batch"]),
            "spelling": texts,
        },
    ),
    max_size=4,
    unique_by=lambda p: tuple(
        p.get(n, "") for n in ("meter", "unit", "modality", "above_tokens", "service_tier")
    ),
)
offerings = st.fixed_dictionaries(
    {
        "provider": st.just("acme"),
        "native_id": st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12),
        "ordinal": st.integers(1, 3),
        "entry": st.just("acme/zeta"),
        "stage": st.sampled_from(STAGES),
    },
    optional={
        **facts,
        "prices": prices,
        "endpoint": st.dictionaries(texts, texts, max_size=2),
        "availability": st.fixed_dictionaries({}, optional={"only": st.just(["eu"]), "note": texts}),
    },
)


class AnyRecord(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(entries, max_size=4), st.lists(offerings, max_size=4))
    def test_any_sound_record_reads_back_as_it_was_written(self, made_entries, made_offerings):
        write(*small_catalog())
        made = [(Kind.ENTRY, record) for record in made_entries] + [
            (Kind.OFFERING, record) for record in made_offerings
        ]
        for kind, record in made:
            tidied = tidy(kind, record)
            assert tidy(kind, tidied) == tidied
            assert not problems_of(kind, "", tidied)[1:]
        write(*made)
        assert read_back() == live()
        for row in RecordVersion.objects.filter(live=True):
            assert LiveState().get(Kind(row.kind), row.key) == loaded(row.data)
