"""aichat's two documents: its parser's table row by row, what is written, and what v1 must leave out."""

from __future__ import annotations

import contextlib

import pytest
import yaml

from catalog.records import Kind
from catalog.schemas.aichat import V1, V2
from catalog.schemas.base import Line, Omission, ParseError, Subject
from catalog.schemas.reading.values import to_json
from catalog.schemas.reading.yaml_reader import read_yaml
from tests.catalog.schemas.histories import newest
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in


def document(model: str, *, head: str = "- provider: openai") -> bytes:
    return f"{head}\n  models:\n    - {{name: a, {model}}}\n".encode()


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in V2.gate(data) if finding.severity == "stop"]


# --- the parser's table: what the client accepts -----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"# comment\n- provider: openai # here\n  models:\n  - name: a\n",
        b'[{"provider": "openai", "models": [{"name": "a", "input_price": 1}]}]',
        b"- provider: openai\r\n  models:\r\n  - name: a\r\n",
        b"---\n- provider: openai\n  models:\n  - name: a\n...\n",
        document("input_price: 1e-06"),
        document("input_price: 3.e-7"),
        document("input_price: 2"),
        document("input_price: null, max_input_tokens: null, max_output_tokens: ~, patch: null"),
        document("whatever: [1, {x: y}]"),
        b"- provider: openai\n  models:\n  - name: 123\n",
        document("max_output_tokens: -1"),
        document("max_input_tokens: 0x1F, max_output_tokens: 0o17, max_batch_size: +5"),
        document("supports_vision: true, no_stream: True, no_system_message: FALSE"),
        document("max_input_tokens: 18446744073709551615"),
        b"- provider: openai\t\n  models:\n  - name: a\t\n",
    ],
)
def test_the_gate_lets_through_what_the_client_reads(data: bytes):
    assert stops(data) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# only a comment\n",
        b"[]",
        b"- provider: openai\n  models:\n",
        b"- provider: openai\n  models: []\n",
        document("input_price: .inf"),
        document("input_price: .nan"),
        document("<<: {type: embedding}"),
        b"- provider: openai\n  models:\n  - name: null\n",
        b"- provider: openai\n  models:\n  - name: ''\n",
        document("patch: {body: {}, body: {}}"),
        b"- provider: openai\n  models: [{name: a}]\n- provider: openai\n  models: [{name: b}]\n",
    ],
)
def test_the_gate_stops_what_the_client_reads_to_its_users_harm(data: bytes):
    assert stops(data) != []


@pytest.mark.parametrize(
    "data",
    [
        b"- &a {provider: openai, models: [{name: a}]}\n- *a\n",
        document("other: 1, other: 2"),
        b"- provider: openai\n  models:\n  - name: caf\xe9\n",
    ],
)
def test_the_gate_stops_what_the_client_would_read_but_we_never_publish(data: bytes):
    assert stops(data) != []


@pytest.mark.parametrize(
    "data",
    [
        document("type: chat", head="- platform: openai"),
        *(
            document(f"max_input_tokens: {text}")
            for text in ("1e6", "128000.0", "128_000", "0128", "'128'", "-1", "-0")
        ),
        document("max_output_tokens: 1.0"),
        document("max_output_tokens: -0"),
        document("max_batch_size: 18446744073709551616"),
        *(document(f"input_price: {text}") for text in ("1e400", "'1,5'", "'1'", "true")),
        *(document(f"supports_vision: {text}") for text in ("yes", "on", "1", "'true'", "null")),
        b"- provider: openai\n  models:\n  - name: a\n    name: b\n",
        b"- provider: openai\n  models: null\n",
        b"- provider: openai\n",
        b"- provider: openai\n  models: [{type: chat}]\n",
        b"- models: [{name: a}]\n",
        b"- provider: openai\n  models:\n  - name: @a\n",
        b"- provider: openai\n  models:\n  - name: a: b\n",
        b"- provider: openai\n\tmodels:\n  - name: a\n",
        "- provider: openai\n  models: [{name: a}]\n".encode("utf-16"),
        b'- provider: openai\n  models: [{name: "\\ud800"}]\n',
        b"provider: openai\nmodels: [{name: a}]\n",
        b"openai\n",
        b"null\n",
        b"- provider: openai\n  models: [{name: a}]\n---\n[]\n",
        b"- provider: openai\n  models: [{name: " + b"[" * 130 + b"]" * 130 + b"}]\n",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"error": {"message": "not found"}}',
        document("patch: [1]"),
        document("type: [embedding]"),
        b"- provider: openai\n  models: [a]\n",
        b"- openai\n",
        b"- provider: [a]\n  models: [{name: a}]\n",
    ],
)
def test_the_gate_stops_what_makes_the_client_refuse_the_whole_file(data: bytes):
    assert stops(data) != []


