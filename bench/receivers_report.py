"""Writes docs/benchmarks-receivers.md and its plot, docs/bench/receivers.svg, from what bench/receivers.py measured.

    python bench/receivers_report.py [build/bench/receivers.json]
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks-receivers.md"
PLOT = ROOT / "docs" / "bench" / "receivers.svg"
QUERIES = ("list", "filter", "word", "no hit", "percentiles")
MIB = 1024 * 1024

TEXT = """# The receiver beside others

Written by `make bench-receivers`. The same {traces:,} traces (about 3 KB of text each, 50 names, an hour) were put into
`infinium serve`, into Phoenix (`arize-phoenix` {phoenix}) and into MLflow ({mlflow}), {per_request} a request, one server after
another on the same machine, each as it comes, with SQLite on the same disk. The peers got OTLP spans, ours its own batches.
What counts is what is in the store, looked up there.

Machine: {cpu}, {cores} processors, {memory_gb} GB, Linux {kernel}; an fdatasync takes {fdatasync_ms:.2f} ms here. Load when it
began and when it ended: {load[0]:.1f} and {load[1]:.1f}; above 1, other programs took part of the processors from all three.{trial}

{table}
![What each takes](bench/receivers.svg)

- Stored per second: from the first request until the last trace is found in the store.
- Queries: median (most) of {asked}, through each one's own HTTP interface, in milliseconds: the newest 50; the newest 50 of one
  name; a word that one trace in a thousand has; a word that none has; p50, p95 and p99 of duration over time, a minute each.
- After the last of {killed:,} acknowledgements the server was killed (SIGKILL) and started again: how many were there then.
- Bomb: requests of one gigabyte when unpacked (about 1 MB of gzip; for ours zstd, which is what it takes), at once. How much
  memory the server took more, and the answers.
- Memory is the proportional set size of all processes of a server, three seconds after its start.
"""


def cell(server, value, form="{:,.0f}"):
    found = value(server)
    return "–" if found is None else form.format(found) if not isinstance(found, str) else found


def query(name):
    def of(server):
        found = server["queries"].get(name)
        if not found:
            return None
        if "error" in found:
            return "not answered"
        return f"{found['median_ms']:.1f} ({found['max_ms']:.1f})"

    return of


def bomb(server):
    found = server.get("bomb")
    if not found:
        return None
    answers = ", ".join(f"{found['answers'].count(a)} × {a}" for a in dict.fromkeys(found["answers"]))
    return f"{found['count']}: + {found['grown'] / MIB:,.0f} MB; {answers}" + ("" if found["alive"] else "; dead")


def per_second(server):
    return server["stored"] / server["stored_s"] if server.get("stored_s") else None


ROWS = [
    ("Stored per second", per_second),
    ("Stored", lambda s: s.get("stored")),
    *((f"{name}, ms", query(name)) for name in QUERIES),
    ("Start to first answer, s", lambda s: f"{s['start_s']:.2f}" if "start_s" in s else None),
    ("Memory at rest, MB", lambda s: s["idle_bytes"] / MIB if "idle_bytes" in s else None),
    ("Alive after a kill, of what was acknowledged", lambda s: f"{s['survived']:,} of {s['killed']:,}" if "survived" in s else None),
    ("Bombs at once", bomb),
]


def table(servers):
    lines = ["| | " + " | ".join(s["name"] for s in servers) + " |", "|---|" + "---:|" * len(servers)]
    lines += [f"| {title} | " + " | ".join(cell(s, value) for s in servers) + " |" for title, value in ROWS]
    lines += [f"\n{s['name']}: {s['error']}" for s in servers if "error" in s]
    return "\n".join(lines) + "\n"


def draw(servers):
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib: the plot is left as it is", file=sys.stderr)
        return
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams.update({"svg.hashsalt": "infinium", "font.size": 9, "svg.fonttype": "none"})
    panels = [("stored per second", [per_second(s) for s in servers])]
    panels += [(f"{n}, ms", [s["queries"].get(n, {}).get("median_ms") for s in servers]) for n in QUERIES]
    panels += [
        ("start, s", [s.get("start_s") for s in servers]),
        ("memory at rest, MB", [s["idle_bytes"] / MIB if "idle_bytes" in s else None for s in servers]),
    ]
    figure, axes = plt.subplots(2, 4, figsize=(10, 4.2))
    for axis, (title, values) in zip(axes.flat, panels):
        bars = axis.bar([s["name"] for s in servers], [v or 0 for v in values], color=["#2f6f4f", "#9aa5b1", "#c9b28f"])
        axis.bar_label(bars, [f"{v:,.3g}" if v else "–" for v in values], fontsize=7)
        axis.set_yscale("log")
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.margins(y=0.25)
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def main():
    run = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/bench/receivers.json").read_text())
    servers = run["servers"]
    versions = {s["name"]: s.get("version", "not installed") for s in servers}
    killed = max((s.get("killed", 0) for s in servers), default=0)
    PAGE.write_text(
        TEXT.format(
            table=table(servers),
            traces=run["traces"],
            per_request=run["per_request"],
            phoenix=versions.get("Phoenix", "not installed"),
            mlflow=versions.get("MLflow", "not installed"),
            load=run["load"] if len(run["load"]) > 1 else run["load"] * 2,
            asked=run.get("asked", 20),
            killed=killed,
            trial="\nThis was a trial (`BENCH=quick`), with fewer traces and rounds." + run.get("remark", "") if run["quick"] else "",
            **run["machine"],
        )
    )
    draw(servers)


if __name__ == "__main__":
    main()
