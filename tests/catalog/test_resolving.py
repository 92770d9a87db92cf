"""Whom a name means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.known_names import LAB_PATTERNS, LAB_SPELLINGS, LABS, PROVIDERS
from catalog.resolving import (
    SLUG,
    model_identity,
    new_provider,
    provider_names,
    provider_slug,
    slugify,
    stage_of,
)


@pytest.mark.parametrize(
    ("native_id", "lab", "slug"),
    [
        ("gpt-4o", "openai", "gpt-4o"),
        ("azure/gpt-4o", "openai", "gpt-4o"),
        ("openrouter/anthropic/claude-3.5-sonnet", "anthropic", "claude-3.5-sonnet"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic", "claude-haiku-4-5-20251001"),
        ("anthropic.claude-3-opus-20240229-v1:0", "anthropic", "claude-3-opus-20240229"),
        ("claude-3-opus@20240229", "anthropic", "claude-3-opus-20240229"),
        ("deepinfra/meta-llama/Llama-3.3-70B-Instruct", "meta", "llama-3.3-70b-instruct"),
        ("mistralai/mistral-7b-instruct:free", "mistral", "mistral-7b-instruct"),
        ("@cf/baai/bge-large-en-v1.5", "baai", "bge-large-en-v1.5"),
        ("1024-x-1024/50-steps/bedrock/amazon.nova-canvas-v1:0", "amazon", "nova-canvas"),
        ("fireworks_ai/accounts/fireworks/models/qwen-qwq-32b", "qwen", "qwen-qwq-32b"),
        ("somebody/something-new", "", "something-new"),
        ("o1", "openai", "o1"),
        ("/", "", "unknown"),
    ],
)
def test_an_id_speaks_of_a_lab_and_a_model_without_its_host(native_id: str, lab: str, slug: str):
    assert model_identity(native_id) == (lab, slug)


@pytest.mark.parametrize(
    ("family", "name", "slug"),
    [
        ("aichat", "claude", "anthropic"), ("aichat", "gemini", "google"), ("aichat", "vertexai", "vertex-ai"),
        ("aichat", "qianwen", "alibaba"), ("aichat", "openai", "openai"), ("aichat", "my gateway", "my-gateway"),
        ("litellm", "gemini", "google"), ("litellm", "vertex_ai-language-models", "vertex-ai"), ("litellm", "vertex_ai", "vertex-ai"),
        ("litellm", "bedrock_converse", "bedrock"), ("litellm", "text-completion-openai", "openai"), ("litellm", "", "unknown"),
        ("litellm", "together_ai", "together"), ("litellm", "azure_ai", "azure-ai"), ("litellm", "new_one", "new-one"),
        ("models.dev", "amazon-bedrock", "bedrock"), ("models.dev", "novita-ai", "novita"), ("catwalk", "gemini", "google"),
        ("genai-prices", "x-ai", "xai"), ("genai-prices", "somebody", "somebody"),
    ],
)  # fmt: skip
def test_a_provider_is_found_by_what_the_family_calls_it(family: str, name: str, slug: str):
    assert provider_slug(family, name, {}) == slug


def test_a_provider_that_carries_the_name_is_meant_before_any_table():
    mine = {"mine": {"slug": "mine", "names": {"litellm": "gemini"}}}
    assert provider_slug("litellm", "gemini", mine) == "mine"
    assert provider_slug("aichat", "gemini", mine) == "google"


def test_a_known_provider_comes_with_all_its_names_and_a_new_one_with_its_own():
    assert new_provider("google", "aichat", "gemini") == {
        "slug": "google", "name": "Google", "names": {"aichat": "gemini", "litellm": "gemini", "catwalk": "gemini"},
    }  # fmt: skip
    assert new_provider("new-one", "litellm", "new_one") == {
        "slug": "new-one",
        "name": "new_one",
        "names": {"litellm": "new_one"},
    }
    assert new_provider("b", "litellm", "b\u0007") == {"slug": "b", "name": "b"}


@given(st.text(max_size=300))
def test_whatever_an_id_is_its_slug_is_one(text: str):
    assert SLUG.fullmatch(slugify(text))
    lab, slug = model_identity(text)
    assert SLUG.fullmatch(slug)
    assert lab == "" or lab in LABS


@pytest.mark.parametrize(
    ("native_id", "stage"),
    [
        ("gpt-4o", "current"),
        ("gemini-2.0-flash-exp", "preview"),
        ("o1-preview", "preview"),
        ("expert-1", "current"),
    ],
)
def test_an_id_that_says_preview_is_one(native_id: str, stage: str):
    assert stage_of(native_id) == stage


def test_the_tables_hold_slugs_and_no_name_means_two():
    assert all(SLUG.fullmatch(slug) for slug in (*PROVIDERS, *LABS))
    assert {*LAB_SPELLINGS.values(), *(lab for _, lab in LAB_PATTERNS)} <= set(LABS)
    for family in ("aichat", "litellm"):
        names = [provider_names(slug).get(family, slug) for slug in PROVIDERS]
        assert len(set(names)) == len(names)
