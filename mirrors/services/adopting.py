"""Writes down what was learned from the stores, as one committed publication: from there the numbers go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from almanac.errors import LocalStateError
from catalog.services.continuing import continue_above
from mirrors.models import (
    Appearance,
    Delta,
    Job,
    Lease,
    Publication,
    PublishedDocument,
    SignedFile,
    StoreProgress,
)
from mirrors.services import ledger
from mirrors.services.learning import (
    Learned,
    Seen,
    SignedBytes,
    first_having,
    minisig_address,
    targets_of,
    texts_after_the_commit,
)
from mirrors.verifying.chain import Target
from signing.policy import ExpiryPolicy

State = Publication.State


def known_files() -> dict[str, bytes]:
    """Address → bytes of all numbered metadata that was signed here."""
    rows = SignedFile.objects.exclude(role__in=("", "timestamp"))
    return {address: bytes(data) for address, data in rows.values_list("address", "data").iterator()}


@transaction.atomic
def adopt(learned: Learned, *, policy: ExpiryPolicy, by: str, now: datetime) -> Publication | None:
    """``None``: the stores hold nothing that the backup does not know, so everything goes on where it was."""
    Lease.objects.update(holder="", expires_at=None)
    newest = learned.newest
    if newest is None or not _is_ahead(learned, newest):
        return None
    _give_up_what_was_open(now)
    publication = _publication(learned, newest, by, now)
    _adopt_metadata(publication, learned, newest)
    _adopt_documents(publication, learned, newest, policy)
    continue_above(number=learned.highest_release, by=by, now=now)
    return publication


def _is_ahead(learned: Learned, newest: Seen) -> bool:
    signed = SignedFile.objects.filter(role="timestamp").order_by("version").last()
    ours = signed.version if signed and signed.version else 0
    if signed and newest.timestamp.version == ours and bytes(signed.data) != newest.timestamp.data:
        raise LocalStateError(
            f"the stores' timestamp {ours} is another than the backup's",
            where=f"({newest.source.address})",
            advice="two installations have published under the same keys; find out which one readers follow",
        )
    return bool(learned.files) or newest.timestamp.version > ours


def _give_up_what_was_open(now: datetime) -> None:
    """It was finished or given up after the backup, and what came of it is in the stores."""
    why = [{"reason": "it was open in the backup that was restored; the stores say what came of it"}]
    for publication in Publication.objects.unfinished():
        publication.state, publication.finished_at = State.FAILED, now
        publication.report = {"stopped_by": why}
        publication.save()


def _publication(learned: Learned, newest: Seen, by: str, now: datetime) -> Publication:
    """Its release is the highest that was ever signed, committed or not: the snapshot's number must not fall."""
    highest = learned.highest_release
    is_later = highest > (ledger.published_release() or 0)
    return Publication.objects.create(
        reason=Publication.Reason.RELEASE if is_later else Publication.Reason.RESIGN,
        release=highest if is_later else None,
        state=State.ANNOUNCED,
        requested_by=by,
        requested_at=now,
        started_at=now,
        signed_at=now,
        committed_at=now,
        finished_at=now,
        report={"learned_from": newest.source.address, "published_release": highest},
        afterwards=texts_after_the_commit(newest),
    )


def _adopt_metadata(publication: Publication, learned: Learned, newest: Seen) -> None:
    files = [*learned.files.values()]
    if not SignedFile.objects.filter(role="timestamp", version=newest.timestamp.version).exists():
        files.append(newest.timestamp)
    SignedFile.objects.bulk_create(
        SignedFile(publication=publication, address=f.address, role=f.role, version=f.version, data=f.data)
        for f in files
    )


def _adopt_documents(publication: Publication, learned: Learned, newest: Seen, policy: ExpiryPolicy) -> None:
    listed = {target.path: target for target in newest.chain.targets.values()}
    before = {path: row.sha256 for path, row in ledger.listed_documents().items()}
    PublishedDocument.objects.update(listed=False)
    for target, since in _in_order_of_signing(learned, newest, policy):
        row, is_new = PublishedDocument.objects.get_or_create(
            path=target.path,
            sha256=target.sha256,
            defaults={
                "role": target.role,
                "length": target.length,
                "first_release": max(1, target.release),
                "first_published_at": since,
            },
        )
        if is_new:
            Appearance.objects.create(document=row, publication=publication, since=since)
        _adopt_minisig(publication, learned, target, is_listed=listed.get(target.path) == target)
    for target in listed.values():
        PublishedDocument.objects.filter(path=target.path, sha256=target.sha256).update(listed=True)
        if before.get(target.path) not in (None, target.sha256):
            row = PublishedDocument.objects.get(path=target.path, sha256=target.sha256)
            defaults = {"since": publication.signed_at}
            Appearance.objects.get_or_create(document=row, publication=publication, defaults=defaults)
    _adopt_deltas(list(listed.values()))


def _in_order_of_signing(
    learned: Learned, newest: Seen, policy: ExpiryPolicy
) -> Iterator[tuple[Target, datetime]]:
    """Every document that a role ever listed since the backup, with when that was signed."""
    files: dict[str, SignedBytes] = {**learned.files, **newest.committed}
    for file in sorted((f for f in files.values() if f.is_targets), key=lambda f: (f.role, f.version)):
        since = file.expires - policy.lifetime(file.role) + timedelta(microseconds=file.version % 1_000_000)
        for target in targets_of(file):
            yield target, since


def _adopt_minisig(publication: Publication, learned: Learned, target: Target, *, is_listed: bool) -> None:
    """The signature that these bytes got, for ever."""
    address = minisig_address(target)
    if SignedFile.objects.filter(address=address).exists():
        return
    data = first_having(learned.seen, address)
    if data is not None:
        SignedFile.objects.create(publication=publication, address=address, data=data)
    elif is_listed:
        raise LocalStateError(
            "a published document has lost its minisign signature",
            where=f"({address})",
            advice="name a mirror that still has it with --learn-from",
        )


def _adopt_deltas(listed: list[Target]) -> None:
    """Those whose old document is known by its whole hash; another is offered no more."""
    Delta.objects.filter(path__in=[target.path for target in listed]).update(listed=False)
    for target in listed:
        hashes = PublishedDocument.objects.filter(path=target.path).values_list("sha256", flat=True)
        by_beginning = {sha256[:16]: sha256 for sha256 in hashes}
        for beginning, length in target.deltas.items():
            if beginning in by_beginning:
                Delta.objects.update_or_create(
                    path=target.path,
                    old=by_beginning[beginning],
                    new=target.sha256,
                    defaults={"length": length, "listed": True},
                )


def note_progress(urls: dict[str, bytes | None]) -> None:
    """How far each store is: at the newest publication, where its timestamp is the newest; else it gets everything.
    The first one has just been given all that there is."""
    newest = Publication.objects.committed().last()
    timestamp = SignedFile.objects.filter(role="timestamp").order_by("version").last()
    there = bytes(timestamp.data) if timestamp else b""
    StoreProgress.objects.all().delete()
    StoreProgress.objects.bulk_create(
        StoreProgress(
            url=url, publication=newest.number if newest and (position == 0 or data == there) else 0
        )
        for position, (url, data) in enumerate(urls.items())
    )
    Job.objects.filter(kind__in=(Job.Kind.PRECOMPRESS, Job.Kind.PRECOMPRESS_BEST)).delete()
