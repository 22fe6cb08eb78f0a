"""watch() on every way to ask OpenAI's client: parse, responses, embeddings, raw and streamed responses, tool calls."""

import asyncio
import gc
import json
import weakref

from conftest import body_of
import pytest

openai = pytest.importorskip("openai")

from infinium import OpenAIInstrumentor, trace_agent, unwatch, watch  # noqa: E402
from scripted import Answer, Server  # noqa: E402

pytestmark = pytest.mark.timeout(60)

MESSAGES = [{"role": "user", "content": "hello"}]
TOOL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
CHAT_USAGE = {
    "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
USAGE = {
    "input_tokens": 11, "output_tokens": 7, "total_tokens": 18,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
MESSAGE = {
    "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "an answer", "annotations": []}],
}  # fmt: skip
FUNCTION = {
    "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather", "status": "completed",
    "arguments": '{"city": "Paris"}',
}  # fmt: skip


def event(data):
    return f"data: {json.dumps(data)}\n\n".encode()


def response_of(model):
    made = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": model + "-2026", "status": "completed",
        "output": [FUNCTION if model == "tools" else MESSAGE], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": USAGE,
    }  # fmt: skip
    if model == "short":
        made.update(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    if model == "failing":
        made.update(status="failed", error={"code": "server_error", "message": "it failed"}, output=[])
    return made


def responses(wanted):
    model = wanted["model"]
    whole = response_of(model)
    if not wanted.get("stream"):
        return Answer(200, whole)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    chunks = [
        event({"type": "response.created", "sequence_number": 0, "response": begun}),
        event({
            "type": "response.output_item.added", "sequence_number": 1, "output_index": 0,
            "item": {**MESSAGE, "status": "in_progress", "content": []},
        }),
        event({
            **delta, "type": "response.content_part.added", "sequence_number": 2,
            "part": {"type": "output_text", "text": "", "annotations": []},
        }),
        event({**delta, "sequence_number": 3, "delta": "an ", "logprobs": []}),
        event({**delta, "sequence_number": 4, "delta": "answer", "logprobs": []}),
        event({"type": f"response.{whole['status']}", "sequence_number": 5, "response": whole}),
    ]
    return Answer(chunks=chunks, pause=0.02, cut_after=4 if model == "broken" else None, content_type="text/event-stream")


def chat(wanted):
    base = {"id": "c1", "created": 1, "model": wanted["model"] + "-2026"}
    tools = wanted["model"] == "tools"
    if not wanted.get("stream"):
        content = None if tools else '{"city": "Paris"}' if wanted.get("response_format") else "an answer"
        message = {"role": "assistant", "content": content, **({"tool_calls": [TOOL]} if tools else {})}
        choice = {"index": 0, "finish_reason": "tool_calls" if tools else "stop", "message": message}
        return Answer(200, {**base, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE})

    def delta(finish=None, **members):
        choice = {"index": 0, "delta": members, "finish_reason": finish}
        return event({**base, "object": "chat.completion.chunk", "choices": [choice]})

    if tools:
        chunks = [
            delta(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "get_weather", "arguments": '{"city"'}}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": ': "Paris"}'}}]),
            delta(tool_calls=[{"index": 1, "id": "call_2", "function": {"name": "get_time", "arguments": "{}"}}]),
            delta("tool_calls"),
        ]
    else:
        chunks = [delta(content="an "), delta(content="answer"), delta("stop")]
    return Answer(chunks=[*chunks, b"data: [DONE]\n\n"], pause=0.01, content_type="text/event-stream")


def vendor(asked):
    wanted = asked.json
    path = asked.path.split("?")[0]
    if path.endswith("/responses"):
        return responses(wanted)
    if path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return Answer(200, {"object": "list", "data": data, "model": wanted["model"] + "-2026", "usage": usage})
    if path.endswith("/chat/completions"):
        return chat(wanted)
    choice = {"index": 0, "finish_reason": "length", "text": "an answer", "logprobs": None}
    return Answer(200, {
        "id": "t1", "object": "text_completion", "created": 1, "model": wanted["model"], "choices": [choice],
        "usage": CHAT_USAGE,
    })  # fmt: skip


@pytest.fixture
def llm():
    with Server(vendor) as running:
        yield running


def make(llm, cls=openai.OpenAI, **more):
    return cls(api_key="sk-none", base_url=llm.url + "/v1", max_retries=0, timeout=10, **more)


def run(function):
    """Calls it traced; returns (result or exception, the steps after the first)."""
    traced = trace_agent("t")(function)
    try:
        made = traced()
        result = asyncio.run(made) if asyncio.iscoroutine(made) else made
    except Exception as error:
        result = error
    trace = body_of(traced)
    trace = trace if isinstance(trace, dict) else json.loads(json.dumps(trace, default=vars))
    return result, trace["steps"][1:]


def tokens(step):
    call = step["llm_call"]
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    return tuple(call.get(name) for name in names)


def run_async(llm, function):
    async def inside():
        async with make(llm, openai.AsyncOpenAI) as client:
            return await function(watch(client, True))

    return run(inside)


class City:
    """A pydantic model, made when pydantic is there (openai needs it)."""

    def __new__(cls):
        from pydantic import BaseModel

        class City(BaseModel):
            city: str

        return City


def test_parse(llm):
    client, model = watch(make(llm), True), City()
    parse = getattr(client.chat.completions, "parse", None)
    if parse is None:
        pytest.skip("this openai has no chat.completions.parse")
    answer, (step,) = run(lambda: client.chat.completions.parse(model="gpt", messages=MESSAGES, response_format=model))
    assert answer.choices[0].message.parsed == model(city="Paris")
    assert tokens(step) == (11, 7, 4, 3, 2) and step["llm_call"]["finish_reasons"] == ["stop"]
    beta, (step,) = run(lambda: client.beta.chat.completions.parse(model="gpt", messages=MESSAGES, response_format=model))
    assert beta.choices[0].message.parsed == model(city="Paris") and step["llm_call"]["model"] == "gpt-2026"


def test_async_parse(llm):
    model = City()

    async def f(client):
        return await client.chat.completions.parse(model="gpt", messages=MESSAGES, response_format=model)

    answer, (step,) = run_async(llm, f)
    assert answer.choices[0].message.parsed == model(city="Paris") and tokens(step) == (11, 7, 4, 3, 2)


@pytest.mark.parametrize(
    "model, reasons, error", [("gpt", ["stop"], None), ("short", ["max_output_tokens"], None), ("failing", ["error"], "server_error")]
)
def test_responses(llm, model, reasons, error):
    client = watch(make(llm), True)
    answer, (step,) = run(
        lambda: client.responses.create(model=model, input="hello", instructions="be kind", temperature=0.5, max_output_tokens=9)
    )
    assert type(answer).__name__ == "Response" and answer.id == "resp_1"
    call = step["llm_call"]
    assert (call["model"], call["request_model"], call["response_id"]) == (model + "-2026", model, "resp_1")
    assert (call["temperature"], call["max_tokens"], call["finish_reasons"]) == (0.5, 9, reasons)
    assert tokens(step) == (11, 7, 4, 3, 2)
    assert step["input_preview"] == "[system] be kind\n[user] hello"
    assert step.get("output_preview") == (None if error else "an answer")
    assert step.get("error", {}).get("error_type") == error


def test_responses_streamed(llm):
    client = watch(make(llm), True)
    events, (step,) = run(lambda: [e.type for e in client.responses.create(model="gpt", input="hello", stream=True)])
    assert events[0] == "response.created" and events[-1] == "response.completed"
    call = step["llm_call"]
    assert step["output_preview"] == "an answer" and tokens(step) == (11, 7, 4, 3, 2) and call["finish_reasons"] == ["stop"]
    assert 15 <= call["time_to_first_chunk_ms"] < call["latency_ms"]


def test_responses_stream_helper(llm):
    client = watch(make(llm), True)

    def f():
        with client.responses.stream(model="gpt", input="hello") as stream:
            return "".join(e.delta for e in stream if e.type == "response.output_text.delta")

    said, (step,) = run(f)
    assert said == "an answer" and step["output_preview"] == "an answer" and tokens(step)[0] == 11


def test_async_responses(llm):
    async def f(client):
        await client.responses.create(model="gpt", input="hello")
        async with client.responses.stream(model="gpt", input="hello") as stream:
            await stream.get_final_response()

    result, steps = run_async(llm, f)
    assert result is None and [step["output_preview"] for step in steps] == ["an answer"] * 2


def test_a_response_stream_that_breaks(llm):
    client = watch(make(llm), True)
    error, (step,) = run(lambda: list(client.responses.create(model="broken", input="hello", stream=True)))
    assert isinstance(error, Exception) and step["error"]["error_type"] == type(error).__name__
    assert step["llm_call"]["finish_reasons"] == ["error"] and step["output_preview"] == "an "


def test_embeddings(llm):
    client = watch(make(llm), True)
    answer, (step,) = run(lambda: client.embeddings.create(model="emb", input=["hello", "you"], encoding_format="float"))
    assert answer.data[0].embedding == [0.5, 0.25]
    assert tokens(step) == (5, None, None, None, None) and step["llm_call"]["model"] == "emb-2026"
    assert step["input_preview"] == "hello you" and "output_preview" not in step


def test_text_completions(llm):
    client = watch(make(llm), True)
    _, (step,) = run(lambda: client.completions.create(model="old", prompt="hello"))
    assert (step["input_preview"], step["output_preview"]) == ("hello", "an answer")
    assert step["llm_call"]["finish_reasons"] == ["length"]


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(llm, capture, stream):
    client = watch(make(llm), capture)

    def f():
        answer = client.chat.completions.create(model="tools", messages=MESSAGES, stream=stream)
        return len(list(answer)) if stream else answer.choices[0].message.tool_calls[0].function.name

    result, (step,) = run(f)
    assert result == (4 if stream else "get_weather")
    asked = [{"id": "call_1", "name": "get_weather"}] + ([{"id": "call_2", "name": "get_time"}] if stream else [])
    assert step["metadata"] == {"tool_calls": asked} and step["llm_call"]["finish_reasons"] == ["tool_calls"]
    shown = '[tool_call] get_weather({"city": "Paris"})' + ("\n[tool_call] get_time({})" if stream else "")
    assert step.get("output_preview") == (shown if capture else None)


def test_tool_calls_of_responses(llm):
    client = watch(make(llm), True)
    _, (step,) = run(lambda: client.responses.create(model="tools", input="hello") and None)
    assert step["metadata"] == {"tool_calls": [{"id": "call_1", "name": "get_weather"}]}
    assert step["llm_call"]["finish_reasons"] == ["tool_calls"]
    assert step["output_preview"] == '[tool_call] get_weather({"city": "Paris"})'


@pytest.mark.parametrize("before", [False, True])
def test_raw_response(llm, before):
    client = make(llm)
    if before:
        client.with_raw_response, client.chat.completions.with_raw_response
    watch(client, True)

    def f():
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES)
        assert raw.headers["content-type"] == "application/json"
        return raw.parse().choices[0].message.content, client.with_raw_response.responses.create(model="gpt", input="x").status_code

    result, steps = run(f)
    assert result == ("an answer", 200)
    assert [tokens(step) for step in steps] == [(11, 7, 4, 3, 2)] * 2
    unwatch(client)
    assert run(f)[1] == []


