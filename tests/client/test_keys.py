"""A key answers yes or no; nothing that a stranger writes makes it fail otherwise."""

from __future__ import annotations

import pytest
from nacl.signing import SigningKey
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature

from almanac import keys

SECRET = SigningKey(b"\x07" * 32)
DATA = b'{"_type":"timestamp"}'
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def key(public: object = None) -> Key:
    keys.register()
    public = SECRET.verify_key.encode().hex() if public is None else public
    return Key.from_dict("k", {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}})


def signature(data: bytes = DATA) -> bytes:
    return SECRET.sign(data).signature


def test_register_makes_pynacl_the_verifier_of_ed25519() -> None:
    assert isinstance(key(), keys.PyNaClKey)


def test_a_good_signature_verifies() -> None:
    key().verify_signature(Signature("k", signature().hex()), DATA)


def test_a_key_survives_the_way_to_json_and_back() -> None:
    form = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00"}, "x-note": 1}
    assert keys.PyNaClKey.from_dict("k", dict(form)).to_dict() == form


def malleated() -> str:
    """The same point with S + L: a second spelling of a good signature, which must not pass."""
    good = signature()
    s = int.from_bytes(good[32:], "little") + GROUP_ORDER
    return (good[:32] + s.to_bytes(32, "little")).hex()


@pytest.mark.parametrize(
    "wrong",
    [
        signature().hex()[:-2],
        signature().hex() + "00",
        "",
        "not hexadecimal",
        signature(b"other").hex(),
        malleated(),
        None,
        17,
        ["00"],
        {"sig": "00"},
        "ﬀ" * 64,
    ],
)
def test_a_wrong_signature_is_unverified_and_never_a_traceback(wrong: object) -> None:
    with pytest.raises(UnverifiedSignatureError):
        key().verify_signature(Signature("k", wrong), DATA)  # type: ignore[arg-type]


@pytest.mark.parametrize("public", ["", "00", "zz" * 32, "00" * 33, "01" + "00" * 31])
def test_a_wrong_or_weak_public_key_verifies_nothing(public: str) -> None:
    with pytest.raises(UnverifiedSignatureError):
        key(public).verify_signature(Signature("k", signature().hex()), DATA)


def test_a_small_order_key_does_not_verify_the_signature_that_fits_every_message() -> None:
    identity = "01" + "00" * 31
    with pytest.raises(UnverifiedSignatureError):
        key(identity).verify_signature(Signature("k", identity + "00" * 32), DATA)


def test_a_signature_that_names_another_key_is_unverified() -> None:
    with pytest.raises(UnverifiedSignatureError):
        key().verify_signature(Signature("other", signature().hex()), DATA)


@pytest.mark.parametrize("public", [None.__class__, 3, ["00"]])
def test_a_key_without_a_public_part_is_refused_when_read(public: object) -> None:
    with pytest.raises(ValueError, match="no public part"):
        key(public)
