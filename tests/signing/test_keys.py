"""A signing key never shows its seed."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle

import pytest
from nacl.signing import SigningKey

import almanac.keys
from signing.keys import Ed25519Signer, Secret, new_seed, public_key

CANARY = b"canary-canary-canary-canary-ca!!"


def spellings(seed: bytes) -> list[str]:
    import base64

    return [seed.decode("latin-1"), seed.hex(), base64.b64encode(seed).decode(), repr(seed)[2:-1]]


def shown(value: object) -> str:
    """Everything that printing, formatting, logging or dumping an object could show."""
    record = logging.LogRecord("x", logging.INFO, "f", 1, "signing with %s %r", (value, value), None)
    fields = [getattr(value, name, "") for name in dir(value) if not callable(getattr(value, name, None))]
    return "\n".join(
        [str(value), repr(value), f"{value}", f"{value!s:>80}", "%s" % value, record.getMessage()]  # noqa: UP031
        + [str(getattr(value, "__dict__", "")), json.dumps(value, default=str), repr(fields)]
        + [
            repr(getattr(value, slot))
            for kind in type(value).__mro__
            for slot in getattr(kind, "__slots__", ())
        ]
    )


@pytest.mark.parametrize("holder", [Secret(CANARY), Ed25519Signer(Secret(CANARY))])
def test_nothing_that_can_be_printed_gives_the_seed(holder: object) -> None:
    text = shown(holder)
    assert not [spelling for spelling in spellings(CANARY) if spelling in text]


def test_the_canary_is_found_where_a_key_does_show_its_seed() -> None:
    """The test's own test: PyNaCl's key prints its seed."""
    text = shown(SigningKey(CANARY))
    assert [spelling for spelling in spellings(CANARY) if spelling in text]


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("holder", [Secret(CANARY), Ed25519Signer(Secret(CANARY))])
def test_a_secret_is_neither_pickled_nor_copied(holder: object, leave: object) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        leave(holder)


def test_a_dataclass_around_a_signer_does_not_show_it_either() -> None:
    @dataclasses.dataclass
    class Task:
        signer: Ed25519Signer

    assert "canary" not in repr(Task(Ed25519Signer(Secret(CANARY))))


def test_what_it_signs_verifies_and_nothing_else_does() -> None:
    almanac.keys.register()
    signer = Ed25519Signer(new_seed())
    signature = signer.sign(b"a document")
    signer.public_key.verify_signature(signature, b"a document")
    with pytest.raises(Exception, match="did not make this signature"):
        signer.public_key.verify_signature(signature, b"another document")


def test_a_key_id_is_computed_from_the_key() -> None:
    assert public_key(b"\1" * 32).keyid == public_key(b"\1" * 32).keyid != public_key(b"\2" * 32).keyid


def test_the_repr_names_the_key_id() -> None:
    signer = Ed25519Signer(Secret(CANARY))
    assert signer.public_key.keyid[:16] in repr(signer)


def test_no_signer_comes_from_an_address() -> None:
    with pytest.raises(ValueError, match="opened by the keyring"):
        Ed25519Signer.from_priv_key_uri("file:key", public_key(b"\1" * 32))
