"""JSON as it goes onto the wire: compact, UTF-8, and always something, whatever a caller has put into a dict.

NaN and infinities become null, lone surrogates U+FFFD, keys that are no strings their text, cycles and what is nested
too deep a note, and any other object its `str()`. A `str()` that raises is noted too.
"""

from __future__ import annotations

_MAX_DEPTH = 100  # of lists and dicts in each other
_SURROGATES = {code: "\ufffd" for code in range(0xD800, 0xE000)}


def clean_text(text):
    """`text` as str proper, with each lone surrogate as U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.translate(_SURROGATES)
    return str.__str__(text)


def text_of(value):
    """`str(value)`, or a note about why there is none."""
    try:
        return clean_text(str(value))
    except Exception as error:
        return f"<{type(value).__name__}: str() raised {type(error).__name__}>"


def _plain(value, depth, seen):
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        try:
            int.__repr__(value)  # fails past sys.set_int_max_str_digits()
            return int(value)
        except Exception:
            return f"<int of {int.bit_length(value)} bits>"
    if isinstance(value, float):
        value = float(value)
        return value if value - value == 0 else None
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        if id(value) in seen:
            return "<cycle>"
        if depth >= _MAX_DEPTH:
            return "<nested too deep>"
        seen.add(id(value))
        try:
            if isinstance(value, dict):
                return {_key(key): _plain(item, depth + 1, seen) for key, item in list(value.items())}
            return [_plain(item, depth + 1, seen) for item in list(value)]
        except Exception as error:  # of a subclass's own iteration
            return f"<{type(value).__name__}: {type(error).__name__}>"
        finally:
            seen.discard(id(value))
    if not isinstance(value, type) and hasattr(type(value), "__dataclass_fields__"):
        from .utils import dataclass_to_dict

        return _plain(dataclass_to_dict(value), depth, seen)
    return text_of(value)


def _key(key):
    if isinstance(key, str):
        return clean_text(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return text_of(key)


def plain(value):
    """`value` as dicts, lists, strings, finite numbers, booleans and None only."""
    return _plain(value, 0, set())


def dumps(value):
    """Plain data as compact UTF-8."""
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def encode(value):
    """Any data as compact UTF-8."""
    return dumps(plain(value))


def _loads(body):
    import json  # costs more than all of this package: loaded when needed

    return json.loads(body)


def decode_object(body):
    """The JSON object in `body`, or None when there is none."""
    try:
        value = _loads(body)
    except (TypeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def decode_any(body):
    """The JSON value in `body`, or None when there is none."""
    try:
        return _loads(body)
    except (TypeError, ValueError, RecursionError):
        return None
