"""What was done, by whom: append-only, each row holding the hash of the one before."""

from __future__ import annotations

from django.db import models

from catalog.models.fields import sha256_form


class AuditEvent(models.Model):
    """Written by ``services.audit.record`` only."""

    seq = models.PositiveBigIntegerField(editable=False)
    at = models.DateTimeField(editable=False)
    actor = models.CharField(max_length=150, editable=False)
    action = models.CharField(max_length=60, editable=False)
    object = models.CharField(max_length=600, editable=False)
    detail = models.JSONField(default=dict, editable=False)
    prev_hash = models.CharField(max_length=64, editable=False, blank=True, validators=[sha256_form])
    hash = models.CharField(max_length=64, editable=False, validators=[sha256_form])

    class Meta:
        ordering = ["-seq"]
        constraints = [
            models.UniqueConstraint(fields=["seq"], name="audit_seq_unique"),
            models.UniqueConstraint(fields=["prev_hash"], name="audit_chain_never_forks"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action} {self.object}"
