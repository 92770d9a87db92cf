"""The one kind of signer there is: Ed25519 through PyNaCl, behind securesystemslib's ``Signer``.

PyNaCl's own ``str(signing_key)`` is the secret seed, and its keys can be pickled into task arguments and
caches. So a seed lives only inside ``Secret`` and ``Ed25519Signer``, which neither print, format, copy nor
pickle it. There is no cryptography of our own here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_PUBLICKEYBYTES
from nacl.signing import SigningKey
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer
from securesystemslib.signer._utils import compute_default_keyid

from almanac.errors import MalformedError
from almanac.keys import PyNaClKey

KEYTYPE = SCHEME = "ed25519"
SEED_BYTES = 32

Random = Callable[[int], bytes]


class _Unprintable:
    """Shows nothing of what it holds, and can be neither copied nor pickled."""

    __slots__ = ()

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        message = f"{type(self).__name__} is secret: it is never pickled or copied"
        raise TypeError(message)


class Secret(_Unprintable):
    """Bytes that no log line, debug page or dump shows; ``reveal`` is the only way to them."""

    __slots__ = ("reveal",)

    def __init__(self, value: bytes) -> None:
        # A closure, not an attribute: walking over an object's fields does not find what a cell holds.
        self.reveal: Callable[[], bytes] = lambda: value

    def __repr__(self) -> str:
        return "<Secret>"


def new_seed(random: Random = os.urandom) -> Secret:
    return Secret(random(SEED_BYTES))


def public_key(public: bytes) -> Key:
    """The TUF key of these 32 bytes; its id is computed from them, never taken from somewhere."""
    keyval = {"public": public.hex()}
    return PyNaClKey(compute_default_keyid(KEYTYPE, SCHEME, keyval), KEYTYPE, SCHEME, keyval)


def check_public(public: bytes) -> None:
    """Raises ``MalformedError`` where these are not the bytes of a key that anything could verify with."""
    if len(public) != crypto_sign_PUBLICKEYBYTES or not crypto_core_ed25519_is_valid_point(public):
        raise MalformedError("this is not an Ed25519 public key:", where=public.hex()[:64])


class Ed25519Signer(_Unprintable, Signer):
    """Signs with one Ed25519 key; ``repr``, ``str`` and every format show its id."""

    __slots__ = ("_key", "_raw_sign")

    def __init__(self, seed: Secret) -> None:
        signing_key = SigningKey(seed.reveal())
        self._key = public_key(bytes(signing_key.verify_key))
        self._raw_sign: Callable[[bytes], bytes] = lambda message: bytes(signing_key.sign(message).signature)

    def __repr__(self) -> str:
        return f"<Ed25519Signer {self._key.keyid[:16]}>"

    @property
    def public_key(self) -> Key:
        return self._key

    @property
    def public_bytes(self) -> bytes:
        return bytes.fromhex(self._key.keyval["public"])

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.keyid, self._raw_sign(payload).hex())

    def sign_bytes(self, message: bytes) -> bytes:
        """The 64 raw bytes of a signature, for formats other than TUF."""
        return self._raw_sign(message)

    @classmethod
    def from_priv_key_uri(
        cls,
        priv_key_uri: str,  # noqa: ARG003  the base class names them
        public_key: Key,  # noqa: ARG003
        secrets_handler: SecretsHandler | None = None,  # noqa: ARG003
    ) -> Signer:
        """Always refused: our keys come from the keyring, and no address ever holds one."""
        raise ValueError("an Ed25519Signer is opened by the keyring, never from an address")
