"""The nginx sample that serves a store's folder, run for real: its headers are those that a bucket is told."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from almanac.handling import handling
from tests.conftest import require_program
from tests.deploy.test_nginx_sample import SAMPLES, free_port

SHA = "a" * 64
NAMES = [
    "metadata/timestamp.json",
    "metadata/1.root.json",
    "metadata/12.almanac-v1-eu.json",
    f"targets/catalog/v2/{SHA}.models.yaml",
    f"targets/catalog/v2/{SHA}.models.yaml.minisig",
    f"targets/{SHA}.mirrors.json",
    f"deltas/{SHA}/{SHA}.dcz",
    "catalog/v2/models.yaml",
    "catalog/v2/models.yaml.minisig",
    "catalog/catwalk/v2/providers",
    "catalog/openai/v1/models",
    "regions/eu/catalog/litellm/model_prices_and_context_window.json",
    "mirrors.json",
    "mirrors.json.minisig",
    "index.json",
    "minisign.pub",
]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    nginx = require_program("nginx")
    folder, port = tmp_path_factory.mktemp("mirror"), free_port()
    store = folder / "store"
    for name in [*NAMES, "metadata/.put-0123", "catalog/v2/.hidden", "notes.txt", "almanac-probe/x.json"]:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(name.encode())
    (store / f"targets/catalog/v2/{SHA}.models.yaml.gz").write_bytes(gzip.compress(b"packed"))
    (folder / "outside").write_text("a secret")
    (store / "catalog/link.json").symlink_to(folder / "outside")
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    text = (SAMPLES / "nginx-store.conf").read_text()
    text = text.replace("    listen [::]:443 ssl;\n", "").replace(
        "listen 443 ssl;", f"listen 127.0.0.1:{port};"
    )
    text = "\n".join(line for line in text.splitlines() if "ssl_certificate" not in line)
    text = text.replace("/var/lib/almanac/store", str(store))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; user root; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}\n}}\n"
    )
    subprocess.run([nginx, "-t", "-q", "-c", configuration], check=True, capture_output=True)
    process = subprocess.Popen([nginx, "-c", configuration], stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    found = answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_address_has_the_headers_that_a_bucket_is_told(mirror: int, name: str) -> None:
    status, headers, body = ask(mirror, f"/{name}")
    wanted = handling(name)
    assert (status, body) == (200, name.encode())
    assert headers["cache-control"] == wanted.cache
    assert headers["content-type"] == wanted.media_type
    assert headers["access-control-allow-origin"] == "*"
    assert "etag" in headers
    assert "content-encoding" not in headers


def test_what_is_not_changed_is_said_in_no_bytes(mirror: int) -> None:
    etag = ask(mirror, "/metadata/timestamp.json")[1]["etag"]
    status, headers, body = ask(mirror, "/metadata/timestamp.json", If_None_Match=etag)
    assert (status, body, headers["cache-control"]) == (304, b"", handling("metadata/timestamp.json").cache)


def test_a_precompressed_copy_goes_to_who_takes_it(mirror: int) -> None:
    address = f"/targets/catalog/v2/{SHA}.models.yaml"
    status, headers, body = ask(mirror, address, Accept_Encoding="gzip")
    assert (status, headers["content-encoding"], gzip.decompress(body)) == (200, "gzip", b"packed")


@pytest.mark.parametrize(
    "path",
    ["/metadata/2.root.json", "/catalog/none.yaml", "/catalog/v2/", "/catalog/v2", "/", "/metadata/.put-0123",
     "/catalog/v2/.hidden", "/notes.txt", "/almanac-probe/x.json", "/catalog/../notes.txt", "/catalog/%2e%2e/notes.txt"],
)  # fmt: skip
def test_anything_else_is_missing_and_nobody_keeps_that(mirror: int, path: str) -> None:
    status, headers, body = ask(mirror, path)
    assert status in {404, 400}
    assert headers.get("cache-control", "no-store") == "no-store"
    assert b"secret" not in body


def test_links_and_writing_are_refused(mirror: int) -> None:
    assert ask(mirror, "/catalog/link.json")[0] in {403, 404}
    assert ask(mirror, "/catalog/v2/models.yaml", "PUT")[0] == 405


# Buckets.


def test_the_bucket_s_policies_name_every_public_address_and_let_nobody_list() -> None:
    policy = json.loads((SAMPLES / "bucket-policy.json").read_text())
    read, deny = policy["Statement"]
    assert (read["Effect"], read["Principal"], read["Action"]) == ("Allow", "*", "s3:GetObject")
    patterns = [resource.removeprefix("arn:aws:s3:::example-almanac/") for resource in read["Resource"]]
    for name in NAMES:
        assert any(name == p or (p.endswith("*") and name.startswith(p[:-1])) for p in patterns), name
    assert deny["Effect"] == "Deny"
    publisher = json.loads((SAMPLES / "publisher-policy.json").read_text())
    allowed = {
        action
        for statement in publisher["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert allowed == {
        "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "cloudfront:CreateInvalidation",
    }  # fmt: skip
    assert json.loads((SAMPLES / "bucket-cors.json").read_text())["CORSRules"][0]["AllowedOrigins"] == ["*"]
