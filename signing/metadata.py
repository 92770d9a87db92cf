"""From what was signed before and what shall be published now to the next signed files: TUF 1.0 metadata.

``next_metadata`` is a pure function: bytes, wanted contents, keys and the time in, bytes out. It reads and
writes nothing, so it can be repeated after any crash. What holds afterwards:

- A role whose content and keys are the same, and which is not due, keeps its bytes and its version.
- For one role and version there is only ever one byte string; versions rise by one.
- The snapshot never forgets a role that it once named: a client would refuse that as a roll-back.
- Root N+1 is signed by the keys of N and by its own.
- Root N+1 vouches for the timestamp, snapshot and targets that are served when it is written: where a key is
  replaced there is a root between the two, see ``signing.bridging``.

Source: The Update Framework specification 1.0, sections 4 and 5.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import (
    SPECIFICATION_VERSION,
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Signed,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.metadata import TargetFile as SignedTarget
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

import almanac.keys
from almanac.addresses import metadata_path
from almanac.lifecycle import FIELD as NOTICES_FIELD
from signing.bridging import BRIDGED, accepts, bridging_root
from signing.ceremony import OFFLINE_ROLES, SigningRequest
from signing.contents import check_contents
from signing.delegations import TOP_LEVEL, Delegation, RoleContent, TargetFile
from signing.errors import ContentsError, CurrentMetadataError, MissingKeyError
from signing.policy import ExpiryPolicy

__all__ = [
    "Delegation",
    "ExpiryPolicy",
    "KeySource",
    "NextMetadata",
    "RoleContent",
    "TargetFile",
    "fingerprint",
    "next_metadata",
    "outdated",
]

RELEASE_FIELD = "x-almanac-release"
UNSTABLE_FIELDS = ("version", "expires", "spec_version")
_SPEC_VERSION = ".".join(SPECIFICATION_VERSION)
_COMPACT = JSONSerializer(compact=True)

Delegator = Root | Targets
SomeSigned = TypeVar("SomeSigned", bound=Signed)


class KeySource(Protocol):
    """Where keys come from: a ``Keyring`` of sealed files, or one in memory in tests."""

    def public_keys(self, purpose: str) -> Sequence[Key]:
        """The current keys of a purpose, whether their secret halves are here or not."""
        ...

    def threshold(self, purpose: str) -> int:
        """How many of a top-level role's keys must sign."""
        ...

    def signer(self, keyid: str) -> Signer | None:
        """The key's signer, a retired key's too; ``None`` when its secret half is elsewhere."""
        ...

    def is_revoked(self, keyid: str) -> bool:
        """True for a key that somebody else may have: no root lists it any longer than it must."""
        ...

    def prepared(self, role: str) -> bytes | None:
        """The next version of an offline role, signed elsewhere and brought here; ``None`` if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class NextMetadata:
    files: dict[str, bytes]
    """address below the store's prefix → bytes, of the changed roles only"""
    roles: dict[str, bytes]
    """role → its newest bytes: the next call's ``current``"""
    changed: frozenset[str]
    postponed: frozenset[str] = field(default=frozenset())
    """roles that should be signed anew and still serve, whose keys are not here: bring them before they expire;
    root also while another role must be signed by a new key before it can drop the old one"""
    requests: Mapping[str, SigningRequest] = field(default_factory=dict)
    """what a ceremony would sign for each of those"""


def fingerprint(first_root: bytes) -> str:
    """What ``almanac trust --fingerprint`` compares: the SHA-256 of ``metadata/1.root.json``."""
    return hashlib.sha256(first_root).hexdigest()


