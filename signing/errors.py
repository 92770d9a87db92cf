"""What can go wrong while keys are opened and metadata is signed; each is one of the client's error families.

LocalStateError 16
├── KeyringError           a folder or key file is absent, unreadable, damaged or open to others
│   └── MemoryNeededError  the machine cannot give the memory that opening a key takes
└── CurrentMetadataError   what was signed before cannot be read
UsageError 2
├── WrongPassphraseError   the file is whole, the passphrase is not its own
└── ContentsError          what was asked to be signed would not be found or not verify
PolicyError 19
└── MissingKeyError        a signature is needed from a key that is not on this machine
SignatureError 13
└── MinisignError          a minisign signature does not verify
"""

from __future__ import annotations

from collections.abc import Iterable

from almanac.errors import LocalStateError, PolicyError, SignatureError, UsageError
from signing.ceremony import SigningRequest


class KeyringError(LocalStateError):
    name = "keyring"


class MemoryNeededError(KeyringError):
    """Opening a sealed key takes a known amount of memory, on purpose; ``needed_bytes`` says how much."""

    def __init__(self, needed_bytes: int) -> None:
        self.needed_bytes = needed_bytes
        super().__init__(
            f"opening a sealed key needs {needed_bytes // 2**20} MiB of free memory, and this machine refused them",
            advice="free some memory or raise the process's limit, then try again",
        )


class CurrentMetadataError(LocalStateError):
    name = "current-metadata"


class WrongPassphraseError(UsageError):
    name = "passphrase"


class ContentsError(UsageError):
    name = "contents"


class MissingKeyError(PolicyError):
    """``role`` must be signed anew, and too few of ``keyids`` are here; ``request`` is what a ceremony signs."""

    name = "missing-key"

    def __init__(
        self,
        role: str,
        *,
        reason: str,
        keyids: Iterable[str],
        threshold: int,
        request: SigningRequest | None = None,
    ) -> None:
        self.role = role
        self.request = request
        self.keyids = tuple(keyids)
        self.threshold = threshold
        super().__init__(
            f"{role} must be signed anew ({reason}) by {threshold} of the keys "
            f"{', '.join(keyid[:16] for keyid in self.keyids) or '(none)'}, and too few of them are in this keyring",
            advice="bring the offline key back with 'manage.py keys import', "
            "or sign elsewhere with 'manage.py keys ceremony'",
        )


class MinisignError(SignatureError):
    name = "minisign"
