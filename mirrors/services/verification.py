"""Reads a store or a mirror as a stranger would, trusting nothing but mathematics, and verifies all of it."""

from __future__ import annotations

from datetime import datetime

from mirrors.verifying.chain import verify_chain
from mirrors.verifying.documents import Shelf, read_minisign_key, verify_documents
from mirrors.verifying.leftovers import verify_leftovers
from mirrors.verifying.plain import verify_index, verify_plain_addresses
from mirrors.verifying.report import Progress, Report
from mirrors.verifying.sources import Source


def verify_store(
    source: Source,
    *,
    now: datetime,
    fingerprint: str | None = None,
    progress: Progress = lambda _what: None,
) -> Report:
    """All that can be known about a store from its own bytes; ``fingerprint`` ties it to one publisher.

    Metadata first: what it does not vouch for is not looked at. Then documents, deltas and signatures,
    plain addresses and index, and, where the store can be listed, everything older that lies in it.
    """
    report = Report(source.address)
    chain = verify_chain(source, report, now=now, fingerprint=fingerprint)
    if not chain.roles:
        return report
    names = source.names()
    key = read_minisign_key(source, report)
    shelf = Shelf(source, report, chain, key, None if names is None else frozenset(names), progress)
    verify_documents(shelf)
    verify_plain_addresses(shelf)
    verify_index(shelf)
    verify_leftovers(shelf)
    return report
