"""watch() on the real google-genai package, against a server that speaks its wire; the older package by its shape."""

import asyncio
import types as python_types

import pytest

genai = pytest.importorskip("google.genai")
pytest.importorskip("infinium._core")

from infinium.integrations import TraceContext, set_trace_context  # noqa: E402
from infinium.integrations import google as adapter  # noqa: E402
from scripted import Answer, Server, sse  # noqa: E402

pytestmark = pytest.mark.timeout(60)

USAGE = {
    "promptTokenCount": 100, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "cachedContentTokenCount": 40,
    "toolUsePromptTokenCount": 5, "totalTokenCount": 155,
}  # fmt: skip


def chunk(text, **more):
    content = {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": text}]}
    candidate = {"index": 0, "content": content, **more.pop("candidate", {})}
    return {"candidates": [candidate], "modelVersion": "gemini-answering", "responseId": "r1", **more}


WHOLE = chunk("Hello there", candidate={"finishReason": "STOP"}, usageMetadata=USAGE)
CHUNKS = [
    chunk("Hello ", usageMetadata={"promptTokenCount": 100, "totalTokenCount": 100}),
    chunk("there", candidate={"finishReason": "MAX_TOKENS"}, usageMetadata=USAGE),
]
REQUEST = {"model": "gemini-asked", "contents": "Hi", "config": {"temperature": 0.5, "max_output_tokens": 64}}


def streamed(**options):
    return Answer(chunks=sse(*CHUNKS), content_type="text/event-stream", **options)


@pytest.fixture
def server():
    with Server(Answer(body=WHOLE)) as server:
        yield server


@pytest.fixture
def context():
    context = TraceContext()
    token = set_trace_context(context)
    yield context
    token.var.reset(token)


_kept = []  # a Client that is dropped closes its connections, under streams and all


@pytest.fixture(autouse=True)
def drop_clients():
    yield
    _kept.clear()


def plain(server):
    _kept.append(genai.Client(api_key="k", http_options={"base_url": server.url}))
    return _kept[-1]


def make(server, capture=True):
    return adapter.patch_google_genai_client(plain(server), capture)


def only(context):
    assert len(context.calls) == 1
    return context.calls[0]


def check_complete(call, reason):
    assert (call.provider, call.model, call.request_model) == ("google", "gemini-answering", "gemini-asked")
    assert (call.prompt_tokens, call.completion_tokens) == (105, 50)
    assert (call.cached_tokens, call.reasoning_tokens) == (40, 30)
    assert (call.temperature, call.max_tokens, call.response_id) == (0.5, 64, "r1")
    assert call.finish_reasons == [reason]
    assert call.latency_ns > 0 and call.error_type is None
    assert (call.input_preview, call.output_preview) == ("Hi", "Hello there")


def test_generate_content_is_recorded_with_inclusive_tokens(server, context):
    assert make(server).models.generate_content(**REQUEST).text == "Hello there"
    check_complete(only(context), "STOP")


def test_config_object_and_structured_contents(server, context):
    config = genai.types.GenerateContentConfig(temperature=0.25)
    contents = [genai.types.Content(role="user", parts=[genai.types.Part(text="one"), genai.types.Part(text="two")]), "three"]
    make(server).models.generate_content(model="m", contents=contents, config=config)
    assert only(context).temperature == 0.25
    assert only(context).input_preview == "[user] one\ntwo\nthree"


def test_async_generate_content(server, context):
    assert asyncio.run(make(server).aio.models.generate_content(**REQUEST)).text == "Hello there"
    check_complete(only(context), "STOP")


def test_stream(server, context):
    server.answer = streamed(pause=0.05)
    stream = make(server).models.generate_content_stream(**REQUEST)
    assert isinstance(stream, python_types.GeneratorType)
    assert server.asked == [] and context.calls == []
    assert [piece.text for piece in stream] == ["Hello ", "there"]
    call = only(context)
    check_complete(call, "MAX_TOKENS")
    assert call.stream == 1 and 0.04e9 < call.first_chunk_ns < call.latency_ns


def test_async_stream(server, context):
    server.answer = streamed()

    async def main():
        stream = await make(server).aio.models.generate_content_stream(**REQUEST)
        return [piece.text async for piece in stream]

    assert asyncio.run(main()) == ["Hello ", "there"]
    check_complete(only(context), "MAX_TOKENS")


def test_stream_left_early(server, context):
    server.answer = streamed()
    stream = make(server).models.generate_content_stream(**REQUEST)
    for _ in stream:
        break
    stream.close()
    call = only(context)
    assert (call.prompt_tokens, call.completion_tokens, call.output_preview) == (100, None, "Hello ")
    assert call.error_type is None and call.latency_ns > 0


def test_async_stream_left_early(server, context):
    server.answer = streamed()

    async def main():
        stream = await make(server).aio.models.generate_content_stream(**REQUEST)
        async for _ in stream:
            break
        await stream.aclose()

    asyncio.run(main())
    assert only(context).output_preview == "Hello " and only(context).latency_ns > 0


def test_thrown_into_the_stream_arrives_and_is_recorded(server, context):
    server.answer = streamed()
    stream = make(server).models.generate_content_stream(**REQUEST)
    next(stream)
    with pytest.raises(KeyError):
        stream.throw(KeyError("mine"))
    assert only(context).error_type == "KeyError"


def test_refused_request_is_recorded_and_raised(server, context):
    server.answer = Answer(400, {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}})
    client = make(server)
    with pytest.raises(genai.errors.ClientError):
        client.models.generate_content(**REQUEST)
    with pytest.raises(genai.errors.ClientError):
        list(client.models.generate_content_stream(**REQUEST))
    assert [call.error_type for call in context.calls] == ["ClientError", "ClientError"]
    assert "bad" in context.calls[0].error_message


