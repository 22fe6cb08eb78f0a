"""What a decorated call costs over the bare call.

    python bench/decorated_call.py [--rounds N] [--json]

Journal on, in a temporary directory; no receiver. Capture, both journal records, the context variable: everything
counts. Bare and decorated calls alternate, round by round, and the figure is the difference of the medians, in
nanoseconds a call. `over` is wall time, which is the caller's; `cpu` is the calling thread's processor time, which is
still comparable on a machine that does other things at the same time.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import statistics
import tempfile

from cases import Clock, burst, burst_raising, large, raising, small, small_async, ten_kilobytes, ten_megabytes

BUDGETS = {"sync": 500, "async": 800, "nested": 1000, "raising": 3000, "10 KB dict": 5000, "10 MB list": 15000}


def bare_pair(a):
    return small(a)


def traced_pair(trace):
    inner = trace("inner")(small)

    def outer(a):
        return inner(a)

    return outer


def timed_async(function, argument, calls):
    async def main():
        repeat = range(calls)
        with Clock(calls) as clock:
            for _ in repeat:
                await function(argument)
        return clock

    return asyncio.run(main())


def cases():
    """(name, clock, bare function, what to decorate given trace(), argument, calls a round). All rounds together stay
    below the journal's limit, for nothing takes the traces away."""
    return [
        ("sync", burst, small, lambda trace: small, "abc", 20_000),
        ("async", timed_async, small_async, lambda trace: small_async, "abc", 20_000),
        ("nested", burst, bare_pair, traced_pair, "abc", 10_000),
        ("raising", burst_raising, raising, lambda trace: raising, "abc", 10_000),
        ("10 KB dict", burst, large, lambda trace: large, ten_kilobytes(), 1000),
        ("10 MB list", burst, large, lambda trace: large, ten_megabytes(), 1000),
    ]


def measure(name, clock, bare, decorated, argument, calls, rounds):
    import infinium

    with tempfile.TemporaryDirectory() as directory:
        os.environ["INFINIUM_JOURNAL_DIR"] = directory
        client = infinium.InfiniumClient(
            "11111111-2222-3333-4444-555555555555", "bench-secret", "http://127.0.0.1:9/api/v1"
        )
        traced = client.trace("bench")(decorated(client.trace))
        clock(bare, argument, calls // 10)
        clock(traced, argument, calls // 10)
        pairs = [(clock(bare, argument, calls), clock(traced, argument, calls)) for _ in range(rounds)]
        refused = client.stats()["refused"]
        client.close(0)

    def median(side, kind):
        return statistics.median(getattr(pair[side], kind) for pair in pairs)

    return {
        "case": name,
        "bare_ns": round(median(0, "wall"), 1),
        "traced_ns": round(median(1, "wall"), 1),
        "over_ns": round(median(1, "wall") - median(0, "wall"), 1),
        "over_cpu_ns": round(median(1, "cpu") - median(0, "cpu"), 1),
        "budget_ns": BUDGETS[name],
        "refused": refused,
    }


def main():
    parser = argparse.ArgumentParser(description="What a decorated call costs over the bare call.")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds, at least 5 (default 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    logging.getLogger("infinium").setLevel(logging.ERROR)  # that nobody listens is meant
    results = [measure(*case, max(options.rounds, 5)) for case in cases()]
    load = os.getloadavg()[0]
    if options.json:
        print(json.dumps({"python": platform.python_version(), "load": load, "results": results}))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f}; nanoseconds a call")
    columns = ["bare_ns", "traced_ns", "over_ns", "over_cpu_ns", "budget_ns"]
    print(f"{'case':<12}" + "".join(f"{column[:-3]:>10}" for column in columns))
    for r in results:
        print(f"{r['case']:<12}" + "".join(f"{r[column]:>10.0f}" for column in columns))
    if any(r["refused"] for r in results):
        print("The journal was full: these figures do not count.")


if __name__ == "__main__":
    main()
