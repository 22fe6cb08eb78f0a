"""Section 6: what goes over HTTP, and what each answer becomes."""

import json

import pytest

import infinium
from helpers import AGENT, OURS, PROMPT, PUBLISHED, SECRET, TASK, Elapsed, differs, free_port
from infinium import (
    AuthenticationError,
    InfiniumError,
    InfiniumTimeoutError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TaskData,
)
from recorder import Answer

NOW = "2026-01-02T03:04:05Z"
CREATED = Answer(201, {"success": True, "message": "ok", "traceId": TASK})


def send(api):
    return api("send_task", "n", "d", 1)


# -- requests --


def test_path_and_method(api, server):
    send(api)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/api/v1/agents/{AGENT}/trace")


def test_headers(api, server):
    send(api)
    (request,) = server.requests
    assert request.header("x-agent-id") == AGENT
    assert request.header("x-agent-key") == SECRET
    assert request.header("content-type").split(";")[0] == "application/json"
    assert request.header("user-agent") == api.client.user_agent
    assert request.header("host") == f"127.0.0.1:{server.port}"
    assert request.header("content-encoding") is None
    assert int(request.header("content-length")) == len(request.body)
    assert request.header("accept") == "*/*"


def test_own_user_agent(api, server):
    api.options(user_agent="my-agent/7")
    send(api)
    assert server.requests[0].header("user-agent") == "my-agent/7"


def test_base_url_with_a_path(api, server):
    api.options(base_url=server.url + "/deep/er/")
    send(api)
    assert server.requests[0].path == f"/deep/er/agents/{AGENT}/trace"


def test_agent_id_in_upper_case(api, server):
    api.options(agent_id=AGENT.upper())
    send(api)
    assert server.requests[0].path.endswith(f"/agents/{AGENT.upper()}/trace")


@differs("id-spaces", "an agent id with spaces around it is stripped in the header too")
def test_agent_id_with_spaces(api, server):
    api.options(agent_id=f" {AGENT} ", max_retries=0)
    if PUBLISHED:
        with pytest.raises(Exception, match="Illegal header value"):
            send(api)
    else:
        send(api)
        assert server.requests[0].header("x-agent-id") == AGENT
        assert server.requests[0].path.endswith(f"/agents/{AGENT}/trace")


def test_connections_are_kept(api, server):
    for _ in range(3):
        send(api)
    assert len({r.peer for r in server.requests}) == 1


def full_task():
    error = infinium.ErrorDetail("E", "m", True, 2, "trace", "E42")
    return TaskData(
        "n", "d", NOW, 2.25,
        time_tracking=infinium.TimeTracking("a", "b"),
        customer=infinium.Customer("Acme"),
        support=infinium.Support(follow_up_required=False),
        sales=infinium.Sales(deal_value=0.0),
        marketing=infinium.Marketing("c"),
        content=infinium.Content(content_length=0),
        research=infinium.Research(data_sources=["x", "y"]),
        project=infinium.Project(deliverables="one"),
        development=infinium.Development(performance_metrics={"a": None}),
        executive=infinium.Executive(attendees_count=3),
        general=infinium.General(errors_encountered=[error], tags=["t"]),
        llm_usage=infinium.LlmUsage("m", "p", 1, 2, 3, 0.5, 1, 10, [infinium.LlmCall("m", temperature=0.0)]),
        input_summary="in", output_summary="out",
        steps=[
            infinium.ExecutionStep(1, "a", "b", 5, "i", "o", error, infinium.ToolCall("t", 4, http_status=200),
                                   infinium.LlmCall("m"), {"k": [1, None]}),
        ],
        expected_outcome=infinium.ExpectedOutcome("obj", ["r"], ["c"], ["a"]),
        environment=infinium.EnvironmentContext("fw", custom_tags={"a": "b"}),
        errors=[error],
    )  # fmt: skip


