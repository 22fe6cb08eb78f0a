"""One measurement of one implementation in a process of its own; prints one JSON object.

    python bench/peers/worker.py IMPLEMENTATION MEASUREMENT URL [PARAMETERS as JSON]

calls     {"milliseconds", "bursts"}: what a decorated call costs beside the bare one, in bursts with pauses between
          them: a program that traces without pause fills queues, and a queue that drops what it gets is cheap
deliver   {"traces", "seconds"}: makes traces as fast as it can, flushes, closes
outage    {"traces", "seconds", "first"}: makes traces, says so, ends without another word; who started this takes the time
next      traces one call, flushes, closes
fork      {"children", "how"}: traces in the parent, in forked children, and in the parent again
killed    {"traces"}: makes traces and is killed by SIGKILL right after the last

Every call has a token among its arguments, by which the sink knows it again.
"""

import asyncio
import json
import multiprocessing
import os
import signal
import statistics
import sys
import time
from pathlib import Path

import implementations

sys.path.append(str(Path(__file__).resolve().parent.parent))
from cases import (  # noqa: E402
    Clock,
    burst,
    burst_raising,
    large,
    raising,
    small,
    small_async,
    ten_kilobytes,
    ten_megabytes,
)


def token(number):
    return f"q{number:07d}z"


class Loop:
    """One event loop for all bursts: an asynchronous client belongs to the loop it was first used in."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def __call__(self, function, argument, calls):
        async def main():
            repeat = range(calls)
            with Clock(calls) as clock:
                for _ in repeat:
                    await function(argument)
            return clock

        return self.loop.run_until_complete(main())


def nested_bare(a):
    return small(a)


def nested(decorate):
    inner = decorate("inner", small)

    def outer(a):
        return inner(a)

    return decorate("outer", outer)


CASES = {  # name: (how to time it, bare function, what is decorated, argument)
    "sync": (burst, small, lambda d: d("bench", small), lambda: token(1)),
    "async": (Loop(), small_async, lambda d: d("bench", small_async), lambda: token(2)),
    "nested": (burst, nested_bare, nested, lambda: token(3)),
    "raising": (burst_raising, raising, lambda d: d("bench", raising), lambda: token(4)),
    "10 KB dict": (burst, large, lambda d: d("bench", large), ten_kilobytes),
    "10 MB list": (burst, large, lambda d: d("bench", large), ten_megabytes),
}


def measure_calls(implementation, parameters):
    target = parameters["milliseconds"] * 1e6
    found = {}
    pinned = None
    for name, (clock, bare, make, argument) in CASES.items():
        argument = argument()
        traced = make(implementation.decorate)
        once = clock(traced, argument, 1).wall
        if once < 1e8:
            once = min(clock(traced, argument, 1).wall for _ in range(3))
        if pinned is None:
            # The package has its threads by now; they stay where the system puts them, the caller keeps to one processor.
            pinned = parameters.get("cpu")
            if pinned is not None:
                os.sched_setaffinity(0, {pinned})
        calls = int(max(1, min(2000, target / once)))
        bursts = parameters["bursts"] if once < 2 * target else 3 if once < 1e8 else 1
        pairs = []
        for _ in range(bursts):
            pairs.append((clock(bare, argument, calls), clock(traced, argument, calls)))
            time.sleep(0.01)
        found[name] = {
            "calls": calls * bursts,
            "bare_ns": statistics.median(pair[0].wall for pair in pairs),
            "wall_ns": statistics.median(pair[1].wall for pair in pairs),
            "cpu_ns": statistics.median(pair[1].cpu for pair in pairs),
            "over_ns": statistics.median(pair[1].wall - pair[0].wall for pair in pairs),
        }
    implementation.flush()
    return found


def make(function, first, traces, seconds):
    """Calls until `traces` are made or the time is over; how many, how long, the longest call."""
    started = before = time.perf_counter()
    deadline = started + seconds
    longest = 0.0
    made = 0
    while made < traces:
        function(token(first + made))
        made += 1
        now = time.perf_counter()
        longest = max(longest, now - before)
        before = now
        if now > deadline:
            break
    return {"made": made, "making_s": before - started, "longest_s": longest}


def measure_deliver(implementation, parameters):
    traced = implementation.decorate("bench", small)
    cpu = time.process_time()
    started = time.perf_counter()
    said = time.time()
    found = make(traced, 0, parameters["traces"], parameters["seconds"])
    implementation.flush()
    implementation.close()
    found["seconds"] = time.perf_counter() - started
    found["cpu_s"] = time.process_time() - cpu
    found["started"] = said
    return found


def peak_kb():
    """The largest resident size of this program: not ru_maxrss, which a process inherits from the one that started it."""
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def measure_outage(implementation, parameters):
    traced = implementation.decorate("bench", small)
    found = make(traced, parameters["first"], 1, 60)
    longest = found["longest_s"]
    time.sleep(0.3)
    before = peak_kb()
    found = make(traced, parameters["first"] + 1, parameters["traces"] - 1, parameters["seconds"])
    found["made"] += 1
    found["longest_s"] = max(found["longest_s"], longest)
    found["growth_kb"] = peak_kb() - before
    return found


def measure_next(implementation, parameters):
    implementation.decorate("next", small)(token(9_999_999))
    implementation.flush()
    implementation.close()
    return {}


def measure_fork(implementation, parameters):
    traced = implementation.decorate("parent", small)
    in_child = implementation.decorate("child", small)
    traced(token(0))
    time.sleep(0.5)  # the package has begun to send
    each = parameters["each"]

    def child(first):
        for number in range(first, first + each):
            in_child(token(number))

    if parameters["how"] == "multiprocessing":
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=child, args=(1000 * (i + 1),)) for i in range(parameters["children"])]
        for process in children:
            process.start()
        for process in children:
            process.join(60)
            if process.is_alive():
                process.kill()
    else:
        children = []
        for i in range(parameters["children"]):
            pid = os.fork()
            if pid == 0:
                child(1000 * (i + 1))
                sys.exit(0)  # an orderly end of the interpreter: what is registered with atexit is run
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)
    for number in range(1, 1 + each):
        traced(token(number))
    implementation.flush()
    implementation.close()
    return {"parent": 1 + each, "children": parameters["children"] * each}


def measure_killed(implementation, parameters):
    traced = implementation.decorate("bench", small)
    found = make(traced, 0, parameters["traces"], 10)
    print(json.dumps(found), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    global implementation  # a program's tracer is a module's, and there until the interpreter ends
    name, measurement, url = sys.argv[1:4]
    parameters = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    implementation = implementations.ALL[name](url)
    found = globals()["measure_" + measurement](implementation, parameters)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
