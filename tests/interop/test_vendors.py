"""watch() on vendors' clients that the Python suite has no package for: the legacy Google package, Anthropic's clients for
Bedrock and Vertex. Real packages, against a server that speaks their wire."""

import asyncio

import pytest

from infinium.integrations import GoogleInstrumentor, TraceContext, set_trace_context, unwatch, watch
from scripted import Answer, Server

GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "Hello"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 4, "totalTokenCount": 15},
    "modelVersion": "gemini-answering",
}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-answering", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Hello there"}],
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 7},
}  # fmt: skip
REQUEST = {"model": "claude-asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def vendor():
    with Server(Answer(body=MESSAGE)) as running:
        yield running


@pytest.fixture
def context():
    made = TraceContext()
    token = set_trace_context(made)
    yield made
    token.var.reset(token)


def only(context):
    (call,) = context.calls
    return call


@pytest.fixture
def gemini(vendor):
    genai = pytest.importorskip("google.generativeai")
    vendor.answer = Answer(body=GEMINI)
    genai.configure(api_key="k", transport="rest", client_options={"api_endpoint": vendor.url})
    return genai.GenerativeModel("gemini-asked")


def test_legacy_google(gemini, context):
    model = watch(gemini, capture_content=True)
    assert model.generate_content("Say hello").text == "Hello"
    call = only(context)
    assert (call.provider, call.prompt_tokens, call.completion_tokens) == ("google", 11, 4)
    assert "gemini" in call.model and "Say hello" in call.input_preview and call.output_preview == "Hello"
    unwatch(model).generate_content("Again")
    assert len(context.calls) == 1


def test_legacy_google_streams(gemini, context, vendor):
    chunk = {**GEMINI, "candidates": [{"content": {"parts": [{"text": "Hel"}], "role": "model"}}], "usageMetadata": {}}
    last = {**GEMINI, "candidates": [{"content": {"parts": [{"text": "lo"}], "role": "model"}, "finishReason": "STOP"}]}
    import json

    vendor.answer = Answer(chunks=[f"[{json.dumps(chunk)},".encode(), f"{json.dumps(last)}]".encode()])
    model = watch(gemini, capture_content=True)
    assert "".join(part.text for part in model.generate_content("Say hello", stream=True)) == "Hello"
    call = only(context)
    assert (call.prompt_tokens, call.completion_tokens, call.output_preview) == (11, 4, "Hello")


def test_legacy_google_errors(gemini, context, vendor):
    vendor.answer = Answer(400, {"error": {"code": 400, "message": "no such thing", "status": "INVALID_ARGUMENT"}})
    model = watch(gemini)
    with pytest.raises(Exception) as caught:
        model.generate_content("Say hello")
    assert only(context).error_type == type(caught.value).__name__


def test_legacy_google_by_the_instrumentor(gemini, context):
    instrumentor = GoogleInstrumentor()
    instrumentor.instrument()
    try:
        gemini.generate_content("Say hello")
    finally:
        instrumentor.uninstrument()
    gemini.generate_content("Again")
    assert only(context).prompt_tokens == 11


def bedrock(cls, vendor):
    return cls(aws_access_key="a", aws_secret_key="s", aws_region="eu-central-1", base_url=vendor.url, max_retries=0)


def vertex(cls, vendor):
    return cls(region="eu", project_id="p", access_token="t", base_url=vendor.url, max_retries=0)


@pytest.mark.parametrize("make, name", [(bedrock, "AnthropicBedrock"), (vertex, "AnthropicVertex")])
def test_anthropic_elsewhere(make, name, vendor, context):
    anthropic = pytest.importorskip("anthropic")
    client = watch(make(getattr(anthropic, name), vendor))
    assert client.messages.create(**REQUEST).content[0].text == "Hello there"

    async def main():
        other = watch(make(getattr(anthropic, "Async" + name), vendor))
        assert (await other.messages.create(**REQUEST)).content[0].text == "Hello there"
        await other.close()

    asyncio.run(main())
    assert len(context.calls) == 2
    for call in context.calls:
        assert (call.provider, call.model) == ("anthropic", "claude-answering")
        assert (call.prompt_tokens, call.completion_tokens) == (15, 7)
    asked = vendor.asked[0].path
    assert asked.startswith("/model/claude-asked/invoke" if make is bedrock else "/projects/p/locations/eu/")
