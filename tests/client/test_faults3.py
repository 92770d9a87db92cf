"""The fake bucket is what other tests believe in: its rules are S3's, and each fault is what it says it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

from almanac.s3_store import Patience, connected
from tests.faults3 import Fault, FaultS3, Nature


@pytest.fixture(scope="module")
def server() -> Iterator[FaultS3]:
    with FaultS3().running() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: FaultS3) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield connected(server.endpoint, Patience(read_s=0.3), 4)


@pytest.fixture
def s3(server: FaultS3) -> FaultS3:
    server.forget()
    return server


def code(call: Any, **asked: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(Bucket="models", **asked)
    return str(error.value.response["Error"]["Code"])


def body(client: Any, key: str) -> bytes:
    return bytes(client.get_object(Bucket="models", Key=key)["Body"].read())


def test_conditions_are_honoured(s3: FaultS3, client: Any) -> None:
    tag = client.put_object(Bucket="models", Key="a", Body=b"1", IfNoneMatch="*")["ETag"]
    assert code(client.put_object, Key="a", Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert code(client.put_object, Key="a", Body=b"2", IfMatch='"0"') == "PreconditionFailed"
    assert code(client.put_object, Key="b", Body=b"2", IfMatch=tag) == "NoSuchKey"
    client.put_object(Bucket="models", Key="a", Body=b"3", IfMatch=tag)
    assert body(client, "a") == b"3"


def test_a_store_may_ignore_or_refuse_conditions(s3: FaultS3, client: Any) -> None:
    s3.nature = Nature(conditions="ignored")
    for data in (b"1", b"2"):
        client.put_object(Bucket="models", Key="a", Body=data, IfNoneMatch="*")
    assert body(client, "a") == b"2"
    s3.nature = Nature(conditions="refused")
    assert code(client.put_object, Key="b", Body=b"2", IfNoneMatch="*") == "NotImplemented"


def test_a_wrong_checksum_is_refused(s3: FaultS3, client: Any) -> None:
    assert code(client.put_object, Key="a", Body=b"x", ChecksumSHA256="A" * 43 + "=") == "BadDigest"
    assert code(client.put_object, Key="a", Body=b"x", ContentMD5="A" * 22 + "==") == "BadDigest"
    assert not s3.objects


def test_reads_may_lag_behind_writes(s3: FaultS3, client: Any) -> None:
    s3.nature = Nature(lagging_reads=2)
    client.put_object(Bucket="models", Key="a", Body=b"1")
    assert code(client.get_object, Key="a") == "NoSuchKey"
    assert code(client.head_object, Key="a") == "404"
    assert body(client, "a") == b"1"
    client.put_object(Bucket="models", Key="a", Body=b"2")
    assert [body(client, "a") for _ in range(3)] == [b"1", b"1", b"2"]


def test_lists_come_in_pages(s3: FaultS3, client: Any) -> None:
    s3.nature = Nature(most_listed=2)
    for key in ("p/a", "p/b c", "p/d", "q"):
        client.put_object(Bucket="models", Key=key, Body=b"")
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket="models", Prefix="p/"))
    assert [[row["Key"] for row in page["Contents"]] for page in pages] == [["p/a", "p/b c"], ["p/d"]]


def test_a_multipart_upload_is_there_when_it_is_complete(s3: FaultS3, client: Any) -> None:
    upload = client.create_multipart_upload(Bucket="models", Key="a", ContentType="text/plain")["UploadId"]
    of = {"Bucket": "models", "Key": "a", "UploadId": upload}
    parts = []
    for number, data in ((1, b"one "), (2, b"two")):
        tag = client.upload_part(**of, PartNumber=number, Body=data)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    assert not s3.objects
    lacking = {"Key": "a", "UploadId": upload, "MultipartUpload": {"Parts": parts[:1]}}
    assert code(client.complete_multipart_upload, **lacking) == "InvalidPart"
    client.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})
    assert body(client, "a") == b"one two"
    assert client.head_object(Bucket="models", Key="a")["ContentType"] == "text/plain"
    gone = client.create_multipart_upload(Bucket="models", Key="b")["UploadId"]
    client.abort_multipart_upload(Bucket="models", Key="b", UploadId=gone)
    assert code(client.upload_part, Key="b", UploadId=gone, PartNumber=1, Body=b"x") == "NoSuchUpload"


def test_strangers_read_only_what_is_public(s3: FaultS3) -> None:
    import urllib3

    pool = urllib3.PoolManager()
    s3.objects.clear()
    assert pool.request("GET", f"{s3.endpoint}/models/a").status == 403
    s3.public = True
    assert pool.request("GET", f"{s3.endpoint}/models/a").status == 404
    assert pool.request("PUT", f"{s3.endpoint}/models/a", body=b"x").status == 403
    pool.clear()


FAULTS: list[tuple[Fault, type[Exception], bool]] = [
    (Fault("503"), ClientError, False),
    (Fault("503", after=True), ClientError, True),
    (Fault("drop"), ConnectionClosedError, False),
    (Fault("drop", after=True), ConnectionClosedError, True),
    (Fault("silence"), ReadTimeoutError, False),
    (Fault("silence", after=True), ReadTimeoutError, True),
]


@pytest.mark.parametrize(("fault", "error", "done"), FAULTS, ids=lambda value: getattr(value, "do", ""))
def test_a_write_fails_before_or_after_it_took_effect(
    s3: FaultS3, client: Any, fault: Fault, error: type[Exception], *, done: bool
) -> None:
    s3.break_by(fault)
    with pytest.raises((error, HTTPClientError)):
        client.put_object(Bucket="models", Key="a", Body=b"x")
    assert ("a" in s3.objects) is done
    client.put_object(Bucket="models", Key="a", Body=b"x")


def test_a_read_is_cut_damaged_or_old(s3: FaultS3, client: Any) -> None:
    for data in (b"old bytes", b"new bytes"):
        client.put_object(Bucket="models", Key="a", Body=data)
    s3.break_by(Fault("truncate"))
    with pytest.raises(Exception, match=r"(?i)incomplete|broken|reset|read"):
        body(client, "a")
    for do, seen in (("short", b"new "), ("flip", b"oew bytes"), ("stale", b"old bytes")):
        s3.break_by(Fault(do))
        assert body(client, "a") == seen
        assert body(client, "a") == b"new bytes"


def test_faults_are_counted_by_operation(s3: FaultS3, client: Any) -> None:
    s3.break_by(Fault("409", op="PUT", nth=2, times=2))
    client.put_object(Bucket="models", Key="a", Body=b"1")
    assert body(client, "a") == b"1"
    for _ in range(2):
        assert code(client.put_object, Key="a", Body=b"2") == "ConditionalRequestConflict"
    client.put_object(Bucket="models", Key="a", Body=b"3")
    assert s3.calls == 5
    assert s3.contents().get("a") == b"3"
