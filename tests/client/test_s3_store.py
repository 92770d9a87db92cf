"""A bucket keeps every promise of a store, over real sockets, whatever the bucket's own manners and faults are."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from almanac.errors import AlmanacError
from almanac.handling import handling
from almanac.s3_store import Conditions, Patience, Place, S3Store, connected, place_at
from almanac.stores import DamagedObjectError, ObjectNotFoundError, ObjectStore, StoreError, store_at
from tests.client.test_stores import StoreContract
from tests.faults3 import Fault, FaultS3, Nature

QUICK = Patience(tries=4, total_s=30, first_wait_s=0.001, longest_wait_s=0.002, connect_s=2, read_s=0.25)
NAME = "catalog/v2/models.yaml"
SHA = "a" * 64


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own AWS set-up is read, and no metadata service is asked."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "S3_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


Opener = Callable[..., S3Store]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultS3]:
    with FaultS3().running() as running:
        yield running


@pytest.fixture
def s3(server: FaultS3) -> FaultS3:
    server.forget()
    return server


@lru_cache(maxsize=4)
def client_at(endpoint: str, patience: Patience, _key: str | None) -> object:
    return connected(endpoint, patience, 8)


BOTH = Conditions(create=True, replace=True)


@pytest.fixture
def opened(s3: FaultS3, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """A store at the server, with little patience and no wish to sleep."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)

    def opened(*, prefix: str = "pre/fix", conditions: Conditions = BOTH, **made: object) -> S3Store:
        patience = made.pop("patience", QUICK)
        return S3Store(
            Place("models", prefix),
            lambda: client_at(s3.endpoint, patience, os.environ.get("AWS_ACCESS_KEY_ID")),  # type: ignore[arg-type]
            conditions=conditions,
            patience=patience,  # type: ignore[arg-type]
            **{"sleep": lambda _s: None, "chance": lambda: 0.5, **made},  # type: ignore[arg-type]
        )

    return opened


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, opened: Opener) -> ObjectStore:
        return opened()


class TestS3StoreWithoutPrefix(StoreContract):
    @pytest.fixture
    def store(self, opened: Opener) -> ObjectStore:
        return opened(prefix="")


@pytest.mark.parametrize("kind", ["ignored", "refused", "raced"])
class TestS3StoreThatLies(StoreContract):
    """What a probe finds out there: conditions are of no use, and one process must still agree with itself."""

    @pytest.fixture
    def store(self, s3: FaultS3, opened: Opener, kind: str) -> ObjectStore:
        s3.nature = Nature(conditions=kind)  # type: ignore[arg-type]
        return opened(conditions=Conditions())


@pytest.fixture(scope="module")
def moto_endpoint() -> Iterator[str]:
    server = pytest.importorskip("moto.server", reason="moto, a fake, is not installed").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