def test_body_in_full(api, server):
    api("send_task_data", full_task())
    error = {
        "error_type": "E", "message": "m", "recoverable": True, "retry_count": 2, "stack_trace": "trace",
        "error_code": "E42",
    }  # fmt: skip
    assert server.trace() == {
        "name": "n",
        "description": "d",
        "current_datetime": NOW,
        "duration": 2.25,
        "input_summary": "in",
        "output_summary": "out",
        "expected_outcome": {
            "task_objective": "obj", "required_deliverables": ["r"], "constraints": ["c"], "acceptance_criteria": ["a"],
        },
        "steps": [
            {
                "step_number": 1, "action": "a", "description": "b", "duration_ms": 5, "input_preview": "i",
                "output_preview": "o", "error": error,
                "tool_call": {"tool_name": "t", "duration_ms": 4, "http_status": 200},
                "llm_call": {"model": "m"}, "metadata": {"k": [1, None]},
            }
        ],
        "errors": [error],
        "llm_usage": {
            "model": "m", "provider": "p", "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
            "estimated_cost_usd": 0.5, "api_calls_count": 1, "total_latency_ms": 10,
            "calls": [{"model": "m", "temperature": 0.0}],
        },
        "sections": {
            "time_tracking": {"start_time": "a", "end_time": "b"},
            "customer": {"customer_name": "Acme"},
            "support": {"follow_up_required": False},
            "sales": {"deal_value": 0.0},
            "marketing": {"campaign_name": "c"},
            "content": {"content_length": 0},
            "research": {"data_sources": ["x", "y"]},
            "project": {"deliverables": "one"},
            "development": {"performance_metrics": {"a": None}},
            "executive": {"attendees_count": 3},
            "general": {"errors_encountered": [error], "tags": ["t"]},
        },
        "environment": {"framework": "fw", "custom_tags": {"a": "b"}},
    }  # fmt: skip


def test_order_of_the_keys(api, server):
    api("send_task_data", full_task())
    pairs = json.loads(server.requests[0].body, object_pairs_hook=list)
    assert [k for k, _ in pairs] == (
        "name description current_datetime duration input_summary output_summary expected_outcome steps errors "
        "llm_usage sections environment".split()
    )
    sections = dict(pairs)["sections"]
    assert [k for k, _ in sections] == (
        "time_tracking customer support sales marketing content research project development executive general".split()
    )


def test_empty_parts_are_absent(api, server):
    api(
        "send_task_data",
        TaskData(
            "n", "d", NOW, 0.0, customer=infinium.Customer(), general={}, llm_usage=infinium.LlmUsage(), steps=[],
            errors=[], environment=infinium.EnvironmentContext(),
        ),
    )  # fmt: skip
    assert server.trace() == {"name": "n", "description": "d", "current_datetime": NOW, "duration": 0.0}


def test_empty_summaries_are_present(api, server):
    api("send_task_data", TaskData("n", "d", NOW, 0.0, input_summary="", output_summary=""))
    assert server.trace()["input_summary"] == "" and server.trace()["output_summary"] == ""


def test_section_that_is_no_dict_is_dropped(api, server):
    api("send_task_data", TaskData("n", "d", NOW, 0.0, customer="Acme", sales=5))
    assert "sections" not in server.trace()


def test_compact_utf8(api, server):
    api("send_task", "Grüße 漢字 😀", "d", 1)
    body = server.requests[0].body
    assert "Grüße 漢字 😀".encode() in body
    assert b'", "' not in body and b'": ' not in body


@pytest.mark.parametrize("text", ['"quoted"\\', "\x00\x01\x1f\x7f", "a\nb\tc\r", "</script>", "\u2028", "e\u0301"])
def test_text_survives(api, server, text):
    api("send_task", "n " + text, "d", 1)
    assert server.trace()["name"] == "n " + text


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**63 - 1, 1e-7, 1.5e300, 0.1, True, False])
def test_numbers_survive(api, server, number):
    api("send_task", "n", "d", 1, sales={"x": number})
    assert server.trace()["sections"]["sales"]["x"] == number


