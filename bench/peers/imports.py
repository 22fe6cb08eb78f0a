"""What importing costs in a fresh interpreter, and how many packages come with it; prints one JSON object.

    python bench/peers/imports.py DISTRIBUTION STATEMENTS

Nothing but `sys` and `time` is imported before the clock starts: the standard library's modules that a package needs are
a part of what its import costs.
"""

import sys
import time


def plain(name):
    import re

    return re.sub(r"[-_.]+", "-", name).lower()


def packages(distribution):
    """The names of all distributions that installing this one brings, itself included, extras left out."""
    import re
    from importlib import metadata

    found = set()
    waiting = [distribution]
    while waiting:
        name = plain(waiting.pop())
        if name in found:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform or another Python
        found.add(name)
        for need in needs:
            requirement, _, condition = need.partition(";")
            if "extra" not in condition:
                waiting.append(re.match(r"[A-Za-z0-9._-]+", requirement.strip()).group())
    return found


def main():
    distribution, statements = sys.argv[1:3]
    before = set(sys.modules)
    started = time.perf_counter()
    exec(statements, {})
    seconds = time.perf_counter() - started
    modules = len(set(sys.modules) - before)

    import json
    from importlib import metadata

    found = {"ms": seconds * 1e3, "modules": modules, "packages": sorted(packages(distribution))}
    print(json.dumps(dict(found, version=metadata.version(distribution))))


if __name__ == "__main__":
    main()
