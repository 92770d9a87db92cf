"""What was signed and published: bytes that must never be made anew under the same name."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from mirrors.models.publication import Publication

is_sha256 = RegexValidator(r"\A[0-9a-f]{64}\Z", "64 lower-case hexadecimal digits")


class SignedFile(models.Model):
    """The one byte string ever signed for a role and version, or for an address that has no version.

    It is written before anything is pushed and pushed as it is, however often a publication is resumed.
    """

    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="signed_files")
    address = models.CharField(max_length=1100, help_text="Where it lies in a store.")
    role = models.CharField(
        max_length=128, blank=True, help_text="The TUF role; empty for a minisign signature."
    )
    version = models.PositiveIntegerField(
        null=True, blank=True, help_text="The TUF version; empty where role is."
    )
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["role", "version"], name="role_and_version_are_signed_once"),
            models.UniqueConstraint(
                fields=["address"], condition=~Q(role="timestamp"), name="address_is_signed_once"
            ),
            models.CheckConstraint(
                condition=Q(role="", version__isnull=True) | (~Q(role="") & Q(version__gt=0)),
                name="role_has_a_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} (publication {self.publication_id})"


class PublishedDocument(models.Model):
    """A document's bytes at one path, by their hash, and where these bytes first appeared there."""

    path = models.CharField(
        max_length=1024, help_text="The target path: a plain address without the leading slash."
    )
    role = models.CharField(max_length=128, help_text="The TUF role that lists it.")
    sha256 = models.CharField(max_length=64, validators=[is_sha256])
    length = models.PositiveBigIntegerField(help_text="Bytes.")
    first_release = models.PositiveIntegerField(help_text="The release in which these bytes first appeared.")
    first_published_at = models.DateTimeField()
    listed = models.BooleanField(default=False, help_text="In the newest signed metadata.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["path", "sha256"], name="document_bytes_are_recorded_once"),
            models.UniqueConstraint(
                fields=["path"], condition=Q(listed=True), name="path_lists_one_document"
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="document_sha256_is_hex"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path} {self.sha256[:16]}"


class Appearance(models.Model):
    """From when a document's bytes were the current ones of their path; deltas are chosen by this history."""

    document = models.ForeignKey(PublishedDocument, on_delete=models.PROTECT, related_name="appearances")
    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="appearances")
    since = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["since", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["document", "publication"], name="document_appears_once_a_publication"
            )
        ]

    def __str__(self) -> str:
        return f"{self.document} since {self.since:%Y-%m-%d %H:%M}"


class Delta(models.Model):
    """A delta that was offered for a path; the file itself lies at ``deltas/<old>/<new>.dcz``."""

    path = models.CharField(max_length=1024)
    old = models.CharField(max_length=64, validators=[is_sha256])
    new = models.CharField(max_length=64, validators=[is_sha256])
    length = models.PositiveBigIntegerField(help_text="Bytes.")
    listed = models.BooleanField(default=True, help_text="In the newest signed metadata of its document.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["path", "old", "new"], name="delta_is_recorded_once"),
            models.CheckConstraint(condition=~Q(old=F("new")), name="delta_leads_elsewhere"),
            models.CheckConstraint(condition=Q(length__gt=0), name="delta_has_bytes"),
        ]
        indexes: ClassVar = [models.Index(fields=["path", "new"], name="delta_by_result")]

    def __str__(self) -> str:
        return f"{self.path}: {self.old[:16]} → {self.new[:16]}"