def next_metadata(
    *,
    current: Mapping[str, bytes],
    contents: Mapping[str, RoleContent],
    release: int,
    keyring: KeySource,
    now: datetime,
    policy: ExpiryPolicy | None = None,
    served: Mapping[str, bytes] | None = None,
) -> NextMetadata:
    """The metadata of the next publication.

    ``contents`` states every role from ``targets`` down; a role that it no longer names is not delegated to
    any more, while its last bytes stay. ``served`` is the timestamp, snapshot and targets that readers have now,
    where that is not ``current``: something was signed and not committed.

    Raises:
        ContentsError: a target that no client would find, a role without content, a release that falls.
        MissingKeyError: a role must be signed by keys that are not here.
        CurrentMetadataError: ``current`` cannot be read.
    """
    check_contents(contents)
    almanac.keys.register()
    signing = _Round(current, keyring, now.astimezone(UTC).replace(microsecond=0), policy or ExpiryPolicy())
    root = signing.settle_root(current if served is None else served)
    _settle_targets(signing, "targets", contents, root)
    signing.settle("snapshot", _wanted_snapshot(signing, release), [root])
    snapshot = signing.roles["snapshot"]
    meta = MetaFile(_version(snapshot), len(snapshot), _hashes(snapshot))
    signing.settle("timestamp", Timestamp(snapshot_meta=meta), [root])
    return NextMetadata(
        files={_address(role, signing.roles[role]): signing.roles[role] for role in sorted(signing.changed)},
        roles=signing.roles,
        changed=frozenset(signing.changed),
        postponed=frozenset(signing.postponed) | signing.held_back(),
        requests=signing.postponed,
    )


def outdated(
    *, current: Mapping[str, bytes], contents: Mapping[str, RoleContent], keyring: KeySource
) -> frozenset[str]:
    """Root or targets, where they name other keys than the keyring's current ones; needs no secret."""
    almanac.keys.register()
    wanted: dict[str, Signed] = {
        "root": _wanted_root(keyring),
        "targets": _wanted_targets(contents["targets"], keyring),
    }
    return frozenset(
        role
        for role, signed in wanted.items()
        if role in current and _stable(_read(role, current[role]).signed) != _stable(signed)
    )


def _settle_targets(
    signing: _Round, role: str, contents: Mapping[str, RoleContent], delegator: Delegator
) -> None:
    content = contents[role]
    settled = signing.settle(role, _wanted_targets(content, signing.keyring), [delegator])
    for delegation in content.delegates:
        _settle_targets(signing, delegation.role, contents, settled)


