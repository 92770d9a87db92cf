"""The one model that stands in no other catalog, made so that every client's document can list it."""

from __future__ import annotations

from tests import factories as f

NAME = "zeta-9000"
CONTEXT = 424242
OUTPUT = 4242
REPOSITORY = "https://huggingface.co/acme/zeta-9000-GGUF"
SHA256 = "5a" * 32
SIZE = 4_661_724_384

_PRICES = [f.price("0.0000015"), f.price("0.000006", meter="output")]
RECORDS = (
    f.region(),
    f.region("eu", parent="global"),
    f.lab(url="https://acme.example"),
    f.provider(
        "acme", env=["ACME_API_KEY"], api="https://api.acme.example/v1"
    ),
    f.provider("openai"),
    f.provider("openrouter"),
    f.entry(
        NAME,
        name="Zeta 9000",
        limits={"context_tokens": CONTEXT, "max_output_tokens": OUTPUT},
        capabilities={"tools": True, "vision": True},
        modalities={"input": ["text", "image"], "output": ["text"]},
        released="2026-05-01",
        links={"canonical": "https://huggingface.co/acme/zeta-9000"},
        artifacts=[
            {
                "name": "zeta-9000.Q4_0.gguf", "url": f"{REPOSITORY}/resolve/main/zeta-9000.Q4_0.gguf",
                "size_bytes": SIZE, "sha256": SHA256, "format": "gguf", "quantization": "Q4_0", "ram_bytes": 8 << 30,
            }
        ],
    ),
    *(
        f.offering(native_id, provider=provider, entry=f"acme/{NAME}", prices=_PRICES)
        for provider, native_id in (("acme", NAME), ("openai", NAME), ("openrouter", f"acme/{NAME}"))
    ),
)  # fmt: skip
