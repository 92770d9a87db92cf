"""The front page's answer about time: how long readers can still trust what they have."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.http import HttpRequest
from django.utils import timezone

from catalog.admin.site import Answer
from mirrors.services.ledger import expiries

SOON: Final = timedelta(days=2)


def signatures(request: HttpRequest) -> Answer | None:
    """The signature that ends first; the worker renews each long before, unless it does not run."""
    if not request.user.has_perm("mirrors.view_publication"):
        return None
    known = expiries()
    if not known:
        return None
    role, when = min(known.items(), key=lambda item: item[1])
    left = when - timezone.now()
    if left <= timedelta(0):
        return Answer("Signatures", "expired", f"{role}: start the worker, or run tick", "bad")
    hours = int(left.total_seconds() // 3600)
    words = f"{hours // 24} days left" if hours >= 72 else f"{hours} hours left"
    tone = "good" if left > SOON else "wait"
    return Answer("Signatures", words, f"{role} ends first and is renewed by the worker", tone)
