"""What the subject of a membership, a featured item or a trial speaks of. Pure.

``entry:lab/slug``, ``offering:provider:native-id``, ``provider:slug`` for the head of a block (``provider:slug#2`` where
a document repeats it, and so for an entry), ``opaque:name`` for what a document holds beyond models.
"""

from __future__ import annotations

from typing import Final

from catalog.records import Kind

OF_RECORDS: Final = (Kind.ENTRY, Kind.OFFERING, Kind.PROVIDER)


def record_named_by(subject: str) -> tuple[Kind, str] | None:
    """(kind, key) of the record that a subject names, if it names one."""
    word, _, name = subject.partition(":")
    if word not in OF_RECORDS:
        return None
    return Kind(word), name if word == Kind.OFFERING else name.partition("#")[0]
