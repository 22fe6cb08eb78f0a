"""Measures Infinium and its peers side by side: `make bench`.

    python bench/run.py [--quick] [--only SECTION,...] [--results FILE]

Sections: imports calls deliver outage fork killed c. Writes build/bench/results.json after each section, so that nothing
measured is lost, and then asks bench/report.py for docs/benchmarks.md and its plots. BENCH=quick is the same as --quick:
one round and small counts, to see that everything runs; its figures mean nothing and no document is written of them.

Run it with the Python that Infinium is installed in; the peers have theirs in build/bench-venv (see bench/peers).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from peers import c_peers, measure

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
SECTIONS = ["imports", "calls", "deliver", "c", "outage", "fork", "killed"]


def say(text):
    print(f"{datetime.now():%H:%M:%S}  {text}", file=sys.stderr, flush=True)


def machine():
    model, memory = "unknown processor", 0
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo") as lines:
        memory = int(lines.readline().split()[1])
    return {
        "cpu": model,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": memory // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libc": "-".join(platform.libc_ver()),
    }


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()


def settings(quick):
    here = Path(sys.executable).parent
    return {
        "python": sys.executable,
        "peers_python": os.environ.get("INFINIUM_BENCH_PYTHON") or str(ROOT / "build/bench-venv/bin/python"),
        "command": os.environ.get("INFINIUM") or str(here / "infinium"),
        "quick": quick,
        "rounds": 1 if quick else 5,
        "waiting_rounds": 1 if quick else 2,
        "bursts": 5 if quick else 11,
        "traces": 5000 if quick else 100_000,
        "seconds": 0.5 if quick else 1.5,
        "outage_traces": 3000 if quick else 10_000,
    }


def run(sections, chosen, keep, results):
    bench = measure.Bench(chosen, say)
    rounds, waiting = chosen["rounds"], chosen["waiting_rounds"]

    def c_section():
        measured, missing = c_peers.prepared(BUILD, ROOT / "build" / "release")
        return {"rounds": c_peers.measure(measured, rounds, bench.first_cpu, say), "missing": missing}

    def deliver():
        found = bench.rounds("deliver", rounds, measure.DELIVERING, bench.deliver)
        platform_wire = bench.rounds("deliver, published wire", rounds, ["infinium"], bench.deliver_platform)
        found["infinium (published wire)"] = platform_wire["infinium"]
        return found

    def fork():
        return {
            how: bench.at_once(f"fork, {how}", waiting, measure.DELIVERING, bench.fork(how), 4)
            for how in ("os.fork", "multiprocessing")
        }

    work = {
        "imports": lambda: bench.rounds("import", rounds, measure.DELIVERING, bench.imports),
        "calls": lambda: bench.rounds("calls", rounds, measure.NAMES, bench.calls),
        "deliver": deliver,
        "c": c_section,
        "outage": lambda: bench.at_once("outage", waiting, measure.DELIVERING, bench.outage, 7),
        "fork": fork,
        "killed": lambda: bench.at_once("killed", waiting, measure.DELIVERING, bench.killed, 4),
    }
    for section in sections:
        before, started = os.getloadavg(), time.time()
        results[section] = work[section]()
        results["sections"][section] = {
            "load_before": before[0],
            "load_after": os.getloadavg()[0],
            "seconds": round(time.time() - started, 1),
        }
        keep(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", default=os.environ.get("BENCH") == "quick")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between them")
    parser.add_argument("--results", default=str(BUILD / "results.json"))
    parser.add_argument("--no-report", action="store_true", help="measure only")
    options = parser.parse_args()
    sections = [section for section in options.only.split(",") if section]
    unknown = set(sections) - set(SECTIONS)
    if unknown:
        raise SystemExit(f"no such section: {', '.join(sorted(unknown))} (there are {', '.join(SECTIONS)})")
    chosen = settings(options.quick)
    if not os.path.exists(chosen["peers_python"]):
        raise SystemExit("the peers are not installed: run `make bench`")

    path = Path(options.results)
    path.parent.mkdir(parents=True, exist_ok=True)

    def keep(results):
        results["load_end"] = os.getloadavg()
        results["seconds"] = round(time.time() - started, 1)
        path.write_text(json.dumps(results, indent=1))

    started = time.time()
    results = {
        "quick": chosen["quick"],
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
        "settings": {name: value for name, value in chosen.items() if not isinstance(value, str)},
        "load_start": os.getloadavg(),
        "sections": {},
    }
    run(sections, chosen, keep, results)
    say(f"done in {results['seconds']:.0f} s: {path}")
    if not options.no_report:
        subprocess.run([chosen["peers_python"], str(ROOT / "bench/report.py"), str(path)], check=True)


if __name__ == "__main__":
    main()
