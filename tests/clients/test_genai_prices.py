"""genai-prices itself, unmodified, reads our document and computes with our prices."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from catalog.records import Kind
from catalog.schemas.genai_prices import GENAI_V2
from tests.catalog.schemas.histories import newest
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.catalog.schemas.test_genai_prices import document, model_with, prices
from tests.factories import entry, lab, offering, price, provider

genai_prices = pytest.importorskip(
    "genai_prices", reason="genai-prices is unproven here: it is not installed"
)


class _Document(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body: bytes = self.server.body  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        return


@pytest.fixture
def serving() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Document)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def updating(server: ThreadingHTTPServer, body: bytes) -> Any:
    server.body = body  # type: ignore[attr-defined]
    return genai_prices.UpdatePrices(url=f"http://127.0.0.1:{server.server_port}/genai-prices/v2/data.json")


def computed(model: str, provider: str = "acme", **usage: int) -> Any:
    return genai_prices.calc_price(
        genai_prices.Usage(**usage), model_ref=model, provider_id=provider
    ).total_price


def test_it_computes_with_our_price(serving: ThreadingHTTPServer):
    catalog = MemoryCatalog(
        [
            lab(),
            provider("acme", api="https://api.acme.example/v1"),
            entry("zeta-9000", limits={"context_tokens": 424242}),
            offering(
                "zeta-9000",
                entry="acme/zeta-9000",
                prices=[
                    price("0.0000015"),
                    price("0.000003", above_tokens=2_000_000),
                    price("0.000006", meter="output"),
                    price("0.00000015", meter="cache_read"),
                ],
            ),
        ]
    )
    data = give_out(catalog, "genai-prices").data
    assert GENAI_V2.gate(data) == []
    with updating(serving, data) as update:
        assert update.wait(20)
        million = 10**6
        assert computed("zeta-9000", input_tokens=million, output_tokens=million) == 7.5
        assert computed("ZETA-9000", input_tokens=3 * million) == 9
        assert str(computed("zeta-9000", input_tokens=million, cache_read_tokens=million)) == "0.15"


@pytest.mark.parametrize(
    "bad",
    [
        model_with(match=...),
        model_with(match={}),
        model_with(context_window=1.5),
        model_with(prices="free"),
        model_with(id=...),
    ],
)
def test_what_the_gate_stops_would_have_failed_the_update(bad: Any, serving: ThreadingHTTPServer):
    assert any(finding.severity == "stop" for finding in GENAI_V2.gate(document(bad)))
    with updating(serving, document(bad)) as update, pytest.raises(Exception):
        update.wait(20)


@pytest.mark.parametrize(
    "bad",
    [
        prices(output_mtok=1, cache_read_mtok=1),
        prices(input_mtok=1, cache_read_mtok=1, input_audio_mtok=1),
        prices(input_mtok=-1),
        model_with(prices=[]),
    ],
)
def test_what_the_gate_stops_would_have_failed_the_calculation(bad: Any, serving: ThreadingHTTPServer):
    assert any(finding.severity == "stop" for finding in GENAI_V2.gate(document(bad)))
    with updating(serving, document(bad)) as update:
        assert update.wait(20)
        with pytest.raises((ValueError, IndexError)):
            computed("zeta-9000", input_tokens=1000)


@pytest.mark.history
@pytest.mark.slow
def test_every_price_that_we_write_of_others_facts_can_be_computed(serving: ThreadingHTTPServer):
    """From one import of models.dev: each model of each provider, by the client itself."""
    catalog = MemoryCatalog()
    take_in(catalog, "models.dev", newest("modelsdev"))
    data = give_out(catalog, "genai-prices").data
    listed = [(each["id"], model) for each in json.loads(data) for model in each["models"]]
    assert len(listed) > 4000
    with updating(serving, data) as update:
        assert update.wait(60)
        for name, model in listed:
            total = computed(model["id"], provider=name, input_tokens=1000, output_tokens=1000)
            stated = model["prices"].get("output_mtok", 0)
            if stated not in (0, 0.0):
                assert total > 0, (name, model["id"])
    assert len(catalog.all(Kind.OFFERING)) > len(listed)
