"""LiteLLM itself, unmodified, reads our list at its start; and crashes, falls back or miscounts with what the gate stops."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.litellm import LITELLM
from tests.catalog.schemas import test_litellm as the_gate
from tests.clients import litellm_reader, marker
from tests.clients.cases import cases_of
from tests.clients.running import Running
from tests.clients.serving import DocumentServer
from tests.clients.table import REAL, Table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is None, reason="LiteLLM is unproven here: it is not installed"
    ),
]

SHORT = {"MODEL_COST_MAP_MIN_MODEL_COUNT": "1", "MODEL_COST_MAP_MAX_SHRINK_RATIO": "0"}
"""What its users set for a list shorter than half of its own."""
MARKER = (
    b'"marker": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, '
    b'"output_cost_per_token": 1e-6, "max_input_tokens": 10}'
)
TOLERATED = tuple(map(the_gate.record, ('"input_cost_per_token": null', '"aliases": "x"', '"x": 1, "x": 2')))
"""A null counts as no price, aliases that are no list are left out, and of a doubled key it reads the last: no crash."""
MISREAD = (
    "input_cost_per_token",
    "output_cost_per_token",
    "output_cost_per_image",
    "max_tokens",
    "max_input_tokens",
)


def read(name: str, *addresses: str, **environment: str) -> list[dict[str, Any]]:
    """What a program that imports it is told, for each address of its list."""
    known = {
        variable: value for variable, value in os.environ.items() if variable in ("PATH", "HOME", "LANG")
    }
    done = subprocess.run(
        [sys.executable, litellm_reader.__file__, name, *addresses],
        env={**known, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **environment},
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(told) == len(addresses), done.stderr
    return told


def test_it_lists_the_marker_of_a_running_almanac_and_falls_back_where_our_warning_says_so(
    marked: Running, tmp_path: Path, table: Table
):
    settings = marked.almanac(tmp_path, "sync", "--for", "litellm")["installed"]["settings"]
    address = settings["LITELLM_MODEL_COST_MAP_URL"]
    (told,) = read(marker.NAME, address, **SHORT)
    (plainly,) = read(marker.NAME, address)
    assert (told["source"], told["info"]["max_input_tokens"]) == ("remote", marker.CONTEXT)
    assert told["cost"] == [0.0015, 0.006]
    assert told["info"]["supports_function_calling"]
    assert (plainly["source"], plainly["error"]) == ("local", "BadRequestError")
    warnings = [finding.reason for finding in LITELLM.gate(marked.document(LITELLM.file))]
    assert any(all(name in reason for name in SHORT) for reason in warnings)
    table.proven("litellm", run_as=REAL)


def test_what_the_gate_stops_would_have_crashed_it_or_been_misread(server: DocumentServer):
    cases: list[bytes] = cases_of(the_gate.test_the_gate_stops_what_crashes_or_misprices)
    server.bodies = {f"/{number}": beside_the_marker(data) for number, data in enumerate(cases)}
    answers = read("a", *(server.url + path for path in server.bodies), **SHORT)
    for data, told in zip(cases, answers, strict=True):
        assert any(finding.severity == "stop" for finding in LITELLM.gate(data)), data
        assert is_broken(told) is (data not in TOLERATED), (data, told)


def beside_the_marker(data: bytes) -> bytes:
    """A good model after the bad one, where the document can have one."""
    if not data.startswith(b"{") or data in (b"{}", b"{"):
        return data
    return data.rstrip()[:-1] + b", " + MARKER + b"}"


def is_broken(told: dict[str, Any]) -> bool:
    if "import" in told or "error" in told or not told["marker"]:
        return True
    stated = [told["info"].get(field) for field in MISREAD]
    return any(
        value is not None and (isinstance(value, bool) or not isinstance(value, int | float))
        for value in stated
    )
