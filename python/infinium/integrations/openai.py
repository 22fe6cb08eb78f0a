"""OpenAI's names, where the published package has them."""

from ._instrument import OpenAIInstrumentor
from ._openai import patch_async_openai_client, patch_openai_client

__all__ = ["OpenAIInstrumentor", "patch_async_openai_client", "patch_openai_client"]
