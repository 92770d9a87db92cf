"""A small S3 of our own that fails when it is told to, over real sockets: for tests, never for use.

It keeps objects in memory, honours conditions, verifies checksums, and does none of what makes S3 slow to write:
signatures are looked at (is there one, of a known key, of now?) and not computed. What it can be told:

* a ``Nature``: which lies it tells all the time (conditions ignored, refused, raced; reads that lag behind writes);
* ``Fault``s: at the nth call of an operation, an error, a silence, a broken connection, damaged bytes, old bytes.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from almanac.stores import MemoryStore

Conditions = Literal["honoured", "ignored", "refused", "raced"]
KEPT = ("content-type", "content-encoding", "cache-control")
SKEW_S = 15 * 60
SILENCE_S = 5.0
RACE_S = 0.15
ANSWERS = {
    400: "BadRequest", 403: "AccessDenied", 404: "NoSuchKey", 409: "ConditionalRequestConflict", 412: "PreconditionFailed",
    429: "TooManyRequests", 500: "InternalError", 501: "NotImplemented", 503: "SlowDown",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What happens at the ``nth`` call of ``op`` (``*``: of any), and at the ``times`` - 1 that follow.

    ``do``: a status (``"503"``, with ``code`` for another error code), ``"silence"``, ``"drop"``, ``"delay"``;
    of these ``after`` means that the call takes effect first. For bodies: ``"truncate"`` (the connection ends early),
    ``"short"`` (an answer that is whole in itself and lacks the end), ``"flip"`` (one bit), ``"stale"`` (as before the
    newest write). A PUT that is ``short`` or ``flip``ped is kept so, and acknowledged.
    """

    do: str
    op: str = "*"
    nth: int = 1
    after: bool = False
    times: int = 1
    code: str = ""

    def hits(self, op: str, calls: dict[str, int]) -> bool:
        return self.op in ("*", op) and 0 <= calls[self.op] - self.nth < self.times


@dataclass(frozen=True)
class Nature:
    """How this store always is."""

    conditions: Conditions = "honoured"
    lagging_reads: int = 0
    """So many reads after a write still give what was there before it."""
    keeps_headers: bool = True
    knows_checksums: bool = True
    """Trailing checksums, which newer clients send unbidden, are refused where this is false."""
    most_listed: int = 1000


@dataclass
class Kept:
    data: bytes
    headers: dict[str, str]
    before: Kept | None = None
    lag: int = 0

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


@dataclass
class Asked:
    op: str
    key: str
    query: dict[str, str]
    headers: Any
    body: bytes
    anonymous: bool

    @property
    def condition(self) -> str:
        return self.headers.get("If-None-Match") or self.headers.get("If-Match") or ""


class AnswerError(Exception):
    def __init__(self, status: int, code: str = "", **headers: str) -> None:
        self.status, self.code, self.headers = status, code or ANSWERS.get(status, "Error"), headers
        super().__init__(self.code)


