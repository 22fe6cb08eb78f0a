"""Writes the part of docs/benchmarks.md that compares Infinium with its peers, and the plots in docs/bench/, from what
bench/run.py measured.

    python bench/report.py [build/bench/results.json]

Everything outside the two marks in docs/benchmarks.md is left as it stands. Needs matplotlib, which is in the peers'
environment; without it the tables are written all the same. A quick run is printed and changes nothing.
"""

import json
import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "bench"
BEGIN, END = "<!-- peers: written by bench/report.py -->", "<!-- peers: end -->"
OURS = "infinium"
CASES = ["sync", "async", "nested", "raising", "10 KB dict", "10 MB list"]
BUDGETS_US = {"sync": 0.5, "async": 0.8, "nested": 1.0, "raising": 3, "10 KB dict": 5, "10 MB list": 15}


def good(rounds):
    return [found for found in rounds if found and "error" not in found]


def median(rounds, value):
    values = [value(found) for found in good(rounds)]
    return statistics.median(values) if values else None


def number(value, digits=3):
    """Three significant digits, thousands with commas, no exponent."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    places = max(0, digits - 1 - (len(str(int(size))) - 1 if size >= 1 else 0))
    if size >= 100:
        places = 0
    return f"{value:,.{places}f}"


def ratio(value, base):
    return "–" if not value or not base else f"{number(value / base, 2)} ×"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def label(name):
    return f"**{name}**" if name.startswith(OURS) and not name.startswith("infinium-") else name


def spread(rounds, value):
    """`least–most` over the rounds, or one figure when they agree."""
    values = [value(found) for found in good(rounds)]
    if not values:
        return "–"
    low, high = min(values), max(values)
    if all(isinstance(value, int) for value in values):
        return f"{low:,}" if low == high else f"{low:,}–{high:,}"
    return number(low) if number(low) == number(high) else f"{number(low)}–{number(high)}"


# sections: each takes what its measurement gave and returns Markdown


def calls(found):
    def over(name, case):
        return median(found[name], lambda r: r[case]["over_ns"] / 1e3)

    rows = [["bare call", *(number(median(found[OURS], lambda r: r[case]["bare_ns"] / 1e3)) for case in CASES)]]
    for name in found:
        rows.append([label(name), *(number(over(name, case)) for case in CASES)])
    rows.append(["budget", *(number(BUDGETS_US[case]) for case in CASES)])
    bare = median(found[OURS], lambda r: r["sync"]["bare_ns"] / 1e3)
    ratios = [
        [label(name), *(ratio(over(name, case), over(OURS, case)) for case in CASES), ratio((over(name, "sync") or 0) + bare, bare)]
        for name in found
    ]
    cpu = [[label(name), *(number(median(found[name], lambda r: r[c]["cpu_ns"] / 1e3)) for c in CASES)] for name in found]
    text = "Microseconds that a decorated call takes longer than the bare one:\n\n" + table(["", *CASES], rows)
    text += "\nThe same as multiples of ours, and the whole synchronous call as a multiple of the bare one:\n\n"
    text += table(["", *CASES, "sync : bare"], ratios)
    text += "\nProcessor time of the calling thread, microseconds a decorated call (a busy machine stretches it less):\n\n"
    return text + table(["", *CASES], cpu) + "\n![Cost of a decorated call](bench/calls.svg)\n"


def imports(found):
    ours = median(found[OURS], lambda r: r["ms"])
    rows = []
    for name, rounds in found.items():
        if good(rounds):
            first = good(rounds)[0]
            ms = median(rounds, lambda r: r["ms"])
            rows.append([label(name), first["version"], number(ms), ratio(ms, ours), first["modules"], len(first["packages"])])
    head = ["", "version", "import, ms", ": ours", "modules loaded", "packages installed"]
    return table(head, rows) + "\n![Import](bench/imports.svg)\n"


def deliver(found):
    def rate(r):
        return r["arrived"]["all"] / r["seconds"]

    ours = median(found[OURS], rate)
    rows = []
    for name, rounds in found.items():
        lost = median(rounds, lambda r: r["made"] - r["arrived"]["all"])
        per = median(rounds, lambda r: r["cpu_s"] / max(r["arrived"]["all"], 1) * 1e4)
        rows.append(
            [
                label(name),
                number(median(rounds, lambda r: r["made"]), 6),
                number(median(rounds, lambda r: r["arrived"]["all"]), 6),
                number(lost, 6),
                number(median(rounds, lambda r: r["made"] / r["making_s"])),
                number(median(rounds, rate)),
                ratio(ours, median(rounds, rate)),
                number(per),
                number(median(rounds, lambda r: r["longest_s"] * 1e3)),
            ]
        )
    head = ["", "made", "arrived", "lost", "made/s", "delivered/s", "ours is", "CPU s per 10 k", "longest call, ms"]
    return table(head, rows) + "\n![Delivered per second](bench/deliver.svg)\n"


def c_rows(found):
    rounds = found["rounds"]
    ours = median(rounds.get(OURS, []), lambda r: r["median_ns"])
    rows = []
    for name, all_rounds in rounds.items():
        ns = median(all_rounds, lambda r: r["median_ns"])
        kept = good(all_rounds)[-1] if good(all_rounds) else {}
        rows.append(
            [
                label(name),
                number(ns),
                ratio(ns, ours),
                number(median(all_rounds, lambda r: r["best_ns"])),
                number(median(all_rounds, lambda r: r["p99_ns"])),
                f"{kept.get('kept', 0):,} of {kept.get('made', 0):,}",
            ]
        )
    text = table(["", "median, ns", ": ours", "best", "p99", "kept (last round)"], rows) + "\nBudget: 200 ns.\n"
    for name, why in found["missing"].items():
        text += f"\nNot measured: {name} ({why}).\n"
    return text


def outage(found):
    rows = []
    for name, rounds in found.items():
        ended = all(r["ended"] for r in good(rounds))
        exits = spread(rounds, lambda r: r["exit_s"]) + ("" if ended else " (killed)")
        rows.append(
            [
                label(name),
                spread(rounds, lambda r: r["made"]),
                spread(rounds, lambda r: r["longest_s"] * 1e3),
                spread(rounds, lambda r: r["growth_kb"] / 1024),
                exits,
                spread(rounds, lambda r: r["arrived"]["all"]),
                spread(rounds, lambda r: r["made"] - r["arrived"]["all"]),
            ]
        )
    head = ["", "made", "longest call, ms", "peak memory +MB", "exit, s", "arrived after the next start", "lost"]
    return table(head, rows) + "\n![Receiver down](bench/outage.svg)\n"


def fork(found):
    rows, hung = [], []
    for name in next(iter(found.values())):
        cells = []
        for how in found:
            hung += [f"{name} ({how})" for r in found[how][name] if "error" in r]
            # what arrived counts, even if the run did not end
            rounds = [{key: r[key] for key in ("before_next", "arrived")} for r in found[how][name] if "arrived" in r]
            cells.append(spread(rounds, lambda r: r["before_next"]["children"]))
            cells.append(spread(rounds, lambda r: r["arrived"]["children"]))
            cells.append(spread(rounds, lambda r: r["arrived"]["all"] - r["arrived"]["children"]))
        rows.append([label(name), *cells])
    head = [""]
    for how in found:
        head += [f"{how}: of 100 by children", "after the next start", "of 51 by the parent"]
    text = table(head, rows)
    if hung:
        text += f"\nDid not end within 60 s, a child or the parent, and was killed (once for each name): {', '.join(hung)}.\n"
    return text


def killed(found):
    rows = [
        [
            label(name),
            spread(rounds, lambda r: r["made"]),
            spread(rounds, lambda r: r["before_next"]["all"]),
            spread(rounds, lambda r: r["arrived"]["all"]),
            spread(rounds, lambda r: r["made"] - r["arrived"]["all"]),
        ]
        for name, rounds in found.items()
    ]
    return table(["", "made", "arrived", "after the next start", "lost"], rows)


TEXTS = {
    "calls": (
        "What a decorated call costs its caller",
        calls,
        "The receiver (ours) or the sink (the peers') is up and takes what is sent. Calls are timed in bursts of about "
        "2 ms with 10 ms between them, bare and decorated in turn; the figure of a round is the median burst, the one "
        "here the median of the rounds. The calling thread keeps to one processor and the server to another; the "
        "packages' own threads go where the system puts them. For most peers the pauses are kind: what their threads "
        "encode and send under the interpreter's lock falls mostly between the bursts; so does the work of our thread, "
        "which never takes that lock. The published client sends inside of the call, so its figure has the answer of a "
        "sink on the same machine in it; over a network it is a round trip. \"No values\" is the decorator of "
        "OpenTelemetry or ddtrace as it comes, which records neither arguments nor result; the row without that remark sets "
        "the two attributes by hand, with our caps. `10 MB list` is a list of 100,000 strings of 100 bytes, passed and "
        "returned; where it takes longer than 0.1 s, a round is one call.",
    ),
    "imports": (
        "Import",
        imports,
        "What a program imports to trace a function, in a fresh interpreter with its byte code already compiled. "
        "Packages are what installing that one brings, itself included.",
    ),
    "deliver": (
        "Delivered and counted",
        deliver,
        "One process calls a decorated function as fast as it can, until 100,000 calls or 1.5 seconds, flushes, closes. Time "
        "runs from the first call to the end of close. Arrived is what the other end counted: by trace id in the store of our "
        "receiver, by a token in each call's arguments in the sink. Ours is durable when it counts (journal, "
        "fdatasync, acknowledged, stored, compressed and searchable by the receiver, on the same two processors); the peers' "
        "sink keeps bytes in memory, answers at once and decodes nothing until the clock has stopped. The row of the "
        "published wire is Infinium to that same sink with one trace a request, as to the hosted platform (20,000 traces, "
        "measured after the others). "
        "CPU is the tracing process's, all threads.",
    ),
    "c": (
        "C",
        c_rows,
        "A trace with 100 bytes of input and 100 of output, in bursts of 1,000 with 10 ms between them, on one processor with "
        "whatever thread the library runs. LTTng-UST makes two events of it, into its buffers and from there into files; it "
        "knows no traces, ids or delivery. OpenTelemetry's exporter only counts: it neither encodes nor sends. Ours is in a "
        "crash-safe journal at the end of the call; nobody listens, and all are there to be delivered.",
    ),
    "outage": (
        "The receiver is down",
        outage,
        "A program makes 10,000 traces (or as many as it can in five seconds) while nobody listens on the port, and ends "
        "without another word. The receiver starts; the next process of the same program traces one call, flushes and ends; "
        "then it is counted how many of the first one's traces are there. Exit is from the last trace to the end of the "
        "process; one that has not ended after 60 s is killed. Several processes wait at a time here: the exits are time-outs, "
        "not work. Peak memory is the growth of the largest resident size over the first trace's.",
    ),
    "fork": (
        "Forked children",
        fork,
        "A program traces one call, forks two children who trace 50 calls each, traces 50 more, flushes and closes. With "
        "`os.fork` the children end by `sys.exit`, with `multiprocessing` as its children do, by `os._exit`. No hook of any "
        "package is called by the program. Counted when the parent is gone, and again when the next process of the same "
        "program has run: what a child of ours had no time to send lies in its journal until then.",
    ),
    "killed": (
        "Killed",
        killed,
        "A program makes 1,000 traces (or as many as it can in ten seconds), with the receiver up, and is killed by "
        "SIGKILL right after the last call. Nothing can be in flight with the published client, which has sent before the "
        "call returns; that is what its calls cost.",
    ),
}


def header(results):
    machine = results["machine"]
    versions = ""
    loads = ", ".join(
        f"{section} {value['load_before']:.1f}→{value['load_after']:.1f}" for section, value in results["sections"].items()
    )
    start, end = results["load_start"][0], results["load_end"][0]
    text = f"""## Beside its peers

