"""Section 14: what the published client does wrong, each point by its number and as it should be.

Every test asserts the right behaviour. On the published package each is expected to fail, strictly: a point that is
right there shows up as an error of the suite. On ours each must pass.
"""

import asyncio
import functools
import gc
import json
import logging
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
import pytest

import infinium
from helpers import AGENT, SECRET, Elapsed, adeliver, bug, deliver, free_port
from infinium import BatchError, InfiniumError, InfiniumTimeoutError, NetworkError, TaskData, TraceBuilder
from infinium.integrations import CapturedLlmCall, TraceContext, get_current_trace_context
from llm import QUESTION, anthropic_client, inside, openai_client, watch
from recorder import Answer, Recorder
from spans import fresh

NOW = "2026-01-02T03:04:05Z"


def record(model):
    get_current_trace_context().calls.append(CapturedLlmCall("openai", model))


def shut(client):
    """Closes a client of either kind."""
    closing = client.close()
    if asyncio.iscoroutine(closing):
        asyncio.run(closing)


# -- lost data --


@bug(1)
def test_01_sync_function_under_async_client(aclient, server):
    f = aclient.trace("t")(lambda x: x + 1)
    assert f(1) == 2
    deliver(aclient)
    assert server.trace()["output_summary"] == "2"


@bug(1)
def test_01_sync_function_under_async_client_in_a_loop(aclient, server):
    f = aclient.trace("t")(lambda x: x + 1)

    async def main():
        assert f(1) == 2
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    assert server.trace()["output_summary"] == "2"


@bug(2)
def test_02_generators(client, server):
    @client.trace("t")
    def f():
        for model in ("m1", "m2"):
            record(model)
            time.sleep(0.03)
            yield model

    assert list(f()) == ["m1", "m2"]
    deliver(client)
    sent = server.trace()
    assert sent["duration"] >= 0.06
    assert [c["model"] for c in sent["llm_usage"]["calls"]] == ["m1", "m2"]


@bug(2)
def test_02_generators_that_raise(client, server):
    @client.trace("t")
    def f():
        yield 1
        raise ValueError("late")

    with pytest.raises(ValueError):
        list(f())
    deliver(client)
    assert server.trace()["errors"][0]["message"] == "late"


@bug(2)
def test_02_async_generators(aclient, server):
    @aclient.trace("t")
    async def f():
        for i in range(2):
            record(f"m{i}")
            await asyncio.sleep(0.03)
            yield i

    async def main():
        assert [i async for i in f()] == [0, 1]
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    sent = server.trace()
    assert sent["duration"] >= 0.06 and len(sent["llm_usage"]["calls"]) == 2


@bug(3)
def test_03_llm_calls_in_threads(llm, client, server):
    openai_ = watch(openai_client(llm))

    @client.trace("t")
    def f():
        with ThreadPoolExecutor(4) as pool:
            ask = functools.partial(openai_.chat.completions.create, messages=QUESTION)
            list(pool.map(lambda i: ask(model=f"m{i}"), range(4)))
        ask(model="here")

    f()
    deliver(client)
    assert server.trace()["llm_usage"]["api_calls_count"] == 5


@bug(3)
def test_03_llm_calls_in_run_in_executor(llm, aclient, server):
    openai_ = watch(openai_client(llm))

    @aclient.trace("t")
    async def f():
        ask = functools.partial(openai_.chat.completions.create, model="gpt", messages=QUESTION)
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(None, ask) for _ in range(3)))

    async def main():
        await f()
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    assert server.trace()["llm_usage"]["api_calls_count"] == 3


@bug(4)
def test_04_task_that_outlives_the_function(llm, aclient, server):
    async def main():
        async with openai_client(llm, openai.AsyncOpenAI) as openai_:
            watch(openai_)
            started = []

            async def late():
                await asyncio.sleep(0.05)
                await openai_.chat.completions.create(model="straggler", messages=QUESTION)

            @aclient.trace("t")
            async def f():
                started.append(asyncio.create_task(late()))

            await f()
            await started[0]
            await adeliver(aclient)
            await aclient.close()

    asyncio.run(main())
    assert any(b"straggler" in r.body for r in server.posts)