def test_chats_are_watched(server, context):
    assert make(server).chats.create(model="gemini-asked").send_message("Hi").text == "Hello there"
    assert only(context).prompt_tokens == 105


def test_outside_a_trace_nothing_is_recorded(server):
    set_trace_context(None)
    assert make(server).models.generate_content(**REQUEST).text == "Hello there"
    server.answer = streamed()
    assert len(list(make(server).models.generate_content_stream(**REQUEST))) == 2


def test_watching_twice_and_unwatch(server, context):
    client = make(server, capture=False)
    adapter.patch_google_genai_client(client, True)
    client.models.generate_content(**REQUEST)
    assert only(context).input_preview is None
    adapter.unpatch_google_genai_client(client)
    client.models.generate_content(**REQUEST)
    assert len(context.calls) == 1


@pytest.mark.parametrize("watched_too", [False, True])
def test_instrumentor_counts_once(server, context, watched_too):
    instrumentor = adapter.GoogleInstrumentor(capture_content=True)
    instrumentor.instrument()
    instrumentor.instrument()
    try:
        client = make(server) if watched_too else plain(server)
        client.models.generate_content(**REQUEST)
        check_complete(only(context), "STOP")
        server.answer = streamed()
        list(client.models.generate_content_stream(**REQUEST))
        assert len(context.calls) == 2
    finally:
        instrumentor.uninstrument()
    plain(server).models.generate_content_stream(**REQUEST).close()
    server.answer = Answer(body=WHOLE)
    plain(server).models.generate_content(**REQUEST)
    assert len(context.calls) == 2


class Shape:
    def __init__(self, **members):
        self.__dict__.update(members)


def legacy_answer(text):
    usage = Shape(prompt_token_count=3, candidates_token_count=4, total_token_count=7, cached_content_token_count=0)
    candidate = Shape(content=Shape(parts=[Shape(text=text)]), finish_reason=Shape(name="STOP"))
    return Shape(candidates=[candidate], usage_metadata=usage)


class LegacyStream:
    """As the older package's answer to stream=True: the first chunk is read already."""

    def __init__(self, *chunks):
        self._result, self._iterator, self._done = chunks[0], iter(chunks[1:]), False

    def __iter__(self):
        yield self._result
        yield from self._iterator


class GenerativeModel:
    model_name = "models/gemini-old"

    def generate_content(self, contents, *, generation_config=None, stream=False):
        if stream:
            return LegacyStream(legacy_answer("Hello "), legacy_answer("there"))
        return legacy_answer("Hello there")

    async def generate_content_async(self, contents, **kwargs):
        return legacy_answer("Hello there")


def test_older_package(context):
    model = adapter.patch_google_model(GenerativeModel(), True)
    model.generate_content("Hi", generation_config={"temperature": 0.5})
    asyncio.run(model.generate_content_async("Hi"))
    list(model.generate_content("Hi", stream=True))
    assert len(context.calls) == 3
    for call in context.calls:
        assert (call.model, call.prompt_tokens, call.completion_tokens) == ("models/gemini-old", 3, 4)
        assert (call.input_preview, call.output_preview) == ("Hi", "Hello there")
    assert [call.temperature for call in context.calls] == [0.5, None, None]
    adapter.unpatch_google_model(model)
    model.generate_content("Hi")
    assert len(context.calls) == 3


def test_watch_and_unwatch_know_the_clients(server):
    from infinium import unwatch, watch

    client, model = plain(server), GenerativeModel()
    assert watch(client) is client and "generate_content" in vars(client.models)
    assert "generate_content_stream" in vars(client.aio.models)
    assert unwatch(client) is client and "generate_content" not in vars(client.models)
    assert watch(model) is model and "generate_content" in vars(model)
    assert unwatch(model) is model and "generate_content" not in vars(model)
