"""Traces as OpenTelemetry spans, through whatever tracer provider the program has set. Needs `opentelemetry-api`; without
it, one warning and nothing else."""

import time

try:
    from opentelemetry import trace as _trace
    from opentelemetry.trace import SpanKind, Status, StatusCode
except ImportError:
    _trace = None


def current_context():
    """The OpenTelemetry context that is current, to be attached() elsewhere; None without OpenTelemetry."""
    if _trace is None:
        return None
    from opentelemetry import context

    return context.get_current()


class attached:
    """`with attached(current_context()):` spans made inside have the parent that was current there."""

    def __init__(self, where):
        self.where = where

    def __enter__(self):
        if self.where is not None:
            from opentelemetry import context

            self.token = context.attach(self.where)

    def __exit__(self, *error):
        if self.where is not None:
            from opentelemetry import context

            context.detach(self.token)


class InfiniumOTelExporter:
    """`service_name` goes onto each root span, `tracer_name` names the tracer."""

    def __init__(self, service_name="infinium-agent", tracer_name="infinium"):
        self.service_name = service_name
        self.tracer_name = tracer_name
        if _trace is None:
            import logging

            logging.getLogger("infinium.integrations.otel").warning(
                "opentelemetry is not installed; traces are not exported to it"
            )

    def export_trace(self, trace_name, duration_s, ctx=None, *, end_time_ns=None):
        """Makes the spans of one trace that ended at `end_time_ns` (since the epoch; default: now) and took `duration_s`
        seconds: a root, and below it one for each watched call of `ctx`. Calls whose beginning is not known are laid
        end to end, the last one at the trace's end. Never raises."""
        if _trace is None:
            return
        try:
            self._export(trace_name, duration_s, ctx, end_time_ns)
        except Exception:
            import logging

            logging.getLogger("infinium.integrations.otel").debug("a trace could not be exported", exc_info=True)

    def _export(self, trace_name, duration_s, ctx, end_time_ns):
        tracer = _trace.get_tracer(self.tracer_name)
        end = time.time_ns() if end_time_ns is None else end_time_ns
        start = end - max(int(duration_s * 1e9), 0)
        attributes = {"infinium.service": self.service_name, "infinium.duration_s": duration_s}
        calls = list(ctx.calls) if ctx is not None else []
        prompts = list(ctx.prompts) if ctx is not None else []
        if ctx is not None:
            attributes["infinium.llm_call_count"] = len(calls)
            attributes["infinium.prompt_fetch_count"] = len(prompts)
            attributes["llm.total_prompt_tokens"] = sum(call.prompt_tokens or 0 for call in calls)
            attributes["llm.total_completion_tokens"] = sum(call.completion_tokens or 0 for call in calls)
        root = tracer.start_span(trace_name, start_time=start, attributes=attributes)
        try:
            for prompt in prompts:
                members = {
                    "prompt.id": prompt.prompt_id,
                    "prompt.name": prompt.prompt_name,
                    "prompt.version": prompt.version,
                }
                root.add_event("prompt_studio.fetch", members, timestamp=_fetched_ns(prompt, start, end))
            parent = _trace.set_span_in_context(root)
            for number, (call, (begin, finish)) in enumerate(zip(calls, _times(calls, start, end))):
                self._export_call(tracer, parent, number, call, begin, finish)
        finally:
            root.end(end_time=end)

    def _export_call(self, tracer, parent, number, call, begin, finish):
        known = {
            "llm.provider": call.provider,
            "llm.model": call.model,
            "llm.prompt_tokens": call.prompt_tokens,
            "llm.completion_tokens": call.completion_tokens,
            "llm.temperature": call.temperature,
            "llm.latency_ms": None if call.latency_ns is None else call.latency_ns / 1e6,
            "error.type": call.error_type,
        }
        span = tracer.start_span(
            f"llm.{call.provider}.{number}",
            context=parent,
            kind=SpanKind.CLIENT,
            start_time=begin,
            attributes={name: value for name, value in known.items() if value is not None},
        )
        if call.error_type:
            span.set_status(Status(StatusCode.ERROR, call.error_message or call.error_type))
        span.end(end_time=finish)


def _times(calls, start, end):
    """(begin, end) of each call, within the trace: as measured, or, where only latencies are known, end to end."""
    spans = []
    following = end
    for call in reversed(calls):
        latency = call.latency_ns or 0
        offset = getattr(call, "start_ns", None)
        begin = following - latency if offset is None else start + offset
        begin = min(max(begin, start), end)
        spans.append((begin, min(begin + latency, end)))
        following = begin
    return reversed(spans)


def _fetched_ns(prompt, start, end):
    """When the prompt was fetched, within the trace."""
    from datetime import datetime

    try:
        fetched = datetime.fromisoformat(prompt.fetched_at.replace("Z", "+00:00"))
        return min(max(int(fetched.timestamp() * 1e9), start), end)
    except (AttributeError, ValueError):
        return start