def test_interpreted_result_request(api, server):
    server.script(Answer(200, {"interpretedTraceResult": 1}))
    api("get_interpreted_task_result", f" {TASK} ")
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", f"/api/v1/agents/{AGENT}/interpreted-result/{TASK}")
    assert request.header("x-agent-key") == SECRET and request.header("x-agent-id") == AGENT
    assert request.body == b""


def test_prompt_request(api, server):
    server.script(Answer(200, {"content": "x"}))
    api("get_prompt", PROMPT, "pk-123")
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", f"/api/v1/prompts/{PROMPT}/v/latest")
    assert request.header("x-prompt-id") == PROMPT and request.header("x-prompt-key") == "pk-123"
    assert request.header("x-agent-id") is None and request.header("x-agent-key") is None
    assert request.header("user-agent") == api.client.user_agent


# -- good answers --


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx(api, server, status):
    server.script(Answer(status, None if status == 204 else {"message": "fine", "x": 1}))
    response = send(api)
    assert response.success is True and response.status_code == status
    if status != 204:
        assert response.message == "fine" and response.data == {"message": "fine", "x": 1}


@pytest.mark.parametrize("body", [None, b"", b"not json", b"<html>", b'{"a": '])
def test_body_that_is_no_json(api, server, body):
    server.script(Answer(200, body))
    response = send(api)
    assert (response.success, response.status_code, response.message, response.data) == (True, 200, "Success", None)


def test_object_without_message(api, server):
    server.script(Answer(200, {"traceId": TASK}))
    response = send(api)
    assert response.message == "Success" and response.data == {"traceId": TASK}


# -- bad answers --


@pytest.mark.parametrize("body", [{"error": "why"}, None, b"<html>"])
def test_401(api, server, body):
    api.options(max_retries=2)
    server.always(Answer(401, body))
    with pytest.raises(AuthenticationError) as caught:
        send(api)
    assert caught.value.status_code == 401
    assert "agent_id and agent_secret" in caught.value.message
    assert caught.value.details == {"response_data": body if isinstance(body, dict) else None}
    assert len(server.requests) == 1


def test_401_of_a_prompt(api, server):
    server.always(Answer(401, {"error": "why"}))
    with pytest.raises(AuthenticationError) as caught:
        api("get_prompt", PROMPT, "pk")
    assert "prompt_id and prompt_key" in caught.value.message
    assert len(server.requests) == 1


def test_404(api, server):
    api.options(max_retries=2)
    server.always(Answer(404, {"error": "why"}))
    with pytest.raises(NotFoundError) as caught:
        send(api)
    assert caught.value.status_code == 404 and caught.value.details == {"response_data": {"error": "why"}}
    assert caught.value.resource_type is None and caught.value.resource_id is None
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "header, seconds", [("7", 7), (None, 60), ("soon", 60), ("Wed, 21 Oct 2026 07:28:00 GMT", 60), ("1.5", 60), ("0", 0)]
)
def test_429(api, server, header, seconds):
    api.options(max_retries=2)
    server.always(Answer(429, {"error": "slow"}, {"Retry-After": header} if header else {}))
    with Elapsed() as took, pytest.raises(RateLimitError) as caught:
        send(api)
    assert caught.value.status_code == 429 and caught.value.retry_after == seconds
    assert caught.value.details == {"response_data": {"error": "slow"}}
    assert len(server.requests) == 1 and took.s < 2


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_5xx(api, server, status):
    server.always(Answer(status, {"error": "down"}))
    with pytest.raises(ServerError) as caught:
        send(api)
    assert caught.value.status_code == status
    assert caught.value.details == {"response_data": {"error": "down"}}
    assert str(status) in caught.value.message


def test_5xx_is_retried(api, server):
    api.options(max_retries=2)
    server.script(Answer(503), Answer(500))
    assert send(api).status_code == 201
    assert len(server.requests) == 3


