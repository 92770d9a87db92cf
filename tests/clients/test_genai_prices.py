"""genai-prices itself, unmodified, reads our document and computes with our prices; and fails with what the gate stops."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from catalog.schemas.genai_prices import GENAI_V2
from tests.catalog.schemas import test_genai_prices as the_gate
from tests.catalog.schemas.memory import MemoryCatalog, give_out
from tests.catalog.schemas.test_genai_prices import document
from tests.clients import marker
from tests.clients.cases import cases_of
from tests.clients.running import Running
from tests.clients.serving import DocumentServer
from tests.clients.table import REAL, Table
from tests.factories import entry, lab, offering, price, provider

genai_prices = pytest.importorskip(
    "genai_prices", reason="genai-prices is unproven here: it is not installed"
)
MILLION = 10**6
TOLERATED = ("deprecated: write true or false", "model_match.regex repeats what repeats itself")
"""The first it reads as text for true; the second is slow only for the names that a stranger would choose."""


def updating(url: str) -> Any:
    return genai_prices.UpdatePrices(url=f"{url}/catalog/genai-prices/v2/data.json")


def computed(model: str, **more: Any) -> Any:
    usage = {name: more.pop(name) for name in list(more) if name.endswith("_tokens")}
    where = more or {"provider_id": "acme"}
    return genai_prices.calc_price(genai_prices.Usage(**usage), model_ref=model, **where).total_price


def test_it_computes_with_the_price_of_a_running_almanac(marked: Running, tmp_path: Path, table: Table):
    (line,) = marked.almanac(tmp_path, "sync", "--for", "genai-prices")["installed"]["configuration"]
    url = re.search('"(.*)"', line)
    assert url is not None
    with genai_prices.UpdatePrices(url=url[1]) as update:
        assert update.wait(60)
        assert computed(marker.NAME, input_tokens=MILLION, output_tokens=MILLION) == 7.5
        by_address = {"provider_api_url": "https://api.acme.example/v1"}
        assert computed(marker.NAME, input_tokens=MILLION, **by_address) == 1.5
    table.proven("genai-prices", run_as=REAL)


def test_it_computes_with_our_price_for_each_size(server: DocumentServer):
    prices = [
        price("0.0000015"),
        price("0.000003", above_tokens=2 * MILLION),
        price("0.000006", meter="output"),
        price("0.00000015", meter="cache_read"),
    ]
    catalog = MemoryCatalog(
        [
            lab(),
            provider("acme", api="https://api.acme.example/v1"),
            entry("zeta-9000", limits={"context_tokens": 424242}),
            offering("zeta-9000", entry="acme/zeta-9000", prices=prices),
        ]
    )
    server.body = give_out(catalog, "genai-prices").data
    assert GENAI_V2.gate(server.body) == []
    with updating(server.url) as update:
        assert update.wait(60)
        assert computed("zeta-9000", input_tokens=MILLION, output_tokens=MILLION) == 7.5
        assert computed("ZETA-9000", input_tokens=3 * MILLION) == 9
        assert str(computed("zeta-9000", input_tokens=MILLION, cache_read_tokens=MILLION)) == "0.15"


BAD = [
    *((document(model), reason) for model, reason in cases_of(the_gate.test_a_model_that_would_break_the_client_is_stopped)),
    *((document(**head), reason) for head, reason in cases_of(the_gate.test_a_provider_that_would_break_the_client_is_stopped)),
    *cases_of(the_gate.test_a_document_that_the_client_would_refuse_is_stopped),
]  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), BAD, ids=[f"{n}-{case[1][:40]}" for n, case in enumerate(BAD)])
def test_what_the_gate_stops_would_have_failed_the_update_or_a_calculation(
    data: bytes, reason: str, server: DocumentServer
):
    assert any(finding.severity == "stop" for finding in GENAI_V2.gate(data))
    server.body = data
    assert is_broken(server.url) is (reason not in TOLERATED)


def is_broken(url: str) -> bool:
    """Fetched as its thread fetches. Its errors have no one class: whatever is raised where a price was asked for counts."""
    usage = genai_prices.Usage(input_tokens=1000, cache_read_tokens=10)
    try:
        snapshot = updating(url).fetch()
        for provider, address in (("acme", None), (None, "https://api.acme.example/v1")):
            snapshot.calc(usage, "zeta-9000", provider, address, None)
    except Exception:  # noqa: BLE001
        return True
    return False
