"""minisign signatures, the prehashed kind (``ED``): made with our key, read and verified as a stranger would.

The trusted comment names path, release and SHA-256, and is covered by the global signature.
Source: minisign's description of its formats (public key, signature, global signature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from almanac.errors import MalformedError
from signing.errors import MinisignError
from signing.keys import Ed25519Signer

KEY_ALGORITHM = b"Ed"
PREHASHED = b"ED"
KEY_NUMBER_BYTES = 8
UNTRUSTED = "untrusted comment: "
TRUSTED = "trusted comment: "
MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class MinisignPublicKey:
    number: bytes
    """eight bytes by which a signature names its key; ours come from the key's own hash"""
    public: bytes

    @classmethod
    def of(cls, public: bytes) -> MinisignPublicKey:
        return cls(hashlib.blake2b(public, digest_size=KEY_NUMBER_BYTES).digest(), public)

    @property
    def line(self) -> str:
        """The ``RW…`` that ``minisign -P`` takes."""
        return base64.b64encode(KEY_ALGORITHM + self.number + self.public).decode()

    @property
    def text(self) -> str:
        """The file ``minisign.pub``."""
        return f"{UNTRUSTED}minisign public key {self.shown_number}\n{self.line}\n"

    @property
    def shown_number(self) -> str:
        return self.number[::-1].hex().upper()


@dataclass(frozen=True, slots=True)
class MinisignSignature:
    number: bytes
    signature: bytes
    trusted_comment: str
    global_signature: bytes


class MinisignSigner:
    """Signs files for ``minisign -V``."""

    def __init__(self, signer: Ed25519Signer) -> None:
        self._signer = signer
        self.public_key = MinisignPublicKey.of(signer.public_bytes)

    def __repr__(self) -> str:
        return f"<MinisignSigner {self.public_key.shown_number}>"

    def sign(self, data: bytes, *, path: str, release: int) -> bytes:
        """The ``.minisig`` of these bytes, to be served at ``path``."""
        comment = f"path:{path} release:{release} sha256:{hashlib.sha256(data).hexdigest()}"
        if not comment.isprintable():
            raise MalformedError("a trusted comment is one printable line, not", where=repr(comment))
        signature = self._signer.sign_bytes(_prehash(data))
        whole = self._signer.sign_bytes(signature + comment.encode())
        first = base64.b64encode(PREHASHED + self.public_key.number + signature).decode()
        lines = (
            f"{UNTRUSTED}signature by {self.public_key.line}",
            first,
            f"{TRUSTED}{comment}",
            base64.b64encode(whole).decode(),
        )
        return "".join(f"{line}\n" for line in lines).encode()


def trusted_facts(comment: str) -> dict[str, str]:
    """``path``, ``release`` and ``sha256`` of a trusted comment of ours."""
    return dict(part.split(":", 1) for part in comment.split(" ") if ":" in part)


def read_public_key(text: str) -> MinisignPublicKey:
    """Reads ``minisign.pub`` or its ``RW…`` line alone."""
    lines = text.strip().splitlines()
    raw = _decode(lines[-1] if lines else "", 2 + KEY_NUMBER_BYTES + 32, "minisign public key")
    if raw[:2] != KEY_ALGORITHM:
        raise MalformedError("this minisign public key is of an unknown kind")
    return MinisignPublicKey(raw[2:10], raw[10:])


def read_signature(data: bytes) -> MinisignSignature:
    if len(data) > MOST_BYTES:
        raise MalformedError("this minisign signature is too long")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("this minisign signature is not text") from error
    if len(lines) != 5 or lines[4] or not lines[0].startswith(UNTRUSTED) or not lines[2].startswith(TRUSTED):
        raise MalformedError("this minisign signature does not have its four lines")
    raw = _decode(lines[1], 2 + KEY_NUMBER_BYTES + 64, "minisign signature")
    if raw[:2] != PREHASHED:
        raise MalformedError("this minisign signature is not of the prehashed kind")
    return MinisignSignature(
        raw[2:10],
        raw[10:],
        lines[2].removeprefix(TRUSTED),
        _decode(lines[3], 64, "minisign global signature"),
    )


def verify(data: bytes, signature: bytes, key: MinisignPublicKey) -> str:
    """Gives back the trusted comment of a signature that holds.

    Raises:
        MalformedError: it is not a minisign signature.
        MinisignError: it is one, and not of these bytes by this key.
    """
    parsed = read_signature(signature)
    if parsed.number != key.number:
        raise MinisignError("another minisign key made this signature")
    try:
        verifier = VerifyKey(key.public)
        verifier.verify(_prehash(data), parsed.signature)
        verifier.verify(parsed.signature + parsed.trusted_comment.encode(), parsed.global_signature)
    except (CryptoError, ValueError, TypeError) as error:
        raise MinisignError("the minisign signature does not fit these bytes and this comment") from error
    return parsed.trusted_comment


def _prehash(data: bytes) -> bytes:
    return hashlib.blake2b(data).digest()


def _decode(text: str, length: int, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"this {what} is not base64") from error
    # The second test refuses other spellings of the same bytes, which base64 allows in its last digit.
    if len(raw) != length or base64.b64encode(raw).decode() != text:
        raise MalformedError(f"this {what} has {len(raw)} bytes instead of {length}")
    return raw
