"""Section 8: prompts."""

import pytest

from helpers import PROMPT, PUBLISHED, differs
from infinium import InfiniumError, PromptContent, ValidationError
from infinium.integrations import TraceContext, set_trace_context
from infinium.integrations._context import _current_trace_ctx
from recorder import Answer

STORED = {
    "promptId": PROMPT,
    "name": "Greeting",
    "version": 2,
    "content": "Hello {{who}}, {{who}} of {{place}}! {{ spaced }} {{a-b}} {{x.y}} {{}}",
    "createdAt": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def prompts(api, server):
    server.always(Answer(200, STORED))
    return lambda *args, **kwargs: api("get_prompt", *args, **kwargs)


def test_the_prompt(prompts):
    assert prompts(PROMPT, "pk") == PromptContent(
        PROMPT, "Greeting", 2, STORED["content"], "2026-01-01T00:00:00Z", None
    )


@pytest.mark.parametrize(
    "version, path", [("latest", "latest"), (1, "1"), (12, "12"), ("3", "3"), ("007", "7"), (" 4 ", "4"), ("+5", "5")]
)
def test_version(prompts, server, version, path):
    prompts(PROMPT, "pk", version)
    assert server.requests[0].path == f"/api/v1/prompts/{PROMPT}/v/{path}"


@pytest.mark.parametrize("version", [0, -1, "0", "-1", "Latest", "", "v1", "1.0", 1.5, None, [1], "latest "])
def test_bad_version(prompts, server, version):
    with pytest.raises(ValidationError) as caught:
        prompts(PROMPT, "pk", version)
    assert caught.value.field == "version"
    assert not server.requests


@differs("prompt-version-true", "True is no version")
def test_version_true(prompts, server):
    if PUBLISHED:
        prompts(PROMPT, "pk", True)
        assert server.requests[0].path.endswith("/v/True")
    else:
        with pytest.raises(ValidationError) as caught:
            prompts(PROMPT, "pk", True)
        assert caught.value.field == "version"


@pytest.mark.parametrize("prompt_id", [None, "", "x", PROMPT + "/..", 5])
def test_bad_prompt_id(prompts, server, prompt_id):
    with pytest.raises(ValidationError) as caught:
        prompts(prompt_id, "pk")
    assert caught.value.field == "prompt_id"
    assert not server.requests


@pytest.mark.parametrize("key", [None, "", "  ", "x" * 2001])
def test_bad_key(prompts, server, key):
    with pytest.raises(ValidationError) as caught:
        prompts(PROMPT, key)
    assert caught.value.field == "prompt_key"
    assert not server.requests


def test_longest_key(prompts, server):
    prompts(PROMPT, "x" * 2000)
    assert server.requests[0].header("x-prompt-key") == "x" * 2000


def test_variables(prompts):
    made = prompts(PROMPT, "pk", variables={"who": "Ann", "unused": "x"})
    assert made.rendered_content == "Hello Ann, Ann of {{place}}! {{ spaced }} {{a-b}} {{x.y}} {{}}"
    assert made.content == STORED["content"]


def test_values_are_not_rescanned_and_not_patterns(prompts):
    made = prompts(PROMPT, "pk", variables={"who": "{{place}}", "place": r"\1 \g<0>"})
    assert made.rendered_content.startswith(r"Hello {{place}}, {{place}} of \1 \g<0>!")


def test_no_variables(prompts):
    assert prompts(PROMPT, "pk").rendered_content is None
    assert prompts(PROMPT, "pk", variables={}).rendered_content == STORED["content"]


def test_word_characters_of_any_script(api, server):
    server.always(Answer(200, {**STORED, "content": "{{größe_1}}"}))
    assert api("get_prompt", PROMPT, "pk", variables={"größe_1": "L"}).rendered_content == "L"


@differs("prompt-values", "a value that is no string is shown as str() shows it")
@pytest.mark.parametrize("value, shown", [(5, "5"), (2.5, "2.5"), (True, "True")])
def test_values_that_are_no_strings(prompts, value, shown):
    if PUBLISHED:
        with pytest.raises(TypeError):
            prompts(PROMPT, "pk", variables={"who": value})
    else:
        assert prompts(PROMPT, "pk", variables={"who": value}).rendered_content.startswith(f"Hello {shown},")


def test_none_as_a_value_is_empty(prompts):
    assert prompts(PROMPT, "pk", variables={"who": None}).rendered_content.startswith("Hello ,  of")


@pytest.mark.parametrize(
    "answer, made",
    [
        ({"other": 1}, PromptContent("", "", 0, "", "")),
        ({"content": 5, "name": "x"}, PromptContent("", "x", 0, "", "")),
        ({"content": None, "version": 3}, PromptContent("", "", 3, "", "")),
    ],
)
def test_missing_keys(api, server, answer, made):
    server.always(Answer(200, answer))
    assert api("get_prompt", PROMPT, "pk") == made


@pytest.mark.parametrize("body", [None, b"", b"not json", {}])
def test_empty_answer(api, server, body):
    server.always(Answer(200, body))
    with pytest.raises(InfiniumError):
        api("get_prompt", PROMPT, "pk")


@differs("prompt-403", "a wrong key is one request, and the status is kept")
def test_wrong_key(api, server):
    api.options(max_retries=3)
    server.always(Answer(403, {"error": "wrong key"}))
    with pytest.raises(InfiniumError) as caught:
        api("get_prompt", PROMPT, "pk")
    if PUBLISHED and api.mode == "sync":
        assert len(server.requests) == 4 and caught.value.status_code is None
    else:
        assert len(server.requests) == 1 and caught.value.status_code == 403
        assert caught.value.message == "wrong key"


def test_each_call_asks_the_server(prompts, server):
    prompts(PROMPT, "pk")
    prompts(PROMPT, "pk")
    assert len(server.requests) == 2


def test_a_newer_version_is_seen_at_once(api, server):
    server.script(Answer(200, STORED), Answer(200, {**STORED, "version": 3, "content": "new"}))
    assert api("get_prompt", PROMPT, "pk").version == 2
    assert api("get_prompt", PROMPT, "pk").content == "new"


@differs("prompt-cache", "when the server is down, the last good version is served")
def test_server_down(api, server):
    server.script(Answer(200, STORED))
    api("get_prompt", PROMPT, "pk")
    server.always(Answer(503, {"error": "down"}))
    if PUBLISHED:
        with pytest.raises(InfiniumError):
            api("get_prompt", PROMPT, "pk")
    else:
        assert api("get_prompt", PROMPT, "pk").content == STORED["content"]


def test_fetch_is_recorded_in_a_trace(prompts):
    context = TraceContext()
    token = set_trace_context(context)
    try:
        prompts(PROMPT, "pk-secret", variables={"who": "Ann", "b": "c"})
        prompts(PROMPT, "pk-secret")
    finally:
        _current_trace_ctx.reset(token)
    first, second = context.prompts
    assert (first.prompt_id, first.prompt_name, first.version) == (PROMPT, "Greeting", 2)
    assert first.source == "prompt_studio" and first.variables_used == ["who", "b"]
    assert first.fetched_at.endswith("Z")
    assert second.variables_used is None
    assert "pk-secret" not in repr(context) and "Ann" not in repr(context)


def test_failed_fetch_is_not_recorded(api, server):
    context = TraceContext()
    token = set_trace_context(context)
    try:
        with pytest.raises(InfiniumError):
            api("get_prompt", PROMPT, "pk")
    finally:
        _current_trace_ctx.reset(token)
    assert context.prompts == []
