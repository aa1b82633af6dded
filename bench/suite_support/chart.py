"""The page that `compare` writes: charts as SVG and the table of all times, in one file that needs no other.

Colours follow the reader's light or dark mode; engines differ by the shape of their marks as well as by colour.
"""

import html
import math

from suite_support import comparison
from suite_support.report import MAIN, megabytes

# Light and dark, in the order of the engines.
COLOURS = [("#c2321f", "#ff8a73"), ("#8a6a00", "#f0c850"), ("#1762b5", "#74b4ff"), ("#1c7a4a", "#63d297"),
           ("#7a3fa6", "#cf9cf2"), ("#4f5b66", "#b4bec8"), ("#00727d", "#5fd3de"), ("#96424f", "#f2a2ae")]

STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1d2126; --faint: #5a626b; --line: #d9dde2; %(light)s }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --ink: #e8eaed; --faint: #a2abb5; --line: #343a41; %(dark)s } }
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 0.3rem } p { color: var(--faint); margin: 0.3rem 0 }
svg { width: 100%%; height: auto; font: 13px system-ui, sans-serif } svg text { fill: var(--ink) }
svg .faint { fill: var(--faint) } svg .grid { stroke: var(--line) } svg .one { stroke: var(--faint) }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: 0.15rem 0.6rem; text-align: right; border-bottom: 1px solid var(--line) }
.scroll { overflow-x: auto } .bad { text-decoration: underline dotted; cursor: help }
"""

WIDTH, LABELS, RIGHT_MARGIN = 900, 150, 90


def page(heading, entries, totals):
    names = list(totals)
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(names))]
    style = STYLE % {
        mode: " ".join(f"--c{index}: {colour[side]};" for index, colour in enumerate(colours))
        for side, mode in enumerate(("light", "dark"))}
    title = f"{heading['suite']}, scale {heading['scale']}"
    versions = ", ".join(f"{name} {total['version']}" for name, total in totals.items())
    conditions = (f"{heading['mode']}, {heading['threads']} threads, {heading['what']} of {max(1, heading['runs'])} runs; "
                  f"{heading['machine']}, {heading['processors']} processors, load {heading['load'][0]}; {heading['time']}")
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(conditions)}</p><p>{escape(versions)}</p>",
        section("Martlet's time in times of the other's", "Geometric mean over the queries that both answered rightly; "
                "below 1 Martlet took less.", mean_chart(totals, names)),
        section("Time of each query", "Milliseconds, logarithmic; left is faster. Only right answers.",
                query_chart(entries, names)),
        section("Largest resident memory", "Megabytes of each engine's process, and the query that took them.",
                memory_chart(totals, names)),
        section("All times", "Milliseconds; point at a word to read why there is none.", time_table(entries, names))]
    return (f"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{escape(title)}</title>"
            f"<meta name=\"viewport\" content=\"width=device-width\"><style>{style}</style>{''.join(parts)}</html>\n")


def escape(text):
    return html.escape(str(text))


def section(title, remark, content):
    return f"<h2>{escape(title)}</h2><p>{escape(remark)}</p>{content}" if content else ""


def svg(height, content, label):
    return (f"<svg viewBox=\"0 0 {WIDTH} {height:.0f}\" role=\"img\" aria-label=\"{escape(label)}\">"
            f"{''.join(content)}</svg>")


def text(x, y, content, anchor="start", kind=""):
    return f"<text x=\"{x:.1f}\" y=\"{y:.1f}\" text-anchor=\"{anchor}\" class=\"{kind}\">{escape(content)}</text>"


def line(x1, y1, x2, y2, kind="grid"):
    return f"<line x1=\"{x1:.1f}\" y1=\"{y1:.1f}\" x2=\"{x2:.1f}\" y2=\"{y2:.1f}\" class=\"{kind}\"/>"


def mark(index, x, y, tip=""):
    """A circle, square, triangle, diamond or cross of the engine's colour."""
    colour = f"var(--c{index})"
    shapes = [
        f"<circle cx=\"{x:.1f}\" cy=\"{y:.1f}\" r=\"5\" fill=\"{colour}\"",
        f"<rect x=\"{x - 4:.1f}\" y=\"{y - 4:.1f}\" width=\"8\" height=\"8\" fill=\"{colour}\"",
        f"<path d=\"M{x:.1f} {y - 5:.1f}l5 9h-10z\" fill=\"{colour}\"",
        f"<path d=\"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z\" fill=\"{colour}\"",
        f"<path d=\"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\""]
    return f"{shapes[index % len(shapes)]}><title>{escape(tip)}</title></{shapes[index % len(shapes)][1:].split()[0]}>"


