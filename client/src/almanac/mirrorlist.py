"""Which mirrors there are and in which order to ask them: the signed list, and always the origin that is trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from almanac.errors import MalformedError, UsageError

MOST_MIRRORS: Final = 1000


@dataclass(frozen=True, slots=True)
class Mirror:
    url: str
    """With a slash at its end."""
    region: str = "global"
    weight: int = 1


@dataclass(frozen=True, slots=True)
class MirrorList:
    mirrors: tuple[Mirror, ...] = ()
    oldest_release: int = 0
    """No mirror that is further behind is asked twice; it never falls."""


def read_list(data: bytes) -> MirrorList:
    """``mirrors.json`` as signed; fields and mirrors that this client does not understand are left out."""
    try:
        form = json.loads(data.decode())
        listed = form["mirrors"][:MOST_MIRRORS]
        mirrors = tuple(mirror for mirror in map(_mirror, listed) if mirror is not None)
        oldest = form.get("oldest_release", 0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedError(
            "cannot be read", where="(mirrors.json)", advice="the addresses known before are used"
        ) from error
    return MirrorList(mirrors, oldest if type(oldest) is int else 0)


def _mirror(form: Any) -> Mirror | None:
    if not isinstance(form, dict) or not isinstance(form.get("url"), str):
        return None
    regions = form.get("regions")
    region = form.get("region") or (regions[0] if isinstance(regions, list) and regions else "global")
    weight = form.get("weight", 1)
    try:
        url = base_address(form["url"])
    except UsageError:
        return None
    return Mirror(url, str(region), weight if type(weight) is int and 0 <= weight <= 1_000_000 else 1)


def base_address(text: str) -> str:
    """An address to which paths can be added: http or https, a host, a slash at its end, nothing hidden in it."""
    plain = text.strip()
    if not plain.isascii() or not plain.isprintable() or any(sign in plain for sign in '\\ <>"{}|^`'):
        raise UsageError("not an address", where=repr(text), advice="write it like https://catalog.example/")
    try:
        parts = urlsplit(plain)
        port = parts.port
    except ValueError:
        raise UsageError(
            "not an address", where=repr(text), advice="write it like https://catalog.example/"
        ) from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or port == 0
    ):
        raise UsageError("not an address", where=repr(text), advice="write it like https://catalog.example/")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "an address with a password", where=repr(text), advice="leave the user and password out"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}/"


def order(
    listed: Sequence[Mirror], origin: str, *, region: str = "global", random: Callable[[], float]
) -> tuple[Mirror, ...]:
    """Mirrors of the own region first, then the origin, then the others; shuffled by weight within each.

    An origin that is reached over https is never left for a mirror without it.
    """
    encrypted = origin.startswith("https:")
    others = [
        m
        for m in listed
        if m.url != origin and m.weight > 0 and (not encrypted or m.url.startswith("https:"))
    ]
    # each mirror's draw grows with its weight: a weighted shuffle without replacement
    shuffled = sorted(others, key=lambda mirror: random() ** (1 / mirror.weight), reverse=True)
    near = [mirror for mirror in shuffled if region != "global" and mirror.region == region]
    far = [mirror for mirror in shuffled if mirror not in near]
    home = next((mirror for mirror in listed if mirror.url == origin), Mirror(origin))
    return (*near, home, *far)