class _Round:
    """One signing: what it starts from, and what it has settled so far."""

    def __init__(
        self, current: Mapping[str, bytes], keyring: KeySource, now: datetime, policy: ExpiryPolicy
    ) -> None:
        self.keyring, self.now, self.policy = keyring, now, policy
        self.roles = dict(current)
        self.changed: set[str] = set()
        self.postponed: dict[str, SigningRequest] = {}
        self.successor: Root | None = None
        """the root that follows when timestamp, snapshot and targets are signed by its keys"""
        self.old_snapshot = _read_snapshot(current)

    def settle_root(self, served: Mapping[str, bytes]) -> Root:
        wanted = _wanted_root(self.keyring)
        if "root" not in self.roles:
            return self.settle("root", wanted, [wanted])
        before = cast("Root", _read("root", self.roles["root"]).signed)
        bridge = bridging_root(
            wanted,
            before,
            served={role: _read(role, served[role]) for role in BRIDGED if role in served},
            is_here=lambda keyid: self.keyring.signer(keyid) is not None,
            is_revoked=self.keyring.is_revoked,
        )
        following = bridge or wanted
        settled = self.settle("root", following, [following, before])
        if bridge is not None and "root" not in self.postponed:
            wanted.version, wanted.expires = settled.version + 1, settled.expires
            self.successor = wanted
        return settled

    def held_back(self) -> frozenset[str]:
        """Root, where it cannot go on because a new key has not signed what it is to sign."""
        missing = self.successor and any(
            not accepts(self.successor, role, _read(role, self.roles[role])) for role in BRIDGED
        )
        return frozenset({"root"} if missing else ())

    def settle(self, role: str, wanted: SomeSigned, verifiers: Sequence[Delegator]) -> SomeSigned:
        """Keeps the role's bytes where they will do, else signs the wanted content as its next version."""
        old = _read(role, self.roles[role]) if role in self.roles else None
        reason = self._reason(role, wanted, old, verifiers)
        also = [self.successor] if self.successor and role in BRIDGED else []
        succeeds = not reason and old is not None and not all(accepts(root, role, old) for root in also)
        if old is not None and not reason and not succeeds:
            return cast("SomeSigned", old.signed)
        wanted.version = self._last_version(role, old) + 1
        wanted.expires = self.now + self.policy.lifetime(role)
        wanted.spec_version = _SPEC_VERSION
        must = [*verifiers, *also] if succeeds else verifiers
        data = self._prepared(role, wanted, must)
        if data is None:
            offered = self._sign(role, wanted, [*verifiers, *also])
            data = offered.to_bytes(_COMPACT)
            if not all(accepts(verifier, role, offered) for verifier in must):
                request = SigningRequest(role, data, self._delegator(role))
                if old is not None and (succeeds or self._can_wait(role, wanted, old, verifiers)):
                    if role in OFFLINE_ROLES or not succeeds:
                        self.postponed[role] = request
                    return cast("SomeSigned", old.signed)
                raise self._missing(role, reason, verifiers, request)
        self.roles[role] = data
        self.changed.add(role)
        return cast("SomeSigned", _read(role, data).signed)

    def _delegator(self, role: str) -> bytes | None:
        """Whose keys a ceremony asks for: those that count before the change and after it."""
        if self.successor is not None and role != "root":
            return Metadata(self.successor).to_bytes(_COMPACT)
        return self.roles.get("root")

    def _can_wait(self, role: str, wanted: Signed, old: Metadata, verifiers: Sequence[Delegator]) -> bool:
        """True when what is signed still serves: it is valid, and at most its keys are not the current ones.

        A rotated key then goes on signing as a retired one until the offline role that names its successor
        comes back from its ceremony. A new document path or role cannot wait: no client would find it.
        """
        return (
            old.signed.expires > self.now
            and _but_for_keys(old.signed) == _but_for_keys(wanted)
            and (role == "root" or all(accepts(verifier, role, old) for verifier in verifiers))
        )

    def _reason(self, role: str, wanted: Signed, old: Metadata | None, verifiers: Sequence[Delegator]) -> str:
        """Why the role must be signed anew; empty when its bytes can stay."""
        if old is None:
            return "it is new"
        if _stable(old.signed) != _stable(wanted):
            return "its content changed"
        if not all(accepts(verifier, role, old) for verifier in verifiers):
            return "its keys changed"
        return "renewal" if self.policy.is_due(role, expires=old.signed.expires, now=self.now) else ""

    def _last_version(self, role: str, old: Metadata | None) -> int:
        """The snapshot remembers a version even where the role's own bytes were lost."""
        remembered = self.old_snapshot.meta.get(f"{role}.json") if self.old_snapshot else None
        return max(old.signed.version if old else 0, remembered.version if remembered else 0)

    def _sign(self, role: str, wanted: Signed, verifiers: Sequence[Delegator]) -> Metadata:
        """Signs with every key that is here and counts; that may be too few."""
        signed: Metadata = Metadata(cast("Any", wanted))
        for keyid in _keyids(role, verifiers):
            signer = self.keyring.signer(keyid)
            if signer is not None:
                signed.sign(signer, append=True)
        return signed

    def _prepared(self, role: str, wanted: Signed, verifiers: Sequence[Delegator]) -> bytes | None:
        data = self.keyring.prepared(role)
        if data is None:
            return None
        offered = _read(role, data)
        fits = (
            _stable(offered.signed) == _stable(wanted)
            and offered.signed.version == wanted.version
            and offered.signed.expires > self.now
            and all(accepts(verifier, role, offered) for verifier in verifiers)
        )
        return data if fits else None

    def _missing(
        self, role: str, reason: str, verifiers: Sequence[Delegator], request: SigningRequest
    ) -> MissingKeyError:
        threshold = max(verifier.get_delegated_role(role).threshold for verifier in verifiers)
        absent = [keyid for keyid in _keyids(role, verifiers) if self.keyring.signer(keyid) is None]
        return MissingKeyError(role, reason=reason, keyids=absent, threshold=threshold, request=request)


