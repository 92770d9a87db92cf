"""LiteLLM's document: what is shared, what travels as it is, what would crash its readers, and its real reader."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from catalog.records import Kind
from catalog.schemas.base import Line, ParseError, Subject
from catalog.schemas.litellm import BUNDLED, LITELLM
from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import to_json
from tests.catalog.schemas.histories import newest
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in

GPT = (
    '"gpt-x": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 4096, "max_input_tokens": 128000, '
    '"max_output_tokens": 4096, "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, '
    '"cache_read_input_token_cost": 1.25e-6, "input_cost_per_token_above_200k_tokens_priority": 0.00001, '
    '"supports_function_calling": true, "supports_vision": false, "supported_modalities": ["text", "image"], '
    '"supported_output_modalities": ["text"], "deprecation_date": "2026-12", "source": "https://example.org/prices", '
    '"rpm": 5.0, "metadata": {"b": null, "a": [1, 1.0]}}'
)


def stops(data: bytes) -> list[str]:
    return [finding.reason for finding in LITELLM.gate(data) if finding.severity == "stop"]


def record(fields: str) -> bytes:
    return b'{"a": {"litellm_provider": "openai", %s}}' % fields.encode()


# --- in ----------------------------------------------------------------------------------------------------------


def test_what_the_shared_model_knows_is_shared_and_the_rest_travels_along():
    catalog = MemoryCatalog()
    data = f"{{{GPT}}}".encode()
    take_in(catalog, "litellm", data)
    entry = catalog.all(Kind.ENTRY)["openai/gpt-x"]
    assert entry["limits"] == {"max_input_tokens": 128000, "max_output_tokens": 4096}
    assert entry["capabilities"] == {"tools": True, "vision": False}
    assert entry["modalities"] == {"input": ["text", "image"], "output": ["text"]}
    assert (entry["deprecated"], entry["sources"]) == ("2026-12", ["https://example.org/prices"])
    prices = catalog.all(Kind.OFFERING)["openai:gpt-x"]["prices"]
    assert {
        "meter": "input",
        "unit": "token",
        "amount": "0.0000025",
        "currency": "USD",
        "spelling": "2.5e-06/token",
    } in prices
    assert {
        "meter": "input", "unit": "token", "amount": "0.00001", "currency": "USD", "above_tokens": 200000,
        "service_tier": "priority", "spelling": "0.00001/token",
    } in prices  # fmt: skip
    assert len(prices) == 4
    kept = catalog.all(Kind.MEMBERSHIP)["litellm|offering:openai:gpt-x"]["native"]
    assert kept["set"] == {"rpm": "5.0", "metadata": '{"b":null,"a":[1,1.0]}'}
    assert "drop" not in kept
    assert to_json(read_json(give_out(catalog, "litellm").data).value) == to_json(read_json(data).value)


def test_reserved_keys_stay_as_they_are_in_their_place():
    data = f'{{{GPT}, "sample_spec": {{"max_tokens": "some prose"}}, "fallback_generalizations": {{"rules": [1]}}}}'.encode()
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", data)
    assert len(catalog.all(Kind.OFFERING)) == 1
    written = give_out(catalog, "litellm").data
    assert list(json.loads(written)) == ["gpt-x", "sample_spec", "fallback_generalizations"]
    assert json.loads(written) == json.loads(data)


def test_ids_are_verbatim_and_never_paths():
    names = [
        "1024-x-1024/50-steps/bedrock/amazon.nova-canvas-v1:0",
        "workers-ai/@cf/x",
        "../../etc/passwd",
        "a b",
        "A",
        "a",
    ]
    data = json.dumps({name: {"litellm_provider": "bedrock"} for name in names}).encode()
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", data)
    assert {offering["native_id"] for offering in catalog.all(Kind.OFFERING).values()} == set(names)
    assert list(json.loads(give_out(catalog, "litellm").data)) == names


def test_a_model_without_a_provider_is_kept_without_one_and_stopped_at_the_gate():
    data = b'{"a": {"mode": "chat"}, "b": {"litellm_provider": null}, "c": {"litellm_provider": 5}}'
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", data)
    written = give_out(catalog, "litellm").data
    assert json.loads(written) == json.loads(data)
    assert len(stops(written)) == 3


def test_a_key_that_stands_twice_counts_as_litellm_counts_it():
    data = b'{"a": {"litellm_provider": "x", "mode": "chat"},\n"b": {"litellm_provider": "x"},\n"a": {"litellm_provider": "y"}}'
    catalog = MemoryCatalog()
    plan = take_in(catalog, "litellm", data)
    assert "in lines 1 and 3" in plan.report.notices[0]
    assert json.dumps(json.loads(give_out(catalog, "litellm").data)) == json.dumps(json.loads(data))


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b'{"a": {},\n"b": "text"}', "'b' is not an object", 2),
        (b'{"a": {},\n"b": null}', "'b' is not an object", 2),
        (b'{"a": {},\n"b": [1]}', "'b' is not an object", 2),
        (b"[]", "an object is expected", 1),
        (b"{}", "the list is empty", 1),
        (b'{"sample_spec": {}}', "the list is empty", 1),
        ('{"gpt\u20114": {}}'.encode(), "is not an id", 1),
        (b'{"": {}}', "is not an id", 1),
        (b'{"a": {}, {}}', "not JSON", 1),
        (b'{"a": {"b": 1, "b": 2}}', "stands twice", 1),
        (b'{"a": {"b": NaN}}', "NaN", 1),
    ],
)
def test_a_document_that_would_crash_its_readers_is_refused_with_its_line(
    data: bytes, reason: str, line: int
):
    with pytest.raises(ParseError) as refused:
        LITELLM.parse(data)
    assert reason in str(refused.value)
    assert refused.value.line == line


@pytest.mark.history
def test_a_damaged_real_release_is_refused_or_read_and_never_a_traceback():
    real = newest("litellm")[:60_000]
    for cut in range(0, len(real), 4_999):
        for data in (
            real[:cut],
            real[:cut] + b"{" + real[cut:],
            real[:cut] + b"\xff" + real[cut:],
            real[:cut] + b'"' + real[cut:],
        ):
            with contextlib.suppress(ParseError):
                LITELLM.parse(data)
            assert stops(data) != []


# --- the gate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "text"}', b'{"a": null}', b'{"a": [1]}', b'{"a": 1}', b"[]", b"{}", b"", b"{",
        b'{"sample_spec": "text", "a": {"litellm_provider": "openai"}}',
        record('"input_cost_per_token": "1e-06"'), record('"input_cost_per_token": null'), record('"output_cost_per_image": true'),
        record('"max_tokens": "4096"'), record('"max_input_tokens": [1]'),
        record('"aliases": [1]'), record('"aliases": "x"'), record('"x": 1, "x": 2'),
        b'{"a": {"mode": "chat"}}', b'{"a": {"litellm_provider": ""}}',
    ],
)  # fmt: skip
def test_the_gate_stops_what_crashes_or_misprices(data: bytes):
    assert stops(data) != []


@pytest.mark.parametrize(
    "data",
    [
        record('"mode": "something new"'), record('"max_tokens": 1.5'), record('"max_tokens": null'), record('"aliases": ["b"]'),
        record('"search_context_cost_per_query": {"search_context_size_low": 0.01}'), record('"input_cost_per_token": 0'),
        b'{"sample_spec": {"max_tokens": "prose"}, "a": {"litellm_provider": "openai"}}',
    ],
)  # fmt: skip
def test_the_gate_lets_through_what_litellm_tolerates(data: bytes):
    assert stops(data) == []


def test_a_short_list_is_a_warning_that_names_both_variables():
    (finding,) = LITELLM.gate(record('"mode": "chat"'))
    assert finding.severity == "warn"
    assert "MODEL_COST_MAP_MIN_MODEL_COUNT" in finding.reason
    assert "MODEL_COST_MAP_MAX_SHRINK_RATIO" in finding.reason
    many = {f"m{number}": {"litellm_provider": "openai"} for number in range(BUNDLED // 2)}
    assert LITELLM.gate(json.dumps(many).encode()) == []


def test_an_unknown_provider_is_a_warning():
    (finding, _) = LITELLM.gate(b'{"a": {"litellm_provider": "somebody"}}')
    assert finding.severity == "warn"
    assert "somebody" in finding.reason


def test_a_line_is_judged_as_it_is_in_the_document():
    assert LITELLM.gate_line(Line("1", "offering:openai:a", '"a":{"litellm_provider":"openai"}')) == []
    assert LITELLM.gate_line(Line("1", "opaque:sample_spec", '"sample_spec":{"max_tokens":"prose"}')) == []
    for text in (
        '"a":{"litellm_provider":"openai","max_tokens":"1"}',
        '"a":{',
        '"a":{"litellm_provider":"openai"},"b":{}',
        '"a":1',
    ):
        assert LITELLM.gate_line(Line("1", "offering:openai:a", text))[0].severity == "stop"
    same = [Line("1", "offering:openai:a", '"a":{}'), Line("2", "offering:openai#2:a", '"a":{"x":1}')]
    assert LITELLM.gate_lines(same)[0].severity == "stop"
    assert LITELLM.gate_lines([Line("1", "opaque:sample_spec", '"sample_spec":{}')])[0].severity == "stop"


# --- out ---------------------------------------------------------------------------------------------------------


def derived(provider: dict[str, object], native_id: str, ordinal: int = 1) -> Subject:
    entry = {
        "lab": "x",
        "slug": "y",
        "name": "Y",
        "mode": "chat",
        "stage": "current",
        "limits": {"context_tokens": 1000},
    }
    price = {"meter": "input", "unit": "token", "amount": "0.00000125", "currency": "USD"}
    offering = {
        "provider": provider["slug"],
        "native_id": native_id,
        "ordinal": ordinal,
        "entry": "x/y",
        "stage": "current",
        "prices": [price],
    }
    return Subject(
        f"offering:{provider['slug']}:{native_id}", provider=provider, entry=entry, offering=offering
    )


def test_a_member_that_no_document_has_named_gets_the_key_that_litellm_routes_by():
    openai: dict[str, object] = {"slug": "openai", "name": "OpenAI"}
    together: dict[str, object] = {
        "slug": "together",
        "name": "Together",
        "names": {"litellm": "together_ai"},
    }
    one, two, three = (
        LITELLM.line(derived(openai, "gpt-x")),
        LITELLM.line(derived(together, "m/x")),
        LITELLM.line(derived(together, "together_ai/m/x")),
    )
    assert isinstance(one, Line)
    assert (
        one.text
        == '"gpt-x":{"input_cost_per_token":1.25e-06,"litellm_provider":"openai","max_input_tokens":1000,"mode":"chat"}'
    )
    assert isinstance(two, Line)
    assert two.text.startswith('"together_ai/m/x":{')
    assert isinstance(three, Line)
    assert three.text.startswith('"together_ai/m/x":{')


def test_automatic_membership_leaves_out_what_would_count_as_free_or_stand_twice():
    openai: dict[str, object] = {"slug": "openai", "name": "OpenAI"}
    assert LITELLM.excluded(derived(openai, "gpt-x"), {}) == ""
    assert "stands once" in LITELLM.excluded(derived(openai, "gpt-x", 2), {})
    free = derived(openai, "gpt-x")
    assert free.offering is not None
    unpriced = Subject(
        free.key, provider=free.provider, entry=free.entry, offering={**free.offering, "prices": []}
    )
    assert "free" in LITELLM.excluded(unpriced, {})


# --- the real reader ---------------------------------------------------------------------------------------------

READ = """
import litellm
from litellm.litellm_core_utils.get_model_cost_map import get_model_cost_map_source_info as info
found = litellm.get_model_info('acme/zeta-9000')
print(info()['source'], found['max_input_tokens'], found['input_cost_per_token'], found['supports_function_calling'], len(litellm.model_cost))
"""


@contextlib.contextmanager
def served(data: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/model_prices_and_context_window.json"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask_litellm(data: bytes, **environment: str) -> list[str]:
    with served(data) as url:
        known = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
        }
        done = subprocess.run(
            [sys.executable, "-c", READ],
            env=known | {"LITELLM_MODEL_COST_MAP_URL": url} | environment,
            capture_output=True, text=True, timeout=240, check=True,
        )  # fmt: skip
    return done.stdout.split()


MARKER = b"""{"acme/zeta-9000": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 4242, "max_input_tokens": 424242,
"max_output_tokens": 4242, "input_cost_per_token": 1.5e-06, "output_cost_per_token": 6e-06, "supports_function_calling": true}"""

needs_litellm = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="the package litellm is not installed"
)


@needs_litellm
@pytest.mark.slow
@pytest.mark.history
def test_the_real_litellm_reads_a_release_with_our_model_in_it():
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", MARKER + b"," + newest("litellm").lstrip()[1:])
    source, tokens, price, tools, count = ask_litellm(give_out(catalog, "litellm").data)
    assert (source, tokens, price, tools) == ("remote", "424242", "1.5e-06", "True")
    assert int(count) > 4000


@needs_litellm
@pytest.mark.slow
def test_the_real_litellm_reads_a_short_catalog_when_both_variables_are_set():
    catalog = MemoryCatalog()
    take_in(catalog, "litellm", MARKER + b"}")
    source, tokens, *_ = ask_litellm(
        give_out(catalog, "litellm").data,
        MODEL_COST_MAP_MIN_MODEL_COUNT="1",
        MODEL_COST_MAP_MAX_SHRINK_RATIO="0",
    )
    assert (source, tokens) == ("remote", "424242")
