"""The nginx sample, run for real in front of a plain upstream: what it promises to refuse never gets through."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import require_program

SAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "samples"


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self):
        type(self).seen.append((self.requestline, dict(self.headers.items())))
        body = b"catalog"
        self.send_response(200)
        self.send_header("ETag", '"abc"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def upstream():
    Upstream.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def sample(folder: Path, upstream_port: int, port: int) -> Path:
    """The sample as it stands, on loopback ports and without the certificate that a test does not have."""
    text = (SAMPLES / "nginx.conf").read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream_port}")
    start, end = text.index("server {\n    listen 443"), text.index("# Readers of plain addresses")
    text = text[:start] + text[end:]
    text = text.replace("    listen [::]:80;\n", "").replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = text.replace("/etc/nginx/almanac-locations.conf", str(SAMPLES / "almanac-locations.conf"))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}\n}}\n"
    )
    return whole


@pytest.fixture(scope="module")
def proxy(upstream, tmp_path_factory):
    nginx = require_program("nginx")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    configuration = sample(folder, upstream.server_port, port)
    subprocess.run([nginx, "-t", "-q", "-c", configuration], check=True, capture_output=True)
    process = subprocess.Popen([nginx, "-c", configuration], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


def answer(port: int, payload: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(payload)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_an_honest_request_passes_with_its_etag(proxy):
    received = answer(
        proxy,
        b"GET /catalog/v2/models.yaml HTTP/1.1\r\nHost: catalog.example.org\r\nConnection: close\r\n\r\n",
    )
    assert received.startswith(b"HTTP/1.1 200")
    assert b'ETag: "abc"' in received
    assert received.endswith(b"catalog")


def test_the_admin_is_sent_to_https_and_published_files_are_not(proxy):
    received = answer(
        proxy, b"GET /admin/ HTTP/1.1\r\nHost: catalog.example.org\r\nConnection: close\r\n\r\n"
    )
    assert received.startswith(b"HTTP/1.1 308")
    assert b"Location: https://catalog.example.org/admin/" in received


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("two lengths", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nsmugg"),
        ("length and chunks", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("unknown transfer coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("no host", b"GET / HTTP/1.1\r\n\r\n"),
        ("space in the host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        ("space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\nContent-Length : 5\r\n\r\nhello"),
        ("a control character in the target", b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a NUL in a header", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n"),
        ("a 20 kB header", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"),
        ("2,000 headers", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 30) for n in range(2000)) + b"\r\n"),
        ("a 20 kB target", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("nonsense", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_and_never_reaches_the_application(proxy, name, payload):
    Upstream.seen.clear()
    received = answer(proxy, payload)
    status = received.split(b" ", 2)[1] if received.startswith(b"HTTP/") else b"closed"
    assert status in {b"400", b"413", b"414", b"431", b"494", b"501"}, received[:200]
    assert Upstream.seen == []


@pytest.mark.parametrize(
    "header", [b"X_Forwarded_For: 1.2.3.4", b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Proto: https"]
)
def test_a_forged_forwarding_header_is_replaced(proxy, header):
    Upstream.seen.clear()
    answer(proxy, b"GET / HTTP/1.1\r\nHost: a\r\n" + header + b"\r\nConnection: close\r\n\r\n")
    ((_, headers),) = Upstream.seen
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"
    assert not [name for name in headers if "_" in name]