@bug(5)
@pytest.mark.parametrize("name", ["NOT_GIVEN", "omit"])
def test_05_temperature_not_given(llm, client, server, name):
    openai_ = watch(openai_client(llm))

    @client.trace("t")
    def f():
        openai_.chat.completions.create(model="gpt", messages=QUESTION, temperature=getattr(openai, name))

    f()
    deliver(client)
    assert server.trace()["llm_usage"]["calls"][0]["model"] == "gpt-2026"
    assert "temperature" not in server.trace()["llm_usage"]["calls"][0]


@bug(6)
def test_06_error_message_of_2_mb(client, server):
    @client.trace("t")
    def f():
        raise ValueError("x" * 2_000_000)

    with pytest.raises(ValueError):
        f()
    deliver(client)
    error = server.trace()["errors"][0]
    assert error["error_type"] == "ValueError" and error["message"].startswith("xxx")
    assert len(server.posts[0].body) <= infinium.MAX_PAYLOAD_SIZE


@bug(6)
def test_06_payload_over_1_mb(client, server):
    @client.trace("t")
    def f():
        for _ in range(2000):
            context = get_current_trace_context()
            context.calls.append(CapturedLlmCall("p", "m", output_preview="y" * 1000))

    f()
    deliver(client)
    assert server.trace()["name"] == "t" and server.trace()["llm_usage"]["api_calls_count"] == 2000
    assert len(server.posts[0].body) <= infinium.MAX_PAYLOAD_SIZE


@bug(7)
@pytest.mark.parametrize("cls", [infinium.InfiniumClient, infinium.AsyncInfiniumClient])
def test_07_agent_id_that_is_no_uuid(cls, server, caplog, journal_dir):
    server.always(Answer(404, {"error": "no such agent"}))
    with caplog.at_level(logging.WARNING):
        client = cls("my-agent", SECRET, base_url=server.base_url)
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert any("agent_id" in w and "UUID" in w for w in warnings), warnings

    def kept():
        files = [p for p in journal_dir.rglob("*") if p.is_file()]
        return any(b"a trace that is kept" in p.read_bytes() for p in files)

    @client.trace("a trace that is kept")
    def f():
        return 1

    @client.trace("a trace that is kept")
    async def g():
        return 1

    f() if cls is infinium.InfiniumClient else asyncio.run(g())
    try:
        assert kept()
    finally:
        shut(client)
    assert kept(), "lost at close"


def noticed(caplog, server, call, value):
    """The unknown thing was refused, sent or warned about: anything but dropped in silence."""
    try:
        result = call()
    except (TypeError, InfiniumError):
        return True
    sent = any(value.encode() in r.body for r in server.posts)
    return sent or value in repr(result) or any(r.levelno >= logging.WARNING for r in caplog.records)


@bug(8)
def test_08_unknown_keyword(api, server, caplog):
    assert noticed(caplog, server, lambda: api("send_task", "n", "d", 1, custmer={"customer_name": "Acme"}), "Acme")


@bug(8)
def test_08_unknown_section_key(client, server, caplog):
    made = lambda: client.create_task_data("n", "d", 1, customer={"custmer_name": "Acme"})  # noqa: E731
    assert noticed(caplog, server, made, "Acme")


