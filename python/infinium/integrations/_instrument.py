"""Watching every OpenAI client of the process."""

from ._observe import Instrumentor
from ._openai import _provider, _watched_async_create, _watched_create


class OpenAIInstrumentor(Instrumentor):
    """Watches every OpenAI client of the process."""

    _package = "openai"

    def _targets(self):
        from openai.resources.chat.completions import AsyncCompletions, Completions

        yield Completions, "create", self._wrapper(_watched_create)
        yield AsyncCompletions, "create", self._wrapper(_watched_async_create)

    def _wrapper(self, watched):
        return lambda bound, owner: watched(bound, _provider(getattr(owner, "_client", None)), self.capture_content)
