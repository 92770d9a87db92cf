"""The keyring's register: which keys there are, which of them are current, how many must sign. Nothing secret.

It carries a code made with the keyring's own key, so that somebody who can write in the folder but does not
know the passphrase cannot slip in a key of theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from signing.errors import KeyringError
from signing.keys import Secret, public_key
from signing.sealing import Derivation, damaged

FORMAT = 1
CURRENT = "current"
RETIRED = "retired"
REVOKED = "revoked"
"""Somebody else may have it: no root lists it any longer than it must."""

PURPOSES = ("root", "targets", "publisher", "network", "snapshot", "timestamp", "minisign")
CHANGEABLE = tuple(purpose for purpose in PURPOSES if purpose != "minisign")
"""The minisign key stays: the signatures of published documents are never made anew, and people wrote it down."""
OFFLINE = frozenset({"root", "targets"})
THRESHOLD_ROLES = frozenset({"root", "targets", "snapshot", "timestamp"})


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be known about a key by everybody."""

    keyid: str
    purpose: str
    public: str
    created: str
    state: str = CURRENT

    @property
    def is_current(self) -> bool:
        return self.state == CURRENT


@dataclass(frozen=True, slots=True)
class Register:
    derivation: Derivation
    keys: tuple[KeyInfo, ...] = ()
    thresholds: Mapping[str, int] = field(default_factory=dict)

    def current(self, purpose: str) -> tuple[KeyInfo, ...]:
        return tuple(info for info in self.keys if info.purpose == purpose and info.is_current)

    def find(self, keyid: str) -> KeyInfo | None:
        return next((info for info in self.keys if info.keyid == keyid), None)

    def threshold(self, role: str) -> int:
        return self.thresholds.get(role, 1)

    def with_key(self, added: KeyInfo) -> Register:
        return replace(self, keys=(*self.keys, added))

    def with_retired(self, keyids: Iterable[str], *, state: str = RETIRED) -> Register:
        gone = set(keyids)
        keys = (replace(info, state=state) if info.keyid in gone else info for info in self.keys)
        return replace(self, keys=tuple(keys))

    def with_threshold(self, role: str, threshold: int) -> Register:
        return replace(self, thresholds={**self.thresholds, role: threshold})


def write_register(register: Register, derived: Secret) -> bytes:
    body: dict[str, Any] = {
        "format": FORMAT,
        "kdf": asdict(register.derivation),
        "keys": [asdict(info) for info in register.keys],
        "thresholds": dict(register.thresholds),
    }
    return json.dumps({**body, "code": _code(body, derived)}, indent=1, sort_keys=True).encode() + b"\n"


def read_register(data: bytes, where: str) -> Register:
    """Reads without knowing the passphrase; ``check_register`` is for those who know it."""
    try:
        body = json.loads(data.decode("utf-8"))
        if body["format"] != FORMAT:
            raise KeyringError(
                f"this keyring has format {body['format']!r}, this program reads {FORMAT}:", where=where
            )
        register = Register(
            Derivation.read(body["kdf"], where),
            tuple(KeyInfo(**info) for info in body["keys"]),
            {str(role): int(number) for role, number in body["thresholds"].items()},
        )
        sound = all(_is_sound(info) for info in register.keys)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(where) from error
    if not sound:
        raise damaged(where)
    return register


def check_register(data: bytes, derived: Secret) -> bool:
    """True when the register is as this keyring's owner wrote it."""
    body = json.loads(data)
    code = body.pop("code", "")
    return hmac.compare_digest(str(code).encode(), _code(body, derived).encode())


def _is_sound(info: KeyInfo) -> bool:
    return (
        info.purpose in PURPOSES
        and info.state in (CURRENT, RETIRED, REVOKED)
        and len(bytes.fromhex(info.public)) == 32
        and public_key(bytes.fromhex(info.public)).keyid == info.keyid
    )


def _code(body: Mapping[str, Any], derived: Secret) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.blake2b(text, digest_size=32, key=derived.reveal(), person=b"almanac.register").hexdigest()
