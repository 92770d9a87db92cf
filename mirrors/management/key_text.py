"""How keys and requests are shown: public facts only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from signing.keyring import Keyring
from signing.register import RETIRED, THRESHOLD_ROLES, KeyInfo


def key_line(info: KeyInfo, *, is_here: bool, named: Collection[str] = ()) -> str:
    place = "" if is_here else ", kept elsewhere"
    return f"{info.purpose:<10} {info.keyid[:16]}  {_state(info, named)}{place}, since {info.created}"


def _state(info: KeyInfo, named: Collection[str]) -> str:
    """A retired key that the newest root still names is on its way out."""
    return "retiring" if info.state == RETIRED and info.keyid in named else info.state


def key_facts(info: KeyInfo, *, is_here: bool, named: Collection[str] = ()) -> dict[str, Any]:
    return {
        "keyid": info.keyid,
        "purpose": info.purpose,
        "public": info.public,
        "state": _state(info, named),
        "created": info.created,
        "here": is_here,
    }


def keyring_lines(keyring: Keyring, *, named: Collection[str] = ()) -> Iterator[str]:
    """``named``: the keys of the newest root."""
    for info in sorted(keyring.list(), key=lambda info: (info.purpose, info.state, info.created)):
        yield key_line(info, is_here=keyring.is_here(info.keyid), named=named)
    for role in sorted(THRESHOLD_ROLES):
        yield f"{role}: {keyring.threshold(role)} of {len(keyring.public_keys(role))} keys must sign"
    yield f"minisign key {keyring.minisign_public_key().line}"


def keyring_facts(keyring: Keyring, *, named: Collection[str] = ()) -> dict[str, Any]:
    return {
        "keys": [
            key_facts(info, is_here=keyring.is_here(info.keyid), named=named) for info in keyring.list()
        ],
        "thresholds": {role: keyring.threshold(role) for role in sorted(THRESHOLD_ROLES)},
        "minisign_key": keyring.minisign_public_key().line,
    }
