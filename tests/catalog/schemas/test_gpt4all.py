"""GPT4All's list of files: texts everywhere, a digest for every file, templates of plain statements."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Line, ParseError
from catalog.schemas.gpt4all import GPT4ALL
from tests.catalog.schemas.grammar import DIGESTS, TEXT, assert_round_trip, objects, spelled
from tests.catalog.schemas.histories import versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab

SHA = "a" * 64
ITEM: dict[str, Any] = {
    "order": "a", "md5sum": "b" * 32, "name": "Zeta 9000", "filename": "zeta-9000.Q4_0.gguf", "filesize": "4661724384",
    "requires": "2.7.1", "ramrequired": "8", "parameters": "8 billion", "quant": "q4_0", "type": "Zeta",
    "description": "<ul><li>Fast</li></ul>", "url": "https://acme.example/zeta-9000.Q4_0.gguf",
    "promptTemplate": "<|start|>%1", "systemPrompt": "", "chatTemplate": None,
}  # fmt: skip


def told(data: bytes, severity: str = "stop") -> list[str]:
    return [finding.reason for finding in GPT4ALL.gate(data) if finding.severity == severity]


def document(*items: Any) -> bytes:
    return json.dumps(items).encode()


def changed(field: str, value: Any) -> bytes:
    return document({name: given for name, given in (ITEM | {field: value}).items() if given is not ...})


def test_the_file_is_shared_and_the_rest_travels_along():
    made = MemoryCatalog()
    take_in(made, "gpt4all", document(ITEM))
    ((key, known),) = made.all(Kind.ENTRY).items()
    assert key == "unknown/zeta-9000"
    assert (known["name"], known["mode"]) == ("Zeta 9000", "chat")
    assert known["artifacts"] == [
        {
            "name": "zeta-9000.Q4_0.gguf", "url": "https://acme.example/zeta-9000.Q4_0.gguf",
            "size_bytes": 4661724384, "format": "gguf", "quantization": "Q4_0", "ram_bytes": 8 << 30,
        }
    ]  # fmt: skip
    kept = made.all(Kind.MEMBERSHIP)["gpt4all|entry:unknown/zeta-9000"]["native"]
    assert kept["file"] == "zeta-9000.Q4_0.gguf"
    assert set(kept["set"]) == {
        "order", "md5sum", "requires", "parameters", "type", "description", "promptTemplate", "systemPrompt",
        "chatTemplate",
    }  # fmt: skip
    view = give_out(made, "gpt4all")
    assert json.dumps(json.loads(view.data)) == json.dumps([ITEM])
    assert GPT4ALL.gate(view.data) == []


def test_two_files_of_one_model_are_two_members_of_one_entry():
    made = MemoryCatalog()
    other = ITEM | {"filename": "zeta-9000.f16.gguf", "quant": "f16", "url": "https://acme.example/f16.gguf"}
    data = document(ITEM, other)
    take_in(made, "gpt4all", data)
    (known,) = made.all(Kind.ENTRY).values()
    assert [file["quantization"] for file in known["artifacts"]] == ["Q4_0", "F16"]
    subjects = {member["subject"] for member in made.all(Kind.MEMBERSHIP).values()}
    assert subjects == {"entry:unknown/zeta-9000", "entry:unknown/zeta-9000#2"}
    assert json.loads(give_out(made, "gpt4all").data) == json.loads(data)
    take_in(made, "gpt4all", document(other, ITEM))
    assert json.loads(give_out(made, "gpt4all").data) == [other, ITEM]


def test_a_file_that_an_entry_has_belongs_to_that_entry_and_fills_its_gaps():
    artifact = {"name": ITEM["filename"], "url": "https://acme.example/elsewhere", "sha256": SHA}
    made = MemoryCatalog([lab(), entry("z9", name="Z9", artifacts=[artifact])])
    take_in(made, "gpt4all", document(ITEM))
    assert set(made.all(Kind.ENTRY)) == {"acme/z9"}
    known = made.all(Kind.ENTRY)["acme/z9"]
    assert known["name"] == "Z9"
    (file,) = known["artifacts"]
    assert file["url"] == "https://acme.example/elsewhere"
    assert file["size_bytes"] == 4661724384
    assert json.loads(give_out(made, "gpt4all").data) == [ITEM]


def test_a_fact_that_the_document_stated_before_follows_it_and_a_file_that_it_no_longer_lists_goes():
    made = MemoryCatalog()
    take_in(made, "gpt4all", document(ITEM))
    take_in(made, "gpt4all", changed("filesize", "4661724385"))
    (known,) = made.all(Kind.ENTRY).values()
    assert known["artifacts"][0]["size_bytes"] == 4661724385
    take_in(made, "gpt4all", changed("filename", "zeta-9000.new.gguf"))
    (known,) = made.all(Kind.ENTRY).values()
    assert [file["name"] for file in known["artifacts"]] == ["zeta-9000.new.gguf"]
    plan = take_in(made, "gpt4all", document(ITEM | {"name": "Other", "filename": "other.gguf"}))
    assert plan.report.removed == ["entry:unknown/zeta-9000"]
    assert set(made.all(Kind.ENTRY)) == {"unknown/zeta-9000", "unknown/other"}


# --- out ---------------------------------------------------------------------------------------------------------


def zeta(*files: dict[str, Any], **more: Any) -> MemoryCatalog:
    return MemoryCatalog([lab(), entry(artifacts=list(files), **more)])


WHOLE = {
    "name": "zeta.Q6_K.gguf", "url": "https://acme.example/zeta.Q6_K.gguf", "size_bytes": 10, "sha256": SHA,
    "format": "gguf", "quantization": "Q6_K",
}  # fmt: skip


def test_a_model_that_no_document_has_named_is_listed_by_its_best_file():
    small = WHOLE | {"name": "zeta.Q4_0.gguf", "quantization": "Q4_0", "ram_bytes": (3 << 30) + 1}
    view = give_out(zeta(WHOLE, small, description="Fast & <b>"), "gpt4all")
    assert json.loads(view.data) == [
        {
            "order": "acme/zeta", "sha256sum": SHA, "name": "Zeta", "filename": "zeta.Q4_0.gguf", "filesize": "10",
            "ramrequired": "4", "quant": "q4_0", "description": "Fast &amp; &lt;b&gt;",
            "url": "https://acme.example/zeta.Q6_K.gguf",
        }
    ]  # fmt: skip
    assert GPT4ALL.gate(view.data) == []
    assert json.loads(give_out(zeta(WHOLE, mode="embedding"), "gpt4all").data)[0]["embeddingModel"] is True


@pytest.mark.parametrize(
    ("file", "more", "reason"),
    [
        ({"sha256": ...}, {}, "no GGUF file of known size and SHA-256"),
        ({"size_bytes": ...}, {}, "no GGUF file of known size and SHA-256"),
        ({"url": "http://acme.example/zeta.gguf"}, {}, "under an https address"),
        ({"format": "safetensors"}, {}, "no GGUF file"),
        ({}, {"mode": "image"}, "for image"),
        ({}, {"stage": "retired"}, "retired"),
    ],
)
def test_what_lacks_a_safe_file_is_left_out_with_the_reason(
    file: dict[str, Any], more: dict[str, Any], reason: str
):
    known = {name: value for name, value in (WHOLE | file).items() if value is not ...}
    view = give_out(zeta(known, **more), "gpt4all")
    assert view.lines == ()
    assert reason in view.omissions[0].reason
    assert view.omissions[0].key == "entry:acme/zeta"


# --- the gate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ...), ("name", ""), ("filename", ...), ("filename", 5), ("filesize", ...), ("filesize", 4661724384),
        ("filesize", "4.6 GB"), ("filesize", "-1"), ("url", ...), ("url", "http://gpt4all.io/x.gguf"),
        ("url", "https://good.example@evil.example/x.gguf"), ("url", None), ("md5sum", "xyz"), ("md5sum", ...),
        ("sha256sum", "ab"), ("requires", 2.7), ("requires", "newest"), ("removedIn", None), ("ramrequired", 8),
        ("ramrequired", "8 GB"), ("order", 1), ("description", None), ("promptTemplate", None), ("disableGUI", True),
        ("isDefault", True), ("embeddingModel", "true"), ("chatTemplate", 1), ("temperature", "0.7"), ("topK", 1.5),
        ("chatTemplate", "{% include 'other' %}"), ("chatTemplate", "{%- import 'os' as os %}"),
        ("chatTemplate", "{{ ''.__class__.__mro__ }}"), ("chatTemplate", "x" * 70_000),
        ("chatTemplate", "{%+ extends x %}"), ("chatTemplate", "{%\n  call f() %}"),
    ],
)  # fmt: skip
def test_the_gate_stops_what_hides_a_model_or_is_not_safe_to_load(field: str, value: Any):
    assert any(field in reason for reason in told(changed(field, value)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("removedIn", "3.0.0-web1"), ("isDefault", "true"), ("embeddingModel", True), ("topK", 40), ("temperature", 0.7),
        ("chatTemplate", "{%- if a %}{{ bos_token }}{% elif b %}{% else %}{% endif %}{% for m in messages %}{% endfor %}"),
        ("something", {"new": None}), ("quant", ...), ("ramrequired", ...),
    ],
)  # fmt: skip
def test_the_gate_lets_through_what_gpt4all_reads(field: str, value: Any):
    assert told(changed(field, value)) == []


def test_two_digests_and_a_file_that_stands_twice_are_warnings():
    assert "goes by sha256sum" in told(changed("sha256sum", SHA), "warn")[0]
    assert "replaces the earlier" in told(document(ITEM, ITEM), "warn")[0]
    assert told(document(ITEM, ITEM)) == []


def test_the_gate_stops_a_document_of_another_shape():
    for data in (b"", b"{}", b"[]", b"null", document(None), document("x"), b'[{"name": "a", "name": "b"}]'):
        assert told(data) != []


def test_a_line_is_judged_as_it_is_in_the_document():
    assert GPT4ALL.gate_line(Line("1", "entry:acme/zeta", json.dumps(ITEM))) == []
    assert GPT4ALL.gate_line(Line("1", "entry:acme/zeta", "{}"))[0].severity == "stop"


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b'[\n{"name": "a"},\n{"order": "b"}\n]', "has no name", 3),
        (b'[{"name": "a"},\n {"name": "b",}]', "not JSON", 2),
        (b"{}", "a list is expected", 1),
        (b"[]", "the list is empty", 1),
    ],
)
def test_what_is_no_list_of_files_is_refused_with_its_line(data: bytes, reason: str, line: int):
    with pytest.raises(ParseError) as refused:
        GPT4ALL.parse(data)
    assert reason in str(refused.value)
    assert refused.value.line == line


# --- round trips -------------------------------------------------------------------------------------------------


@given(
    st.lists(
        objects(
            {"name": st.sampled_from(["Zeta", "Zeta 2", "Llama 3 8B", "β"]) | TEXT.filter(str.strip)},
            {
                "filename": st.sampled_from(["a.gguf", "b.Q4_0.gguf", "c.bin"]) | TEXT, "url": st.sampled_from(
                    ["https://acme.example/a.gguf", "http://x.example/b", "ftp://x"]
                ),
                "filesize": st.from_regex("[0-9]{1,12}", fullmatch=True), "sha256sum": DIGESTS, "order": TEXT,
                "ramrequired": st.sampled_from(["8", "0", "08", "16"]), "quant": st.sampled_from(["q4_0", "Q4_0", "f16"]),
                "embeddingModel": st.booleans(), "chatTemplate": st.none() | TEXT, "description": TEXT,
            },
        ),
        min_size=1,
        max_size=4,
    ),
)  # fmt: skip
def test_any_list_of_the_grammar_comes_out_as_it_went_in(items):
    assert_round_trip("gpt4all", items)


@pytest.mark.history
def test_every_version_comes_out_of_an_empty_catalog_and_of_one_that_saw_all_before_it():
    grown = MemoryCatalog()
    seen = 0
    for file, data in versions("gpt4all_v3"):
        for made in (MemoryCatalog(), grown):
            take_in(made, "gpt4all", data)
            view = give_out(made, "gpt4all")
            assert spelled(view.data) == spelled(data), file
            assert told(view.data) == [], file
            assert take_in(made, "gpt4all", data).changes == [], file
        seen += 1
    assert seen == 24