def test_raw_streams(llm):
    client = watch(make(llm), True)

    def f():
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES, stream=True)
        chunks = len(list(raw.parse()))
        return chunks, len(list(client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES, stream=True).parse()))

    result, steps = run(f)
    assert result == (3, 3) and [step["output_preview"] for step in steps] == ["an answer"] * 2


def test_streaming_response(llm):
    client = watch(make(llm), True)

    def f():
        create = client.chat.completions.with_streaming_response.create
        with create(model="gpt", messages=MESSAGES) as response:
            said = response.parse().choices[0].message.content
        with create(model="gpt", messages=MESSAGES) as response:
            lines = len(list(response.iter_lines()))
        return said, lines

    result, steps = run(f)
    assert result == ("an answer", 1)
    assert tokens(steps[0]) == (11, 7, 4, 3, 2) and tokens(steps[1])[0] is None
    assert steps[1]["llm_call"]["finish_reasons"] == ["incomplete"]


def test_async_raw_and_streaming_response(llm):
    async def f(client):
        raw = await client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES)
        parsed = raw.parse()
        if asyncio.iscoroutine(parsed):
            parsed = await parsed
        async with client.chat.completions.with_streaming_response.create(model="gpt", messages=MESSAGES) as response:
            other = await response.parse()
        return parsed.choices[0].message.content, other.choices[0].message.content

    result, steps = run_async(llm, f)
    assert result == ("an answer", "an answer") and [tokens(step)[0] for step in steps] == [11, 11]