def bars(rows, label, scale_to, reference=None):
    """Horizontal bars: (index of the colour, name, value, text), and a line at a value of reference."""
    step, span = 26, WIDTH - LABELS - RIGHT_MARGIN
    content = []
    for row, (index, name, value, shown) in enumerate(rows):
        y = row * step
        width = span * value / scale_to
        content += [
            text(LABELS - 8, y + 17, name, "end"),
            f"<rect x=\"{LABELS}\" y=\"{y + 4}\" width=\"{width:.1f}\" height=\"18\" rx=\"2\" fill=\"var(--c{index})\"/>",
            text(LABELS + width + 6, y + 17, shown)]
    if reference is not None:
        x = LABELS + span * reference / scale_to
        content.append(line(x, 0, x, len(rows) * step, "one"))
    return svg(len(rows) * step + 4, content, label)


def mean_chart(totals, names):
    rows = []
    for index, name in enumerate(names):
        values = totals[name].get("martlet_against")
        if values:
            mean = values["geometric_mean"]
            rows.append((index, name, mean, f"{mean:.2f}"))
    if not rows:
        return ""
    return bars(rows, "geometric means", max(1.1, *(value for _, _, value, _ in rows)), 1)


def memory_chart(totals, names):
    rows = [(index, name, totals[name]["peak_memory"],
             f"{megabytes(totals[name]['peak_memory'])} ({totals[name]['peak_query']})")
            for index, name in enumerate(names) if totals[name]["peak_memory"]]
    return bars(rows, "peak memory", max(value for _, _, value, _ in rows)) if rows else ""


def query_chart(entries, names):
    times = [value for entry in entries for name in names if (value := comparison.counted(entry, name))]
    if not times:
        return ""
    low, high = math.log10(min(times) / 1.2), math.log10(max(times) * 1.2)
    step, top = 22, 50
    height = top + step * len(entries) + 10

    def place(value):
        return LABELS + (WIDTH - LABELS - RIGHT_MARGIN) * (math.log10(value) - low) / (high - low)

    content = []
    for index, name in enumerate(names):
        x = 10 + index * (WIDTH - 20) / len(names)
        content += [mark(index, x + 6, 10), text(x + 17, 15, name)]
    for value in ticks(low, high):
        x = place(value)
        content += [line(x, top - 8, x, height - 6), text(x, top - 12, f"{value:,g}", "middle", "faint")]
    for row, entry in enumerate(entries):
        y = top + row * step + step / 2
        content.append(text(LABELS - 12, y + 4, entry["query"], "end"))
        found = [(place(value), index, value) for index, name in enumerate(names)
                 if (value := comparison.counted(entry, name))]
        if found:
            content.append(line(min(found)[0], y, max(found)[0], y))
        # Martlet's mark last, on top of the others.
        for x, index, value in sorted(found, key=lambda item: -item[1]):
            content.append(mark(index, x, y, f"{names[index]}, query {entry['query']}: {value:.1f} ms"))
    return svg(height, content, "times of each query")


def ticks(low, high):
    """Round numbers between two powers of ten: 1, 2 and 5 of each, or only 1 if there are too many."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    steps = (1, 2, 5) if high - low < 4 else (1,)
    values = (step * 10.0 ** power for power in powers for step in steps)
    return [value for value in values if low <= math.log10(value) <= high]


def time_table(entries, names):
    head = "".join(f"<th>{escape(name)}</th>" + ("" if name == MAIN else "<th>ratio</th>") for name in names)
    lines = [f"<tr><th>query</th><th>rows</th>{head}</tr>"]
    for entry in entries:
        cells = f"<td>{escape(entry['query'])}</td><td>{'–' if entry['rows'] is None else entry['rows']}</td>"
        for name in names:
            result = entry["engines"][name]
            if comparison.is_answered(result):
                cells += f"<td>{result['counts']:.1f}</td>"
            else:
                cells += f"<td><span class=\"bad\" title=\"{escape(result['note'])}\">{result['verdict']}</span></td>"
            if name != MAIN:
                value = comparison.ratio(entry, MAIN, name)
                cells += f"<td>{'–' if value is None else f'{value:.2f}'}</td>"
        lines.append(f"<tr>{cells}</tr>")
    return f"<div class=\"scroll\"><table>{''.join(lines)}</table></div>"
