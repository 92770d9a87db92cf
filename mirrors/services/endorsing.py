"""The signing step: what will be pushed is written down, signed, and saved for ever, before anything is pushed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from almanac.addresses import delta_path, object_path
from almanac.errors import ClockError
from mirrors import staging
from mirrors.models import Publication, SignedFile
from mirrors.services import ledger
from mirrors.services.means import Keys, Means
from mirrors.services.notices import current_notices
from mirrors.services.plain import afterwards
from mirrors.services.preparing import Prepared
from signing.metadata import next_metadata

CLOCK_MAY_GO_BACK: Final = timedelta(minutes=10)
State = Publication.State


def sign(
    means: Means,
    publication: Publication,
    prepared: Prepared,
    *,
    now: datetime,
    check: Callable[[], None],
    save: Callable[[], None],
) -> None:
    """All or nothing: the rows of what is listed, the signed bytes and the new state are one transaction.

    ``check`` raises inside it where another publisher has taken over or somebody cancelled it; ``save`` writes the
    publication's row.
    """
    _check_clock(now)
    keys = means.open_keys()
    commit_durably()
    publication.staged = _stage(means, publication, prepared)
    means.passing("staged")
    with transaction.atomic():
        check()
        ledger.list_documents(
            publication,
            changed=prepared.changed,
            removed=prepared.removed,
            made=prepared.deltas,
            release=prepared.release,
            now=now,
        )
        _save_metadata(means, keys, publication, prepared.release, now)
        _save_minisigs(keys, publication, prepared)
        if prepared.rendering:
            publication.afterwards = afterwards(
                prepared.rendering, published=now, minisign_key=keys.minisign_public_key()
            )
        publication.state = State.SIGNED
        publication.signed_at = now
        publication.report = {
            **publication.report,
            **prepared.report(),
            "published_release": prepared.release,
        }
        save()
        means.passing("signing")
    means.passing("signed")


def _save_metadata(means: Means, keys: Keys, publication: Publication, release: int, now: datetime) -> None:
    following = next_metadata(
        current=ledger.current_metadata(),
        contents=ledger.current_contents(current_notices(means.catalog)),
        release=release,
        keyring=keys,
        now=now,
        policy=means.policy,
        served=ledger.served_metadata(),
    )
    SignedFile.objects.bulk_create(ledger.signed_rows(publication, following.files))
    publication.report = {
        **publication.report,
        "signed": sorted(following.changed),
        "postponed": sorted(following.postponed),
    }


def _save_minisigs(keys: Keys, publication: Publication, prepared: Prepared) -> None:
    """Bytes that were published at this path before keep the signature that they got then."""
    wanted = {
        f"{object_path(document.path, document.sha256)}.minisig": document for document in prepared.changed
    }
    present = set(SignedFile.objects.filter(address__in=wanted).values_list("address", flat=True))
    if set(wanted) == present:
        return
    signer = keys.minisign()
    SignedFile.objects.bulk_create(
        SignedFile(
            publication=publication,
            address=address,
            data=signer.sign(document.data, path=document.path, release=prepared.release),
        )
        for address, document in wanted.items()
        if address not in present
    )


def _stage(means: Means, publication: Publication, prepared: Prepared) -> staging.Places:
    documents = {object_path(document.path, document.sha256): document for document in prepared.changed}
    parts = {address: document.data for address, document in documents.items()}
    parts.update({delta_path(d.old, d.new): d.data for d in prepared.deltas if d.is_new})
    if not parts:
        return {}
    known = {address: document.sha256 for address, document in documents.items()}
    return staging.write(staging.staging_path(means.staging, publication.number), parts, known=known)


def _check_clock(now: datetime) -> None:
    """A clock that went back would sign what expires before the signatures that it replaces."""
    newest = Publication.objects.filter(signed_at__isnull=False).order_by("-signed_at").first()
    if newest and newest.signed_at and now < newest.signed_at - CLOCK_MAY_GO_BACK:
        raise ClockError(
            f"the clock says {now:%Y-%m-%d %H:%M}, before the newest signature ({newest.signed_at:%Y-%m-%d %H:%M})",
            advice="set the clock right, then publish again",
        )


def commit_durably() -> None:
    """What is signed must survive a power cut before it is pushed, or it could be signed anew and differently.

    SQLite is set to sync at checkpoints only, which is right for everything else.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=FULL")