`make bench` measured this on {results["date"]} (commit {results["commit"]}): {machine["cpu"]}, {machine["cpus"]} processors,
{machine["memory_mb"] / 1024:.0f} GB, Linux {machine["kernel"]}, {machine["libc"]}, CPython {machine["python"]}. All in one run of
{results["seconds"] / 60:.0f} minutes, {results["settings"]["rounds"]} rounds that run every implementation once, each measurement in a
process of its own ({results["settings"]["waiting_rounds"]} rounds where the figure is a count or a time-out; there the least and the most
of the rounds are shown). Figures are medians of the rounds.

Load average at the start {start:.2f}, at the end {end:.2f}; before and after each part: {loads}.{versions}
"""
    if results.get("note"):
        text += f"\n{results['note']}\n"
    if start > machine["cpus"]:
        text += f"""
**The machine was busy with other work: {start:.1f} processes wanted {machine["cpus"]} processors. All rows suffered in turn, so
their order can be trusted and the ratios roughly; the absolute times are too long, for every row, by about the same
factor.** Run `make bench` on an idle machine for figures to quote.
"""
    return text + """
What can be held against these figures: the peers have their default settings and none is tuned; the sink is on the same
machine, so no peer pays for a network; both ends share the processors. Nothing leaves 127.0.0.1, keys are made up.
"""


def budgets(results):
    """Each budget of ours that these measurements can hold against a figure."""
    rows = []

    def row(what, figure, budget, unit):
        if figure is not None:
            rows.append([what, f"{number(figure)} {unit}", budget_text(budget, unit), "kept" if figure <= budget else "missed"])

    def budget_text(budget, unit):
        return f"≤ {budget:g} {unit}"

    if "calls" in results:
        ours = results["calls"][OURS]
        for case in CASES:
            row(f"decorated call, {case}", median(ours, lambda r: r[case]["over_ns"] / 1e3), BUDGETS_US[case], "µs")
    if "c" in results:
        row("C: begin, input, output, end", median(results["c"]["rounds"].get(OURS, []), lambda r: r["median_ns"]), 200, "ns")
    if "imports" in results:
        row("import", median(results["imports"][OURS], lambda r: r["ms"]), 25, "ms")
    if "deliver" in results:
        ours = results["deliver"][OURS]
        row("CPU of the caller's process, 10,000 traces", median(ours, lambda r: r["cpu_s"] / r["arrived"]["all"] * 1e4), 0.05, "s")
        row("delivered: lost", median(ours, lambda r: r["made"] - r["arrived"]["all"]), 0, "traces")
    if "outage" in results:
        ours = results["outage"][OURS]
        row("receiver down: lost", median(ours, lambda r: r["made"] - r["arrived"]["all"]), 0, "traces")
        row("receiver down: peak memory", median(ours, lambda r: r["growth_kb"] / 1024), 4, "MB")
        row("receiver down: exit", median(ours, lambda r: r["exit_s"]), 1, "s")
    return table(["our own budgets", "here", "budget", ""], rows)


def plot(results):
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib: the plots are left as they are", file=sys.stderr)
        return
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams.update({"svg.hashsalt": "infinium", "font.size": 9, "svg.fonttype": "none"})
    PLOTS.mkdir(parents=True, exist_ok=True)

    def bars(file, title, values, axis, log=True, digits=3):
        values = {name: value for name, value in values.items() if value is not None}
        figure, axes = plt.subplots(figsize=(7, 0.36 * len(values) + 1))
        names = list(values)[::-1]
        colors = ["#2f6fde" if n.startswith(OURS) and not n.startswith("infinium-") else "#b9bfc9" for n in names]
        drawn = axes.barh(names, [values[name] for name in names], color=colors)
        axes.bar_label(drawn, [number(values[name], digits) for name in names], padding=3, fontsize=8)
        if log:
            axes.set_xscale("log")
        axes.margins(x=0.15)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel(axis)
        axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        figure.savefig(PLOTS / file, metadata={"Date": None})
        plt.close(figure)

    if "calls" in results:
        found = results["calls"]
        bars("calls.svg", "Over the bare call, synchronous", {n: median(found[n], lambda r: r["sync"]["over_ns"] / 1e3) for n in found}, "µs a call (logarithmic)")  # fmt: skip
    if "imports" in results:
        found = results["imports"]
        bars("imports.svg", "Import", {n: median(found[n], lambda r: r["ms"]) for n in found}, "ms (logarithmic)")
    if "deliver" in results:
        found = results["deliver"]
        bars("deliver.svg", "Arrived at the other end", {n: median(found[n], lambda r: r["arrived"]["all"] / r["seconds"]) for n in found}, "traces/s (logarithmic)")  # fmt: skip
    if "outage" in results:
        found = results["outage"]
        share = {n: median(found[n], lambda r: 100 * r["arrived"]["all"] / r["made"]) for n in found}
        bars("outage.svg", "Made while the receiver was down: arrived after the next start", share, "% of the traces made", log=False)


def write(text):
    old = DOCUMENT.read_text() if DOCUMENT.exists() else "# Benchmarks\n"
    block = f"{BEGIN}\n{text}{END}\n"
    if BEGIN in old and END in old:
        new = old[: old.index(BEGIN)] + block + old[old.index(END) + len(END) :].lstrip("\n")
    else:
        new = old.rstrip("\n") + "\n\n" + block
    temporary = DOCUMENT.with_suffix(".new")
    temporary.write_text(new)
    os.replace(temporary, DOCUMENT)


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "bench" / "results.json")
    results = json.loads(path.read_text())
    text = header(results) + "\n" + budgets(results)
    for section, (title, make, explanation) in TEXTS.items():
        if section in results:
            text += f"\n### {title}\n\n{explanation}\n\n{make(results[section])}"
    if results["quick"]:
        print(text)
        print("A quick run: no document is written.")
        return
    plot(results)
    write(text)
    print(f"{DOCUMENT.relative_to(ROOT)} and {PLOTS.relative_to(ROOT)}/ are written")


if __name__ == "__main__":
    main()
