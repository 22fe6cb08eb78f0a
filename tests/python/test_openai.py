"""watch() with the real openai package against a server that speaks its wire."""

import asyncio
import gc
import json

from conftest import body_of
import pytest

openai = pytest.importorskip("openai")

from infinium import trace_agent, unwatch, watch  # noqa: E402
from infinium.integrations import TraceContext, get_current_trace_context, set_trace_context  # noqa: E402
from infinium.integrations._context import _current_trace_ctx  # noqa: E402
from scripted import Answer, Server  # noqa: E402

MESSAGES = [{"role": "system", "content": "Classify"}, {"role": "user", "content": "hello"}]
USAGE = {
    "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip


def completion(model, text="an answer"):
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model + "-2026",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": USAGE,
    }  # fmt: skip


def chunks(model, usage):
    def event(**more):
        made = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": model + "-2026"}
        return f"data: {json.dumps({**made, **more})}\n\n".encode()

    def delta(content, finish=None):
        return event(choices=[{"index": 0, "delta": {"content": content}, "finish_reason": finish}])

    made = [delta("an "), delta("answer"), delta(None, "stop")]
    if usage:
        made.append(event(choices=[], usage=USAGE))
    return [*made, b"data: [DONE]\n\n"]


def vendor(asked):
    wanted = asked.json
    model = wanted["model"]
    if model == "fail":
        return Answer(400, {"error": {"message": "not like this", "type": "invalid_request_error"}})
    if wanted.get("stream"):
        usage = (wanted.get("stream_options") or {}).get("include_usage")
        cut_after = 1 if model == "broken" else None
        return Answer(chunks=chunks(model, usage), pause=0.02, cut_after=cut_after, content_type="text/event-stream")
    return Answer(200, completion(model), delay=0.05 if model == "slow" else 0)


@pytest.fixture
def llm():
    with Server(vendor) as running:
        yield running


def make(llm, cls=openai.OpenAI):
    return cls(api_key="sk-none", base_url=llm.url + "/v1", max_retries=0, timeout=10)


def run(function, *args):
    """Calls it traced; returns (result or exception, the trace)."""
    traced = trace_agent("t")(function)
    try:
        made = traced(*args)
        result = asyncio.run(made) if asyncio.iscoroutine(made) else made
    except Exception as error:
        result = error
    return result, body_of(traced)


def call_step(trace):
    (step,) = [step for step in trace["steps"] if step["action"] == "llm_call"]
    return step


def test_a_call(llm):
    client = watch(make(llm), capture_content=True)

    def f():
        return client.chat.completions.create(model="gpt", messages=MESSAGES, temperature=0.25, max_tokens=50)

    answer, trace = run(f)
    assert answer.choices[0].message.content == "an answer"
    step = call_step(trace)
    assert step["description"] == "openai/gpt-2026"
    assert step["input_preview"] == "[system] Classify\n[user] hello" and step["output_preview"] == "an answer"
    call = step["llm_call"]
    assert (call["provider"], call["model"], call["request_model"]) == ("openai", "gpt-2026", "gpt")
    assert (call["prompt_tokens"], call["completion_tokens"]) == (11, 7)
    assert (call["cached_tokens"], call["reasoning_tokens"]) == (4, 2)
    assert (call["temperature"], call["max_tokens"], call["response_id"]) == (0.25, 50, "chatcmpl-1")
    assert call["finish_reasons"] == ["stop"] and step["duration_ms"] == call["latency_ms"]
    assert trace["llm_usage"]["total_tokens"] == 18


def test_without_previews(llm):
    client = watch(make(llm))
    _, trace = run(lambda: client.chat.completions.create(model="gpt", messages=MESSAGES) and None)
    step = call_step(trace)
    assert "input_preview" not in step and "output_preview" not in step


def test_async(llm):
    async def f():
        async with make(llm, openai.AsyncOpenAI) as client:
            watch(client, True)
            await asyncio.gather(
                *(client.chat.completions.create(model=f"m{i}", messages=MESSAGES) for i in range(3))
            )

    _, trace = run(f)
    assert sorted(c["model"] for c in trace["llm_usage"]["calls"]) == ["m0-2026", "m1-2026", "m2-2026"]
    assert trace["llm_usage"]["total_tokens"] == 54


@pytest.mark.parametrize("usage", [False, True])
def test_stream(llm, usage):
    client = watch(make(llm), True)
    more = {"stream_options": {"include_usage": True}} if usage else {}

    def f():
        stream = client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True, **more)
        assert isinstance(stream, openai.Stream) and stream.response.status_code == 200
        return len(list(stream))

    count, trace = run(f)
    assert count == (4 if usage else 3)
    step = call_step(trace)
    call = step["llm_call"]
    assert step["output_preview"] == "an answer" and call["model"] == "gpt-2026" and call["stream"] in (True, 1)
    assert 15 <= call["time_to_first_chunk_ms"] < call["latency_ms"]
    assert call.get("prompt_tokens") == (11 if usage else None)


