"""A sink on 127.0.0.1 for the peers' traces: takes whatever they post, answers as their server would, keeps it and counts.

    python bench/peers/sink.py [PORT]

Prints `listening on PORT`. Every traced call of the bench has a token among its arguments, `q` + seven digits + `z`; the
sink looks for tokens in what arrived, unpacked, so it need not know any wire format and sees each loss. It answers at
once and looks for tokens only when it is asked:

    GET /bench/count    {"requests", "bytes", "distinct", "last", "tokens"}: how many tokens, when the last request came,
                        and which tokens (null when there are too many to tell)
    POST /bench/reset   forgets everything

It keeps nothing on disk, so a peer's figure is that of a server that costs next to nothing.
"""

import asyncio
import gzip
import json
import re
import sys
import time
import zlib

TOKEN = re.compile(rb"q(\d{7})z")
OK = b'{"success":true,"message":"stored","traceId":"11111111-2222-3333-4444-555555555555","rate_by_service":{}}'
LANGSMITH = json.dumps(
    {
        "version": "0.12.0",
        "instance_flags": {"zstd_compression_enabled": True},
        "batch_ingest_config": {
            "use_multipart_endpoint": True,
            "scale_up_qsize_trigger": 1000,
            "scale_up_nthreads_limit": 16,
            "scale_down_nempty_trigger": 4,
            "size_limit": 100,
            "size_limit_bytes": 20971520,
        },
    }
).encode()
DATADOG = b'{"endpoints":["/v0.4/traces","/v0.5/traces"],"client_drop_p0s":false,"version":"7.0.0"}'
ANSWERS = {  # what the peers ask for beyond posting traces
    b"/info": lambda agent: DATADOG if b"ddtrace" in agent or b"datadog" in agent.lower() else LANGSMITH,
    b"/v1/info": lambda agent: b'{"project_name":"bench","project_url":"http://127.0.0.1/bench"}',
}


class Kept:
    def __init__(self):
        self.bodies = []
        self.tokens = set()
        self.requests = 0
        self.bytes = 0
        self.last = None

    def count(self):
        bodies, self.bodies = self.bodies, []
        for encoding, body in bodies:
            self.tokens.update(TOKEN.findall(unpacked(encoding, body)))
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "distinct": len(self.tokens),
            "tokens": sorted(int(token) for token in self.tokens) if len(self.tokens) <= 20_000 else None,
            "last": self.last,
        }


def unpacked(encoding, body):
    if encoding == b"gzip" or body[:2] == b"\x1f\x8b":
        return gzip.decompress(body)
    if encoding == b"deflate":
        return zlib.decompress(body)
    if encoding == b"zstd" or body[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


class Connection(asyncio.Protocol):
    kept = Kept()

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, data):
        self.buffer += data
        while self.buffer and self.one():
            pass

    def one(self):
        """Answers one request when it is all there."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self.buffer[:end]).split(b"\r\n")
        method, path = lines[0].split(b" ")[:2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        if headers.get(b"expect", b"").lower() == b"100-continue" and len(self.buffer) == end + 4:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            body, stop = self.chunked(end + 4)
        else:
            stop = end + 4 + int(headers.get(b"content-length", 0))
            body = bytes(self.buffer[end + 4 : stop]) if stop <= len(self.buffer) else None
        if body is None:
            return False
        del self.buffer[:stop]
        self.answer(method, path.split(b"?")[0], headers, body)
        return True

    def chunked(self, at):
        parts = []
        while True:
            line = self.buffer.find(b"\r\n", at)
            if line < 0:
                return None, 0
            size = int(bytes(self.buffer[at:line]).split(b";")[0], 16)
            at = line + 2
            if len(self.buffer) < at + size + 2:
                return None, 0
            if size == 0:
                return b"".join(parts), at + 2
            parts.append(bytes(self.buffer[at : at + size]))
            at += size + 2

    def answer(self, method, path, headers, body):
        kept = self.kept
        kind = b"application/json"
        if path == b"/bench/count":
            content = json.dumps(kept.count()).encode()
        elif path == b"/bench/reset":
            Connection.kept = Kept()
            content = b"{}"
        elif path in ANSWERS and method == b"GET":
            content = ANSWERS[path](headers.get(b"user-agent", b""))
        elif path.endswith(b"/v1/traces"):
            content, kind = b"", b"application/x-protobuf"
            self.keep(headers, body)
        else:
            content = OK
            self.keep(headers, body)
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(content)) + content
        )

    def keep(self, headers, body):
        self.kept.requests += 1
        self.kept.bytes += len(body)
        self.kept.last = time.time()
        if body:
            self.kept.bodies.append((headers.get(b"content-encoding", b""), body))


async def main(port):
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    except KeyboardInterrupt:
        pass
