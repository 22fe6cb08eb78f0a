from ._openai import OpenAIInstrumentor as OpenAIInstrumentor
from ._openai import patch_async_openai_client as patch_async_openai_client
from ._openai import patch_openai_client as patch_openai_client

__all__ = ["OpenAIInstrumentor", "patch_async_openai_client", "patch_openai_client"]
