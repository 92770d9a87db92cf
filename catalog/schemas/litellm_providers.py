"""Every provider that LiteLLM 1.53 to 1.108 knows, by the name in ``litellm_provider``."""

from __future__ import annotations

from typing import Final

KNOWN: Final = frozenset((
    "a2a", "a2a_agent", "agentcore", "ai21", "ai21_chat", "aihubmix", "aiml", "aiohttp_openai",
    "aleph_alpha", "amazon_nova", "anthropic", "anthropic_text", "anyscale", "apertis", "apiserpent",
    "assemblyai", "auto_router", "aws_polly", "aws_textract", "azure", "azure_ai", "azure_speech",
    "azure_text", "baseten", "bedrock", "bedrock_converse", "bedrock_mantle", "bespoke", "bing_grounding",
    "black_forest_labs", "bytez", "cerebras", "charity_engine", "chatgpt", "chutes", "clarifai",
    "cloudflare", "codestral", "cognition", "cohere", "cohere_chat", "cometapi", "compactifai",
    "coralbricks", "cortecs", "crusoe", "cursor", "custom", "custom_openai", "darkbloom", "dashscope",
    "databricks", "dataforseo", "datarobot", "deepgram", "deepinfra", "deepseek", "docker_model_runner",
    "dotprompt", "duckduckgo", "edenai", "elevenlabs", "empower", "exa_ai", "fal_ai", "featherless_ai",
    "firecrawl", "fireworks_ai", "fireworks_ai-embedding-models", "friendliai", "galadriel", "gdc", "gemini",
    "gigachat", "github", "github_copilot", "gmi", "google_pse", "gradient_ai", "groq", "helicone", "heroku",
    "hosted_vllm", "huggingface", "humanloop", "hyperbolic", "inception", "inferenceapis", "infinity",
    "jina_ai", "lambda_ai", "langflow", "langfuse", "langgraph", "laya", "lemonade", "libertai", "linkup",
    "litellm_agent", "litellm_proxy", "llamafile", "llamagate", "lm_studio", "manus", "maritalk", "meta",
    "meta_llama", "microsoft_365_copilot", "milvus", "minimax", "mistral", "modelscope", "mongodb",
    "moonshot", "morph", "nace", "nadir", "nano-gpt", "nebius", "neosantara", "nimble", "nlp_cloud",
    "novita", "nscale", "nvidia_nim", "nvidia_riva", "oci", "ollama", "ollama_chat", "oobabooga", "openai",
    "openai_like", "openinfer", "openrouter", "ovhcloud", "palm", "parallel_ai", "parasail", "perplexity",
    "petals", "pg_vector", "pinstripes", "poe", "predibase", "prism", "publicai", "qwen_ai_platform",
    "qwencloud", "ragflow", "recraft", "reducto", "reka", "replicate", "runwayml", "s3_vectors", "sagemaker",
    "sagemaker_chat", "sagemaker_nova", "sail", "sambanova", "sap", "sarvam", "scaledown", "scaleway",
    "scx-ai", "searxng", "serper", "snowflake", "soniox", "stability", "strands_decider", "synthetic",
    "tavily", "tencent", "tensormesh", "text-completion-codestral", "text-completion-inception",
    "text-completion-openai", "tinyfish", "together_ai", "topaz", "transcribe", "triton", "typesafe", "v0",
    "valkey", "vercel_ai_gateway", "vertex_ai", "vertex_ai-ai21_models", "vertex_ai-anthropic_models",
    "vertex_ai-chat-models", "vertex_ai-code-chat-models", "vertex_ai-code-text-models",
    "vertex_ai-deepseek_models", "vertex_ai-embedding-models", "vertex_ai-image-models",
    "vertex_ai-language-models", "vertex_ai-llama_models", "vertex_ai-minimax_models",
    "vertex_ai-mistral_models", "vertex_ai-moonshot_models", "vertex_ai-openai_models",
    "vertex_ai-qwen_models", "vertex_ai-text-models", "vertex_ai-video-models", "vertex_ai-vision-models",
    "vertex_ai-zai_models", "vertex_ai_beta", "vllm", "volcengine", "voyage", "wandb", "watsonx",
    "watsonx_text", "xai", "xiaomi_mimo", "xinference", "you_com", "zai",
))  # fmt: skip
