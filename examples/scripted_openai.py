"""A scripted stand-in for the OpenAI API, so that the examples run without a key and always do the same.

It is no language model: it recognises the system message of each example and answers with a line from the table below,
after a small delay, in the wire format of /v1/chat/completions (plain and streamed, with usage). Standard library only.

    python examples/scripted_openai.py            # prints "listening on http://127.0.0.1:PORT/v1"
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# (a word of the system message, a word of the user message, the answer); "" matches everything; the first match wins.
SCRIPT = [
    ("classify", "charged twice", '{"label": "billing", "confidence": 0.97}'),
    ("classify", "crash", '{"label": "bug report", "confidence": 0.93}'),
    ("classify", "demo", '{"label": "sales", "confidence": 0.88}'),
    ("classify", "", '{"label": "other", "confidence": 0.51}'),
    ("analyze", "", "Three themes: agents that call tools, smaller models on devices, evaluation in production."),
    ("summarize", "", "AI moves from chat to agents; small models and measured quality follow."),
    ("", "moderate this", "allowed: no policy is touched"),
    ("", "sub-task", "The sub-task is done: 3 records checked, none wrong."),
    ("", "", "This is a scripted answer."),
]

SECONDS_TO_FIRST_TOKEN = 0.03
SECONDS_PER_TOKEN = 0.002
MAX_REQUEST_BYTES = 4 * 1024 * 1024


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content if isinstance(part, dict))


def answer_to(messages: list[dict[str, Any]]) -> str:
    system = " ".join(text_of(m) for m in messages if m.get("role") == "system").lower()
    user = " ".join(text_of(m) for m in messages if m.get("role") != "system").lower()
    for in_system, in_user, answer in SCRIPT:
        if in_system in system and in_user in user:
            return answer
    raise AssertionError("the script's last line matches everything")


def tokens_of(text: str) -> list[str]:
    """Pieces of text that, joined, are the text: about what a tokenizer would make of it."""
    pieces, start = [], 0
    for index in range(1, len(text)):
        if text[index] == " " or index - start >= 6:
            pieces.append(text[start:index])
            start = index
    if text:
        pieces.append(text[start:])
    return pieces


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "scripted-openai"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/models"):
            self.reply(200, {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "owned_by": "script"}]})
        else:
            self.fail(404, "not in the script: " + self.path)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_REQUEST_BYTES:
            self.close_connection = True
            return self.fail(413, "request too large")
        raw = self.rfile.read(length)
        if not self.path.split("?")[0].endswith("/chat/completions"):
            return self.fail(404, "not in the script: " + self.path)
        try:
            request = json.loads(raw)
            messages = list(request["messages"])
            model = str(request["model"])
            answer = answer_to(messages)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self.fail(400, f"malformed request: {error}")
        if "fail" in model:
            return self.fail(500, "the script says that this model fails")
        tokens = tokens_of(answer)
        prompt_tokens = sum(4 + len(tokens_of(text_of(m))) for m in messages)
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(tokens),
            "total_tokens": prompt_tokens + len(tokens),
        }
        base = {
            "id": "chatcmpl-" + hashlib.sha256(raw).hexdigest()[:24],
            "created": int(time.time()),
            "model": model + "-scripted",
        }
        if request.get("stream"):
            include_usage = bool((request.get("stream_options") or {}).get("include_usage"))
            return self.stream(base, tokens, usage if include_usage else None)
        time.sleep(SECONDS_TO_FIRST_TOKEN + SECONDS_PER_TOKEN * len(tokens))
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.reply(200, {**base, "object": "chat.completion", "choices": [choice], "usage": usage})

    def stream(self, base: dict[str, Any], tokens: list[str], usage: dict[str, int] | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def event(data: str) -> None:
            body = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
            self.wfile.flush()

        def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
            event(json.dumps({**base, "object": "chat.completion.chunk", "choices": [choice]}))

        time.sleep(SECONDS_TO_FIRST_TOKEN)
        chunk({"role": "assistant", "content": ""})
        for token in tokens:
            time.sleep(SECONDS_PER_TOKEN)
            chunk({"content": token})
        chunk({}, "stop")
        if usage is not None:
            event(json.dumps({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
        event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status: int, message: str) -> None:
        self.reply(status, {"error": {"message": message, "type": "scripted_error", "code": status}})


class ScriptedOpenAI:
    """Serves on a free port of the loopback, on a thread of its own, while the `with` block runs."""

    def __init__(self, port: int = 0) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> "ScriptedOpenAI":
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    with ScriptedOpenAI(parser.parse_args().port) as scripted:
        print(f"listening on {scripted.base_url}", flush=True)
        try:
            scripted.thread.join()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
