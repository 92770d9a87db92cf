"""What a bucket answers when it does not do what was asked, judged once: try again or not, and how to say it.

The one place that knows botocore's errors. Imported only by whoever has opened a bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
    TokenRetrievalError,
)
from botocore.httpchecksum import FlexibleChecksumError
from botocore.parsers import ResponseParserError

from almanac.stores import DamagedObjectError, StoreError

FAULTS: Final = (BotoCoreError, ClientError)
"""Everything that botocore raises for what a store or the way to it did."""


class DamagedError(BotoCoreError):
    """The bytes that came are not those whose hash is kept with the object."""

    fmt = "the bytes that came are not those that were written"


@dataclass(frozen=True, slots=True)
class Trouble:
    code: str
    status: int = 0
    passes: bool = False
    """Trying the same again may help."""
    unknown: bool = False
    """What was asked may have been done all the same."""
    wait_s: float = 0.0
    """How long the store asked to be left alone."""


_PASSING_CODES: Final = frozenset(
    {
        "BadDigest",
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
_NEVER_DONE: Final = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_BROKEN: Final = (
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseParserError,
    ResponseStreamingError,
)


def trouble_of(error: Exception) -> Trouble:
    """Pure: an error → what it means for the one who asked."""
    if isinstance(error, ClientError):
        return _answered(error)
    code = type(error).__name__
    if isinstance(error, SSLError):
        return Trouble(code)
    if isinstance(error, DamagedError | FlexibleChecksumError):
        return Trouble(code, passes=True)
    if isinstance(error, _NEVER_DONE):
        return Trouble(code, passes=True)
    if isinstance(error, _BROKEN):
        return Trouble(code, passes=True, unknown=True)
    return Trouble(code)


def _answered(error: ClientError) -> Trouble:
    code = str(error.response.get("Error", {}).get("Code", ""))
    meta = error.response.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 0))
    passes = status in {409, 429, 500, 502, 503, 504} or code in _PASSING_CODES
    wait = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    return Trouble(code, status, passes, status >= 500, float(wait) if wait.isdecimal() else 0.0)


def is_unsupported(error: ClientError) -> bool:
    """True where the store says that it does not know what it was asked for."""
    trouble = _answered(error)
    return trouble.status in {405, 501} or (trouble.status == 400 and trouble.code in _UNKNOWN_TO_IT)


_UNKNOWN_TO_IT: Final = frozenset(
    {"400", "BadRequest", "InvalidArgument", "InvalidRequest", "NotImplemented", "UnsupportedOperation"}
)
_POLICY: Final = (
    "the bucket's policy has to allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket to it"
)
_EXPIRED: Final = ("the credentials have expired", "get new ones, or let the machine's role renew them")
_ELSEWHERE: Final = ("the bucket lies in another region", "set AWS_REGION to the bucket's region")
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "AccessDenied": ("these credentials may not do that here", _POLICY),
    "AllAccessDisabled": ("the bucket is closed to everybody", "ask the store's operator"),
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "CredentialRetrievalError": ("the credentials cannot be got", "see what the AWS profile or role says"),
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "InvalidAccessKeyId": ("the store does not know this access key", "check AWS_ACCESS_KEY_ID"),
    "InvalidBucketName": ("this is no name of a bucket", "check the address s3://bucket/prefix"),
    "InvalidToken": ("the session token is not valid", "check AWS_SESSION_TOKEN"),
    "MovedPermanently": _ELSEWHERE,
    "NoCredentialsError": (
        "there are no credentials",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role",
    ),
    "NoSuchBucket": ("there is no such bucket", "check the address s3://bucket/prefix, or make the bucket"),
    "PartialCredentialsError": (
        "only a part of the credentials is there",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together",
    ),
    "PermanentRedirect": _ELSEWHERE,
    "QuotaExceeded": ("the bucket is full", "raise its quota, then try again"),
    "RequestTimeTooSkewed": (
        "this machine's clock and the store's differ too much",
        "set the clock (NTP), then try again",
    ),
    "SSLError": ("the store's certificate is not accepted", "check S3_ENDPOINT_URL, or set AWS_CA_BUNDLE"),
    "SignatureDoesNotMatch": ("the secret key is not the right one", "check AWS_SECRET_ACCESS_KEY"),
    "TokenRefreshRequired": _EXPIRED,
    "TokenRetrievalError": _EXPIRED,
}
_OF_STATUS: Final[Mapping[int, str]] = {
    301: "PermanentRedirect",
    307: "PermanentRedirect",
    403: "AccessDenied",
}
_UNREACHABLE: Final = ("it cannot be reached", "check S3_ENDPOINT_URL and the network, then try again")


def in_words(error: Exception, *, verb: str, name: str, store: str) -> StoreError:
    """The one sentence for an operator; what the server said is quoted by its code alone, never by its text."""
    if isinstance(error, DamagedError):
        return DamagedObjectError(name)
    trouble = trouble_of(error)
    where = f"({store}: {name})" if name else f"({store})"
    known = _WORDS.get(trouble.code) or _WORDS.get(_OF_STATUS.get(trouble.status, ""))
    if known is None and isinstance(error, CredentialRetrievalError | NoCredentialsError):
        known = _WORDS["CredentialRetrievalError"]
    if known is None and isinstance(error, PartialCredentialsError | TokenRetrievalError):
        known = _WORDS["PartialCredentialsError"]
    if known is None and isinstance(error, _NEVER_DONE):
        known = _UNREACHABLE
    if known is not None:
        return StoreError(f"cannot {verb} in the bucket: {known[0]}", where=where, advice=known[1])
    code = "" if trouble.code.isdecimal() else trouble.code[:60]  # a HEAD's answer has no code of its own
    said = f"{code} {trouble.status or ''}".strip()
    advice = "it may pass: try again later" if trouble.passes else "see the store's own log"
    return StoreError(f"cannot {verb} in the bucket: it answers {said}", where=where, advice=advice)
