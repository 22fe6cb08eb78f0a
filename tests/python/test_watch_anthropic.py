"""watch() on the real anthropic package, against a server that speaks its wire."""

import asyncio
import gc

from conftest import body_of
import pytest

anthropic = pytest.importorskip("anthropic")
pytest.importorskip("infinium._core")

from infinium.integrations import TraceContext, set_trace_context  # noqa: E402
from infinium.integrations import anthropic as adapter  # noqa: E402
from scripted import Answer, Server, sse  # noqa: E402

pytestmark = pytest.mark.timeout(60)

USAGE = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 1000, "output_tokens": 7}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-answering", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Hello there"}], "usage": USAGE,
}  # fmt: skip
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "there"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": None}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]  # fmt: skip
REQUEST = {
    "model": "claude-asked", "max_tokens": 64, "extra_body": {"temperature": 0.5}, "system": "Be brief",
    "messages": [{"role": "user", "content": "first"}, {"role": "assistant", "content": "second"},
                 {"role": "user", "content": [{"type": "text", "text": "third"}]}],
}  # fmt: skip


def streamed(**options):
    return Answer(chunks=sse(*EVENTS), content_type="text/event-stream", **options)


@pytest.fixture
def server():
    with Server(Answer(body=MESSAGE)) as server:
        yield server


@pytest.fixture
def context():
    context = TraceContext()
    token = set_trace_context(context)
    yield context
    token.var.reset(token)


def make(server, cls=None, capture=True):
    cls = cls or anthropic.Anthropic
    client = cls(api_key="k", base_url=server.url, max_retries=0)
    patch = adapter.patch_async_anthropic_client if "Async" in cls.__name__ else adapter.patch_anthropic_client
    return patch(client, capture)


def only(context):
    assert len(context.calls) == 1
    return context.calls[0]


def check_complete(call, stop):
    assert (call.provider, call.model, call.request_model) == ("anthropic", "claude-answering", "claude-asked")
    assert (call.prompt_tokens, call.completion_tokens) == (1110, 7)
    assert (call.cached_tokens, call.cache_write_tokens) == (100, 1000)
    assert (call.temperature, call.max_tokens, call.response_id) == (0.5, 64, "msg_1")
    assert call.finish_reasons == [stop]
    assert call.latency_ns > 0 and call.error_type is None
    assert call.input_preview == "[system] Be brief\n[assistant] second\n[user] third"
    assert call.output_preview == "Hello there"


def test_create_is_recorded_with_inclusive_tokens(server, context):
    answer = make(server).messages.create(**REQUEST)
    assert isinstance(answer, anthropic.types.Message) and answer.content[0].text == "Hello there"
    check_complete(only(context), "end_turn")


def test_async_create(server, context):
    async def main():
        async with make(server, anthropic.AsyncAnthropic) as client:
            return await client.messages.create(**REQUEST)

    assert asyncio.run(main()).id == "msg_1"
    check_complete(only(context), "end_turn")


def test_beta_create(server, context):
    assert make(server).beta.messages.create(**REQUEST).id == "msg_1"
    check_complete(only(context), "end_turn")


def test_create_with_stream(server, context):
    server.answer = streamed()
    stream = make(server).messages.create(**REQUEST, stream=True)
    assert isinstance(stream, anthropic.Stream) and stream.response.status_code == 200
    assert only(context).latency_ns is None
    assert len(list(stream)) == len(EVENTS)
    call = only(context)
    check_complete(call, "max_tokens")
    assert call.stream == 1 and 0 < call.first_chunk_ns <= call.latency_ns


def test_async_create_with_stream(server, context):
    server.answer = streamed()

    async def main():
        async with make(server, anthropic.AsyncAnthropic) as client:
            stream = await client.messages.create(**REQUEST, stream=True)
            assert isinstance(stream, anthropic.AsyncStream)
            return [event.type async for event in stream]

    assert asyncio.run(main()) == [event["type"] for event in EVENTS]
    check_complete(only(context), "max_tokens")


def test_stream_helper(server, context):
    server.answer = streamed()
    manager = make(server).messages.stream(**REQUEST)
    assert server.asked == [] and context.calls == []
    with manager as stream:
        assert isinstance(stream, anthropic.MessageStream)
        assert list(stream.text_stream) == ["Hello ", "there"]
        assert stream.get_final_message().usage.output_tokens == 7
    check_complete(only(context), "max_tokens")


def test_async_stream_helper(server, context):
    server.answer = streamed()

    async def main():
        async with make(server, anthropic.AsyncAnthropic) as client:
            async with client.messages.stream(**REQUEST) as stream:
                return await stream.get_final_text()

    assert asyncio.run(main()) == "Hello there"
    check_complete(only(context), "max_tokens")


def test_stream_left_early_keeps_what_was_known(server, context):
    server.answer = streamed()
    with make(server).messages.create(**REQUEST, stream=True) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                break
    call = only(context)
    assert (call.prompt_tokens, call.completion_tokens) == (1110, 1)
    assert call.output_preview == "Hello " and call.latency_ns > 0 and call.error_type is None


