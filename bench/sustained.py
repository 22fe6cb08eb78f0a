"""Does the receiver stay as it is? Load at 80 % of what its store takes, for ten minutes.

    python bench/sustained.py BUILD_DIR [--minutes M] [--rate R]

BUILD_DIR has been configured with -DINF_BENCH=ON. First the rate at which traces get into the store is measured: a burst is
acknowledged and the time until all of it is stored is taken. Then 4 KB posts on 64 connections at 80 % of it; every ten
seconds latency of the answers, memory of the receiver and what waits in its journal. At the end every acknowledged trace is
counted in the store. Exit code 1 when one is missing, or when the last third is worse than the first: p99 more than twice
and 5 ms above, memory more than 16 MB above.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from throughput import receiver

LINE = re.compile(r"^(\d+)/s, p50 ([\d.]+) ms, p99 ([\d.]+) ms$")


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def waiting_mb(data):
    """Segments beyond the one in use, the next one and the spares."""
    return sum(f.stat().st_size for f in Path(data, "journal").glob("*/*.seg")) / 1024 / 1024


def load(build, r, connections, seconds, rate=None):
    command = [build / "receiver/receiver_load", *r.arguments, str(connections), str(seconds)]
    return subprocess.Popen([*command, str(rate)] if rate else command, stdout=subprocess.PIPE, text=True)


def drain_rate(build):
    with receiver(build / "cli/infinium") as r:
        began = time.monotonic()
        done = load(build, r, 64, 3)
        output = done.communicate()[0]
        return int(re.search(r"stored: (\d+) of them", output)[1]) / (time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, help="posts a second; else 80 %% of the drain's")
    options = parser.parse_args()
    targets = ["--target", "infinium", "receiver_load"]
    subprocess.run(["cmake", "--build", options.build, *targets], check=True, stdout=subprocess.DEVNULL)
    rate = options.rate or 0.8 * drain_rate(options.build)
    print(f"{rate:.0f} posts of 4 KB a second for {options.minutes} minutes")
    with receiver(options.build / "cli/infinium") as r:
        process = load(options.build, r, 64, options.minutes * 60, round(rate))
        rows, rest = [], []
        for line in process.stdout:
            found = LINE.match(line)
            if not found:
                rest.append(line)
                continue
            rows.append((float(found[1]), float(found[2]), float(found[3]), rss_mb(r.process.pid), waiting_mb(r.arguments[1])))
            print("{:4.0f} s: {:.0f}/s, p50 {:.2f} ms, p99 {:.2f} ms, RSS {:.1f} MB, journal {:.0f} MB".format(len(rows) * 10, *rows[-1]))
            sys.stdout.flush()
        code = process.wait()
    print("".join(rest), end="")
    third = max(1, len(rows) // 3)
    first, last = rows[:third], rows[-third:]

    def median(part, column):
        return statistics.median(row[column] for row in part)

    p99, memory = (median(first, 2), median(last, 2)), (median(first, 3), median(last, 3))
    print(f"first and last third: p99 {p99[0]:.2f} and {p99[1]:.2f} ms, RSS {memory[0]:.1f} and {memory[1]:.1f} MB")
    flat = p99[1] <= max(2 * p99[0], p99[0] + 5) and memory[1] <= memory[0] + 16
    raise SystemExit(code or not flat)


if __name__ == "__main__":
    main()
