"""The calls that are timed bare and decorated, and how: for bench/decorated_call.py and bench/peers/worker.py. Imports
nothing but the standard library, for it runs beside any implementation."""

import time


def small(a, b=2):
    return "hello"


async def small_async(a, b=2):
    return "hello"


def raising(a):
    raise ValueError("boom")


def large(a):
    return a


class Clock:
    """Wall time and the calling thread's processor time of `calls` calls, each in nanoseconds a call."""

    def __init__(self, calls):
        self.calls = calls

    def __enter__(self):
        self.cpu = time.thread_time_ns()
        self.wall = time.perf_counter_ns()
        return self

    def __exit__(self, *_):
        self.wall = (time.perf_counter_ns() - self.wall) / self.calls
        self.cpu = (time.thread_time_ns() - self.cpu) / self.calls


def burst(function, argument, calls):
    repeat = range(calls)
    with Clock(calls) as clock:
        for _ in repeat:
            function(argument)
    return clock


def burst_raising(function, argument, calls):
    repeat = range(calls)
    with Clock(calls) as clock:
        for _ in repeat:
            try:
                function(argument)
            except ValueError:
                pass
    return clock


def ten_kilobytes():
    return {f"key {i}": "v" * 90 for i in range(100)}


def ten_megabytes():
    return ["x" * 100] * 100_000
