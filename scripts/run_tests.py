"""Runs every test suite, one after another, and counts what passed and failed from machine-readable results.

    scripts/run_tests.py [SUITE...]

Without arguments every suite runs. Suites stream their own output. A suite that crashes, runs nothing or leaves no
result counts as one failure. The last line is always `N passed, N failed`; the exit code is 0 only when nothing failed.
Standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "results"
BIN = ROOT / ".venv" / "bin"


@dataclass
class Suite:
    key: str
    title: str
    command: list
    seconds: int
    environment: dict = field(default_factory=dict)
    needs: Path | None = None
    kind: str = ".xml"

    @property
    def report(self) -> Path:
        return RESULTS / (self.key + self.kind)


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    remark: str = ""


def ctest(key, title, tree):
    report = RESULTS / f"{key}.xml"
    jobs = str(os.cpu_count() or 2)
    command = ["ctest", "--test-dir", str(tree), "--output-on-failure", "--no-tests=error", "-j", jobs]
    sanitizers = {
        "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }
    return Suite(key, title, command + ["--output-junit", str(report)], 600, sanitizers, tree / "CTestTestfile.cmake")


def pytest(key, title, folder, seconds, options=()):
    report = RESULTS / f"{key}.xml"
    command = [str(BIN / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    command += ["--timeout=120", "-o", "asyncio_mode=auto", f"--junitxml={report}", *options, str(folder)]
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {"PATH": path, "INFINIUM": str(BIN / "infinium"), "INFINIUM_BIN": str(BIN / "infinium")}
    environment["INFINIUM_IMPL"] = "ours"  # which client the conformance suite is run on
    return Suite(key, title, command, seconds, environment, ROOT / folder)


def node_has(option):
    try:
        return option in subprocess.run(["node", "--help"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False


def browser():
    folder = ROOT / "tests" / "browser"
    files = sorted(str(path) for path in folder.glob("*.test.mjs"))
    command = ["node", "--test", "--test-reporter=spec", "--test-reporter-destination=stdout"]
    command += ["--test-concurrency=2"] if node_has("--test-concurrency") else []  # since 20.10; else one file at a time
    command += ["--test-reporter=tap", f"--test-reporter-destination={RESULTS / 'browser.tap'}", *files]
    environment = {"INFINIUM": str(BIN / "infinium"), "INFINIUM_PYTHON": str(BIN / "python")}
    return Suite("browser", "Browser", command, 600, environment, folder, ".tap")


# These mostly wait for processes and servers. A file stays with one worker: its tests share what is costly to set up.
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile"]

SUITES = [
    ctest("c", "C", ROOT / "build" / "release"),
    ctest("c-sanitized", "C with ASan and UBSan", ROOT / "build" / "asan"),
    pytest("python", "Python package", "tests/python", 600),
    pytest("conformance", "Conformance", "tests/conformance", 400, ["-n", "2"]),
    pytest("e2e", "End to end", "tests/e2e", 600, SIDE_BY_SIDE),
    browser(),
]


def count_tap(report: Path) -> Outcome:
    """Node's own sums, which end its report: `# pass 12`. Its JUnit reporter is younger than Debian's Node."""
    sums = {key: int(number) for key, number in re.findall(r"^# (\w+) (\d+)$", report.read_text(), re.MULTILINE)}
    failed = sums.get("fail", 0) + sums.get("cancelled", 0)
    return Outcome(sums.get("pass", 0), failed, sums.get("skipped", 0) + sums.get("todo", 0))


def count_junit(report: Path) -> Outcome:
    """Counts test cases, not the totals that a report claims: the writers disagree on what those hold."""
    outcome = Outcome()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
            print(f"  failed: {case.get('classname') or ''} {case.get('name')}")
        elif case.get("status") in ("fail", "notrun"):
            outcome.failed += 1
            print(f"  failed: {case.get('name')} ({case.get('status')})")
        elif case.find("skipped") is not None or case.get("status") == "disabled":
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def run(suite: Suite) -> Outcome:
    print(f"\n=== {suite.title}", flush=True)
    started = time.monotonic()
    suite.report.unlink(missing_ok=True)
    remark = ""
    if suite.needs is not None and not suite.needs.exists():
        return Outcome(failed=1, remark=f"{suite.needs.relative_to(ROOT)} is missing")
    environment = {**os.environ, **suite.environment}
    process = subprocess.Popen(suite.command, cwd=ROOT, env=environment)
    try:
        code = process.wait(timeout=suite.seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code, remark = -1, f"ended after {suite.seconds} s, its time limit"
    try:
        outcome = count_tap(suite.report) if suite.kind == ".tap" else count_junit(suite.report)
    except (OSError, ElementTree.ParseError) as error:
        outcome = Outcome(failed=1)
        remark = remark or f"no result: {error}"
    if outcome.passed + outcome.failed == 0:
        outcome.failed = 1
        remark = remark or "ran nothing"
    if code != 0 and outcome.failed == 0:
        outcome.failed = 1
        remark = remark or f"exit code {code}"
    outcome.seconds = time.monotonic() - started
    outcome.remark = remark
    return outcome


def main() -> int:
    # A shell that runs this in the background has Ctrl-C ignored, and programs under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wanted = sys.argv[1:]
    known = {re.sub("-.*", "", suite.key) for suite in SUITES} | {suite.key for suite in SUITES}
    for name in wanted:
        if name not in known:
            print(f"run_tests.py: no suite '{name}'; there are: {' '.join(sorted(known))}", file=sys.stderr)
            return 2
    suites = [s for s in SUITES if not wanted or s.key in wanted or re.sub("-.*", "", s.key) in wanted]
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    outcomes = [(suite, run(suite)) for suite in suites]

    print(f"\n{'suite':<24}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for suite, outcome in outcomes:
        row = f"{suite.title:<24}{outcome.passed:>8}{outcome.failed:>8}{outcome.skipped:>9}{outcome.seconds:>9.1f}"
        print(row + (f"  {outcome.remark}" if outcome.remark else ""))
    failed = sum(outcome.failed for _suite, outcome in outcomes)
    print(f"\n{sum(outcome.passed for _suite, outcome in outcomes)} passed, {failed} failed", flush=True)
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
