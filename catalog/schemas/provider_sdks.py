"""How a provider is spoken to: the package that speaks for it, by slug, and what that is called elsewhere.

A provider that is not here speaks OpenAI's protocol at its own address. Everything in these tables is stated by the
histories of models.dev.
"""

from __future__ import annotations

from typing import Final

COMPATIBLE: Final = "@ai-sdk/openai-compatible"
ANTHROPIC: Final = "@ai-sdk/anthropic"

SDKS: Final[dict[str, str]] = {
    "aihubmix": "@aihubmix/ai-sdk-provider",
    "anthropic": ANTHROPIC,
    "azure": "@ai-sdk/azure",
    "azure-cognitive-services": "@ai-sdk/azure",
    "bedrock": "@ai-sdk/amazon-bedrock",
    "cerebras": "@ai-sdk/cerebras",
    "cloudflare-ai-gateway": "ai-gateway-provider",
    "cohere": "@ai-sdk/cohere",
    "deepinfra": "@ai-sdk/deepinfra",
    "freemodel": ANTHROPIC,
    "gitlab": "gitlab-ai-provider",
    "google": "@ai-sdk/google",
    "groq": "@ai-sdk/groq",
    "kimi-for-coding": ANTHROPIC,
    "merge-gateway": "merge-gateway-ai-sdk-provider",
    "minimax": ANTHROPIC,
    "minimax-cn": ANTHROPIC,
    "minimax-cn-coding-plan": ANTHROPIC,
    "minimax-coding-plan": ANTHROPIC,
    "mistral": "@ai-sdk/mistral",
    "openai": "@ai-sdk/openai",
    "openrouter": "@openrouter/ai-sdk-provider",
    "perplexity": "@ai-sdk/perplexity",
    "perplexity-agent": "@ai-sdk/openai",
    "sap-ai-core": "@jerome-benoit/sap-ai-provider-v2",
    "together": "@ai-sdk/togetherai",
    "v0": "@ai-sdk/vercel",
    "venice": "venice-ai-sdk-provider",
    "vercel-ai-gateway": "@ai-sdk/gateway",
    "vertex-ai": "@ai-sdk/google-vertex",
    "vertex-ai-claude": "@ai-sdk/google-vertex/anthropic",
    "vivgrid": "@ai-sdk/openai",
    "xai": "@ai-sdk/xai",
}

ADDRESSED: Final = frozenset((COMPATIBLE, "@openrouter/ai-sdk-provider"))
"""Packages that must be told an address."""
MAY_BE_ADDRESSED: Final = ADDRESSED | {ANTHROPIC, "@ai-sdk/openai"}
"""Packages that may be told one; all others know theirs."""

ALLOWED: Final = frozenset((*SDKS.values(), COMPATIBLE, "@ai-sdk/amazon-bedrock/mantle"))
"""opencode installs and runs the package that a document names: it takes only these from us."""


def sdk_of(slug: str) -> str:
    return SDKS.get(slug, COMPATIBLE)
