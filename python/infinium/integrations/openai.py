"""OpenAI's names, where the published package has them."""

from ._openai import OpenAIInstrumentor, patch_async_openai_client, patch_openai_client

__all__ = ["OpenAIInstrumentor", "patch_async_openai_client", "patch_openai_client"]