def test_5xx_is_retried_max_retries_times(api, server):
    api.options(max_retries=1)
    server.always(Answer(503))
    with pytest.raises(ServerError):
        send(api)
    assert len(server.requests) == 2


def test_5xx_of_a_read_is_retried(api, server):
    api.options(max_retries=1)
    server.script(Answer(503), Answer(200, {"interpretedTraceResult": 1}))
    assert api("get_interpreted_task_result", TASK).data == {"interpretedTraceResult": 1}


OTHER = [301, 302, 400, 403, 405, 408, 409, 413, 418, 422]


@pytest.mark.parametrize("status", OTHER)
@differs("sync-4xx", "the synchronous client of ours keeps the status and does not retry, as the asynchronous one")
def test_other_status(api, server, status):
    api.options(max_retries=1)
    server.always(Answer(status, {"error": "because"}, {"Location": server.url + "/elsewhere"}))
    with pytest.raises(InfiniumError) as caught:
        send(api)
    assert type(caught.value) is InfiniumError
    if PUBLISHED and api.mode == "sync":
        assert caught.value.message == "Unexpected error: because"
        assert caught.value.status_code is None and caught.value.details == {}
        assert len(server.requests) == 2
    else:
        assert caught.value.message == "because"
        assert caught.value.status_code == status
        assert caught.value.details == {"response_data": {"error": "because"}}
        assert len(server.requests) == 1
    assert all(r.path.endswith("/trace") for r in server.requests), "a redirect was followed"


@pytest.mark.parametrize("body", [{"detail": "x"}, None, b"<html>", {}])
def test_error_body_without_error(api, server, body):
    server.always(Answer(422, body))
    with pytest.raises(InfiniumError) as caught:
        send(api)
    assert caught.value.message.endswith("Request failed with status 422")


@differs("array-bodies", "an error body that is an array is an error like any other")
def test_error_body_that_is_an_array(api, server):
    server.always(Answer(422, [1, 2]))
    expected = AttributeError if PUBLISHED and api.mode == "async" else InfiniumError
    with pytest.raises(expected) as caught:
        send(api)
    if OURS:
        assert caught.value.status_code == 422 and caught.value.message == "Request failed with status 422"


@pytest.mark.parametrize("body", [[1], "text", 5])
@differs("array-bodies", "a good answer whose body is no object is still a good answer")
def test_good_answer_that_is_no_object(api, server, body):
    server.script(Answer(201, body))
    if PUBLISHED:
        with pytest.raises(InfiniumError if api.mode == "sync" else AttributeError):
            send(api)
    else:
        response = send(api)
        assert response.success and response.status_code == 201 and response.message == "Success"
        assert len(server.requests) == 1


# -- no answer --


@differs("async-network-errors", "the asynchronous client of ours raises our exceptions, not httpx's")
def test_timeout(api, server):
    api.options(timeout=0.2, max_retries=0)
    server.always(Answer(201, {}, delay=1.0))
    with Elapsed() as took, pytest.raises(Exception) as caught:
        send(api)
    assert took.s < 0.9
    if PUBLISHED and api.mode == "async":
        assert type(caught.value).__name__ == "ReadTimeout"
    else:
        assert type(caught.value) is InfiniumTimeoutError
        assert caught.value.timeout_duration == 0.2 and caught.value.status_code is None


def test_timeout_is_retried(api, server):
    api.options(timeout=0.3, max_retries=1)
    server.script(Answer(201, {}, delay=1.0))
    assert send(api).status_code == 201
    assert len(server.requests) == 2
    assert server.requests[0].body == server.requests[1].body


@differs("async-network-errors", "the asynchronous client of ours raises our exceptions, not httpx's")
def test_refused(api, server):
    api.options(base_url=f"http://127.0.0.1:{free_port()}", max_retries=0)
    with pytest.raises(Exception) as caught:
        send(api)
    if PUBLISHED and api.mode == "async":
        assert type(caught.value).__name__ == "ConnectError"
    else:
        assert type(caught.value) is NetworkError
        assert isinstance(caught.value.original_error, Exception)


