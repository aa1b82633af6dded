"""What `compare` prints and writes: a table that grows query by query, the summary, and the JSON file."""

import json
import os
import platform
import time

from suite_support import comparison

MAIN = "martlet"


def machine():
    return {"machine": platform.machine(), "system": platform.system(), "processors": os.cpu_count(),
            "load": [round(value, 2) for value in os.getloadavg()],
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


class Table:
    """Lines of milliseconds, and for each engine but Martlet the ratio of Martlet's time to its own.

    A time marked ~ belongs to a rounded answer, ! to a wrong one, ? to one that nobody checked.
    """

    def __init__(self, engines):
        self.others = [name for name in engines if name != MAIN]

    def heading(self):
        return f"{'query':>6} {'rows':>7} {MAIN:>9}" + "".join(
            f" {name:>{self.width(name)}} {'ratio':>6}" for name in self.others)

    @staticmethod
    def width(name):
        return max(9, len(name) + 1)

    def line(self, entry):
        rows = "–" if entry["rows"] is None else entry["rows"]
        text = f"{entry['query']:>6} {rows:>7} {self.time(entry, MAIN):>9}"
        for name in self.others:
            value = comparison.ratio(entry, MAIN, name)
            text += f" {self.time(entry, name):>{self.width(name)}} {'–' if value is None else f'{value:.2f}':>6}"
        return "\n".join([text] + self.notes(entry))

    @staticmethod
    def time(entry, name):
        result = entry["engines"][name]
        mark = {comparison.RIGHT: "", comparison.ROUNDED: "~", comparison.UNCHECKED: "?", comparison.WRONG: "!"}.get(
            result["verdict"])
        return result["verdict"] if mark is None else f"{result['counts']:.1f}{mark}"

    def notes(self, entry):
        found = [entry["note"]] if "note" in entry else []
        for name in [MAIN, *self.others]:
            result = entry["engines"][name]
            if not comparison.is_answered(result) and result["verdict"] != comparison.UNCHECKED:
                found.append(f"{name}: {result['verdict']}: {result['note']}")
        return [f"{'':>6} {note[:200]}" for note in found]


def summary(entries, engines):
    """For each engine its verdicts and memory, and for all but Martlet how Martlet does against it."""
    result = {}
    for name, engine in engines.items():
        result[name] = {
            "version": engine.version, "verdicts": comparison.counts(entries, name),
            "memory_at_start": engine.memory_at_start, "peak_memory": engine.peak,
            "peak_query": hungriest(entries, name)}
        if name != MAIN:
            result[name]["martlet_against"] = comparison.against(entries, MAIN, name)
        if limit := getattr(engine, "memory_limit", None):
            result[name] |= {"memory_limit": limit, "against_unlimited": comparison.against(entries, name, MAIN)}
    return result


def hungriest(entries, name):
    """The query that took the most memory, or None."""
    sizes = {entry["query"]: entry["engines"][name].get("peak_memory") or 0 for entry in entries}
    query = max(sizes, key=sizes.get, default=None)
    return query if query and sizes[query] else None


def summary_lines(totals):
    """The summary as text. Ratios below 1 mean that Martlet took less."""
    lines = [f"{'Martlet against':<20} {'both right':>10} {'sum ms':>10} {'its sum':>10} {'ratio':>6} {'geo mean':>8} "
             f"{'worst':>7} {'in':>5} {'faster':>6}"]
    for name, total in totals.items():
        values = total.get("martlet_against")
        if values:
            lines.append(
                f"{name:<20} {values['queries']:>10} {values['sum_ms']:>10.0f} {values['other_sum_ms']:>10.0f} "
                f"{values['ratio_of_sums']:>6.2f} {values['geometric_mean']:>8.2f} {values['worst']:>7.2f} "
                f"{values['worst_query']:>5} {values['faster_in']:>6}")
    lines += ["", f"{'engine':<20} {'peak MB':>8} {'in':>5} {'at start':>8} {'ratio':>6}  answers"]
    peak = totals[MAIN]["peak_memory"]
    for name, total in totals.items():
        own = total["peak_memory"]
        share = f"{peak / own:.2f}" if peak and own and name != MAIN else ""
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in total["verdicts"].items())
        lines.append(f"{name:<20} {megabytes(own):>8} {total['peak_query'] or '':>5} "
                     f"{megabytes(total['memory_at_start']):>8} {share:>6}  {verdicts}")
    for name, total in totals.items():
        if values := total.get("against_unlimited"):
            lines.append(f"{name}: {values['ratio_of_sums']:.2f} times as long as without a limit over "
                         f"{values['queries']} queries, at worst {values['worst']:.2f} times ({values['worst_query']})")
    return lines


def megabytes(size):
    return "–" if size is None else f"{size / 1e6:.0f}"


def write_json(path, heading, entries, totals):
    path.write_text(json.dumps(heading | {"totals": totals, "queries": entries}, indent=1, default=str) + "\n")


def write_figures(path, result):
    """The result of one command of `measure`, with the machine it was taken on."""
    path.write_text(json.dumps(machine() | result, indent=1, default=str) + "\n")


def print_table(heading, rows):
    """Columns as wide as they need to be; the first is text, the others are aligned to the right."""
    lines = [list(heading)] + [[shown(value) for value in row] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def shown(value):
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
