"""The whole path: a decorated function in one process, its trace in the receiver, found by the command line."""

import sys

from conftest import ROOT


def test_sync_async_and_error(receiver, program):
    done = program.run(
        """
        import asyncio
        from infinium import AsyncInfiniumClient, InfiniumClient, async_trace_agent, trace_agent

        client = InfiniumClient()

        @client.trace("Sync")
        def classify(text, tone="plain"):
            "What it does."
            return {"text": text}

        @client.trace("Async")
        async def classify_async(text):
            await asyncio.sleep(0.01)
            return text.upper()

        @trace_agent("Risky", client)
        def risky():
            raise ValueError("something went wrong")

        assert classify("hello", tone="formal") == {"text": "hello"}
        assert asyncio.run(classify_async("hello")) == "HELLO"
        try:
            risky()
        except ValueError as error:
            assert str(error) == "something went wrong"
        else:
            raise SystemExit("the exception did not arrive")

        async def other():
            async_client = AsyncInfiniumClient()

            @async_trace_agent("Standalone", async_client)
            async def moderate(content):
                return None

            assert await moderate("x") is None
            result = await async_client.flush()
            assert result.pending == 0, result
            await async_client.close()

        asyncio.run(other())
        result = client.flush()
        assert (result.delivered, result.pending, result.lost) == (3, 0, 0), result
        client.close()
        """
    )
    assert done.stderr == ""
    receiver.wait_for_count(4)

    (sync,) = receiver.ls("--name", "Sync")
    assert sync["status"] == "ok"
    assert 0 <= sync["duration_s"] < 5
    assert sync["started_at"].endswith("Z")
    whole = receiver.show(sync["trace_id"])
    assert whole["input_summary"] == "{'args': ('hello',), 'kwargs': {'tone': 'formal'}}"
    assert whole["output_summary"] == "{'text': 'hello'}"
    assert whole["description"] == "What it does."
    assert whole["steps"][0]["description"] == "Execute classify"
    assert whole["environment"]["python_version"] == ".".join(map(str, sys.version_info[:3]))

    (asynchronous,) = receiver.ls("--name", "Async")
    assert asynchronous["duration_s"] >= 0.01
    (risky,) = receiver.ls("--status", "error")
    assert (risky["name"], risky["error_type"]) == ("Risky", "ValueError")
    error = receiver.show(risky["trace_id"])["errors"][0]
    assert error["message"] == "something went wrong"
    assert "in risky" in error["stack_trace"]


def test_nested_traces_know_their_parent(receiver, program):
    program.run(
        """
        from infinium import InfiniumClient
        client = InfiniumClient()

        @client.trace("Outer")
        def outer():
            return inner() + inner()

        @client.trace("Inner")
        def inner():
            return 1

        assert outer() == 2
        client.close()
        """
    )
    receiver.wait_for_count(3)
    (outer,) = receiver.ls("--name", "Outer")
    assert outer["parent_id"] is None
    assert [t["parent_id"] for t in receiver.ls("--name", "Inner")] == [outer["trace_id"]] * 2


def test_watched_calls_with_and_without_streaming(receiver, program):
    program.run(
        f"""
        import asyncio, sys
        sys.path.insert(0, {str(ROOT / "examples")!r})
        from openai import AsyncOpenAI, OpenAI
        from scripted_openai import ScriptedOpenAI
        from infinium import InfiniumClient
        from infinium.integrations import watch

        client = InfiniumClient()
        with ScriptedOpenAI() as server:
            openai = watch(OpenAI(api_key="scripted", base_url=server.base_url))
            async_openai = watch(AsyncOpenAI(api_key="scripted", base_url=server.base_url))
            question = dict(model="gpt-4o", messages=[{{"role": "user", "content": "sub-task"}}])
            streamed = dict(question, stream=True, stream_options={{"include_usage": True}})

            @client.trace("Plain")
            def plain():
                return openai.chat.completions.create(**question).choices[0].message.content

            @client.trace("Streamed")
            def stream():
                chunks = openai.chat.completions.create(**streamed)
                return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

            @client.trace("Async streamed")
            async def async_stream():
                text = ""
                async for chunk in await async_openai.chat.completions.create(**streamed):
                    if chunk.choices:
                        text += chunk.choices[0].delta.content or ""
                return text

            assert plain() == stream() == asyncio.run(async_stream())
        client.close()
        """
    )
    receiver.wait_for_count(3)
    for summary in receiver.ls():
        assert summary["llm_calls"] == 1, summary
        assert summary["prompt_tokens"] > 0 and summary["completion_tokens"] > 0, summary
        call = receiver.show(summary["trace_id"])["steps"][1]
        assert call["action"] == "llm_call"
        assert call["llm_call"]["provider"] == "openai"
        assert call["llm_call"]["model"].startswith("gpt-4o")
        assert call["llm_call"]["latency_ms"] >= 25  # the script's first token takes 30 ms


def test_auto_send_off_sends_nothing(receiver, program):
    program.run(
        """
        from infinium import InfiniumClient
        client = InfiniumClient()

        @client.trace("Draft", auto_send=False)
        def draft(text):
            return text

        @client.trace("Sent")
        def sent(text):
            return text

        assert draft("a") == sent("a") == "a"
        client.close()
        """
    )
    receiver.wait_for_count(1)
    assert [t["name"] for t in receiver.ls()] == ["Sent"]


def test_client_of_a_function_is_flushed_at_the_end(receiver, program):
    program.run(
        """
        from infinium import InfiniumClient

        def main():
            client = InfiniumClient()

            @client.trace("Local")
            def f(x):
                return x

            for i in range(50):
                f(i)

        main()
        """
    )
    assert receiver.count("--name", "Local") == 50
