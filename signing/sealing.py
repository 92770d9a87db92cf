"""A seed at rest: SecretBox under a key that Argon2id makes from a passphrase, with a header bound into it.

A sealed file is one JSON object: the header in the clear (how the key is derived, whose key it is, when it was
made), ``sealed``, and ``sha256`` over both. The header also enters the derivation of the box's key, so a header
that somebody changed opens nothing. The checksum tells a damaged file from a wrong passphrase.

Source: Argon2id and SecretBox are libsodium's, through PyNaCl.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import nacl.exceptions
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from signing.errors import KeyringError, MemoryNeededError, WrongPassphraseError
from signing.keys import Ed25519Signer, Random, Secret

FORMAT = 1
KDF_NAME = "argon2id13"
MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Strength:
    """What a guess costs: passes over memory, and bytes of memory."""

    ops: int
    mem: int


INTERACTIVE = Strength(argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE)
MODERATE = Strength(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)
SENSITIVE = Strength(argon2id.OPSLIMIT_SENSITIVE, argon2id.MEMLIMIT_SENSITIVE)


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a passphrase becomes a key."""

    ops: int
    mem: int
    salt: str
    name: str = KDF_NAME

    @classmethod
    def fresh(cls, strength: Strength, random: Random = os.urandom) -> Derivation:
        return cls(strength.ops, strength.mem, random(argon2id.SALTBYTES).hex())

    @classmethod
    def read(cls, value: Any, where: str) -> Derivation:
        try:
            derivation = cls(int(value["ops"]), int(value["mem"]), str(value["salt"]), str(value["name"]))
            sound = len(bytes.fromhex(derivation.salt)) == argon2id.SALTBYTES and derivation.name == KDF_NAME
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(where) from error
        # A file that asked for a terabyte would only make us fail; ours never ask for more than libsodium's most.
        if not (
            sound
            and argon2id.OPSLIMIT_MIN <= derivation.ops <= SENSITIVE.ops
            and argon2id.MEMLIMIT_MIN <= derivation.mem <= SENSITIVE.mem
        ):
            raise damaged(where)
        return derivation


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose seed it is."""

    keyid: str
    purpose: str
    public: str
    created: str


_PROCESS_KEY = os.urandom(32)
_derived: dict[bytes, Secret] = {}
_DERIVED_MOST = 16


def derive(passphrase: Secret, derivation: Derivation) -> Secret:
    """The key of this passphrase, derived once per process: it takes half a second on purpose.

    Raises:
        MemoryNeededError: the machine refuses the memory that it takes.
    """
    spelling = json.dumps(asdict(derivation), sort_keys=True).encode() + b"\0" + passphrase.reveal()
    name = hashlib.blake2b(spelling, key=_PROCESS_KEY).digest()
    if name not in _derived:
        if len(_derived) >= _DERIVED_MOST:
            _derived.clear()
        _derived[name] = _argon2id(passphrase, derivation)
    return _derived[name]


def _argon2id(passphrase: Secret, derivation: Derivation) -> Secret:
    try:
        return Secret(
            argon2id.kdf(
                SecretBox.KEY_SIZE,
                passphrase.reveal(),
                bytes.fromhex(derivation.salt),
                opslimit=derivation.ops,
                memlimit=derivation.mem,
            )
        )
    except (MemoryError, nacl.exceptions.RuntimeError) as error:
        raise MemoryNeededError(derivation.mem) from error


def seal(
    seed: Secret, owner: Owner, passphrase: Secret, derivation: Derivation, *, random: Random = os.urandom
) -> bytes:
    header = {"format": FORMAT, "kdf": asdict(derivation), **asdict(owner)}
    box = _box(derive(passphrase, derivation), header)
    sealed = box.encrypt(seed.reveal(), random(SecretBox.NONCE_SIZE))
    body = {**header, "sealed": base64.b64encode(sealed).decode()}
    return json.dumps({**body, "sha256": _checksum(body)}, indent=1, sort_keys=True).encode() + b"\n"


def read_owner(data: bytes, where: str) -> Owner:
    """Whose key a sealed file holds, without opening it."""
    return _owner(_read(data, where), where)


def unseal(data: bytes, passphrase: Secret, where: str) -> tuple[Owner, Secret]:
    """The seed, once everything about it was found to agree.

    Raises:
        KeyringError: the file is damaged.
        WrongPassphraseError: the file is whole and another passphrase sealed it.
    """
    body = _read(data, where)
    owner = _owner(body, where)
    derivation = Derivation.read(body["kdf"], where)
    header = {key: value for key, value in body.items() if key != "sealed"}
    try:
        sealed = base64.b64decode(str(body["sealed"]), validate=True)
        seed = Secret(_box(derive(passphrase, derivation), header).decrypt(sealed))
        signer = Ed25519Signer(seed)
    except nacl.exceptions.CryptoError as error:
        raise WrongPassphraseError(
            "the passphrase does not open the key", where=where, advice="is KEY_PASSPHRASE the right one?"
        ) from error
    except (ValueError, TypeError) as error:
        raise damaged(where) from error
    if (signer.public_key.keyid, signer.public_bytes.hex()) != (owner.keyid, owner.public):
        raise damaged(where)
    return owner, seed


def damaged(where: str) -> KeyringError:
    return KeyringError("this key file is damaged:", where=where, advice="bring it back from a backup")


def _box(derived: Secret, header: Mapping[str, Any]) -> SecretBox:
    key = hashlib.blake2b(_canonical(header), digest_size=32, key=derived.reveal(), person=b"almanac.seal")
    return SecretBox(key.digest())


def _read(data: bytes, where: str) -> dict[str, Any]:
    """The body of a sealed file whose checksum agrees."""
    if len(data) > MAX_FILE_BYTES:
        raise damaged(where)
    try:
        body = json.loads(data.decode("utf-8"))
        checksum = body.pop("sha256")
        whole = body.keys() >= {"kdf", "sealed"} and checksum == _checksum(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(where) from error
    if not whole:
        raise damaged(where)
    if body.get("format") != FORMAT:
        raise KeyringError(
            f"this key file has format {body.get('format')!r}, this program reads {FORMAT}:", where=where
        )
    return dict(body)


def _owner(body: Mapping[str, Any], where: str) -> Owner:
    try:
        return Owner(*(str(body[name]) for name in ("keyid", "purpose", "public", "created")))
    except KeyError as error:
        raise damaged(where) from error


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
