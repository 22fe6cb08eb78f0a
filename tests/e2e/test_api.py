"""The reading API of a real receiver: filters, pages, trees, exports and what bad questions get."""

import csv
import http.client
import io
import json
import re
import subprocess
import threading
import time
import urllib.parse

import pytest

from conftest import COMMAND, ROOT, Receiver, clean_environment, infinium, request, wait_for

START = "2026-11-23T10:00:00Z"


def hex_id(number):
    return f"{number:032x}"


class Api:
    """One receiver, one agent, and a key."""

    def __init__(self, receiver, agent, token="admin.token"):
        self.receiver, self.agent = receiver, agent
        self.headers = {"Authorization": "Bearer " + (receiver.data / token).read_text().strip()}

    def ask(self, path, body=None, method=None, **headers):
        return request(self.receiver.base_url + path, body, {**self.headers, **headers}, method)

    def get(self, path, **parameters):
        if parameters:
            path += "?" + urllib.parse.urlencode({key.rstrip("_"): value for key, value in parameters.items()})
        status, _headers, body = self.ask(path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def refused(self, path):
        status, _headers, body = self.ask(path)
        assert 400 <= status < 500, (path, status, body)
        return status, json.loads(body)["error"]

    def ids(self, **parameters):
        return [int(trace["trace_id"], 16) for trace in self.get("/traces", **parameters)["traces"]]

    def send(self, *traces):
        """By the batch wire; a trace's number is its id and the second that it starts in."""
        lines = []
        for number, members in traces:
            line = {"name": "n", "started_at": f"2026-11-23T10:{number // 60:02d}:{number % 60:02d}Z", "duration_ns": 10**9}
            lines.append(json.dumps({"trace_id": hex_id(number), **line, **members}))
        keys = {"x-agent-id": self.agent["agent_id"], "x-agent-key": self.agent["agent_secret"]}
        path = f"/agents/{self.agent['agent_id']}/traces"
        status, _headers, body = request(self.receiver.base_url + path, "\n".join(lines).encode(), keys)
        assert status == 200 and json.loads(body)["rejected"] == [], body


@pytest.fixture
def api(receiver, agent):
    return Api(receiver, agent)


def call(model, prompt=1, completion=1, **more):
    step = {"step_number": 1, "action": "llm_call", "llm_call": {"model": model, "prompt_tokens": prompt, "completion_tokens": completion, **more}}
    return {"steps": [step]}


# ---- the list ----


def test_filters(api):
    other = Api(api.receiver, api.receiver.create_agent("Other"))
    api.send(
        (1, {"name": "one", "tags": ["a", "b"], "session_id": "s1", "user_id": "u1"}),
        (2, {"name": "two", "status": "error", "errors": [{"error_type": "ValueError", "message": "zebra stripes"}]}),
        (3, {"name": "one", "status": "running", "session_id": "s1", **call("gpt-4o")}),
        (4, {"name": "été", "duration_ns": 2500 * 10**6, "tags": ["a"], "parent_id": hex_id(1)}),
        (5, {"name": "one", "input_summary": "the quick brown fox", "output_summary": "jumps over the zebra"}),
    )
    other.send((6, {"name": "one", "user_id": "u1"}))
    cases = [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"agent": api.agent["agent_id"]}, [5, 4, 3, 2, 1]),
        ({"name": "one"}, [6, 5, 3, 1]),
        ({"name": "été"}, [4]),
        ({"status": "error"}, [2]),
        ({"status": "running"}, [3]),
        ({"status": "ok", "name": "one"}, [6, 5, 1]),
        ({"status": "interrupted"}, []),
        ({"from_": "2026-11-23T10:00:03Z"}, [6, 5, 4, 3]),
        ({"from_": "2026-11-23T10:00:03Z", "to": "2026-11-23T12:00:05+02:00"}, [4, 3]),
        ({"min_duration": "1.5"}, [4]),
        ({"max_duration": "1.5"}, [6, 5, 3, 2, 1]),
        ({"min_duration": "2.5", "max_duration": "2.5"}, [4]),
        ({"model": "gpt-4o"}, [3]),
        ({"model": "gpt"}, []),
        ({"tag": "a"}, [4, 1]),
        ({"tag": "b"}, [1]),
        ({"tag": "ab"}, []),
        ({"session": "s1"}, [3, 1]),
        ({"user": "u1"}, [6, 1]),
        ({"user": "u1", "agent": other.agent["agent_id"]}, [6]),
        ({"q": "fox"}, [5]),
        ({"q": "ZEBRA"}, [5, 2]),
        ({"q": "quick zebra"}, [5]),
        ({"q": "nothing like this"}, []),
        ({"q": "zebra", "status": "error"}, [2]),
        ({"parent": hex_id(1)}, [4]),
        ({"parent": hex_id(2)}, []),
        ({"limit": "2"}, [6, 5]),
    ]
    for parameters, expected in cases:
        assert api.ids(**parameters) == expected, parameters


