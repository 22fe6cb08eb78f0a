"""What a decorated call costs over the bare call.

    python bench/decorated_call.py [--rounds N] [--json]

Journal on, in a temporary directory; no receiver. Capture, both journal records, context variable, everything counts.
Bare and decorated calls alternate, round by round; the figure is the difference of the medians, in nanoseconds. The
peer of each line is the same call undecorated, so it holds on any machine that is not busy with something else.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time

BUDGETS = {"sync": 500, "async": 800, "nested": 1000, "raising": 3000, "10 KB dict": 5000, "10 MB list": 15000}


def small(a, b=2):
    return "hello"


async def small_async(a, b=2):
    return "hello"


def raising(a):
    raise ValueError("boom")


def large(a):
    return a


def timed(function, argument, calls):
    repeat = range(calls)
    start = time.perf_counter_ns()
    for _ in repeat:
        function(argument)
    return (time.perf_counter_ns() - start) / calls


def timed_raising(function, argument, calls):
    repeat = range(calls)
    start = time.perf_counter_ns()
    for _ in repeat:
        try:
            function(argument)
        except ValueError:
            pass
    return (time.perf_counter_ns() - start) / calls


def timed_async(function, argument, calls):
    async def main():
        repeat = range(calls)
        start = time.perf_counter_ns()
        for _ in repeat:
            await function(argument)
        return (time.perf_counter_ns() - start) / calls

    return asyncio.run(main())


def cases(client):
    trace = client.trace
    inner = trace("inner")(small)

    def bare_pair(a):
        return small(a)

    def traced_pair(a):
        return inner(a)

    ten_kilobytes = {f"key {i}": "v" * 90 for i in range(100)}
    ten_megabytes = ["x" * 100] * 100_000
    return [
        ("sync", timed, small, trace("t")(small), "abc", 100_000),
        ("async", timed_async, small_async, trace("t")(small_async), "abc", 100_000),
        ("nested", timed, bare_pair, trace("outer")(traced_pair), "abc", 50_000),
        ("raising", timed_raising, raising, trace("t")(raising), "abc", 30_000),
        ("10 KB dict", timed, large, trace("t")(large), ten_kilobytes, 10_000),
        ("10 MB list", timed, large, trace("t")(large), ten_megabytes, 10_000),
    ]


def measure(rounds):
    import infinium

    client = infinium.InfiniumClient("11111111-2222-3333-4444-555555555555", "bench-secret", "http://127.0.0.1:9/api/v1")
    results = []
    for name, clock, bare, traced, argument, calls in cases(client):
        clock(bare, argument, 1000)
        clock(traced, argument, 1000)
        pairs = [(clock(bare, argument, calls), clock(traced, argument, calls)) for _ in range(rounds)]
        bare_ns = statistics.median(pair[0] for pair in pairs)
        traced_ns = statistics.median(pair[1] for pair in pairs)
        results.append(
            {
                "case": name,
                "bare_ns": round(bare_ns, 1),
                "traced_ns": round(traced_ns, 1),
                "over_ns": round(traced_ns - bare_ns, 1),
                "over_ns_best": round(min(pair[1] for pair in pairs) - min(pair[0] for pair in pairs), 1),
                "budget_ns": BUDGETS[name],
            }
        )
    counts = client.stats()
    client.close(0)
    return results, counts


def main():
    parser = argparse.ArgumentParser(description="What a decorated call costs over the bare call.")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds, at least 5 (default 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["INFINIUM_JOURNAL_DIR"] = directory
        results, counts = measure(max(options.rounds, 5))
    if options.json:
        print(json.dumps({"python": platform.python_version(), "results": results, "counts": counts}))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; nanoseconds a call")
    print(f"{'case':<12}{'bare':>10}{'traced':>10}{'over':>10}{'best':>10}{'budget':>10}")
    for r in results:
        print(
            f"{r['case']:<12}{r['bare_ns']:>10.0f}{r['traced_ns']:>10.0f}{r['over_ns']:>10.0f}"
            f"{r['over_ns_best']:>10.0f}{r['budget_ns']:>10}"
        )
    print(f"traces begun {counts['begun']}, refused {counts['refused']}")


if __name__ == "__main__":
    main()