def test_a_byte_order_mark_is_never_written_by_us_and_read_with_a_notice():
    assert V2.parse("\ufeff".encode() + document("type: chat")).notices != ()
    catalog = MemoryCatalog()
    take_in(catalog, "v2", "\ufeff".encode() + document("type: chat"))
    assert give_out(catalog, "v2").data.startswith(b"- provider")


@pytest.mark.parametrize("patch", ["{url: 'https://evil.example'}", "{body: {}, headers: {x: y}}"])
def test_a_patch_that_moves_the_request_elsewhere_is_stopped(patch: str):
    assert "decides where requests and keys go" in stops(document(f"patch: {patch}"))[0]
    assert stops(document("patch: {body: {temperature: null}}")) == []


def test_v1_stops_what_only_v2_understands():
    old = document("real_name: b", head="- platform: openai")
    assert any("does not exist" in finding.reason for finding in V1.gate(old))
    assert V1.gate(document("type: chat", head="- platform: openai")) == []
    assert V1.gate(document("type: chat", head="- type: openai")) == []
    assert V1.gate(document("type: chat", head="- {platform: x, provider: openai")) != []


def test_a_line_is_judged_as_it_is_in_the_document():
    catalog = MemoryCatalog()
    take_in(catalog, "v2", document("patch: {url: x}, input_price: 1, extra: '[tricky'"))
    lines = give_out(catalog, "v2").lines
    assert [len(V2.gate_line(line)) for line in lines] == [0, 1]
    assert V2.gate_lines(lines) == []
    assert V2.gate_line(Line("1", "offering:a:b", "    - {name: [}\n"))[0].severity == "stop"
    assert V2.gate_line(Line("1", "offering:a:b", "    - {name: a}\n    - {name: b}\n"))[0].severity == "stop"


def test_lines_that_stand_in_no_block_or_in_a_second_one_are_stopped():
    head, member = Line("1", "provider:a", "- provider: a\n  models:\n"), "    - {name: a}\n"
    assert V2.gate_lines([]) != []
    assert V2.gate_lines([head]) != []
    assert V2.gate_lines([head, Line("1\t1", "offering:a:x", member)]) == []
    assert V2.gate_lines([head, Line("~b\t1", "offering:b:x", member)]) != []
    twice = [
        head,
        Line("1\t1", "offering:a:x", member),
        head._replace(order="2"),
        Line("2\t1", "offering:a:y", member),
    ]
    assert "a second block" in V2.gate_lines(twice)[0].reason


# --- in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "data", "reason", "line"),
    [
        (V2, b"- platform: openai\n  models: [{name: a}]\n", "this looks like schema v1", 1),
        (V1, b"- provider: openai\n  models: [{name: a}]\n", "this looks like schema v2", 1),
        (V2, b"[]", "the list is empty", 1),
        (V2, b"", "a list of blocks is expected", 1),
        (V2, b"{}", "a list of blocks is expected", 1),
        (V2, b"- a\n", "a block must be a mapping", 1),
        (
            V2,
            b"- provider: a\n  models: [{name: x}]\n- provider: b\n",
            "the block b has no list of models",
            3,
        ),
        (V2, b"- provider: a\n  models:\n  - name: x\n  - type: chat\n", "name is missing", 4),
        (
            V2,
            b"- provider: a\n  models:\n  - name: x\n    supports_vision: no\n",
            "supports_vision: write true or false",
            3,
        ),
        (V2, b"- provider: a\n  models:\n  - {name: x, max_input_tokens: 1e6}\n", "whole number", 3),
        (V2, "- provider: a\n  models: [{name: gpt\u20114}]\n".encode(), "is not an id", 2),
        (V2, b"- provider: a\n  models: [{name: " + b"x" * 257 + b"}]\n", "is not an id", 2),
        (V2, b"- provider: a\n  models: [x]\n", "is not a mapping", 1),
        (V2, b"- provider: ''\n  models: [{name: x}]\n", "a block has no provider", 1),
    ],
)
def test_a_document_that_is_really_invalid_is_refused_with_its_line(
    schema, data: bytes, reason: str, line: int
):
    with pytest.raises(ParseError) as refused:
        schema.parse(data)
    assert reason in str(refused.value)
    assert refused.value.line == line


