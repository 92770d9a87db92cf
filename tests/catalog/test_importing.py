"""The rules of an import: whose membership changes, what is shared, what is kept apart, and that again changes nothing."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from catalog.importing import plan_import
from catalog.listing import listed
from catalog.placing import GAP
from catalog.records import Kind
from catalog.schemas import residual
from catalog.schemas.aichat import V1, V2
from catalog.schemas.facts import changed_paths
from catalog.schemas.flow_yaml import flow
from catalog.schemas.litellm import LITELLM
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import Json, Number, to_json
from catalog.schemas.reading.yaml_reader import read_yaml
from catalog.validity import problems_of
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.catalog.schemas.test_readers import numbers, texts

PRICE = "prices.input.text.token.0...USD"


def aichat(*models: str, provider: str = "openai", key: str = "provider") -> bytes:
    return f"- {key}: {provider}\n  models:\n".encode() + b"".join(
        f"  - {{{model}}}\n".encode() for model in models
    )


def litellm(**models: str) -> bytes:
    lines = (
        f'"{name.replace("__", "/").replace("_", "-")}": {{"litellm_provider": "openai", {fields}}}'
        for name, fields in models.items()
    )
    return ("{" + ",\n".join(lines) + "}").encode()


def spelled(schema: str, data: bytes) -> str:
    return to_json(read_json(data).value if schema == "litellm" else read_yaml(data)[0])


def price(catalog: MemoryCatalog, offering: str) -> str:
    (found,) = [
        price["amount"]
        for price in catalog.all(Kind.OFFERING)[offering]["prices"]
        if price["meter"] == "input"
    ]
    return str(found)


# --- membership --------------------------------------------------------------------------------------------------


def test_membership_becomes_the_documents_and_what_it_lacks_stays_in_the_catalog():
    catalog = MemoryCatalog()
    first = take_in(catalog, "v2", aichat("name: a", "name: b", "name: c"))
    assert first.report.added == ["offering:openai:a", "offering:openai:b", "offering:openai:c"]
    assert catalog.all(Kind.SCHEMA)["v2"] == {"name": "v2", "status": "current", "membership": "explicit"}
    second = take_in(catalog, "v2", aichat("name: a", "name: d", "name: c, input_price: 1"))
    report = second.report
    assert (report.added, report.changed, report.left, report.removed) == (
        ["offering:openai:d"], ["offering:openai:c"], 1, ["offering:openai:b"],
    )  # fmt: skip
    assert str(report) == "1 added, 1 changed, 1 left, 1 removed from the document"
    assert "openai:b" in catalog.all(Kind.OFFERING)
    assert b"name: b" not in give_out(catalog, "v2").data


def test_the_same_document_again_changes_nothing():
    catalog = MemoryCatalog()
    data = aichat("name: a, input_price: 0.50", "name: b, type: reranker, extra: [1]", "name: a")
    take_in(catalog, "v2", data)
    again = plan_import(V2, V2.parse(data), catalog)
    assert again.changes == []
    assert (again.report.added, again.report.changed, again.report.left) == ([], [], 3)


def test_a_plan_writes_nothing_and_says_how_far_it_is():
    catalog = MemoryCatalog()
    seen: list[tuple[int, int]] = []
    data = aichat(*(f"name: m{number}" for number in range(450)))
    plan_import(
        V2,
        V2.parse(data),
        catalog,
        source="models.yaml",
        progress=lambda done, whole: seen.append((done, whole)),
    )
    assert not any(catalog.all(kind) for kind in Kind)
    assert seen == [(0, 451), (200, 451), (400, 451), (451, 451)]


def test_changes_come_in_an_order_in_which_they_can_be_written():
    catalog = MemoryCatalog()
    plan = plan_import(V2, V2.parse(aichat("name: a")), catalog)
    assert [change.kind for change in plan.changes] == [
        Kind.LAB, Kind.PROVIDER, Kind.ENTRY, Kind.OFFERING, Kind.SCHEMA, Kind.MEMBERSHIP, Kind.MEMBERSHIP,
    ]  # fmt: skip


def test_only_what_really_moved_gets_another_position():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", aichat(*(f"name: m{number}" for number in range(10))))
    names = [f"name: m{number}" for number in (0, 7, 1, 2, 3, 4, 5, 6, 8, 9)]
    plan = take_in(catalog, "v2", aichat(*names))
    assert [change.key for change in plan.changes] == ["v2|offering:openai:m7"]
    plan = take_in(catalog, "v2", aichat("name: new", *names))
    assert {change.key for change in plan.changes if change.kind is Kind.MEMBERSHIP} == {
        "v2|offering:openai:new"
    }


def test_a_block_that_moved_takes_its_members_with_it_and_leaves_the_others_alone():
    catalog = MemoryCatalog()
    one, two, three = aichat("name: a"), aichat("name: b", provider="groq"), aichat("name: c", provider="xai")
    take_in(catalog, "v2", one + two + three)
    plan = take_in(catalog, "v2", three + one + two)
    assert {change.key for change in plan.changes} == {"v2|provider:xai", "v2|offering:xai:c"}
    assert spelled("v2", give_out(catalog, "v2").data) == spelled("v2", three + one + two)


# --- who is meant ------------------------------------------------------------------------------------------------


def test_two_formats_meet_in_one_offering():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", aichat("name: claude-3-opus, input_price: 15", provider="claude"))
    take_in(
        catalog,
        "litellm",
        b'{"claude-3-opus": {"input_cost_per_token": 1.5e-05, "litellm_provider": "anthropic", "mode": "chat"}}',
    )
    assert list(catalog.all(Kind.OFFERING)) == ["anthropic:claude-3-opus"]
    assert list(catalog.all(Kind.ENTRY)) == ["anthropic/claude-3-opus"]
    assert "native" not in catalog.all(Kind.MEMBERSHIP)["litellm|offering:anthropic:claude-3-opus"]
    assert catalog.all(Kind.PROVIDER)["anthropic"]["names"] == {"aichat": "claude"}


def test_a_provider_that_carries_the_documents_name_is_meant():
    catalog = MemoryCatalog(
        [(Kind.PROVIDER, {"slug": "my-ai", "name": "Mine", "names": {"aichat": "claude"}})]
    )
    take_in(catalog, "v2", aichat("name: a", provider="claude"))
    assert list(catalog.all(Kind.OFFERING)) == ["my-ai:a"]


def test_other_providers_offerings_join_the_entry_and_the_labs_own_brings_it():
    catalog = MemoryCatalog()
    data = b"""{"azure/gpt-4o": {"litellm_provider": "azure", "max_input_tokens": 5},
    "gpt-4o": {"litellm_provider": "openai", "max_input_tokens": 10},
    "openrouter/openai/gpt-4o": {"litellm_provider": "openrouter", "max_input_tokens": 10}}"""
    take_in(catalog, "litellm", data)
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o"]["limits"] == {"max_input_tokens": 10}
    assert catalog.all(Kind.OFFERING)["azure:azure/gpt-4o"]["limits"] == {"max_input_tokens": 5}
    assert "limits" not in catalog.all(Kind.OFFERING)["openrouter:openrouter/openai/gpt-4o"]
    later = take_in(catalog, "v2", aichat("name: openai/gpt-4o", provider="openrouter"))
    assert later.report.joined == ["offering:openrouter:openai/gpt-4o"]


def test_an_alias_leads_to_its_entry():
    entry = {
        "lab": "openai",
        "slug": "gpt-4o-2024-11-20",
        "name": "GPT-4o",
        "mode": "chat",
        "stage": "current",
        "aliases": ["gpt-4o"],
    }
    catalog = MemoryCatalog([(Kind.LAB, {"slug": "openai", "name": "OpenAI"}), (Kind.ENTRY, entry)])
    take_in(catalog, "v2", aichat("name: gpt-4o, max_input_tokens: 7"))
    assert catalog.all(Kind.OFFERING)["openai:gpt-4o"]["entry"] == "openai/gpt-4o-2024-11-20"
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o-2024-11-20"] == entry
    assert catalog.all(Kind.OFFERING)["openai:gpt-4o"]["limits"] == {"max_input_tokens": 7}


# --- shared facts ------------------------------------------------------------------------------------------------


def test_importing_again_updates_what_this_schema_alone_states():
    catalog = MemoryCatalog()
    take_in(
        catalog, "v2", aichat("name: gpt-4o, input_price: 5, max_input_tokens: 10, supports_vision: true")
    )
    take_in(catalog, "v2", aichat("name: gpt-4o, max_input_tokens: 20, input_price: 2.5"))
    assert price(catalog, "openai:gpt-4o") == "0.0000025"
    entry = catalog.all(Kind.ENTRY)["openai/gpt-4o"]
    assert entry["limits"] == {"max_input_tokens": 20}
    assert "capabilities" not in entry
    assert "native" not in catalog.all(Kind.MEMBERSHIP)["v2|offering:openai:gpt-4o"]


def test_a_value_that_another_schema_states_too_is_not_overwritten_but_overridden():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", aichat("name: gpt-4o, input_price: 5"))
    take_in(
        catalog,
        "litellm",
        litellm(gpt_4o='"mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05'),
    )
    assert price(catalog, "openai:gpt-4o") == "0.000005"
    kept = catalog.all(Kind.MEMBERSHIP)["litellm|offering:openai:gpt-4o"]["native"]
    assert kept == {
        "set": {"input_cost_per_token": "2.5e-06"},
        "order": ["litellm_provider", "mode", "input_cost_per_token", "output_cost_per_token"],
    }


def test_a_value_that_two_schemas_state_is_changed_by_neither_alone():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", aichat("name: gpt-4o, input_price: 5"))
    take_in(catalog, "litellm", litellm(gpt_4o='"input_cost_per_token": 5e-06'))
    take_in(catalog, "litellm", litellm(gpt_4o='"input_cost_per_token": 3e-06'))
    assert price(catalog, "openai:gpt-4o") == "0.000005"
    take_in(catalog, "v2", aichat("name: gpt-4o, input_price: 4"))
    assert price(catalog, "openai:gpt-4o") == "0.000004"


def test_a_value_that_only_this_schema_takes_is_updated_though_another_overrides_it():
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", litellm(gpt_4o='"input_cost_per_token": 1e-06'))
    take_in(catalog, "v2", aichat("name: gpt-4o, input_price: 2"))
    take_in(catalog, "litellm", litellm(gpt_4o='"input_cost_per_token": 3e-06'))
    assert price(catalog, "openai:gpt-4o") == "0.000003"
    assert b"input_price: 2}" in give_out(catalog, "v2").data


def test_one_import_never_changes_another_schemas_document():
    catalog = MemoryCatalog()
    old = aichat("name: gpt-4o, input_price: 2", key="platform")
    take_in(catalog, "v1", old)
    take_in(
        catalog,
        "litellm",
        litellm(gpt_4o='"supports_vision": true, "max_output_tokens": 5, "supports_system_messages": false'),
    )
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o"]["limits"] == {"max_output_tokens": 5}
    assert spelled("v1", give_out(catalog, "v1").data) == spelled("v1", old)
    pinned = catalog.all(Kind.MEMBERSHIP)["v1|offering:openai:gpt-4o"]["native"]
    assert pinned == {"drop": ["max_output_tokens", "no_system_message", "supports_vision"]}


def test_an_entry_with_several_offerings_is_not_changed_by_one_of_them():
    catalog = MemoryCatalog()
    take_in(
        catalog,
        "v2",
        aichat("name: gpt-4o, max_input_tokens: 10")
        + aichat("name: gpt-4o, max_input_tokens: 10", provider="azure"),
    )
    take_in(
        catalog,
        "v2",
        aichat("name: gpt-4o, max_input_tokens: 10")
        + aichat("name: gpt-4o, max_input_tokens: 8", provider="azure"),
    )
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o"]["limits"] == {"max_input_tokens": 10}
    assert catalog.all(Kind.OFFERING)["azure:gpt-4o"]["limits"] == {"max_input_tokens": 8}
    take_in(
        catalog,
        "v2",
        aichat("name: gpt-4o, max_input_tokens: 10")
        + aichat("name: gpt-4o, max_input_tokens: 10", provider="azure"),
    )
    assert "limits" not in catalog.all(Kind.OFFERING)["azure:gpt-4o"]


def test_an_entry_that_gets_company_is_not_changed_by_the_offering_that_was_alone():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", aichat("name: gpt-4o, max_input_tokens: 10"))
    azure = aichat("name: gpt-4o, max_input_tokens: 10", provider="azure")
    take_in(catalog, "v2", azure + aichat("name: gpt-4o, max_input_tokens: 20"))
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o"]["limits"] == {"max_input_tokens": 10}
    assert catalog.all(Kind.OFFERING)["openai:gpt-4o"]["limits"] == {"max_input_tokens": 20}


def test_what_operators_wrote_and_no_document_states_stays():
    catalog = MemoryCatalog()
    data = aichat("name: gpt-4o, input_price: 2")
    take_in(catalog, "v2", data)
    catalog.put(
        Kind.ENTRY,
        {
            **catalog.all(Kind.ENTRY)["openai/gpt-4o"],
            "licence": "proprietary",
            "capabilities": {"web_search": True},
        },
    )
    catalog.put(
        Kind.OFFERING, {**catalog.all(Kind.OFFERING)["openai:gpt-4o"], "availability": {"never": ["eu"]}}
    )
    assert take_in(catalog, "v2", data).changes == []
    take_in(catalog, "v2", aichat("name: gpt-4o, input_price: 3, supports_vision: true"))
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o"]["licence"] == "proprietary"
    assert catalog.all(Kind.ENTRY)["openai/gpt-4o"]["capabilities"] == {"web_search": True, "vision": True}
    assert catalog.all(Kind.OFFERING)["openai:gpt-4o"]["availability"] == {"never": ["eu"]}


def test_an_operators_edit_reaches_every_document_once_its_overrides_are_cleared():
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", litellm(gpt_4o='"input_cost_per_token": 1e-06'))
    take_in(catalog, "v2", aichat("name: gpt-4o, max_input_tokens: 7, input_price: 0.50, patch: {body: {}}"))
    before = catalog.all(Kind.OFFERING)["openai:gpt-4o"]
    after = {
        **before,
        "prices": [{"meter": "input", "unit": "token", "amount": "0.000003", "currency": "USD"}],
    }
    catalog.put(Kind.OFFERING, after)
    assert b"input_price: 0.50" in give_out(catalog, "v2").data
    changed = changed_paths(before, after)
    assert changed == {PRICE}
    for schema in (V2, LITELLM):
        membership = catalog.all(Kind.MEMBERSHIP)[f"{schema.name}|offering:openai:gpt-4o"]
        cleared = residual.clear_overrides(schema.owns, membership, changed)
        assert (cleared is not None) == (schema is V2)
        if cleared is not None:
            catalog.put(Kind.MEMBERSHIP, cleared)
    assert b"input_price: 3, patch: {body: {}}}" in give_out(catalog, "v2").data
    assert b'"input_cost_per_token":3e-06' in give_out(catalog, "litellm").data


# --- added by hand -----------------------------------------------------------------------------------------------


def test_a_member_added_by_hand_stands_at_the_end_of_its_block():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", aichat("name: a") + aichat("name: b", provider="groq"))
    take_in(catalog, "litellm", litellm(c='"mode": "chat"'))
    (membership,) = listed(V2, "openai:c", catalog)
    catalog.put(Kind.MEMBERSHIP, membership)
    assert spelled("v2", give_out(catalog, "v2").data) == spelled(
        "v2", aichat("name: a", "name: c") + aichat("name: b", provider="groq")
    )
    assert V2.gate_lines(give_out(catalog, "v2").lines) == []
    assert listed(V2, "openai:c", catalog) == []
    assert listed(V2, "openai:unknown", catalog) == []


def test_a_member_added_by_hand_brings_its_block_or_opens_an_empty_one():
    catalog = MemoryCatalog()
    take_in(
        catalog, "v2", b"- provider: groq\n  models: []\n  note: 1\n- provider: xai\n  models: [{name: x}]\n"
    )
    take_in(catalog, "litellm", b'{"a": {"litellm_provider": "openai"}, "g": {"litellm_provider": "groq"}}')
    for offering in ("openai:a", "groq:g"):
        for membership in listed(V2, offering, catalog):
            catalog.put(Kind.MEMBERSHIP, membership)
    wanted = b"- provider: groq\n  models: [{name: g}]\n  note: 1\n- provider: xai\n  models: [{name: x}]\n- provider: openai\n  models: [{name: a}]\n"
    assert spelled("v2", give_out(catalog, "v2").data) == spelled("v2", wanted)


def test_a_member_added_by_hand_to_a_document_without_blocks_stands_last():
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", litellm(a='"mode": "chat"'))
    take_in(catalog, "v2", aichat("name: b"))
    (membership,) = listed(LITELLM, "openai:b", catalog)
    assert membership == {"schema": "litellm", "subject": "offering:openai:b", "position": 2 * GAP}


# --- any documents at all ----------------------------------------------------------------------------------------

ids = st.sampled_from(["gpt-4o", "gpt-4o-mini", "openai/gpt-4o", "claude-3", "x/y:free", "no", "1"])
prices = st.sampled_from(["0", "0.5", "0.50", "1", "1.0", "2e-1", "15"]).map(Number)
counts = st.sampled_from(["0", "1", "4096", "128000"]).map(Number)
inner = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda deep: st.lists(deep, max_size=2) | st.dictionaries(texts, deep, max_size=2),
    max_leaves=4,
)

aichat_models = st.fixed_dictionaries(
    {"name": ids},
    optional={
        "type": st.sampled_from(["chat", "embedding", "reranker", "other"]),
        "input_price": prices | st.none(), "output_price": prices, "max_input_tokens": counts, "max_output_tokens": counts,
        "max_output_tokens?": counts, "supports_vision": st.booleans(), "supports_function_calling": st.booleans(),
        "no_stream": st.booleans(), "patch": st.fixed_dictionaries({"body": inner}), "odd": inner,
    },
).flatmap(lambda model: st.permutations(list(model.items())).map(dict))  # fmt: skip
aichat_documents = st.lists(
    st.tuples(st.sampled_from(["openai", "claude", "openrouter", "new one"]), st.lists(aichat_models, max_size=4)), min_size=1, max_size=3,
)  # fmt: skip
litellm_records = st.fixed_dictionaries(
    {},
    optional={
        "litellm_provider": st.sampled_from(["openai", "anthropic", "vertex_ai-language-models", "together_ai", "odd one"]) | st.none(),
        "mode": st.sampled_from(["chat", "embedding", "guardrail"]), "max_tokens": counts, "max_input_tokens": counts | texts,
        "max_output_tokens": counts, "input_cost_per_token": prices, "output_cost_per_token_above_200k_tokens": prices,
        "cache_creation_input_token_cost_above_1hr": prices | st.none(), "supports_vision": st.booleans(),
        "supports_system_messages": st.booleans(), "deprecation_date": st.sampled_from(["2026-01-01", "2026-02-30", "soon"]),
        "source": texts, "supported_modalities": st.just(["text"]), "supported_output_modalities": st.sampled_from([["text"], ["smell"], []]),
        "odd": inner,
    },
).flatmap(lambda record: st.permutations(list(record.items())).map(dict))  # fmt: skip
litellm_documents = st.dictionaries(
    ids | st.just("sample_spec"), litellm_records, min_size=1, max_size=6
).filter(lambda document: set(document) != {"sample_spec"})


def aichat_bytes(key: str, blocks: list[tuple[str, list[dict[str, Json]]]]) -> bytes:
    document: list[Json] = [{key: provider, "models": list[Json](models)} for provider, models in blocks]
    return flow(document).encode()


documents = st.one_of(
    aichat_documents.map(lambda blocks: ("v1", aichat_bytes("platform", blocks))),
    aichat_documents.map(lambda blocks: ("v1", aichat_bytes("type", blocks))),
    aichat_documents.map(lambda blocks: ("v2", aichat_bytes("provider", blocks))),
    litellm_documents.map(lambda document: ("litellm", to_json(document).encode())),
)


@given(st.lists(documents, min_size=1, max_size=5))
def test_any_documents_in_any_order_all_come_out_as_they_went_in(imports: list[tuple[str, bytes]]):
    catalog = MemoryCatalog()
    newest: dict[str, bytes] = {}
    for schema, data in [*imports, *imports[:2]]:
        take_in(catalog, schema, data)
        assert take_in(catalog, schema, data).changes == []
        newest[schema] = data
        for name, wanted in newest.items():
            assert spelled(name, give_out(catalog, name).data) == spelled(name, wanted)
    for kind in Kind:
        for key, record in catalog.all(kind).items():
            assert problems_of(kind, key, record) == []
            assert json.loads(json.dumps(record)) == record


def test_v1_and_v2_are_two_documents_of_one_family():
    assert (V1.family, V2.family, LITELLM.family) == ("aichat", "aichat", "litellm")
    assert (V1.file, V2.file) == ("v1/models.yaml", "v2/models.yaml")
