"""The vendors' clients against the scripted server, and a trace context around a block."""

import anthropic
import openai

import infinium

QUESTION = [{"role": "user", "content": "hi"}]


def watch(*args, **kwargs):
    return infinium.watch(*args, **kwargs)


def openai_client(llm, cls=openai.OpenAI, path="/v1", **options):
    return cls(api_key="sk-none", base_url=llm.url + path, max_retries=0, **options)


def anthropic_client(llm, cls=anthropic.Anthropic, path="", **options):
    return cls(api_key="sk-none", base_url=llm.url + path, max_retries=0, **options)


class inside:
    """A trace context around a block, as a decorated function has it."""

    def __enter__(self):
        from infinium.integrations import TraceContext, set_trace_context

        self.context = TraceContext()
        self.token = set_trace_context(self.context)
        return self.context

    def __exit__(self, *_):
        from infinium.integrations._context import _current_trace_ctx

        _current_trace_ctx.reset(self.token)
        return False