def test_the_oldest_spellings_state_the_same_facts():
    data = b"- type: cohere\n  models:\n  - {name: r, mode: rerank, max_output_tokens?: 5}\n  - {name: e, type: embedding}\n"
    catalog = MemoryCatalog()
    take_in(catalog, "v1", data)
    assert catalog.get(Kind.ENTRY, "cohere/r") is not None
    assert catalog.all(Kind.ENTRY)["cohere/r"]["mode"] == "rerank"
    assert catalog.all(Kind.ENTRY)["cohere/r"]["limits"] == {"max_output_tokens": 5}
    assert catalog.all(Kind.ENTRY)["cohere/e"]["mode"] == "embedding"
    assert read_yaml(give_out(catalog, "v1").data)[0] == read_yaml(data)[0]


def test_a_block_that_says_both_keys_and_more_keeps_all_in_its_order():
    data = b"- docs: null\n  platform: a\n  models: [{name: x}]\n  provider: a\n- models: []\n  platform: b\n  note: '[x'\n"
    catalog = MemoryCatalog()
    take_in(catalog, "v1", data)
    assert to_json(read_yaml(give_out(catalog, "v1").data)[0]) == to_json(read_yaml(data)[0])


def test_a_document_that_mixes_the_old_key_and_the_new_keeps_both():
    data = b"- type: a\n  models: [{name: x}]\n- platform: b\n  models: [{name: y}]\n"
    catalog = MemoryCatalog()
    take_in(catalog, "v1", data)
    assert to_json(read_yaml(give_out(catalog, "v1").data)[0]) == to_json(read_yaml(data)[0])


def test_an_id_that_is_repeated_in_a_block_stays_two_members():
    data = b"- provider: jina\n  models:\n  - {name: c, type: embedding}\n  - {name: d}\n  - {name: c, type: reranker}\n"
    catalog = MemoryCatalog()
    take_in(catalog, "v2", data)
    assert set(catalog.all(Kind.OFFERING)) == {"jina:c", "jina:d", "jina#2:c"}
    assert to_json(read_yaml(give_out(catalog, "v2").data)[0]) == to_json(read_yaml(data)[0])


def test_a_provider_with_two_blocks_keeps_them_apart_and_the_gate_says_so():
    data = b"- provider: a\n  models: [{name: x}]\n- provider: b\n  models: [{name: z}]\n- provider: a\n  models: [{name: y}]\n"
    catalog = MemoryCatalog()
    take_in(catalog, "v2", data)
    written = give_out(catalog, "v2").data
    assert to_json(read_yaml(written)[0]) == to_json(read_yaml(data)[0])
    assert any("a second block" in reason for reason in stops(written))


def test_every_odd_value_comes_out_as_it_went_in():
    data = document(
        "input_price: 1e-06, output_price: 0.50, max_input_tokens: 0, supports_vision: false, no_stream: false, "
        "type: chat, patch: {body: {a: null, b: [1, 1.0, {c: 'no'}]}}, 'odd key': \"\\u2028\", extra: null"
    )
    catalog = MemoryCatalog()
    take_in(catalog, "v2", data)
    ours = give_out(catalog, "v2").data
    (block,) = yaml.load(ours, Loader=yaml.CSafeLoader)
    assert block["models"][0]["input_price"] == 1e-06
    spelled = to_json(read_yaml(ours)[0])
    assert spelled == to_json(read_yaml(data)[0]).replace("1e-06", "1.0e-06")


@pytest.mark.history
def test_a_damaged_real_document_is_refused_or_read_and_never_a_traceback():
    real = newest("aichat")
    for cut in range(0, len(real), 997):
        for data in (real[:cut], real[:cut] + b"\x00" + real[cut:], real[:cut] + b"\n\t- [" + real[cut:]):
            with contextlib.suppress(ParseError):
                V2.parse(data)
            assert isinstance(V2.gate(data[:4000]), list)


# --- out ---------------------------------------------------------------------------------------------------------

PROVIDER = {"slug": "anthropic", "name": "Anthropic", "names": {"aichat": "claude"}}
ENTRY = {
    "lab": "anthropic", "slug": "opus", "name": "Opus", "mode": "chat", "stage": "current",
    "limits": {"context_tokens": 200000, "max_output_tokens": 8192},
    "capabilities": {"tools": True, "vision": False, "system_prompt": False, "streaming": True},
}  # fmt: skip
OFFERING = {
    "provider": "anthropic", "native_id": "opus", "ordinal": 1, "entry": "anthropic/opus", "stage": "current",
    "prices": [
        {"meter": "input", "unit": "token", "amount": "0.000015", "currency": "USD"},
        {"meter": "input", "unit": "token", "amount": "0.00003", "currency": "USD", "above_tokens": 200000},
        {"meter": "output", "unit": "token", "amount": "0.0000755", "currency": "USD"},
    ],
}  # fmt: skip


def subject(**changes: object) -> Subject:
    records = {"provider": PROVIDER, "entry": ENTRY, "offering": OFFERING} | changes
    return Subject("offering:anthropic:opus", **records)


