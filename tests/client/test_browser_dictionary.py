"""Chromium itself fetches two versions of a document: the second one comes as a delta, and the page gets every byte.

What it takes, as seen with Chromium 156 and nothing but its default features: a secure context (plain
http on a loopback address is one), a same-origin ``fetch``, ``Use-As-Dictionary`` on a response that may be
cached and is still fresh, and ``Vary`` naming ``Accept-Encoding`` and ``Available-Dictionary``.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.client.static_site import MODELS, Publisher, object_address, sha256

pytest.importorskip("granian", reason="granian is not installed")

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
FETCH = """async address => {
    const answer = await fetch(address);
    const bytes = await answer.arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return {status: answer.status, sha256: [...hash].map(byte => byte.toString(16).padStart(2, '0')).join('')};
}"""

FIRST = b"".join(b"- name: model-%d\n" % number for number in range(3_000))
SECOND = FIRST.replace(b"model-42\n", b"model-forty-two\n") + b"- name: another\n"


@dataclass
class Origin:
    address: str
    publisher: Publisher
    log: Path

    def answers(self, path: str) -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [entry for entry in entries if entry["address"] == path]


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    """A real server process with the first version published."""
    publisher = Publisher(tmp_path / "store")
    publisher.publish({MODELS: FIRST})
    log = tmp_path / "log"
    log.touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = f"-m granian --interface wsgi --http 1 --no-ws --host 127.0.0.1 --port {port} --log-level error"
    environment = {**os.environ, "BROWSER_SITE_STORE": str(publisher.root), "BROWSER_SITE_LOG": str(log)}
    server = subprocess.Popen(
        [sys.executable, *command.split(), "tests.client.browser_site:application"], cwd=ROOT, env=environment
    )
    try:
        _wait_for(port)
        yield Origin(f"http://127.0.0.1:{port}", publisher, log)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not start")


@pytest.fixture
def page(origin: Origin, chromium: Any) -> Iterator[Any]:
    """In a context of its own: an empty cache, no dictionaries."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{origin.address}/")
        yield page


def test_chromium_gets_the_second_version_as_a_delta(origin: Origin, page: Any) -> None:
    first, second = object_address(MODELS, FIRST), object_address(MODELS, SECOND)
    assert page.evaluate(FETCH, first) == {"status": 200, "sha256": sha256(FIRST)}
    origin.publisher.publish({MODELS: SECOND})
    assert page.evaluate(FETCH, second) == {"status": 200, "sha256": sha256(SECOND)}

    [whole], [delta] = origin.answers(first), origin.answers(second)
    assert "content-encoding" not in whole["sent"]
    assert delta["sent"]["content-encoding"] == "dcz"
    assert re.search(r"\bdcz\b", delta["accept"])
    assert int(delta["sent"]["content-length"]) < 200 < int(whole["sent"]["content-length"])


def test_a_third_version_is_a_delta_of_the_second_that_was_one_itself(origin: Origin, page: Any) -> None:
    third = SECOND + b"- name: and another\n"
    page.evaluate(FETCH, object_address(MODELS, FIRST))
    for version in (SECOND, third):
        origin.publisher.publish({MODELS: version})
        assert page.evaluate(FETCH, object_address(MODELS, version))["sha256"] == sha256(version)
        [answer] = origin.answers(object_address(MODELS, version))
        assert answer["sent"]["content-encoding"] == "dcz"


def test_the_delta_still_comes_when_the_plain_address_is_no_longer_fresh(origin: Origin, page: Any) -> None:
    """The server's ``Age`` says that the plain answer has lain in a cache for longer than its sixty seconds."""
    plain, second = f"/{MODELS}", object_address(MODELS, SECOND)
    page.evaluate(FETCH, f"{plain}?age=61")
    page.evaluate(FETCH, object_address(MODELS, FIRST))
    origin.publisher.publish({MODELS: SECOND})
    assert page.evaluate(FETCH, second)["sha256"] == sha256(SECOND)
    [delta] = origin.answers(second)
    assert delta["sent"]["content-encoding"] == "dcz"
    assert page.evaluate(FETCH, plain)["sha256"] == sha256(SECOND)
