"""Where the receiver listens, TLS with the user's certificate, its reload, cookies, names; the real command."""

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from conftest import COMMAND, clean_environment, infinium, wait_for


class Serving:
    """`infinium serve` with flags of its own."""

    def __init__(self, data, *flags, listen="127.0.0.1:0"):
        self.data = data
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--data", str(data), "--listen", listen, *map(str, flags)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()
        self.login = self.process.stdout.readline().removeprefix("log in: ").strip()
        self.port = int(self.url.rsplit(":", 1)[1]) if self.url else 0

    def __enter__(self):
        assert self.url, self.process.communicate(timeout=20)[1]
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.errors = self.process.communicate(timeout=30)[1]
        assert self.process.returncode == 0, self.errors


def refused(data, *flags, listen, code=2):
    done = infinium("serve", "--data", data, "--listen", listen, *flags, check=False)
    assert done.returncode == code and done.stdout == ""
    return done.stderr


def test_other_addresses_want_tls_or_a_word(tmp_path):
    for listen in ("0.0.0.0:0", "[::]:0", f"{socket.gethostbyname(socket.gethostname())}:0"):
        if listen.startswith("127."):
            continue
        said = refused(tmp_path / "data", listen=listen)
        for what in ("--tls-cert", "--tls-key", "127.0.0.1", "--plain-http"):
            assert what in said
    assert not (tmp_path / "data").exists()
    with Serving(tmp_path / "data", "--plain-http", listen="0.0.0.0:0") as s:
        assert s.url.startswith("http://0.0.0.0:")
    for listen in ("127.0.0.1:0", "localhost:0"):
        with Serving(tmp_path / "data", listen=listen) as s:
            assert s.url.startswith("http://")


def test_a_port_in_use(tmp_path):
    with Serving(tmp_path / "one") as s:
        said = refused(tmp_path / "two", listen=f"127.0.0.1:{s.port}", code=1)
    assert "in use" in said and "--listen" in said


# ---- TLS ----


def make_certificate(folder, name):
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:traces.example"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    key.chmod(0o600)
    return certificate, key


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def connect(port, certificate, **options):
    context = ssl.create_default_context(cafile=str(certificate))
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # or this side would refuse the old versions itself
    for name, value in options.items():
        setattr(context, name, value)
    return http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)


def ask(connection, path, headers=None, method="GET", body=None):
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    return answer, answer.read()


