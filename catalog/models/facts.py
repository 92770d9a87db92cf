"""What both an entry and an offering can state: limits, modalities, capabilities."""

from __future__ import annotations

from django.db import models

from catalog.records import CAPABILITIES, MODALITIES, STAGES

MODALITY_HELP = f"A list of {', '.join(MODALITIES)}, in the source's order; empty: not known."
STAGE_CHOICES = [(stage, stage.capitalize()) for stage in STAGES]


def capability(help_text: str) -> models.BooleanField:
    return models.BooleanField(null=True, blank=True, help_text=f"{help_text} Unknown is neither yes nor no.")


def tokens(help_text: str) -> models.BigIntegerField:
    return models.BigIntegerField(
        null=True, blank=True, help_text=f"{help_text}, in tokens; empty: not known."
    )


class StatedFacts(models.Model):
    context_tokens = tokens("Input and output together")
    max_input_tokens = tokens("The longest input")
    max_output_tokens = tokens("The longest output")
    input_modalities = models.JSONField(default=list, blank=True, help_text=MODALITY_HELP)
    output_modalities = models.JSONField(default=list, blank=True, help_text=MODALITY_HELP)
    tools = capability("Calls functions.")
    parallel_tools = capability("Calls several functions at once.")
    vision = capability("Reads images.")
    reasoning = capability("Reasons before it answers.")
    structured_output = capability("Answers in a given JSON schema.")
    streaming = capability("Streams its answer.")
    system_prompt = capability("Takes a system prompt.")
    temperature = capability("Takes a temperature.")
    prompt_caching = capability("Reads repeated prompts from a cache.")
    web_search = capability("Searches the web itself.")
    attachments = capability("Takes files.")
    computer_use = capability("Operates a computer.")
    assistant_prefill = capability("Continues a begun answer.")
    audio_input = capability("Hears.")
    audio_output = capability("Speaks.")
    pdf_input = capability("Reads PDF files.")

    class Meta:
        abstract = True

    @property
    def capabilities(self) -> dict[str, bool]:
        """Those that are known."""
        stated = {name: getattr(self, name) for name in CAPABILITIES}
        return {name: value for name, value in stated.items() if value is not None}

    @property
    def limits(self) -> dict[str, int]:
        names = ("context_tokens", "max_input_tokens", "max_output_tokens")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def positive_limits(prefix: str = "") -> list[models.CheckConstraint]:
    """``context_tokens_positive`` and its two siblings; a limit that is not known is null."""
    return [
        models.CheckConstraint(
            name=f"{prefix}{name}_positive",
            condition=models.Q(**{f"{name}__isnull": True}) | models.Q(**{f"{name}__gt": 0}),
            violation_error_message=f"{name} is a positive number of tokens, or empty.",
        )
        for name in ("context_tokens", "max_input_tokens", "max_output_tokens")
    ]
