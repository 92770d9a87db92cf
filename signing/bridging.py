"""The root between two roots: while a key is replaced, what readers are served verifies with the root before and after.

A new root is visible the moment it is written, before the timestamp that follows it. So it must vouch for what lies
in the store at that moment. Where the wanted root alone would not, a bridging root lists the keys of before beside
the wanted ones; timestamp, snapshot and targets are then signed by both, and when those have been committed, the
wanted root can follow. What decides is the served bytes and nothing that was remembered, so a crash, a publication
that was given up or a second rotation on the way changes nothing.

TUF counts keys and not holders. So that a holder of both halves of a pair counts as one where several must sign, the
bridging threshold is raised by the number of keys that leave, as far as the signatures on what is served, and the
keys that can sign what follows, reach; it is never lower than before the change or after it, whichever is lower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Role, Root, Targets

BRIDGED: Final = ("timestamp", "snapshot", "targets")


def bridging_root(
    wanted: Root,
    before: Root,
    *,
    served: Mapping[str, Metadata],
    is_here: Callable[[str], bool],
    is_revoked: Callable[[str], bool],
) -> Root | None:
    """The root to publish before ``wanted``; ``None`` where ``wanted`` itself vouches for all that is served.

    A revoked key is not bridged: it goes at once, at the price of a moment in which readers cannot verify.
    """
    bridge = Root(keys=dict(wanted.keys), roles=dict(wanted.roles), consistent_snapshot=True)
    for role, metadata in served.items():
        if role not in BRIDGED or accepts(wanted, role, metadata):
            continue
        leaving = [keyid for keyid in before.roles[role].keyids if not is_revoked(keyid)]
        leaving = [keyid for keyid in leaving if keyid not in wanted.roles[role].keyids]
        bridge.keys.update((keyid, before.keys[keyid]) for keyid in leaving)
        keyids = sorted({*wanted.roles[role].keyids, *leaving})
        bridge.roles[role] = Role(keyids, 1)
        signed = len(bridge.get_verification_result(role, metadata.signed_bytes, metadata.signatures).signed)
        lowest = min(before.roles[role].threshold, wanted.roles[role].threshold)
        if wanted.roles[role].threshold > 1:
            highest = wanted.roles[role].threshold + len(leaving)
            lowest = max(lowest, min(highest, signed, sum(map(is_here, keyids))))
        bridge.roles[role] = Role(keyids, lowest)
    return None if bridge.roles == wanted.roles else bridge


def accepts(verifier: Root | Targets, role: str, signed: Metadata) -> bool:
    """True when enough of the keys that ``verifier`` names for the role have signed it."""
    try:
        verifier.verify_delegate(role, signed.signed_bytes, signed.signatures)
    except UnsignedMetadataError:
        return False
    return True