def test_dropped_stream_is_recorded_without_the_cycle_collector(server, context):
    server.answer = streamed()
    client = make(server)
    gc.disable()
    try:
        stream = client.messages.create(**REQUEST, stream=True)
        next(stream)
        response = stream.response
        del stream
        assert only(context).prompt_tokens == 1110
        assert response.is_closed
    finally:
        gc.enable()


def test_broken_stream_is_an_error(server, context):
    server.answer = streamed(cut_after=3)
    with pytest.raises(Exception) as raised:
        list(make(server).messages.create(**REQUEST, stream=True))
    call = only(context)
    assert call.error_type == type(raised.value).__name__ and call.output_preview == "Hello "


def test_refused_request_is_recorded_and_raised(server, context):
    server.answer = Answer(429, {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}})
    with pytest.raises(anthropic.RateLimitError):
        make(server).messages.create(**REQUEST)
    call = only(context)
    assert call.error_type == "RateLimitError" and "slow" in call.error_message
    assert call.model == "claude-asked"


def test_refused_stream_helper_is_recorded(server, context):
    server.answer = Answer(500, {"type": "error", "error": {"type": "api_error", "message": "no"}})
    with pytest.raises(anthropic.InternalServerError):
        with make(server).messages.stream(**REQUEST):
            raise AssertionError("not reached")
    assert only(context).error_type == "InternalServerError"


def test_no_previews_unless_asked_for(server, context):
    make(server, capture=False).messages.create(**REQUEST)
    assert (only(context).input_preview, only(context).output_preview) == (None, None)


def test_outside_a_trace_the_vendors_objects_are_untouched(server):
    set_trace_context(None)
    server.answer = streamed()
    stream = make(server).messages.create(**REQUEST, stream=True)
    assert "_iterator" not in vars(stream) and "close" not in vars(stream)
    stream.close()


def test_watching_twice_counts_once_and_unwatch_takes_it_back(server, context):
    client = make(server)
    assert adapter.patch_anthropic_client(client) is client
    client.messages.create(**REQUEST)
    assert len(context.calls) == 1
    adapter.unpatch_anthropic_client(client)
    client.messages.create(**REQUEST)
    assert len(context.calls) == 1
    assert "create" not in vars(client.messages)


def test_copies_are_watched(server, context):
    make(server).with_options(timeout=5).messages.create(**REQUEST)
    check_complete(only(context), "end_turn")


def test_raw_response_passes_through(server, context):
    raw = make(server).messages.with_raw_response.create(**REQUEST)
    assert raw.parse().id == "msg_1"
    assert only(context).request_model == "claude-asked"


@pytest.mark.parametrize("watched_too", [False, True])
def test_instrumentor_counts_once(server, context, watched_too):
    instrumentor = adapter.AnthropicInstrumentor(capture_content=True)
    instrumentor.instrument()
    instrumentor.instrument()
    adapter.AnthropicInstrumentor().instrument()
    try:
        client = make(server) if watched_too else anthropic.Anthropic(api_key="k", base_url=server.url)
        client.messages.create(**REQUEST)
        check_complete(only(context), "end_turn")
        server.answer = streamed()
        with client.messages.stream(**REQUEST) as stream:
            stream.until_done()
        assert len(context.calls) == 2
    finally:
        instrumentor.uninstrument()
        instrumentor.uninstrument()
    anthropic.Anthropic(api_key="k", base_url=server.url).messages.with_raw_response.create(**REQUEST)
    assert len(context.calls) == 2


def test_a_failure_of_ours_does_not_reach_the_caller(server, context, monkeypatch):
    def broken(*args):
        raise RuntimeError("ours")

    monkeypatch.setattr(adapter, "_Reading", broken)
    monkeypatch.setattr(adapter, "_input_preview", broken)
    assert make(server).messages.create(**REQUEST).id == "msg_1"
    server.answer = streamed()
    assert len(list(make(server).messages.create(**REQUEST, stream=True))) == len(EVENTS)


@pytest.mark.parametrize("cls", [anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_watch_and_unwatch_know_the_client(server, cls):
    from infinium import unwatch, watch

    class Mine(cls):
        pass

    for each in (cls, Mine):
        client = each(api_key="k", base_url=server.url)
        assert watch(client) is client and "create" in vars(client.messages)
        assert unwatch(client) is client and "create" not in vars(client.messages)


def test_in_a_traced_function(server):
    from infinium import trace_agent, watch

    client = watch(anthropic.Anthropic(api_key="k", base_url=server.url))

    @trace_agent("t", None)
    def agent():
        return client.messages.create(**REQUEST).id

    assert agent() == "msg_1"
    step = body_of(agent)["steps"][1]
    assert (step["action"], step["description"]) == ("llm_call", "anthropic/claude-answering")
    assert body_of(agent)["llm_usage"]["prompt_tokens"] == 1110