@bug(9)
@pytest.mark.parametrize("path", ["with_options", "parse", "stream", "responses", "embeddings", "raw"])
def test_09_other_paths_of_openai(llm, path):
    from pydantic import BaseModel

    class City(BaseModel):
        city: str

    client = watch(openai_client(llm))
    with inside() as context:
        if path == "with_options":
            client.with_options(timeout=5).chat.completions.create(model="gpt", messages=QUESTION)
        elif path == "parse":
            parsed = client.chat.completions.parse(model="gpt", messages=QUESTION, response_format=City)
            assert parsed.choices[0].message.parsed == City(city="Paris")
        elif path == "stream":
            with client.chat.completions.stream(model="gpt", messages=QUESTION) as stream:
                assert stream.get_final_completion().choices[0].message.content == "echo: hi"
        elif path == "responses":
            assert client.responses.create(model="gpt", input="hi").output_text == "echo: hi"
        elif path == "embeddings":
            assert client.embeddings.create(model="gpt", input="hi").data[0].embedding == [0.5, 0.25]
        else:
            raw = client.with_raw_response.chat.completions.create(model="gpt", messages=QUESTION)
            assert raw.parse().choices[0].message.content == "echo: hi"
    (call,) = context.calls
    assert call.model.startswith("gpt") and call.provider == "openai"
    if path != "stream":
        assert call.prompt_tokens == (5 if path == "embeddings" else 11)


@bug(9)
def test_09_with_options_of_anthropic(llm):
    client = watch(anthropic_client(llm))
    with inside() as context:
        client.with_options(timeout=5).messages.create(model="claude", max_tokens=5, messages=QUESTION)
    assert len(context.calls) == 1


@bug(9)
def test_09_stream_of_anthropic(llm):
    client = watch(anthropic_client(llm), capture_content=True)
    with inside() as context:
        with client.messages.stream(model="claude", max_tokens=5, messages=QUESTION) as stream:
            assert "".join(stream.text_stream) == "echo: hi"
    (call,) = context.calls
    assert (call.prompt_tokens, call.completion_tokens, call.output_preview) == (11, 7, "echo: hi")


@bug(9)
def test_09_async_stream_of_anthropic(llm):
    async def main():
        async with anthropic_client(llm, anthropic.AsyncAnthropic) as client:
            watch(client)
            with inside() as context:
                async with client.messages.stream(model="claude", max_tokens=5, messages=QUESTION) as stream:
                    assert await stream.get_final_text() == "echo: hi"
            return context

    (call,) = asyncio.run(main()).calls
    assert (call.prompt_tokens, call.completion_tokens) == (11, 7)


@bug(10)
def test_10_trace_builder_records_watched_calls(llm):
    client = watch(openai_client(llm))
    trace = TraceBuilder("n", "d")
    with trace.step("think", "Think"):
        client.chat.completions.create(model="gpt", messages=QUESTION)
    data = trace.build()
    calls = [s.llm_call for s in data.steps if s.llm_call]
    assert [c.model for c in calls] == ["gpt-2026"] and calls[0].prompt_tokens == 11
    assert data.llm_usage.api_calls_count == 1


@bug(11)
@pytest.mark.parametrize("status", [503, 500, 429, 408, 401, 403, 404])
def test_11_nothing_is_lost_when_the_server_refuses(make_client, server, status):
    client = make_client(max_retries=1)
    server.always(Answer(status, {"error": "not now"}))
    client.trace("kept")(lambda: 1)()
    assert server.wait(1, 5)
    time.sleep(0.05)
    refused = len(server.posts)
    server.always(None)
    deliver(client)
    assert [r.json["name"] for r in server.posts[refused:]] == ["kept"]


@bug(11)
def test_11_nothing_is_lost_when_the_server_is_down(make_client):
    port = free_port()
    client = make_client(base_url=f"http://127.0.0.1:{port}/api/v1", max_retries=0)
    client.trace("kept")(lambda: 1)()
    server = Recorder(port=port)
    try:
        deliver(client)
        assert server.trace()["name"] == "kept"
    finally:
        server.close()


@bug(11)
def test_11_a_refused_trace_is_set_aside(make_client, server, journal_dir):
    client = make_client(max_retries=0)
    server.always(Answer(422, {"error": "bad thing"}))
    client.trace("refused")(lambda: 1)()
    deliver(client)
    (found,) = journal_dir.rglob("rejected.ndjson")
    (line,) = found.read_text().splitlines()
    aside = json.loads(line)
    assert aside["status"] == 422 and aside["reason"] == "bad thing" and aside["body"]["name"] == "refused"
    assert set(aside) == {"trace_id", "rejected_at", "status", "reason", "body"}