class TestMotoAFake(StoreContract):
    """moto is a fake that others wrote: it checks neither signatures nor checksums, and never conflicts."""

    @pytest.fixture
    def store(
        self, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> ObjectStore:
        for name, value in FaultS3(endpoint=moto_endpoint).environment.items():
            monkeypatch.setenv(name, value)
        bucket = f"b{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]}"
        patience = Patience(connect_s=5, read_s=20)
        client_at(moto_endpoint, patience, "moto").create_bucket(Bucket=bucket)
        return S3Store(
            Place(bucket, "pre"), lambda: client_at(moto_endpoint, patience, "moto"), conditions=BOTH
        )


# -- faults ---------------------------------------------------------------------------------------

PASSING = [
    Fault("503"), Fault("500"), Fault("429"), Fault("409"), Fault("500", after=True), Fault("503", after=True),
    Fault("drop"), Fault("drop", after=True), Fault("silence"), Fault("silence", after=True), Fault("truncate"),
    Fault("flip", op="GET"), Fault("short", op="GET"), Fault("delay"), Fault("503", times=3),
    Fault("400", op="PUT", code="BadDigest"), Fault("409", code="OperationAborted"),
]  # fmt: skip


def named(fault: Fault) -> str:
    return f"{fault.op}-{fault.code}{fault.do}{'-after' if fault.after else ''}-{fault.times}"


@pytest.mark.parametrize("fault", PASSING, ids=named)
def test_a_fault_that_passes_is_not_noticed(s3: FaultS3, opened: Opener, fault: Fault) -> None:
    store = opened()
    verbs: list[tuple[Callable[[], object], object]] = [
        (lambda: store.put("a/new", b"new", only_if_absent=True), True),
        (lambda: store.put("a/new", b"other", only_if_absent=True), False),
        (lambda: store.put("a/old", b"first"), True),
        (lambda: store.put("a/old", b"second"), True),
        (lambda: store.replace("a/old", b"third", instead_of=b"second"), True),
        (lambda: store.replace("a/old", b"fourth", instead_of=b"second"), False),
        (lambda: store.get("a/old"), b"third"),
        (lambda: store.size("a/new"), 3),
        (lambda: list(store.names()), ["a/new", "a/old"]),
        (lambda: store.delete("a/new"), None),
        (lambda: store.size("a/new"), None),
    ]
    for verb, expected in verbs:
        s3.break_by(fault)
        assert verb() == expected
    assert s3.contents("pre/fix/").get("a/old") == b"third"


def test_a_lost_answer_is_settled_by_reading_back_and_not_by_writing_again(
    s3: FaultS3, opened: Opener
) -> None:
    store = opened()
    s3.break_by(Fault("drop", op="PUT", after=True))
    assert store.put("targets/x", b"bytes", only_if_absent=True)
    assert [asked.op for asked in s3.log] == ["PUT", "GET"]


def test_a_lost_answer_that_could_not_be_read_back_is_settled_by_the_refusal_of_the_next_try(
    s3: FaultS3, opened: Opener
) -> None:
    """The second try is refused because the first one took effect: what lies there is ours."""
    store = opened()
    s3.break_by(Fault("drop", op="PUT", after=True), Fault("503", op="GET"))
    assert store.put("targets/x", b"bytes", only_if_absent=True)
    assert [asked.op for asked in s3.log] == ["PUT", "GET", "PUT", "GET"]


def test_a_lost_answer_to_a_write_that_lost_the_race_is_not_a_win(s3: FaultS3, opened: Opener) -> None:
    store = opened()
    store.put("targets/x", b"theirs")
    s3.break_by(Fault("drop", op="PUT"))
    assert not store.put("targets/x", b"ours", only_if_absent=True)
    assert store.get("targets/x") == b"theirs"


def test_a_store_that_stays_broken_ends_patience_with_one_sentence(s3: FaultS3, opened: Opener) -> None:
    slept: list[float] = []
    store = opened(sleep=slept.append)
    s3.break_by(Fault("503", times=100))
    with pytest.raises(
        StoreError, match=r"cannot write in the bucket: it answers SlowDown 503 .*try again later"
    ):
        store.put("a", b"x")
    assert len(slept) == QUICK.tries - 1
    assert all(0 < pause <= QUICK.longest_wait_s for pause in slept)


def test_patience_ends_by_the_clock_too(s3: FaultS3, opened: Opener) -> None:
    now = iter(range(0, 1000, 20))
    store = opened(
        clock=lambda: float(next(now)), patience=Patience(tries=100, total_s=60, first_wait_s=0, read_s=1)
    )
    s3.break_by(Fault("503", times=100))
    with pytest.raises(StoreError):
        store.get("a")
    assert s3.calls == 3


def test_pauses_double_vary_and_heed_what_the_store_asks() -> None:
    patience = Patience(first_wait_s=0.1, longest_wait_s=5)
    assert [patience.wait_s(n, 0, 1.0) for n in (1, 2, 3, 20)] == [0.1, 0.2, 0.4, 5]
    assert patience.wait_s(3, 0, 0.0) == 0.2
    assert patience.wait_s(1, 3, 0.0) == 3
    assert patience.wait_s(1, 86400, 0.0) == 5, "a store does not put us to sleep for a day"


WORDS = [
    (Fault("403"), "may not do that here", "s3:PutObject"),
    (Fault("403", code="ExpiredToken"), "credentials have expired", "get new ones"),
    (Fault("400", code="ExpiredToken"), "credentials have expired", "get new ones"),
    (Fault("403", code="RequestTimeTooSkewed"), "clock and the store's differ", "NTP"),
    (Fault("403", code="SignatureDoesNotMatch"), "secret key is not the right one", "AWS_SECRET_ACCESS_KEY"),
    (Fault("404", code="NoSuchBucket"), "no such bucket", "s3://bucket/prefix"),
    (Fault("301", code="PermanentRedirect"), "another region", "AWS_REGION"),
    (Fault("400", code="AuthorizationHeaderMalformed"), "another region", "AWS_REGION"),
    (Fault("418", code="Teapot"), "it answers Teapot 418", "log"),
]


@pytest.mark.parametrize(
    ("fault", "says", "advises"), WORDS, ids=lambda value: named(value) if isinstance(value, Fault) else ""
)
def test_what_does_not_pass_is_said_at_once_and_plainly(
    s3: FaultS3, opened: Opener, fault: Fault, says: str, advises: str
) -> None:
    store = opened(conditions=Conditions())
    for verb in (lambda: store.put("a", b"x"), lambda: store.get("a"), lambda: list(store.names())):
        s3.break_by(fault)
        with pytest.raises(StoreError) as error:
            verb()
        assert says in error.value.what
        assert advises in error.value.advice
        assert "s3://models/pre/fix" in error.value.where
        looked_for_the_region = fault.code == "PermanentRedirect"  # botocore asks the bucket where it lies
        assert s3.calls <= 1 + looked_for_the_region, "it was tried again in vain"


def test_a_question_for_the_size_is_refused_with_the_reason_too(s3: FaultS3, opened: Opener) -> None:
    """A HEAD's answer has no body that could say it."""
    s3.break_by(Fault("403", code="ExpiredToken", times=2))
    with pytest.raises(StoreError, match="credentials have expired"):
        opened().size("a")
    assert [asked.op for asked in s3.log] == ["HEAD", "GET"]


def test_a_foreign_access_key_is_refused_in_words(
    s3: FaultS3, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMALLORY")
    with pytest.raises(StoreError, match="does not know this access key") as error:
        opened().put("a", b"x")
    assert "MALLORY" not in str(error.value)


def test_without_credentials_the_three_ways_to_give_them_are_named(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match="no credentials .*AWS_PROFILE.*role"):
        opened().get("a")


def test_a_store_that_is_not_there_is_an_error_in_words(s3: FaultS3, opened: Opener) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    store = S3Store(
        Place("models", ""), lambda: connected(nobody, QUICK, 2), patience=QUICK, sleep=lambda _s: None
    )
    with pytest.raises(StoreError, match="cannot be reached .*check S3_ENDPOINT_URL"):
        store.get("a")


def test_bytes_that_were_kept_wrong_are_never_handed_over(s3: FaultS3, opened: Opener) -> None:
    """The store acknowledged other bytes than it was sent; their hash lies beside them."""
    store = opened()
    s3.break_by(Fault("flip", op="PUT"))
    store.put("targets/x", b"bytes")
    with pytest.raises(DamagedObjectError, match="targets/x"):
        store.get("targets/x")
    store.put("targets/x", b"bytes")
    assert store.get("targets/x") == b"bytes"


def test_bytes_damaged_on_their_way_in_are_refused_by_the_checksum(s3: FaultS3, opened: Opener) -> None:
    """The store verifies what we promise: sent by hand with a wrong promise, it is refused."""
    import botocore.exceptions

    client = connected(s3.endpoint, QUICK, 2)
    with pytest.raises(botocore.exceptions.ClientError, match="BadDigest"):
        client.put_object(
            Bucket="models", Key="a", Body=b"x", ChecksumSHA256=handling.__name__.encode().hex()[:44]
        )
    opened().put("a", b"x")
    assert s3.log[-1].headers["x-amz-checksum-sha256"]


# -- what is sent ---------------------------------------------------------------------------------


def test_a_store_that_knows_no_trailing_checksums_gets_none(s3: FaultS3, opened: Opener) -> None:
    s3.nature = Nature(knows_checksums=False)
    assert opened().put("a", b"x")
    assert opened().get("a") == b"x"
    assert all("x-amz-trailer" not in {name.lower() for name in asked.headers} for asked in s3.log)
    assert all("x-amz-checksum-mode" not in {name.lower() for name in asked.headers} for asked in s3.log)


YEAR = "public, max-age=31536000, immutable"
MINUTE = "public, max-age=60, stale-while-revalidate=604800"
TABLE = [
    ("metadata/timestamp.json", "application/json", "public, max-age=60, must-revalidate", ""),
    ("metadata/12.snapshot.json", "application/json", YEAR, ""),
    (f"targets/catalog/v2/{SHA}.models.yaml", "application/yaml; charset=utf-8", YEAR, ""),
    (f"targets/catalog/v2/{SHA}.models.yaml.br", "application/yaml; charset=utf-8", YEAR, "br"),
    (f"targets/catalog/v2/{SHA}.models.yaml.gz", "application/yaml; charset=utf-8", YEAR, "gzip"),
    (f"targets/catalog/catwalk/v2/{SHA}.providers.zst", "application/json", YEAR, "zstd"),
    (f"targets/catalog/v2/{SHA}.models.yaml.minisig", "text/plain; charset=utf-8", YEAR, ""),
    (f"deltas/{SHA}/{SHA}.dcz", "application/octet-stream", YEAR, ""),
    ("catalog/v2/models.yaml", "application/yaml; charset=utf-8", MINUTE, ""),
    ("regions/eu/catalog/openai/v1/models", "application/json", MINUTE, ""),
    ("catalog/v2/models.yaml.minisig", "text/plain; charset=utf-8", "public, max-age=60", ""),
    ("mirrors.json", "application/json", MINUTE, ""),
    ("index.json", "application/json", "public, max-age=60", ""),
    ("minisign.pub", "text/plain; charset=utf-8", "public, max-age=60", ""),
    ("metadata/0.root.json", "application/json", "no-store", ""),
    ("almanac-probe/x", "application/json", "no-store", ""),
]


@pytest.mark.parametrize(("name", "media_type", "cache", "coding"), TABLE, ids=[row[0][:40] for row in TABLE])
def test_every_object_has_its_headers(
    opened: Opener, name: str, media_type: str, cache: str, coding: str
) -> None:
    assert handling(name) == (media_type, cache, coding)
    store = opened()
    store.put(name, b"x")
    found = store.described(name)
    assert found
    assert (found.media_type, found.cache, found.coding) == (media_type, cache, coding)


def test_an_encoded_copy_comes_back_as_the_bytes_that_were_put(opened: Opener) -> None:
    """Content-Encoding is for readers over HTTP; the store itself never decodes."""
    store = opened()
    store.put(f"targets/{SHA}.x.gz", b"\x1f\x8b not gzip at all")
    assert store.get(f"targets/{SHA}.x.gz") == b"\x1f\x8b not gzip at all"


def test_conditions_are_sent_only_where_they_are_known_to_work(s3: FaultS3, opened: Opener) -> None:
    wary = opened(conditions=Conditions())
    wary.put("a", b"x", only_if_absent=True)
    wary.replace("a", b"y", instead_of=b"x")
    assert not any(asked.condition for asked in s3.log)
    trusting = opened()
    trusting.put("b", b"x", only_if_absent=True)
    trusting.replace("b", b"y", instead_of=b"x")
    assert [asked.condition for asked in s3.log if asked.condition] == [
        "*",
        f'"{hashlib.md5(b"x").hexdigest()}"',
    ]


def test_a_store_that_begins_to_refuse_conditions_says_what_to_do(s3: FaultS3, opened: Opener) -> None:
    s3.nature = Nature(conditions="refused")
    with pytest.raises(StoreError, match="refuses conditional writes .*manage.py doctor"):
        opened().put("a", b"x", only_if_absent=True)


def test_replace_has_one_winner_where_conditions_work(s3: FaultS3, opened: Opener) -> None:
    """Mallory's write lands between our look and our write."""
    store = opened()
    store.put("a", b"1")

    class Late(S3Store):
        def _read(self, name: str) -> tuple[bytes, str]:
            found = super()._read(name)
            store.put("a", b"mallory")
            return found

    late = Late(store.place, lambda: connected(s3.endpoint, QUICK, 2), conditions=BOTH)
    assert not late.replace("a", b"2", instead_of=b"1")
    assert store.get("a") == b"mallory"
    assert not store.replace("absent", b"2", instead_of=b"1")
    assert store.replace("absent", b"2", instead_of=None)
    assert store.replace("absent", b"2", instead_of=None), "the same again is as good as done"


def test_a_long_list_comes_in_pages_and_foreign_objects_are_left_out(s3: FaultS3, opened: Opener) -> None:
    s3.nature = Nature(most_listed=2)
    store = opened()
    names = [f"metadata/{number}.root.json" for number in range(1, 8)]
    for name in names:
        store.put(name, b"x")
    opened(prefix="pre/fixed").put("foreign", b"x")
    opened(prefix="").put("elsewhere", b"x")
    s3.objects["pre/fix/.hidden"] = s3.objects["pre/fix//odd"] = s3.objects["elsewhere"]
    assert list(store.names()) == sorted(names)


# -- how it is addressed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://models", Place("models", "")),
        ("s3://models/", Place("models", "")),
        ("s3://models/a/b/", Place("models", "a/b")),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(url: str, place: Place) -> None:
    assert place_at(url) == place


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3://b", "s3://models//x", "s3://models/../x", "s3://models/a b"]
)
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="s3://bucket/prefix"):
        store_at(url)


