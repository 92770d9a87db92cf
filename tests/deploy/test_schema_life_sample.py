"""The nginx sample that tells readers of a folder about a deprecated and a retired schema, run for real."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.conftest import require_program
from tests.deploy.test_nginx_sample import SAMPLES, free_port

CONFIGURATION = """
daemon off; user root; pid {folder}/nginx.pid; error_log {folder}/errors.log; worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {maps}
    {server}
}}
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    nginx = require_program("nginx")
    folder, port = tmp_path_factory.mktemp("life"), free_port()
    for name in ("catalog/v1/models.yaml", "catalog/v2/models.yaml", "regions/eu/catalog/v1/models.yaml"):
        (folder / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "store" / name).write_text(name)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    life = (SAMPLES / "nginx-schema-life.conf").read_text()
    lines = [line.removeprefix("#   ") for line in life.splitlines() if line.startswith("#    ")]
    store = (SAMPLES / "nginx-store.conf").read_text()
    store = re.sub(r" *(listen \[::\]|ssl_certificate).*\n", "", store)
    store = store.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    store = store.replace("/var/lib/almanac/store", str(folder / "store"))
    store = store.replace("    location / {", "\n".join(lines) + "\n    location / {")
    text = CONFIGURATION.format(folder=folder, maps=life, server=store)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, address: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", address)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("address", ["/catalog/v1/models.yaml", "/regions/eu/catalog/v1/models.yaml"])
def test_a_deprecated_document_says_so(mirror: int, address: str) -> None:
    answer, body = ask(mirror, address)
    assert (answer.status, body.decode()) == (200, address[1:])
    assert answer.headers["Deprecation"] == "@1795132800"
    assert answer.headers["Sunset"] == "Wed, 30 Jun 2027 23:59:59 GMT"
    assert answer.headers["Link"] == '</catalog/v2/models.yaml>; rel="successor-version"'


@pytest.mark.parametrize("address", ["/catalog/old/list.json", "/regions/eu/catalog/old/list.json.minisig"])
def test_a_retired_one_answers_410_with_its_successor(mirror: int, address: str) -> None:
    answer, body = ask(mirror, address)
    assert (answer.status, answer.headers["Content-Type"]) == (410, "application/problem+json")
    assert json.loads(body)["successor"] == "/catalog/v2/models.yaml"
    assert answer.headers["Link"] == '</catalog/v2/models.yaml>; rel="successor-version"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_others_say_nothing(mirror: int) -> None:
    answer, _ = ask(mirror, "/catalog/v2/models.yaml")
    assert answer.status == 200
    assert not {"Deprecation", "Sunset", "Link"} & set(answer.headers)
    assert ask(mirror, "/catalog/old/other.json")[0].status == 404
