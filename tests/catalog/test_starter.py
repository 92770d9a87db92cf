"""The starter catalog says only what the shared data says, and is a whole document of its own form."""

import json
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from catalog.records import Kind, key_of
from catalog.schemas.almanac_v1 import ALMANAC_V1, public_form
from catalog.schemas.base import Line, Subject
from catalog.schemas.registry import NATIVE
from catalog.shape import tidy
from catalog.validity import problems_of, references

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "catalog" / "starter" / "starter.json"
SHARED = ROOT.parent / "shared" / "data"

needs_shared_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared data (../shared/data) is not here: facts cannot be looked up"
)

CATALOG: dict[str, Any] = json.loads(STARTER.read_text())
ENTRIES = {entry["id"]: entry for entry in CATALOG["entries"]}
PROVIDERS = {provider["slug"]: provider for provider in CATALOG["providers"]}

SECTIONS = {
    "regions": Kind.REGION,
    "labs": Kind.LAB,
    "providers": Kind.PROVIDER,
    "entries": Kind.ENTRY,
    "offerings": Kind.OFFERING,
    "featured": Kind.FEATURED,
    "trials": Kind.TRIAL,
    "experiments": Kind.EXPERIMENT,
}
MILLION = 1_000_000
LITELLM_FLAGS = {
    "tools": "supports_function_calling",
    "parallel_tools": "supports_parallel_function_calling",
    "vision": "supports_vision",
    "reasoning": "supports_reasoning",
    "structured_output": "supports_response_schema",
    "streaming": "supports_native_streaming",
    "system_prompt": "supports_system_messages",
    "prompt_caching": "supports_prompt_caching",
    "web_search": "supports_web_search",
    "computer_use": "supports_computer_use",
    "assistant_prefill": "supports_assistant_prefill",
    "audio_input": "supports_audio_input",
    "audio_output": "supports_audio_output",
    "pdf_input": "supports_pdf_input",
}


@cache
def version(history: str, file: str) -> Any:
    with tarfile.open(SHARED / f"{history}.tar.xz") as archive:
        member = archive.extractfile(f"{history}/{file}")
        assert member is not None
        return json.load(member, parse_float=Decimal, parse_int=int)


def look_up(source: str) -> tuple[str, str, dict[str, Any]]:
    """(history, pointer, the record that the source names); a KeyError or StopIteration where it names nothing."""
    head, pointer = source.split("#", 1)
    history, file = head.split(":", 1)
    document = version(history, file)
    if history == "modelsdev":
        provider, model = pointer.split("/", 1)
        return history, pointer, document[provider]["models"][model]
    if history == "litellm":
        return history, pointer, document[pointer]
    if history == "gpt4all_v3":
        return history, pointer, next(m for m in document if m["filename"] == pointer)
    assert history == "lmstudio"
    return history, pointer, next(m for m in document for f in m["files"]["all"] if f["name"] == pointer)


def sources_of_offering(offering: dict[str, Any]) -> list[str]:
    """Those of its entry's sources that are about this provider and this id."""
    names = PROVIDERS[offering["provider"]].get("names", {})
    listed = names.get("models.dev", offering["provider"])
    family = names.get("litellm", offering["provider"])
    found = []
    for source in ENTRIES[offering["entry"]]["sources"]:
        history, pointer, record = look_up(source)
        if history == "modelsdev" and pointer == f"{listed}/{offering['native_id']}":
            found.append(source)
        own = pointer in (offering["native_id"], f"{family}/{offering['native_id']}")
        if history == "litellm" and own and record["litellm_provider"].startswith(family):
            found.append(source)
    assert found, f"{offering['id']} has no source"
    return found


