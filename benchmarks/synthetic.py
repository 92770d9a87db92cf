"""Catalogs of any size that look like real ones in what counts here: records of a real record's length, many of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PROVIDERS = 40
LABS = 60
PRICES = ("0.0000001", "0.00000025", "0.0000008", "0.000003", "0.000015", "0.00006")
CONTEXTS = (8_192, 32_768, 131_072, 200_000, 1_048_576)

Written = tuple[str, str, dict[str, Any]]
"""(kind, key, record)."""


def foundations() -> Iterator[Written]:
    """What every model refers to."""
    yield "region", "global", {"code": "global", "name": "Global", "enabled": True}
    for n in range(LABS):
        yield "lab", f"lab-{n:02}", {"slug": f"lab-{n:02}", "name": f"Laboratory {n}"}
    for n in range(PROVIDERS):
        slug = f"provider-{n:02}"
        api = f"https://api.{slug}.example/v1"
        yield (
            "provider",
            slug,
            {"slug": slug, "name": f"Provider {n}", "api": api, "env": [f"PROVIDER_{n:02}_KEY"]},
        )


def model(n: int) -> list[Written]:
    """The n-th model: an entry and its offering."""
    lab, slug, provider = f"lab-{n % LABS:02}", f"model-{n:06}", f"provider-{n % PROVIDERS:02}"
    entry = {
        "lab": lab,
        "slug": slug,
        "name": f"Model {n}",
        "mode": "embedding" if n % 11 == 0 else "chat",
        "stage": "current",
        "modalities": {"input": ["text", "image"] if n % 3 else ["text"], "output": ["text"]},
        "limits": {"context_tokens": CONTEXTS[n % 5], "max_output_tokens": CONTEXTS[n % 2]},
        "capabilities": {"tools": n % 4 > 0, "vision": n % 3 > 0, "reasoning": n % 7 == 0},
        "released": f"202{n % 7}-{n % 12 + 1:02}-{n % 28 + 1:02}",
        "open_weights": n % 5 == 0,
    }
    return [
        ("entry", f"{lab}/{slug}", entry),
        ("offering", f"{provider}:{slug}-instruct", offering(n, step=0)),
    ]


def offering(n: int, *, step: int) -> dict[str, Any]:
    """``step`` changes one price by little: the edit of one record that is measured."""
    amount = PRICES[n % 6]
    return {
        "provider": f"provider-{n % PROVIDERS:02}",
        "native_id": f"model-{n:06}-instruct",
        "ordinal": 1,
        "entry": f"lab-{n % LABS:02}/model-{n:06}",
        "stage": "current",
        "prices": [
            {
                "meter": "input",
                "unit": "token",
                "amount": amount + (str(step) if step else ""),
                "currency": "USD",
            },
            {"meter": "output", "unit": "token", "amount": PRICES[(n + 2) % 6], "currency": "USD"},
        ],
    }
