"""Forms for labs, providers, model entries and offerings, and for the rows below them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from catalog.forms.fields import AmountField, LinesField, PairsField, WordsField, described
from catalog.forms.records import RecordForm, RowForm
from catalog.models import Artifact, ModelEntry, Offering, Price, Provider, Region
from catalog.records import CAPABILITIES, MODALITIES

SAID_ONCE: Final = "Unknown is neither yes nor no."


def region_codes() -> Iterable[str]:
    return Region.objects.values_list("code", flat=True)


class ProviderForm(RecordForm):
    env = described(
        LinesField, Provider, "env", help_text="Those that hold its key, one to a line: OPENAI_API_KEY."
    )
    names = described(
        PairsField,
        Provider,
        "names",
        label="Other names",
        help_text="What a family of documents calls it where that is not the slug, one to a line: aichat = claude.",
    )


class FactsForm(RecordForm):
    """What entries and offerings both state."""

    input_modalities = WordsField(
        words=MODALITIES, label="Input", help_text="What it takes; none ticked: not known."
    )
    output_modalities = WordsField(
        words=MODALITIES, label="Output", help_text="What it gives; none ticked: not known."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in CAPABILITIES:
            if name in self.fields:  # said once, above all of them
                self.fields[name].help_text = str(self.fields[name].help_text).removesuffix(SAID_ONCE)


class EntryForm(FactsForm):
    links = described(PairsField, ModelEntry, "links", help_text="One to a line: model card = https://…")
    sources = described(
        LinesField, ModelEntry, "sources", help_text="Where these facts come from, one to a line."
    )


class OfferingForm(FactsForm):
    available_only = WordsField(
        words=region_codes, label="Only in", help_text="With their children; none ticked: everywhere."
    )
    available_never = WordsField(words=region_codes, label="Never in", help_text="With their children.")
    endpoint = described(
        PairsField,
        Offering,
        "endpoint",
        help_text="Facts about its endpoint, one to a line: path = /v1/responses.",
    )

    class Meta:
        labels = {"entry": "Model"}


class PriceForm(RowForm):
    amount = described(
        AmountField, Price, "amount", help_text="For one unit, exactly: 0.0000015. Or for a million: 1.5/M."
    )

    class Meta:
        widgets = {
            "currency": forms.TextInput(attrs={"size": 4}),
            "service_tier": forms.TextInput(attrs={"size": 8}),
            "cache_ttl": forms.TextInput(attrs={"size": 5}),
        }


class ArtifactForm(RowForm):
    sha256 = forms.CharField(
        label="SHA-256",
        required=False,
        help_text=Artifact._meta.get_field("sha256").help_text,  # noqa: SLF001
    )

    def clean_sha256(self) -> str:
        """As tools print it: upper case or with its name in front is the same digest."""
        typed = str(self.cleaned_data["sha256"]).strip().lower()
        return typed.removeprefix("sha256:")
