"""Answers of the model vendors' HTTP APIs, for the real openai, anthropic and google-genai packages.

The prompt steers the answer: a model called "fail" is an HTTP 400, "break" drops a stream in the middle, "slow" takes
0.2 s, anything else echoes the last message.
"""

import json

from recorder import Answer, Request

SSE = {"Content-Type": "text/event-stream"}


def _event(data, name=None):
    head = f"event: {name}\n" if name else ""
    return (head + "data: " + (data if isinstance(data, str) else json.dumps(data)) + "\n\n").encode()


def _last_text(messages):
    content = messages[-1]["content"] if messages else ""
    return content if isinstance(content, str) else json.dumps(content)


def vendor(request: Request) -> Answer:
    path = request.path.split("?")[0]
    body = json.loads(request.body) if request.body else {}
    if "generatecontent" in path.lower():
        return _google(path, body)
    model = body.get("model", "")
    if model == "fail":
        if path.endswith("/messages"):
            return Answer(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "bad model"}})
        return Answer(400, {"error": {"message": "bad model", "type": "invalid_request_error", "code": "model"}})
    if path.endswith("/chat/completions"):
        answer = _chat(body, model)
    elif path.endswith("/responses"):
        answer = _responses(body, model)
    elif path.endswith("/embeddings"):
        answer = _embeddings(body, model)
    elif path.endswith("/messages"):
        answer = _messages(body, model)
    else:
        return Answer(404, {"error": {"message": f"no {path}"}})
    if model == "slow":
        answer.delay = 0.2
    return answer


def _chat(body, model):
    answering = model + "-2026"
    text = "echo: " + _last_text(body.get("messages"))
    if body.get("response_format"):
        text = json.dumps({"city": "Paris"})
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    base = {"id": "chatcmpl-1", "created": 1760000000, "model": answering}
    if not body.get("stream"):
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return Answer(200, {**base, "object": "chat.completion", "choices": [choice], "usage": usage})

    def chunk(delta, finish=None, **more):
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event({**base, "object": "chat.completion.chunk", "choices": [choice], **more})

    chunks = [chunk({"role": "assistant", "content": ""}), 0.03]
    half = len(text) // 2
    chunks += [chunk({"content": text[:half]}), 0.03]
    if model == "break":
        return Answer(200, headers=SSE, chunks=chunks + ["break"])
    chunks += [chunk({"content": text[half:]}), chunk({}, "stop")]
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append(_event({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
    chunks.append(_event("[DONE]"))
    return Answer(200, headers=SSE, chunks=chunks)


def _responses(body, model):
    given = body.get("input")
    text = "echo: " + (given if isinstance(given, str) else _last_text(given))
    content = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [content]}
    return Answer(
        200,
        {
            "id": "resp_1",
            "object": "response",
            "created_at": 1760000000,
            "model": model + "-2026",
            "status": "completed",
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": 11,
                "input_tokens_details": {"cached_tokens": 3},
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 18,
            },
        },
    )


def _embeddings(body, model):
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    if body.get("encoding_format") == "base64":
        data[0]["embedding"] = "AAAAPwAAgD4="
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return Answer(200, {"object": "list", "data": data, "model": model, "usage": usage})


def _messages(body, model):
    text = "echo: " + _last_text(body.get("messages"))
    usage = {"input_tokens": 11, "output_tokens": 7}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model + "-2026",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if not body.get("stream"):
        return Answer(200, message)
    start = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}}
    half = len(text) // 2

    def event(name, **data):
        return _event({"type": name, **data}, name)

    def delta(part):
        return event("content_block_delta", index=0, delta={"type": "text_delta", "text": part})

    chunks = [
        event("message_start", message=start),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        0.03,
        delta(text[:half]),
        0.03,
    ]
    if model == "break":
        return Answer(200, headers=SSE, chunks=chunks + ["break"])
    chunks += [
        delta(text[half:]),
        event("content_block_stop", index=0),
        event(
            "message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7}
        ),
        event("message_stop"),
    ]
    return Answer(200, headers=SSE, chunks=chunks)


def _google(path, body):
    text = "echo: " + body["contents"][-1]["parts"][0]["text"]
    model = path.rsplit("/", 1)[1].split(":")[0]

    def part(piece, finish=None):
        candidate = {"content": {"role": "model", "parts": [{"text": piece}]}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {
            "candidates": [candidate],
            "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
            "modelVersion": model + "-2026",
            "responseId": "g-1",
        }

    if "streamGenerateContent" in path:
        half = len(text) // 2
        return Answer(200, headers=SSE, chunks=[_event(part(text[:half])), 0.03, _event(part(text[half:], "STOP"))])
    return Answer(200, part(text, "STOP"))
