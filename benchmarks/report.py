"""Writes RESULTS.md and its plots from what benchmarks/run has measured. Plain Python: tables and SVG are text."""
import json
import math
import os
import platform
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

VERSIONS = [  # of what is compared: name, file beside the one that has it, and where there
    ("kube-apiserver", "../control-plane/go.mod", r"\sk8s\.io/kubernetes v(\S+)"), ("etcd", "../control-plane/go.mod", r"etcd/server/v3 v(\S+)"),
    ("fabric8", "../pom.xml", r"<fabric8\.version>([^<]+)"), ("client-java", "peers/client-java/pom.xml", r"<artifactId>client-java</artifactId><version>([^<]+)"),
    ("client-java-extended (its queue)", "pom.xml", r"<client\.java\.extended\.version>([^<]+)"),
    ("JOSDK", "peers/josdk/pom.xml", r"<artifactId>operator-framework-core</artifactId><version>([^<]+)"),
    ("client-go", "go/go.mod", r"\sk8s\.io/client-go v(\S+)"), ("controller-runtime", "go/go.mod", r"sigs\.k8s\.io/controller-runtime v(\S+)"),
    ("kube-rs", "rust/Cargo.lock", r'name = "kube"\nversion = "([^"]+)"'),
]

COLOURS = ["#1b6ca8", "#c8553d", "#588b8b", "#e0a458", "#6a4c93", "#8a8d91"]

COLUMNS = [  # of the tables by client: title, key, factor, digits
    ("first s", "first_s", 1, 2), ("sync s", "sync_s", 1, 2), ("CPU µs/object", "sync_cpu_us", 1, 0),
    ("of it compiling", "sync_compiler_us", 1, 0), ("collecting", "sync_collector_us", 1, 0), ("heap B/object", "heap", 1, 0),
    ("peak RSS MB", "peak_rss", 1e-6, 0), ("event µs, storm", "storm_event_us", 1, 0), ("event µs, paced", "paced_event_us", 1, 0),
    ("B/event", "storm_allocated", 1, 0), ("p50 µs, paced", "paced_p50_us", 1, 0), ("p99 µs, paced", "paced_p99_us", 1, 0),
]

GOALS = [  # goal, what, key, resource, peer, first, aim; ours is homeostat, where OURS names no other
    ("G1", "time to sync", "sync_s", "pods", "fabric8", 0.4, 0.25), ("G1", "", "sync_s", "pods", "client-java", 0.25, 0.15),
    ("G1", "", "sync_s", "pods", "client-go-json", 0.5, 0.3),
    ("G2", "CPU per object until synced", "sync_cpu_us", "pods", "fabric8", 0.2, 0.13),
    ("G2", "", "sync_cpu_us", "pods", "client-java", 0.12, 0.08), ("G2", "", "sync_cpu_us", "pods", "client-go-json", 0.35, 0.24),
    ("G2", "", "sync_cpu_us", "pods", "client-go-protobuf", 2.0, 1.3), ("G2", "", "sync_cpu_us", "pods", "kube-rs", 1.0, 0.7),
    ("G2c", "the same, Widgets", "sync_cpu_us", "widgets", "fabric8", 0.22, 0.15),
    ("G2c", "", "sync_cpu_us", "widgets", "client-go-json", 0.55, 0.4), ("G2c", "", "sync_cpu_us", "widgets", "kube-rs", 1.4, 1.0),
    ("G3", "first handler call", "first_s", "pods", "fabric8", 0.05, 0.02), ("G3", "", "first_s", "pods", "client-java", 0.03, 0.01),
    ("G3", "", "first_s", "pods", "kube-rs", 1.5, 1.0),
    ("G4", "heap per object", "heap", "pods", "fabric8", 0.2, 0.15), ("G4", "", "heap", "pods", "client-java", 0.55, 0.43),
    ("G4", "", "heap", "pods", "client-go-json", 0.55, 0.4),
    ("G5", "heap per object, compact", "heap", "pods", "fabric8", 0.04, 0.02), ("G5", "", "heap", "pods", "client-java", 0.12, 0.06),
    ("G5", "", "heap", "pods", "client-go-json", 0.11, 0.06),
    ("G6", "peak RSS while syncing", "peak_rss", "pods", "fabric8", 0.25, 0.17), ("G6", "", "peak_rss", "pods", "client-java", 0.12, 0.08),
    ("G6", "", "peak_rss", "pods", "client-go-json", 1.0, 0.7),
    ("G7", "CPU per event, warm, storm", "storm_event_us", "pods", "fabric8", 0.25, 0.12),
    ("G7", "", "storm_event_us", "pods", "client-java", 0.4, 0.2), ("G7", "", "storm_event_us", "pods", "client-go-json", 0.35, 0.15),
    ("G7", "", "storm_event_us", "pods", "client-go-protobuf", 1.2, 0.7),
    ("G7", "the same, Widgets", "storm_event_us", "widgets", "client-go-json", 0.6, 0.3),
    ("G7", "", "storm_event_us", "widgets", "kube-rs", 1.5, 0.8),
    ("G8", "allocation per event", "storm_allocated", "pods", "fabric8", 0.08, 0.04),
    ("G8", "", "storm_allocated", "pods", "client-java", 0.08, 0.04),
    ("G9", "event to reconcile, p50, paced", "paced_p50_us", "pods", "fabric8", 0.6, 0.6),
    ("G9", "", "paced_p50_us", "pods", "josdk", 0.4, 0.4), ("G9", "", "paced_p50_us", "pods", "controller-runtime", 0.8, 0.8),
    ("G11", "no-op reconciles a second (more is better)", "reconciles_a_second", "pods", "josdk", 3, 4),
    ("G11", "", "reconciles_a_second", "pods", "controller-runtime", 2, 3),
]
OURS = {"G3": "homeostat-early", "G5": "homeostat-compact", "G9": "homeostat-reconciler", "G11": "homeostat-reconciler"}
MORE = {"G11", "G13"}  # where more is better
DECISIVE = 10_000  # objects
OTHER_WORK = 0.2  # cores that something else may take before times and CPU decide nothing
BYTES = {"heap", "peak_rss", "storm_allocated"}  # which other work does not spoil
AT_40K = ("G2", "CPU per object until synced, 40k", "sync_cpu_us", "pods", "client-go-protobuf", 1.0, 0.7)

