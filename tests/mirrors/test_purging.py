"""Caches are told after a commit, and nothing depends on it. The providers are played by a server that records what it is
asked: that the calls are the documented ones is all that is shown here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from mirrors.models import Job, Publication
from mirrors.purging.drivers import Cloudflare, CloudFront, Fastly, Generic, PurgeError
from mirrors.purging.setting import PurgeSettingError, purgers_of
from tests.mirrors.cast import EU, V2, Publisher, lines

SECRET = "hush-hush-token"
INVALIDATION = (
    b'<?xml version="1.0"?><Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">'
    b"<Id>I1</Id><Status>InProgress</Status></Invalidation>"
)


class Recorder:
    """A provider's side of the wire: remembers each request, answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.body = 200, b'{"success": true, "status": "ok"}'
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                said = {name.lower(): value for name, value in self.headers.items()}
                recorder.requests.append((self.command, self.path, said, self.rfile.read(length)))
                self.send_response(recorder.status)
                self.send_header("Content-Length", str(len(recorder.body)))
                if recorder.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(recorder.body)

            do_POST = do_PURGE = do_DELETE = do_GET = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.server.shutdown()
    recorder.server.server_close()


ADDRESSES = [
    "https://models.example/metadata/timestamp.json",
    "https://models.example/catalog/v2/models.yaml",
]


def test_cloudflare_is_told_urls_of_a_zone_with_its_token(recorder: Recorder) -> None:
    Cloudflare("zone1", SECRET, api=f"{recorder.address}/client/v4").purge(ADDRESSES, reference="7")
    ((method, path, headers, body),) = recorder.requests
    assert (method, path) == ("POST", "/client/v4/zones/zone1/purge_cache")
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert json.loads(body) == {"files": ADDRESSES}


def test_cloudflare_gets_no_more_than_it_takes_at_once(recorder: Recorder) -> None:
    many = [f"https://models.example/{number}" for number in range(101)]
    Cloudflare("zone1", SECRET, api=recorder.address).purge(many, reference="7")
    assert [len(json.loads(request[3])["files"]) for request in recorder.requests] == [100, 1]


def test_fastly_is_told_each_url_softly(recorder: Recorder) -> None:
    Fastly(SECRET, api=recorder.address).purge(ADDRESSES, reference="7")
    assert [(method, path) for method, path, _, _ in recorder.requests] == [
        ("POST", "/purge/models.example/metadata/timestamp.json"),
        ("POST", "/purge/models.example/catalog/v2/models.yaml"),
    ]
    assert {(h["fastly-key"], h["fastly-soft-purge"]) for _, _, h, _ in recorder.requests} == {(SECRET, "1")}


def test_cloudfront_gets_one_invalidation_that_names_its_publication(recorder: Recorder) -> None:
    recorder.status, recorder.body = 201, INVALIDATION

    def connect() -> Any:
        return boto3.client(
            "cloudfront",
            region_name="us-east-1",
            endpoint_url=recorder.address,
            aws_access_key_id="id",
            aws_secret_access_key=SECRET,
        )

    CloudFront("E2EXAMPLE", connect).purge([*ADDRESSES, "https://models.example/a b"], reference="7")
    ((method, path, _, body),) = recorder.requests
    assert (method, path) == ("POST", "/2020-05-31/distribution/E2EXAMPLE/invalidation")
    assert b"<CallerReference>almanac-7-0</CallerReference>" in body
    assert b"<Quantity>3</Quantity>" in body
    for item in ("/metadata/timestamp.json", "/catalog/v2/models.yaml", "/a%20b"):
        assert f"<Path>{item}</Path>".encode() in body
    recorder.status = 500
    with pytest.raises(PurgeError, match="cloudfront") as refused:
        CloudFront("E2EXAMPLE", connect).purge(ADDRESSES, reference="8")
    assert SECRET not in str(refused.value)


