"""get_prompt: what is asked, rendering, what is served when the server is down, what a trace remembers."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("infinium._core")

from infinium import AsyncInfiniumClient, InfiniumClient, _prompts, exceptions, utils  # noqa: E402
from infinium.integrations import TraceContext, set_trace_context  # noqa: E402
from infinium.types import PromptContent  # noqa: E402
from scripted import Answer, Server  # noqa: E402

pytestmark = pytest.mark.timeout(60)

AGENT = "11111111-2222-3333-4444-555555555555"
PROMPT = "99999999-2222-3333-4444-555555555555"
STORED = {"promptId": PROMPT, "name": "Greeting", "version": 2, "content": "Hi {{who}}, {{unknown}}", "createdAt": "t"}


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv("INFINIUM_JOURNAL_DIR", str(tmp_path))
    monkeypatch.setattr(utils, "exponential_backoff", lambda attempt, *a, **k: 0.01)


@pytest.fixture
def server():
    with Server(Answer(body=STORED)) as server:
        yield server


@pytest.fixture(params=[InfiniumClient, AsyncInfiniumClient])
def get(request, server):
    client = request.param(AGENT, "secret-secret", server.url, max_retries=2, requests_per_second=1000, timeout=5)

    def get(*args, **kwargs):
        answer = client.get_prompt(*args, **kwargs)
        return answer if isinstance(answer, PromptContent) else asyncio.run(answer)

    yield get
    closed = client.close(0)
    if asyncio.iscoroutine(closed):
        asyncio.run(closed)


def test_request_and_answer(server, get):
    assert get(f" {PROMPT} ", "key") == PromptContent(PROMPT, "Greeting", 2, STORED["content"], "t", None)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("GET", f"/prompts/{PROMPT}/v/latest")
    assert (asked.headers["x-prompt-id"], asked.headers["x-prompt-key"]) == (PROMPT, "key")
    assert asked.headers["x-agent-key"] is None and asked.headers["Content-Type"] is None


@pytest.mark.parametrize("version, sent", [("latest", "latest"), (3, "3"), (" 3 ", "3"), ("007", "7")])
def test_versions(server, get, version, sent):
    get(PROMPT, "key", version)
    assert server.asked[0].path.endswith(f"/v/{sent}")


@pytest.mark.parametrize("version", [True, False, 0, -1, "0", "x", "", None, 2.0, "Latest", " latest ", "9" * 5000])
def test_versions_refused(server, get, version):
    with pytest.raises(exceptions.ValidationError) as raised:
        get(PROMPT, "key", version)
    assert raised.value.field == "version" and server.asked == []


@pytest.mark.parametrize(
    "prompt, key, field",
    [("x", "key", "prompt_id"), (None, "key", "prompt_id"), ("../" + PROMPT, "key", "prompt_id"), (PROMPT, None, "prompt_key"),
     (PROMPT, "  ", "prompt_key"), (PROMPT, 5, "prompt_key"), (PROMPT, "x" * 2001, "prompt_key"), (PROMPT, "a\r\nb: c", "prompt_key")],
)  # fmt: skip
def test_refused(server, get, prompt, key, field):
    with pytest.raises(exceptions.ValidationError) as raised:
        get(prompt, key)
    assert raised.value.field == field and server.asked == []


def test_rendering(get):
    assert get(PROMPT, "key", variables={"who": "Ann"}).rendered_content == "Hi Ann, {{unknown}}"
    assert get(PROMPT, "key", variables={"who": 5}).rendered_content == "Hi 5, {{unknown}}"
    assert get(PROMPT, "key", variables={}).rendered_content == STORED["content"]
    assert get(PROMPT, "key").rendered_content is None
    with pytest.raises(exceptions.ValidationError) as raised:
        get(PROMPT, "key", variables="who")
    assert raised.value.field == "variables"


@pytest.mark.parametrize(
    "content, variables, expected",
    [("{{a}}{{b}}", {"a": "{{b}}", "b": "x"}, "{{b}}x"), ("{{ a }} {a} {{a b}}", {"a": "x"}, "{{ a }} {a} {{a b}}"),
     ("{{a}}", {"a": r"\1\g<0>"}, r"\1\g<0>"), ("{{\u00e9}}", {"\u00e9": None}, ""), ("{{{a}}}", {"a": "x"}, "{x}")],
)  # fmt: skip
def test_render(content, variables, expected):
    assert _prompts.render(content, variables) == expected


@given(st.text(), st.dictionaries(st.from_regex(r"\w+", fullmatch=True), st.text()))
def test_render_replaces_each_name_and_nothing_else(between, variables):
    between = between.replace("{", "").replace("}", "")
    content = between + "".join(f"{{{{{name}}}}}{between}" for name in variables)
    assert _prompts.render(content, variables) == between + "".join(f"{value}{between}" for value in variables.values())


@pytest.mark.parametrize("body", [b"", b"garbage", [1], {}, "text", 5])
def test_answers_without_a_prompt(server, get, body):
    server.answer = Answer(body=body)
    with pytest.raises(exceptions.InfiniumError):
        get(PROMPT, "key")


def test_missing_members(server, get):
    server.answer = Answer(body={"content": 5, "version": "2", "x": 1})
    assert get(PROMPT, "key") == PromptContent("", "", 0, "", "", None)


def test_last_good_version_when_the_server_is_down(server, get):
    get(PROMPT, "key", variables={"who": "Ann"})
    for answer in (Answer(503), Answer(hang_up=True), Answer(429)):
        server.answer = answer
        server.asked.clear()
        assert get(PROMPT, "key", variables={"who": "Bob"}).rendered_content == "Hi Bob, {{unknown}}"
        assert len(server.asked) == 1


def test_cache_is_a_fallback_only(server, get):
    get(PROMPT, "key")
    server.answer = Answer(body={**STORED, "version": 3})
    assert get(PROMPT, "key").version == 3
    server.answer = Answer(503)
    assert get(PROMPT, "key").version == 3


def test_cache_needs_the_same_id_key_and_version(server, get):
    get(PROMPT, "key")
    server.answer = Answer(503)
    for arguments in ((AGENT, "key"), (PROMPT, "other"), (PROMPT, "key", 2)):
        with pytest.raises(exceptions.ServerError):
            get(*arguments)


def test_cache_can_be_left_out(server, get):
    get(PROMPT, "key", use_cache=False)
    server.answer = Answer(503)
    server.asked.clear()
    with pytest.raises(exceptions.ServerError):
        get(PROMPT, "key")
    assert len(server.asked) == 3
    server.answer = Answer(body=STORED)
    get(PROMPT, "key")
    server.answer = Answer(503)
    with pytest.raises(exceptions.ServerError):
        get(PROMPT, "key", use_cache=False)


@pytest.mark.parametrize("status, cls", [(401, "AuthenticationError"), (403, "InfiniumError"), (404, "NotFoundError")])
def test_a_refusal_is_never_covered_by_the_cache(server, get, status, cls):
    get(PROMPT, "key")
    server.answer = Answer(status, {"error": "no"})
    server.asked.clear()
    with pytest.raises(exceptions.InfiniumError) as raised:
        get(PROMPT, "key")
    assert type(raised.value) is getattr(exceptions, cls) and raised.value.status_code == status
    assert len(server.asked) == 1


def test_the_cache_is_bounded_and_keeps_what_is_used(server, monkeypatch):
    monkeypatch.setattr(_prompts, "CACHE_SIZE", 3)
    client = InfiniumClient(AGENT, "secret-secret", server.url, max_retries=0, requests_per_second=1000)
    for version in (1, 2, 3, 1, 4):
        client.get_prompt(PROMPT, "key", version)
    assert len(client._prompt_cache) == 3
    server.answer = Answer(503)
    for version in (1, 3, 4):
        client.get_prompt(PROMPT, "key", version)
    with pytest.raises(exceptions.ServerError):
        client.get_prompt(PROMPT, "key", 2)
    client.close(0)


def test_many_threads(server):
    client = InfiniumClient(AGENT, "secret-secret", server.url, max_retries=0, requests_per_second=100_000)
    failures = []

    def work(number):
        try:
            for version in range(1, 11):
                assert client.get_prompt(PROMPT, f"key{number % 2}", version).name == "Greeting"
        except Exception as error:
            failures.append(error)

    client.rate_limiter.burst_size = client.rate_limiter.tokens = 1000
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close(0)
    assert failures == [] and len(client._prompt_cache) == 20


def test_a_trace_remembers_the_fetch_without_key_and_values(server, get):
    context = TraceContext()
    token = set_trace_context(context)
    try:
        get(PROMPT, "the-key", variables={"who": "the-value"})
        server.answer = Answer(503)
        get(PROMPT, "the-key")
    finally:
        token.var.reset(token)
    first, second = context.prompts
    assert (first.prompt_id, first.prompt_name, first.version, first.source) == (PROMPT, "Greeting", 2, "prompt_studio")
    assert first.variables_used == ["who"] and second.variables_used is None
    assert utils.validate_iso_datetime(first.fetched_at)
    assert "the-key" not in repr(context) and "the-value" not in repr(context)
