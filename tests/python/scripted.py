"""A real HTTP/1.1 server on 127.0.0.1 whose answers a test scripts. It records what it is asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Asked:
    """One request as it arrived."""

    def __init__(self, method, path, headers, body):
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)


class Answer:
    """One scripted answer. `body`: bytes as they are, anything else as JSON. `chunks` instead of it: sent chunked, each
    after `pause` seconds. `delay`: before the head. `hang_up`: the connection is cut instead. `cut_after`: chunks sent
    before the connection is cut."""

    def __init__(self, status=200, body=b"", headers=(), delay=0.0, hang_up=False, chunks=None, pause=0.0,
                 cut_after=None, content_type="application/json"):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = dict(headers)
        self.delay = delay
        self.hang_up = hang_up
        self.chunks = chunks
        self.pause = pause
        self.cut_after = cut_after
        self.content_type = content_type


class Server:
    """`answer`: an Answer, a list of them (the last one repeats) or a function of the request."""

    def __init__(self, answer=None):
        self.answer = answer or Answer(201, {"success": True, "message": "stored", "traceId": "00000000-0000-4000-8000-000000000001"})
        self.asked = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def handle(self):
                try:
                    super().handle()
                except (ConnectionError, TimeoutError, ValueError):
                    pass  # the client went away, or a test cut the line

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, self.headers, self.rfile.read(length))
                outer._reply(self, asked)

            do_GET = do_POST = serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _reply(self, handler, asked):
        with self._lock:
            self.asked.append(asked)
            answer = self.answer
            if isinstance(answer, list):
                answer = answer[min(len(self.asked), len(answer)) - 1]
        if callable(answer):
            answer = answer(asked)
        if answer.delay:
            self._stopping.wait(answer.delay)
        if answer.hang_up:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.chunks is None:
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
            return
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for number, chunk in enumerate(answer.chunks):
            if answer.cut_after is not None and number >= answer.cut_after:
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            if answer.pause:
                self._stopping.wait(answer.pause)
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def sse(*events):
    """Server-sent events as chunks: dicts (with their `type` as the event's name, if any)."""
    chunks = []
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        chunks.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    return chunks
