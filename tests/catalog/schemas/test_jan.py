"""Jan's catalogs: quants always there, both spellings of the date, sizes as they are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Kind
from catalog.schemas.base import Line, ParseError
from catalog.schemas.jan import JAN, shown_size
from tests.catalog.schemas.grammar import DAYS, TEXT, VALUES, WHOLE, assert_round_trip, objects
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.factories import entry, lab

PATH = "https://huggingface.co/acme/Zeta-9000-GGUF/resolve/main/Zeta-9000-Q4_K_M.gguf"
QUANT = {"model_id": "acme/Zeta-9000-Q4_K_M", "path": PATH, "file_size": "2.3 GB"}
ITEM: dict[str, Any] = {
    "model_name": "acme/Zeta-9000-GGUF", "developer": "acme", "downloads": 1234, "createdAt": "2026-05-01T12:30:00.000Z",
    "created_at": "2026-05-01T12:30:00.000Z", "tools": True, "num_quants": 1, "quants": [QUANT], "num_mmproj": 0,
    "mmproj_models": [], "library_name": "transformers", "readme": None, "description": "**Zeta**",
    "num_safetensors": 0,
}  # fmt: skip


def told(data: bytes, severity: str = "stop") -> list[str]:
    return [finding.reason for finding in JAN.gate(data) if finding.severity == severity]


def document(*items: Any) -> bytes:
    return json.dumps(items).encode()


def changed(field: str, value: Any) -> bytes:
    return document({name: given for name, given in (ITEM | {field: value}).items() if given is not ...})


@pytest.mark.parametrize("schema", ["jan", "jan-v1"])
def test_the_files_and_what_it_can_do_are_shared_and_the_rest_travels_along(schema: str):
    made = MemoryCatalog()
    data = document(ITEM, ITEM | {"model_name": "acme/Other", "quants": []}, ITEM)
    take_in(made, schema, data)
    assert set(made.all(Kind.ENTRY)) == {"acme/zeta-9000", "acme/other"}
    known = made.all(Kind.ENTRY)["acme/zeta-9000"]
    assert (known["name"], known["capabilities"]) == ("Zeta-9000", {"tools": True})
    assert known["artifacts"] == [{"name": "Zeta-9000-Q4_K_M.gguf", "url": PATH, "format": "gguf"}]
    assert "released" not in known
    assert json.dumps(json.loads(give_out(made, schema).data)) == json.dumps(json.loads(data))
    assert told(data) == []


def test_the_model_joins_the_one_that_is_known():
    made = MemoryCatalog([lab(), entry("zeta-9000")])
    take_in(made, "jan", document(ITEM))
    assert set(made.all(Kind.ENTRY)) == {"acme/zeta-9000"}


WHOLE_FILE = {"name": "zeta.Q4_0.gguf", "url": PATH, "size_bytes": 4661724384, "format": "gguf"}


def zeta(file: dict[str, Any], **more: Any) -> MemoryCatalog:
    known = {"released": "2026-05-01"} | more
    return MemoryCatalog([lab(), entry(artifacts=[file], **known)])


def test_a_model_that_no_document_has_named_has_all_that_the_hub_reads():
    view = give_out(zeta(WHOLE_FILE, capabilities={"tools": False}), "jan")
    assert json.loads(view.data) == [
        {
            "model_name": "acme/Zeta-9000-GGUF", "description": "", "developer": "Acme", "downloads": 0,
            "createdAt": "2026-05-01T00:00:00.000Z", "created_at": "2026-05-01T00:00:00.000Z", "tools": False,
            "num_quants": 1, "quants": [{"model_id": "zeta.Q4_0", "path": PATH, "file_size": "4.3 GB"}],
            "num_mmproj": 0, "mmproj_models": [], "readme": None,
        }
    ]  # fmt: skip
    assert JAN.gate(view.data) == []
    assert "tools" not in json.loads(give_out(zeta(WHOLE_FILE), "jan").data)[0]


@pytest.mark.parametrize(
    ("file", "more", "reason"),
    [
        ({"size_bytes": ...}, {}, "no GGUF file of known size"),
        ({"url": "http://acme.example/x.gguf"}, {}, "under an https address"),
        ({"format": "mlx"}, {}, "no GGUF file"),
        ({}, {"released": "2026"}, "the day of its release is not known"),
        ({}, {"mode": "embedding"}, "for embedding"),
        ({}, {"stage": "retired"}, "retired"),
    ],
)
def test_what_lacks_a_fact_is_left_out_with_the_reason(
    file: dict[str, Any], more: dict[str, Any], reason: str
):
    known = {name: value for name, value in (WHOLE_FILE | file).items() if value is not ...}
    view = give_out(zeta(known, **more), "jan")
    assert view.lines == ()
    assert reason in view.omissions[0].reason


@pytest.mark.parametrize(
    ("size", "shown"),
    [(1, "1.0 B"), (1023, "1023.0 B"), (1024, "1.0 KB"), (1 << 20, "1.0 MB"), (2469606195, "2.3 GB"), (1 << 45, "32.0 TB")],
)  # fmt: skip
def test_a_size_is_shown_as_jan_shows_it(size: int, shown: str):
    assert shown_size(size) == shown


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_name", ...), ("model_name", " "), ("developer", None), ("description", ...), ("downloads", "1"),
        ("downloads", 1.5), ("createdAt", ...), ("createdAt", "2026-05-01"), ("tools", "true"), ("quants", ...),
        ("quants", None), ("quants", [{"model_id": "x"}]), ("quants", [QUANT | {"path": "http://x.example/y"}]),
        ("quants", [QUANT | {"file_size": 5}]), ("mmproj_models", None), ("num_quants", "1"), ("readme", 5),
    ],
)  # fmt: skip
def test_the_gate_stops_what_crashes_the_hub_or_cannot_be_loaded(field: str, value: Any):
    assert any(reason.startswith(field) for reason in told(changed(field, value)))


def test_a_missing_date_to_sort_by_and_a_name_that_stands_twice_are_warnings():
    assert told(changed("created_at", ...), "warn") == ["created_at is missing"]
    assert "stands twice" in told(document(ITEM, ITEM), "warn")[0]
    assert told(document(ITEM, ITEM)) == []


def test_the_gate_stops_a_document_of_another_shape():
    for data in (b"", b"{}", b"[]", document(None), document("x")):
        assert told(data) != []
    assert JAN.gate_line(Line("1", "entry:acme/zeta", json.dumps(ITEM))) == []
    assert JAN.gate_line(Line("1", "entry:acme/zeta", "{}"))[0].severity == "stop"


def test_what_has_no_name_is_refused_with_its_line():
    with pytest.raises(ParseError, match="has no model_name") as refused:
        JAN.parse(b'[{"model_name": "a"},\n{"model_name": null}]')
    assert refused.value.line == 2


FILES = st.lists(
    objects(
        {},
        {
            "path": st.sampled_from([PATH, "https://x.example/a.gguf?download=1", "https://x.example/", "no"]),
            "model_id": TEXT, "file_size": st.just("2.3 GB"),
        },
    ),
    max_size=3,
)  # fmt: skip


@given(
    st.lists(
        objects(
            {"model_name": st.sampled_from(["acme/Zeta-GGUF", "zeta", "/", "a/b/"]) | TEXT.filter(str.strip)},
            {
                "createdAt": DAYS.map(lambda day: f"{day}T00:00:00.000Z"), "tools": st.booleans(), "quants": FILES,
                "num_quants": WHOLE, "mmproj_models": FILES, "developer": TEXT, "downloads": WHOLE,
                "readme": st.none() | TEXT, "config": VALUES, "description": TEXT,
            },
        ),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
def test_any_list_of_the_grammar_comes_out_as_it_went_in(items):
    assert_round_trip("jan", items)