@bug(11)
def test_11_the_next_process_sends_what_is_left(server, tmp_path):
    import subprocess

    program = f"""
import sys, infinium
client = infinium.InfiniumClient("{AGENT}", "{SECRET}", base_url=sys.argv[1], timeout=1.0, max_retries=0)
client.trace(sys.argv[2])(lambda: 1)()
if sys.argv[2] == "second":
    getattr(client, "flush", lambda: None)()
"""

    def run(url, name):
        subprocess.run([sys.executable, "-c", program, url, name], timeout=15, check=True, cwd=tmp_path)

    run(f"http://127.0.0.1:{free_port()}/api/v1", "first")
    run(server.base_url, "second")
    assert sorted(t["name"] for t in server.traces) == ["first", "second"]


@bug(12)
def test_12_stack_trace_has_the_raise_site(client, server):
    def bottom():
        raise ValueError("at the bottom")

    def middle(n):
        return bottom() if n == 0 else middle(n - 1)

    @client.trace("t")
    def f():
        namespace = {}
        for i in range(20):
            exec(f"def level_{i}(call):\n    return call()\n", namespace)
        call = lambda: middle(3)  # noqa: E731
        for i in range(20):
            call = functools.partial(namespace[f"level_{i}"], call)
        return call()

    with pytest.raises(ValueError):
        f()
    deliver(client)
    for error in (server.trace()["errors"][0], server.trace()["steps"][0]["error"]):
        assert "ValueError: at the bottom" in error["stack_trace"]
        assert "in bottom" in error["stack_trace"]


@bug(13)
def test_13_stream_left_early(llm, client, server):
    openai_ = watch(openai_client(llm), capture_content=True)

    @client.trace("t")
    def f():
        for chunk in openai_.chat.completions.create(model="gpt", messages=QUESTION, stream=True):
            if chunk.choices[0].delta.content:
                break
        gc.collect()

    f()
    deliver(client)
    step = server.trace()["steps"][1]
    assert step["duration_ms"] >= 25 and step["output_preview"] == "echo"


@bug(13)
def test_13_stream_that_breaks(llm, client, server):
    openai_ = watch(openai_client(llm), capture_content=True)

    @client.trace("t")
    def f():
        for _ in openai_.chat.completions.create(model="break", messages=QUESTION, stream=True):
            pass

    with pytest.raises(Exception) as caught:
        f()
    deliver(client)
    step = server.trace()["steps"][1]
    assert step["error"]["error_type"] == type(caught.value).__name__
    assert step["duration_ms"] >= 25 and step["output_preview"] == "echo"


