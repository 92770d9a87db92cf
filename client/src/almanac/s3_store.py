"""A bucket as a store: S3 and what is compatible with it (``pip install 'almanac[s3]'``).

Compatible stores lie. A condition ("only if absent", "only if unchanged") is sent where ``conditions`` says that a
probe saw it honoured; elsewhere the store is asked first, which is safe for the one publisher that holds the lease
and for no two. What a lost answer left behind is found out by reading it back, never assumed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from almanac.addresses import is_target_path
from almanac.errors import UsageError
from almanac.handling import handling
from almanac.stores import ObjectNotFoundError, StoreError, checked_name, folder_of_prefix

S3Client = Any
"""boto3 makes its clients while it runs: there is no class to name."""
Answer = Literal["written", "refused", "unsupported"]

AT_ONCE: Final = 8
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_ENDPOINTS: Final = ("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class Conditions(NamedTuple):
    """Which conditional writes this store is known to honour."""

    create: bool = False
    """``If-None-Match: *``"""
    replace: bool = False
    """``If-Match: <ETag>``"""


UNPROBED: Final = Conditions()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call is tried: so often, and no try after so many seconds."""

    tries: int = 6
    total_s: float = 60.0
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0
    connect_s: float = 5.0
    read_s: float = 20.0

    def wait_s(self, tries: int, asked_s: float, chance: float) -> float:
        """The pause after the nth try: anything between half and all of a doubling span, or what the store asked."""
        span = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (tries - 1))
        return max(span * (0.5 + chance / 2), min(asked_s, self.longest_wait_s))


class Described(NamedTuple):
    """What the store says of an object without its bytes."""

    length: int
    etag: str
    media_type: str
    cache: str
    coding: str


class Place(NamedTuple):
    bucket: str
    prefix: str


