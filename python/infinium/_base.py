"""What the sync and the async client share: arguments, the decorator, counts. No thread, no request: those are in C."""

import os
import sys

from . import _core
from ._trace import make_decorator
from .exceptions import ValidationError


class _Default(str):
    """A default that can be told from the same text given by the caller."""


DEFAULT_BASE_URL = _Default("https://platform.i42m.ai/api/v1")
USER_AGENT = "infinium-python/" + _core.VERSION
#: Seconds that close() waits for undelivered traces when it is not told; what is left stays in the journal.
CLOSE_TIMEOUT = 5.0

# The youngest clients that were not closed. A client that a program drops without close() has a moment's traces not yet
# sent; kept here, it is flushed when the interpreter ends like any other. Older ones are let go: what they have stays in
# the journal for the next client.
_KEPT_UNCLOSED = 8
_unclosed = []


def _keep(core):
    _unclosed.append(core)
    if len(_unclosed) > _KEPT_UNCLOSED:
        _unclosed.pop(0)


def _let_go(core):
    try:
        _unclosed.remove(core)
    except ValueError:
        pass


class FlushResult:
    """Where this client's finished traces are. `delivered`: the receiver has them. `pending`: kept, not acknowledged yet.
    `lost`: gone, because the journal was full or there was none. `set_aside`: the receiver refused them for good; they
    are in rejected.ndjson of the journal directory. `counts`: all of stats()."""

    __slots__ = ("delivered", "pending", "lost", "set_aside", "counts")

    def __init__(self, counts):
        self.counts = counts
        self.delivered = counts["acknowledged"]
        self.pending = counts["pending"]
        self.lost = counts["refused"]
        self.set_aside = counts["set_aside"]

    def __bool__(self):
        return not (self.pending or self.lost or self.set_aside)

    def __repr__(self):
        return (
            f"FlushResult(delivered={self.delivered}, pending={self.pending}, lost={self.lost}, "
            f"set_aside={self.set_aside})"
        )


def _flush_exports(timeout):
    exports = sys.modules.get(__package__ + "._exports")  # loaded when there is an exporter
    if exports is not None:
        exports.flush(timeout)


def _credential(value, variable, field, shortest):
    if value is None:
        value = os.environ.get(variable)
    if not isinstance(value, str) or not value.strip():
        raise ValidationError(f"{field} is required (argument {field} or environment variable {variable})", field=field)
    if len(value.strip()) < shortest:
        raise ValidationError(f"{field} must have at least {shortest} characters", field=field)
    try:
        value.encode("ascii" if field == "agent_secret" else "utf-8")
    except UnicodeEncodeError:
        raise ValidationError(f"{field} must be plain text", field=field) from None
    if any(ord(c) < 32 or ord(c) == 127 for c in value.strip()):
        raise ValidationError(f"{field} must not hold control characters", field=field)
    return value


def _url(value):
    if value is DEFAULT_BASE_URL or value is None:
        value = os.environ.get("INFINIUM_BASE_URL") or str(DEFAULT_BASE_URL)
    if not isinstance(value, str) or not value.lower().startswith(("http://", "https://")):
        raise ValidationError("base_url must begin with http:// or https://", field="base_url")
    return value.rstrip("/")


def _seconds(value, field):
    if value is None:  # no limit
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValidationError(f"{field} must be a number of seconds, more than 0", field=field)
    return value


