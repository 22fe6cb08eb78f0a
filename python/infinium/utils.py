"""Checks of what callers pass, and small helpers. Everything here is pure Python and needs no client.

The module is imported together with the package, so it imports at its top nothing that a bare interpreter lacks.
"""

from __future__ import annotations

import sys
import time

from .exceptions import ValidationError

MAX_NAME_LENGTH = 500  # characters
MAX_DESCRIPTION_LENGTH = 10_000
MAX_STRING_LENGTH = 2_000
MAX_PAYLOAD_SIZE = 1_048_576  # bytes of UTF-8, as sent
MAX_DURATION = 86_400  # seconds

_UUID_GROUPS = (8, 4, 4, 4, 12)
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def get_current_iso_datetime():
    """The time now: ISO 8601, UTC, microseconds, `Z`."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1000:06d}Z"


def validate_iso_datetime(datetime_str):
    """True for an ISO 8601 date or date and time (`Z` allowed) in the years 1900 to 2100."""
    if not isinstance(datetime_str, str) or not datetime_str.strip():
        return False
    from datetime import datetime

    text = datetime_str.strip()
    if text[-1] == "Z":
        text = text[:-1] + "+00:00"
    try:
        return 1900 <= datetime.fromisoformat(text).year <= 2100
    except ValueError:
        return False


def validate_duration(duration):
    """`duration` in seconds as a float; ValidationError unless 0 <= duration <= 86400."""
    try:
        value = float(duration)
    except (TypeError, ValueError, OverflowError):
        raise ValidationError("duration must be a number of seconds", field="duration") from None
    if value != value:
        raise ValidationError("duration must not be NaN", field="duration")
    if value < 0:
        raise ValidationError("duration must be non-negative", field="duration")
    if value > MAX_DURATION:
        what = "infinite" if value == float("inf") else f"over {MAX_DURATION} seconds (24 hours)"
        raise ValidationError(f"duration must not be {what}", field="duration")
    return value


def validate_path_id(value, field_name):
    """`value` without surrounding white space, if it is a UUID (hex in groups of 8-4-4-4-12); else ValidationError."""
    if not isinstance(value, str) or not value.strip():
        raise ValidationError(f"{field_name} is required", field=field_name)
    text = value.strip()
    if ".." in text or "/" in text or "\\" in text:
        raise ValidationError(f"{field_name} contains characters that an id cannot have", field=field_name)
    groups = text.split("-")
    if tuple(map(len, groups)) != _UUID_GROUPS or not _HEX_DIGITS.issuperset("".join(groups)):
        raise ValidationError(f"{field_name} must be a UUID", field=field_name)
    return text


def validate_string_length(value, field_name, max_length):
    """`value`, if it is no string or one of at most `max_length` characters; else ValidationError."""
    if isinstance(value, str) and len(value) > max_length:
        raise ValidationError(f"{field_name} is longer than {max_length} characters", field=field_name)
    return value


def validate_required_field(value, field_name):
    """ValidationError for None and for blank strings."""
    if value is None:
        raise ValidationError(f"{field_name} is required", field=field_name)
    if isinstance(value, str) and not value.strip():
        raise ValidationError(f"{field_name} must not be empty", field=field_name)


def validate_agent_credentials(agent_id, agent_secret):
    """ValidationError unless both are strings of at least 3 and 8 characters, not counting surrounding white space."""
    for value, field, least in ((agent_id, "agent_id", 3), (agent_secret, "agent_secret", 8)):
        if not isinstance(value, str) or not value.strip():
            raise ValidationError(f"{field} is required and must be a string", field=field)
        if len(value.strip()) < least:
            raise ValidationError(f"{field} must have at least {least} characters", field=field)


def validate_payload_size(payload):
    """ValidationError if `payload`, written as it is sent (compact JSON in UTF-8), is over 1 MiB; TypeError for what JSON
    cannot hold."""
    import json

    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    _check_size(len(text.encode("utf-8", "surrogatepass")))


def _check_size(size):
    if size > MAX_PAYLOAD_SIZE:
        raise ValidationError(f"payload of {size} bytes is over the limit of {MAX_PAYLOAD_SIZE} bytes")


def coerce_section(value, dataclass_type):
    """A dict as `dataclass_type`; anything else, and a dict that lacks a required key, as it is.

    Keys that are no fields go into the field `metadata` where there is one; else they become attributes of the result
    and are sent beside the fields.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return value
    names = _field_names_of(dataclass_type) or ()
    known = {key: value[key] for key in value if key in names}
    others = {key: value[key] for key in value if key not in names}
    if others and "metadata" in names:
        given = known.get("metadata")
        known["metadata"] = {**given, **others} if isinstance(given, dict) else others
        others = {}
    try:
        section = dataclass_type(**known)
    except TypeError:
        return value
    for key, item in others.items():
        setattr(section, key, item)
    return section


def _field_names_of(cls):
    fields = getattr(cls, "__match_args__", None)
    if cls.__module__ == "infinium.types" and fields is not None:
        return fields
    if getattr(cls, "__dataclass_fields__", None) is None:
        return None
    import dataclasses

    return [field.name for field in dataclasses.fields(cls)]


def _field_names(value):
    return _field_names_of(type(value))