@dataclass
class FaultS3:
    """Its state and its rules; ``running()`` puts it on a socket."""

    bucket: str = "models"
    nature: Nature = field(default_factory=Nature)
    faults: tuple[Fault, ...] = ()
    public: bool = False
    access_key: str = "AKIATESTS"
    objects: dict[str, Kept] = field(default_factory=dict)
    log: list[Asked] = field(default_factory=list)
    endpoint: str = ""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._calls: dict[str, int] = {}
        self._uploads: dict[str, tuple[str, dict[str, str], dict[int, bytes]]] = {}
        self._numbers = itertools.count(1)
        self.break_by()

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this store needs to know."""
        return {
            "S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": "secret of the tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def calls(self) -> int:
        """Since the last ``break_by``."""
        return self._calls["*"]

    def break_by(self, *faults: Fault) -> None:
        """From now on, counting anew."""
        with self._lock:
            self.faults = faults
            self._calls = dict.fromkeys(("*", "GET", "HEAD", "PUT", "LIST", "DELETE", "POST"), 0)

    def forget(self) -> None:
        """As it was on the first day."""
        self.objects.clear()
        self.log.clear()
        self.bucket, self.nature, self.public = "models", Nature(), False
        self.break_by()

    def contents(self, prefix: str = "") -> MemoryStore:
        """What truly lies there, as a store: for whoever looks without a socket."""
        store = MemoryStore()
        for key, kept in self.objects.items():
            if key.startswith(prefix):
                store.put(key.removeprefix(prefix), kept.data)
        return store

    def fault_of(self, asked: Asked) -> Fault | None:
        with self._lock:
            self.log.append(asked)
            for op in ("*", asked.op):
                self._calls[op] += 1
            return next((fault for fault in self.faults if fault.hits(asked.op, self._calls)), None)

    # -- rules ------------------------------------------------------------------------------------

    def answer(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        self._admit(asked)
        answers = {"GET": self._get, "HEAD": self._get, "LIST": self._list, "DELETE": self._delete}
        if asked.op in answers:
            return answers[asked.op](asked, fault)
        self._verify(asked)
        if "uploadId" in asked.query or "uploads" in asked.query:
            return self._multipart(asked)
        return self._put(asked, fault)

    def _admit(self, asked: Asked) -> None:
        if asked.key.partition("/")[0] != self.bucket:
            raise AnswerError(404, "NoSuchBucket")
        if asked.anonymous:
            if not self.public or asked.op not in ("GET", "HEAD"):
                raise AnswerError(403)
            return
        if f"Credential={self.access_key}/" not in asked.headers["Authorization"]:
            raise AnswerError(403, "InvalidAccessKeyId")
        sent = datetime.strptime(asked.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - sent).total_seconds()) > SKEW_S:
            raise AnswerError(403, "RequestTimeTooSkewed")

    def _verify(self, asked: Asked) -> None:
        if asked.headers.get("X-Amz-Trailer") and not self.nature.knows_checksums:
            raise AnswerError(501)
        promised = {
            "X-Amz-Checksum-Sha256": base64.b64encode(hashlib.sha256(asked.body).digest()).decode(),
            "Content-MD5": base64.b64encode(hashlib.md5(asked.body).digest()).decode(),
        }
        for header, truth in promised.items():
            if asked.headers.get(header, truth) != truth:
                raise AnswerError(400, "BadDigest")

    def _seen(self, key: str, fault: Fault | None) -> Kept | None:
        with self._lock:
            kept = self.objects.get(key)
            if kept and fault and fault.do == "stale":
                return kept.before
            if kept and kept.lag > 0:
                kept.lag -= 1
                return kept.before
            return kept

    def _get(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        kept = self._seen(_name(asked), fault)
        if kept is None:
            raise AnswerError(404)
        return 200, {**kept.headers, "ETag": kept.etag}, kept.data

    def _put(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        name, kind = _name(asked), self.nature.conditions
        if asked.condition and kind == "refused":
            raise AnswerError(501)
        data = damaged(asked.body, fault)
        with self._lock:
            if kind != "ignored":
                self._hold_to(asked, self.objects.get(name))
            if kind != "raced" or not asked.condition:
                return self._keep(name, data, asked)
        time.sleep(RACE_S)  # whoever came meanwhile has been let in as well
        with self._lock:
            return self._keep(name, data, asked)

    def _hold_to(self, asked: Asked, there: Kept | None) -> None:
        if asked.headers.get("If-None-Match") == "*" and there:
            raise AnswerError(412)
        wanted = asked.headers.get("If-Match")
        if wanted and there is None:
            raise AnswerError(404)
        if wanted and there and there.etag != wanted:
            raise AnswerError(412)

    def _keep(self, name: str, data: bytes, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        headers = {n.lower(): v for n, v in asked.headers.items()}
        told = {n: v for n, v in headers.items() if n in KEPT or n.startswith("x-amz-meta-")}
        before = self.objects.get(name)
        if before:
            before = Kept(before.data, before.headers)
        told = told if self.nature.keeps_headers else {"content-type": "binary/octet-stream"}
        self.objects[name] = Kept(data, told, before, self.nature.lagging_reads)
        return 200, {"ETag": self.objects[name].etag}, b""

    def _delete(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self._uploads.pop(asked.query.get("uploadId", ""), None)
            if "uploadId" not in asked.query:
                self.objects.pop(_name(asked), None)
        return 204, {}, b""

    def _list(self, asked: Asked, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        prefix, after = asked.query.get("prefix", ""), asked.query.get("continuation-token", "")
        with self._lock:
            names = sorted(n for n in self.objects if n.startswith(prefix) and n > unquote(after))
            if fault and fault.do == "stale":
                names = names[:-1]
            page = names[: self.nature.most_listed]
            sizes = [len(self.objects[name].data) for name in page]
        more = (
            f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>"
            if len(page) < len(names)
            else ""
        )
        rows = "".join(
            f"<Contents><Key>{quote(name)}</Key><Size>{size}</Size></Contents>"
            for name, size in zip(page, sizes, strict=True)
        )
        truncated = str(bool(more)).lower()
        head = f"<EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>"
        return 200, {}, _xml("ListBucketResult", f"<Name>{self.bucket}</Name>{head}{more}{rows}")

    def _multipart(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            if "uploads" in asked.query:
                number = str(next(self._numbers))
                self._uploads[number] = (_name(asked), dict(asked.headers.items()), {})
                return 200, {}, _xml("InitiateMultipartUploadResult", f"<UploadId>{number}</UploadId>")
            if asked.query["uploadId"] not in self._uploads:
                raise AnswerError(404, "NoSuchUpload")
            name, headers, parts = self._uploads[asked.query["uploadId"]]
            if "partNumber" in asked.query:
                parts[int(asked.query["partNumber"])] = asked.body
                return 200, {"ETag": f'"{hashlib.md5(asked.body).hexdigest()}"'}, b""
            listed = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", asked.body)]
            if listed != sorted(parts):
                raise AnswerError(400, "InvalidPart")
            self._hold_to(asked, self.objects.get(name))
            whole = Asked("PUT", asked.key, {}, headers, b"", anonymous=False)
            self._keep(name, b"".join(parts[number] for number in listed), whole)
            del self._uploads[asked.query["uploadId"]]
            return (
                200,
                {},
                _xml("CompleteMultipartUploadResult", f"<ETag>{escape(self.objects[name].etag)}</ETag>"),
            )

    @contextmanager
    def running(self) -> Iterator[FaultS3]:
        class Listening(Handler):
            store = self

        server = Server(("127.0.0.1", 0), Listening)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Sockets and faults; what is asked is answered by the ``FaultS3``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    store: FaultS3

    def do_any(self) -> None:
        asked = self._asked()
        fault = self.store.fault_of(asked)
        if fault and not fault.after and not self._goes_on(fault):
            return
        try:
            status, headers, body = self.store.answer(asked, fault)
        except AnswerError as error:
            status, headers = error.status, dict(error.headers)
            body = _xml("Error", f"<Code>{error.code}</Code><Message>as it is</Message>")
        if fault and fault.after and not self._goes_on(fault):
            return
        self._send(
            status, headers, damaged(body, fault) if asked.op == "GET" and status == 200 else body, fault
        )

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = do_any  # noqa: N815

    def handle_expect_100(self) -> bool:
        done = super().handle_expect_100()
        self.wfile.flush()  # the client waits for this word before it sends a byte
        return done

    def _asked(self) -> Asked:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        op = "LIST" if self.command == "GET" and "list-type" in query else self.command
        return Asked(
            op, unquote(url.path[1:]), query, self.headers, body, "Authorization" not in self.headers
        )

    def _goes_on(self, fault: Fault) -> bool:
        """Plays a fault that replaces the answer; ``True`` where the answer is still to be given."""
        if fault.do.isdecimal():
            status = int(fault.do)
            body = _xml("Error", f"<Code>{fault.code or ANSWERS.get(status, 'Error')}</Code>")
            self._send(status, {}, body, None)
        elif fault.do == "drop":
            self._reset()
        elif fault.do == "silence":
            self.connection.settimeout(SILENCE_S)
            with suppress(OSError):
                self.connection.recv(1)  # until the client has had enough and hangs up
            self.close_connection = True
        else:
            if fault.do == "delay":
                time.sleep(0.02)
            return True
        return False

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def _send(self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None) -> None:
        self.send_response(status)
        told = {"content-type": "application/xml"} | {name.lower(): text for name, text in headers.items()}
        if status != 204:
            told["content-length"] = str(len(body))
        for name, text in told.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.do == "truncate":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self._reset()
            return
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(datetime.now(UTC), usegmt=True)

    def log_message(self, *_: object) -> None:
        """Kept in ``FaultS3.log``."""


def damaged(data: bytes, fault: Fault | None) -> bytes:
    if fault is None or not data:
        return data
    if fault.do == "short":
        return data[: len(data) // 2]
    return bytes([data[0] ^ 1]) + data[1:] if fault.do == "flip" else data


def _name(asked: Asked) -> str:
    return asked.key.partition("/")[2]


def _xml(kind: str, inside: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{kind}>{inside}</{kind}>'.encode()