class BaseClient:
    """Not for use itself."""

    def __init__(
        self,
        agent_id=None,
        agent_secret=None,
        base_url=DEFAULT_BASE_URL,
        timeout=30.0,
        max_retries=3,
        enable_rate_limiting=True,
        requests_per_second=10.0,
        user_agent=USER_AGENT,
        enable_logging=False,
        log_level="INFO",
        verify_ssl=True,
        *,
        mask_secrets=True,
    ):
        self.agent_id = _credential(agent_id, "INFINIUM_AGENT_ID", "agent_id", 3)
        secret = _credential(agent_secret, "INFINIUM_AGENT_SECRET", "agent_secret", 8)
        self.base_url = _url(base_url)
        self.timeout = _seconds(timeout, "timeout")
        self.max_retries = max_retries
        self.user_agent = user_agent
        self.verify_ssl = verify_ssl
        self.enable_rate_limiting = enable_rate_limiting
        self.requests_per_second = requests_per_second
        self._rate_limiter = None
        if enable_rate_limiting and not requests_per_second > 0:
            raise ValueError("requests_per_second must be more than 0")
        if enable_logging:
            from .utils import setup_logging

            setup_logging(log_level)
        if not isinstance(user_agent, str) or any(c in user_agent for c in "\r\n\0"):
            raise ValidationError("user_agent must be text on one line", field="user_agent")
        try:
            self._core = _core.Client(
                agent_id=self.agent_id.strip(),
                agent_secret=secret.strip(),
                base_url=self.base_url,
                timeout=30.0 if timeout is None else float(timeout),  # the sender does not wait for ever
                requests_per_second=float(requests_per_second) if enable_rate_limiting else -1.0,
                user_agent=user_agent or USER_AGENT,
                verify_ssl=bool(verify_ssl),
                mask_secrets=bool(mask_secrets),
                journal_memory=False,
                journal_max_bytes=0,
                journal_dir=None,
            )
        except ValueError as error:
            raise ValidationError(f"base_url cannot be used: {error}", field="base_url") from None
        _keep(self._core)

    @property
    def agent_secret(self):
        """Kept in C, so that neither vars() nor a pickle nor a log of the object shows it."""
        return self._core.secret

    @property
    def rate_limiter(self):
        """A token bucket with this client's limit, None without one. Traces do not go through it: their limit is kept
        where they are sent, behind the traced call."""
        if not self.enable_rate_limiting:
            return None
        if self._rate_limiter is None:
            from .utils import RateLimiter

            self._rate_limiter = RateLimiter(self.requests_per_second)
        return self._rate_limiter

    @rate_limiter.setter
    def rate_limiter(self, limiter):
        self._rate_limiter = limiter
        self.enable_rate_limiting = limiter is not None

    @property
    def logger(self):
        import logging

        return logging.getLogger(type(self).__module__)

    def trace(self, name, *, auto_send=True, description=None, otel_exporter=None, **options):
        """Decorates a function or coroutine function: each call is a trace of its own. The call is never delayed by the
        network and returns or raises what the function does.

        auto_send=False builds the trace and does not send it: it is at `function.last_trace`, a TaskData. `otel_exporter`: an
        InfiniumOTelExporter, which gets each finished trace, on a thread of its own; flush() waits for it.

        Further options, all with defaults: `capture_input=True`, `capture_output=True`; `ignore`: names of arguments to
        leave out; `mask`: a callable that gets each text that is to be stored (input, output, messages, stack traces) and
        returns it as it may be stored; `tags`, `metadata`, `session_id`, `user_id` of every trace; `sample`: the share of
        calls to record, 0 to 1, or a callable that is given the call's arguments; `on_trace`: called with each finished
        trace, a TaskData.
        """
        return make_decorator(name, self, auto_send, description, otel_exporter, **options)

    def _flush(self, timeout):
        """Exporters first, because that is quick; then what goes over the network."""
        _flush_exports(30.0 if timeout is None else timeout)
        return FlushResult(self._core.flush(timeout))

    def _close(self, timeout):
        _flush_exports(CLOSE_TIMEOUT if timeout is None else timeout)
        _let_go(self._core)
        return FlushResult(self._core.close(timeout))

    def stats(self):
        """All counts since the client was made: begun = open + pending + acknowledged + set_aside + refused."""
        return self._core.stats()

    def __repr__(self):
        return f"{type(self).__name__}(agent_id={self.agent_id!r}, base_url={self.base_url!r})"

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r}: make one in each process")
