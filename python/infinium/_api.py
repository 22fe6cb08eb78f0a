"""Direct calls: what a client asks the server and waits for, and tasks sent without a decorator.

Each call is written once, as a generator that yields what has to be waited for (`_Send`, `_Sleep`) and is resumed with
the result. `SyncApi` and `AsyncApi` drive the same generators, so both do, retry and raise the same.

A client that derives from one of them has the attributes agent_id, agent_secret, base_url, timeout, max_retries,
user_agent, verify_ssl, rate_limiter (None: no limit) and may override `_request`.
"""

from __future__ import annotations

import os
import time

from . import types, utils
from ._json import decode_any, decode_object, dumps
from ._payload import encode_task
from .exceptions import (
    AuthenticationError,
    BatchError,
    InfiniumError,
    InfiniumTimeoutError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from .types import ApiResponse, BatchResult, HealthCheck, TaskData

_DEFAULT_RETRY_AFTER = 60  # seconds, when a 429 does not say
_SHORTEST_POLL = 0.05  # seconds
_NO_LIMIT = 86_400.0  # seconds, what timeout=None comes to
_COERCED = {
    **types.SECTIONS,
    "llm_usage": types.LlmUsage,
    "expected_outcome": types.ExpectedOutcome,
    "environment": types.EnvironmentContext,
}
_TASK_FIELDS = frozenset(TaskData.__match_args__[4:])

_warned = set()  # keywords that the log has named


class _Send:
    """Yielded: send this. Resumed with (status, Retry-After, body)."""

    def __init__(self, *arguments):
        self.arguments = arguments  # method, path, headers, body, timeout


class _Sleep:
    """Yielded: wait so many seconds, or until the call is to stop."""

    def __init__(self, seconds):
        self.seconds = seconds


# Requests ------------------------------------------------------------------------------------------------------------


def _header(value, field):
    if any(character in value for character in "\r\n\0"):
        raise ValidationError(f"{field} must not contain line breaks", field=field)
    return value.encode("utf-8", "replace").decode("utf-8")


def _agent_headers(client):
    return {
        "User-Agent": _header(client.user_agent, "user_agent"),
        "x-agent-id": client.agent_id.strip(),
        "x-agent-key": _header(client.agent_secret, "agent_secret"),
        "Content-Type": "application/json",
    }


def _agent_path(client, rest):
    return f"/agents/{utils.validate_path_id(client.agent_id, 'agent_id')}/{rest}"


def _retry_after(text):
    """The header's integer of seconds, or None."""
    try:
        return max(int(text), 0)
    except (TypeError, ValueError):
        return None


def _failure(status, retry_after, body, what):
    """The exception for an answer that is no 2xx. `what` names the credentials in use."""
    data = decode_any(body)
    details = {"response_data": data}
    text = data.get("error") if isinstance(data, dict) else None
    if text is not None and not isinstance(text, str):
        text = dumps(text).decode()
    if status == 401:
        return AuthenticationError(f"Authentication failed. Check your {what}.", details=details)
    if status == 404:
        return NotFoundError(f"Resource not found: {text}" if text else "Resource not found", details=details)
    if status == 429:
        seconds = _retry_after(retry_after)
        seconds = _DEFAULT_RETRY_AFTER if seconds is None else seconds
        return RateLimitError(f"Rate limit exceeded; retry after {seconds} seconds", seconds, details)
    if 500 <= status <= 599:
        return ServerError(f"Server error {status}: {text}" if text else f"Server error {status}", status, details)
    return InfiniumError(text or f"Request failed with status {status}", status, details)


def _translated(error, timeout):
    """What went wrong on the way to the server, as one of our exceptions; the second value: whether to try again."""
    if isinstance(error, InfiniumError):
        return error, isinstance(error, NetworkError)
    if isinstance(error, TimeoutError):
        return InfiniumTimeoutError(f"No answer within {timeout} seconds", timeout_duration=timeout), True
    if isinstance(error, OSError):
        return NetworkError(f"No answer from the server: {error}", original_error=error), True
    return InfiniumError(f"The request could not be made: {type(error).__name__}: {error}"), False


def _limit(client):
    return _NO_LIMIT if client.timeout is None else client.timeout


def _exchange(client, method, path, headers, body=None, *, what="agent_id and agent_secret", retries=None, deadline=None,
              too_late=None, stop=None):  # fmt: skip
    """One call with its retries: returns (status, body) of a 2xx. `deadline` (monotonic) is never passed, `too_late` is
    raised before; once `stop` is set there are no more attempts."""
    retries = max(int(client.max_retries), 0) if retries is None else retries
    timeout = _limit(client)
    last = time.monotonic() + timeout * (retries + 1) + 10  # Retry-After is honoured until then
    attempt = 0
    while True:
        if client.rate_limiter is not None:
            due = client.rate_limiter._book()
            if deadline is not None and due > deadline:
                client.rate_limiter._give_back()
                raise too_late
            yield _Sleep(due - time.monotonic())
        limit = timeout
        if deadline is not None:
            limit = min(timeout, deadline - time.monotonic())
            if limit <= 0:
                raise too_late
        retry_after = None
        try:
            status, retry_after, answer = yield _Send(method, path, headers, body, limit)
        except Exception as error:
            failure, again = _translated(error, limit)
            if failure is not error:
                failure.__cause__ = error
        else:
            if 200 <= status <= 299:
                return status, answer
            failure, again = _failure(status, retry_after, answer, what), status >= 500
        if again and deadline is not None and time.monotonic() >= deadline:
            raise too_late from failure
        if not again or attempt >= retries or (stop is not None and stop.is_set()):
            raise failure
        delay = utils.exponential_backoff(attempt)
        seconds = _retry_after(retry_after)
        if seconds is not None:
            if deadline is None and time.monotonic() + seconds > last:
                raise failure
            delay = max(delay, seconds)
        if deadline is not None and time.monotonic() + delay >= deadline:
            raise too_late from failure
        _logger(client).debug("attempt %d failed (%s), next in %.2f s", attempt + 1, failure, delay)
        yield _Sleep(delay)
        if stop is not None and stop.is_set():
            raise failure
        attempt += 1


def _response(status, body):
    data = decode_object(body)
    message = data.get("message", "Success") if data is not None else "Success"
    return ApiResponse(True, status, message if isinstance(message, str) else "Success", data)


def _logger(client):
    logger = getattr(client, "logger", None)
    if logger is None:
        import logging

        logger = logging.getLogger(client._logger_name)
    return logger


# Calls ---------------------------------------------------------------------------------------------------------------


def _send_task_data(client, task, stop=None):
    path = _agent_path(client, "trace")
    headers = _agent_headers(client)
    trace_id = getattr(task, "trace_id", None)
    headers["Idempotency-Key"] = trace_id if _is_trace_id(trace_id) else os.urandom(16).hex()
    body = encode_task(task)
    log = _logger(client)
    log.info("sending %r to %s%s", task.name, client.base_url, path)
    response = _response(*(yield from _exchange(client, "POST", path, headers, body, stop=stop)))
    log.info("sent %r to %s%s", task.name, client.base_url, path)
    return response


def _is_trace_id(value):
    return isinstance(value, str) and len(value) == 32 and not set(value) - set("0123456789abcdef")


def _task_of(client, name, description, duration, current_datetime, others):
    utils.validate_required_field(name, "name")
    utils.validate_required_field(description, "description")
    utils.validate_string_length(name, "name", utils.MAX_NAME_LENGTH)
    utils.validate_string_length(description, "description", utils.MAX_DESCRIPTION_LENGTH)
    duration = utils.validate_duration(duration)
    if current_datetime is None:
        current_datetime = utils.get_current_iso_datetime()
    elif not utils.validate_iso_datetime(current_datetime):
        raise ValidationError("current_datetime must be ISO 8601", field="current_datetime")
    task = TaskData(name, description, current_datetime, duration)
    for key, value in others.items():
        if key not in _TASK_FIELDS and key not in _warned and len(_warned) < 1_000:
            _warned.add(key)
            _logger(client).warning("send_task: %r is not a known keyword; it is sent as it is", key)
        setattr(task, key, value)
    return task


def _send_task(client, name, description, duration, current_datetime, others):
    return (yield from _send_task_data(client, _task_of(client, name, description, duration, current_datetime, others)))


def _interpreted(client, task_id, deadline=None, too_late=None):
    utils.validate_required_field(task_id, "task_id")
    path = _agent_path(client, f"interpreted-result/{utils.validate_path_id(task_id, 'task_id')}")
    headers = _agent_headers(client)
    return _response(*(yield from _exchange(client, "GET", path, headers, deadline=deadline, too_late=too_late)))


def _score(client, trace_id, name, value, comment):
    """A score of a trace of this agent, which need not have arrived."""
    utils.validate_required_field(trace_id, "trace_id")
    text = str(trace_id).strip().lower()
    digits = text.replace("-", "")
    if len(digits) != 32 or any(c not in "0123456789abcdef" for c in digits):
        raise ValidationError("trace_id must be a UUID or 32 hexadecimal digits", field="trace_id")
    if not isinstance(name, str) or not name.strip():
        raise ValidationError("name is required", field="name")
    if len(name.encode("utf-8", "replace")) > 200:
        raise ValidationError("name must not be longer than 200 bytes", field="name")
    if not isinstance(value, (int, float)) or value != value or value in (float("inf"), float("-inf")):
        raise ValidationError("value must be a finite number", field="value")
    if comment is not None and not isinstance(comment, str):
        raise ValidationError("comment must be a string", field="comment")
    body = {"name": name, "value": float(value)}
    if comment is not None:
        body["comment"] = comment
    path = _agent_path(client, f"traces/{digits}/scores")
    return _response(*(yield from _exchange(client, "POST", path, _agent_headers(client), dumps(body))))


def _wait_for_interpretation(client, trace_id, timeout, poll_interval):
    utils.validate_required_field(trace_id, "trace_id")
    deadline = time.monotonic() + timeout
    too_late = InfiniumTimeoutError(f"No interpretation of {trace_id} within {timeout} seconds", timeout)
    pause = max(poll_interval, _SHORTEST_POLL)
    first = True
    while True:
        # The first question may take its time: with a timeout of 0 it is the only one.
        bound = max(deadline, time.monotonic() + _limit(client)) if first and timeout <= 0 else deadline
        response = yield from _interpreted(client, trace_id, bound, too_late)
        if response.data is not None and response.data.get("interpretedTraceResult"):
            return response
        first = False
        left = deadline - time.monotonic()
        if left <= 0:
            raise too_late
        yield _Sleep(min(pause, left))
        if time.monotonic() >= deadline:
            raise too_late


def _test_connection(client):
    _, body = yield from _exchange(client, "GET", _agent_path(client, "health"), _agent_headers(client))
    data = decode_object(body) or {}

    def text(key):
        value = data.get(key, "")
        return value if isinstance(value, str) else ""

    return HealthCheck(text("status"), text("agentName"), text("timestamp"))


class _Batch:
    """A batch on its way: hands out tasks, collects what became of them. Thread-safe."""

    def __init__(self, client, tasks, max_concurrent, fail_fast, stop):
        import threading

        tasks = list(tasks) if tasks is not None else []
        if not tasks:
            raise ValidationError("tasks must not be empty")
        if max_concurrent < 1:
            raise ValidationError("max_concurrent must be at least 1")
        self.client = client
        self.tasks = tasks
        self.workers = min(max_concurrent, len(tasks))
        self.fail_fast = fail_fast
        self.stop = stop
        self.results = [None] * len(tasks)
        self._next = 0
        self._lock = threading.Lock()

    def take(self):
        """The index of the next task, or None when there is none or the batch has stopped."""
        with self._lock:
            if self.stop.is_set() or self._next == len(self.tasks):
                return None
            self._next += 1
            return self._next - 1

    def failed(self, index, error):
        name = getattr(self.tasks[index], "name", None)
        text = f"Task '{name}' failed: {error}"
        _logger(self.client).error("%s", text)
        self.results[index] = ApiResponse(False, None, text, {"task_name": name})
        if self.fail_fast:
            self.stop.set()

    def outcome(self):
        """The BatchResult; BatchError when a failure has stopped the batch."""
        done = [result for result in self.results if result is not None]
        errors = [result.message for result in done if not result.success]
        successful = len(done) - len(errors)
        if self.fail_fast and errors:
            raise BatchError(
                f"Batch stopped: {successful} sent, {len(errors)} failed, {len(self.tasks) - len(done)} not tried;"
                f" first failure: {errors[0]}",
                successful,
                len(errors),
                errors,
            )
        return BatchResult(successful, len(errors), done, errors)


def _create_task_data(name, description, duration, current_datetime=None, **sections):
    for key, value in sections.items():
        if key in _COERCED:
            sections[key] = utils.coerce_section(value, _COERCED[key])
    return TaskData(
        name=name,
        description=description,
        current_datetime=utils.get_current_iso_datetime() if current_datetime is None else current_datetime,
        duration=utils.validate_duration(duration),
        **sections,
    )


class _Api:
    """What both share."""

    _logger_name = "infinium.client"

    def _request(self, method, path, headers, body, timeout):
        """Sends one request and returns (status, Retry-After or None, body). `timeout`, in seconds, bounds the whole.
        TimeoutError or another OSError when there is no answer. Lets other threads run meanwhile."""
        from . import _http

        return _http.request(self.base_url, method, path, headers, body, timeout, self.verify_ssl)

    @staticmethod
    def get_current_iso_datetime():
        """The time now: ISO 8601, UTC, microseconds, `Z`."""
        return utils.get_current_iso_datetime()

    @staticmethod
    def create_task_data(name, description, duration, current_datetime=None, **sections):
        """A TaskData for `send_task_data`. `duration` in seconds, 0 to 86,400, else ValidationError. Dicts given for
        sections, llm_usage, expected_outcome and environment become their dataclasses; keys that these do not have stay
        as attributes. TypeError for a keyword that TaskData does not have."""
        return _create_task_data(name, description, duration, current_datetime, **sections)


class SyncApi(_Api):
    """The direct calls of the synchronous client. Every method may be called from any thread.

    Raised by all that ask the server: AuthenticationError (401), NotFoundError (404), RateLimitError (429), ServerError
    (5xx, after `max_retries` further attempts), InfiniumTimeoutError and NetworkError (the same), InfiniumError (any other
    status), ValidationError before anything is sent.
    """

    def _drive(self, call, stop=None):
        try:
            wanted = next(call)
            while True:
                result = None
                if type(wanted) is _Sleep:
                    if wanted.seconds > 0:
                        (time.sleep if stop is None else stop.wait)(wanted.seconds)
                else:
                    try:
                        result = self._request(*wanted.arguments)
                    except Exception as error:
                        wanted = call.throw(error)
                        continue
                wanted = call.send(result)
        except StopIteration as end:
            return end.value

    def send_task(self, name, description, duration, current_datetime=None, **kwargs):
        """Sends one task and returns the server's ApiResponse; its id is `data["traceId"]`.

        `name` at most 500 characters, `description` 10,000, `duration` in seconds up to 86,400, `current_datetime` ISO
        8601 (default: now). Keywords: the sections, llm_usage, input_summary, output_summary, steps, expected_outcome,
        environment, errors. Any other keyword is sent as a member of that name and logged once.
        """
        return self._drive(_send_task(self, name, description, duration, current_datetime, kwargs))

    def send_task_data(self, task_data):
        """Sends a TaskData as it is; only the agent's id and the size (1 MiB, long texts are cut to fit) are checked."""
        return self._drive(_send_task_data(self, task_data))

    def send_tasks_batch(self, tasks, max_concurrent=5, fail_fast=False):
        """Sends TaskDatas, `max_concurrent` at a time. A failure becomes an ApiResponse with success False; with
        `fail_fast` it stops the batch: what has not begun is not sent, and BatchError has the counts."""
        import threading

        batch = _Batch(self, tasks, max_concurrent, fail_fast, threading.Event())
        finished = threading.Semaphore(0)

        def work():
            try:
                while (index := batch.take()) is not None:
                    try:
                        call = _send_task_data(self, batch.tasks[index], batch.stop if fail_fast else None)
                        batch.results[index] = self._drive(call, batch.stop)
                    except Exception as error:
                        batch.failed(index, error)
            finally:
                finished.release()

        for _ in range(batch.workers):
            threading.Thread(target=work, name="infinium-batch", daemon=True).start()
        try:
            for _ in range(batch.workers):
                finished.acquire()
        except BaseException:  # Control-C: begin nothing more
            batch.stop.set()
            raise
        return batch.outcome()

    def get_interpreted_task_result(self, task_id):
        """The interpretation of a trace (a UUID), as far as the server has it."""
        return self._drive(_interpreted(self, task_id))

    def wait_for_interpretation(self, trace_id, timeout=120.0, poll_interval=3.0):
        """Asks at once and then every `poll_interval` seconds until the trace is interpreted; InfiniumTimeoutError after
        `timeout` seconds. A trace that the server does not know is a NotFoundError at once."""
        return self._drive(_wait_for_interpretation(self, trace_id, timeout, poll_interval))

    def score(self, trace_id, name, value, comment=None):
        """Scores a trace of this agent, from outside of it: a number under a name. The trace need not have arrived; a later
        score of the same name replaces an earlier one. Our receiver takes it; another answers NotFoundError."""
        return self._drive(_score(self, trace_id, name, value, comment))

    def get_prompt(self, prompt_id, prompt_key, version="latest", variables=None, *, use_cache=True):
        """The prompt, rendered when `variables` is given; see the page on prompts. When the server cannot be reached the
        last good answer for the same id, key and version is served, unless `use_cache` is False."""
        from . import _prompts

        return self._drive(_prompts.get_prompt(self, prompt_id, prompt_key, version, variables, use_cache))

    def test_connection(self):
        """Asks the server for the agent's health; a HealthCheck."""
        return self._drive(_test_connection(self))


class AsyncApi(_Api):
    """The same calls as coroutines. The event loop is never blocked: requests run in a few shared threads, so a client
    may be used from several loops, one after the other or at once. Raises as `SyncApi` does."""

    _logger_name = "infinium.async_client"

    async def _arequest(self, method, path, headers, body, timeout):
        from . import _workers

        return await _workers.run(self._request, method, path, headers, body, timeout)

    async def _drive(self, call, stop=None):
        import asyncio

        try:
            wanted = next(call)
            while True:
                result = None
                if type(wanted) is _Sleep:
                    if wanted.seconds > 0 and stop is None:
                        await asyncio.sleep(wanted.seconds)
                    elif wanted.seconds > 0:
                        try:
                            await asyncio.wait_for(stop.wait(), wanted.seconds)
                        except asyncio.TimeoutError:
                            pass
                else:
                    try:
                        result = await self._arequest(*wanted.arguments)
                    except Exception as error:
                        wanted = call.throw(error)
                        continue
                wanted = call.send(result)
        except StopIteration as end:
            return end.value

    async def send_task(self, name, description, duration, current_datetime=None, **kwargs):
        """See SyncApi.send_task."""
        return await self._drive(_send_task(self, name, description, duration, current_datetime, kwargs))

    async def send_task_data(self, task_data):
        """See SyncApi.send_task_data."""
        return await self._drive(_send_task_data(self, task_data))

    async def send_tasks_batch(self, tasks, max_concurrent=5, fail_fast=False):
        """See SyncApi.send_tasks_batch."""
        import asyncio

        batch = _Batch(self, tasks, max_concurrent, fail_fast, asyncio.Event())

        async def work():
            while (index := batch.take()) is not None:
                try:
                    call = _send_task_data(self, batch.tasks[index], batch.stop if fail_fast else None)
                    batch.results[index] = await self._drive(call, batch.stop)
                except Exception as error:
                    batch.failed(index, error)

        await asyncio.gather(*(work() for _ in range(batch.workers)))
        return batch.outcome()

    async def get_interpreted_task_result(self, task_id):
        """See SyncApi.get_interpreted_task_result."""
        return await self._drive(_interpreted(self, task_id))

    async def wait_for_interpretation(self, trace_id, timeout=120.0, poll_interval=3.0):
        """See SyncApi.wait_for_interpretation."""
        return await self._drive(_wait_for_interpretation(self, trace_id, timeout, poll_interval))

    async def score(self, trace_id, name, value, comment=None):
        """See SyncApi.score."""
        return await self._drive(_score(self, trace_id, name, value, comment))

    async def get_prompt(self, prompt_id, prompt_key, version="latest", variables=None, *, use_cache=True):
        """See SyncApi.get_prompt."""
        from . import _prompts

        return await self._drive(_prompts.get_prompt(self, prompt_id, prompt_key, version, variables, use_cache))

    async def test_connection(self):
        """See SyncApi.test_connection."""
        return await self._drive(_test_connection(self))