def test_a_summary_has_what_the_document_says(api):
    usage = {"cached_tokens": 30, "cache_write_tokens": 5, "reasoning_tokens": 7}
    api.send((1, {"tags": ["x", "ü\"\\"], "session_id": "s", "user_id": "u", "scores": [{"name": "good", "value": 1}], **call("gpt-4o", 100, 20, **usage)}))
    listed = api.get("/traces")["traces"][0]
    assert listed["tags"] == ["x", "ü\"\\"] and listed["session_id"] == "s" and listed["user_id"] == "u"
    assert (listed["prompt_tokens"], listed["completion_tokens"], listed["llm_calls"], listed["model"]) == (100, 20, 1, "gpt-4o")
    assert (listed["cached_tokens"], listed["cache_write_tokens"], listed["reasoning_tokens"]) == (30, 5, 7)
    assert listed["duration_s"] == 1.0 and listed["started_at"] == "2026-11-23T10:00:01.000000000Z"
    document = json.loads(api.ask("/openapi.json")[2])
    assert set(listed) == set(document["components"]["schemas"]["Summary"]["properties"])
    shown = api.get("/traces/" + hex_id(1))
    assert all(shown[key] == listed[key] for key in listed)
    assert [(score["name"], score["value"]) for score in shown["scores"]] == [("good", 1)]
    assert shown["steps"][0]["action"] == "llm_call" and shown["received_at"] > START
    uuid = "00000000-0000-0000-0000-000000000001"
    assert api.get("/traces/" + uuid) == shown


