"""The OpenAI instrumentor with the real package; watch() with what it does not know, or what fails."""

import pytest

openai = pytest.importorskip("openai")

from infinium import OpenAIInstrumentor, unwatch, watch  # noqa: E402
from infinium.integrations import TraceContext, set_trace_context  # noqa: E402
from scripted import Answer, Server  # noqa: E402

pytestmark = pytest.mark.timeout(60)

COMPLETION = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "answering",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}  # fmt: skip


def ask(client):
    return client.chat.completions.create(model="asked", messages=[{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize("watched_too", [False, True])
def test_instrumentor_counts_once(watched_too):
    context = TraceContext()
    token = set_trace_context(context)
    instrumentor = OpenAIInstrumentor(capture_content=True)
    try:
        with Server(Answer(body=COMPLETION)) as server:
            instrumentor.instrument()
            instrumentor.instrument()
            OpenAIInstrumentor().instrument()
            client = openai.OpenAI(api_key="k", base_url=server.url, max_retries=0)
            if watched_too:
                watch(client, True)
            ask(client)
            (call,) = context.calls
            assert (call.provider, call.model, call.prompt_tokens, call.output_preview) == ("openai", "answering", 11, "Hello")
            instrumentor.uninstrument()
            instrumentor.uninstrument()
            ask(openai.OpenAI(api_key="k", base_url=server.url, max_retries=0))
            assert len(context.calls) == 1
    finally:
        instrumentor.uninstrument()
        token.var.reset(token)


def test_without_the_package_a_warning_and_nothing_else(monkeypatch, caplog):
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_unknown_clients_are_returned_with_a_warning(caplog):
    thing = object()
    assert watch(thing) is thing and unwatch(thing) is thing
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_client_that_cannot_be_patched_is_returned(caplog):
    class Anthropic:
        pass

    Anthropic.__module__ = "anthropic"
    client = Anthropic()
    assert watch(client) is client
    assert [record.levelname for record in caplog.records] == ["WARNING"]
