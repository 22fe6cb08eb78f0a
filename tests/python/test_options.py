"""The decorator's options, and what a traced function can say of its own trace."""

import logging

import pytest

import infinium
from conftest import traces_of
from infinium import TaskData, current_trace, trace_agent


def test_ignore_and_no_capture():
    @trace_agent("t", ignore=["b", "d"])
    def f(a, b, *rest, c=0, d=0):
        return a

    f(1, 2, 3, c=4, d=5)
    assert f.last_trace.input_summary == "{'args': (1, <ignored>, 3), 'kwargs': {'c': 4, 'd': <ignored>}}"
    bare = trace_agent("t", capture_input=False, capture_output=False)(lambda x: x)
    bare(1)
    task = bare.last_trace
    assert task.input_summary is None and task.output_summary is None and task.steps[0].output_preview is None


def test_ignore_in_methods_and_partials():
    import functools

    class C:
        @trace_agent("t", ignore="secretive")
        def method(self, secretive):
            return 1

        def __repr__(self):
            return "C()"

    C().method(5)
    assert C.method.last_trace.input_summary == "{'args': (C(), <ignored>), 'kwargs': {}}"
    f = trace_agent("t", ignore="b")(functools.partial(lambda a, b: b, 1))
    f(2)
    assert f.last_trace.input_summary == "{'args': (<ignored>,), 'kwargs': {}}"


def test_secrets_by_the_name_of_the_argument():
    @trace_agent("t")
    def login(user, password, token=None):
        return {"api_key": "x", "user": user}

    login("ann", "hunter2")
    assert login.last_trace.input_summary == "{'args': ('ann', '[masked]'), 'kwargs': {}}"
    assert login.last_trace.output_summary == "{'api_key': '[masked]', 'user': 'ann'}"


def test_secrets_in_errors():
    @trace_agent("t")
    def f():
        raise ValueError("no: sk-live-abcdef0123456789")

    with pytest.raises(ValueError):
        f()
    error = f.last_trace.errors[0]
    assert error.message == "no: [masked]" and "abcdef0123456789" not in error.stack_trace


def test_masking_switched_off(monkeypatch, server):
    options = dict(base_url=server.url + "/api/v1", enable_rate_limiting=False)
    with infinium.InfiniumClient("11111111-2222-3333-4444-555555555555", "secret-secret", mask_secrets=False, **options) as c:
        c.trace("t")(lambda password: None)("hunter2")
    assert "hunter2" in traces_of(server)[0]["input_summary"]
    monkeypatch.setenv("INFINIUM_MASK", "0")
    f = trace_agent("t")(lambda password: None)
    f("hunter2")
    assert "hunter2" in f.last_trace.input_summary


def test_mask_callable():
    @trace_agent("t", mask=lambda text: text.replace("ann", "X"))
    def f(name):
        raise ValueError("no " + name)

    with pytest.raises(ValueError, match="no ann"):
        f("ann")
    task = f.last_trace
    assert task.input_summary == "{'args': ('X',), 'kwargs': {}}" and task.errors[0].message == "no X"
    assert "ann" not in task.errors[0].stack_trace


@pytest.mark.parametrize("mask", [lambda text: 1 / 0, lambda text: None])
def test_a_mask_that_fails_masks_everything(mask):
    f = trace_agent("t", mask=mask)(lambda x: x)
    assert f("ann") == "ann"
    assert f.last_trace.input_summary == "[masked]" and f.last_trace.output_summary == "[masked]"


def test_tags_metadata_session_user():
    f = trace_agent("t", tags=["a", "b"], metadata={"k": [1, None], "password": "p"}, session_id="s", user_id="u")(lambda: 1)
    f()
    task = f.last_trace
    assert (task.tags, task.session_id, task.user_id) == (["a", "b"], "s", "u")
    assert task.metadata == {"k": [1, None], "password": "[masked]"}


def test_sample():
    seen = []

    @trace_agent("child", on_trace=seen.append)
    def child():
        current_trace().add_tag("x").set_metadata(a=1)
        return current_trace().id

    outer = trace_agent("t", sample=0.0)(lambda: child())
    assert outer() is None and outer.last_trace is None and not seen
    assert child() and len(seen) == 1
    half = trace_agent("t", sample=0.5, on_trace=seen.append)(lambda: 1)
    for _ in range(1000):
        half()
    assert 350 < len(seen) < 650
    chosen = trace_agent("t", sample=lambda x: x > 1)(lambda x: x)
    chosen(1)
    assert chosen.last_trace is None
    chosen(2)
    assert chosen.last_trace.output_summary == "2"
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError):
            trace_agent("t", sample=wrong)(lambda: 1)


