"""What is done with keys, each with its audit row: the row stands only if the thing was done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from django.db import transaction

from almanac.errors import UsageError
from catalog.services import audit
from mirrors.services import ledger
from mirrors.services.means import Means
from mirrors.services.notices import current_notices
from signing.ceremony import SigningRequest, completed
from signing.errors import MissingKeyError
from signing.keyring import Keyring
from signing.metadata import next_metadata
from signing.register import KeyInfo


@transaction.atomic
def create_keys(*, folder: Path, passphrase: bytes | None, by: str, now: datetime) -> tuple[KeyInfo, ...]:
    """The keys of a first day; a purpose that has one keeps it. Gives back the new ones."""
    before = set(Keyring.open(folder, passphrase).list()) if Keyring.exists(folder) else set()
    keyring = Keyring.create(folder, passphrase, now=now)
    made = tuple(info for info in keyring.list() if info not in before)
    for info in made:
        _audit("key.create", info, by, now)
    return made


@transaction.atomic
def add_key(*, keyring: Keyring, purpose: str, by: str, now: datetime) -> KeyInfo:
    info = keyring.add(purpose, now=now)
    _audit("key.add", info, by, now)
    return info


@transaction.atomic
def adopt_key(*, keyring: Keyring, purpose: str, public: bytes, by: str, now: datetime) -> KeyInfo:
    info = keyring.adopt(purpose, public, now=now)
    _audit("key.adopt", info, by, now)
    return info


@transaction.atomic
def rotate_key(
    *, keyring: Keyring, purpose: str, keyid: str | None, by: str, now: datetime, revoke: bool = False
) -> KeyInfo:
    """The new key; the next publication carries it in a new root or targets. ``revoke``: the old one is compromised."""
    info = keyring.rotate(purpose, now=now, keyid=keyid, revoke=revoke)
    _audit("key.rotate", info, by, now, {"revoked_the_old": True} if revoke else None)
    return info


@transaction.atomic
def retire_key(*, keyring: Keyring, keyid: str, by: str, now: datetime) -> KeyInfo:
    info = keyring.retire(keyid)
    _audit("key.retire", info, by, now)
    return info


@transaction.atomic
def set_threshold(*, keyring: Keyring, role: str, threshold: int, by: str, now: datetime) -> None:
    keyring.set_threshold(role, threshold)
    audit.record(actor=by, action="key.threshold", about=role, detail={"threshold": threshold}, now=now)


@transaction.atomic
def export_key(
    *,
    keyring: Keyring,
    keyid: str,
    destination: Path,
    passphrase: bytes,
    remove: bool,
    by: str,
    now: datetime,
) -> KeyInfo:
    info = keyring.export(keyid, destination, passphrase, remove=remove)
    _audit("key.export", info, by, now, {"removed": remove})
    return info


@transaction.atomic
def import_key(*, keyring: Keyring, source: Path, passphrase: bytes, by: str, now: datetime) -> KeyInfo:
    info = keyring.import_(source, passphrase)
    _audit("key.import", info, by, now)
    return info


@transaction.atomic
def bring_signed(*, keyring: Keyring, request: SigningRequest, by: str, now: datetime) -> None:
    """Keeps what a ceremony signed for the next publication.

    Raises:
        PolicyError: signatures are missing.
    """
    keyring.bring_signed(request.role, completed(request))
    audit.record(actor=by, action="key.ceremony", about=request.role, detail={}, now=now)


def signing_request(*, means: Means, role: str, release: int, now: datetime) -> SigningRequest:
    """What a ceremony would have to sign for the next publication.

    Raises:
        UsageError: this role needs no signature from elsewhere now.
    """
    try:
        following = next_metadata(
            current=ledger.current_metadata(),
            contents=ledger.current_contents(current_notices(means.catalog)),
            release=release,
            keyring=means.open_keys(),
            now=now,
            policy=means.policy,
            served=ledger.served_metadata(),
        )
        found = following.requests.get(role)
    except MissingKeyError as error:
        if error.role != role:
            raise
        found = error.request
    if found is None:
        raise UsageError(
            f"{role} needs no signature from elsewhere now",
            advice="it is valid, or its keys are in this keyring",
        )
    return found


def _audit(
    action: str, info: KeyInfo, by: str, now: datetime, detail: Mapping[str, object] | None = None
) -> None:
    facts = {"purpose": info.purpose, "public": info.public, **(detail or {})}
    audit.record(actor=by, action=action, about=info.keyid, detail=facts, now=now)
