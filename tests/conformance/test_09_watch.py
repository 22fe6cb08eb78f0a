"""Section 9: watch(), with the vendors' real packages against servers that speak their wire."""

import asyncio
import importlib
import logging

import anthropic
import openai
import pytest
from google import genai

from helpers import PUBLISHED, adeliver, deliver, differs
from infinium import integrations
from llm import QUESTION, anthropic_client, inside, openai_client, watch

def google_client(llm):
    return genai.Client(api_key="none", http_options={"base_url": llm.url})


def only(context):
    (call,) = context.calls
    return call


# -- what comes back --


def test_watch_returns_the_same_object(llm):
    for client in (openai_client(llm), anthropic_client(llm), google_client(llm)):
        assert watch(client) is client
        assert watch(client, capture_content=True) is client


def test_patchers_return_the_same_object(llm):
    for patch, client in (
        (integrations.patch_openai_client, openai_client(llm)),
        (integrations.patch_async_openai_client, openai_client(llm, openai.AsyncOpenAI)),
        (integrations.patch_anthropic_client, anthropic_client(llm)),
        (integrations.patch_async_anthropic_client, anthropic_client(llm, anthropic.AsyncAnthropic)),
        (integrations.patch_google_genai_client, google_client(llm)),
    ):
        assert patch(client) is client


def test_patch_openai_client_records(llm):
    client = integrations.patch_openai_client(openai_client(llm), True)
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=QUESTION)
    assert only(context).output_preview == "echo: hi"


@pytest.mark.parametrize("thing", [object(), None, "client", {"a": 1}])
def test_unknown_client(thing, caplog):
    with caplog.at_level(logging.WARNING, "infinium"):
        assert watch(thing) is thing
    assert any(r.levelno == logging.WARNING and r.name.startswith("infinium") for r in caplog.records)


def test_outside_a_trace(llm):
    client = watch(openai_client(llm))
    assert client.chat.completions.create(model="gpt", messages=QUESTION).choices[0].message.content == "echo: hi"


# -- OpenAI --


def test_openai(llm):
    client = watch(openai_client(llm))
    with inside() as context:
        answer = client.chat.completions.create(model="gpt", messages=QUESTION, temperature=0.5)
    assert type(answer).__name__ == "ChatCompletion" and answer.choices[0].message.content == "echo: hi"
    call = only(context)
    assert (call.provider, call.model, call.temperature) == ("openai", "gpt-2026", 0.5)
    assert (call.prompt_tokens, call.completion_tokens) == (11, 7)
    assert 0 < call.latency_ns < 5e9
    assert call.error_type is None and call.error_message is None
    assert call.input_preview is None and call.output_preview is None


def test_latency(llm):
    client = watch(openai_client(llm))
    with inside() as context:
        client.chat.completions.create(model="slow", messages=QUESTION)
    assert 0.2e9 <= only(context).latency_ns < 1.5e9


def test_no_temperature(llm):
    client = watch(openai_client(llm))
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=QUESTION)
    assert only(context).temperature is None


def test_async_openai(llm):
    async def main():
        client = watch(openai_client(llm, openai.AsyncOpenAI), capture_content=True)
        with inside() as context:
            answer = await client.chat.completions.create(model="gpt", messages=QUESTION)
        await client.close()
        return answer, context

    answer, context = asyncio.run(main())
    assert answer.choices[0].message.content == "echo: hi"
    call = only(context)
    assert (call.provider, call.model, call.prompt_tokens, call.completion_tokens) == ("openai", "gpt-2026", 11, 7)
    assert (call.input_preview, call.output_preview) == ("[user] hi", "echo: hi")


def test_openai_previews(llm):
    client = watch(openai_client(llm), capture_content=True)
    messages = [
        {"role": "system", "content": "first"},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "not this"},
        {"role": "user", "content": "third"},
    ]
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=messages)
    call = only(context)
    assert call.input_preview == "[user] second\n[user] third"
    assert call.output_preview == "echo: third"


def test_previews_are_cut(llm):
    client = watch(openai_client(llm), capture_content=True)
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "x" * 2000}])
    call = only(context)
    assert call.input_preview == "[user] " + "x" * 493 + "..."
    assert call.output_preview == "echo: " + "x" * 1494 + "..."


def test_openai_error(llm):
    client = watch(openai_client(llm), capture_content=True)
    with inside() as context, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="fail", messages=QUESTION)
    call = only(context)
    assert (call.error_type, call.error_message) == ("BadRequestError", str(caught.value))
    assert call.model == "fail" and call.latency_ns > 0 and call.prompt_tokens is None
    assert call.input_preview == "[user] hi" and call.output_preview is None


