"""One HTTP request with a bound on the whole of it, standard library only: for direct calls, which wait for their answer
anyway. Proxies are taken from the environment; redirects are not followed. Nothing here knows what a trace is."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request

MAX_ANSWER = 64 * 1024 * 1024  # bytes
_MAX_IDLE = 16  # connections kept

_idle = {}  # (scheme, host, port, proxy, verify, pid) -> connections
_idle_lock = threading.Lock()


class _TimedReader(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the bytes drip in."""

    def __init__(self, owner):
        self.owner = owner

    def readable(self):
        return True

    def readinto(self, buffer):
        sock = self.owner.sock
        sock.settimeout(self.owner.remaining())
        return sock.recv_into(buffer)


class _TimedSocket:
    """The part of a socket that http.client uses, under a deadline."""

    def __init__(self, sock, deadline):
        self.sock = sock
        self.deadline = deadline

    def remaining(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    def makefile(self, mode):
        return io.BufferedReader(_TimedReader(self), 65536)

    def sendall(self, data):
        self.sock.settimeout(self.remaining())
        self.sock.sendall(data)

    def close(self):
        self.sock.close()


def _connect(scheme, host, port, proxy, verify, timeout):
    context = None
    if scheme == "https":
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    if proxy is None:
        at = (host, port)
    else:
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else "//" + proxy)
        at = (parts.hostname, parts.port or 80)
    if scheme == "https":
        connection = http.client.HTTPSConnection(*at, timeout=timeout, context=context)
        if proxy is not None:
            connection.set_tunnel(host, port)
    else:
        connection = http.client.HTTPConnection(*at, timeout=timeout)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _take(key):
    """An idle connection that the server has not closed, or None."""
    import select

    while True:
        with _idle_lock:
            connections = _idle.get(key)
            if not connections:
                return None
            connection = connections.pop()
        try:
            poller = select.poll()
            poller.register(connection.sock, select.POLLIN)
            if not poller.poll(0):
                return connection
        except OSError:
            pass
        connection.close()  # readable while idle: closed, or not speaking HTTP


def _keep(key, connection):
    with _idle_lock:
        connections = _idle.setdefault(key, [])
        if len(connections) < _MAX_IDLE:
            connections.append(connection)
            return
    connection.close()


def request(base_url, method, path, headers, body, timeout, verify=True):
    """Sends `body` (bytes or None); returns (status, Retry-After or None, body). `timeout` in seconds bounds the whole.

    TimeoutError when it is over; ConnectionError, ssl.SSLError or another OSError when there is no answer. Thread-safe.
    """
    import os

    url = urllib.parse.urlsplit(base_url + path)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise OSError(f"not an http:// or https:// address: {base_url}")
    port = url.port or (443 if url.scheme == "https" else 80)
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy is not None and urllib.request.proxy_bypass(url.hostname):
        proxy = None
    target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
    if proxy is not None and url.scheme == "http":
        target = base_url + path
    key = (url.scheme, url.hostname, port, proxy, verify, os.getpid())
    deadline = time.monotonic() + timeout

    connection = _take(key)
    if connection is None:
        try:
            connection = _connect(url.scheme, url.hostname, port, proxy, verify, timeout)
        except socket.timeout as error:
            raise TimeoutError("no connection in time") from error
    sock = connection.sock
    try:
        connection.sock = _TimedSocket(sock, deadline)
        # Header values go over as UTF-8; http.client would refuse what is not Latin-1.
        sent = {"Accept": b"*/*", **{name: value.encode("utf-8") for name, value in headers.items()}}
        connection.request(method, target, body=body, headers=sent)
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER + 1)
        if len(content) > MAX_ANSWER:
            raise ConnectionError("the answer is too long")
        if answer.length:
            raise ConnectionError("the answer was cut short")
        status, retry_after = answer.status, answer.getheader("Retry-After")
    except socket.timeout as error:  # before Python 3.10 not the built-in TimeoutError
        sock.close()
        raise TimeoutError("no answer in time") from error
    except http.client.HTTPException as error:
        sock.close()
        raise ConnectionError(f"not an HTTP answer: {type(error).__name__} {error}") from error
    except BaseException:
        sock.close()
        raise
    connection.sock = sock
    if answer.will_close:
        sock.close()
    else:
        _keep(key, connection)
    return status, retry_after, content
