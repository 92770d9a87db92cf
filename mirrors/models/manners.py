"""What a probe found out about a bucket, kept so that every publisher knows it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class StoreFindings(models.Model):
    """By the store's address; ``manage.py doctor`` looks again and replaces it."""

    url = models.CharField(max_length=500, unique=True)
    found = models.JSONField(help_text="The fields of mirrors.services.probing_stores.Findings.")
    probed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "store findings"
        ordering: ClassVar = ["url"]

    def __str__(self) -> str:
        return f"{self.url}, probed {self.probed_at:%Y-%m-%d %H:%M}"
