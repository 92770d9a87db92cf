"""What a server may not do to the client: too much, too slowly, somewhere else, something else."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from backports import zstd
from tuf.api.exceptions import DownloadHTTPError

from almanac import __version__
from almanac.errors import AlmanacError, MalformedError, NetworkError
from almanac.fetch import Fetcher, Stored, _redirect

from .conftest import QUICK
from .simulator import Answer, Mirror

BODY = b"content of ours\n" * 64


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    mirror.files["file"] = BODY
    yield mirror
    mirror.close()


def get(mirror: Mirror, *, max_length: int = 10_000, path: str = "file", **options: object) -> bytes:
    return Fetcher(limits=QUICK, **options).get(mirror.url + path, max_length=max_length)  # type: ignore[arg-type]


def answer(mirror: Mirror, change: Callable[[Answer], Answer]) -> None:
    mirror.faults.append(lambda _, given: change(given))


def refused(mirror: Mirror, kind: type[AlmanacError], **options: object) -> str:
    with pytest.raises(kind) as caught:
        get(mirror, **options)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    return str(caught.value)


def test_a_body_is_fetched_and_counted(mirror: Mirror) -> None:
    fetcher = Fetcher(limits=QUICK)
    assert fetcher.get(mirror.url + "file", max_length=len(BODY)) == BODY
    assert (fetcher.cost.requests, fetcher.cost.bytes) == (1, len(BODY))


def test_a_request_names_our_program_and_nothing_else_about_who_asks(mirror: Mirror) -> None:
    get(mirror)
    assert set(mirror.asked[0]) == {"Host", "User-Agent", "Accept-Encoding"}
    assert mirror.asked[0]["User-Agent"] == f"almanac/{__version__}"


def test_an_unchanged_file_is_a_304_and_our_own_copy(mirror: Mirror) -> None:
    first = Fetcher(limits=QUICK)
    first.get(mirror.url + "file", max_length=10_000)
    etag = first.etags[mirror.url + "file"]
    again = Fetcher(limits=QUICK, stored={mirror.url + "file": Stored(etag, BODY)})
    assert again.get(mirror.url + "file", max_length=10_000) == BODY
    assert again.cost.bytes == 0


def test_a_404_is_told_apart_so_that_the_chain_of_roots_can_end(mirror: Mirror) -> None:
    with pytest.raises(DownloadHTTPError) as caught:
        get(mirror, path="nowhere")
    assert caught.value.status_code == 404


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 410, 418, 429, 500, 502, 503])
def test_any_other_status_is_not_our_content(mirror: Mirror, status: int) -> None:
    answer(mirror, lambda given: Answer(status, {}, b"" if status in (204, 304) else BODY))
    assert f"status {status}" in refused(mirror, NetworkError)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "text/html; charset=utf-8"}, b"<p>Log in</p>"),
        ({"Content-Type": "application/xhtml+xml"}, b"<p/>"),
        ({}, b"\n <!DOCTYPE html><title>Hotel</title>"),
        ({"Content-Type": "application/json"}, b"<HTML><body>"),
        ({"Content-Type": "application/json"}, b""),
    ],
)
def test_a_captive_portal_is_a_network_error(mirror: Mirror, headers: dict[str, str], body: bytes) -> None:
    answer(mirror, lambda given: Answer(200, dict(headers), body))
    assert "not our content" in refused(mirror, NetworkError)


def test_a_declared_length_that_is_too_large_is_refused_before_the_body(mirror: Mirror) -> None:
    answer(mirror, lambda given: Answer(200, {"Content-Length": str(10**12)}, iter([b"x"])))
    started = time.monotonic()
    refused(mirror, MalformedError, max_length=len(BODY))
    assert time.monotonic() - started < QUICK.wall_s


def test_a_body_without_end_is_cut_off_soon_after_what_is_allowed(mirror: Mirror) -> None:
    answer(mirror, lambda given: Answer(200, {}, (b"x" * 65536 for _ in range(10_000))))
    fetcher = Fetcher(limits=QUICK)
    with pytest.raises(MalformedError):
        fetcher.get(mirror.url + "file", max_length=100_000)
    assert fetcher.cost.bytes < 100_000 + 2 * 65536


def test_one_byte_more_than_allowed_is_too_long(mirror: Mirror) -> None:
    assert get(mirror, max_length=len(BODY)) == BODY
    refused(mirror, MalformedError, max_length=len(BODY) - 1)


def test_a_body_that_breaks_off_is_a_network_error(mirror: Mirror) -> None:
    answer(mirror, lambda given: Answer(200, {"Content-Length": "2000"}, iter([BODY])))
    refused(mirror, NetworkError)


def dribble(piece: bytes, pause: float) -> Iterator[bytes]:
    for _ in range(200):
        yield piece
        time.sleep(pause)


def test_a_server_that_sends_a_byte_at_a_time_is_given_up(mirror: Mirror) -> None:
    answer(mirror, lambda given: Answer(200, {}, dribble(b"x", 0.02)))
    with pytest.raises(NetworkError, match="too slow"):
        Fetcher(limits=replace(QUICK, wall_s=600)).get(mirror.url + "file", max_length=10_000)


def test_a_download_that_takes_too_long_in_all_is_given_up_though_it_is_quick_enough(mirror: Mirror) -> None:
    answer(mirror, lambda given: Answer(200, {}, dribble(b"x" * 4096, 0.02)))
    with pytest.raises(NetworkError, match="too slow"):
        Fetcher(limits=replace(QUICK, wall_s=0.4)).get(mirror.url + "file", max_length=10_000_000)


def raw_server(*reply: bytes, hold: float = 0.0) -> tuple[str, socket.socket]:
    """Says these bytes to whoever connects, whatever they ask."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                for piece in reply:
                    connection.sendall(piece)
                time.sleep(hold)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/x", listener


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999999 No\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_a_network_error(reply: bytes) -> None:
    url, listener = raw_server(reply)
    with listener, pytest.raises(NetworkError):
        Fetcher(limits=QUICK).get(url, max_length=1000)