GROWTH = {  # what, figure, unit, whether the slope of a total counts
    "objects": [("sync_us", "CPU µs/object until synced", True), ("heap_bytes", "heap B/object", True),
                ("relist_us", "CPU µs/object of a relist", True), ("event_us", "CPU µs/event", False)],
    "handlers": [("event_us", "CPU µs/event", False), ("event_bytes", "allocated B/event", False)],
    "indexes": [("build_us", "CPU µs/object to build all", False), ("heap_bytes", "heap B/object of all", False), ("event_us", "CPU µs/event", False)],
    "delayed": [("add_us", "µs/key", False), ("heap_bytes", "heap B/key", False)],
}
SLOPE = 1.03  # of totals, log-log
EACH_MORE = {("handlers", "event_us"): 1.5, ("indexes", "build_us"): 0.6, ("indexes", "heap_bytes"): 60}
AT_MOST = {("delayed", "add_us"): 1.0, ("delayed", "heap_bytes"): 100}


def in_goals(resource):
    """The clients that the goals name."""
    of_it = [g for g in GOALS if g[3] == resource]
    return ["homeostat", *sorted({OURS[g[0]] for g in of_it if g[0] in OURS}), *sorted({g[4] for g in of_it})]


def reached(goal, ratio, first, aim, void=""):
    if void:
        return void
    better = (lambda bound: ratio >= bound) if goal in MORE else (lambda bound: ratio <= bound)
    if first == aim:
        return "reached" if better(aim) else "**not reached**"
    return "aim" if better(aim) else "first" if better(first) else "**not reached**"


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def number(value, digits=0):
    return f"{value:,.{digits}f}"


def spread(samples, key, factor=1, digits=0):
    """Median, and the range when there are several."""
    values = [s[key] * factor for s in samples if s.get(key)]
    if not values:
        return "–"
    low, high = number(min(values), digits), number(max(values), digits)
    return number(median(values), digits) + (f" ({low}–{high})" if len(values) > 1 else "")


def by_client(samples):
    groups = defaultdict(list)
    for s in samples:
        groups[s["client"]].append(s)
    return groups


def busy(samples):
    """Whether other work ran beside any of them."""
    return max(s["other_cores"] for s in samples) > OTHER_WORK