def test_async_openai_error(llm):
    async def main():
        async with openai_client(llm, openai.AsyncOpenAI) as client:
            watch(client)
            with inside() as context, pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(model="fail", messages=QUESTION)
            return context

    assert only(asyncio.run(main())).error_type == "BadRequestError"


@pytest.mark.parametrize("usage", [False, True])
def test_openai_stream(llm, usage):
    client = watch(openai_client(llm), capture_content=True)
    more = {"stream_options": {"include_usage": True}} if usage else {}
    with inside() as context:
        stream = client.chat.completions.create(model="gpt", messages=QUESTION, stream=True, temperature=0.1, **more)
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "echo: hi"
    assert len(chunks) == (5 if usage else 4), "the user's own code sees what the server sent, no more"
    call = only(context)
    assert call.output_preview == "echo: hi" and call.input_preview == "[user] hi"
    assert call.temperature == 0.1 and call.latency_ns >= 0.05e9
    assert (call.prompt_tokens, call.completion_tokens) == ((11, 7) if usage else (None, None))


@differs("stream-model", "a stream's model is the one that answered, as without a stream")
def test_model_of_a_stream(llm):
    client = watch(openai_client(llm))
    with inside() as context:
        list(client.chat.completions.create(model="gpt", messages=QUESTION, stream=True))
    assert only(context).model == ("gpt" if PUBLISHED else "gpt-2026")


def test_openai_stream_as_context_manager(llm):
    client = watch(openai_client(llm), capture_content=True)
    with inside() as context:
        with client.chat.completions.create(model="gpt", messages=QUESTION, stream=True) as stream:
            for _ in stream:
                pass
    assert only(context).output_preview == "echo: hi"


def test_async_openai_stream(llm):
    async def main():
        async with openai_client(llm, openai.AsyncOpenAI) as client:
            watch(client, capture_content=True)
            with inside() as context:
                stream = await client.chat.completions.create(
                    model="gpt", messages=QUESTION, stream=True, stream_options={"include_usage": True}
                )
                chunks = [c async for c in stream]
            return chunks, context

    chunks, context = asyncio.run(main())
    assert len(chunks) == 5
    call = only(context)
    assert (call.output_preview, call.prompt_tokens, call.completion_tokens) == ("echo: hi", 11, 7)
    assert call.latency_ns >= 0.05e9


def test_calls_in_the_order_in_which_they_started(llm):
    async def main():
        async with openai_client(llm, openai.AsyncOpenAI) as client:
            watch(client)
            with inside() as context:

                async def late():
                    await asyncio.sleep(0.05)
                    await client.chat.completions.create(model="second", messages=QUESTION)

                await asyncio.gather(client.chat.completions.create(model="slow", messages=QUESTION), late())
            return context

    assert [c.model for c in asyncio.run(main()).calls] == ["slow-2026", "second-2026"]


# -- watch twice, instrumentors --


def test_watch_twice_counts_once(llm):
    client = watch(watch(openai_client(llm)), capture_content=True)
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=QUESTION)
    assert only(context).input_preview is None, "the first capture_content wins"


def test_two_clients_are_watched_apart(llm):
    watched, plain = watch(openai_client(llm)), openai_client(llm)
    with inside() as context:
        plain.chat.completions.create(model="gpt", messages=QUESTION)
        assert context.calls == []
        watched.chat.completions.create(model="gpt", messages=QUESTION)
    assert len(context.calls) == 1


def test_openai_instrumentor(llm):
    instrumentor = integrations.OpenAIInstrumentor(capture_content=True)
    instrumentor.instrument()
    instrumentor.instrument()
    try:
        with inside() as context:
            openai_client(llm).chat.completions.create(model="gpt", messages=QUESTION)
        assert (only(context).model, only(context).output_preview) == ("gpt-2026", "echo: hi")

        async def main():
            async with openai_client(llm, openai.AsyncOpenAI) as client:
                await client.chat.completions.create(model="gpt", messages=QUESTION)

        with inside() as context:
            asyncio.run(main())
        assert only(context).provider == "openai"
    finally:
        instrumentor.uninstrument()
    with inside() as context:
        openai_client(llm).chat.completions.create(model="gpt", messages=QUESTION)
    assert context.calls == []
    instrumentor.uninstrument()


def test_instrumentor_and_watch_count_once(llm):
    integrations.OpenAIInstrumentor().instrument()
    try:
        client = watch(openai_client(llm))
        with inside() as context:
            client.chat.completions.create(model="gpt", messages=QUESTION)
        assert len(context.calls) == 1
    finally:
        integrations.OpenAIInstrumentor().uninstrument()


def test_anthropic_instrumentor(llm):
    integrations.AnthropicInstrumentor(True).instrument()
    try:
        with inside() as context:
            anthropic_client(llm).messages.create(model="claude", max_tokens=5, messages=QUESTION)
        assert (only(context).provider, only(context).output_preview) == ("anthropic", "echo: hi")
    finally:
        integrations.AnthropicInstrumentor().uninstrument()
    with inside() as context:
        anthropic_client(llm).messages.create(model="claude", max_tokens=5, messages=QUESTION)
    assert context.calls == []


