"""An exception as an `ErrorDetail`. Whatever the exception does in its `str()`, nothing is raised here; what it costs is
bounded by what is kept, not by the depth of the stack or the length of the message."""

from __future__ import annotations

from ._json import text_of
from .types import ErrorDetail
from .utils import truncate_string

MAX_MESSAGE = 10_000  # characters
MAX_STACK = 1_000
_MAX_FRAMES = 30  # looked at, from the raise site outwards
_HEADER = "Traceback (most recent call last):\n"


def error_detail(error):
    """Type, message and stack trace of `error`. The end of a long stack is kept, because it has the raise site."""
    return ErrorDetail(
        error_type=type(error).__name__,
        message=truncate_string(text_of(error), MAX_MESSAGE),
        stack_trace=stack_trace(error, MAX_STACK),
    )


def stack_trace(error, limit):
    """The traceback of `error` in at most `limit` characters: the whole, or the innermost frames and the exception."""
    import traceback

    last = truncate_string(f"{type(error).__name__}: {text_of(error)}", limit // 3) + "\n"
    try:
        frames = traceback.format_tb(error.__traceback__, limit=-_MAX_FRAMES)
        all_frames = len(frames) < _MAX_FRAMES
        if all_frames and error.__cause__ is None and error.__context__ is None:
            whole = _HEADER + "".join(frames) + "".join(traceback.format_exception_only(type(error), error))
            if len(whole) <= limit:
                return text_of(whole)
        elif all_frames and _few_links(error):
            whole = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-_MAX_FRAMES))
            if len(whole) <= limit:
                return text_of(whole)
    except Exception:  # a source file that cannot be read, an exception class with surprises
        return _HEADER + last
    room = limit - len(_HEADER) - len("  ...\n") - len(last)
    kept = []
    for frame in reversed(frames):
        if len(frame) > room:
            break
        room -= len(frame)
        kept.append(frame)
    if not kept and frames:
        kept.append(frames[-1][: max(room, 0)])
    return text_of(_HEADER + "  ...\n" + "".join(reversed(kept)) + last)


def _few_links(error):
    """Whether the chain of causes is short enough to be formatted as a whole."""
    links = 0
    while error is not None and links < 5:
        error = error.__cause__ or error.__context__
        links += 1
    return error is None