def test_a_member_is_derived_from_shared_facts_alone():
    line = V2.line(subject())
    assert isinstance(line, Line)
    assert line.text == (
        "    - {name: opus, max_input_tokens: 200000, max_output_tokens: 8192, input_price: 15, output_price: 75.5, "
        "supports_vision: false, supports_function_calling: true, no_system_message: true}\n"
    )


def test_a_block_is_named_as_the_client_names_its_provider():
    line = V1.line(Subject("provider:anthropic", provider=PROVIDER))
    assert isinstance(line, Line)
    assert line.text == "- platform: claude\n  models:\n"


def test_automatic_membership_lists_what_aichat_can_use():
    assert V2.excluded(subject(), {}) == ""
    assert "image" in V2.excluded(subject(entry={**ENTRY, "mode": "image"}), {})
    assert V2.excluded(subject(entry=None), {}) != ""
    assert isinstance(V2.line(subject(offering=None)), Omission)


def test_v1_leaves_out_what_it_cannot_say_and_keeps_a_patch_that_only_removes():
    assert "real_name" in V1.excluded(subject(), {"real_name": "o4-mini"})
    assert "patch" in V1.excluded(subject(), {"patch": {"body": {"enable_thinking": False}}})
    assert "patch" in V1.excluded(subject(), {"patch": {"body": {"a": None, "b": {"c": False}}}})
    assert V1.excluded(subject(), {"patch": {"body": {"max_tokens": None, "x": {"y": None}}}}) == ""
    assert V1.excluded(subject(), {"system_prompt_prefix": "x"}) == ""
    assert V2.excluded(subject(), {"real_name": "o4-mini"}) == ""


def test_an_imported_v2_gives_an_automatic_v1_without_what_v1_cannot_say():
    data = (
        b"- provider: openai\n  models:\n  - {name: o4-mini, input_price: 1, patch: {body: {temperature: null}}}\n"
        b"  - {name: o4-mini-high, real_name: o4-mini}\n  - {name: qwen3, patch: {body: {enable_thinking: false}}}\n"
    )
    catalog = MemoryCatalog()
    take_in(catalog, "v2", data)
    view = give_out(catalog, "v1")
    assert view.data == b"- platform: openai\n  models:\n    - {name: o4-mini, input_price: 1}\n"
    assert {omission.key for omission in view.omissions} == {
        "offering:openai:o4-mini-high",
        "offering:openai:qwen3",
    }


def test_a_block_without_members_is_not_written():
    head = Line("1", "provider:a", "- provider: a\n  models:\n", "  note: x\n")
    full = Line("2", "provider:b", "- provider: b\n  models:\n", "  note: y\n")
    member = Line("2\t1", "offering:b:x", "    - {name: x}\n")
    last = Line("3", "provider:c", "- provider: c\n  models:\n")
    assert (
        V2.assemble([head, full, member, last], {})
        == b"- provider: b\n  models:\n    - {name: x}\n  note: y\n"
    )
    assert V2.assemble([], {}) == b"[]\n"


def test_members_follow_their_head_whatever_providers_are_called():
    heads = [
        Subject(f"provider:{slug}", provider={"slug": slug, "name": slug})
        for slug in ("a", "a-b", "a.b", "a0")
    ]
    lines = []
    for head in heads:
        slug = head.key.removeprefix("provider:")
        offering = {**OFFERING, "provider": slug}
        made = [
            V2.line(head),
            V2.line(Subject(f"offering:{slug}:opus", provider=head.provider, entry=ENTRY, offering=offering)),
        ]
        lines += [line for line in made if isinstance(line, Line)]
    lines.sort(key=lambda line: line.order)
    assert V2.gate_lines(lines) == []
    assert len(yaml.load(V2.assemble(lines, {}), Loader=yaml.CSafeLoader)) == 4


def test_a_regions_document_leaves_out_what_is_not_offered_there():
    catalog = MemoryCatalog()
    for code, parent in (("global", None), ("eu", "global"), ("de", "eu")):
        record = {"code": code, "name": code, "enabled": True}
        catalog.put(Kind.REGION, record | ({"parent": parent} if parent else {}))
    take_in(catalog, "v2", b"- provider: a\n  models: [{name: x}, {name: y}]\n")
    catalog.put(Kind.OFFERING, {**catalog.all(Kind.OFFERING)["a:x"], "availability": {"never": ["eu"]}})
    whole, german = give_out(catalog, "v2"), give_out(catalog, "v2", "de")
    assert b"name: x" in whole.data
    assert german.data == b'- provider: a\n  models:\n    - {name: "y"}\n'
    assert [omission.key for omission in german.omissions] == ["offering:a:x"]
