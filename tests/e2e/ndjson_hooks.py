"""For schemathesis: bodies of NDJSON go as they are made, as text."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context, value):
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