def dataclass_to_dict(obj):
    """A dataclass as a dict for the wire: without None, empty dataclasses and empty lists, in lists too; strings, dicts, 0
    and False stay, tuples become lists. Public attributes that are no fields are kept too. A dict is returned untouched,
    anything else gives {}."""
    if isinstance(obj, dict):
        return obj
    names = None if isinstance(obj, type) else _field_names(obj)
    if names is None:
        return {}
    result = {}
    own = getattr(obj, "__dict__", {})
    for name in (*names, *(name for name in own if name not in names and not name.startswith("_"))):
        value = getattr(obj, name, None)
        if isinstance(value, (list, tuple)):
            value = [item for item in map(_item, value) if item is not None]
            if not value:
                continue
        elif _is_record(value):
            value = dataclass_to_dict(value)
            if not value:
                continue
        if value is not None:
            result[name] = value
    return result


def _item(value):
    """An item of a list for the wire; None for one that is left out."""
    return dataclass_to_dict(value) or None if _is_record(value) else value


def _is_record(value):
    cls = type(value)
    if cls in (str, int, float, dict, bool, type(None)):
        return False
    return not isinstance(value, type) and _field_names(value) is not None


def exponential_backoff(attempt, base_delay=1.0, max_delay=60.0, jitter=True):
    """Seconds to wait after attempt number `attempt` (from 0): doubling, at most `max_delay`, then +-25 %."""
    # 2.0 ** 1024 overflows; no base delay of interest needs more than 64 doublings to reach its cap.
    delay = min(base_delay * 2.0 ** min(attempt, 64), max_delay)
    if jitter:
        import random

        delay *= random.uniform(0.75, 1.25)
    return max(delay, 0.0)


async def retry_with_backoff(func, max_retries=3, base_delay=1.0, max_delay=60.0, exceptions=(Exception,)):
    """Awaits `func()` (or takes its plain result) and tries again up to `max_retries` times on `exceptions`."""
    import asyncio

    attempt = 0
    while True:
        try:
            result = func()
            return await result if hasattr(result, "__await__") else result
        except exceptions:
            if attempt >= max_retries:
                raise
        await asyncio.sleep(exponential_backoff(attempt, base_delay, max_delay))
        attempt += 1


def safe_json_loads(json_str):
    """A JSON object as a dict (a dict as it is), or None for anything else and for texts of over 1 MiB."""
    if isinstance(json_str, dict):
        return json_str
    if not isinstance(json_str, str) or len(json_str.strip()) > MAX_PAYLOAD_SIZE:
        return None
    import json

    try:
        value = json.loads(json_str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def merge_dicts(*dicts):
    """One new dict of all that is not None; later ones win. Arguments that are no dicts are skipped."""
    result = {}
    for each in dicts:
        if isinstance(each, dict):
            result.update((key, value) for key, value in each.items() if value is not None)
    return result


def truncate_string(text, max_length=1000, suffix="..."):
    """`text` cut to `max_length` characters, `suffix` included."""
    if len(text) <= max_length:
        return text
    if max_length <= len(suffix):
        return suffix[: max(max_length, 0)]
    return text[: max_length - len(suffix)] + suffix


def setup_logging(level="INFO", format_string=None):
    """`logging.basicConfig` with this level; AttributeError for a level that `logging` does not have."""
    import logging

    logging.basicConfig(
        level=getattr(logging, level.upper()),
        format="%(asctime)s - %(name)s - %(levelname)s - %(message)s" if format_string is None else format_string,
        datefmt="%Y-%m-%d %H:%M:%S",
    )


class RateLimiter:
    """A token bucket. In any t seconds at most `burst_size` + `requests_per_second` * t callers get through, whatever
    the number of threads and tasks: a caller books its token at once, even one of the future, and waits until it is due.
    """

    def __init__(self, requests_per_second=10.0, burst_size=20):
        import threading

        if not requests_per_second > 0:
            raise ValueError("requests_per_second must be greater than 0")
        if not burst_size > 0:
            raise ValueError("burst_size must be greater than 0")
        self.requests_per_second = requests_per_second
        self.burst_size = burst_size
        self.tokens = burst_size  # below 0: that many are booked ahead
        self.last_update = time.monotonic()
        self._sync_lock = threading.Lock()

    def _book(self):
        """Takes one token; returns the monotonic time at which it is due."""
        with self._sync_lock:
            now = time.monotonic()
            self.tokens = min(self.burst_size, self.tokens + (now - self.last_update) * self.requests_per_second) - 1
            self.last_update = now
            return now - min(self.tokens, 0) / self.requests_per_second

    def _give_back(self):
        with self._sync_lock:
            self.tokens = min(self.burst_size, self.tokens + 1)

    def acquire_sync(self):
        """Returns when the caller may send; sleeps until then."""
        due = self._book()
        try:
            while (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
        except BaseException:
            self._give_back()
            raise

    async def acquire(self):
        """The same without blocking the event loop."""
        import asyncio

        due = self._book()
        try:
            while (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
        except BaseException:
            self._give_back()
            raise


def python_version():
    """The interpreter's version as x.y.z."""
    return "%d.%d.%d" % sys.version_info[:3]


def sdk_version():
    """The version of this package."""
    package = sys.modules.get("infinium")
    version = getattr(package, "__version__", None)
    if version is None:
        from importlib.metadata import PackageNotFoundError, version as installed

        try:
            version = installed("infinium")
        except PackageNotFoundError:
            version = "0.1.0"
    return version