def others(samples):
    low, high = (f(s["other_cores"] for s in samples) for f in (min, max))
    return (f"Other work took {low:.2f} to {high:.2f} of {os.cpu_count()} cores meanwhile"
            + (": **times and CPU here are not to be quoted.**" if busy(samples) else "."))


def latest(samples):
    """Only what was measured as the last sample was: figures of two versions, or two sets of flags, have no median."""
    return [s for s in samples if s.get("run") == samples[-1].get("run")]


# ---- plots


def text(x, y, words, size=12, anchor="start", colour="#222"):
    words = str(words).replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif"><rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def bars(title, rows):
    """Horizontal bars: (name, value), ours in colour."""
    left, wide, step = 170, 430, 24
    parts = [text(10, 22, title, 15)]
    most = max(value for _, value in rows) or 1
    for i, (name, value) in enumerate(rows):
        y = 40 + i * step
        ours = name.startswith("homeostat")
        parts.append(text(left - 8, y + 13, name, 12, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{max(1, wide * value / most):.1f}" height="17" fill="{COLOURS[0] if ours else COLOURS[5]}"/>')
        parts.append(text(left + wide * value / most + 6, y + 13, number(value), 12))
    return svg(left + wide + 90, 50 + len(rows) * step, parts)


def curves(title, unit, series):
    """Log-log lines: name -> [(x, y)]."""
    left, top, wide, high = 70, 40, 480, 260
    points = [p for line in series.values() for p in line if p[0] > 0 and p[1] > 0]
    if not points:
        return None
    x0, x1 = (f(math.log10(p[0]) for p in points) for f in (min, max))
    y0, y1 = math.floor(min(math.log10(p[1]) for p in points)), math.ceil(max(math.log10(p[1]) for p in points) + 1e-9)
    place_x = lambda v: left + wide * (math.log10(v) - x0) / ((x1 - x0) or 1)
    place_y = lambda v: top + high - high * (math.log10(v) - y0) / ((y1 - y0) or 1)
    parts = [text(10, 22, f"{title} ({unit})", 15)]
    for e in range(y0, y1 + 1):
        y = place_y(10**e)
        parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(text(left - 6, y + 4, f"{10**e:g}", 11, "end"))
    for x in sorted({p[0] for p in points}):
        parts.append(text(place_x(x), top + high + 18, number(x), 11, "middle"))
    for i, (name, line) in enumerate(series.items()):
        drawn = [(place_x(x), place_y(y)) for x, y in line if x > 0 and y > 0]
        colour = COLOURS[i % len(COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn]
        parts.append(text(left + 8 + i % 2 * wide / 2, top + high + 38 + i // 2 * 16, name, 12, colour=colour))
    return svg(left + wide + 40, top + high + 50 + (len(series) + 1) // 2 * 16, parts)


# ---- the page


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    return f"{os.cpu_count()} cores ({model[1].strip() if model else platform.machine()}), {memory:.0f} GB, {platform.system()} {platform.machine()}"


def comparison(file, plots, out):
    samples = lines(file)
    samples = latest([s for s in samples if "run" in s])
    if not samples:
        return None
    groups = by_client(samples)
    resource, objects = samples[0]["resource"], samples[0]["objects"]
    rounds = max(len(g) for g in groups.values())
    run = samples[-1]["run"]
    label = f"{number(objects)} {resource.capitalize()}, JDK {run['jdk'].split('+')[0]}"
    out += [f"## {label}", "",
            f"Commit `{run['commit']}`, {rounds} round{'s' if rounds > 1 else ''}, JVM flags `{run['flags']}` on JDK {run['jdk']}; "
            f"{number(run['events'])} changes in a storm (one for each object, where there is a reconciler), {number(run['rate'])} a second when paced. "
            + others(samples), ""]
    out += ["| client | " + " | ".join(c[0] for c in COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    order = sorted(groups, key=lambda c: (not c.startswith("homeostat"), median(s["sync_cpu_us"] for s in groups[c])))
    for client in order:
        out.append(f"| {client} | " + " | ".join(spread(groups[client], *c[1:]) for c in COLUMNS) + " |")
    out.append("")
    warm = [(c, [s for s in groups[c] if "passes_cpu_us" in s]) for c in order]
    for client, several in warm:
        if several:
            passes = [median(p) for p in zip(*(s["passes_cpu_us"] for s in several))]
            out.append(f"{client}, passes in one process: " + " · ".join(number(p) for p in passes) + " µs of CPU an object.")
    saturated = [c for c in order if any("reconciles_a_second" in s for s in groups[c])]
    if saturated:
        out += ["", "All objects wait for a worker, since each asks for another reconcile, which does nothing (G11):", "",
                "| client | reconciles a second | CPU µs each |", "|---|---|---|"]
        out += [f"| {c} | {spread(groups[c], 'reconciles_a_second')} | {spread(groups[c], 'reconcile_us', 1, 1)} |" for c in saturated]
    for client in order:
        for s in groups[client]:
            if "broken_off" in s:
                out.append(f"\n{client}, round {s['round'] + 1}, ended early: {s['broken_off'].splitlines()[0][:200]}")
    relisted = [c for c in order if any("relist_calls" in s for s in groups[c])]
    if relisted:
        out += ["", "After kube-apiserver was killed and came back; one object had changed, whose own call is not counted (G16):", "",
                "| client | handler calls | reconciles | CPU µs/object | ÷ first sync |", "|---|---|---|---|---|"]
        for client in relisted:
            several = [s for s in groups[client] if "relist_calls" in s]
            share = median(s["relist_cpu_us"] / s["sync_cpu_us"] for s in several)
            reconciles = max(s["relist_reconciles"] for s in several)
            out.append(f"| {client} | {number(max(s['relist_calls'] for s in several))} | {number(reconciles) if reconciles else '–'} | "
                       f"{spread(several, 'relist_cpu_us')} | {share:.2f} |")
    for title, key, factor in (("CPU", "sync_cpu_us", 1), ("heap", "heap", 1), ("RSS", "peak_rss", 1e-6)):
        unit = {"CPU": "µs of CPU an object until synced", "heap": "bytes of heap an object", "RSS": "MB of peak RSS while syncing"}[title]
        name = f"{file.stem}-{title.lower()}.svg"
        (plots / name).write_text(bars(f"{label}: {unit}", [(c, median(s[key] for s in groups[c]) * factor) for c in order]))
        out += ["", f"![{unit}](plots/{name})"]
    out.append("")
    return resource, objects, groups, label


def goals(compared, measured, out):
    out += ["## Goals", "",
            "Ratios of medians, ours to the peer's, from one run. *first* must hold at a release, *aim* is where it is to go. A run of fewer than "
            f"{number(DECISIVE)} objects, or beside other work (more than {OTHER_WORK:g} cores of it), decides nothing about times and CPU.", "",
            "| run | goal | against | first | aim | measured | |", "|---|---|---|---|---|---|---|"]
    count = len(out)
    for resource, objects, groups, label in compared:
        ours = groups.get("homeostat")
        # Small runs measure how a JVM starts; those beside other work measure that work.
        few = "few objects" if objects < DECISIVE else ""
        void = few or ("busy machine" if busy([s for g in groups.values() for s in g]) else "")
        for goal, what, key, of, peer, first, aim in GOALS + ([AT_40K] if objects >= 40_000 else []):
            theirs = [s for s in groups.get(peer, []) if s.get(key)]
            mine = [s for s in groups.get(OURS.get(goal, "homeostat"), []) if s.get(key)]
            if of == resource and theirs and mine:
                ratio = median(s[key] for s in mine) / median(s[key] for s in theirs)
                verdict = reached(goal, ratio, first, aim, few if key in BYTES else void)
                out.append(f"| {label} | {goal} {what} | {peer} | {first:g} | {aim:g} | {ratio:.3f} | {verdict} |")
        relists = [s for s in ours or [] if "relist_calls" in s]
        if relists:
            calls, share = max(s["relist_calls"] for s in relists), median(s["relist_cpu_us"] / s["sync_cpu_us"] for s in relists)
            out.append(f"| {label} | G16 handler calls for unchanged objects | – | 0 | 0 | {calls} | {'aim' if not calls else '**not reached**'} |")
            out.append(f"| {label} | G16 CPU of a relist | our first sync | 0.5 | 0.2 | {share:.2f} | {reached('G16', share, 0.5, 0.2, void)} |")
    out += micro_goals(measured)
    if len(out) == count:
        out.append("| nothing measured | | | | | | |")
    out.append("")


def micro_goals(measured):
    """G12 and G13: of JMH, and of Go's benchmark of its queue."""
    meta = measured / "micro.json"
    if not meta.exists():
        return []
    run = json.loads(meta.read_text())
    label, void = f"micro, JDK {run['jdk'].split('+')[0]}", "busy machine" if run["other_cores"] > OTHER_WORK else ""
    rows = []
    scores = {(b["benchmark"].split(".")[-1], tuple(b.get("params", {}).values()), b["threads"]): b["primaryMetric"]["score"]
              for file in measured.glob("jmh*.json") for b in json.loads(file.read_text())}
    for resource in ("pods", "widgets", "configmaps"):
        ours, theirs = scores.get(("decode", (resource,), 1)), scores.get(("fabric8Clone", (resource,), 1))
        if ours and theirs:
            rows.append(f"| {label} | G12 private copy, {resource} | fabric8 clone | 0.2 | 0.2 | {ours / theirs:.3f} | "
                        f"{reached('G12', ours / theirs, 0.2, 0.2, void)} |")
    go = go_queue(measured)
    for threads in (1, 4, 16):
        ours, official = scores.get(("ours", (), threads)), scores.get(("official", (), threads))
        for peer, theirs, first in (("official client", official, 1.5), ("client-go", go.get(threads), 2)):
            if ours and theirs:
                rows.append(f"| {label} | G13 queue, {threads} thread{'s' if threads > 1 else ''} (more is better) | {peer} | {first:g} | {first:g} | "
                            f"{ours / theirs:.2f} | {reached('G13', ours / theirs, first, first, void)} |")
    return rows


def go_queue(measured):
    """Operations a µs of client-go's queue, by threads."""
    file, threads = measured / "go-queue.txt", defaultdict(list)
    if file.exists():
        for match in re.finditer(r"BenchmarkTriple/threads=(\d+)\S*\s+\d+\s+([\d.]+) ns/op", file.read_text()):
            threads[int(match[1])].append(1000 / float(match[2]))
    return {count: median(rates) for count, rates in threads.items()}


def slope(points):
    """Of a line through log(total) over log(size)."""
    if len(points) < 2:
        return None
    xs, ys = [math.log(p[0]) for p in points], [math.log(p[1] * p[0]) for p in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / sum((x - mean_x) ** 2 for x in xs)


def growth(measured, plots, out):
    samples = latest([s for s in lines(measured / "growth.jsonl") if "run" in s])
    if not samples:
        return
    run = samples[-1]["run"]
    void = "busy machine" if busy(samples) else ""
    out += ["## Growth, ours alone", "",
            f"In one process, without a server (`ReplayTransport`), commit `{run['commit']}`, flags `{run['flags']}` on JDK {run['jdk']}, JVM warmed up "
            f"before. {others(samples)} *objects*: ConfigMaps of 1 KB; *handlers*: on one informer of 1,000 Pods; *indexes*: over 100,000 ConfigMaps; "
            "*delayed*: keys of a work queue.", ""]
    for what, figures in GROWTH.items():
        several = [s for s in samples if s["growth"] == what]
        if not several:
            continue
        sizes = sorted({s["size"] for s in several})
        out += [f"| {what} | " + " | ".join(f[1] for f in figures) + " |", "|---|" + "---|" * len(figures)]
        series = {}
        for size in sizes:
            of_size = [s for s in several if s["size"] == size]
            out.append(f"| {number(size)} | " + " | ".join(spread(of_size, f[0], 1, 2 if "µs" in f[1] else 0) for f in figures) + " |")
        for key, title, sloped in figures:
            series[title] = [(size, median(s[key] for s in several if s["size"] == size)) for size in sizes]
        slopes = [(title, slope(series[title])) for key, title, sloped in figures if sloped and len(sizes) > 1]
        out.append("")
        for title, value in slopes:
            verdict = reached("growth", value, SLOPE, SLOPE, "" if "heap" in title else void)
            out.append(f"- Log-log slope of the total of {title}: {value:.3f}; goal ≤ {SLOPE}: {verdict}.")
        if what == "objects":
            out.append(f"- Handler calls of a relist of unchanged objects: {max(s['relist_calls'] for s in several):.0f}.")
        for key, title, _ in figures:
            low, high = series[title][0], series[title][-1]
            if what in ("handlers", "indexes") and len(sizes) > 1:
                each, most = (high[1] - low[1]) / (high[0] - low[0]), EACH_MORE.get((what, key))
                verdict = f"; goal ≤ {most:g}: {reached('growth', each, most, most, '' if 'heap' in title else void)}" if most else ""
                out.append(f"- Each more costs {each:.2f} {title.replace(' of all', '').replace(' to build all', '')}{verdict}.")
            most = AT_MOST.get((what, key))
            if most:
                verdict = reached("growth", high[1], most, most, "" if "heap" in title else void)
                out.append(f"- {high[1]:.2f} {title} at {number(high[0])}; goal ≤ {most:g}: {verdict}.")
        drawn = curves(f"Growth: {what}", "log-log", series)
        if drawn:
            (plots / f"growth-{what}.svg").write_text(drawn)
            out += ["", f"![growth with {what}](plots/growth-{what}.svg)"]
        out.append("")


def micro(measured, out):
    files = sorted(measured.glob("jmh*.json"))
    if not files:
        return
    meta = measured / "micro.json"
    run = json.loads(meta.read_text()) if meta.exists() else None
    out += ["## Micro (JMH)", ""]
    if run:
        out += [f"Commit `{run['commit']}`, JMH `{run['jmh']}` on JDK {run['jdk']}. {others([run])}", ""]
    out += ["| benchmark | | score | error | B/op |", "|---|---|---|---|---|"]
    for file in files:
        for b in json.loads(file.read_text()):
            name = ".".join(b["benchmark"].split(".")[-2:])
            parameters = ", ".join(b.get("params", {}).values()) or (f"{b['threads']} threads" if "Queue" in name else "")
            allocated = b["secondaryMetrics"].get("gc.alloc.rate.norm", b["secondaryMetrics"].get("·gc.alloc.rate.norm"))
            metric = b["primaryMetric"]
            error = metric["scoreError"]
            out.append(f"| {name} | {parameters} | {metric['score']:.3f} {metric['scoreUnit']} | {'–' if error == 'NaN' else f'{error:.3f}'} | "
                       f"{number(allocated['score']) if allocated else '–'} |")
    out += [f"| client-go workqueue | {count} threads | {rate:.3f} ops/us | – | – |" for count, rate in sorted(go_queue(measured).items())]
    out.append("")


def versions(here):
    found = [(name, re.search(pattern, (here / file).read_text())) for name, file, pattern in VERSIONS]
    lost = [name for name, match in found if not match]
    if lost:
        raise ValueError(f"no version of {', '.join(lost)}: it is not where VERSIONS of report.py looks for it any more")
    classpath = here / "peers" / "josdk" / "target" / "classpath"
    brought = re.search(r"kubernetes-client-api-([0-9][^/:]*)\.jar", classpath.read_text()) if classpath.exists() else None
    return ", ".join(f"{name} {match[1]}" + (f" (with fabric8 {brought[1]})" if name == "JOSDK" and brought else "") for name, match in found)


def write(here, measured):
    plots = here / "plots"
    plots.mkdir(exist_ok=True)
    for old in [*plots.glob("*-jdk*.svg"), *plots.glob("growth-*.svg")]:  # others are not of these runs
        old.unlink()
    out = ["# Results", "",
           "Written by `benchmarks/run`; how it measures, and how to repeat it, is in [README.md](README.md). Medians, with the range in brackets.", "",
           f"Machine: {machine()}; kube-apiserver and etcd beside the client, over TLS. {versions(here)}.", ""]
    missing = measured / "missing.json"
    left_out = json.loads(missing.read_text()) if missing.exists() else {}
    if left_out:
        out += ["Left out, since they could not be built here: " + "; ".join(f"{name} ({why})" for name, why in left_out.items()) + ".", ""]
    tables, compared = [], []
    for file in sorted(measured.glob("*-jdk*.jsonl")):
        one = comparison(file, plots, tables)
        if one:
            compared.append(one)
    goals(compared, measured, out)
    out += tables
    growth(measured, plots, out)
    micro(measured, out)
    (here / "RESULTS.md").write_text("\n".join(out).rstrip() + "\n")
    print("wrote RESULTS.md")
