"""The clients that ``sync --for`` knows: one row each. To add one, add its row, and its place if it has one.

Where nobody says in which file a client looks, its row names none: the document then lies in our data folder.
"""

from __future__ import annotations

from typing import Final

from almanac.errors import UsageError
from almanac.installers import aichat, places
from almanac.installers.client import Client

_ONLY_AN_ADDRESS: Final = (
    "it reads only an address, fetches that itself and verifies nothing; this file is the verified copy of it"
)
_COMPILED_IN: Final = (
    "its address is compiled in, and no file of its own is known that it would read instead: the document is for "
    "builds of yours, or for an answer in the place of that address"
)
_LITELLM: Final = "litellm/model_prices_and_context_window.json"

_ROWS: Final = (
    Client(
        "aichat",
        "v2/models.yaml",
        place=places.aichat,
        form=aichat.override,
        version=aichat.version,
        instead=("set AICHAT_SYNC_MODELS_URL={url}, then run `aichat --sync-models`",),
        notes=("after each upgrade of aichat, sync again",),
    ),
    Client(
        "litellm",
        _LITELLM,
        settings=(("LITELLM_MODEL_COST_MAP_URL", "{url}"),),
        notes=(
            f"LiteLLM: {_ONLY_AN_ADDRESS}",
            (
                "of a list shorter than half of its own it also wants MODEL_COST_MAP_MIN_MODEL_COUNT=1 and "
                "MODEL_COST_MAP_MAX_SHRINK_RATIO=0"
            ),
        ),
    ),
    Client(
        "opencode",
        "models.dev/api.json",
        place=places.opencode,
        settings=(("OPENCODE_MODELS_PATH", "{file}"),),
        instead=("set OPENCODE_MODELS_URL={base}, then run `opencode models --refresh`",),
        notes=("opencode lists a provider once one of that provider's variables is set",),
        base_ends="/api.json",
    ),
    Client(
        "codex",
        "codex/models.json",
        place=places.codex,
        lines=("in config.toml of Codex, at the top: model_catalog_json = '{file}'",),
        instead=(
            (
                'in config.toml, for a provider: model_catalog_url = "{url}", and api_key_model_discovery = true '
                "under [features]"
            ),
        ),
    ),
    Client(
        "crush",
        "catwalk/v2/providers",
        place=places.crush,
        settings=(("CATWALK_URL", "{base}"),),
        notes=(
            (
                "Crush asks that address at each start and takes this file where it gets nothing newer; without the "
                "variable it writes its own list over the file"
            ),
            "`crush update-providers {file}` takes the file in at once",
        ),
        base_ends="/v2/providers",
    ),
    Client(
        "genai-prices",
        "genai-prices/v2/data.json",
        lines=('in the program: UpdatePrices(url="{url}")',),
        notes=(f"genai-prices: {_ONLY_AN_ADDRESS}",),
    ),
    Client(
        "hermes",
        "hermes/model-catalog.json",
        place=places.hermes,
        lines=(
            (
                "in config.yaml of Hermes: model_catalog: {{ttl_hours: 168}}, or whatever is longer than from one sync "
                "to the next: an older file it fetches anew from its address"
            ),
        ),
        instead=("in config.yaml: model_catalog: {{url: {url}}}",),
        looks_at_age=True,
    ),
    Client(
        "aider",
        _LITELLM,
        place=places.aider,
        lines=("or name the file: aider --model-metadata-file {file}",),
        notes=("aider believes the file for a day and then fetches its own list: sync daily",),
        looks_at_age=True,
    ),
    Client("gpt4all", "gpt4all/models3.json", notes=(_COMPILED_IN, "the address here: {url}")),
    Client("lmstudio", "lmstudio/catalog.json", notes=(_COMPILED_IN, "the address here: {url}")),
    Client(
        "jan",
        "jan/model_catalog_v2.json",
        lines=("for a build of Jan: MODEL_CATALOG_URL={url}",),
        notes=(_COMPILED_IN,),
    ),
    Client(
        "openrouter",
        "openrouter/api/v1/models",
        lines=("Roo Code and its family: openRouterBaseUrl is {base}",),
        notes=(
            "they send their chats to that base as well, so it must be a gateway of yours that serves this list",
            "programs with a fixed address read no file that is known",
        ),
        base_ends="/models",
    ),
    Client(
        "openai",
        "openai/v1/models",
        lines=("whatever lists models of an OpenAI-like server: its base address is {base}",),
        notes=(
            "such programs send their chats to that base as well: serve this list from a gateway of yours",
        ),
        base_ends="/models",
    ),
)

CLIENTS: Final[dict[str, Client]] = {client.name: client for client in _ROWS}


def named(name: str) -> Client:
    client = CLIENTS.get(name.lower())
    if client is None:
        raise UsageError(f"--for {name!r} is no client that almanac knows", advice=f"known are {listed()}")
    return client


def listed() -> str:
    *most, last = CLIENTS
    return f"{', '.join(most)} and {last}"
