"""Forms for what is shown to whom, and for schemas and their members."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalog.forms.fields import RecordJSONField, described
from catalog.forms.records import RecordForm, RowForm
from catalog.models import Arm, Experiment, Membership, Schema, Trial


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


class SchemaForm(RecordForm):
    document = described(RecordJSONField, Schema, "document")


class MembershipForm(RecordForm):
    native = described(RecordJSONField, Membership, "native")