def test_a_server_that_says_nothing_is_given_up() -> None:
    url, listener = raw_server(b"", hold=4)
    with listener, pytest.raises(NetworkError, match="no answer in time"):
        Fetcher(limits=QUICK).get(url, max_length=1000)


def test_nobody_there_is_a_network_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NetworkError, match="nothing answers"):
        Fetcher(limits=QUICK).get(f"http://127.0.0.1:{port}/", max_length=10)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_from_http_is_not_followed(mirror: Mirror, status: int) -> None:
    answer(mirror, lambda given: Answer(status, {"Location": mirror.url + "other"}))
    refused(mirror, NetworkError)
    assert len(mirror.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["http://mirror.example/x", "file:///etc/passwd", "https://mirror.example:8443/x", "ftp://mirror.example/", "",
     "https://user@mirror.example/x", "//mirror.example:99999/x", "javascript:alert(1)"],
)  # fmt: skip
def test_a_redirect_to_another_scheme_port_or_user_is_not_followed(location: str) -> None:
    with pytest.raises(NetworkError):
        _redirect("https://mirror.example/file", location)


@pytest.mark.parametrize("location", ["https://other.example/x", "/x", "//other.example/x"])
def test_a_redirect_between_https_addresses_is_followed(location: str) -> None:
    assert _redirect("https://mirror.example/file", location).startswith("https://")


# Encodings


def encoded(mirror: Mirror, encoding: str, body: bytes) -> None:
    answer(mirror, lambda given: Answer(200, {"Content-Encoding": encoding}, body))


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress), ("identity", bytes)]
)
def test_encodings_that_we_ask_for_are_undone(
    mirror: Mirror, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    encoded(mirror, encoding, encode(BODY))
    assert get(mirror, max_length=len(BODY)) == BODY


@pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_bomb_is_cut_off_at_what_is_allowed(
    mirror: Mirror, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    import tracemalloc

    bomb = encode(b"\0" * 50_000_000)
    encoded(mirror, encoding, bomb)
    tracemalloc.start()
    refused(mirror, MalformedError, max_length=100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def wide_window(data: bytes) -> bytes:
    """A good frame that makes its reader keep 128 MiB."""
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"anything"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0)),
        ("dcz", b"anything"),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-4]),
        ("gzip", gzip.compress(BODY, mtime=0) + b"junk"),
        ("gzip", gzip.compress(BODY, mtime=0) + gzip.compress(BODY, mtime=0)),
        ("gzip", zlib.compress(BODY)),
        ("zstd", b"not zstd"),
        ("zstd", zstd.compress(BODY)[:-3]),
        ("zstd", zstd.compress(BODY) + b"junk"),
        ("zstd", zstd.compress(BODY) + zstd.compress(BODY)),
        ("zstd", wide_window(BODY)),
    ],
)  # fmt: skip
def test_a_broken_or_unwanted_encoding_is_malformed(mirror: Mirror, encoding: str, body: bytes) -> None:
    encoded(mirror, encoding, body)
    refused(mirror, MalformedError)


def test_progress_is_told_in_bytes(mirror: Mirror) -> None:
    told: list[tuple[str, int, int]] = []
    get(mirror, progress=lambda *facts: told.append(facts))
    assert told[-1] == (mirror.url + "file", len(BODY), len(BODY))
