"""Counts beside rows."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce


def how_many(model: Any, foreign_key: str) -> Coalesce:
    """A count in each row of a page, made for that page's rows only."""
    mine = model.objects.filter(**{foreign_key: OuterRef("pk")}).order_by()
    counted = mine.values(foreign_key).annotate(how_many=Count("pk")).values("how_many")
    return Coalesce(Subquery(counted), 0)