def test_google_instrumentor_is_harmless(llm):
    integrations.GoogleInstrumentor().instrument()
    integrations.GoogleInstrumentor().uninstrument()
    assert google_client(llm).models.generate_content(model="gemini", contents="hi").text == "echo: hi"


# -- xAI --


def test_xai_by_host():
    """A base_url on x.ai; no request leaves: the transport of the client answers."""
    seen = []

    def answer(request):
        from recorder import Request
        from vendors import vendor

        seen.append(request.url.host)
        made = vendor(Request("POST", request.url.path, [], request.content, 0.0, ()))
        return httpx_of_openai.Response(200, json=made.body)

    names = [base.__module__.split(".")[0] for base in openai.DefaultHttpxClient.__mro__]
    httpx_of_openai = importlib.import_module(next(n for n in names if n.startswith("httpx")))
    http = httpx_of_openai.Client(transport=httpx_of_openai.MockTransport(answer))
    client = watch(openai.OpenAI(api_key="none", base_url="https://api.x.ai/v1", http_client=http, max_retries=0))
    with inside() as context:
        client.chat.completions.create(model="grok", messages=QUESTION)
    assert seen == ["api.x.ai"]
    assert only(context).provider == "xai"


@differs("xai-by-host", "xAI is recognised by the host of base_url, not by a substring of it")
def test_xai_is_no_substring(llm):
    client = watch(openai_client(llm, path="/maxai/v1"))
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=QUESTION)
    assert only(context).provider == ("xai" if PUBLISHED else "openai")
    claude = watch(anthropic_client(llm, path="/grok"))
    with inside() as context:
        claude.messages.create(model="claude", max_tokens=5, messages=QUESTION)
    assert len(context.calls) == (0 if PUBLISHED else 1)


@differs("subclasses", "subclasses of the vendors' clients are watched")
def test_subclass(llm):
    class Mine(openai.OpenAI):
        pass

    client = watch(openai_client(llm, Mine))
    with inside() as context:
        client.chat.completions.create(model="gpt", messages=QUESTION)
    assert len(context.calls) == (0 if PUBLISHED else 1)


@differs("azure", "AzureOpenAI is watched")
def test_azure(llm):
    client = openai.AzureOpenAI(
        api_key="none", azure_endpoint=llm.url, api_version="2024-10-21", azure_deployment="d", max_retries=0
    )
    watch(client)
    with inside() as context:
        assert client.chat.completions.create(model="gpt", messages=QUESTION).choices
    assert len(context.calls) == (0 if PUBLISHED else 1)


# -- Anthropic --


def test_anthropic(llm):
    client = watch(anthropic_client(llm), capture_content=True)
    with inside() as context:
        answer = client.messages.create(
            model="claude", max_tokens=5, messages=QUESTION, system="be kind", extra_body={"temperature": 0.5}
        )
    assert answer.content[0].text == "echo: hi"
    call = only(context)
    assert (call.provider, call.model) == ("anthropic", "claude-2026")
    assert (call.prompt_tokens, call.completion_tokens) == (11, 7) and call.latency_ns > 0
    assert (call.input_preview, call.output_preview) == ("[system] be kind\n[user] hi", "echo: hi")


def test_anthropic_previews_take_any_role(llm):
    client = watch(anthropic_client(llm), capture_content=True)
    messages = [
        {"role": "user", "content": "not this"},
        {"role": "assistant", "content": "second"},
        {"role": "user", "content": "third"},
    ]
    with inside() as context:
        client.messages.create(model="claude", max_tokens=5, messages=messages)
    assert only(context).input_preview == "[assistant] second\n[user] third"


def test_anthropic_without_previews(llm):
    client = watch(anthropic_client(llm))
    with inside() as context:
        client.messages.create(model="claude", max_tokens=5, messages=QUESTION)
    assert only(context).input_preview is None and only(context).output_preview is None


def test_anthropic_error(llm):
    client = watch(anthropic_client(llm))
    with inside() as context, pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="fail", max_tokens=5, messages=QUESTION)
    assert only(context).error_type == "BadRequestError" and only(context).model == "fail"


def test_async_anthropic(llm):
    async def main():
        async with anthropic_client(llm, anthropic.AsyncAnthropic) as client:
            watch(client, True)
            with inside() as context:
                await client.messages.create(model="claude", max_tokens=5, messages=QUESTION)
                stream = await client.messages.create(model="claude", max_tokens=5, messages=QUESTION, stream=True)
                events = [e.type async for e in stream]
            return events, context

    events, context = asyncio.run(main())
    assert events[0] == "message_start" and events[-1] == "message_stop"
    for call in context.calls:
        assert (call.prompt_tokens, call.completion_tokens, call.output_preview) == (11, 7, "echo: hi")
    assert len(context.calls) == 2


