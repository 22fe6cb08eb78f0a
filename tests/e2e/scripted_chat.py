"""A server that speaks the chat-completions wire and answers as a test says: the only thing that is scripted about a judge.

What is answered is a function of the request's number (from 0) and its parsed body, or a list of which the last entry
goes on. An answer is a dict (the model's JSON), a string (the model's text), or one of the classes below."""

import json
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASS = {"verdict": "pass", "score": 0.9, "reason": "It did what it was asked."}


class Status:
    def __init__(self, status, message="no", **headers):
        self.status, self.message, self.headers = status, message, headers

    def __str__(self):
        return str(self.status)


class Whole:
    """This body, as it is, with status 200."""

    def __init__(self, body, **headers):
        self.body, self.headers = body.encode() if isinstance(body, str) else body, headers


class Echo:
    """An error, or a reason, that repeats the key that came."""

    def __init__(self, status):
        self.status = status


HANG, RESET, DRIP, HUGE = "hang", "reset", "drip", "huge"


def completion(text, model="scripted-1", usage=(120, 30), **message):
    answer = {"model": model, "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}]}
    if usage:
        answer["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return json.dumps(answer)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    def do_POST(self):
        chat = self.server.chat
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = chat.note(self.path, dict(self.headers), body)
        with chat.busy():
            try:
                self.answer(chat.answer_to(number, body))
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                chat.broken_off += 1

    def reply(self, status, body, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer(self, answer):
        if isinstance(answer, dict):
            self.reply(200, completion(json.dumps(answer)).encode())
        elif isinstance(answer, Status):
            self.reply(answer.status, json.dumps({"error": {"message": answer.message}}).encode(), answer.headers)
        elif isinstance(answer, Whole):
            self.reply(200, answer.body, answer.headers)
        elif isinstance(answer, Echo):
            said = f"the key was {self.headers['Authorization']}, was it not"
            if answer.status == 200:
                self.reply(200, completion(json.dumps({**PASS, "reason": said}), model=said).encode())
            else:
                self.reply(answer.status, json.dumps({"error": {"message": said}}).encode())
        elif answer == HANG:
            self.wait_for_end()
        elif answer == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif answer in (DRIP, HUGE):
            self.send_response(200)
            self.send_header("Content-Length", str(10**9))
            self.end_headers()
            while not self.server.chat.ending:
                self.wfile.write(b" " * (1 if answer == DRIP else 65536))
                time.sleep(0.05 if answer == DRIP else 0)
        else:
            self.reply(200, completion(answer).encode())

    def wait_for_end(self):
        self.connection.settimeout(0.1)
        while not self.server.chat.ending:
            try:
                if self.connection.recv(1) == b"":
                    self.server.chat.broken_off += 1
                    return
            except TimeoutError:
                pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # clients that break off are what some tests are about


class Chat:
    def __init__(self, *answers, certificate=None, port=0):
        self.answers = answers or (PASS,)
        self.requests = []
        self.ending = False
        self.broken_off = 0
        self.most = self.now = 0
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.chat = self
        self.port = self.server.server_address[1]
        self.tls = certificate is not None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, certificate))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def busy(self):
        chat = self

        class Busy:
            def __enter__(self):
                with chat.lock:
                    chat.now += 1
                    chat.most = max(chat.most, chat.now)

            def __exit__(self, *_what):
                with chat.lock:
                    chat.now -= 1

        return Busy()

    def note(self, path, headers, body):
        with self.lock:
            self.requests.append((path, headers, body, time.monotonic()))
            return len(self.requests) - 1

    def answer_to(self, number, body):
        if callable(self.answers[0]):
            return self.answers[0](number, body)
        return self.answers[min(number, len(self.answers) - 1)]

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    def bodies(self):
        with self.lock:
            return [body for _path, _headers, body, _at in self.requests]

    def __enter__(self):
        return self

    def __exit__(self, *_what):
        self.ending = True
        self.server.shutdown()
        self.server.server_close()
