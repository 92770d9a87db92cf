"""LM Studio's catalog: every file with its size and digest, and its own way of spelling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Line, ParseError
from catalog.schemas.lmstudio import LMSTUDIO
from tests.catalog.schemas.grammar import (
    DAYS,
    DIGESTS,
    TEXT,
    VALUES,
    WHOLE,
    assert_round_trip,
    objects,
    spelled,
)
from tests.catalog.schemas.histories import newest, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab

SHA = "a" * 64
HOME = "https://huggingface.co/acme/zeta-GGUF"
FILE: dict[str, Any] = {
    "name": "zeta.Q4_K_S.gguf", "url": f"{HOME}/resolve/main/zeta.Q4_K_S.gguf", "sizeBytes": 4140373696,
    "quantization": "Q4_K_S", "format": "gguf", "sha256checksum": SHA,
    "publisher": {"name": "TheBloke", "socialUrl": "https://example.org/TheBloke"},
    "respository": "acme/zeta-GGUF", "repositoryUrl": HOME,
}  # fmt: skip
ITEM: dict[str, Any] = {
    "_descriptorVersion": "0.0.1", "datePublished": "2026-05-01T16:54:57.000Z", "name": "Zeta β", "description": "🌱",
    "author": {"name": "Acme", "url": "https://acme.example", "blurb": "We"}, "numParameters": "7B",
    "resources": {
        "canonicalUrl": "https://huggingface.co/acme/zeta", "paperUrl": "https://acme.example/p", "downloadUrl": HOME,
    },
    "trainedFor": "chat", "arch": "zeta",
    "files": {"highlighted": {"economical": {"name": "zeta.Q4_K_S.gguf"}}, "all": [FILE]},
}  # fmt: skip


def told(data: bytes, severity: str = "stop") -> list[str]:
    return [finding.reason for finding in LMSTUDIO.gate(data) if finding.severity == severity]


def document(*items: Any) -> bytes:
    return json.dumps(items).encode()


def changed(path: str, value: Any) -> bytes:
    item = json.loads(json.dumps(ITEM))
    *parents, name = path.split(".")
    place: Any = item
    for parent in parents:
        place = place[int(parent) if isinstance(place, list) else parent]
    if value is ...:
        del place[name]
    else:
        place[name] = value
    return document(item)


def test_names_dates_links_and_files_are_shared_and_the_rest_travels_along():
    made = MemoryCatalog()
    take_in(made, "lmstudio", document(ITEM))
    ((key, known),) = made.all(Kind.ENTRY).items()
    assert key == "acme/zeta"
    assert (known["name"], known["released"], known["mode"]) == ("Zeta β", "2026-05-01", "chat")
    assert known["links"] == {
        "canonical": "https://huggingface.co/acme/zeta", "paper": "https://acme.example/p", "download": HOME,
    }  # fmt: skip
    (file,) = known["artifacts"]
    assert file == {
        "name": FILE["name"], "url": FILE["url"], "size_bytes": 4140373696, "sha256": SHA, "format": "gguf",
        "quantization": "Q4_K_S",
    }  # fmt: skip
    kept = made.all(Kind.MEMBERSHIP)["lmstudio|entry:acme/zeta"]["native"]["set"]
    assert not {"name", "trainedFor", "resources.canonicalUrl", "files.highlighted"} & kept.keys()
    view = give_out(made, "lmstudio")
    assert json.dumps(json.loads(view.data)) == json.dumps([ITEM])
    assert LMSTUDIO.gate(view.data) == []


def test_what_one_document_adds_to_a_file_does_not_change_anothers_document():
    made = MemoryCatalog()
    theirs = {
        "name": "Zeta β",
        "filename": FILE["name"],
        "url": FILE["url"],
        "md5sum": "b" * 32,
        "filesize": "1",
    }
    take_in(made, "gpt4all", document(theirs))
    take_in(made, "lmstudio", document(ITEM))
    (known,) = made.all(Kind.ENTRY).values()
    assert known["artifacts"][0]["sha256"] == SHA
    assert json.loads(give_out(made, "gpt4all").data) == [theirs]
    assert json.loads(give_out(made, "lmstudio").data) == [ITEM]


def zeta(file: dict[str, Any], **more: Any) -> MemoryCatalog:
    known = {"released": "2026-05-01", "links": {"canonical": "https://huggingface.co/acme/zeta"}} | more
    return MemoryCatalog(
        [
            lab(url="https://acme.example"),
            entry(artifacts=[file], **{name: value for name, value in known.items() if value is not ...}),
        ]
    )


WHOLE_FILE = {
    "name": "zeta.gguf", "url": f"{HOME}/resolve/main/zeta.gguf", "size_bytes": 10, "sha256": SHA, "format": "gguf",
    "quantization": "Q8_0",
}  # fmt: skip


def test_a_model_that_no_document_has_named_is_whole_and_claims_nothing_that_is_not_known():
    view = give_out(zeta(WHOLE_FILE), "lmstudio")
    assert json.loads(view.data) == [
        {
            "_descriptorVersion": "0.0.1", "datePublished": "2026-05-01T00:00:00", "name": "Zeta", "description": "",
            "author": {"name": "Acme", "url": "https://acme.example", "blurb": ""}, "numParameters": "",
            "resources": {"canonicalUrl": "https://huggingface.co/acme/zeta", "downloadUrl": HOME},
            "trainedFor": "chat", "arch": "",
            "files": {
                "highlighted": {"economical": {"name": "zeta.gguf"}},
                "all": [
                    {
                        "name": "zeta.gguf", "url": f"{HOME}/resolve/main/zeta.gguf", "sizeBytes": 10,
                        "quantization": "Q8_0", "format": "gguf", "sha256checksum": SHA,
                        "publisher": {"name": "acme", "socialUrl": ""},
                        "respository": "acme/zeta-GGUF", "repositoryUrl": HOME,
                    }
                ],
            },
        }
    ]  # fmt: skip
    assert LMSTUDIO.gate(view.data) == []


@pytest.mark.parametrize(
    ("file", "more", "reason"),
    [
        ({"sha256": ...}, {}, "no GGUF file of known size and SHA-256"),
        ({"size_bytes": ...}, {}, "no GGUF file of known size and SHA-256"),
        ({"url": "https://acme.example/zeta.gguf"}, {}, "in a repository on Hugging Face"),
        ({}, {"released": "2026-05"}, "the day of its release is not known"),
        ({}, {"links": ...}, "no link to its own page"),
        ({}, {"stage": "retired"}, "retired"),
    ],
)
def test_what_lacks_a_fact_is_left_out_with_the_reason(
    file: dict[str, Any], more: dict[str, Any], reason: str
):
    known = {name: value for name, value in (WHOLE_FILE | file).items() if value is not ...}
    view = give_out(zeta(known, **more), "lmstudio")
    assert view.lines == ()
    assert reason in view.omissions[0].reason


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("datePublished", ...), ("datePublished", "2026-05-01"), ("name", ""), ("description", None), ("author", ...),
        ("author.name", ...), ("author.blurb", None), ("numParameters", 7), ("resources", []),
        ("resources.canonicalUrl", ...), ("resources.downloadUrl", None), ("trainedFor", ...), ("arch", ...),
        ("files", ...), ("files.highlighted", ...), ("files.all", ...), ("files.all", []), ("files.all", [None]),
        ("files.all.0.name", ""), ("files.all.0.url", "http://acme.example/x"), ("files.all.0.sizeBytes", "10"),
        ("files.all.0.sizeBytes", 1.5), ("files.all.0.sha256checksum", "ab"), ("files.all.0.sha256checksum", ...),
        ("files.all.0.respository", ...), ("files.all.0.publisher", ...), ("files.all.0.quantization", None),
        ("files.all.0.repositoryUrl", "x"), ("files.all.0.format", ...),
    ],
)  # fmt: skip
def test_the_gate_stops_what_cannot_be_shown_or_loaded(path: str, value: Any):
    assert any(path.split(".", maxsplit=1)[0] in reason for reason in told(changed(path, value)))


def test_another_spelling_of_the_version_and_a_name_that_stands_twice_are_warnings():
    assert told(changed("_descriptorVersion", "0.0.2"), "warn") == ["_descriptorVersion must be 0.0.1"]
    assert "stands twice" in told(document(ITEM, ITEM), "warn")[0]


def test_the_gate_stops_a_document_of_another_shape():
    for data in (b"", b"{}", b"[]", document(None), document("x")):
        assert told(data) != []
    assert LMSTUDIO.gate_line(Line("1", "entry:acme/zeta", json.dumps(ITEM))) == []
    assert LMSTUDIO.gate_line(Line("1", "entry:acme/zeta", "{}"))[0].severity == "warn"


def test_what_has_no_name_is_refused_with_its_line():
    with pytest.raises(ParseError, match="has no name") as refused:
        LMSTUDIO.parse(b'[{"name": "a"},\n{"name": ""}]')
    assert refused.value.line == 2


FILES = st.lists(
    objects(
        {"name": st.sampled_from(["a.gguf", "b.gguf", "c.bin"]) | TEXT},
        {
            "url": st.sampled_from([f"{HOME}/resolve/main/a.gguf", "https://x.example/b", "file:///etc/passwd"]),
            "sizeBytes": WHOLE, "sha256checksum": DIGESTS, "format": st.just("gguf"),
            "quantization": st.sampled_from(["Q4_0", "Q8_0"]), "respository": TEXT,
        },
    ),
    max_size=3,
)  # fmt: skip


@given(
    st.lists(
        objects(
            {"name": st.sampled_from(["Zeta", "Zeta 2", "β"]) | TEXT.filter(str.strip)},
            {
                "datePublished": DAYS.map(lambda day: f"{day}T00:00:00") | TEXT, "description": TEXT,
                "author": st.dictionaries(st.sampled_from(["name", "url", "blurb"]), TEXT),
                "resources": st.dictionaries(
                    st.sampled_from(["canonicalUrl", "paperUrl", "downloadUrl"]),
                    st.sampled_from(["https://acme.example/a", "https://x@y/", "no"]),
                ),
                "trainedFor": st.sampled_from(["chat", "other", "instruct"]),
                "files": st.fixed_dictionaries({"all": FILES, "highlighted": VALUES}), "arch": TEXT,
            },
        ),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_any_list_of_the_grammar_comes_out_as_it_went_in(items):
    assert_round_trip("lmstudio", items)


@pytest.mark.history
def test_every_version_comes_out_of_an_empty_catalog_and_of_one_that_saw_all_before_it():
    grown = MemoryCatalog()
    seen = 0
    for file, data in versions("lmstudio"):
        for made in (MemoryCatalog(), grown):
            take_in(made, "lmstudio", data)
            view = give_out(made, "lmstudio")
            assert spelled(view.data) == spelled(data), file
            assert told(view.data) == [], file
            assert take_in(made, "lmstudio", data).changes == [], file
        seen += 1
    assert seen == 28


@pytest.mark.history
def test_lists_of_files_and_of_offerings_live_in_one_catalog_and_none_changes_anothers_document():
    made = MemoryCatalog()
    documents: dict[str, bytes] = {}
    steps = [("lmstudio", data) for _, data in versions("lmstudio")[::4]]
    steps[2:2] = [("gpt4all", data) for _, data in versions("gpt4all_v3")[::4]]
    steps[4:4] = [("litellm", newest("litellm"))]
    for name, data in [*steps, ("gpt4all", newest("gpt4all_v3")), ("litellm", versions("litellm")[3][1])]:
        take_in(made, name, data)
        documents[name] = data
        for other in documents.keys() - {"litellm"}:
            assert spelled(give_out(made, other).data) == spelled(documents[other]), (name, other)
    assert set(documents) == {"lmstudio", "gpt4all", "litellm"}
    for name, data in documents.items():
        assert take_in(made, name, data).changes == [], name