@bug(13)
def test_13_async_stream_left_early(llm, aclient, server):
    @aclient.trace("t")
    async def f():
        async with openai_client(llm, openai.AsyncOpenAI) as openai_:
            watch(openai_, capture_content=True)
            stream = await openai_.chat.completions.create(model="gpt", messages=QUESTION, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break

    async def main():
        await f()
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    step = server.trace()["steps"][1]
    assert step["duration_ms"] >= 25 and step["output_preview"] == "echo"


@bug(14)
def test_14_auto_send_off_can_be_reached(client, server):
    @client.trace("t", auto_send=False)
    def f(x):
        return x

    f(1)
    data = f.last_trace
    assert isinstance(data, TaskData)
    assert (data.name, data.input_summary, data.output_summary) == ("t", "{'args': (1,), 'kwargs': {}}", "1")
    assert data.steps[0].action == "execution"
    assert not server.requests
    assert client.send_task_data(data).success


@bug(14)
def test_14_auto_send_off_on_trace(client):
    seen = []
    client.trace("t", auto_send=False, on_trace=seen.append)(lambda: 5)()
    (data,) = seen
    assert isinstance(data, TaskData) and data.output_summary == "5"


# -- breaks the user's program --


class Unshowable:
    def __init__(self, error=RuntimeError):
        self.error = error

    def __repr__(self):
        raise self.error("no repr")


@bug(15)
@pytest.mark.parametrize("error", [RuntimeError, RecursionError, KeyError, MemoryError])
def test_15_repr_that_raises(client, server, error):
    thing = Unshowable(error)
    assert client.trace("t")(lambda x: x)(thing) is thing
    deliver(client)
    assert server.trace()["name"] == "t"


@bug(15)
def test_15_repr_of_a_result_that_raises(client, server):
    thing = [1, Unshowable()]
    assert client.trace("t")(lambda: thing)() is thing
    deliver(client)
    assert "errors" not in server.trace()


@bug(15)
def test_15_repr_that_raises_async(aclient, server):
    thing = Unshowable()

    @aclient.trace("t")
    async def f(x):
        return x

    async def main():
        assert await f(thing) is thing
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    assert server.trace()["name"] == "t"


@bug(16)
def test_16_str_of_the_exception_that_raises(client, server):
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError("no str")

    mine = Odd()

    @client.trace("t")
    def f():
        raise mine

    with pytest.raises(Odd) as caught:
        f()
    assert caught.value is mine
    deliver(client)
    assert server.trace()["errors"][0]["error_type"] == "Odd"


@bug(17)
def test_17_watched_stream_is_the_vendors(llm):
    client = watch(openai_client(llm))
    with inside():
        stream = client.chat.completions.create(model="gpt", messages=QUESTION, stream=True)
        assert stream.response.status_code == 200
        assert isinstance(stream, openai.Stream)
        next(iter(stream))
        stream.close()


@bug(17)
def test_17_watched_async_stream_is_the_vendors(llm):
    async def main():
        async with openai_client(llm, openai.AsyncOpenAI) as client:
            watch(client)
            with inside():
                stream = await client.chat.completions.create(model="gpt", messages=QUESTION, stream=True)
                assert stream.response.status_code == 200 and isinstance(stream, openai.AsyncStream)
                await stream.close()

    asyncio.run(main())


@bug(17)
def test_17_stream_helper_of_openai(llm):
    client = watch(openai_client(llm))
    with inside():
        with client.chat.completions.stream(model="gpt", messages=QUESTION) as stream:
            text = "".join(e.delta for e in stream if e.type == "content.delta")
    assert text == "echo: hi"


class Adder:
    def __call__(self, x):
        return x + 1


@bug(18)
@pytest.mark.parametrize("function", [functools.partial(lambda a, b: a + b, 1), Adder()], ids=["partial", "object"])
def test_18_partial_and_callable_objects(client, server, function):
    assert client.trace("t")(function)(2) == 3
    deliver(client)
    assert server.trace()["output_summary"] == "3"


@bug(19)
def test_19_wait_for_keeps_a_finished_result(make_async, server):
    aclient = make_async(max_retries=0)
    server.always(Answer(201, {"traceId": "x"}, delay=1.0))

    @aclient.trace("t")
    async def f():
        return "done"

    async def main():
        try:
            return await asyncio.wait_for(f(), 0.4)
        finally:
            server.always(None)
            await aclient.close()

    assert asyncio.run(main()) == "done"


# -- blocking --


@bug(20)
@pytest.mark.parametrize("state", ["dead", "slow", "422", "hung"])
def test_20_the_call_does_not_wait_for_the_server(make_client, server, state):
    if state == "dead":
        client = make_client(base_url=f"http://127.0.0.1:{free_port()}")
    else:
        client = make_client(timeout=0.5)
        server.always(
            {
                "slow": Answer(201, {"traceId": "x"}, delay=0.4),
                "422": Answer(422, {"error": "x"}),
                "hung": Answer(201, delay=3.0),
            }[state]
        )
    f = client.trace("t")(lambda: 1)
    with Elapsed() as took:
        f()
    assert took.s < 0.1


@bug(21)
def test_21_sync_client_in_async_code_does_not_stall_the_loop(make_client, server):
    client = make_client(max_retries=0)
    server.always(Answer(201, {"traceId": "x"}, delay=0.5))

    @client.trace("t")
    async def f():
        await asyncio.sleep(0)

    async def main():
        gaps, stop = [], asyncio.Event()

        async def tick():
            while not stop.is_set():
                start = time.perf_counter()
                await asyncio.sleep(0.01)
                gaps.append(time.perf_counter() - start)

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0.03)
        await f()
        await asyncio.sleep(0.05)
        stop.set()
        await ticking
        return max(gaps)

    assert asyncio.run(main()) < 0.25


