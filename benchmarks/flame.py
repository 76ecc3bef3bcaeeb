"""A flame graph from what JFR has sampled: `jfr print --events jdk.ExecutionSample,jdk.NativeMethodSample`, as an SVG that needs no script."""
import html
import re
import subprocess
import sys
from pathlib import Path

WIDTH, ROW, LEAST = 1200, 16, 0.008  # pixels, pixels, the share below which a frame is left out
ROOMS = {"io.homeostat": "#e8743b", "java.util.zip": "#4ba3c3", "sun.security": "#8fb339", "com.sun.crypto": "#8fb339", "java.lang.invoke": "#c3a24b",
         "jdk.internal": "#b0b0b0", "org.snakeyaml": "#b06fb0", "org.slf4j": "#6f7fb0"}


def stacks(recording, jdk):
    """Each sample's frames, the thread's kind first, the running method last."""
    text = subprocess.run([str(Path(jdk) / "bin" / "jfr"), "print", "--stack-depth", "128", "--events", "jdk.ExecutionSample", str(recording)],
                          check=True, capture_output=True, text=True).stdout
    for event in text.split("jdk.ExecutionSample {")[1:]:
        thread = re.search(r'sampledThread = "([^"]*)"', event)
        frames = re.findall(r"^\s+([\w.$<>/]+)\(.*?\)\s+line:", event.split("stackTrace = [", 1)[1], re.M)
        frames = [re.sub(r"\$\$Lambda[^.]*", "$$Lambda", re.sub(r"/0x[0-9a-f]+", "", frame)) for frame in frames]
        name = re.sub(r"[-\s]*\d+$", "", thread[1]) if thread else "unknown"
        yield [name, *reversed(frames)]


def tree(samples):
    root = {"name": "all", "count": 0, "below": {}}
    for frames in samples:
        root["count"] += 1
        node = root
        for frame in frames:
            node = node["below"].setdefault(frame, {"name": frame, "count": 0, "below": {}})
            node["count"] += 1
    return root


def colour(name):
    return next((colour for start, colour in ROOMS.items() if name.startswith(start)), "#d9c9a3")


def draw(root, title):
    boxes, deepest = [], 0

    def place(node, left, depth):
        nonlocal deepest
        width = WIDTH * node["count"] / root["count"]
        if width < WIDTH * LEAST:
            return
        deepest = max(deepest, depth)
        short = ".".join(node["name"].split(".")[-2:])
        room = int(width / 6.4)
        label = short if len(short) <= room else short[: room - 1] + "…" if room > 3 else ""
        boxes.append((left, depth, width, node["name"], node["count"], label))
        for each in sorted(node["below"].values(), key=lambda n: n["name"]):
            place(each, left, depth + 1)
            left += WIDTH * each["count"] / root["count"]

    place(root, 0, 0)
    height = (deepest + 2) * ROW + 8
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
             f'<text x="4" y="13">{html.escape(title)}</text>']
    for left, depth, width, name, count, label in boxes:
        y = height - (depth + 1) * ROW - 4
        lines.append(f'<g><title>{html.escape(name)}: {100 * count / root["count"]:.1f} %</title>'
                     f'<rect x="{left:.1f}" y="{y}" width="{max(0.4, width - 0.4):.1f}" height="{ROW - 1}" fill="{colour(name)}"/>'
                     f'<text x="{left + 3:.1f}" y="{y + 11}">{html.escape(label)}</text></g>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def main(recording, svg, jdk, title):
    root = tree(stacks(recording, jdk))
    if not root["count"]:
        sys.exit(f"{recording} holds no samples")
    Path(svg).write_text(draw(root, f"{title}: {root['count']} samples of Java code"))


if __name__ == "__main__":
    main(*sys.argv[1:])
