"""Names that the outside world uses for providers and labs: tables, and nothing else.

A provider that is not here gets its slug from its own name; a lab that is not here is the provider itself.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class KnownProvider(NamedTuple):
    name: str
    aichat: str = ""
    litellm: str = ""
    also: tuple[str, ...] = ()
    """Further names that documents use for it, of any family."""


PROVIDERS: Final[dict[str, KnownProvider]] = {
    "ai21": KnownProvider("AI21 Labs"),
    "alibaba": KnownProvider("Alibaba", aichat="qianwen", litellm="dashscope"),
    "anthropic": KnownProvider("Anthropic", aichat="claude"),
    "anyscale": KnownProvider("Anyscale"),
    "azure": KnownProvider("Azure", also=("azure_text",)),
    "azure-ai": KnownProvider("Azure AI", litellm="azure_ai"),
    "bedrock": KnownProvider("Amazon Bedrock", also=("bedrock_converse",)),
    "cerebras": KnownProvider("Cerebras"),
    "cloudflare": KnownProvider("Cloudflare"),
    "codestral": KnownProvider("Codestral", also=("text-completion-codestral",)),
    "cohere": KnownProvider("Cohere", also=("cohere_chat",)),
    "databricks": KnownProvider("Databricks"),
    "deepgram": KnownProvider("Deepgram"),
    "deepinfra": KnownProvider("DeepInfra"),
    "deepseek": KnownProvider("DeepSeek"),
    "elevenlabs": KnownProvider("ElevenLabs"),
    "ernie": KnownProvider("ERNIE"),
    "fal": KnownProvider("fal", litellm="fal_ai"),
    "fireworks": KnownProvider(
        "Fireworks AI", litellm="fireworks_ai", also=("fireworks_ai-embedding-models",)
    ),
    "github": KnownProvider("GitHub Models"),
    "github-copilot": KnownProvider("GitHub Copilot", litellm="github_copilot"),
    "google": KnownProvider("Google", aichat="gemini", litellm="gemini"),
    "groq": KnownProvider("Groq"),
    "huggingface": KnownProvider("Hugging Face"),
    "hunyuan": KnownProvider("Hunyuan"),
    "inception": KnownProvider("Inception", also=("text-completion-inception",)),
    "jina": KnownProvider("Jina AI", litellm="jina_ai"),
    "lingyiwanwu": KnownProvider("01.AI"),
    "lmstudio": KnownProvider("LM Studio", litellm="lm_studio"),
    "meta": KnownProvider("Meta", litellm="meta_llama"),
    "minimax": KnownProvider("MiniMax"),
    "mistral": KnownProvider("Mistral"),
    "moonshot": KnownProvider("Moonshot AI"),
    "nvidia": KnownProvider("Nvidia", litellm="nvidia_nim"),
    "octoai": KnownProvider("OctoAI"),
    "ollama": KnownProvider("Ollama"),
    "openai": KnownProvider("OpenAI", also=("text-completion-openai",)),
    "openrouter": KnownProvider("OpenRouter"),
    "perplexity": KnownProvider("Perplexity"),
    "replicate": KnownProvider("Replicate"),
    "sambanova": KnownProvider("SambaNova"),
    "siliconflow": KnownProvider("SiliconFlow"),
    "stability": KnownProvider("Stability AI"),
    "together": KnownProvider("Together AI", litellm="together_ai"),
    "vercel-ai-gateway": KnownProvider("Vercel AI Gateway", litellm="vercel_ai_gateway"),
    "vertex-ai": KnownProvider("Vertex AI", aichat="vertexai", litellm="vertex_ai"),
    "vertex-ai-claude": KnownProvider("Vertex AI, Anthropic's models", aichat="vertexai-claude"),
    "voyage": KnownProvider("Voyage AI", aichat="voyageai"),
    "watsonx": KnownProvider("watsonx"),
    "xai": KnownProvider("xAI"),
    "zai": KnownProvider("Z.AI"),
    "zhipuai": KnownProvider("Zhipu AI"),
}

FAMILY_NAMES: Final[dict[str, dict[str, str]]] = {
    "models.dev": {
        "bedrock": "amazon-bedrock",
        "cloudflare": "cloudflare-workers-ai",
        "fireworks": "fireworks-ai",
        "friendliai": "friendli",
        "github": "github-models",
        "gmi": "gmicloud",
        "meta": "llama",
        "moonshot": "moonshotai",
        "novita": "novita-ai",
        "snowflake": "snowflake-cortex",
        "together": "togetherai",
        "vercel-ai-gateway": "vercel",
        "vertex-ai": "google-vertex",
        "vertex-ai-claude": "google-vertex-anthropic",
    },
    "catwalk": {
        "github-copilot": "copilot",
        "google": "gemini",
        "io-net": "ionet",
        "kimi-for-coding": "kimi-coding",
        "minimax-cn": "minimax-china",
        "opencode": "opencode-zen",
        "qiniu-ai": "qiniucloud",
        "vercel-ai-gateway": "vercel",
        "vertex-ai": "vertexai",
        "zai-coding-plan": "zai-coding",
        "zhipuai": "zhipu",
        "zhipuai-coding-plan": "zhipu-coding",
    },
    "genai-prices": {
        "bedrock": "aws",
        "moonshot": "moonshotai",
        "voyage": "voyageai",
        "xai": "x-ai",
    },
}
"""What further families call a provider, by its slug, where they call it something else."""

PROVIDER_PREFIXES: Final = {"vertex_ai-": "vertex-ai"}
"""LiteLLM splits one provider into many by what its models are."""

LABS: Final[dict[str, str]] = {
    "01-ai": "01.AI",
    "ai21": "AI21 Labs",
    "aleph-alpha": "Aleph Alpha",
    "alibaba": "Alibaba",
    "amazon": "Amazon",
    "anthropic": "Anthropic",
    "assemblyai": "AssemblyAI",
    "baai": "BAAI",
    "baidu": "Baidu",
    "black-forest-labs": "Black Forest Labs",
    "bytedance": "ByteDance",
    "cohere": "Cohere",
    "databricks": "Databricks",
    "deepgram": "Deepgram",
    "deepseek": "DeepSeek",
    "elevenlabs": "ElevenLabs",
    "google": "Google",
    "huggingface": "Hugging Face H4",
    "ibm": "IBM",
    "inception": "Inception",
    "jina": "Jina AI",
    "liquid": "Liquid AI",
    "meta": "Meta",
    "microsoft": "Microsoft",
    "minimax": "MiniMax",
    "mistral": "Mistral",
    "moonshot": "Moonshot AI",
    "nomic": "Nomic",
    "nous-research": "Nous Research",
    "nvidia": "Nvidia",
    "openai": "OpenAI",
    "perplexity": "Perplexity",
    "qwen": "Qwen",
    "recraft": "Recraft",
    "reka": "Reka",
    "snowflake": "Snowflake",
    "stability": "Stability AI",
    "tencent": "Tencent",
    "twelvelabs": "TwelveLabs",
    "voyage": "Voyage AI",
    "writer": "Writer",
    "xai": "xAI",
    "xiaomi": "Xiaomi",
    "zai": "Z.AI",
}

LAB_SPELLINGS: Final[dict[str, str]] = {
    "01.ai": "01-ai",
    "ai21labs": "ai21",
    "bytedance-seed": "bytedance",
    "cohereforai": "cohere",
    "deepseek-ai": "deepseek",
    "google-deepmind": "google",
    "huggingfaceh4": "huggingface",
    "ibm-granite": "ibm",
    "jinaai": "jina",
    "liquidai": "liquid",
    "meta-llama": "meta",
    "minimaxai": "minimax",
    "mistralai": "mistral",
    "moonshotai": "moonshot",
    "nomic-ai": "nomic",
    "nousresearch": "nous-research",
    "stabilityai": "stability",
    "thudm": "zai",
    "voyageai": "voyage",
    "x-ai": "xai",
    "z-ai": "zai",
    "zai-org": "zai",
    "zhipuai": "zai",
}
"""What stands for a lab in the folders and prefixes of native ids."""

LAB_PATTERNS: Final = tuple(
    (re.compile(pattern), lab)
    for pattern, lab in (
        (r"(?:chat)?gpt-|o[1-9](?:-|$)|dall-e|whisper|tts-|text-embedding-(?:3|ada)|text-(?:davinci|curie|babbage|ada)|davinci|babbage|omni-moderation|codex-|computer-use-preview|sora-|text-moderation", "openai"),
        (r"claude", "anthropic"),
        (r"gemini|gemma|palm|text-bison|chat-bison|code-?bison|codechat-bison|code-gecko|text-?embedding-gecko|textembedding|text-embedding-00|text-multilingual|multimodalembedding|imagen|imagegeneration|veo-|lyria|medlm|learnlm|text-unicorn", "google"),
        (r"(?:meta-|code-?)?llama|muse-|sam-3", "meta"),
        (r"(?:open-)?(?:mistral|mixtral|codestral|ministral|pixtral|magistral|devstral|voxtral|mathstral)", "mistral"),
        (r"command|c4ai|aya-|embed-(?:english|multilingual|v[0-9])|rerank-(?:english|multilingual|v[0-9])", "cohere"),
        (r"qwen|qwq|qvq|gte-", "qwen"),
        (r"deepseek", "deepseek"),
        (r"grok", "xai"),
        (r"(?:chat)?glm|cogview|cogvideo|charglm", "zai"),
        (r"yi-", "01-ai"),
        (r"moonshot|kimi", "moonshot"),
        (r"ernie|bge-large-zh-ernie", "baidu"),
        (r"hunyuan|hy[0-9]", "tencent"),
        (r"jamba|j2-", "ai21"),
        (r"(?:amazon-)?(?:nova|titan)-", "amazon"),
        (r"phi-?[0-9]|wizardlm|mai-", "microsoft"),
        (r"jina", "jina"),
        (r"voyage|rerank-2", "voyage"),
        (r"sonar|pplx", "perplexity"),
        (r"minimax|abab", "minimax"),
        (r"doubao|seed-|seedance|seedream", "bytedance"),
        (r"granite", "ibm"),
        (r"nemotron|nv-", "nvidia"),
        (r"dbrx", "databricks"),
        (r"bge-", "baai"),
        (r"nomic-", "nomic"),
        (r"flux", "black-forest-labs"),
        (r"stable-|sd3|stable_", "stability"),
        (r"luminous", "aleph-alpha"),
        (r"palmyra", "writer"),
        (r"mimo-", "xiaomi"),
        (r"(?:nous-)?hermes-", "nous-research"),
        (r"mercury", "inception"),
        (r"arctic|snowflake", "snowflake"),
        (r"reka-", "reka"),
        (r"nova-[23]|aura-", "deepgram"),
        (r"zephyr", "huggingface"),
    )
)  # fmt: skip
"""How a model's own name begins; the first that fits decides."""