@bug(22)
def test_22_a_large_argument_costs_no_more_than_the_cap(client, server):
    large = list(range(5_000_000))
    f = client.trace("t")(lambda x: None)
    f([1])
    with Elapsed() as took:
        f(large)
    assert took.s < 0.05
    deliver(client)
    assert len(server.traces[1]["input_summary"]) == 3000


@bug(23)
def test_23_limiter_does_not_sleep_in_the_call(make_client):
    client = make_client(requests_per_second=4.0)
    f = client.trace("t")(lambda: 1)
    with Elapsed() as took:
        for _ in range(24):
            f()
    assert took.s < 0.3


# -- wrong on the wire --


@bug(24)
def test_24_a_timed_out_post_can_be_recognised(make_client, server):
    client = make_client(timeout=0.4, max_retries=1)
    server.script(Answer(201, {"traceId": "x"}, delay=1.0))
    client.send_task("n", "d", 1)
    keys = [r.header("idempotency-key") for r in server.posts]
    assert len(keys) == 2 and keys[0] is not None and keys[0] == keys[1]


@bug(24)
def test_24_a_timed_out_trace_can_be_recognised(make_client, server):
    client = make_client(timeout=0.4, max_retries=1)
    server.script(Answer(201, {"traceId": "x"}, delay=1.0))
    client.trace("t")(lambda: 1)()
    deliver(client)
    keys = [r.header("idempotency-key") for r in server.posts]
    assert len(keys) == 2 and keys[0] is not None and keys[0] == keys[1]


@bug(24)
def test_24_json_array_answer_is_no_reason_to_send_again(make_client, server):
    client = make_client(max_retries=3)
    server.always(Answer(201, [1, 2]))
    assert client.send_task("n", "d", 1).success
    assert len(server.posts) == 1


@bug(25)
def test_25_sync_4xx_is_sent_once_and_keeps_its_status(make_client, server):
    client = make_client(max_retries=3)
    server.always(Answer(422, {"error": "because"}))
    with pytest.raises(InfiniumError) as caught:
        client.send_task("n", "d", 1)
    assert (caught.value.status_code, caught.value.message) == (422, "because")
    assert len(server.posts) == 1


@bug(26)
@pytest.mark.parametrize("what", ["refused", "timeout", "hang-up"])
def test_26_async_raises_our_exceptions(make_async, server, what):
    if what == "refused":
        client = make_async(base_url=f"http://127.0.0.1:{free_port()}", max_retries=0)
    else:
        client = make_async(timeout=0.3, max_retries=0)
        server.always(Answer(201, delay=1.0) if what == "timeout" else Answer(hangup=True))

    async def main():
        try:
            await client.send_task("n", "d", 1)
        finally:
            await client.close()

    with pytest.raises(InfiniumTimeoutError if what == "timeout" else NetworkError):
        asyncio.run(main())


@bug(27)
def test_27_cjk_payload_of_600_kb(api, server):
    text = "漢" * 200_000
    api("send_task", "n", "d", 1, output_summary=text)
    assert server.trace()["output_summary"] == text


@bug(28)
def test_28_nan_in_a_section(make_client, server):
    client = make_client(max_retries=0)
    client.send_task("n", "d", 1, sales={"deal_value": float("nan"), "x": float("inf"), "y": 1})
    assert server.trace()["sections"]["sales"]["y"] == 1


