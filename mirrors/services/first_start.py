"""What a fresh installation needs before its first publication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mirrors.services.means import Keys
from signing.keyring import PASSPHRASE, REGISTER, Keyring
from signing.private_files import read_private
from signing.register import PURPOSES
from signing.sealing import MAX_FILE_BYTES


def ensure_keys(folder: Path, passphrase: bytes | None, *, now: datetime) -> Keyring:
    """The keyring, made on the first day; an existing one stays as it is."""
    if Keyring.exists(folder):
        return Keyring.open(folder, passphrase)
    return Keyring.create(folder, passphrase, now=now)


def opener(folder: Path, passphrase: bytes | None) -> Callable[[], Keys]:
    """Opens the keyring when it is first needed and keeps it open as long as its register is unchanged."""
    kept: list[tuple[int, Keyring]] = []

    def open_keys() -> Keys:
        keyring = Keyring.open(folder, passphrase)
        register = (folder / REGISTER).stat().st_mtime_ns
        if not kept or kept[0][0] != register:
            kept[:] = [(register, keyring)]
        return kept[0][1]

    return open_keys


@dataclass(frozen=True, slots=True)
class KeysFacts:
    """What ``doctor`` says of the keys; found without opening one."""

    count: int
    missing: tuple[str, ...]
    elsewhere: tuple[str, ...]
    passphrase_beside: bool


def keys_facts(folder: Path, *, has_passphrase: bool) -> KeysFacts:
    """Raises ``KeyringError`` where the folder or a file is open to others, damaged or absent."""
    keyring = Keyring.open(folder)
    current = [info for info in keyring.list() if info.is_current]
    for path in sorted(folder.glob("*.key")):
        read_private(path, most=MAX_FILE_BYTES)
    purposes = {info.purpose for info in current}
    return KeysFacts(
        count=len(current),
        missing=tuple(purpose for purpose in PURPOSES if purpose not in purposes),
        elsewhere=tuple(sorted({info.purpose for info in current if not keyring.is_here(info.keyid)})),
        passphrase_beside=not has_passphrase and (folder / PASSPHRASE).exists(),
    )
