"""A folder of sealed keys: what the publisher signs with.

    keyring.json              the register: public keys, states, thresholds (no passphrase is needed to read it)
    <purpose>-<key id>.key    a sealed seed; absent for a key that is kept elsewhere
    passphrase                only where no passphrase was given: a random one, which protects against nothing
                              but a copied key file
    signed/<role>.json        a root or targets that was signed elsewhere and waits for the next publication

Opening a key takes Argon2id's half second once per process, whatever the number of keys.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from securesystemslib.signer import Key

from signing.errors import KeyringError, WrongPassphraseError
from signing.keys import Ed25519Signer, Random, Secret, check_public, new_seed, public_key
from signing.minisign import MinisignPublicKey, MinisignSigner
from signing.private_files import (
    check_folder,
    locked,
    make_private_folder,
    read_private,
    remove_private,
    write_private,
)
from signing.register import (
    CHANGEABLE,
    OFFLINE,
    PURPOSES,
    RETIRED,
    REVOKED,
    THRESHOLD_ROLES,
    KeyInfo,
    Register,
    check_register,
    read_register,
    write_register,
)
from signing.sealing import (
    MAX_FILE_BYTES,
    MODERATE,
    SENSITIVE,
    Derivation,
    Owner,
    Strength,
    damaged,
    derive,
    read_owner,
    seal,
    unseal,
)

REGISTER = "keyring.json"
PASSPHRASE = "passphrase"  # noqa: S105  a file's name
SIGNED = "signed"
MAX_REGISTER_BYTES = 1024 * 1024


class Keyring:
    """``open`` an existing folder or ``create`` one; listing needs no passphrase, signing does."""

    def __init__(self, folder: Path, passphrase: bytes | None = None, *, random: Random = os.urandom) -> None:
        self.folder = folder
        self._given = None if passphrase is None else Secret(passphrase)
        self._random = random
        self._signers: dict[str, Ed25519Signer] = {}
        self._reload()

    def __repr__(self) -> str:
        return f"<Keyring {self.folder}>"

    @classmethod
    def exists(cls, folder: Path) -> bool:
        return (folder / REGISTER).is_file()

    @classmethod
    def open(cls, folder: Path, passphrase: bytes | None = None) -> Keyring:
        """An existing keyring.

        Raises:
            KeyringError: it is absent, damaged, or others could read or swap its files.
        """
        return cls(folder, passphrase)

    @classmethod
    def create(
        cls,
        folder: Path,
        passphrase: bytes | None = None,
        *,
        now: datetime,
        strength: Strength = MODERATE,
        random: Random = os.urandom,
    ) -> Keyring:
        """The keyring of a first day, with a key for every purpose; an existing one is completed, never replaced."""
        make_private_folder(folder)
        with locked(folder):
            if not cls.exists(folder):
                if passphrase is None and not (folder / PASSPHRASE).exists():
                    write_private(folder / PASSPHRASE, base64.urlsafe_b64encode(random(32)) + b"\n")
                derivation = Derivation.fresh(strength, random)
                secret = _passphrase(folder, None if passphrase is None else Secret(passphrase))
                write_private(
                    folder / REGISTER, write_register(Register(derivation), derive(secret, derivation))
                )
        keyring = cls(folder, passphrase, random=random)
        keyring.create_all(now=now)
        return keyring

    # What there is: needs no passphrase.

    def list(self) -> tuple[KeyInfo, ...]:
        return self._register.keys

    def is_here(self, keyid: str) -> bool:
        """True when the key's secret half is in this folder."""
        info = self._register.find(keyid)
        return info is not None and self._path(info).exists()

    def is_revoked(self, keyid: str) -> bool:
        info = self._register.find(keyid)
        return info is not None and info.state == REVOKED

    def public_keys(self, purpose: str) -> Sequence[Key]:
        return [public_key(bytes.fromhex(info.public)) for info in self._register.current(purpose)]

    def threshold(self, purpose: str) -> int:
        return self._register.threshold(purpose)

    def minisign_public_key(self) -> MinisignPublicKey:
        return MinisignPublicKey.of(bytes.fromhex(self._only("minisign").public))

    def prepared(self, role: str) -> bytes | None:
        """A root or targets that was signed elsewhere, see ``bring_signed``."""
        path = self.folder / SIGNED / f"{role}.json"
        return read_private(path, most=MAX_REGISTER_BYTES) if role in OFFLINE and path.exists() else None

    # Signing: needs the passphrase.

    def signer(self, keyid: str) -> Ed25519Signer | None:
        """The signer of a current or retired key; ``None`` when it is unknown or kept elsewhere."""
        if keyid not in self._signers:
            info = self._register.find(keyid)
            if info is None or not self._path(info).exists():
                return None
            self._signers[keyid] = Ed25519Signer(self._seed(info))
        return self._signers[keyid]

    def minisign(self) -> MinisignSigner:
        info = self._only("minisign")
        signer = self.signer(info.keyid)
        if signer is None:
            raise KeyringError("the minisign key is not in this keyring:", where=str(self.folder))
        return MinisignSigner(signer)

    # Changes: one writer at a time, key files first, the register last.

    def create_all(self, *, now: datetime) -> tuple[KeyInfo, ...]:
        """A key for each purpose that has none; what there is stays."""
        with locked(self.folder):
            self._reload()
            made = [self._new(purpose, now) for purpose in PURPOSES if not self._register.current(purpose)]
            if made:
                register = self._register
                for info in made:
                    register = register.with_key(info)
                self._save(register)
        return tuple(made)

    def add(self, purpose: str, *, now: datetime) -> KeyInfo:
        """One more current key of a purpose, as a threshold above one needs."""
        _check_changeable(purpose)
        with locked(self.folder):
            self._reload()
            made = self._new(purpose, now)
            self._save(self._register.with_key(made))
        return made

    def rotate(
        self, purpose: str, *, now: datetime, keyid: str | None = None, revoke: bool = False
    ) -> KeyInfo:
        """A new current key; the old one is retired and kept, because a new root is signed by the old one too.

        With ``revoke`` it counts as known to somebody else: it is not kept in a root for those who still read what
        it signed.
        """
        _check_changeable(purpose)
        with locked(self.folder):
            self._reload()
            old = self._one_of(purpose, keyid)
            made = self._new(purpose, now)
            self._save(
                self._register.with_retired([old.keyid], state=REVOKED if revoke else RETIRED).with_key(made)
            )
        return made

    def set_threshold(self, role: str, threshold: int) -> None:
        with locked(self.folder):
            self._reload()
            most = len(self._register.current(role))
            if role not in THRESHOLD_ROLES or not 1 <= threshold <= most:
                raise KeyringError(
                    f"a threshold of {threshold} does not fit {role}: it has {most} current keys,",
                    where=str(self.folder),
                )
            self._save(self._register.with_threshold(role, threshold))

    def export(
        self,
        keyid: str,
        destination: Path,
        passphrase: bytes,
        *,
        remove: bool = False,
        strength: Strength = SENSITIVE,
    ) -> KeyInfo:
        """Writes a sealed copy that stands alone; with ``remove`` the folder's own goes once the copy was read back."""
        with locked(self.folder):
            self._reload()
            info = self._known(keyid)
            owner = Owner(info.keyid, info.purpose, info.public, info.created)
            secret, derivation = Secret(passphrase), Derivation.fresh(strength, self._random)
            seed = self._seed(info)
            write_private(
                destination, seal(seed, owner, secret, derivation, random=self._random), only_if_absent=True
            )
            unseal(read_private(destination, most=MAX_FILE_BYTES), secret, str(destination))
            if remove:
                self._signers.pop(info.keyid, None)
                remove_private(self._path(info))
                self._save(
                    self._register
                )  # whoever keeps the keyring open sees that it changed, and opens it anew
        return info

    def import_(self, source: Path, passphrase: bytes) -> KeyInfo:
        """Takes a sealed file in; a key that the register does not know joins as a current one."""
        owner, seed = unseal(read_private(source, most=MAX_FILE_BYTES), Secret(passphrase), str(source))
        with locked(self.folder):
            self._reload()
            known = self._register.find(owner.keyid)
            if known is None:
                _check_changeable(owner.purpose)
            info = known or KeyInfo(owner.keyid, owner.purpose, owner.public, owner.created)
            self._write_key(info, seed)
            if known is None:
                self._save(self._register.with_key(info))
        return info

    def adopt(self, purpose: str, public: bytes, *, now: datetime) -> KeyInfo:
        """Another holder's key joins as a current one; only its public half is known here."""
        _check_changeable(purpose)
        check_public(public)
        with locked(self.folder):
            self._reload()
            info = KeyInfo(public_key(public).keyid, purpose, public.hex(), _written(now))
            if self._register.find(info.keyid) is not None:
                raise KeyringError("this key is in the keyring already:", where=info.keyid[:16])
            self._save(self._register.with_key(info))
        return info

    def retire(self, keyid: str) -> KeyInfo:
        """A current key stops being one, without another in its place; a threshold must still be met without it."""
        with locked(self.folder):
            self._reload()
            info = self._known(keyid)
            left = len(self._register.current(info.purpose)) - info.is_current
            if left < self._register.threshold(info.purpose):
                raise KeyringError(
                    f"without this key {info.purpose} would have {left} keys, fewer than it needs:",
                    where=info.keyid[:16], advice="rotate it instead, or lower the threshold first",
                )  # fmt: skip
            self._save(self._register.with_retired([info.keyid]))
        return info

    def bring_signed(self, role: str, data: bytes) -> None:
        """Keeps a root or targets that was signed elsewhere for the next publication, which verifies it."""
        if role not in OFFLINE:
            raise KeyringError(f"{role} is not signed elsewhere: only root and targets are")
        make_private_folder(self.folder / SIGNED)
        write_private(self.folder / SIGNED / f"{role}.json", data)

    # Inside.

    def _reload(self) -> None:
        path = self.folder / REGISTER
        if not path.exists():
            raise KeyringError(
                "there is no keyring:", where=str(self.folder), advice="'manage.py keys create' makes one"
            )
        check_folder(self.folder)
        self._data = read_private(path, most=MAX_REGISTER_BYTES)
        self._register = read_register(self._data, str(path))

    def _derived(self) -> Secret:
        """The keyring's own key, after a look at whether the register is ours."""
        secret = _passphrase(self.folder, self._given)
        derived = derive(secret, self._register.derivation)
        if not check_register(self._data, derived):
            self._explain_register(secret)
        return derived

    def _explain_register(self, secret: Secret) -> None:
        """A register that does not agree: either the passphrase is another one, or somebody changed the register."""
        try:
            for path in sorted(self.folder.glob("*.key")):
                unseal(read_private(path, most=MAX_FILE_BYTES), secret, str(path))
                raise damaged(str(self.folder / REGISTER))
        except WrongPassphraseError:
            pass
        lies_here = (self.folder / PASSPHRASE).exists() and self._given is not None
        raise WrongPassphraseError(
            "the passphrase does not open the keyring",
            where=str(self.folder),
            advice="a passphrase lies in that folder: unset KEY_PASSPHRASE to use it"
            if lies_here
            else "is KEY_PASSPHRASE the right one?",
        )

    def _seed(self, info: KeyInfo) -> Secret:
        self._derived()
        path = self._path(info)
        secret = _passphrase(self.folder, self._given)
        owner, seed = unseal(read_private(path, most=MAX_FILE_BYTES), secret, str(path))
        if (owner.keyid, owner.purpose) != (info.keyid, info.purpose):
            raise damaged(str(path))
        return seed

    def _new(self, purpose: str, now: datetime) -> KeyInfo:
        seed = new_seed(self._random)
        signer = Ed25519Signer(seed)
        info = KeyInfo(signer.public_key.keyid, purpose, signer.public_bytes.hex(), _written(now))
        self._write_key(info, seed)
        return info

    def _write_key(self, info: KeyInfo, seed: Secret) -> None:
        self._derived()
        owner = Owner(info.keyid, info.purpose, info.public, info.created)
        secret = _passphrase(self.folder, self._given)
        write_private(
            self._path(info), seal(seed, owner, secret, self._register.derivation, random=self._random)
        )

    def _save(self, register: Register) -> None:
        write_private(self.folder / REGISTER, write_register(register, self._derived()))
        self._reload()

    def _path(self, info: KeyInfo) -> Path:
        return self.folder / f"{info.purpose}-{info.keyid[:16]}.key"

    def _known(self, keyid: str) -> KeyInfo:
        """By its id or by the first digits of it."""
        found = [info for info in self._register.keys if info.keyid.startswith(keyid)] if keyid else []
        if len(found) != 1:
            raise KeyringError(
                f"{len(found)} keys have an id that begins with {keyid!r}", where=str(self.folder)
            )
        return found[0]

    def _only(self, purpose: str) -> KeyInfo:
        return self._one_of(purpose, None)

    def _one_of(self, purpose: str, keyid: str | None) -> KeyInfo:
        current = self._register.current(purpose)
        chosen = [info for info in current if keyid is None or info.keyid.startswith(keyid)]
        if len(chosen) != 1:
            raise KeyringError(
                f"{len(chosen)} current keys of {purpose} fit,",
                where=_ids(current),
                advice="name one by its id",
            )
        return chosen[0]