@bug(28)
def test_28_lone_surrogate_in_a_name(make_client, server):
    client = make_client(max_retries=0)
    client.send_task("bad \udc80 name", "d", 1)
    assert server.trace()["name"].startswith("bad ")


@bug(28)
def test_28_lone_surrogate_in_an_error(make_client, server):
    client = make_client(max_retries=0)

    @client.trace("t")
    def f():
        raise ValueError("bad \udc80 text")

    with pytest.raises(ValueError):
        f()
    deliver(client)
    assert server.trace()["errors"][0]["message"].startswith("bad ")


@bug(29)
def test_29_the_limiter_limits(make_client, server):
    """After the burst of 20, 30 requests at 40/s take at least 0.75 s, from as many threads as one likes."""
    client = make_client(requests_per_second=40.0)
    f = client.trace("t")(lambda: 1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: f(), range(50)))
    deliver(client)
    assert len(server.posts) == 50
    times = [r.at for r in server.posts]
    assert times[-1] - times[0] >= 30 / 40 * 0.9


@bug(29)
def test_29_the_limiter_class_limits():
    from infinium.utils import RateLimiter

    limiter = RateLimiter(40.0, 1)
    with Elapsed() as took:
        for _ in range(21):
            limiter.acquire_sync()
    assert took.s >= 20 / 40 * 0.9


@bug(30)
def test_30_user_agent_says_the_version(api, server):
    api("send_task", "n", "d", 1)
    assert infinium.__version__ in server.requests[0].header("user-agent")


@bug(31)
def test_31_one_async_client_over_several_loops(make_async, server):
    client = make_async(max_retries=0)
    for i in range(4):
        assert asyncio.run(client.send_task(f"t{i}", "d", 1)).success
    assert [t["name"] for t in server.traces] == ["t0", "t1", "t2", "t3"]


def batch(client, server, concurrent):
    async def main():
        tasks = [TaskData(f"t{i}", "d", NOW, 1.0) for i in range(10)]
        try:
            await client.send_tasks_batch(tasks, max_concurrent=concurrent, fail_fast=True)
        finally:
            await asyncio.sleep(0.2)
            await client.close()

    with pytest.raises(BatchError) as caught:
        asyncio.run(main())
    return caught.value


@bug(32)
def test_32_batch_error_counts(make_async, server):
    server.script(Answer(201, {}), Answer(201, {}), Answer(422, {"error": "bad"}))
    error = batch(make_async(max_retries=0), server, 1)
    assert (error.successful_count, error.failed_count) == (2, 1)
    assert len(error.errors) == 1 and "t2" in error.errors[0] and "bad" in error.errors[0]


@bug(32)
def test_32_fail_fast_stops(make_async, server):
    server.script(Answer(422, {"error": "bad"}))
    batch(make_async(max_retries=0), server, 2)
    assert len(server.posts) <= 4


