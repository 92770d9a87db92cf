"""What a refusal means: from python-tuf's errors to ours, and the rules of ours that TUF leaves open. Pure functions.

The first check that fails, in the order of TUF's workflow, decides the exit code; python-tuf keeps that order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from securesystemslib.formats import encode_canonical
from tuf.api import exceptions
from tuf.api.metadata import Root, Signed, Snapshot, Timestamp
from tuf.api.serialization import DeserializationError

from almanac.errors import (
    AlmanacError,
    ClockError,
    EquivocationError,
    ExpiredError,
    MalformedError,
    NetworkError,
    RollbackError,
    SignatureError,
)

KEPT: Final = "the catalog that was accepted stays in use"
ORDERED: Final = (Timestamp.type, Snapshot.type)
"""Roles that are compared with what was accepted before; the others only with what the snapshot lists."""
OLDEST_CLOCK: Final = datetime(2026, 1, 1, tzinfo=UTC)
NEWEST_CLOCK: Final = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked beyond TUF 1.0; the conformance suite runs with ``TUF_ONLY``."""

    longest_life: tuple[tuple[str, timedelta], ...] = (
        (Root.type, timedelta(days=400)),
        (Timestamp.type, timedelta(days=8)),
    )
    largest_jump: int | None = 1_000_000
    largest_version: int | None = 2**31 - 1
    refuse_equivocation: bool = True


TUF_ONLY: Final = Rules(longest_life=(), largest_jump=None, largest_version=None, refuse_equivocation=False)


def effective_now(local: datetime, newest_signed: datetime | None) -> tuple[datetime, str]:
    """The time to judge by, and a warning if that is not the clock's: a clock that is behind cannot revive the expired.

    ``newest_signed`` is a time that has certainly passed, known from what was accepted before.
    """
    if newest_signed is not None and local < newest_signed:
        day = newest_signed.strftime("%Y-%m-%d")
        return (
            newest_signed,
            f"this computer's clock is behind: something signed after {day} is known; set the clock",
        )
    if not OLDEST_CLOCK <= local < NEWEST_CLOCK:
        raise ClockError(
            "this computer's clock cannot be right",
            where=f"({local:%Y-%m-%d})",
            advice="set it, then sync again",
        )
    return local, ""


def certainly_passed(timestamp_expires: datetime, rules: Rules = Rules()) -> datetime:
    """The latest moment that must have passed when a timestamp with this expiry exists: no key may sign further ahead."""
    longest = dict(rules.longest_life).get(Timestamp.type, timedelta(0))
    return timestamp_expires - longest


def refusal(
    error: Exception, *, role: str, claimed: int | None = None, expected: int | None = None
) -> AlmanacError:
    """Our error for what went wrong with ``role``.

    ``claimed`` is the version that the refused bytes state, ``expected`` the one that the level above signed.
    """
    where = f"in the {role} metadata"
    match error:
        case AlmanacError():
            return error
        case exceptions.ExpiredMetadataError():
            return ExpiredError(
                "expired", where=where, advice=f"{KEPT}; ask the publisher why nothing newer is signed"
            )
        case exceptions.UnsignedMetadataError():
            return SignatureError("too few valid signatures", where=where, advice=KEPT)
        case exceptions.BadVersionNumberError() if role == Root.type:
            return SignatureError("the chain of roots is broken", where=where, advice=KEPT)
        case exceptions.BadVersionNumberError() if role not in ORDERED or (
            expected is not None and claimed != expected
        ):
            return EquivocationError(
                "not the version that was signed for: publications are mixed", where=where, advice=KEPT
            )
        case exceptions.BadVersionNumberError():
            return RollbackError(
                "older than what was accepted", where=where, advice=f"{KEPT}; try again, or another mirror"
            )
        case exceptions.LengthOrHashMismatchError():
            return MalformedError("length or hash is not what was signed", where=where, advice=KEPT)
        case exceptions.DownloadHTTPError():
            return NetworkError(
                f"not there (status {error.status_code})",
                where=where,
                advice=f"{KEPT}; the mirror may be behind",
            )
        case exceptions.DownloadError():
            return NetworkError(str(error), where=where, advice=KEPT)
        case DeserializationError():
            return _unreadable(error, where)
        case exceptions.RepositoryError() if "missing info" in str(error):
            return RollbackError(
                "a file that was listed before is no longer listed", where=where, advice=KEPT
            )
        case exceptions.RepositoryError() if str(error).startswith("Expected '"):
            return SignatureError("signed as metadata of another kind", where=where, advice=KEPT)
        case _:
            return MalformedError(
                f"unusable ({error})" if str(error) else "unusable", where=where, advice=KEPT
            )


def _unreadable(error: Exception, where: str) -> AlmanacError:
    """A form that cannot be read is malformed, unless what is wrong with it is a signature or a key."""
    reason = str(error.__cause__ or error)
    if "Multiple signatures" in reason:
        return SignatureError("the same key signs twice", where=where, advice=KEPT)
    if "Unsupported public key" in reason:
        return SignatureError("a key of a kind that is not known", where=where, advice=KEPT)
    return MalformedError(f"cannot be read ({_short(reason)})", where=where, advice=KEPT)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:117] + "…"


def check_verified(role: str, data: bytes, previous: int | None, now: datetime, rules: Rules) -> None:
    """The rules beyond TUF, for bytes whose signatures are already good."""
    where = f"in the {role} metadata"
    if rules == TUF_ONLY:
        return
    signed = strict_json(data, where)["signed"]
    version, expires = signed["version"], datetime.fromisoformat(signed["expires"])
    if rules.largest_version is not None and version > rules.largest_version:
        raise MalformedError(f"version {version} is too large", where=where, advice=KEPT)
    if rules.largest_jump is not None and previous is not None and version - previous > rules.largest_jump:
        raise EquivocationError(
            f"a jump from version {previous} to {version}",
            where=where,
            advice=f"{KEPT}; only a new root clears this",
        )
    _check_keyids(signed, where)
    life = dict(rules.longest_life).get(role)
    if life is not None and expires - now > life:
        raise SignatureError(
            f"signed until {expires:%Y-%m-%d}, further ahead than any {role} key may sign", where=where,
            advice=f"{KEPT}; check this computer's clock first",
        )  # fmt: skip


def _check_keyids(signed: dict[str, Any], where: str) -> None:
    """A key's id is the hash of the key. So one key under two ids cannot make up a threshold of two."""
    delegations = signed.get("delegations") or {}
    for keyid, key in {**signed.get("keys", {}), **delegations.get("keys", {})}.items():
        form = {name: key[name] for name in ("keytype", "scheme", "keyval")}
        canonical = str(encode_canonical(form))
        if hashlib.sha256(canonical.encode()).hexdigest() != keyid:
            raise SignatureError(f"key id {keyid[:16]}… is not the key's hash", where=where, advice=KEPT)


def strict_json(data: bytes, where: str) -> Any:
    """JSON that means one thing to every reader: UTF-8, no duplicate key, no float, no NaN."""
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not strict JSON ({_short(str(error))})", where=where, advice=KEPT) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice")
    return result


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


def same_version_other_content(old: Signed, new: Signed) -> bool:
    return old.version == new.version and old != new


def worst(errors: Iterable[AlmanacError]) -> AlmanacError:
    """Of what several mirrors did wrong, what to report: the first that is more than a missing connection."""
    ordered = list(errors)
    return next((error for error in ordered if not isinstance(error, NetworkError)), ordered[0])
