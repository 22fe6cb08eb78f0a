"""A scripted HTTP/1.1 server that records what it is sent.

It answers as the hosted platform does: 201 with a traceId for a posted trace, no header of ours. Scripts replace single
answers or all of them. It knows nothing of either client.
"""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, List, Optional


@dataclass
class Answer:
    """One scripted answer. `body`: bytes as they are, None for no body, else JSON. `delay`: seconds between having read
    the request and answering. `hangup`: close without an answer. `chunks`: a streamed body; a float among them sleeps,
    the string "break" drops the connection in the middle."""

    status: int = 200
    body: Any = None
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    hangup: bool = False
    chunks: Optional[list] = None


@dataclass
class Request:
    method: str
    path: str
    headers: list
    body: bytes
    at: float
    peer: tuple

    def header(self, name: str) -> Optional[str]:
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None

    @property
    def json(self) -> Any:
        def refuse(token):
            raise ValueError(f"{token} is no JSON")

        return json.loads(self.body.decode("utf-8"), parse_constant=refuse)


def platform(request: Request) -> Answer:
    """What the hosted platform answers, as far as its clients can tell."""
    if request.method == "POST" and request.path.endswith("/trace"):
        return Answer(201, {"success": True, "message": "Trace received", "traceId": str(uuid.uuid4())})
    if request.path.endswith("/health"):
        return Answer(200, {"status": "healthy", "agentName": "agent", "timestamp": "2026-01-01T00:00:00Z"})
    return Answer(404, {"error": "no such resource"})


class Recorder:
    def __init__(self, responder: Callable[[Request], Answer] = platform, port: int = 0):
        self.requests: List[Request] = []
        self.responder = responder
        self._queue: List[Answer] = []
        self._always: Optional[Answer] = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def _serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:
                    self.close_connection = True
                    return
                request = Request(
                    self.command, self.path, list(self.headers.items()), body, time.monotonic(), self.client_address
                )
                self._write(recorder._take(request))

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

            def _write(self, answer: Answer):
                if answer.delay:
                    recorder._stopping.wait(answer.delay)
                if answer.hangup:
                    self.close_connection = True
                    return
                try:
                    self._write_answer(answer)
                except OSError:
                    self.close_connection = True

            def _write_answer(self, answer: Answer):
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.chunks is not None:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for chunk in answer.chunks:
                        self.wfile.flush()
                        if chunk == "break":
                            self.close_connection = True
                            return
                        if isinstance(chunk, float):
                            recorder._stopping.wait(chunk)
                            continue
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.write(b"0\r\n\r\n")
                    self.wfile.flush()
                    return
                body = answer.body
                if body is None:
                    body = b""
                elif not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                    if "Content-Type" not in answer.headers:
                        self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/api/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _take(self, request: Request) -> Answer:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            if self._queue:
                return self._queue.pop(0)
            if self._always is not None:
                return self._always
        return self.responder(request)

    def script(self, *answers: Answer) -> None:
        """The next answers, in this order; after them the usual ones."""
        with self._changed:
            self._queue.extend(answers)

    def always(self, answer: Optional[Answer]) -> None:
        """Every answer from now on; None: the usual ones again."""
        with self._changed:
            self._queue.clear()
            self._always = answer

    def wait(self, count: int, timeout: float = 5.0) -> bool:
        """True as soon as `count` requests have arrived, False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout)

    @property
    def posts(self) -> List[Request]:
        with self._changed:
            return [r for r in self.requests if r.method == "POST"]

    @property
    def traces(self) -> List[dict]:
        return [r.json for r in self.posts]

    def trace(self) -> dict:
        """The one trace that arrived."""
        traces = self.traces
        assert len(traces) == 1, f"{len(traces)} traces arrived: {[t.get('name') for t in traces]}"
        return traces[0]

    def close(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)