@differs("hang-up", "a connection that closes without an answer is a NetworkError")
def test_hang_up(api, server):
    server.always(Answer(hangup=True))
    with pytest.raises(Exception) as caught:
        send(api)
    if PUBLISHED and api.mode == "async":
        assert type(caught.value).__name__ == "RemoteProtocolError"
    elif PUBLISHED:
        assert type(caught.value) is InfiniumError and caught.value.message.startswith("Unexpected error: Server disc")
    else:
        assert type(caught.value) is NetworkError


@differs("hang-up", "a connection that closes without an answer is retried in both clients")
def test_hang_up_is_retried(api, server):
    api.options(max_retries=1)
    server.script(Answer(hangup=True), CREATED)
    if PUBLISHED and api.mode == "async":
        with pytest.raises(Exception):
            send(api)
        return
    assert send(api).data["traceId"] == TASK
    assert len(server.requests) == 2


# -- retries --


@differs("idempotency-key", "a retried POST carries the same Idempotency-Key, so that it is stored once")
def test_idempotency_key(api, server):
    api.options(max_retries=1)
    server.script(Answer(503))
    send(api)
    send(api)
    keys = [r.header("idempotency-key") for r in server.requests]
    if PUBLISHED:
        assert keys == [None] * 3
    else:
        assert keys[0] and keys[0] == keys[1] != keys[2]
        assert len(keys[0]) == 32 and int(keys[0], 16) >= 0


def test_backoff(api, server):
    """0.75 to 1.25 s before the first further attempt in the published client (here a tenth of it)."""
    api.options(max_retries=1)
    server.script(Answer(503))
    send(api)
    first, second = (r.at for r in server.requests)
    assert 0.05 < second - first < 2.0 if PUBLISHED else second - first < 2.0


# -- get_prompt --


@differs("prompt-5xx", "get_prompt retries 5xx in both clients")
def test_5xx_of_a_prompt(api, server):
    api.options(max_retries=1)
    server.script(Answer(503, {"error": "down"}), Answer(200, {"content": "x"}))
    if PUBLISHED and api.mode == "sync":
        with pytest.raises(ServerError):
            api("get_prompt", PROMPT, "pk")
        assert len(server.requests) == 1
    else:
        assert api("get_prompt", PROMPT, "pk").content == "x"
        assert len(server.requests) == 2


@pytest.mark.parametrize("status, error", [(404, NotFoundError), (429, RateLimitError)])
def test_errors_of_a_prompt(api, server, status, error):
    server.always(Answer(status, {"error": "x"}))
    with pytest.raises(error):
        api("get_prompt", PROMPT, "pk")


# -- what the client must not do --


def test_no_request_before_the_first_call(make_client, make_async, server):
    make_client()
    make_async()
    assert not server.wait(1, 0.2)


def test_one_request_a_task(api, server):
    for i in range(3):
        api("send_task", f"t{i}", "d", 1)
    assert [r.path for r in server.requests] == [f"/api/v1/agents/{AGENT}/trace"] * 3
    assert all(isinstance(t, dict) for t in server.traces)


@differs("extra-headers", "ours sends two more headers with a trace, which a server that does not know them ignores")
def test_header_names(api, server):
    send(api)
    names = {name.lower() for name, _ in server.requests[0].headers}
    usual = {
        "host", "accept", "accept-encoding", "connection", "user-agent", "x-agent-id", "x-agent-key", "content-type",
        "content-length",
    }  # fmt: skip
    more = names - usual
    assert not more if PUBLISHED else more <= {"idempotency-key", "infinium-extra"}


def test_the_secret_is_in_its_header_only(api, server):
    send(api)
    (request,) = server.requests
    assert SECRET not in request.path and SECRET.encode() not in request.body
    assert [n.lower() for n, v in request.headers if SECRET in v] == ["x-agent-key"]