def place_at(url: str) -> Place:
    """Pure: ``s3://bucket/prefix`` → its parts."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    if "@" in bucket:  # what stands before it may be a secret: it is not shown
        raise StoreError(
            "credentials do not belong in a store's address",
            advice="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead",
        )
    if not _BUCKET.fullmatch(bucket) or (prefix and not is_target_path(prefix)):
        raise StoreError("a bucket's address is s3://bucket/prefix", where=f"({url[:200]})")
    return Place(bucket, prefix)


class S3Store:
    """A bucket, or what lies under a prefix of it. Safe to use from threads."""

    durable: Final = True
    """What is acknowledged, or was ever seen here, survives."""

    def __init__(
        self,
        place: Place,
        connect: Callable[[], S3Client],
        *,
        conditions: Conditions = UNPROBED,
        patience: Patience = Patience(),
        at_once: int = AT_ONCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.place = place
        self.conditions = conditions
        self.at_once = at_once
        """How many objects may be written or read at the same time."""
        self._connect, self._patience = connect, patience
        self._sleep, self._clock, self._chance = sleep, clock, chance
        self._connected: S3Client | None = None
        self._connecting = threading.Lock()
        self._creating = threading.Lock()

    def __repr__(self) -> str:
        return f"S3Store({self._shown})"

    @classmethod
    def at(
        cls,
        url: str,
        *,
        environment: Mapping[str, str] | None = None,
        patience: Patience = Patience(),
        at_once: int = AT_ONCE,
    ) -> S3Store:
        """The store at ``s3://bucket/prefix``; endpoint and credentials come from the environment, as AWS's own tools do it."""
        environment = os.environ if environment is None else environment
        endpoint = next((environment[name] for name in _ENDPOINTS if environment.get(name)), None)
        return cls(
            place_at(url), lambda: connected(endpoint, patience, at_once), patience=patience, at_once=at_once
        )

    # -- the promises of a store ------------------------------------------------------------------

    def get(self, name: str) -> bytes:
        return self._read(name)[0]

    def size(self, name: str) -> int | None:
        found = self.described(name)
        return None if found is None else found.length

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        checked_name(name)
        if only_if_absent and self.conditions.create:
            return self._put(name, data, {"IfNoneMatch": "*"})
        if not only_if_absent:
            return self._put(name, data, {})
        with (
            self._creating
        ):  # one winner inside this process; between processes the publisher's lease decides
            return self.described(name) is None and self._put(name, data, {})

    def replace(self, name: str, data: bytes, *, instead_of: bytes | None) -> bool:
        """Write it where ``instead_of`` (``None``: nothing) lies; ``False``: something else is there."""
        if instead_of is None:
            return self.put(name, data, only_if_absent=True) or self.get(name) == data
        try:
            there, etag = self._read(name)
        except ObjectNotFoundError:
            return False
        if there != instead_of:
            return there == data
        return self._put(name, data, {"IfMatch": etag} if self.conditions.replace and etag else {})

    def delete(self, name: str) -> None:
        key = self._key(name)
        self._patiently(
            "delete",
            name,
            lambda client: client.delete_object(Bucket=self.place.bucket, Key=key),
            may_be_absent=True,
        )

    def names(self, prefix: str = "") -> Iterator[str]:
        folder_of_prefix(prefix)
        found = set()
        token = ""
        while True:
            page = self._patiently("list", prefix, partial(self._page, prefix, token))
            below = [str(entry["Key"])[len(self._under) :] for entry in page.get("Contents", ())]
            found |= {name for name in below if name.startswith(prefix) and is_target_path(name)}
            following = page.get("NextContinuationToken", "") if page.get("IsTruncated") else ""
            if not following:
                break
            if following == token:
                raise StoreError("the list of the bucket has no end", where=f"({self._shown})")
            token = following
        yield from sorted(found)

    def flush(self) -> None:
        """A bucket answers a put when it is durable."""

    # -- what a probe needs beside them -----------------------------------------------------------

    def described(self, name: str) -> Described | None:
        key = self._key(name)
        found: Any = self._patiently("read", name, partial(self._head, key), may_be_absent=True)
        if found is None:
            return None
        facts = ("ETag", "ContentType", "CacheControl", "ContentEncoding")
        return Described(int(found["ContentLength"]), *(str(found.get(fact, "")) for fact in facts))

    def attempt(self, name: str, data: bytes, *, if_match: str | None = None) -> Answer:
        """Sends a condition whatever ``conditions`` says, and tells what the store made of it."""
        condition = {"IfNoneMatch": "*"} if if_match is None else {"IfMatch": if_match}
        try:
            return "written" if self._put(name, data, condition) else "refused"
        except UnsupportedConditionError:
            return "unsupported"

    # -- asking -----------------------------------------------------------------------------------

    @property
    def _under(self) -> str:
        return f"{self.place.prefix}/" if self.place.prefix else ""

    @property
    def _shown(self) -> str:
        return f"s3://{self.place.bucket}/{self.place.prefix}"

    def _key(self, name: str) -> str:
        return self._under + checked_name(name)

    def _page(self, prefix: str, token: str, client: S3Client) -> Any:
        more: dict[str, Any] = {"ContinuationToken": token} if token else {}
        return client.list_objects_v2(Bucket=self.place.bucket, Prefix=self._under + prefix, **more)

    def _head(self, key: str, client: S3Client) -> Any:
        from botocore.exceptions import ClientError

        try:
            return client.head_object(Bucket=self.place.bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}:
                # A refused HEAD does not say why; a GET's answer has a body that does.
                client.get_object(Bucket=self.place.bucket, Key=key, Range="bytes=0-0")["Body"].close()
            raise

    def _read(self, name: str) -> tuple[bytes, str]:
        """The bytes and their ETag, whole: a piece, or bytes other than those that were put, count as no answer."""
        found: tuple[bytes, str] = self._patiently("read", name, lambda client: self._get_once(client, name))
        return found

    def _get_once(self, client: S3Client, name: str) -> tuple[bytes, str]:
        from almanac.s3_errors import DamagedError

        answer = client.get_object(Bucket=self.place.bucket, Key=self._key(name))
        data = answer["Body"].read()
        kept = answer.get("Metadata", {}).get("sha256")
        if kept and hashlib.sha256(data).hexdigest() != kept:
            raise DamagedError
        return data, str(answer.get("ETag", ""))

    def _put(self, name: str, data: bytes, condition: Mapping[str, str]) -> bool:
        """``False``: the condition did not hold, and what lies there is not what a lost answer left."""
        from botocore.exceptions import ClientError

        from almanac.s3_errors import is_unsupported

        request = {**self._request(name, data), **condition}
        in_doubt = False

        def send(client: S3Client) -> bool:
            try:
                client.put_object(**request)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if condition and status == 412:
                    return in_doubt and self._holds(client, name, data)
                if "IfMatch" in condition and status == 404:
                    return False
                if condition and is_unsupported(error):
                    raise UnsupportedConditionError(self._shown) from error
                raise
            return True

        def was_done(client: S3Client) -> bool:
            nonlocal in_doubt
            in_doubt = True
            return self._holds(client, name, data)

        return bool(self._patiently("write", name, send, was_done=was_done))

    def _request(self, name: str, data: bytes) -> dict[str, Any]:
        sha256 = hashlib.sha256(data)
        media_type, cache, coding = handling(name)
        request: dict[str, Any] = {
            "Bucket": self.place.bucket,
            "Key": self._key(name),
            "Body": data,
            "ChecksumSHA256": base64.b64encode(sha256.digest()).decode(),
            "Metadata": {"sha256": sha256.hexdigest()},
            "ContentType": media_type,
            "CacheControl": cache,
        }
        return {**request, "ContentEncoding": coding} if coding else request

    def _holds(self, client: S3Client, name: str, data: bytes) -> bool:
        """One look whether these very bytes lie there; no answer counts as no."""
        from almanac.s3_errors import FAULTS

        try:
            found, _ = self._get_once(client, name)
        except FAULTS:
            return False
        return hashlib.sha256(found).digest() == hashlib.sha256(data).digest()

    def _patiently(
        self,
        verb: str,
        name: str,
        ask: Callable[[S3Client], Any],
        *,
        was_done: Callable[[S3Client], bool] = lambda _client: False,
        may_be_absent: bool = False,
    ) -> Any:
        """Asks until there is an answer that counts, or patience ends. ``was_done`` settles an answer that was lost."""
        client = self._client()
        from almanac.s3_errors import FAULTS, in_words, trouble_of

        began, tries = self._clock(), 0
        while True:
            tries += 1
            try:
                return ask(client)
            except FAULTS as error:
                trouble = trouble_of(error)
                if trouble.code in _ABSENT or (trouble.status == 404 and trouble.code != "NoSuchBucket"):
                    if may_be_absent:
                        return None
                    raise ObjectNotFoundError(name) from None
                if trouble.unknown and was_done(client):
                    return True
                late = self._clock() - began >= self._patience.total_s
                if not trouble.passes or late or tries >= self._patience.tries:
                    raise in_words(error, verb=verb, name=name, store=self._shown) from error
            self._sleep(self._patience.wait_s(tries, trouble.wait_s, self._chance()))

    def _client(self) -> S3Client:
        with self._connecting:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected


class UnsupportedConditionError(StoreError):
    name = "condition"

    def __init__(self, shown: str) -> None:
        super().__init__(
            "the bucket refuses conditional writes",
            where=f"({shown})",
            advice="run 'manage.py doctor': it finds out what the bucket honours, and keeps it",
        )


def connected(endpoint: str | None, patience: Patience, at_once: int) -> S3Client:
    """A client of boto3; its own retries are off, because only we can tell what a lost answer means."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise UsageError(
            "a bucket needs the package boto3", advice="install it: pip install 'almanac[s3]'"
        ) from None
    # Many compatible stores know only the older checksums: with an endpoint, none is sent or asked for unbidden.
    checksums: Literal["when_required", "when_supported"] = "when_required" if endpoint else "when_supported"
    config = Config(
        connect_timeout=patience.connect_s,
        read_timeout=patience.read_s,
        retries={"total_max_attempts": 1},
        max_pool_connections=at_once + 2,
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        user_agent_extra="almanac",
    )
    try:
        return boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise StoreError(
            f"the bucket's connection cannot be set up: {error}",
            advice="check S3_ENDPOINT_URL and the AWS variables",
        ) from error
