"""What lies in a store and no reader can ask for any more, from when on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Unreferenced(models.Model):
    """A file that was found to be unneeded, and has been at every look since."""

    url = models.CharField(max_length=500, help_text="The store's address.")
    address = models.CharField(max_length=1200)
    since = models.DateTimeField()
    removed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Kept of deltas alone: their bytes are never made anew under the same address.",
    )

    class Meta:
        verbose_name_plural = "unreferenced"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["url", "address"], name="file_is_unreferenced_once")
        ]

    def __str__(self) -> str:
        return f"{self.address} in {self.url}, since {self.since:%Y-%m-%d %H:%M}"


class Collection(models.Model):
    """The newest look at one store, and what it found."""

    url = models.CharField(max_length=500, unique=True)
    looked_at = models.DateTimeField()
    is_through = models.BooleanField(default=True, help_text="False: there is more to remove.")
    report = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["url"]

    def __str__(self) -> str:
        return f"{self.url}, looked at {self.looked_at:%Y-%m-%d %H:%M}"
