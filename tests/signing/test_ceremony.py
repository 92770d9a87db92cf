"""Root and targets signed by holders elsewhere: what leaves, what comes back, and what Mallory tries in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from almanac.errors import MalformedError, PolicyError
from signing.ceremony import (
    SigningRequest,
    completed,
    describe,
    merged,
    needed_signatures,
    read_request,
    sign_request,
    write_request,
)
from signing.keys import Ed25519Signer
from tests.signing.cast import House, StockClient, signer_of

ALICE, BOB, CAROL, MALLORY = (signer_of(name) for name in ("alice", "bob", "carol", "mallory"))


@pytest.fixture
def house() -> House:
    """Root is held by Alice, Bob and Carol, two of whom must sign; none of their keys is on the machine."""
    house = House()
    house.keys.current["root"] = [ALICE, BOB, CAROL]
    house.keys.thresholds["root"] = 2
    house.publish()
    house.keys.send_away("root")
    return house


def request_of(house: House) -> SigningRequest:
    """What the machine asks for while publication goes on, after a trip through a file."""
    (request,) = house.publish().requests.values()
    return read_request(write_request(request))


def signed_by(request: SigningRequest, *holders: Ed25519Signer) -> SigningRequest:
    for holder in holders:
        request = read_request(write_request(sign_request(request, holder)))
    return request


def test_two_of_three_holders_sign_a_rotation_and_an_old_client_follows(house: House, tmp_path: Path) -> None:
    client = StockClient(tmp_path, house)
    client.read("mirrors.json")
    house.keys.rotate("timestamp")
    request = signed_by(request_of(house), ALICE, CAROL)
    house.keys.brought["root"] = completed(request)
    assert house.publish().changed == {"root", "timestamp"}
    assert client.read("mirrors.json") == house.documents["mirrors.json"]
    assert house.publish().changed == frozenset(), "what was brought is used once"


def test_one_of_two_needed_signatures_is_not_enough(house: House) -> None:
    house.keys.rotate("timestamp")
    request = signed_by(request_of(house), ALICE, ALICE)
    with pytest.raises(PolicyError, match="1 more signatures"):
        completed(request)
    house.keys.brought["root"] = request.metadata
    assert house.publish().postponed == {"root"}


def test_holders_may_sign_copies_of_one_request(house: House) -> None:
    house.keys.rotate("timestamp")
    request = request_of(house)
    with pytest.raises(PolicyError):
        completed(signed_by(request, BOB))
    assert completed(merged([signed_by(request, BOB), signed_by(request, CAROL)]))


def test_copies_of_different_requests_are_not_merged(house: House) -> None:
    house.keys.rotate("timestamp")
    first = request_of(house)
    house.keys.rotate("timestamp")
    with pytest.raises(MalformedError, match="not copies"):
        merged([first, request_of(house)])


def test_a_renewal_is_offered_to_the_holders_while_publication_goes_on(house: House) -> None:
    house.pass_time(days=200)
    made = house.publish()
    assert set(made.requests) == {"root"}
    house.keys.brought["root"] = completed(signed_by(made.requests["root"], BOB, CAROL))
    assert "root" in house.publish().changed


def test_replacing_a_holder_takes_old_and_new_signatures(house: House, tmp_path: Path) -> None:
    client = StockClient(tmp_path, house)
    dave = signer_of("dave")
    house.keys.current["root"] = [ALICE, BOB, dave]
    house.keys.elsewhere.add(dave.public_key.keyid)
    request = request_of(house)
    assert [(needed.of, needed.missing) for needed in needed_signatures(request)] == [
        ("the root before", 2),
        ("the new root", 2),
    ]
    with pytest.raises(PolicyError):
        completed(signed_by(request, ALICE, dave))
    house.keys.brought["root"] = completed(signed_by(request, ALICE, BOB))
    house.publish()
    assert client.read("mirrors.json") == house.documents["mirrors.json"]


def test_targets_are_signed_elsewhere_too(house: House, tmp_path: Path) -> None:
    house.keys.send_away("targets")
    house.keys.rotate("publisher")
    request = request_of(house)
    assert request.role == "targets"
    house.keys.brought["targets"] = completed(signed_by(request, signer_of("targets")))
    house.publish()
    assert StockClient(tmp_path, house).read("mirrors.json") == house.documents["mirrors.json"]


def test_what_was_signed_for_other_contents_is_not_used(house: House) -> None:
    """Signed in March for one change; in April another was made."""
    house.keys.rotate("timestamp")
    request = signed_by(request_of(house), ALICE, BOB)
    house.keys.rotate("snapshot")
    house.keys.brought["root"] = completed(request)
    assert house.publish().postponed == {"root"}


def test_a_stranger_has_no_say(house: House) -> None:
    house.keys.rotate("timestamp")
    with pytest.raises(PolicyError, match="no say"):
        sign_request(request_of(house), MALLORY)


def test_a_request_that_was_changed_on_the_way_shows_it_and_loses_its_signatures(house: House) -> None:
    """Mallory puts her key in the place of the timestamp's after Alice signed."""
    house.keys.rotate("timestamp")
    form = json.loads(write_request(signed_by(request_of(house), ALICE)))
    keyid, mallory = form["metadata"]["signed"]["roles"]["timestamp"]["keyids"][0], MALLORY.public_key
    form["metadata"]["signed"]["keys"][mallory.keyid] = mallory.to_dict()
    form["metadata"]["signed"]["roles"]["timestamp"]["keyids"] = [mallory.keyid]
    changed = read_request(json.dumps(form).encode())
    text = "\n".join(describe(changed))
    assert mallory.keyid[:16] in text
    assert keyid[:16] not in text
    assert "signed: nobody" in text


def test_what_is_read_before_signing_names_old_and_new_keys(house: House) -> None:
    before = house.keys.public_keys("timestamp")[0].keyid
    house.keys.rotate("timestamp")
    after = house.keys.public_keys("timestamp")[0].keyid
    text = "\n".join(describe(request_of(house)))
    both = ", ".join(sorted([before[:16], after[:16]]))
    assert f"timestamp: 1 of {both} (before: 1 of {before[:16]})" in text
    assert "root 2, valid until 2027-11-20" in text


@pytest.mark.parametrize(
    "change",
    [
        {"role": "timestamp"},
        {"role": "targets"},
        {"format": 2},
        {"metadata": {}},
        {"delegator": None},
        {"metadata": 7},
    ],
)
def test_what_is_no_request_is_refused(house: House, change: dict) -> None:
    house.keys.rotate("timestamp")
    form = json.loads(write_request(request_of(house)))
    with pytest.raises(MalformedError):
        read_request(json.dumps({**form, **change}).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 5000, b"null"])
def test_nonsense_is_no_request(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_request(data)


def test_what_was_brought_for_one_version_is_not_used_for_the_next(house: House) -> None:
    house.keys.rotate("timestamp")
    house.keys.brought["root"] = completed(signed_by(request_of(house), ALICE, BOB))
    house.publish()
    house.pass_time(days=200)
    made = house.publish()
    assert made.postponed == {"root"}
    assert "root" not in made.changed
