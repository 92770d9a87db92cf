"""What brings a store forward that missed publications: everything at once, but for its roots.

A root is seen the moment it lies there, and vouches for what was served when it was made, not for what this store
still serves. So each missed root comes after the timestamp that was the newest then: the store goes through the
steps that the others went through, in their order.
"""

from __future__ import annotations

from mirrors.models import Publication, SignedFile
from mirrors.services.pushing import NewFile, NewFiles, Turn


def missed_files(publication: Publication, objects: list[NewFile]) -> NewFiles:
    """All metadata that is still known, up to this publication's; ``objects`` are its own."""
    rows = SignedFile.objects.filter(publication_id__lte=publication.pk).exclude(role="").exclude(data=b"")
    timestamps: list[SignedFile] = []
    turns, metadata = [], []
    for row in rows.order_by("publication_id", "pk"):
        if row.role == "timestamp":
            timestamps.append(row)
        elif row.role == "root":
            earlier = [one for one in timestamps if one.publication_id < row.publication_id]
            turns.append(Turn(bytes(earlier[-1].data) if earlier else b"", _file(row)))
        else:
            metadata.append(_file(row))
    return NewFiles(objects, metadata, bytes(timestamps[-1].data) if timestamps else b"", tuple(turns))


def _file(row: SignedFile) -> NewFile:
    return NewFile.of(row.address, bytes(row.data))
