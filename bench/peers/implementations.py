"""How each measured package is set up and how it decorates a function: what a user of it would write.

Each class names the distribution and what is imported of it, gives the environment that a process needs before it imports
anything, and offers

    decorate(name, function)   the decorated function (or coroutine function)
    flush()                    waits until what was traced is sent, as the package offers it
    close()                    ends the package in an orderly way; None where there is nothing but the interpreter's exit

Keys are made up at run time and mean nothing: everything goes to a sink on 127.0.0.1. The packages' own telemetry is off.
Nothing is tuned: queues, batches and time-outs are what the package comes with. The published client's rate limiter,
ten requests a second, is off, for otherwise it would be the only thing measured.

OpenTelemetry's and ddtrace's decorators record nothing of arguments and results. Both are measured as they are and, so
that the same is delivered by all, with the two attributes that a user would set by hand: `recorded()` below.
"""

import functools
import inspect
import logging
import secrets
import uuid

INPUT, OUTPUT = 3000, 8000


def recorded(function, note):
    """`function`, telling note(input, output) what the other packages' decorators record by themselves."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            note("input.value", repr({"args": args, "kwargs": kwargs})[:INPUT])
            result = await function(*args, **kwargs)
            note("output.value", repr(result)[:OUTPUT])
            return result

    else:

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            note("input.value", repr({"args": args, "kwargs": kwargs})[:INPUT])
            result = function(*args, **kwargs)
            note("output.value", repr(result)[:OUTPUT])
            return result

    return wrapper


class Implementation:
    distribution = imports = None
    captures = True  # does what it delivers hold the arguments?

    def __init__(self, url):
        self.url = url

    @staticmethod
    def environment(url):
        return {}

    def close(self):
        pass


class Bare(Implementation):
    """The call without a decorator."""

    def decorate(self, name, function):
        return function

    def flush(self):
        pass


class Infinium(Implementation):
    """This project. The agent is registered at the receiver that the environment names."""

    distribution, imports = "infinium", "from infinium import InfiniumClient"

    def __init__(self, url):
        import infinium

        logging.getLogger("infinium").setLevel(logging.ERROR)
        self.client = infinium.InfiniumClient(enable_rate_limiting=False)

    def decorate(self, name, function):
        return self.client.trace(name)(function)

    def flush(self):
        self.client.flush(60)

    def close(self):
        self.client.close(60)


class Published(Implementation):
    """infinium-o2: the coroutine function by its asynchronous client, as its documentation says."""

    distribution, imports = "infinium-o2", "from infinium import InfiniumClient"

    def __init__(self, url):
        import infinium

        logging.getLogger("infinium").setLevel(logging.CRITICAL)
        self.options = dict(
            agent_id=str(uuid.uuid4()),
            agent_secret=secrets.token_hex(16),
            base_url=url + "/api/v1",
            enable_rate_limiting=False,
        )
        self.package = infinium
        self.client = infinium.InfiniumClient(**self.options)

    def decorate(self, name, function):
        client = self.client
        if inspect.iscoroutinefunction(function):
            client = self.package.AsyncInfiniumClient(**self.options)
        return client.trace(name)(function)

    def flush(self):
        pass  # each call has sent its trace, or has given up


class OpenTelemetry(Implementation):
    distribution = "opentelemetry-exporter-otlp-proto-http"
    imports = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
"""

    @staticmethod
    def environment(url):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": url}

    def __init__(self, url):
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self.provider = TracerProvider()
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(self.provider)
        self.tracer = trace.get_tracer("bench")
        self.current = trace.get_current_span

    def note(self, key, value):
        self.current().set_attribute(key, value)

    def decorate(self, name, function):
        return self.tracer.start_as_current_span(name)(recorded(function, self.note))

    def flush(self):
        self.provider.force_flush()

    def close(self):
        self.provider.shutdown()


class OpenTelemetryAsIs(OpenTelemetry):
    captures = False

    def decorate(self, name, function):
        return self.tracer.start_as_current_span(name)(function)


class Langfuse(Implementation):
    distribution, imports = "langfuse", "from langfuse import get_client, observe"

    @staticmethod
    def environment(url):
        return {
            "LANGFUSE_BASE_URL": url,
            "LANGFUSE_PUBLIC_KEY": "pk-lf-" + str(uuid.uuid4()),
            "LANGFUSE_SECRET_KEY": "sk-lf-" + str(uuid.uuid4()),
        }

    def __init__(self, url):
        from langfuse import get_client, observe

        for name in ("langfuse", "opentelemetry"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.client, self.observe = get_client(), observe

    def decorate(self, name, function):
        return self.observe(name=name)(function)

    def flush(self):
        self.client.flush()

    def close(self):
        self.client.shutdown()


class Datadog(Implementation):
    distribution, imports = "ddtrace", "from ddtrace.trace import tracer"

    @staticmethod
    def environment(url):
        return {
            "DD_TRACE_AGENT_URL": url,
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "DD_REMOTE_CONFIGURATION_ENABLED": "false",
            "DD_TRACE_STARTUP_LOGS": "false",
            "DD_SERVICE": "bench",
        }

    def __init__(self, url):
        from ddtrace.trace import tracer

        logging.getLogger("ddtrace").setLevel(logging.CRITICAL)
        self.tracer = tracer

    def note(self, key, value):
        self.tracer.current_span().set_tag(key, value)

    def decorate(self, name, function):
        return self.tracer.wrap(name)(recorded(function, self.note))

    def flush(self):
        self.tracer.flush()

    def close(self):
        self.tracer.shutdown()


class DatadogAsIs(Datadog):
    captures = False

    def decorate(self, name, function):
        return self.tracer.wrap(name)(function)


class Logfire(Implementation):
    distribution, imports = "logfire", "import logfire; logfire.configure, logfire.instrument"

    @staticmethod
    def environment(url):
        return {"LOGFIRE_BASE_URL": url, "LOGFIRE_TOKEN": secrets.token_hex(24), "LOGFIRE_IGNORE_NO_CONFIG": "1"}

    def __init__(self, url):
        import warnings

        import logfire

        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        logfire.configure(console=False, inspect_arguments=False, scrubbing=False)
        self.logfire = logfire

    def decorate(self, name, function):
        return self.logfire.instrument(name, record_return=True)(function)

    def flush(self):
        self.logfire.force_flush(60_000)

    def close(self):
        self.logfire.shutdown(60_000)


class LangSmith(Implementation):
    distribution, imports = "langsmith", "from langsmith import Client, traceable"

    @staticmethod
    def environment(url):
        return {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": url,
            "LANGSMITH_API_KEY": "lsv2_pt_" + secrets.token_hex(16),
        }

    def __init__(self, url):
        from langsmith import Client, traceable

        logging.getLogger("langsmith").setLevel(logging.CRITICAL)
        self.client, self.traceable = Client(), traceable

    def decorate(self, name, function):
        return self.traceable(name=name, client=self.client)(function)

    def flush(self):
        self.client.flush()


ALL = {
    "bare": Bare,
    "infinium": Infinium,
    "infinium-o2": Published,
    "opentelemetry": OpenTelemetry,
    "opentelemetry (no values)": OpenTelemetryAsIs,
    "langfuse": Langfuse,
    "ddtrace": Datadog,
    "ddtrace (no values)": DatadogAsIs,
    "logfire": Logfire,
    "langsmith": LangSmith,
}