def test_a_close_that_is_all_that_is_left(llm):
    client = watch(make(llm))

    def f():
        close = client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True).close
        gc.collect()
        close()

    assert run(f)[0] is None


def test_no_cycles_of_ours(llm):
    """The vendor's stream holds itself once it is read; read to its end, it is freed at once, with us as without."""
    client = watch(make(llm))

    def f():
        stream = client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True)
        assert len(list(stream)) == 3
        ref = weakref.ref(stream)
        del stream
        return ref() is None

    gc.disable()
    try:
        result, _ = run(f)
    finally:
        gc.enable()
    assert result is True


def test_azure_and_subclasses(llm):
    class Mine(openai.OpenAI):
        pass

    azure = openai.AzureOpenAI(api_key="k", azure_endpoint=llm.url, api_version="2024-10-21", max_retries=0)
    for client in (watch(make(llm, Mine)), watch(azure), watch(azure).with_options(timeout=3)):
        _, steps = run(lambda: client.chat.completions.create(model="gpt", messages=MESSAGES) and None)
        assert [step["llm_call"]["model"] for step in steps] == ["gpt-2026"]


def test_the_instrumentor_watches_every_path(llm):
    OpenAIInstrumentor(True).instrument()
    try:
        client = make(llm)

        def f():
            client.responses.create(model="gpt", input="hello")
            client.embeddings.create(model="emb", input="hello", encoding_format="float")
            client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES)

        _, steps = run(f)
        assert [step["llm_call"]["prompt_tokens"] for step in steps] == [11, 5, 11]
    finally:
        OpenAIInstrumentor().uninstrument()
    assert run(f)[1] == []