def subjects() -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Every entry and offering with the sources that may state its facts."""
    for entry in CATALOG["entries"]:
        yield entry, entry["sources"]
    for offering in CATALOG["offerings"]:
        yield offering, sources_of_offering(offering)


def limits_stated(source: str) -> dict[str, Any]:
    history, _, record = look_up(source)
    if history == "modelsdev":
        limit = record["limit"]
        return {
            "context_tokens": limit.get("context"),
            "max_input_tokens": limit.get("input"),
            "max_output_tokens": limit.get("output"),
        }
    return {name: record.get(name) for name in ("max_input_tokens", "max_output_tokens")}


def capabilities_stated(source: str) -> dict[str, Any]:
    history, _, record = look_up(source)
    if history == "litellm":
        return {ours: record.get(theirs) for ours, theirs in LITELLM_FLAGS.items()}
    if history != "modelsdev":
        return {}
    taken, given = record["modalities"]["input"], record["modalities"]["output"]
    return {
        "tools": record.get("tool_call"),
        "reasoning": record.get("reasoning"),
        "structured_output": record.get("structured_output"),
        "temperature": record.get("temperature"),
        "attachments": record.get("attachment"),
        "prompt_caching": True if "cache_read" in record.get("cost", {}) else None,
        "vision": "image" in taken,
        "audio_input": "audio" in taken,
        "audio_output": "audio" in given,
        "pdf_input": "pdf" in taken,
    }


def prices_stated(source: str) -> dict[tuple[str, ...], Decimal]:
    """Every price of the source under (meter, modality, unit, tokens above, service tier), per single unit."""
    history, _, record = look_up(source)
    found: dict[tuple[str, ...], Decimal] = {}
    if history == "modelsdev":
        cost = record.get("cost", {})
        for above, part in [("0", cost), *((str(t["tier"]["size"]), t) for t in cost.get("tiers", ()))]:
            for name in ("input", "output", "cache_read", "cache_write", "reasoning"):
                if name in part:
                    found[name, "text", "token", above, ""] = Decimal(part[name]) / MILLION
            for side in ("input", "output"):
                if f"{side}_audio" in part:
                    found[side, "audio", "token", above, ""] = Decimal(part[f"{side}_audio"]) / MILLION
        return found
    plain = {
        "input_cost_per_token": "input",
        "output_cost_per_token": "output",
        "cache_read_input_token_cost": "cache_read",
        "cache_creation_input_token_cost": "cache_write",
    }
    for name, meter in plain.items():
        for suffix, tier in (("", ""), ("_batches", "batch"), ("_flex", "flex"), ("_priority", "priority")):
            if name + suffix in record:
                found[meter, "text", "token", "0", tier] = Decimal(record[name + suffix])
    others = {
        "input_cost_per_audio_token": ("input", "audio", "token"),
        "output_cost_per_audio_token": ("output", "audio", "token"),
        "input_cost_per_second": ("input", "audio", "second"),
        "input_cost_per_query": ("request", "text", "query"),
        "ocr_cost_per_page": ("request", "text", "page"),
    }
    for name, (meter, modality, unit) in others.items():
        if name in record:
            found[meter, modality, unit, "0", ""] = Decimal(record[name])
    return found


def price_terms(price: dict[str, Any]) -> tuple[str, ...]:
    above = str(price.get("above_tokens", 0))
    return price["meter"], price.get("modality", "text"), price["unit"], above, price.get("service_tier", "")


@needs_shared_data
def test_every_source_exists():
    for entry in CATALOG["entries"]:
        assert entry["sources"], entry["id"]
        for source in entry["sources"]:
            assert look_up(source)[2], source


@needs_shared_data
def test_every_limit_is_the_sources():
    for subject, sources in subjects():
        for name, value in subject.get("limits", {}).items():
            assert value in [limits_stated(source).get(name) for source in sources], (subject["id"], name)


@needs_shared_data
def test_every_price_is_the_sources_to_the_last_digit():
    for offering in CATALOG["offerings"]:
        stated = [prices_stated(source) for source in sources_of_offering(offering)]
        for price in offering.get("prices", ()):
            assert price["currency"] == "USD"
            amounts = [each.get(price_terms(price)) for each in stated]
            assert Decimal(price["amount"]) in amounts, (offering["id"], price)


@needs_shared_data
def test_no_price_of_the_first_source_is_left_out():
    for offering in CATALOG["offerings"]:
        listed = {price_terms(price) for price in offering.get("prices", ())}
        stated = prices_stated(sources_of_offering(offering)[0])
        standard = {terms for terms in stated if terms[4] == ""}
        assert standard <= listed, offering["id"]


@needs_shared_data
def test_every_capability_is_the_sources():
    for subject, sources in subjects():
        for name, value in subject.get("capabilities", {}).items():
            said = [capabilities_stated(source).get(name) for source in sources]
            assert value in [each for each in said if each is not None], (subject["id"], name)


@needs_shared_data
def test_every_modality_is_the_sources():
    for subject, sources in subjects():
        if "modalities" in subject:
            stated = []
            for source in sources:
                history, _, record = look_up(source)
                if history == "modelsdev":
                    stated.append(record["modalities"])
                else:
                    taken, given = (
                        record.get("supported_modalities"),
                        record.get("supported_output_modalities"),
                    )
                    stated.append({"input": taken, "output": given})
            assert subject["modalities"] in stated, subject["id"]


@needs_shared_data
def test_every_date_is_the_sources():
    theirs = {"released": "release_date", "knowledge_cutoff": "knowledge", "deprecated": "deprecation_date"}
    for entry in CATALOG["entries"]:
        for ours, name in theirs.items():
            if ours in entry:
                records = [look_up(source)[2] for source in entry["sources"]]
                stated = [r.get(name) for r in records]
                if ours == "released":
                    stated += [str(r.get("datePublished", "")).split("T")[0] for r in records]
                assert entry[ours] in stated, (entry["id"], ours)


@needs_shared_data
def test_weights_are_open_where_a_source_says_so_or_gives_the_files():
    for entry in CATALOG["entries"]:
        if "open_weights" in entry:
            stated = [look_up(source)[2].get("open_weights") for source in entry["sources"]]
            assert entry["open_weights"] in stated or (entry["open_weights"] and entry["artifacts"]), entry[
                "id"
            ]


@needs_shared_data
def test_every_name_and_link_is_the_sources():
    for entry in CATALOG["entries"]:
        found = [look_up(source) for source in entry["sources"]]
        names = [
            str(r.get("name", pointer.split("/")[-1])).removesuffix(" (latest)") for _, pointer, r in found
        ]
        assert entry["name"] in names, entry["id"]
        links = [link for _, _, r in found for link in (r.get("source"), *r.get("resources", {}).values())]
        assert set(entry.get("links", {}).values()) <= set(links), entry["id"]


@needs_shared_data
def test_every_mode_is_the_one_that_litellm_names():
    ours = {
        "image_generation": "image",
        "audio_speech": "speech",
        "audio_transcription": "transcription",
        "video_generation": "video",
    }
    for entry in CATALOG["entries"]:
        first = [look_up(source) for source in entry["sources"][:2]]
        named = [r["mode"] for history, _, r in first if history == "litellm" and "mode" in r]
        if len(first) > 1 and first[0][0] == "modelsdev" and first[1][0] == "litellm":
            assert entry["mode"] == ours.get(named[0], named[0]), entry["id"]


@needs_shared_data
def test_every_provider_is_described_as_the_data_describes_it():
    listed = version("modelsdev", "02209-2026-06-27.json")
    endpoints = [p.get("api_endpoint") for p in version("catwalk", "00459-2026-05-08.json")]
    for slug, provider in PROVIDERS.items():
        theirs = listed.get(provider.get("names", {}).get("models.dev", slug), {})
        assert provider.get("env") == theirs.get("env"), slug
        assert provider.get("docs") == theirs.get("doc"), slug
        assert provider.get("api") in (theirs.get("api"), *endpoints), slug


@needs_shared_data
def test_every_file_has_the_size_and_digest_that_its_source_states():
    for entry in CATALOG["entries"]:
        stated = {}
        for source in entry["sources"]:
            history, pointer, record = look_up(source)
            if history == "gpt4all_v3":
                stated[pointer] = (
                    record["url"],
                    int(record["filesize"]),
                    None,
                    int(record["ramrequired"]) << 30,
                )
            if history == "lmstudio":
                file = next(f for f in record["files"]["all"] if f["name"] == pointer)
                stated[pointer] = (file["url"], file["sizeBytes"], file["sha256checksum"], None)
        for artifact in entry.get("artifacts", ()):
            fields = tuple(artifact.get(name) for name in ("url", "size_bytes", "sha256", "ram_bytes"))
            assert fields == stated[artifact["name"]], artifact["name"]


@needs_shared_data
def test_an_offering_is_kept_from_a_region_only_where_the_source_names_others():
    kept = [offering for offering in CATALOG["offerings"] if "availability" in offering]
    assert kept
    for offering in kept:
        stated = [look_up(source)[2].get("supported_regions") for source in sources_of_offering(offering)]
        assert offering["availability"]["note"] in [", ".join(each) for each in stated if each]
        assert "global" not in offering["availability"]["note"]


@needs_shared_data
def test_every_alias_is_an_id_of_the_same_provider():
    listed = version("modelsdev", "02209-2026-06-27.json")
    for entry in CATALOG["entries"]:
        provider = entry["sources"][0].split("#")[1].split("/")[0]
        for alias in entry.get("aliases", ()):
            assert alias in listed[provider]["models"], alias


@needs_shared_data
def test_composing_again_gives_the_same_bytes():
    from tomllib import loads

    from catalog.starter.compose import HERE, Composer

    selection = loads((HERE / "selection.toml").read_text())
    assert Composer(selection, SHARED).document() == STARTER.read_bytes()


def test_what_it_refers_to_is_there():
    offerings = {offering["id"] for offering in CATALOG["offerings"]}
    regions = {region["code"] for region in CATALOG["regions"]}
    labs = {lab["slug"] for lab in CATALOG["labs"]}
    known = {f"entry:{key}" for key in ENTRIES} | {f"offering:{key}" for key in offerings}
    assert {entry["lab"] for entry in CATALOG["entries"]} == labs
    assert {offering["entry"] for offering in CATALOG["offerings"]} <= ENTRIES.keys()
    assert {offering["provider"] for offering in CATALOG["offerings"]} == PROVIDERS.keys()
    assert {region["parent"] for region in CATALOG["regions"] if "parent" in region} <= regions
    assert {featured["region"] for featured in CATALOG["featured"]} <= regions
    assert {item["subject"] for featured in CATALOG["featured"] for item in featured["items"]} <= known
    assert {trial["subject"] for trial in CATALOG["trials"]} <= known


def test_it_is_large_enough_to_look_at_and_has_something_for_every_screen():
    assert 140 <= len(ENTRIES) <= 180
    assert 20 <= len(PROVIDERS) <= 30
    assert sum("artifacts" in entry for entry in ENTRIES.values()) >= 10
    assert len(CATALOG["featured"]) == 2
    assert CATALOG["trials"]
    assert len(CATALOG["experiments"][0]["arms"]) == 2
    assert [region["code"] for region in CATALOG["regions"] if region["enabled"]] == ["eu", "global"]


def test_no_sentence_of_anybody_else_is_in_it():
    assert not any("description" in entry for entry in ENTRIES.values())


def records() -> Iterator[tuple[Kind, str, dict[str, Any]]]:
    for section, kind in SECTIONS.items():
        for each in CATALOG[section]:
            record = {name: value for name, value in each.items() if name != "id"}
            if kind is Kind.OFFERING:
                record.setdefault("ordinal", 1)
            key = key_of(kind, record)
            assert each.get("id", key) == key
            yield kind, key, record


def test_every_record_is_sound_and_in_the_form_that_is_kept():
    for kind, key, record in records():
        assert problems_of(kind, key, record) == []
        assert tidy(kind, record) == record, key


def test_every_record_that_another_names_is_there():
    known = {(kind, key) for kind, key, _ in records()}
    for kind, key, record in records():
        for field, wanted, other in references(kind, record):
            assert (wanted, other) in known, (key, field)


def test_the_form_is_the_one_that_is_published_and_its_readers_take_it():
    data = STARTER.read_bytes()
    parsed = ALMANAC_V1.parse(data)
    assert [(item.kind, item.key, item.record) for item in parsed.records] == list(records())
    assert ALMANAC_V1.gate(data) == []
    lines = [
        json.dumps(public_form(item.kind, item.record), ensure_ascii=False, separators=(",", ":"))
        for item in parsed.records
    ]
    written = [line.removesuffix(",") for line in STARTER.read_text().splitlines() if line.startswith('{"')]
    assert written[1:] == lines
    for section, kind in SECTIONS.items():
        keys = [item.key for item in parsed.records if item.kind is kind]
        assert keys == sorted(keys), section


def test_every_native_document_lists_what_its_client_can_use():
    """Without anybody's import, membership is automatic: this is what a fresh installation publishes."""
    found = {(kind, key): record for kind, key, record in records()}
    for name, fewest in (
        ("litellm", 380),
        ("v2", 350),
        ("v1", 350),
        ("models.dev", 380),
        ("catwalk", 320),
        ("genai-prices", 350),
    ):
        schema = NATIVE[name]
        listed = []
        for (kind, key), offering in found.items():
            if kind is Kind.OFFERING:
                entry = found[Kind.ENTRY, offering["entry"]]
                subject = Subject(
                    f"offering:{key}",
                    provider=found[Kind.PROVIDER, offering["provider"]],
                    lab=found[Kind.LAB, entry["lab"]],
                    entry=entry,
                    offering=offering,
                )
                if not schema.excluded(subject, {}):
                    line = schema.line(subject)
                    assert isinstance(line, Line), line
                    assert [finding for finding in schema.gate_line(line) if finding.severity == "stop"] == []
                    listed.append(line)
        assert len(listed) >= fewest, name
