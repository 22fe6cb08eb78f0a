"""Arrays and tables whose repr() would show everything: their shape instead.

numpy and pandas abbreviate what is large (past 1,000 items, 60 rows), but both can be told not to; then the repr() of a
large one takes seconds, inside the traced call. What they would abbreviate is left to them.
"""

import sys

_ITEMS = 1_000  # numpy's own threshold
_ROWS = 1_000


def instead(value):
    """A text for the trace, or None when the value's own repr() is short. May raise; the caller asks for the repr() then."""
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple):
        return None
    name = type(value).__name__
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and isinstance(value, numpy.ndarray):
        if value.size > _ITEMS and numpy.get_printoptions()["threshold"] > _ITEMS:
            return f"<{name} of shape {shape}, {value.dtype}>"
    elif pandas is not None and shape[0] > _ROWS:
        rows = pandas.get_option("display.max_rows")
        if rows is None or rows > _ROWS or rows == 0:
            return f"<{name} of shape {shape}>"
    return None