def test_pages_stay_put_while_traces_arrive(api):
    """Old traces come once each and in order, whatever is stored between two pages, also at their own instants."""
    before = list(range(1, 201))
    api.send(*[(number, {"started_at": f"2026-11-23T10:00:{number // 20:02d}Z"}) for number in before])
    stop = threading.Event()

    def arrive():
        number = 1000
        while not stop.is_set():
            api.send(*[(number + k, {"started_at": f"2026-11-23T10:00:{k:02d}Z"}) for k in range(10)])
            number += 10

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        seen, cursor = [], None
        while True:
            page = api.get("/traces", limit=7, **({"cursor": cursor} if cursor else {}))
            seen += [(trace["started_at"], trace["trace_id"]) for trace in page["traces"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    finally:
        stop.set()
        thread.join()
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(seen)
    assert {hex_id(number) for number in before} <= {trace_id for _start, trace_id in seen}


@pytest.mark.parametrize("filters", [{"q": "word"}, {"tag": "t"}, {"session": "s"}, {"min_duration": "0.5"}, {"status": "error"}, {"parent": hex_id(999)}])
def test_pages_of_each_filter_join(api, filters):
    members = {"input_summary": "a word", "tags": ["t"], "session_id": "s", "status": "error", "parent_id": hex_id(999)}
    api.send(*[(number, {**members, "started_at": f"2026-11-23T10:00:{number // 7:02d}Z"}) for number in range(1, 41)])
    whole = api.ids(limit=500, **filters)
    seen, cursor = [], {}
    while cursor is not None:
        page = api.get("/traces", limit=6, **filters, **cursor)
        seen += [int(trace["trace_id"], 16) for trace in page["traces"]]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert seen == whole and sorted(seen) == list(range(1, 41))


# ---- bad questions ----

LISTS = ["/traces", "/sessions", "/stats", "/values?field=name", "/export"]


def with_parameter(path, parameter):
    return path + ("&" if "?" in path else "?") + parameter


@pytest.mark.parametrize("path", LISTS)
def test_bad_parameters_are_named(api, path):
    for parameter, name, allowed in [
        ("from=yesterday", "from", "RFC 3339"),
        ("to=2026-13-01T00:00:00Z", "to", "RFC 3339"),
        ("agent=me", "agent", "32 hexadecimal digits or a UUID"),
        ("agent=", "agent", "empty"),
        ("limit=0", "limit", "from 1 to 500"),
        ("limit=501", "limit", "from 1 to 500"),
        ("limit=99999999999999999999999999", "limit", "from 1 to 500"),
        ("limit=-1", "limit", "from 1 to 500"),
        ("limit=1e2", "limit", "from 1 to 500"),
        ("limit=5&limit=6", "limit", "twice"),
        ("agent=%00", "agent", "NUL"),
        ("agent=%ff", "agent", "UTF-8"),
        ("agent=%ed%a0%80", "agent", "UTF-8"),
        ("sesion=x", "sesion", "this path takes"),
        ("LIMIT=5", "LIMIT", "this path takes"),
        ("%00=5", "unreadable", "this path takes"),
        ("%ff%fe=5", "unreadable", "this path takes"),
        ("=5", "", "this path takes"),
        ("a" * 5000 + "=5", "aaa", "this path takes"),
        ("cursor=zzz", "cursor", ""),
        ("cursor=" + "0" * 5000, "cursor", "longer"),
    ]:
        if path == "/export" and name in ("limit", "cursor") or path in ("/stats", "/values?field=name") and name in ("cursor",):
            allowed = "this path takes"
        if path == "/values?field=name" and name in ("from", "to"):
            allowed = "this path takes"
        status, reason = api.refused(with_parameter(path, parameter))
        assert status == 400 and name in reason and allowed in reason, (parameter, status, reason)


@pytest.mark.parametrize("path", ["/traces", "/export"])
def test_bad_filters_are_named(api, path):
    for parameter, name, allowed in [
        ("status=nice", "status", "running/ok/error/interrupted"),
        ("min_duration=-1", "min_duration", "from 0 to"),
        ("min_duration=nan", "min_duration", "from 0 to"),
        ("max_duration=1e999", "max_duration", "from 0 to"),
        ("max_duration=99999999999999999999", "max_duration", "from 0 to"),
        ("max_duration=.", "max_duration", "from 0 to"),
        ("max_duration=0x10", "max_duration", "from 0 to"),
        ("min_duration=5&max_duration=4", "min_duration", "above max_duration"),
        ("from=2026-11-23T10:00:01Z&to=2026-11-23T10:00:00Z", "from", "after to"),
        ("parent=xyz", "parent", "32 hexadecimal digits"),
        ("name=" + "x" * 501, "name", "longer than 500 characters"),
        ("name=a%00b", "name", "NUL"),
        ("q=%c3%28", "q", "UTF-8"),
        ("tag=", "tag", "empty"),
    ]:
        status, reason = api.refused(f"{path}?{parameter}")
        assert status == 400 and name in reason and allowed in reason, (parameter, status, reason)


def test_bad_questions_of_the_others(api):
    for path, name in [
        ("/values", "field"),
        ("/values?field=password", "field"),
        ("/stats?interval=61", "interval"),
        ("/stats?interval=0", "interval"),
        ("/stats?interval=99999999999", "interval"),
        ("/stats?group=status", "group"),
        ("/stats?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&interval=60", "interval"),
        ("/stats?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("/export?format=xml", "format"),
        ("/traces/" + hex_id(1) + "?x=1", "x"),
        ("/traces/" + hex_id(1) + "/tree?x=1", "x"),
    ]:
        status, reason = api.refused(path)
        assert status == 400 and name in reason, (path, status, reason)
    for path in ["/traces/xyz", "/traces/" + hex_id(1), "/traces/" + hex_id(1) + "/tree", "/traces/x/tree", "/traces/%00", "/traces/" + "a" * 500, "/nothing"]:
        assert api.refused(path)[0] == 404, path


def test_hostile_query_strings_get_an_answer(api):
    """What no client sends: bytes as they are, on a connection that is used again."""
    connection = http.client.HTTPConnection("127.0.0.1", api.receiver.port, timeout=20)
    odd = ["?", "??", "&&&", "=", "%", "%2", "%zz", "a=%", "name=%F0%9F%98%80", "name=+", "q=%22", "q=*", "q=%22unclosed", "q=a%20AND%20", "q=NEAR(", "q=-", "q=%5E", "q=:", "q=%27%3B--", "limit=%35", "name=%25s%25n", "#", "name=\xff\xfe", ";", "name=a;b=c", "%6e%61%6d%65=x", "q=" + "%F0%9F%98%80" * 400, "q=" + "a " * 900, "&".join(f"p{i}=1" for i in range(100)), "name=" + "%41" * 3000]
    for path in ["/traces", "/sessions", "/stats", "/values", "/export", "/openapi.json", "/traces/" + hex_id(7)]:
        for query in odd:
            connection.connect() if connection.sock is None else None
            head = f"GET /api/v1{path}?{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {api.headers['Authorization']}\r\n\r\n"
            connection.sock.sendall(head.encode("latin-1"))
            answer = http.client.HTTPResponse(connection.sock, method="GET")
            answer.begin()
            body = answer.read()
            assert answer.status < 500, (path, query, answer.status, body)
            if answer.status >= 400 and body.startswith(b"{"):
                assert json.loads(body)["error"]
            if answer.will_close:
                connection.close()
    connection.close()


# ---- text ----


def test_any_text_survives(api):
    texts = [
        "".join(map(chr, range(1, 0x20))) + "\x7f\x80\x9f",
        "\"\\/</script><!--%00%s{{}}",
        "\u2028\u2029\ufeff\ufffe\uffff\u202e\u0000 end",
        "\U0001f600\U0010ffff" * 30,
        "=cmd|' /C calc'!A0",
    ]
    api.send(*[(number, {"name": "n" + text, "input_summary": text, "tags": [text], "session_id": "s" + text.replace("\0", "")}) for number, text in enumerate(texts, 1)])
    for number, text in enumerate(texts, 1):
        shown = api.get("/traces/" + hex_id(number))
        assert shown["input_summary"] == text
        assert shown["name"] == ("n" + text).replace("\0", " ")
    for trace in api.get("/traces")["traces"]:
        text = texts[int(trace["trace_id"], 16) - 1]
        assert trace["input_preview"] == text.replace("\0", " ")[:200]
    for text in texts[:2]:
        assert len(api.ids(session="s" + text)) == 1
        assert len(api.ids(tag=text)) == 1
    rows = [json.loads(line) for line in api.ask("/export")[2].splitlines()]
    assert {row["body"]["input_summary"] for row in rows} == set(texts)
    table = list(csv.reader(io.StringIO(api.ask("/export?format=csv")[2].decode(), newline="")))
    assert len(table) == 1 + len(texts) and all(len(row) == len(table[0]) for row in table)


# ---- trees ----


def test_tree(api):
    api.send((1, {}), (2, {"parent_id": hex_id(1)}), (3, {"parent_id": hex_id(1)}), (4, {"parent_id": hex_id(2)}), (5, {}), (6, {"parent_id": hex_id(77)}))
    for asked in (1, 2, 3, 4):
        tree = api.get(f"/traces/{hex_id(asked)}/tree")
        assert tree["root"] == hex_id(1) and tree["truncated"] is False
        assert [int(trace["trace_id"], 16) for trace in tree["traces"]] == [1, 2, 3, 4]
    assert [trace["trace_id"] for trace in api.get(f"/traces/{hex_id(5)}/tree")["traces"]] == [hex_id(5)]
    orphan = api.get(f"/traces/{hex_id(6)}/tree")
    assert orphan["root"] == hex_id(6) and orphan["traces"][0]["parent_id"] == hex_id(77)


def test_forged_trees_end(api):
    """Circles, a trace that is its own parent, a chain and a family that are too long."""
    api.send((1, {"parent_id": hex_id(3)}), (2, {"parent_id": hex_id(1)}), (3, {"parent_id": hex_id(2)}), (4, {"parent_id": hex_id(4)}), (5, {"parent_id": hex_id(3)}))
    for asked in (1, 2, 3):
        assert {int(trace["trace_id"], 16) for trace in api.get(f"/traces/{hex_id(asked)}/tree")["traces"]} == {1, 2, 3, 5}
    assert 5 in {int(trace["trace_id"], 16) for trace in api.get(f"/traces/{hex_id(5)}/tree")["traces"]}
    assert len(api.get(f"/traces/{hex_id(4)}/tree")["traces"]) == 1
    api.send(*[(number, {"parent_id": hex_id(number - 1), "started_at": START}) for number in range(101, 1401)])
    chain = api.get(f"/traces/{hex_id(1400)}/tree")
    assert len(chain["traces"]) == 1000 and chain["truncated"] is True
    api.send(*[(number, {"parent_id": hex_id(5000), "started_at": START}) for number in range(5001, 6201)], (5000, {"started_at": START}))
    family = api.get(f"/traces/{hex_id(5000)}/tree")
    assert len(family["traces"]) == 1000 and family["truncated"] is True and family["root"] == hex_id(5000)
    assert hex_id(5000) in {trace["trace_id"] for trace in family["traces"]}


# ---- sessions, stats, values ----


def test_sessions(api):
    api.send(
        (1, {"session_id": "one", "user_id": "ann", **call("m", 10, 1)}),
        (2, {"session_id": "two"}),
        (3, {"session_id": "one", "user_id": "ann", "status": "error", **call("m", 5, 2)}),
        (4, {}),
    )
    sessions = api.get("/sessions")["sessions"]
    assert [session["session_id"] for session in sessions] == ["one", "two"]
    one = sessions[0]
    assert one["agent_id"] == api.agent["agent_id"]  # of another agent with such a session there is another one
    assert (one["traces"], one["errors"], one["user_id"], one["prompt_tokens"], one["completion_tokens"]) == (2, 1, "ann", 15, 3)
    assert one["first_at"].startswith("2026-11-23T10:00:01") and one["last_at"].startswith("2026-11-23T10:00:03")
    assert [session["session_id"] for session in api.get("/sessions", user="ann")["sessions"]] == ["one"]
    page = api.get("/sessions", limit=1)
    assert page["next_cursor"] and [s["session_id"] for s in page["sessions"]] == ["one"]
    page = api.get("/sessions", limit=1, cursor=page["next_cursor"])
    assert [s["session_id"] for s in page["sessions"]] == ["two"] and page["next_cursor"] is None


def test_stats(api):
    api.send(*[(number, {"name": "even" if number % 2 == 0 else "odd", "duration_ns": number * 10**7, "status": "error" if number == 7 else "ok", **call("gpt-4o", 10, 1)}) for number in range(1, 181)])
    span = {"from_": START, "to": "2026-11-23T10:10:00Z"}
    stats = api.get("/stats", **span)
    assert stats["interval_s"] == 60
    totals = stats["totals"]
    assert (totals["traces"], totals["errors"], totals["llm_calls"], totals["prompt_tokens"], totals["completion_tokens"]) == (180, 1, 180, 1800, 180)
    assert [(bucket["start"], bucket["traces"]) for bucket in stats["buckets"]] == [
        ("2026-11-23T10:00:00Z", 59), ("2026-11-23T10:01:00Z", 60), ("2026-11-23T10:02:00Z", 60), ("2026-11-23T10:03:00Z", 1)]  # fmt: skip
    assert totals["duration_p50_s"] == pytest.approx(0.9, rel=0.05) and totals["duration_p99_s"] == pytest.approx(1.78, rel=0.05)
    assert totals["duration_max_s"] == pytest.approx(1.8, rel=0.05)
    wide = api.get("/stats", interval=3600, **span)
    assert [(bucket["start"], bucket["traces"]) for bucket in wide["buckets"]] == [("2026-11-23T10:00:00Z", 180)]
    assert {k: v for k, v in wide["buckets"][0].items() if k != "start"} == totals
    groups = api.get("/stats", group="name", **span)["groups"]
    assert sorted((group["key"], group["traces"]) for group in groups) == [("even", 90), ("odd", 90)]
    assert api.get("/stats", name="odd", **span)["totals"]["traces"] == 90
    assert api.get("/stats", agent=api.agent["agent_id"], **span)["totals"]["traces"] == 180
    assert api.get("/stats", agent=hex_id(1), **span)["totals"]["traces"] == 0
    nothing = api.get("/stats", from_="2020-01-01T00:00:00Z", to="2020-01-02T00:00:00Z")
    assert nothing["totals"]["traces"] == 0 and nothing["buckets"] == [] and nothing["totals"]["duration_p50_s"] is None
    assert 50 <= (24 * 3600) / nothing["interval_s"] <= 150


def test_values(api):
    api.send((1, {"name": "alpha", "tags": ["x", "y"], "session_id": "s", "user_id": "u", **call("gpt-4o")}), (2, {"name": "alpha"}), (3, {"name": "beta", "tags": ["x"]}))
    assert api.get("/values", field="name")["values"] == [{"value": "alpha", "traces": 2}, {"value": "beta", "traces": 1}]
    assert api.get("/values", field="name", prefix="b")["values"] == [{"value": "beta", "traces": 1}]
    assert [value["value"] for value in api.get("/values", field="tag")["values"]] == ["x", "y"]
    assert [value["value"] for value in api.get("/values", field="model")["values"]] == ["gpt-4o"]
    assert [value["value"] for value in api.get("/values", field="session")["values"]] == ["s"]
    assert [value["value"] for value in api.get("/values", field="user")["values"]] == ["u"]
    assert len(api.get("/values", field="name", limit=1)["values"]) == 1


# ---- export and import ----


def exported(api, query=""):
    status, headers, body = api.ask("/export" + query)
    assert status == 200
    return headers, body


def test_export_and_import_round_trip(api, tmp_path):
    """Into an empty receiver and out again: the same bytes, but for nothing."""
    strange = '{ "name" : "spaced",\n "duration": 1.50, "x": [1e2, 1.0, -0.0, 123456789012345678901234567890],\r\n\t"dup": 1, "dup": 2, "u": "\\u00e9\\n" }'
    keys = {"x-agent-id": api.agent["agent_id"], "x-agent-key": api.agent["agent_secret"], "Content-Type": "application/json"}
    path = f"{api.receiver.base_url}/agents/{api.agent['agent_id']}/trace"
    assert request(path, strange.encode(), {**keys, "Idempotency-Key": hex_id(900)})[0] == 201
    assert request(path, b'{"name":"no time at all"}', keys)[0] == 201
    api.send(
        (1, {"tags": ["a"], "session_id": "s", "user_id": "u", "parent_id": hex_id(2), "scores": [{"name": "q", "value": 0.5, "comment": "c"}], **call("gpt-4o", 1000, 100, cached_tokens=10)}),
        (2, {"status": "running"}), (3, {"status": "interrupted"}), (4, {"errors": [{"error_type": "E", "message": "m"}]}),
        (5, {"metadata": {"k": [None, True, {"deep": []}]}, "unknown": "kept"}),
    )  # fmt: skip
    scored = {"name": "human", "value": 0.25, "comment": "ä"}
    assert api.ask(f"/traces/{hex_id(1)}/scores", json.dumps(scored).encode(), "POST", **{"Content-Type": "application/json"})[0] == 201
    own = f"{api.receiver.base_url}/agents/{api.agent['agent_id']}/traces/{hex_id(3)}/scores"
    assert request(own, {"name": "own", "value": 1}, keys)[0] == 201
    assert api.ask(f"/traces/{hex_id(1)}/scores/q", method="DELETE")[0] == 204
    headers, first = exported(api)
    assert headers["Content-Type"] == "application/x-ndjson" and headers["Cache-Control"] == "no-store"
    lines = [json.loads(line) for line in first.splitlines()]
    assert len(lines) == 7, [line["trace_id"] for line in lines]
    raw = next(line for line in first.splitlines() if b"spaced" in line)
    assert strange.replace("\n", " ").replace("\r", " ").encode() in raw
    empty = Receiver(tmp_path / "copy").start()
    try:
        copy = Api(empty, api.agent)
        status, _headers, answer = copy.ask("/import", first, "POST")
        assert status == 200, answer
        answer = json.loads(answer)
        assert answer == {"success": True, "accepted": 7, "duplicates": 0, "rejected": [], "rejected_count": 0, "agents_added": 1}
        assert exported(copy)[1] == first
        assert [agent["name"] for agent in copy.get("/agents")["agents"]] == ["Test"]
        assert copy.get("/traces/" + hex_id(1))["scores"] == api.get("/traces/" + hex_id(1))["scores"] != []
        assert [score["source"] for score in copy.get("/traces/" + hex_id(3))["scores"]] == ["agent"]
        assert json.loads(copy.ask("/import", first, "POST")[2])["duplicates"] == 6  # a running form may come again
        assert exported(copy)[1] == first
        assert exported(copy, "?status=running")[1] == next(line for line in first.splitlines(True) if b'"running"' in line)
        # The final form of a running trace replaces it, the running form that is imported again does not.
        final = {**lines[[line["name"] for line in lines].index("n")], "trace_id": hex_id(2)}
        final["body"] = {"trace_id": hex_id(2), "name": "n", "status": "ok"}
        assert json.loads(copy.ask("/import", json.dumps(final).encode(), "POST")[2])["accepted"] == 1
        assert json.loads(copy.ask("/import", first, "POST")[2])["accepted"] == 0
        assert copy.get("/traces/" + hex_id(2))["status"] == "ok"
        # Not even the receiver's own end changes anything.
        again = exported(copy)[1]
        empty.stop()
        empty.start()
        assert exported(copy)[1] == again
    finally:
        empty.stop()


def test_export_takes_the_filters(api):
    api.send((1, {"name": "a", "tags": ["t"]}), (2, {"name": "b"}), (3, {"name": "a"}))
    for query, expected in [("", [3, 2, 1]), ("?name=a", [3, 1]), ("?tag=t", [1]), ("?to=2026-11-23T10:00:02Z", [1]), ("?q=zzz", [])]:
        lines = exported(api, query)[1].splitlines()
        assert [int(json.loads(line)["trace_id"], 16) for line in lines] == expected, query
    assert exported(api, "?q=zzz&format=csv")[1].count(b"\n") == 1  # the head


def test_csv_is_safe_for_spreadsheets(api):
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", " =1", '=HYPERLINK("http://x","y")']
    plain = ["plain", 'with "quotes"', "a,b", "two\nlines", "1e5", "été"]
    api.send(*[(number, {"name": text, "input_summary": text, "session_id": text}) for number, text in enumerate(formulas + plain, 1)])
    headers, body = exported(api, "?format=csv")
    assert headers["Content-Type"].startswith("text/csv") and "traces.csv" in headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert len(rows) == len(formulas + plain)
    for row in rows:
        text = (formulas + plain)[int(row["trace_id"], 16) - 1]
        for column in ("name", "input_preview", "session_id"):
            assert row[column] == ("'" + text if text in formulas and text != " =1" else text), (column, text)
        for cell in row.values():
            assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def fill(api, count, size, start=1):
    text = "x" * size
    for first in range(start, start + count, 250):
        api.send(*[(number, {"started_at": START, "input_summary": f"{number} {text}"}) for number in range(first, min(first + 250, start + count))])


def test_an_export_takes_the_same_memory_whatever_it_exports(api):
    """A slow reader of 60 MB, while traces arrive: all old ones come, and the receiver does not gather them."""
    fill(api, 6000, 10000)
    exported(api, "?name=warm-up")
    before = resident_kb(api.receiver.process.pid)
    connection = http.client.HTTPConnection("127.0.0.1", api.receiver.port, timeout=30)
    connection.request("GET", "/api/v1/export", headers=api.headers)
    answer = connection.getresponse()
    assert answer.getheader("Transfer-Encoding") == "chunked"
    peak, seen, rest, total = 0, [], b"", 0
    for turn in range(10**6):
        part = answer.read(256 * 1024)
        if not part:
            break
        total += len(part)
        lines = (rest + part).split(b"\n")
        rest = lines.pop()
        seen += [json.loads(line)["trace_id"] for line in lines]
        if turn < 10:
            time.sleep(0.05)
            fill(api, 10, 100, 20000 + turn * 10)
        peak = max(peak, resident_kb(api.receiver.process.pid))
    connection.close()
    assert total > 60 * 10**6 and rest == b""
    assert len(set(seen)) == len(seen) and {hex_id(number) for number in range(1, 6001)} <= set(seen)
    assert peak - before < 24 * 1024, (before, peak)


def test_an_export_that_breaks_off_does_not_look_whole(api):
    fill(api, 3000, 10000)
    connection = http.client.HTTPConnection("127.0.0.1", api.receiver.port, timeout=30)
    connection.request("GET", "/api/v1/export", headers=api.headers)
    answer = connection.getresponse()
    answer.read(100000)
    api.receiver.stop()
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ValueError)):
        answer.read()
    connection.close()


def test_exports_end_with_their_readers(api):
    """Readers that go away leave nothing behind: more of them than may run at once, one after another, then all."""
    fill(api, 2000, 10000)
    for _ in range(8):
        connection = http.client.HTTPConnection("127.0.0.1", api.receiver.port, timeout=30)
        connection.request("GET", "/api/v1/export", headers=api.headers)
        connection.getresponse().read(1000)
        connection.close()

    def whole():
        status, _headers, body = api.ask("/export")
        return status == 200 and body.count(b"\n") == 2000

    wait_for("a whole export", whole)


def test_too_many_exports_are_refused(api):
    fill(api, 2000, 10000)
    held = []
    statuses = []
    for _ in range(6):
        connection = http.client.HTTPConnection("127.0.0.1", api.receiver.port, timeout=30)
        connection.request("GET", "/api/v1/export", headers=api.headers)
        answer = connection.getresponse()
        statuses.append(answer.status)
        if answer.status == 503:
            assert answer.getheader("Retry-After") and json.loads(answer.read())["error"]
        held.append((connection, answer))
    assert statuses == [200] * 4 + [503] * 2
    for connection, _answer in held:
        connection.close()
    wait_for("a free place", lambda: api.ask("/export?name=none")[0] == 200)


def test_head_and_caching(api):
    api.send((1, {}))
    for path in ["/traces", "/traces/" + hex_id(1), "/sessions", "/stats", "/values?field=name", "/export", "/export?format=csv", "/openapi.json"]:
        status, headers, body = api.ask(path, method="HEAD")
        assert status == 200 and body == b"", path
        assert headers["Cache-Control"] == ("no-cache" if path == "/openapi.json" else "no-store"), path
        assert headers["X-Content-Type-Options"] == "nosniff"
    status, headers, _body = api.ask("/openapi.json")
    assert api.ask("/openapi.json", **{"If-None-Match": headers["ETag"]})[0] == 304


# ---- who may ----


def test_a_reader_reads_and_no_more(receiver, agent, api):
    api.send((1, {}))
    reader = Api(receiver, agent, "read.token")
    assert reader.ids() == [1]
    assert reader.ask("/export")[0] == 200
    assert reader.ask("/import", b"{}", "POST")[0] == 403
    nobody = Api(receiver, agent)
    nobody.headers = {}
    for path in LISTS + ["/events", "/traces/" + hex_id(1), "/traces/" + hex_id(1) + "/tree", "/agents"]:
        assert nobody.refused(path)[0] == 401, path
    assert nobody.ask("/import", b"{}", "POST")[0] == 401
    assert nobody.ask("/openapi.json")[0] == 200


def test_a_reader_of_one_agent_sees_that_one_everywhere(receiver, agent, api):
    other = Api(receiver, receiver.create_agent("Other"))
    api.send((1, {"name": "mine", "tags": ["mine"], "session_id": "s", "user_id": "u", **call("gpt-4o")}), (3, {"name": "mine", "parent_id": hex_id(2)}))
    other.send((2, {"name": "theirs", "tags": ["theirs"], "session_id": "s", "user_id": "theirs", "parent_id": hex_id(1), **call("gpt-4o")}))
    status, _headers, body = api.ask("/keys", json.dumps({"role": "read", "agent_id": agent["agent_id"]}).encode(), "POST", **{"Content-Type": "application/json"})
    assert status == 201, body
    scoped = Api(receiver, agent)
    scoped.headers = {"Authorization": "Bearer " + json.loads(body)["key"]}
    assert scoped.ids() == [3, 1] and scoped.ids(parent=hex_id(1)) == [] and scoped.ids(tag="theirs") == []
    assert scoped.refused("/traces/" + hex_id(2))[0] == 404
    assert scoped.refused("/traces/" + hex_id(2) + "/tree")[0] == 404
    assert [trace["trace_id"] for trace in scoped.get(f"/traces/{hex_id(1)}/tree")["traces"]] == [hex_id(1)]
    above = scoped.get(f"/traces/{hex_id(3)}/tree")
    assert above["root"] == hex_id(3) and len(above["traces"]) == 1
    assert [(session["traces"], session["user_id"]) for session in scoped.get("/sessions")["sessions"]] == [(1, "u")]
    assert scoped.get("/stats", from_=START, to="2026-11-24T00:00:00Z")["totals"]["traces"] == 2
    assert len(scoped.get("/stats", from_=START, to="2026-11-24T00:00:00Z", group="agent")["groups"]) == 1
    for field in ("name", "tag", "session", "user", "model"):
        text = json.dumps(scoped.get("/values", field=field))
        assert "theirs" not in text and ('"traces": 2' not in text or field == "name"), text
    for query in ("", "?format=csv", "?name=theirs"):
        assert b"theirs" not in exported(scoped, query)[1]
    assert exported(scoped)[1].count(b"\n") == 2
    for path in LISTS:
        assert scoped.refused(with_parameter(path, "agent=" + other.agent["agent_id"]))[0] == 403, path


# ---- events ----


def test_events_go_on_where_they_were_left(api):
    def listen(last, wanted):
        connection = http.client.HTTPConnection("127.0.0.1", api.receiver.port, timeout=20)
        connection.request("GET", "/api/v1/events", headers={**api.headers, **({"Last-Event-ID": last} if last else {})})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.getheader("Content-Type") == "text/event-stream"
        return connection, answer, wanted

    def read(connection, answer, wanted):
        events, event = [], {}
        while len(events) < wanted:
            line = answer.readline().decode().rstrip("\n")
            if line == "" and "data" in event:
                events.append(event)
                event = {}
            elif ": " in line and not line.startswith(":"):
                event.update([line.split(": ", 1)])
        connection.close()
        return events

    live = listen(None, 2)
    api.send((1, {"name": "one"}))
    api.send((2, {"name": "two"}))
    first = read(*live)
    assert [(event["event"], json.loads(event["data"])["name"]) for event in first] == [("trace", "one"), ("trace", "two")]
    api.send((3, {"name": "three"}))
    api.get("/traces")
    again = read(*listen(first[0]["id"], 2))
    assert [json.loads(event["data"])["name"] for event in again] == ["two", "three"]
    assert read(*listen("999999999", 1))[0]["event"] == "resync"
    assert set(json.loads(first[0]["data"])) == set(api.get("/traces")["traces"][0])


# ---- the documentation ----


def doc_text():
    return (ROOT / "docs" / "api.md").read_text()


def test_the_examples_of_the_documentation_run(api, tmp_path):
    """Every `sh` block of docs/api.md, in order, in one folder."""
    api.send((1, {"name": "n", "tags": ["production"], **call("gpt-4o")}), (2, {"parent_id": hex_id(1)}))
    environment = clean_environment(URL=api.receiver.base_url, KEY=api.headers["Authorization"].split()[1], TRACE=hex_id(1))
    blocks = re.findall(r"^```sh\n(.*?)^```$", doc_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    for block in blocks:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        if "-o " not in block:
            assert done.stdout, block
    assert (tmp_path / "traces.ndjson").read_text().count("\n") == 2
    assert (tmp_path / "traces.csv").read_text().count("\n") == 3


def test_the_documentation_names_every_column_and_member(api):
    api.send((1, {}))
    text = doc_text()
    head = api.ask("/export?format=csv")[2].decode().split("\r\n")[0].split(",")
    listed = re.search(r"in this order: (.*?)\. `tags`", text, re.DOTALL).group(1)
    assert re.findall(r"`(\w+)`", listed) == head
    for member in api.get("/traces")["traces"][0]:
        assert f"`{member}`" in text, member
    parameters = {p["name"] for p in json.loads(api.ask("/openapi.json")[2])["components"]["parameters"].values() if p["in"] == "query"}
    for parameter in parameters:
        assert f"`{parameter}`" in text, parameter


# ---- the command line ----


def test_command_line_filters_export_and_import(api, tmp_path):
    api.send((1, {"name": "a", "tags": ["t"], "session_id": "s", "input_summary": "needle", **call("m")}), (2, {"name": "b", "duration_ns": 5 * 10**9}), (3, {"name": "a", "user_id": "u", "parent_id": hex_id(1)}))
    data = ("--data", api.receiver.data)
    for options, expected in [
        (["--tag", "t"], [1]), (["--session", "s"], [1]), (["--user", "u"], [3]), (["--model", "m"], [1]), (["--search", "needle"], [1]),
        (["--min-duration", "2"], [2]), (["--max-duration", "2"], [3, 1]), (["--parent", hex_id(1)], [3]), (["--name", "a", "--tag", "t"], [1]),
    ]:  # fmt: skip
        listed = [int(json.loads(line)["trace_id"], 16) for line in infinium("ls", *data, "--json", *options).stdout.splitlines()]
        lines = [int(json.loads(line)["trace_id"], 16) for line in infinium("export", *data, *options).stdout.splitlines()]
        assert listed == lines == expected, options
    over_http = api.ask("/export")[2]
    assert infinium("export", *data).stdout.encode() == over_http
    assert infinium("export", *data, "--format", "csv").stdout.encode().replace(b"\n", b"\r\n") == api.ask("/export?format=csv")[2]
    target = tmp_path / "traces.ndjson"
    done = infinium("export", *data, "-o", target)
    assert "3 traces" in done.stderr and done.stdout == ""
    assert target.read_bytes() == over_http and target.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "traces.ndjson.part").exists()
    other = ("--data", tmp_path / "other")
    assert "imported 3 traces" in infinium("import", target, *other).stdout
    assert infinium("export", *other).stdout.encode() == over_http
    assert json.loads(infinium("import", target, *other, "--json").stdout)["duplicates"] == 3
    piped = subprocess.run([COMMAND, "import", "-", "--data", str(tmp_path / "third")], input=over_http, capture_output=True, timeout=60)
    assert piped.returncode == 0 and b"imported 3 traces" in piped.stdout
    (tmp_path / "bad.ndjson").write_bytes(b"{}\n" + over_http + b"nonsense\n")
    bad = infinium("import", tmp_path / "bad.ndjson", "--data", tmp_path / "fourth", check=False)
    assert bad.returncode == 1 and "imported 3 traces" in bad.stdout and "trace 1 of the file is refused" in bad.stderr
    for arguments, word in [
        (["export", "--format", "xml"], "ndjson and csv"), (["export", "--agent", "me"], "UUID"), (["export", "-o", tmp_path / "no" / "x"], "cannot write"),
        (["import", tmp_path / "nothing"], "cannot read"), (["ls", "--min-duration", "x"], "seconds"), (["stats", "--by", "colour"], "time, name, model and agent"),
    ]:  # fmt: skip
        done = infinium(*arguments, *data, check=False)
        assert done.returncode in (1, 2) and word in done.stderr, (arguments, done.stderr)
    # Into a directory that a receiver is running on: it shows them at once.
    one = json.dumps({"trace_id": hex_id(77), "agent_id": api.agent["agent_id"], "body": {"name": "from the side"}})
    (tmp_path / "one.ndjson").write_text(one)
    infinium("import", tmp_path / "one.ndjson", *data)
    assert api.get("/traces/" + hex_id(77))["name"] == "from the side"


def test_command_line_stats(api):
    api.send(*[(number, {"name": "ab"[number % 2], "status": "error" if number < 3 else "ok", **call("gpt-4o", 100, 10)}) for number in range(1, 21)])
    data = ("--data", api.receiver.data, "--from", START, "--to", "2026-11-24T00:00:00Z")
    table = infinium("stats", *data).stdout
    lines = table.splitlines()
    assert len(lines) == 4 and lines[-1].split()[0] == "20" and lines[-1].endswith("all") and {line.split()[-1] for line in lines[1:3]} == {"a", "b"}
    assert json.loads(infinium("stats", *data, "--json").stdout)["totals"]["traces"] == 20
    assert len(infinium("stats", *data, "--by", "time").stdout.splitlines()) == 3
    assert "gpt-4o" in infinium("stats", *data, "--by", "model").stdout
    assert "no traces" in infinium("stats", "--data", api.receiver.data, "--to", "2020-01-01T00:00:00Z").stdout


def test_an_import_that_breaks_off_is_in_the_audit_log(receiver, agent):
    api = Api(receiver, agent)

    def line(number):
        return json.dumps({"trace_id": hex_id(number), "agent_id": agent["agent_id"], "body": {"name": "n", "input_summary": "y" * 3000}})

    body = "".join(line(n) + "\n" for n in range(1, 5001)).encode()
    address = urllib.parse.urlsplit(receiver.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest("POST", urllib.parse.urlsplit(receiver.base_url).path + "/import")
    for name, value in {**api.headers, "Content-Type": "application/x-ndjson", "Content-Length": len(body) + 1000}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body)
    wait_for("traces", lambda: receiver.count() > 1000)
    connection.close()
    entries = json.loads(api.ask("/audit")[2])["entries"]
    assert [e["detail"] for e in entries if e["action"] == "import"] == ["begun"]
