"""Direct calls, sync and async by the same tests: what is sent, what becomes of each answer, batches, waiting."""

import asyncio
import inspect
import json
import math
import socket
import threading
import time

import pytest

pytest.importorskip("infinium._core")

from infinium import AsyncInfiniumClient, InfiniumClient, exceptions, utils  # noqa: E402
from infinium.types import Customer, EnvironmentContext, ErrorDetail, ExecutionStep, General, HealthCheck, LlmUsage, TaskData  # noqa: E402
from scripted import Answer, Server  # noqa: E402

pytestmark = pytest.mark.timeout(60)

AGENT = "11111111-2222-3333-4444-555555555555"
TASK = "99999999-2222-3333-4444-555555555555"
SECRET = "secret-secret"


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Backoff in milliseconds; the journal elsewhere."""
    monkeypatch.setenv("INFINIUM_JOURNAL_DIR", str(tmp_path))
    monkeypatch.setattr(utils, "exponential_backoff", lambda attempt, *a, **k: 0.01 * 2**attempt)


@pytest.fixture(params=["sync", "async"])
def make(request):
    """Makes clients whose methods are called the same, in both worlds. Each async call has an event loop of its own."""
    made = []

    class Facade:
        def __init__(self, client):
            self.client = client

        def __getattr__(self, name):
            method = getattr(self.client, name)
            if not inspect.iscoroutinefunction(method):
                return method
            return lambda *args, **kwargs: asyncio.run(method(*args, **kwargs))

    def make(server, **options):
        cls = InfiniumClient if request.param == "sync" else AsyncInfiniumClient
        options = {"max_retries": 0, "requests_per_second": 1000, "timeout": 5, **options}
        url = server if isinstance(server, str) else server.url + "/api/v1/"
        made.append(Facade(cls(options.pop("agent_id", AGENT), SECRET, url, **options)))
        return made[-1]

    yield make
    for client in made:
        client.close(timeout=0)


def task(name="n", **more):
    return TaskData(name, "d", "2026-01-01T00:00:00Z", 1.5, **more)


# What is sent ----------------------------------------------------------------------------------------------------------


def test_request_on_the_wire(make, server):
    answer = make(server).send_task("n\u00e9", "d", 2, "2026-01-01", input_summary="", steps=[], customer={})
    assert (answer.success, answer.status_code, answer.message) == (True, 201, "stored")
    assert answer.data["traceId"] == "00000000-0000-4000-8000-000000000001"
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", f"/api/v1/agents/{AGENT}/trace")
    assert asked.headers["x-agent-id"] == AGENT and asked.headers["x-agent-key"] == SECRET
    assert asked.headers["Content-Type"] == "application/json"
    assert len(asked.headers["Idempotency-Key"]) == 32
    expected = '{"name":"n\u00e9","description":"d","current_datetime":"2026-01-01","duration":2.0,"input_summary":""}'
    assert asked.body == expected.encode()


def test_members_in_order(make, server):
    everything = task(
        customer=Customer("A"), general=General(), llm_usage=LlmUsage(model="m"), input_summary="i", output_summary="o",
        steps=[ExecutionStep(1, "a", "b")], environment=EnvironmentContext(region="r"), errors=[ErrorDetail("E", "m")],
    )  # fmt: skip
    everything.prompt_studio = {"prompts_used": []}
    make(server).send_task_data(everything)
    assert list(server.asked[0].json) == [
        "name", "description", "current_datetime", "duration", "input_summary", "output_summary", "steps", "errors",
        "llm_usage", "sections", "environment", "prompt_studio",
    ]  # fmt: skip
    assert server.asked[0].json["sections"] == {"customer": {"customer_name": "A"}}


def test_unknown_keywords_are_sent_and_logged_once(make, server, caplog, monkeypatch):
    from infinium import _api

    monkeypatch.setattr(_api, "_warned", set())
    client = make(server)
    for _ in range(2):
        client.send_task("n", "d", 1, customer={"customer_name": "A", "odd": 1}, ticket={"id": 7})
    assert server.asked[1].json["ticket"] == {"id": 7}
    assert server.asked[1].json["sections"]["customer"] == {"customer_name": "A", "odd": 1}
    assert sum("'ticket'" in record.getMessage() for record in caplog.records) == 1


def test_what_json_lacks_is_sent_all_the_same(make, server):
    make(server).send_task("n", "d", 1, input_summary="a\ud800", general={"x": math.nan, "y": {1, 1}, "z": object})
    assert server.asked[0].json["input_summary"] == "a\ufffd"
    assert server.asked[0].json["sections"]["general"] == {"x": None, "y": [1], "z": "<class 'object'>"}


def test_cjk_is_counted_in_bytes_as_sent(make, server):
    text = "\u4e2d" * 200_000
    make(server).send_task("n", "d", 1, input_summary=text)
    assert server.asked[0].json["input_summary"] == text


def test_long_texts_are_trimmed_to_fit(make, server):
    error = ErrorDetail("E", "x" * 2_000_000, stack_trace="short")
    make(server).send_task_data(task(errors=[error], output_summary="\u4e2d\n" * 400_000, input_summary="kept " * 100))
    asked = server.asked[0]
    assert 0.95 * utils.MAX_PAYLOAD_SIZE < len(asked.body) <= utils.MAX_PAYLOAD_SIZE
    assert asked.json["input_summary"] == "kept " * 100 and asked.json["errors"][0]["stack_trace"] == "short"
    message = asked.json["errors"][0]["message"]
    assert message.endswith(f"... [{2_000_000 - message.count('x')} characters trimmed]")
    assert len(error.message) == 2_000_000


def test_too_many_short_texts_are_refused(make, server):
    with pytest.raises(exceptions.ValidationError) as raised:
        make(server).send_task_data(task(steps=[ExecutionStep(i, "a" * 300, "b" * 300) for i in range(3000)]))
    assert raised.value.field is None and server.asked == []


@pytest.mark.parametrize(
    "arguments, field",
    [
        (("", "d", 1), "name"), ((None, "d", 1), "name"), (("n", " ", 1), "description"), (("n" * 501, "d", 1), "name"),
        (("n", "d" * 10_001, 1), "description"), (("n", "d", -1), "duration"), (("n", "d", 1, "nonsense"), "current_datetime"),
    ],
)  # fmt: skip
def test_refused_before_anything_is_sent(make, server, arguments, field):
    with pytest.raises(exceptions.ValidationError) as raised:
        make(server).send_task(*arguments)
    assert raised.value.field == field and server.asked == []


def test_agent_id_that_is_no_uuid(make, server):
    client = make(server, agent_id="my-agent")
    for call in (lambda: client.send_task_data(task()), lambda: client.get_interpreted_task_result(TASK), client.test_connection):
        with pytest.raises(exceptions.ValidationError) as raised:
            call()
        assert raised.value.field == "agent_id"
    assert server.asked == []


def test_send_task_data_checks_nothing_else(make, server):
    make(server).send_task_data(TaskData("", None, "yesterday", -5))
    assert server.asked[0].json == {"name": "", "description": None, "current_datetime": "yesterday", "duration": -5}


# Answers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, message, data",
    [(b"", "Success", None), (b"garbage", "Success", None), ([1, 2], "Success", None), ("text", "Success", None),
     ({"a": 1}, "Success", {"a": 1}), ({"message": "m"}, "m", {"message": "m"}), ({"message": 5}, "Success", {"message": 5}),
     (b"\xff\xfe", "Success", None), (b"[" * 100_000, "Success", None)],
)  # fmt: skip
def test_any_2xx_body_is_a_success_sent_once(make, server, body, message, data):
    server.answer = Answer(200, body)
    answer = make(server, max_retries=3).send_task_data(task())
    assert (answer.success, answer.status_code, answer.message, answer.data) == (True, 200, message, data)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "status, cls, requests",
    [(401, "AuthenticationError", 1), (404, "NotFoundError", 1), (429, "RateLimitError", 1), (500, "ServerError", 3),
     (503, "ServerError", 3), (301, "InfiniumError", 1), (400, "InfiniumError", 1), (403, "InfiniumError", 1),
     (408, "InfiniumError", 1), (413, "InfiniumError", 1), (422, "InfiniumError", 1)],
)  # fmt: skip
@pytest.mark.parametrize("body", [{"error": "because"}, [1], b"", {"error": {"code": 1}}, {"detail": "x"}])
def test_status_to_exception(make, server, status, cls, requests, body):
    server.answer = Answer(status, body)
    client = make(server, max_retries=2)
    for call in (lambda: client.send_task_data(task()), lambda: client.get_interpreted_task_result(TASK)):
        server.asked.clear()
        with pytest.raises(exceptions.InfiniumError) as raised:
            call()
        assert type(raised.value) is getattr(exceptions, cls) and raised.value.status_code == status
        assert raised.value.details == {"response_data": body if body != b"" else None}
        assert len(server.asked) == requests
    if cls == "InfiniumError":
        expected = {"because": "because", "x": f"Request failed with status {status}"}
        if body == {"error": "because"}:
            assert raised.value.message == expected["because"]
        elif body in ({"detail": "x"}, [1], b""):
            assert raised.value.message == expected["x"]


@pytest.mark.parametrize("header, seconds", [("7", 7), (None, 60), ("soon", 60), ("Wed, 21 Oct 2015 07:28:00 GMT", 60), ("-5", 0)])
def test_retry_after_of_a_429(make, server, header, seconds):
    server.answer = Answer(429, headers={"Retry-After": header} if header else {})
    with pytest.raises(exceptions.RateLimitError) as raised:
        make(server).send_task_data(task())
    assert raised.value.retry_after == seconds


def test_retries_carry_one_idempotency_key(make, server):
    server.answer = [Answer(503), Answer(hang_up=True), Answer(201, {"traceId": TASK})]
    client = make(server, max_retries=3)
    assert client.send_task_data(task()).data == {"traceId": TASK}
    keys = [asked.headers["Idempotency-Key"] for asked in server.asked]
    assert len(keys) == 3 and len(set(keys)) == 1
    client.send_task_data(task())
    assert server.asked[3].headers["Idempotency-Key"] != keys[0]
    assert len({asked.body for asked in server.asked[:3]}) == 1


def test_retry_after_is_waited_for(make, server):
    server.answer = [Answer(503, headers={"Retry-After": "1"}), Answer(201)]
    make(server, max_retries=1).send_task_data(task())
    assert server.asked[1].at - server.asked[0].at >= 1


def test_retry_after_beyond_the_total_is_not_waited_for(make, server):
    server.answer = Answer(503, headers={"Retry-After": "3600"})
    begin = time.monotonic()
    with pytest.raises(exceptions.ServerError):
        make(server, max_retries=3, timeout=1).send_task_data(task())
    assert time.monotonic() - begin < 5 and len(server.asked) == 1


def test_timeout(make, server):
    server.answer = Answer(delay=30)
    begin = time.monotonic()
    with pytest.raises(exceptions.InfiniumTimeoutError) as raised:
        make(server, timeout=0.2, max_retries=1).send_task_data(task())
    assert raised.value.timeout_duration == 0.2 and len(server.asked) == 2
    assert time.monotonic() - begin < 3


def test_an_answer_that_drips_is_bounded(make, server):
    server.answer = Answer(chunks=[b"x"] * 100, pause=0.1)
    begin = time.monotonic()
    with pytest.raises(exceptions.InfiniumTimeoutError):
        make(server, timeout=0.5).get_interpreted_task_result(TASK)
    assert 0.4 < time.monotonic() - begin < 3


def test_nobody_listens(make):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(exceptions.NetworkError) as raised:
            make(f"http://127.0.0.1:{unused.getsockname()[1]}").send_task_data(task())
    assert type(raised.value) is exceptions.NetworkError and isinstance(raised.value.original_error, OSError)


@pytest.mark.parametrize("reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"])
def test_not_an_http_answer(make, reply):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(reply)
        connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with pytest.raises(exceptions.NetworkError):
        make(f"http://127.0.0.1:{listener.getsockname()[1]}").get_interpreted_task_result(TASK)
    thread.join(5)
    listener.close()


# Other calls -----------------------------------------------------------------------------------------------------------


def test_test_connection(make, server):
    server.answer = Answer(body={"status": "healthy", "agentName": "A", "timestamp": "t"})
    assert make(server).test_connection() == HealthCheck("healthy", "A", "t")
    assert (server.asked[0].method, server.asked[0].path) == ("GET", f"/api/v1/agents/{AGENT}/health")


def test_interpreted_result(make, server):
    server.answer = Answer(body={"interpretedTraceResult": {"a": 1}})
    assert make(server).get_interpreted_task_result(f" {TASK} ").data == {"interpretedTraceResult": {"a": 1}}
    assert server.asked[0].path == f"/api/v1/agents/{AGENT}/interpreted-result/{TASK}"
    for wrong in (None, "", "x", "../x"):
        with pytest.raises(exceptions.ValidationError) as raised:
            make(server).get_interpreted_task_result(wrong)
        assert raised.value.field == "task_id"


def test_waiting_goes_on_while_pending(make, server):
    server.answer = [Answer(body={"interpretedTraceResult": None}), Answer(body=[1]), Answer(body={"interpretedTraceResult": "x"})]
    assert make(server).wait_for_interpretation(TASK, 10, 0.05).data == {"interpretedTraceResult": "x"}
    assert len(server.asked) == 3


def test_waiting_without_time_asks_once(make, server):
    server.answer = Answer(body={"interpretedTraceResult": None})
    with pytest.raises(exceptions.InfiniumTimeoutError):
        make(server).wait_for_interpretation(TASK, 0, 0)
    assert len(server.asked) == 1
    server.answer = Answer(body={"interpretedTraceResult": "x"}, delay=0.2)
    assert make(server).wait_for_interpretation(TASK, 0, 0).data == {"interpretedTraceResult": "x"}


@pytest.mark.parametrize(
    "answer",
    [Answer(body={"a": 1}), Answer(delay=30), Answer(503), Answer(503, headers={"Retry-After": "30"})],
    ids=["pending", "silent", "down", "down for long"],
)
def test_waiting_never_overshoots(make, server, answer):
    server.answer = answer
    begin = time.monotonic()
    with pytest.raises(exceptions.InfiniumTimeoutError) as raised:
        make(server, max_retries=50, timeout=20).wait_for_interpretation(TASK, 0.5, 0.2)
    assert time.monotonic() - begin < 1.5
    assert raised.value.timeout_duration == 0.5 and TASK in str(raised.value)


@pytest.mark.parametrize("status, error", [(401, "AuthenticationError"), (404, "NotFoundError")])
def test_waiting_stops_at_real_errors(make, server, status, error):
    server.answer = Answer(status)
    with pytest.raises(getattr(exceptions, error)):
        make(server).wait_for_interpretation(TASK, 10, 0.05)
    assert len(server.asked) == 1


def test_create_task_data(make, server):
    client = make(server)
    made = client.create_task_data("n", "d", "2", customer={"customer_name": "A", "odd": 1}, environment={"region": "r"}, steps=[{"a": 1}])
    assert made.customer == Customer("A") and made.customer.odd == 1 and made.environment == EnvironmentContext(region="r")
    assert made.duration == 2.0 and made.steps == [{"a": 1}] and utils.validate_iso_datetime(made.current_datetime)
    with pytest.raises(TypeError):
        client.create_task_data("n", "d", 1, nonsense=1)
    with pytest.raises(exceptions.ValidationError):
        client.create_task_data("n", "d", -1)
    assert utils.validate_iso_datetime(client.get_current_iso_datetime())


# Batches -----------------------------------------------------------------------------------------------------------------


def test_batch_is_concurrent_and_in_order(make, server):
    together, most, lock = [0], [0], threading.Lock()

    def answer(asked):
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        time.sleep(0.1)
        with lock:
            together[0] -= 1
        return Answer(201, {"message": asked.json["name"]})

    server.answer = answer
    result = make(server).send_tasks_batch([task(str(i)) for i in range(12)], max_concurrent=4)
    assert (result.successful, result.failed, result.errors) == (12, 0, [])
    assert [each.message for each in result.results] == [str(i) for i in range(12)]
    assert 2 <= most[0] <= 4


def test_batch_with_failures(make, server):
    server.answer = lambda asked: Answer(400, {"error": "bad"}) if asked.json["name"] == "1" else Answer(201)
    result = make(server).send_tasks_batch([task("0"), task("1"), task("2"), "no task"])
    assert (result.successful, result.failed) == (2, 2)
    assert [each.success for each in result.results] == [True, False, True, False]
    assert result.errors[0] == result.results[1].message == "Task '1' failed: bad"
    assert result.results[1].data == {"task_name": "1"} and result.results[1].status_code is None


def test_fail_fast_stops_and_counts(make, server):
    server.answer = lambda asked: Answer(400, {"error": "bad"}) if asked.json["name"] == "3" else Answer(201)
    with pytest.raises(exceptions.BatchError) as raised:
        make(server).send_tasks_batch([task(str(i)) for i in range(50)], max_concurrent=1, fail_fast=True)
    assert (raised.value.successful_count, raised.value.failed_count) == (3, 1)
    assert raised.value.errors == ["Task '3' failed: bad"]
    assert len(server.asked) == 4
    time.sleep(0.2)
    assert len(server.asked) == 4


def test_fail_fast_counts_what_was_under_way(make, server):
    under_way = threading.Barrier(3)

    def answer(asked):
        under_way.wait(20)
        if asked.json["name"] == "0":
            return Answer(400)
        time.sleep(0.3)
        return Answer(503 if asked.json["name"] == "1" else 201)

    server.answer = answer
    begin = time.monotonic()
    with pytest.raises(exceptions.BatchError) as raised:
        make(server, max_retries=50).send_tasks_batch([task(str(i)) for i in range(50)], max_concurrent=3, fail_fast=True)
    assert (raised.value.successful_count, raised.value.failed_count) == (1, 2)
    assert len(server.asked) == 3 and time.monotonic() - begin < 3


@pytest.mark.parametrize("tasks, most", [([], 5), (None, 5), ([1], 0), ([1], -1)])
def test_batch_refused(make, server, tasks, most):
    with pytest.raises(exceptions.ValidationError):
        make(server).send_tasks_batch(tasks, most)


# The loop and the threads ----------------------------------------------------------------------------------------------


def test_the_loop_is_never_blocked(server):
    server.answer = Answer(201, delay=0.5)

    async def main():
        client = AsyncInfiniumClient(AGENT, SECRET, server.url)
        beats = []

        async def beat():
            while True:
                beats.append(time.monotonic())
                await asyncio.sleep(0.01)

        beating = asyncio.ensure_future(beat())
        await asyncio.gather(*(client.send_task_data(task()) for _ in range(8)))
        beating.cancel()
        await client.close(0)
        return max(b - a for a, b in zip(beats, beats[1:]))

    begin = time.monotonic()
    assert asyncio.run(main()) < 0.3
    assert time.monotonic() - begin < 3


def test_cancelling_does_not_wait_for_the_answer(server):
    server.answer = Answer(201, delay=20)

    async def main():
        client = AsyncInfiniumClient(AGENT, SECRET, server.url, max_retries=0)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.send_task_data(task()), 0.2)
        await client.close(0)

    begin = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begin < 3


def test_sync_calls_let_other_threads_run(server):
    server.answer = Answer(201, delay=0.5)
    client = InfiniumClient(AGENT, SECRET, server.url)
    counted = [0]
    stop = threading.Event()

    def count():
        while not stop.wait(0.005):
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    client.send_task_data(task())
    stop.set()
    thread.join()
    client.close(0)
    assert counted[0] > 20


def test_both_clients_have_the_same_calls():
    for name in ("send_task", "send_task_data", "send_tasks_batch", "get_interpreted_task_result", "wait_for_interpretation",
                 "get_prompt", "test_connection", "create_task_data"):  # fmt: skip
        one, two = getattr(InfiniumClient, name), getattr(AsyncInfiniumClient, name)
        assert inspect.signature(one) == inspect.signature(two)
        assert inspect.iscoroutinefunction(two) == (name != "create_task_data") and not inspect.iscoroutinefunction(one)


def test_the_secret_is_in_no_log(server, caplog):
    caplog.set_level("DEBUG")
    client = InfiniumClient(AGENT, SECRET, server.url, max_retries=1, requests_per_second=100)
    client.send_task_data(task("the name"))
    server.answer = Answer(503)
    with pytest.raises(exceptions.ServerError):
        client.send_task_data(task())
    client.close(0)
    assert SECRET not in caplog.text and "the name" in caplog.text
    assert json.dumps(AGENT)[1:-1] in caplog.text