def test_credentials_in_the_address_are_refused_and_not_shown() -> None:
    with pytest.raises(StoreError, match="do not belong") as error:
        store_at("s3://AKIA:hunter2@models/x")
    assert "hunter2" not in str(error.value)


def test_store_at_takes_endpoint_and_credentials_from_the_environment(s3: FaultS3, opened: Opener) -> None:
    store = store_at("s3://models/from/environment")
    assert store.put("a", b"x")
    assert list(s3.objects) == ["from/environment/a"]
    assert repr(store) == "S3Store(s3://models/from/environment)"


def test_a_bad_endpoint_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "not an address")
    with pytest.raises(StoreError, match="S3_ENDPOINT_URL"):
        store_at("s3://models").get("a")


def test_boto3_is_imported_by_nobody_who_needs_no_bucket() -> None:
    code = (
        "import sys; from almanac.stores import store_at; store_at('s3://models/x'); store_at('/tmp/x');"
        "assert not {'boto3', 'botocore'} & set(sys.modules), 'imported before the first call'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": "client/src"})


def test_where_boto3_is_missing_the_advice_is_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(AlmanacError, match=r"pip install 'almanac\[s3\]'"):
        store_at("s3://models/x").get("a")


def test_an_absent_object_is_absent_and_a_missing_bucket_is_not(s3: FaultS3, opened: Opener) -> None:
    with pytest.raises(ObjectNotFoundError):
        opened().get("a")
    s3.bucket = "another"
    with pytest.raises(StoreError, match="no such bucket"):
        opened().get("a")
