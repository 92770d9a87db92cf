"""Ed25519 verification through PyNaCl, behind securesystemslib's ``Key``.

python-tuf asks a key "does this signature verify?" and counts the answers towards a threshold. Whatever a stranger
puts where a signature or a key should be (63 bytes, a number, no hexadecimal) is the answer "no", never a traceback.
RSA and ECDSA keys stay with securesystemslib, where ``cryptography`` is installed.
"""

from __future__ import annotations

from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, Key, Signature

ED25519: Final = "ed25519"
SIGNATURE_BYTES: Final = 64


class PyNaClKey(Key):
    """An Ed25519 public key; ``keyval["public"]`` is its 32 bytes in hexadecimal."""

    @classmethod
    def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> PyNaClKey:
        keytype, scheme, keyval = cls._from_dict(key_dict)
        if not isinstance(keyval, dict) or not isinstance(keyval.get("public"), str):
            raise ValueError(f"key {keyid} has no public part")  # noqa: TRY004  python-tuf reads ValueError as "malformed"
        return cls(keyid, keytype, scheme, keyval, key_dict)

    def to_dict(self) -> dict[str, Any]:
        return self._to_dict()

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        try:
            self._verify(signature, data)
        except (CryptoError, ValueError, TypeError, AttributeError) as reason:
            raise UnverifiedSignatureError(
                f"key {self.keyid} did not make this signature: {reason}"
            ) from reason

    def _verify(self, signature: Signature, data: bytes) -> None:
        if signature.keyid != self.keyid:
            raise ValueError("the signature names another key")
        raw = bytes.fromhex(signature.signature)
        if len(raw) != SIGNATURE_BYTES:
            raise ValueError(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes, this one {len(raw)}")
        VerifyKey(bytes.fromhex(self.keyval["public"])).verify(data, raw)


def register() -> None:
    """Make PyNaCl the verifier of every Ed25519 key that python-tuf reads; calling it again changes nothing."""
    KEY_FOR_TYPE_AND_SCHEME[(ED25519, ED25519)] = PyNaClKey
