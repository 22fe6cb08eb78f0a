"""One call of a language model while it is under way. Vendors' adapters fill it in; it ends once, whatever happens.

Nothing here may fail towards the user's call: adapters go through guard().
"""

import time

from ._context import CapturedLlmCall, _current_trace_ctx

INPUT_PREVIEW = 500
OUTPUT_PREVIEW = 1500

_KEPT = (
    "prompt_tokens completion_tokens temperature latency_ns error_type error_message input_preview output_preview "
    "request_model response_id finish_reasons cached_tokens cache_write_tokens reasoning_tokens max_tokens stream "
    "operation first_chunk_ns start_ns tool_calls"
).split()


def guard(function, *args):
    """Calls one of our functions; its failure is logged at DEBUG and goes nowhere else."""
    try:
        return function(*args)
    except Exception:
        try:
            import logging

            logging.getLogger("infinium.integrations").debug("a watched call could not be recorded", exc_info=True)
        except Exception:
            pass
    return None


def cut(text, limit):
    return text if len(text) <= limit else text[:limit] + "..."


def current():
    """The context that records, or None."""
    return _current_trace_ctx.get()


class Call:
    """`data` holds the members of record_llm_call(); times in nanoseconds."""

    __slots__ = ("context", "data", "captured", "began", "open", "streamed")

    def __init__(self, context, **data):
        self.context = context
        self.data = data
        self.open = True
        self.streamed = False
        elapsed = getattr(context, "elapsed_ns", None)
        data["start_ns"] = elapsed() if elapsed else 0
        # In the list from the start, so that calls stand in the order in which they began.
        self.captured = CapturedLlmCall(data.get("provider"), data.get("request_model"))
        if getattr(context, "recording", False):
            self.captured._infinium_recorded = True
        context.calls.append(self.captured)
        self.began = time.perf_counter_ns()

    def wait(self):
        """The answer comes in pieces: should the trace end before them, it records what is known by then."""
        self.streamed = True
        add = getattr(self.context, "add_unsettled", None)
        if add:
            add(self)

    def first_chunk(self):
        if "first_chunk_ns" not in self.data:
            self.data["first_chunk_ns"] = time.perf_counter_ns() - self.began

    def settle(self):
        self.leave()

    def leave(self):
        """Nobody reads on, or not within the trace. Where the model had not ended by itself, that is the reason noted."""
        if self.open and not self.data.get("finish_reasons"):
            self.data["finish_reasons"] = ["incomplete"]
        self.end()

    def fail(self, error):
        if self.open:
            if self.streamed and not self.data.get("finish_reasons"):
                self.data["finish_reasons"] = ["error"]
            self.data["error_type"] = type(error).__name__
            try:
                self.data["error_message"] = str(error)
            except Exception:
                self.data["error_message"] = "<str() failed>"
            self.end()

    def end(self):
        if not self.open:
            return
        self.open = False
        data = self.data
        data["latency_ns"] = time.perf_counter_ns() - self.began
        context = self.context
        remove = getattr(context, "remove_unsettled", None)
        if remove:
            remove(self)
        if data.get("tool_calls"):
            # Names and ids only, as the step's metadata; the arguments are content, and stand in the output's preview.
            from .._json import encode

            data["metadata"] = encode({"tool_calls": data["tool_calls"]}).decode()
        captured = self.captured
        captured.model = data.get("model") or data.get("request_model")
        for name in _KEPT:
            if data.get(name) is not None:
                setattr(captured, name, data[name])
        record = getattr(context, "record_llm_call", None)
        if record:
            record(data)