def read_key_file(path: Path) -> Owner:
    """Whose key a sealed file holds, without opening it."""
    return read_owner(read_private(path, most=MAX_FILE_BYTES), str(path))


def open_key_file(path: Path, passphrase: bytes) -> Ed25519Signer:
    """The signer of a sealed file that stands alone, as a holder of an offline key has it."""
    _, seed = unseal(read_private(path, most=MAX_FILE_BYTES), Secret(passphrase), str(path))
    return Ed25519Signer(seed)


def _passphrase(folder: Path, given: Secret | None) -> Secret:
    if given is not None:
        if not given.reveal():
            raise WrongPassphraseError("the passphrase is empty", advice="unset KEY_PASSPHRASE or give one")
        return given
    path = folder / PASSPHRASE
    if not path.exists():
        raise WrongPassphraseError(
            "these keys are sealed with a passphrase, and none was given:",
            where=str(folder),
            advice="set KEY_PASSPHRASE or KEY_PASSPHRASE_FILE",
        )
    return Secret(read_private(path, most=4096).strip())


def _check_changeable(purpose: str) -> None:
    if purpose == "minisign":
        raise KeyringError(
            "the minisign key stays", advice="signatures of published documents are never made anew"
        )
    if purpose not in CHANGEABLE:
        raise KeyringError(f"{purpose!r} is no purpose of a key:", where=", ".join(CHANGEABLE))


def _written(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ids(keys: Iterable[KeyInfo]) -> str:
    return ", ".join(info.keyid[:16] for info in keys) or "(none)"
