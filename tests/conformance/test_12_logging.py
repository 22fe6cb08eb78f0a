"""Section 12: logging."""

import logging
import subprocess
import sys

import pytest

import infinium
from helpers import AGENT, SECRET, deliver
from infinium import InfiniumError, TaskData
from recorder import Answer

NOW = "2026-01-02T03:04:05Z"


def names(caplog, level):
    return {r.name for r in caplog.records if r.levelno == level}


def test_info_before_and_after_a_send(api, server, caplog):
    caplog.set_level(logging.INFO, "infinium")
    api("send_task", "My task", "d", 1)
    logger = "infinium.client" if api.mode == "sync" else "infinium.async_client"
    messages = [r.getMessage() for r in caplog.records if r.name == logger and r.levelno == logging.INFO]
    assert len(messages) == 2
    assert "My task" in messages[0] and f"{server.base_url}/agents/{AGENT}/trace" in messages[0]
    assert "My task" in messages[1]


def test_debug_for_each_retry(api, server, caplog):
    caplog.set_level(logging.DEBUG, "infinium")
    api.options(max_retries=1)
    server.script(Answer(503))
    api("send_task", "n", "d", 1)
    debug = [r for r in caplog.records if r.name.startswith("infinium.") and r.levelno == logging.DEBUG]
    assert len(debug) == 1


def test_error_for_each_failed_batch_item(api, server, caplog):
    caplog.set_level(logging.ERROR, "infinium")
    server.always(Answer(401, {"error": "x"}))
    result = api("send_tasks_batch", [TaskData("a", "d", NOW, 1.0), TaskData("b", "d", NOW, 1.0)])
    logged = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert sorted(logged) == sorted(result.errors) and len(logged) == 2


def test_the_secret_is_never_logged(api, server, caplog):
    caplog.set_level(logging.DEBUG)
    api("send_task", "n", "d", 1)
    server.always(Answer(401, {"error": "x"}))
    with pytest.raises(InfiniumError):
        api("send_task", "n", "d", 1)
    api("send_tasks_batch", [TaskData("a", "d", NOW, 1.0)])
    assert SECRET not in caplog.text


def test_a_decorated_call_logs_no_warning(client, server, caplog):
    caplog.set_level(logging.WARNING, "infinium")
    client.trace("t")(lambda: 1)()
    deliver(client)
    assert not [r for r in caplog.records if r.name.startswith("infinium")]


def test_unknown_client_is_a_warning_of_the_integrations(caplog):
    caplog.set_level(logging.WARNING, "infinium")
    infinium.watch(object())
    assert names(caplog, logging.WARNING) == {"infinium.integrations"}


def run(program, tmp_path):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done


def test_setup_logging(tmp_path):
    program = """
import logging, infinium
infinium.setup_logging("debug")
assert logging.getLogger().level == logging.DEBUG
logging.getLogger("infinium.client").debug("hello")
"""
    err = run(program, tmp_path).stderr
    assert " - infinium.client - DEBUG - hello" in err


def test_setup_logging_format(tmp_path):
    program = """
import logging, infinium
infinium.setup_logging(format_string="<%(message)s>")
assert logging.getLogger().level == logging.INFO
logging.getLogger("x").info("hello")
logging.getLogger("x").debug("not this")
"""
    assert run(program, tmp_path).stderr == "<hello>\n"


def test_setup_logging_bad_level():
    with pytest.raises(AttributeError):
        infinium.setup_logging("LOUD")


@pytest.mark.parametrize("cls", ["InfiniumClient", "AsyncInfiniumClient"])
def test_enable_logging(tmp_path, cls):
    program = f"""
import logging, infinium
infinium.{cls}("abc-agent", "12345678", enable_logging=True, log_level="warning")
assert logging.getLogger().level == logging.WARNING
assert logging.getLogger().handlers
"""
    run(program, tmp_path)


def test_no_logging_by_default(tmp_path):
    program = f"""
import logging, infinium
infinium.InfiniumClient("{AGENT}", "12345678")
assert not logging.getLogger().handlers
assert logging.getLogger("infinium").level == logging.NOTSET
"""
    done = run(program, tmp_path)
    assert done.stdout == done.stderr == ""
