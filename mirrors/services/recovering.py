"""The bytes of an unfinished publication: from the staging file, else from where else they can be had, hash by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from almanac.addresses import object_path
from almanac.stores import ObjectNotFoundError, StoreError
from mirrors import staging
from mirrors.models import Publication
from mirrors.services.ledger import listed_documents
from mirrors.services.means import Means
from mirrors.staging import StagingError


def staged_bytes(means: Means, publication: Publication) -> Callable[[str], bytes]:
    """Address → bytes, exactly those that were signed.

    Raises ``StagingError`` when the file is gone and neither the store nor the release gives them back: then the
    timestamp cannot have been pushed, so the publication can be given up and made again under new versions.
    """
    path = staging.staging_path(means.staging, publication.number)
    try:
        staging.check(path, publication.staged)
    except StagingError:
        return _from_elsewhere(means, publication).__getitem__
    return partial(staging.read, path, publication.staged)


def _from_elsewhere(means: Means, publication: Publication) -> dict[str, bytes]:
    wanted = {address: str(place[2]) for address, place in publication.staged.items()}
    found = {address: _stored(means, address) for address in wanted}
    if publication.release is not None:
        for document in means.catalog.render(
            publication.release, known=frozenset(listed_documents())
        ).documents:
            address = object_path(document.path, document.sha256)
            if address in wanted:
                found[address] = document.read()
    missing = [a for a, sha256 in wanted.items() if hashlib.sha256(found[a]).hexdigest() != sha256]
    if missing:
        raise StagingError(
            f"the staging file is gone, and {len(missing)} of its files cannot be made again",
            where=f"({missing[0]})",
            advice="publish again: the release gets new signatures",
        )
    return found


def _stored(means: Means, address: str) -> bytes:
    """From whichever store has it; an error counts as absence only where another store answers."""
    errors: list[StoreError] = []
    for store in means.stores.values():
        try:
            return store.get(address)
        except StoreError as error:
            errors.append(error)
    if any(isinstance(error, ObjectNotFoundError) for error in errors):
        return b""
    raise errors[0]
