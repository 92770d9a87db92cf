"""How slugs, ids, dates, times and decimals are spelled. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

MAX_DECIMAL_CHARACTERS: Final = 64
SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}\Z")
NATIVE_ID: Final = re.compile(r"[ -~]{1,256}\Z")
PARTIAL_DATE: Final = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?\Z")
SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


def plain_decimal(text: str) -> str:
    """A decimal without exponent, sign of plus or needless zeros: ``1.50e-06`` gives ``0.0000015``.

    Raises ``ValueError`` for what is not a finite decimal of sensible length.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not number.is_finite() or number.adjusted() > 30 or number.adjusted() < -30:
        raise ValueError(f"{text!r} is not a number between 1e-30 and 1e30")
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    if plain in {"-0", ""}:
        plain = "0"
    if len(plain) > MAX_DECIMAL_CHARACTERS:
        raise ValueError(f"{text!r} has more than {MAX_DECIMAL_CHARACTERS} characters")
    return plain


def searchable(*texts: str) -> str:
    """Lower case, without accents, one line: what the search box compares with."""
    decomposed = unicodedata.normalize("NFKD", " ".join(text for text in texts if text)).casefold()
    return " ".join("".join(letter for letter in decomposed if not unicodedata.combining(letter)).split())


def moment(text: str) -> datetime:
    """``2026-11-20T08:00:00Z``; raises ``ValueError`` for anything else."""
    if not MOMENT.match(text):
        raise ValueError(f"{text!r} is not a time")
    return datetime.fromisoformat(text).astimezone(UTC)


def written(when: datetime) -> str:
    """The one way a time is written: UTC, whole seconds, ``Z``."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