def _wanted_root(keyring: KeySource) -> Root:
    keys: dict[str, Key] = {}
    roles: dict[str, Role] = {}
    for role in sorted(TOP_LEVEL):
        current = keyring.public_keys(role)
        keys.update((key.keyid, key) for key in current)
        roles[role] = Role(sorted({key.keyid for key in current}), keyring.threshold(role))
    return Root(keys=keys, roles=roles, consistent_snapshot=True)


def _wanted_targets(content: RoleContent, keyring: KeySource) -> Targets:
    targets = {target.path: _signed_target(target) for target in content.targets}
    delegations = _delegations(content.delegates, keyring) if content.delegates else None
    notices = {NOTICES_FIELD: [dict(notice) for notice in content.notices]} if content.notices else None
    return Targets(targets=targets, delegations=delegations, unrecognized_fields=notices)


def _signed_target(target: TargetFile) -> SignedTarget:
    custom = {"release": target.release, "deltas": dict(target.deltas)}
    return SignedTarget(target.length, {"sha256": target.sha256}, target.path, {"custom": custom})


def _delegations(delegates: Sequence[Delegation], keyring: KeySource) -> Delegations:
    """Every delegation is terminating: nobody else may answer for a path that has an owner."""
    keys: dict[str, Key] = {}
    roles: dict[str, DelegatedRole] = {}
    for delegation in sorted(delegates, key=lambda delegation: delegation.role):
        current = keyring.public_keys(delegation.key_purpose)
        keys.update((key.keyid, key) for key in current)
        keyids = sorted({key.keyid for key in current})
        roles[delegation.role] = DelegatedRole(
            delegation.role, keyids, delegation.threshold, terminating=True, paths=list(delegation.paths)
        )
    return Delegations(keys, roles)


def _wanted_snapshot(signing: _Round, release: int) -> Snapshot:
    """Names every role ever published, with length and hash: a stolen role key alone then forges nothing."""
    old = signing.old_snapshot
    if old is not None and old.unrecognized_fields.get(RELEASE_FIELD, 0) > release:
        raise ContentsError(
            f"release {release} is older than what is published",
            where=f"(release {old.unrecognized_fields[RELEASE_FIELD]})",
            advice="a release number never falls; a roll-back is a new release",
        )
    meta = dict(old.meta) if old else {}
    for role, data in signing.roles.items():
        if role not in TOP_LEVEL or role == "targets":
            meta[f"{role}.json"] = MetaFile(_version(data), len(data), _hashes(data))
    return Snapshot(meta=meta, unrecognized_fields={RELEASE_FIELD: release})


def _read_snapshot(current: Mapping[str, bytes]) -> Snapshot | None:
    return cast("Snapshot", _read("snapshot", current["snapshot"]).signed) if "snapshot" in current else None


def _read(role: str, data: bytes) -> Metadata:
    try:
        return Metadata.from_bytes(data)
    except DeserializationError as error:
        raise CurrentMetadataError("what was signed before cannot be read:", where=f"role {role}") from error


def _stable(signed: Signed) -> dict[str, Any]:
    return {key: value for key, value in signed.to_dict().items() if key not in UNSTABLE_FIELDS}


def _but_for_keys(signed: Signed) -> object:
    """Everything that a role says, except which keys may sign what."""
    if isinstance(signed, Root):
        return signed.consistent_snapshot
    said = _stable(signed)
    delegations = said.pop("delegations", None) or {"roles": []}
    return said, [(role["name"], role["paths"], role["threshold"]) for role in delegations["roles"]]


def _keyids(role: str, verifiers: Sequence[Delegator]) -> list[str]:
    return sorted({keyid for verifier in verifiers for keyid in verifier.get_delegated_role(role).keyids})


def _version(data: bytes) -> int:
    return int(json.loads(data)["signed"]["version"])


def _hashes(data: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(data).hexdigest()}


def _address(role: str, data: bytes) -> str:
    return metadata_path(role, None if role == "timestamp" else _version(data))