def test_async_stream(llm):
    async def f():
        async with make(llm, openai.AsyncOpenAI) as client:
            watch(client, True)
            stream = await client.chat.completions.create(
                model="gpt", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
            assert isinstance(stream, openai.AsyncStream)
            return [chunk async for chunk in stream]

    made, trace = run(f)
    assert len(made) == 4
    assert call_step(trace)["output_preview"] == "an answer"
    assert call_step(trace)["llm_call"]["completion_tokens"] == 7


@pytest.mark.parametrize("how", ["close", "with", "dropped", "kept"])
def test_a_stream_left_early(llm, how):
    client = watch(make(llm), True)
    kept = []

    def f():
        stream = client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True)
        if how == "with":
            with stream as inner:
                next(iter(inner))
            return
        next(stream)
        if how == "close":
            stream.close()
        if how == "kept":
            kept.append(stream)

    _, trace = run(f)
    gc.collect()
    step = call_step(trace)
    assert step["output_preview"] == "an " and "error" not in step and step["llm_call"]["latency_ms"] >= 15
    assert step["llm_call"]["finish_reasons"] == ["incomplete"]
    for stream in kept:
        assert len(list(stream)) == 2, "the stream goes on after its trace has ended"


def test_a_stream_that_breaks(llm):
    client = watch(make(llm), True)

    def f():
        for _ in client.chat.completions.create(model="broken", messages=MESSAGES, stream=True):
            pass

    error, trace = run(f)
    assert isinstance(error, Exception)
    step = call_step(trace)
    assert step["output_preview"] == "an " and step["error"]["error_type"] == type(error).__name__
    assert step["llm_call"]["finish_reasons"] == ["error"]


def test_the_vendors_stream_helper(llm):
    client = watch(make(llm), True)
    helper = getattr(client.chat.completions, "stream", None)
    if helper is None:
        pytest.skip("this openai has no chat.completions.stream")

    def f():
        with client.chat.completions.stream(model="gpt", messages=MESSAGES) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion().choices[0].message.content

    text, trace = run(f)
    assert text == "an answer"
    assert call_step(trace)["output_preview"] == "an answer"


def test_an_error(llm):
    client = watch(make(llm), True)

    def f():
        client.chat.completions.create(model="fail", messages=MESSAGES)

    error, trace = run(f)
    assert isinstance(error, openai.BadRequestError)
    step = call_step(trace)
    assert step["error"]["error_type"] == "BadRequestError" and step["error"]["message"] == str(error)
    assert "stack_trace" not in step["error"] and step["llm_call"]["model"] == "fail"


def test_values_that_mean_not_given(llm):
    client = watch(make(llm))
    given = [getattr(openai, name) for name in ("NOT_GIVEN", "omit") if hasattr(openai, name)]

    def f():
        for nothing in given:
            client.chat.completions.create(
                model="gpt", messages=MESSAGES, temperature=nothing, max_tokens=nothing, stream=nothing
            )

    result, trace = run(f)
    assert result is None
    calls = trace["llm_usage"]["calls"]
    assert len(calls) == len(given) and all("temperature" not in call for call in calls)


def test_raw_and_streaming_response(llm):
    client = watch(make(llm), True)

    def f():
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES)
        assert raw.parse().choices[0].message.content == "an answer"
        with client.chat.completions.with_streaming_response.create(model="gpt", messages=MESSAGES) as response:
            assert response.parse().choices[0].message.content == "an answer"

    result, _ = run(f)
    assert result is None


def test_outside_a_trace(llm):
    client = watch(make(llm))
    assert client.chat.completions.create(model="gpt", messages=MESSAGES).model == "gpt-2026"
    assert len(list(client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True))) == 3


def test_in_a_context_made_by_hand(llm):
    client = watch(make(llm), True)
    context = TraceContext()
    token = set_trace_context(context)
    try:
        client.chat.completions.create(model="gpt", messages=MESSAGES)
    finally:
        _current_trace_ctx.reset(token)
    (call,) = context.calls
    assert (call.model, call.prompt_tokens, call.output_preview) == ("gpt-2026", 11, "an answer")
    assert call.latency_ns > 0


def test_calls_stand_in_the_context(llm):
    client = watch(make(llm))
    seen = []

    def f():
        client.chat.completions.create(model="gpt", messages=MESSAGES)
        seen.extend(get_current_trace_context().calls)

    _, trace = run(f)
    assert seen[0].model == "gpt-2026" and len(trace["llm_usage"]["calls"]) == 1


def test_twice_and_back(llm):
    client = make(llm)
    assert watch(watch(client, True)) is client

    def f():
        client.chat.completions.create(model="gpt", messages=MESSAGES)

    _, trace = run(f)
    assert call_step(trace)["output_preview"] == "an answer"
    assert unwatch(client) is client and unwatch(client) is client
    _, trace = run(f)
    assert len(trace["steps"]) == 1


def test_a_copy_is_watched_too(llm):
    client = watch(make(llm))
    _, trace = run(lambda: client.with_options(timeout=5).chat.completions.create(model="gpt", messages=MESSAGES) and None)
    assert call_step(trace)["llm_call"]["model"] == "gpt-2026"


def test_a_failure_of_ours_stays_ours(llm, monkeypatch):
    from infinium.integrations import _openai

    def broken(*args):
        raise RuntimeError("ours")

    for name in ("_begin", "_answered", "look_on", "collector"):
        with monkeypatch.context() as patch:
            patch.setattr(_openai, name, broken)
            client = watch(make(llm))

            def f():
                client.chat.completions.create(model="gpt", messages=MESSAGES)
                return len(list(client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True)))

            result, _ = run(f)
            assert result == 3


def test_unknown_clients(caplog):
    thing = object()
    assert watch(thing) is thing
    assert any(record.name == "infinium.integrations" for record in caplog.records)


def test_threads_with_a_copied_context(llm):
    client = watch(make(llm))

    async def f():
        await asyncio.gather(
            *(asyncio.to_thread(client.chat.completions.create, model=f"m{i}", messages=MESSAGES) for i in range(8))
        )

    _, trace = run(f)
    assert len(trace["llm_usage"]["calls"]) == 8