def test_any_other_cache_is_told_by_a_method_and_an_address(recorder: Recorder) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    Generic("PURGE", f"{recorder.address}/{{path}}", headers).purge(ADDRESSES, reference="7")
    Generic("POST", f"{recorder.address}/purge?url={{url}}").purge(ADDRESSES[:1], reference="7")
    assert [(method, path) for method, path, _, _ in recorder.requests] == [
        ("PURGE", "/metadata/timestamp.json"),
        ("PURGE", "/catalog/v2/models.yaml"),
        ("POST", "/purge?url=https%3A%2F%2Fmodels.example%2Fmetadata%2Ftimestamp.json"),
    ]
    assert recorder.requests[0][2]["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in recorder.requests[2][2]


def test_a_refusal_a_redirect_and_silence_are_one_error_without_the_token(recorder: Recorder) -> None:
    purger = Cloudflare("zone1", SECRET, api=recorder.address)
    for status, body in (
        (403, b"no"),
        (500, b""),
        (302, b""),
        (200, b'{"success": false}'),
        (200, b"<html>"),
    ):
        recorder.status, recorder.body = status, body
        with pytest.raises(PurgeError, match="cloudflare") as refused:
            purger.purge(ADDRESSES, reference="7")
        assert SECRET not in f"{refused.value} {refused.value!r} {purger!r}"
    assert all(
        path.endswith("/purge_cache") for _, path, _, _ in recorder.requests
    )  # no redirect was followed
    with pytest.raises(PurgeError, match="cannot be told"):
        Fastly(SECRET, api="http://127.0.0.1:9").purge(ADDRESSES, reference="7")


# The setting.

TOKENS = {"FASTLY_API_TOKEN": SECRET, "CLOUDFLARE_API_TOKEN": SECRET, "CDN_PURGE_TOKEN": SECRET}


def of(*words: str, tokens: dict[str, str] = TOKENS) -> tuple[Any, ...]:
    return purgers_of(words, tokens, connect=lambda: None)


def test_the_setting_names_each_kind_of_cache() -> None:
    found = of("cloudfront:E2EXAMPLE", "fastly", "cloudflare:abcd1234", "PURGE https://edge.internal/{path}")
    assert [purger.name for purger in found] == ["cloudfront", "fastly", "cloudflare", "generic"]
    assert of() == ()


@pytest.mark.parametrize(
    "word",
    ["akamai", "cloudflare", "cloudflare:../x", "cloudfront:", "fastly:zone", "PURGE https://edge.internal/",
     "PURGE ftp://edge/{path}", "purge https://edge/{path}", "PURGE https://me:secret@edge/{path}"],
)  # fmt: skip
def test_a_senseless_word_names_the_variable_and_shows_no_secret(word: str) -> None:
    with pytest.raises(PurgeSettingError, match="CDN_PURGE") as refused:
        of(word)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("word", ["fastly", "cloudflare:abcd1234"])
def test_a_missing_token_names_its_variable(word: str) -> None:
    with pytest.raises(PurgeSettingError, match="_API_TOKEN is not set"):
        of(word, tokens={})


# After a commit.


class Edge:
    """A cache that remembers what it was told, and may be away."""

    name = "edge"

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.away = False

    def purge(self, addresses: list[str], *, reference: str) -> None:
        if self.away:
            raise PurgeError("edge answered 503")
        self.told.append(addresses)


class CachedPublisher(Publisher):
    edges: tuple[Edge, ...] = ()

    @property
    def means(self) -> Any:
        from dataclasses import replace

        return replace(super().means, purgers=self.edges)


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
def publisher(tmp_path: Path, edge: Edge) -> Publisher:
    publisher = CachedPublisher(tmp_path)
    publisher.edges = (edge,)
    return publisher


def below(addresses: list[str]) -> set[str]:
    return {address.removeprefix("http://127.0.0.1:8000/") for address in addresses}


@pytest.mark.django_db
def test_only_what_a_publication_changed_is_purged_and_nothing_immutable(
    publisher: Publisher, edge: Edge
) -> None:
    publisher.publish()
    publisher.edit(V2, lines(40, changed=3))
    publisher.catalog.documents.pop(EU)
    publisher.publish()
    assert below(edge.told[-1]) == {
        "metadata/timestamp.json", V2, f"{V2}.minisig", EU, f"{EU}.minisig", "index.json",
    }  # fmt: skip
    publisher.pass_time(minutes=61)
    publisher.tick()
    assert below(edge.told[-1]) == {"metadata/timestamp.json"}
    assert not Job.objects.filter(kind=Job.Kind.PURGE).exists()


@pytest.mark.django_db
def test_a_changed_mirror_list_is_purged(publisher: Publisher, edge: Edge) -> None:
    publisher.publish()
    publisher.tick(base_url="https://models.example")
    assert "https://models.example/mirrors.json" in edge.told[-1]


@pytest.mark.django_db
def test_a_cache_that_is_away_fails_no_publication_and_is_told_by_tick(
    publisher: Publisher, edge: Edge
) -> None:
    edge.away = True
    publication = publisher.publish()
    assert publication.state == Publication.State.ANNOUNCED
    publisher.tick()
    job = Job.objects.get(kind=Job.Kind.PURGE)
    assert (job.key, job.last_error, job.attempts) == (str(publication.number), "edge answered 503", 1)
    edge.away = False
    publisher.tick()
    assert edge.told == []  # not before it is due again
    publisher.pass_time(minutes=5)
    publisher.tick()
    assert "metadata/timestamp.json" in below(edge.told[0])
    assert not Job.objects.filter(kind=Job.Kind.PURGE).exists()


@pytest.mark.django_db
def test_one_cache_that_is_away_keeps_no_other_waiting(publisher: CachedPublisher, edge: Edge) -> None:
    away = Edge()
    away.away = True
    publisher.edges = (away, edge)
    publisher.publish()
    assert len(edge.told) == 1


@pytest.mark.django_db
def test_without_caches_nothing_is_remembered(tmp_path: Path) -> None:
    Publisher(tmp_path).publish()
    assert not Job.objects.filter(kind=Job.Kind.PURGE).exists()