def test_anthropic_stream(llm):
    client = watch(anthropic_client(llm), capture_content=True)
    with inside() as context:
        events = [
            e.type for e in client.messages.create(model="claude", max_tokens=5, messages=QUESTION, stream=True)
        ]
    assert events.count("content_block_delta") == 2
    call = only(context)
    assert (call.prompt_tokens, call.completion_tokens, call.output_preview) == (11, 7, "echo: hi")
    assert call.latency_ns >= 0.05e9


# -- Google --


def test_google(llm):
    client = watch(google_client(llm), capture_content=True)
    with inside() as context:
        answer = client.models.generate_content(model="gemini", contents="hi")
    assert answer.text == "echo: hi"
    call = only(context)
    assert call.provider == "google" and call.model.startswith("gemini")
    assert (call.prompt_tokens, call.completion_tokens) == (11, 7) and call.latency_ns > 0
    assert call.output_preview == "echo: hi" and "hi" in call.input_preview


def test_google_stream(llm):
    client = watch(google_client(llm), capture_content=True)
    with inside() as context:
        texts = [c.text for c in client.models.generate_content_stream(model="gemini", contents="hi")]
    assert "".join(texts) == "echo: hi"
    call = only(context)
    assert (call.prompt_tokens, call.completion_tokens, call.output_preview) == (11, 7, "echo: hi")


def test_async_google(llm):
    async def main():
        client = watch(google_client(llm), capture_content=True)
        with inside() as context:
            await client.aio.models.generate_content(model="gemini", contents="hi")
            stream = await client.aio.models.generate_content_stream(model="gemini", contents="hi")
            texts = [c.text async for c in stream]
        return texts, context

    texts, context = asyncio.run(main())
    assert "".join(texts) == "echo: hi" and len(context.calls) == 2
    assert all((c.prompt_tokens, c.output_preview) == (11, "echo: hi") for c in context.calls)


# -- in a decorated function --


def test_in_a_trace(llm, client, server):
    openai_ = watch(openai_client(llm), capture_content=True)

    @client.trace("t")
    def f(text):
        answer = openai_.chat.completions.create(
            model="gpt", temperature=0.2,
            messages=[{"role": "system", "content": "Classify"}, {"role": "user", "content": text}],
        )  # fmt: skip
        return answer.choices[0].message.content

    assert f("charged twice") == "echo: charged twice"
    deliver(client)
    sent = server.trace()
    step = sent["steps"][1]
    assert isinstance(step["duration_ms"], int) and step["duration_ms"] == step["llm_call"]["latency_ms"]
    assert step["action"] == "llm_call" and step["description"] == "openai/gpt-2026"
    assert step["input_preview"] == "[system] Classify\n[user] charged twice"
    assert step["output_preview"] == "echo: charged twice"
    call = {
        "model": "gpt-2026", "provider": "openai", "prompt_tokens": 11, "completion_tokens": 7,
        "latency_ms": step["duration_ms"], "temperature": 0.2,
    }  # fmt: skip
    if not step["duration_ms"]:
        call["latency_ms"] = 0
    assert step["llm_call"] == call
    usage = sent["llm_usage"]
    assert usage["calls"] == [call] and usage["total_tokens"] == 18 and usage["api_calls_count"] == 1


def test_async_in_a_trace(llm, aclient, server):
    @aclient.trace("t")
    async def f():
        async with openai_client(llm, openai.AsyncOpenAI) as openai_:
            watch(openai_)
            await asyncio.gather(
                *(openai_.chat.completions.create(model=f"m{i}", messages=QUESTION) for i in range(3))
            )

    async def main():
        await f()
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    sent = server.trace()
    assert sorted(s["description"] for s in sent["steps"][1:]) == [f"openai/m{i}-2026" for i in range(3)]
    assert sent["llm_usage"]["total_tokens"] == 54
    assert all("input_preview" not in s and "output_preview" not in s for s in sent["steps"][1:])


def test_failed_call_that_the_function_survives(llm, client, server):
    openai_ = watch(openai_client(llm))

    @client.trace("t")
    def f():
        try:
            openai_.chat.completions.create(model="fail", messages=QUESTION)
        except openai.BadRequestError:
            return "fallback"

    assert f() == "fallback"
    deliver(client)
    sent = server.trace()
    assert "errors" not in sent
    error = sent["steps"][1]["error"]
    assert error["error_type"] == "BadRequestError" and "stack_trace" not in error
    assert sent["llm_usage"]["api_calls_count"] == 1 and "total_tokens" not in sent["llm_usage"]