def test_on_trace(client, server, caplog):
    seen = []
    f = client.trace("t", on_trace=seen.append)(lambda: 5)
    f()
    client.flush(10)
    assert isinstance(seen[0], TaskData) and seen[0].output_summary == "5" and traces_of(server)[0]["name"] == "t"

    def bad(task):
        raise RuntimeError("no")

    with caplog.at_level(logging.WARNING):
        assert client.trace("t", on_trace=bad)(lambda: 6)() == 6
        client.stats()


def test_unknown_options():
    with pytest.raises(TypeError, match="captur"):
        trace_agent("t", captur=1)
    with pytest.raises(TypeError):
        trace_agent("t", mask=1)(lambda: 1)


def test_current_trace():
    assert current_trace() is None

    @trace_agent("t")
    def f():
        trace = current_trace()
        assert trace and trace == current_trace() and trace.parent_id is None
        trace.add_tag("a", "b").score("quality", 0.5, "fine").set_input("in").set_output(["out"])
        with trace.step("search", "Search the index") as step:
            step.set_input("q").set_output("r").record_tool_call("web", duration_ms=3, http_status=200)
        with pytest.raises(ValueError), trace.step("bad"):
            raise ValueError("token=abc")
        trace.add_step("done", duration_ms=5, output=[1]).add_tool_call("calc", output_summary=2)
        return trace

    ended = f()
    assert not ended
    ended.add_tag("late")
    task = f.last_trace
    assert ended.id == task.trace_id and (task.input_summary, task.output_summary) == ("in", "['out']")
    assert task.tags == ["a", "b"] and task.scores == [{"name": "quality", "value": 0.5, "comment": "fine"}]
    execution, search, bad, done, tool = task.steps
    assert (search.action, search.input_preview, search.tool_call.http_status) == ("search", "q", 200)
    assert bad.error.message == "token=[masked]" and done.duration_ms == 5 and tool.tool_call.tool_name == "calc"


def test_current_trace_after_the_client_is_closed(server):
    client = infinium.InfiniumClient("11111111-2222-3333-4444-555555555555", "secret-secret", base_url=server.url)
    f = client.trace("t")(lambda: current_trace().add_tag("a").id)
    assert f()
    client.close(0)
    assert f() is None


def test_mask_callable_sees_metadata():
    @trace_agent("t", mask=lambda text: text.replace("ann", "X"), metadata={"who": ["ann"], "password": "ann"})
    def f(inside):
        if inside:
            current_trace().set_metadata(who={"name": "ann"}, n=1)

    f(False)
    assert f.last_trace.metadata == {"who": ["X"], "password": "[masked]"}
    f(True)
    assert f.last_trace.metadata == {"who": {"name": "X"}, "n": 1}


def test_masking_switched_off_for_what_is_set_inside(monkeypatch):
    monkeypatch.setenv("INFINIUM_MASK", "0")

    @trace_agent("t")
    def f():
        trace = current_trace()
        trace.set_metadata(password="p1").set_output("token=p2")
        with trace.step("a") as step:
            step.set_input("api_key=p3").set_metadata({"secret": "p4"})

    f()
    task = f.last_trace
    assert task.metadata == {"password": "p1"} and task.output_summary == "token=p2"
    assert task.steps[1].input_preview == "api_key=p3" and task.steps[1].metadata == {"secret": "p4"}


@pytest.mark.parametrize("count", [0, 1, 2, 100, 160, 164, 165, 166, 167, 168, 170, 174, 175, 176, 180, 400])
@pytest.mark.parametrize("keywords", [{}, {"token": "p2", "n": 1}])
def test_secrets_among_arguments_around_the_limit(count, keywords):
    """A mark is longer than its secret, so a text that has fitted may no longer fit."""

    @trace_agent("t")
    def f(*args, **kwargs):
        return None

    f(*["token=pass1"] * count, **keywords)
    text = f.last_trace.input_summary
    whole = repr({"args": ("token=[masked]",) * count, "kwargs": {**keywords, "token": "[masked]"} if keywords else {}})
    assert "pass1" not in text and "p2" not in text and len(text) <= 3000
    if len(whole) <= 3000:
        assert text == whole
    else:
        assert text.endswith("...") and text[:2900] == whole[:2900]
