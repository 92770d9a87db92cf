"""The formats that Almanac publishes. To add one: write its file, name it here."""

from __future__ import annotations

from typing import Final

from catalog.schemas.aichat import V1, V2
from catalog.schemas.almanac_v1 import ALMANAC_V1
from catalog.schemas.base import EntrySchema, NativeSchema, Schema
from catalog.schemas.catwalk import CATWALK
from catalog.schemas.codex import CODEX
from catalog.schemas.genai_prices import GENAI_V1, GENAI_V2
from catalog.schemas.gpt4all import GPT4ALL
from catalog.schemas.hermes import HERMES
from catalog.schemas.jan import JAN, JAN_V1
from catalog.schemas.litellm import LITELLM
from catalog.schemas.lmstudio import LMSTUDIO
from catalog.schemas.modelsdev import MODELS_DEV
from catalog.schemas.openai import OPENAI
from catalog.schemas.openrouter import OPENROUTER

_THEIRS: Final[tuple[NativeSchema, ...]] = (
    V1,
    V2,
    CATWALK,
    GENAI_V1,
    GENAI_V2,
    LITELLM,
    MODELS_DEV,
    OPENAI,
    OPENROUTER,
    CODEX,
    HERMES,
    GPT4ALL,
    LMSTUDIO,
    JAN,
    JAN_V1,
)

NATIVE: Final[dict[str, NativeSchema]] = {schema.name: schema for schema in _THEIRS}
"""Those of somebody else's making, which have members."""
ENTRY_LISTS: Final = frozenset(schema.name for schema in _THEIRS if isinstance(schema, EntrySchema))
"""Those of them that list models by themselves, not what providers offer."""
SCHEMAS: Final[dict[str, Schema]] = {ALMANAC_V1.name: ALMANAC_V1, **NATIVE}
