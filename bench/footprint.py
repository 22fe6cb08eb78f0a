"""What the receiver takes before it does anything: seconds until the first answer, memory at rest, size installed.

    python bench/footprint.py BUILD_DIR [--rounds N]

A start is the time from the fork to the first answer to GET /, asked every millisecond, on a data directory that is there.
Memory is VmRSS three seconds after the last start. Size is the stripped command's, and that with its shared libraries'.
"""

import argparse
import http.client
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def start(command, data, port):
    began = time.monotonic()
    process = subprocess.Popen([command, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL)
    while time.monotonic() - began < 30:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return process, time.monotonic() - began
        except OSError:
            time.sleep(0.001)
        finally:
            connection.close()
    raise SystemExit("the receiver does not start")


def stop(process):
    process.terminate()
    process.wait(30)


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def sizes(command):
    with tempfile.TemporaryDirectory() as directory:
        stripped = Path(directory) / "infinium"
        subprocess.run(["strip", "-o", stripped, command], check=True)
        own = stripped.stat().st_size
    linked = subprocess.run(["ldd", command], capture_output=True, text=True, check=True).stdout
    libraries = {Path(path).resolve() for path in re.findall(r"=> (/\S+)", linked)}
    return own, own + sum(path.stat().st_size for path in libraries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    command = options.build / "cli/infinium"
    with tempfile.TemporaryDirectory(prefix="infinium-bench-") as directory:
        data, port = Path(directory) / "data", free_port()
        process, fresh = start(command, data, port)
        stop(process)
        times = []
        for _ in range(options.rounds):
            process, seconds = start(command, data, port)
            times.append(seconds)
            if len(times) < options.rounds:
                stop(process)
        time.sleep(3)
        resident = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024
        stop(process)
    own, all_of_it = sizes(command)
    print(f"start to first answer: {statistics.median(times):.3f} s median, {min(times):.3f} best; first ever {fresh:.3f} s  (<= 0.1)")
    print(f"memory at rest: {resident:.1f} MB  (<= 20)")
    print(f"installed: {own / 1e6:.1f} MB; with all shared libraries {all_of_it / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
