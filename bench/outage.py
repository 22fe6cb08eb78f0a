"""The receiver is down: what a program pays for that, and what arrives afterwards.

    python bench/outage.py [--traces N] [--json]

A program makes its traces while nobody listens and ends. The receiver starts; the next program of the same agent opens a
client, traces nothing and waits. Counted is what the receiver has stored, and how many distinct traces that is. The
`infinium` command is the one that INFINIUM names, or the one in PATH. Exit code 1 when a trace is missing or doubled or
a budget is not kept.

Memory is what the operating system says of the process after its first trace (journal open, sender running) and after
the last: `anonymous` memory is the program's, `file` pages are the journal's mapping, which the kernel takes back as it
likes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXIT_SECONDS = 1.0
GROWTH_KB = 4096
COMMAND = os.environ.get("INFINIUM") or os.environ.get("INFINIUM_BIN") or shutil.which("infinium")

MAKE = """
import json, logging, os, sys, time
logging.disable(logging.CRITICAL)
import infinium
client = infinium.InfiniumClient(enable_rate_limiting=False)

@client.trace("made in an outage")
def work(number):
    return {"number": number}

def memory():
    found = {}
    with open("/proc/self/status") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if name in ("VmRSS", "RssAnon", "RssFile", "RssShmem"):
                found[name] = int(rest.split()[0])
    return found

work(0)
time.sleep(0.5)  # the sender has loaded its libraries and found nobody
before = memory()
started = time.perf_counter()
for number in range(1, int(sys.argv[1])):
    work(number)
seconds = time.perf_counter() - started
at_once = memory()
time.sleep(1.0)
print(json.dumps({"before": before, "at_once": at_once, "after": memory(), "seconds": seconds}), flush=True)
"""

DELIVER = """
import json, time
import infinium
started = time.perf_counter()
client = infinium.InfiniumClient(enable_rate_limiting=False)
done = client.flush(120)
print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
client.close()
"""


class Receiver:
    def __init__(self, data):
        self.data = data
        self.port = 0
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.port = int(line.split()[-1].rsplit(":", 1)[1].rstrip("/"))
                return
        raise SystemExit("the receiver did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


def ask(*arguments):
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=True).stdout


def run(traces, directory):
    receiver = Receiver(os.path.join(directory, "data"))
    receiver.start()
    agent = json.loads(ask("agent", "create", "outage", "--data", receiver.data, "--json"))
    receiver.stop()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INFINIUM")}
    environment.update(
        INFINIUM_AGENT_ID=agent["agent_id"],
        INFINIUM_AGENT_SECRET=agent["agent_secret"],
        INFINIUM_BASE_URL=f"http://127.0.0.1:{receiver.port}/api/v1",
        INFINIUM_JOURNAL_DIR=os.path.join(directory, "journal"),
    )

    maker = subprocess.Popen(
        [sys.executable, "-c", MAKE, str(traces)], stdout=subprocess.PIPE, text=True, env=environment
    )
    made = json.loads(maker.stdout.readline())
    said = time.perf_counter()
    maker.wait(60)
    exit_seconds = time.perf_counter() - said
    maker.stdout.close()
    journal = sum(path.stat().st_blocks * 512 for path in Path(directory, "journal").rglob("*.seg"))

    receiver.start()
    try:
        done = subprocess.run([sys.executable, "-c", DELIVER], capture_output=True, text=True, env=environment, timeout=180)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        delivered = json.loads(done.stdout)
        known = -1
        while known != (known := int(ask("ls", "--data", receiver.data, "--count"))):
            time.sleep(0.5)  # the receiver stores what it has acknowledged as fast as it can
        ids = [json.loads(line)["trace_id"] for line in ask("ls", "--data", receiver.data, "--json", "--limit", "0").splitlines()]
    finally:
        receiver.stop()
    growth = {name: made["after"][name] - made["before"][name] for name in made["before"]}
    return {
        "traces": traces,
        "call_us": made["seconds"] / traces * 1e6,
        "growth_kb": growth["VmRSS"],
        "growth_anonymous_kb": growth["RssAnon"],
        "growth_file_kb": growth["RssFile"] + growth["RssShmem"],
        "growth_at_once_kb": made["at_once"]["VmRSS"] - made["before"]["VmRSS"],
        "journal_mb": journal / 2**20,
        "exit_s": exit_seconds,
        "delivery_s": delivered["seconds"],
        "arrived": len(ids),
        "distinct": len(set(ids)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not COMMAND:
        raise SystemExit("no infinium command: name it in INFINIUM")
    with tempfile.TemporaryDirectory(prefix="inf-outage-") as directory:
        found = run(options.traces, directory)
    wrong = []
    if found["arrived"] != found["traces"] or found["distinct"] != found["traces"]:
        wrong.append("traces are missing or doubled")
    if found["exit_s"] > EXIT_SECONDS:
        wrong.append(f"the exit took longer than {EXIT_SECONDS} s")
    if found["growth_kb"] > GROWTH_KB:
        wrong.append(f"the process grew by more than {GROWTH_KB} KB")
    if options.json:
        print(json.dumps(found))
    else:
        print(f"made while the receiver was down   {found['traces']:>9,}   {found['call_us']:.2f} us a call")
        print(f"memory: growth                     {found['growth_kb']:>9,} KB  (anonymous {found['growth_anonymous_kb']:,}, "
              f"file {found['growth_file_kb']:,}; right after the last call {found['growth_at_once_kb']:,})")
        print(f"journal on disk                    {found['journal_mb']:>9.1f} MB")
        print(f"exit                               {found['exit_s']:>9.2f} s")
        print(f"delivered by the next process in   {found['delivery_s']:>9.2f} s")
        print(f"arrived                            {found['arrived']:>9,}   {found['distinct']:,} distinct")  # fmt: skip
    for line in wrong:
        print("WRONG: " + line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
