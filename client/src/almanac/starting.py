"""Keeps the command quick to start: what it verifies with would import every cloud's kit that is installed, to sign."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SIGNING_KITS: Final = ("azure.core", "boto3", "google.cloud.kms", "hvac", "keylet", "pkcs11")
"""Optional to securesystemslib, which imports those that are there; this client has no keys to sign with."""


@contextmanager
def without_signing_kits() -> Iterator[None]:
    """While it lasts they count as not installed; afterwards whoever wants one imports it as ever.

    Only for a process of our own: a library must not decide that for the program that uses it.
    """
    hidden = [name for name in SIGNING_KITS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is Python's word for "not there"
    try:
        yield
    finally:
        for name in hidden:
            if name in sys.modules and sys.modules[name] is None:
                del sys.modules[name]
