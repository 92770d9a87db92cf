"""Forms for what is shown to whom, and for schemas and their members."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.forms.fields import LinesField, PairsField, RecordJSONField, described
from catalog.forms.records import RecordForm, RowForm
from catalog.models import Adjustment, Arm, Experiment, Membership, Schema, Trial
from catalog.schemas.registry import SCHEMAS
from catalog.services.schema_rules import as_released


def one_subject(form: forms.ModelForm, cleaned: dict[str, Any]) -> dict[str, Any]:
    """A row is about an entry or about an offering, never about both or neither."""
    if bool(cleaned.get("entry")) == bool(cleaned.get("offering")) and not form.errors:
        raise ValidationError("Choose either a model entry or an offering.")
    return cleaned


class FeaturedItemForm(RowForm):
    position = forms.IntegerField(
        label="Place",
        required=False,
        min_value=0,
        widget=forms.NumberInput(attrs={"class": "place"}),
        help_text="Lower comes first; empty: last.",
    )

    def clean(self) -> dict[str, Any]:
        return one_subject(self, super().clean() or {})

    def clean_position(self) -> int:
        """Places are counted anew when the list is saved."""
        typed = self.cleaned_data["position"]
        return 1_000_000 if typed is None else int(typed)


class TrialForm(RecordForm):
    audience = described(RecordJSONField, Trial, "audience")

    def clean(self) -> dict[str, Any]:
        return one_subject(self, super().clean() or {})


class ExperimentForm(RecordForm):
    audience = described(RecordJSONField, Experiment, "audience")


class ArmForm(RowForm):
    changes = described(
        RecordJSONField,
        Arm,
        "changes",
        widget=forms.Textarea(attrs={"rows": 2, "cols": 40, "spellcheck": "false"}),
    )


def _schema_names() -> list[tuple[str, str]]:
    return [("", "none"), *((name, name) for name in sorted(SCHEMAS))]


class SchemaForm(RecordForm):
    document = described(RecordJSONField, Schema, "document")
    clients = described(PairsField, Schema, "clients")
    successor = described(forms.ChoiceField, Schema, "successor", choices=_schema_names, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("status") == Schema.Status.DEPRECATED and not cleaned.get("deprecated"):
            cleaned["deprecated"] = f"{timezone.now():%Y-%m-%d}"
        return cleaned


class AdjustmentForm(RecordForm):
    set = described(PairsField, Adjustment, "set")
    drop = described(LinesField, Adjustment, "drop")
    hold = forms.BooleanField(
        label="Hold back",
        required=False,
        help_text="This document goes on saying what the newest release says of it, until the tick is taken away.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "hold" in self.fields:
            self.fields["hold"].initial = bool(self.instance.held)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("hold"):
            self.instance.held = {}
        elif not self.instance.held:
            self.instance.held = self._as_released(cleaned) or {}
            if not self.instance.held:
                self.add_error(
                    "hold", "The newest release's document has no such member: there is nothing to hold."
                )
        return cleaned

    def _as_released(self, cleaned: dict[str, Any]) -> dict[str, Any] | None:
        fixed = self.instance.pk is not None
        schema = self.instance.schema if fixed else cleaned.get("schema")
        subject = self.instance.subject if fixed else cleaned.get("subject")
        return as_released(schema=schema.name, member=subject) if schema and subject else None


class MembershipForm(RecordForm):
    native = described(RecordJSONField, Membership, "native")
