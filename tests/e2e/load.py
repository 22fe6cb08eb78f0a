"""Load for a receiver that remembers what was acknowledged: threads with a connection each, posting one trace or fifty at
a time until they are stopped or the receiver dies. What was sent and not answered may be stored or not; what was
answered must be."""

import http.client
import json
import random
import threading
import uuid

PER_BATCH = 50


def body(trace_id, name, **members):
    return {"name": name, "trace_id": trace_id, "duration": 0.25, "input_summary": "question " * 20, **members}


class Load:
    def __init__(self, receiver, agent, name, threads=4, seed=0):
        self.receiver = receiver
        self.agent = agent
        self.name = name
        self.lock = threading.Lock()
        self.acknowledged = {}  # id: the status it must have
        self.sent = set()
        self.refused = {}  # status of an answer: how often
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(seed * 100 + n,), daemon=True) for n in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self, seconds=60):
        self.stopping.set()
        for thread in self.threads:
            thread.join(seconds)
            assert not thread.is_alive()

    def wait_for(self, count, seconds=60):
        """Until so many were acknowledged."""
        deadline = seconds / 0.005
        while len(self.acknowledged) < count and deadline > 0:
            self.stopping.wait(0.005)
            deadline -= 1
        assert len(self.acknowledged) >= count, (len(self.acknowledged), self.refused)

    def post(self, connection, path, data, kind):
        headers = {"x-agent-id": self.agent["agent_id"], "x-agent-key": self.agent["agent_secret"], "Content-Type": kind}
        connection.request("POST", f"/api/v1/agents/{self.agent['agent_id']}/{path}", data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def one(self, connection):
        trace_id = uuid.uuid4().hex
        self.sent.add(trace_id)
        status, text = self.post(connection, "trace", json.dumps(body(trace_id, self.name)), "application/json")
        return status, {trace_id: "ok"} if status == 201 else {}

    def many(self, connection, random):
        """Some of them twice, and some as running after they were done, as a late packet would say it."""
        ids = [uuid.uuid4().hex for _ in range(PER_BATCH)]
        self.sent.update(ids)
        lines = [body(i, self.name, status=random.choice(("running", "ok"))) for i in ids]
        lines += [body(i, self.name, status="ok") for i in ids]
        lines += [body(i, self.name, status="running") for i in random.sample(ids, 5)]
        data = "\n".join(map(json.dumps, lines))
        status, text = self.post(connection, "traces", data, "application/x-ndjson")
        if status != 200:
            return status, {}
        answer = json.loads(text)
        assert answer["accepted"] == len(lines) and not answer["rejected"], answer
        return status, dict.fromkeys(ids, "ok")

    def run(self, seed):
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self.receiver.port, timeout=60)
        try:
            while not self.stopping.is_set():
                status, taken = self.many(connection, chance) if chance.random() < 0.2 else self.one(connection)
                with self.lock:
                    self.acknowledged.update(taken)
                    if not taken:
                        self.refused[status] = self.refused.get(status, 0) + 1
                if not taken:
                    self.stopping.wait(0.05)
        except (OSError, http.client.HTTPException):
            pass  # it was killed
        finally:
            connection.close()

    def check(self, stored):
        """`stored`: the summaries in the store with this load's name."""
        ids = [trace["trace_id"] for trace in stored]
        assert len(ids) == len(set(ids)), "a trace is stored twice"
        assert set(ids) <= self.sent, "something is stored that was never sent"
        missing = self.acknowledged.keys() - set(ids)
        assert not missing, f"{len(missing)} of {len(self.acknowledged)} acknowledged traces are not stored"
        wrong = [t["trace_id"] for t in stored if t["status"] != self.acknowledged.get(t["trace_id"], t["status"])]
        assert not wrong, f"{len(wrong)} final traces were replaced by a running form"