@needs_openssl
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_from_log_in_to_trace(tmp_path):
    certificate, key = make_certificate(tmp_path, "one")
    agent = json.loads(infinium("agent", "create", "Tester", "--json", "--data", tmp_path / "data").stdout)
    with Serving(tmp_path / "data", "--tls-cert", certificate, "--tls-key", key) as s:
        assert s.url.startswith("https://127.0.0.1:") and s.login.startswith(s.url + "/login?token=")
        c = connect(s.port, certificate)
        keys = {"x-agent-id": agent["agent_id"], "x-agent-key": agent["agent_secret"]}
        path = f"/api/v1/agents/{agent['agent_id']}/trace"
        for i in range(20):  # one connection
            answer, _ = ask(c, path, keys, "POST", json.dumps({"name": f"n{i}", "input_summary": "x" * 20000}))
            assert answer.status == 201
        answer, _ = ask(c, s.login.removeprefix(s.url))
        cookie = answer.headers["Set-Cookie"]
        assert answer.status == 303
        for flag in ("Secure", "HttpOnly", "SameSite=Strict"):
            assert flag in cookie.split("; ")
        answer, body = ask(c, "/api/v1/traces?limit=500", {"Cookie": cookie.split(";")[0]})
        assert len(json.loads(body)["traces"]) == 20
        # What is no TLS gets no answer, and harms nobody.
        with socket.create_connection(("127.0.0.1", s.port), timeout=20) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"HTTP/1.1 200" not in plain.recv(1000)
        old = connect(s.port, certificate, minimum_version=ssl.TLSVersion.TLSv1_2, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert ask(old, "/")[0].status == 200
        for version in ("TLSv1", "TLSv1_1"):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                v = ssl.TLSVersion[version]
                ask(connect(s.port, certificate, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=v), "/")


@needs_openssl
@pytest.mark.parametrize("trusted", [True, False])
def test_clients_trust_whom_the_environment_names(tmp_path, trusted):
    certificate, key = make_certificate(tmp_path, "own")
    other, _ = make_certificate(tmp_path, "other")
    agent = json.loads(infinium("agent", "create", "Tester", "--json", "--data", tmp_path / "data").stdout)
    with Serving(tmp_path / "data", "--tls-cert", certificate, "--tls-key", key) as s:
        program = (
            "from infinium import InfiniumClient, InfiniumError\n"
            "c = InfiniumClient(max_retries=0)\n"
            "c.trace('Kept')(lambda: None)()\n"
            "print(c.flush(3).delivered)\n"
            "try:\n    c.send_task('Direct', 'd', 0.1)\n    print('sent')\n"
            "except InfiniumError as e:\n    print(type(e).__name__)\n"
        )
        environment = clean_environment(
            INFINIUM_AGENT_ID=agent["agent_id"], INFINIUM_AGENT_SECRET=agent["agent_secret"],
            INFINIUM_BASE_URL=s.url + "/api/v1", INFINIUM_JOURNAL_DIR=tmp_path / "journal",
            SSL_CERT_FILE=certificate if trusted else other,
        )  # fmt: skip
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
        assert done.stdout.split() == (["1", "sent"] if trusted else ["0", "NetworkError"]), done.stdout + done.stderr


@needs_openssl
def test_certificates_are_reloaded(tmp_path):
    first, first_key = make_certificate(tmp_path, "first")
    second, second_key = make_certificate(tmp_path, "second")
    certificate, key = tmp_path / "used.crt", tmp_path / "used.key"

    def use(c, k):
        certificate.write_bytes(c.read_bytes())
        key.write_bytes(k.read_bytes())
        key.chmod(0o600)

    def serves(which):
        try:
            return ask(connect(s.port, which), "/")[0].status == 200
        except ssl.SSLCertVerificationError:
            return False

    use(first, first_key)
    with Serving(tmp_path / "data", "--tls-cert", certificate, "--tls-key", key) as s:
        kept = connect(s.port, first)
        assert ask(kept, "/")[0].status == 200 and not serves(second)
        use(second, second_key)
        s.process.send_signal(signal.SIGHUP)
        wait_for("the second certificate", lambda: serves(second))
        assert not serves(first)
        assert ask(kept, "/")[0].status == 200  # what is open stays open
        use(first, second_key)  # no pair: nothing changes
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert serves(second)
    assert "no pair" in s.errors
    assert "no pair" in refused(
        tmp_path / "data", "--tls-cert", first, "--tls-key", second_key, listen="127.0.0.1:0", code=1
    )
    assert "belong together" in refused(tmp_path / "data", "--tls-cert", first, listen="127.0.0.1:0")
    assert "cannot be read" in refused(
        tmp_path / "data", "--tls-cert", first, "--tls-key", tmp_path / "none", listen="127.0.0.1:0", code=1
    )


# ---- names and headers ----


def plain(port, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    return ask(connection, path, headers)[0]


def test_names_and_headers(tmp_path):
    with Serving(tmp_path / "data", "--host", "traces.example, other.example") as s:
        for name, status in (("traces.example", 200), ("OTHER.example:443", 200), ("evil.example", 421), ("race", 421)):
            assert plain(s.port, "/", {"Host": name}).status == status, name
        for path in ("/", "/api/v1/traces", "/login", "/nothing", "/api/v1/openapi.json", "/api/v1/agents"):
            answer = plain(s.port, path)
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Referrer-Policy"] == "no-referrer", path
            policy = answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy, path
            assert "unsafe" not in policy
            assert answer.headers["Strict-Transport-Security"] is None