@bug(33)
def test_33_step_numbers_from_threads():
    trace = TraceBuilder("n", "d")

    def slowly(frame, event, arg):
        """Gives other threads a chance inside the builder's own Python code, if it is Python."""
        if frame.f_globals.get("__name__", "").startswith("infinium"):
            time.sleep(0.0005)
            return slowly
        return None

    def work():
        sys.settrace(slowly)
        try:
            for _ in range(10):
                with trace.step("a", "b"):
                    pass
        finally:
            sys.settrace(None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [s.step_number for s in trace.build().steps] == list(range(1, 81))


@bug(34)
def test_34_otel_spans_have_the_real_length():
    from infinium.integrations.otel import InfiniumOTelExporter

    context = TraceContext([CapturedLlmCall("openai", "gpt", latency_ns=400_000_000)])
    memory = fresh()
    InfiniumOTelExporter().export_trace("t", 1.5, context)
    lengths = {s.name: (s.end_time - s.start_time) / 1e9 for s in memory.get_finished_spans()}
    assert lengths["t"] == pytest.approx(1.5, abs=0.05)
    assert lengths["llm.openai.0"] == pytest.approx(0.4, abs=0.05)


# -- privacy --


class Account:
    def __repr__(self):
        return "Account(api_key='sk-live-abcdef0123456789abcdef')"


CASES = {
    "keyword": (lambda **k: 1, (), {"password": "hunter2"}, "hunter2"),
    "positional": (lambda user, password: 1, ("ann", "hunter2"), {}, "hunter2"),
    "key of a dict": (lambda d: 1, ({"db": {"password": "hunter2"}},), {}, "hunter2"),
    "api key": (lambda x: 1, ("sk-live-abcdef0123456789abcdef",), {}, "sk-live-abcdef0123456789abcdef"),
    "short api key by name": (lambda **k: 1, (), {"api_key": "sk-live-abc"}, "sk-live-abc"),
    "bearer token": (lambda h: 1, ("Bearer abcdef0123456789abcdef",), {}, "abcdef0123456789abcdef"),
    "header": (lambda h: 1, ({"Authorization": "Basic YW5uOmh1bnRlcjI="},), {}, "YW5uOmh1bnRlcjI="),
    "result": (lambda: {"token": "hunter2"}, (), {}, "hunter2"),
    "self": (lambda self: 1, (Account(),), {}, "sk-live-abcdef0123456789abcdef"),
}


@bug(35)
@pytest.mark.parametrize("case", CASES)
def test_35_secrets_do_not_go_out(client, server, case):
    function, args, kwargs, secret = CASES[case]
    client.trace("t")(function)(*args, **kwargs)
    deliver(client)
    (request,) = server.posts
    assert secret.encode() not in request.body


@bug(35)
def test_35_secrets_in_errors_do_not_go_out(client, server):
    @client.trace("t")
    def f():
        raise ValueError("refused: Bearer abcdef0123456789abcdef")

    with pytest.raises(ValueError, match="abcdef0123456789abcdef"):
        f()
    deliver(client)
    (request,) = server.posts
    assert b"abcdef0123456789abcdef" not in request.body


@bug(35)
def test_35_arguments_can_be_left_out(client, server):
    client.trace("t", ignore=["b"])(lambda a, b: None)("visible", "unseen")
    client.trace("u", capture_input=False, capture_output=False)(lambda a: a)("private")
    deliver(client)
    bodies = b"".join(r.body for r in server.posts)
    assert len(server.posts) == 2 and b"visible" in bodies
    assert b"unseen" not in bodies and b"private" not in bodies


@bug(36)
@pytest.mark.parametrize("cls", [infinium.InfiniumClient, infinium.AsyncInfiniumClient])
def test_36_secret_over_plain_http_is_warned_about(cls, caplog):
    with caplog.at_level(logging.WARNING):
        client = cls(AGENT, SECRET, base_url="http://infinium.example.com/api/v1")
        local = cls(AGENT, SECRET, base_url="http://127.0.0.1:9/api/v1")
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1 and "http://" in warnings[0] and SECRET not in warnings[0]
    shut(client)
    shut(local)


@bug(37)
@pytest.mark.parametrize("cls", [infinium.InfiniumClient, infinium.AsyncInfiniumClient])
def test_37_the_secret_is_no_plain_attribute(cls):
    client = cls(AGENT, SECRET)
    try:
        assert SECRET not in repr(client) and SECRET not in str(client)
        assert SECRET not in repr(vars(client) if hasattr(client, "__dict__") else {})
        try:
            pickled = pickle.dumps(client)
        except Exception:
            pickled = b""
        assert SECRET.encode() not in pickled
    finally:
        shut(client)


def test_every_point_has_a_test():
    names = [n for n in globals() if n.startswith("test_") and n[5:7].isdigit()]
    assert {int(n[5:7]) for n in names} == set(range(1, 38))
    marked = {m.args[0] for n in names for m in globals()[n].pytestmark if m.name == "bug"}
    assert marked == set(range(1, 38))
