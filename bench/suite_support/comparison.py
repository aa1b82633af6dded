"""A suite's queries on several engines in turns: times, answers against the reference, and what follows from them.

`compare` gives an entry for each query: {"query", "rows", "engines": {NAME: {"verdict", "milliseconds", "median",
"processor", "counts", "note"}}}, where "counts" is the median or, if the user wants that, the time on processors.
A verdict is one of RIGHT, ROUNDED (a peer's answer that would be right but for the last digits of fractions), WRONG, ERROR
(the engine refused, with words), DIED and, where DuckDB itself cannot say what is right, UNCHECKED. Times of wrong answers
are kept, but no sum and no mean takes them in.
"""

import math
import statistics

from suite_support import outcome
from suite_support.engines import Failure

RIGHT, ROUNDED, WRONG, ERROR, DIED, UNCHECKED = "right", "rounded", "wrong", "error", "died", "unchecked"
ALL = (RIGHT, ROUNDED, WRONG, ERROR, DIED, UNCHECKED)


def compare(texts, engines, reference, arguments, progress):
    """Entries of all queries. With each query another engine begins, so that none has always the same predecessor."""
    names = list(engines)
    entries = []
    for index, (name, sql) in enumerate(texts.items()):
        answers, note = right_answers(reference, sql)
        entry = {"query": name, "rows": answers.row_count if answers else None, "engines": {}}
        if note:
            entry["note"] = note
        if answers:
            entry["is_empty"] = answers.is_empty
        shift = index % len(names)
        for engine in names[shift:] + names[:shift]:
            entry["engines"][engine] = measured(engines[engine], sql, answers, arguments)
        entries.append(entry)
        progress(entry)
    return entries


def right_answers(reference, sql):
    try:
        return outcome.Reference(reference.connection, reference.adapted(sql)), None
    except Exception as error:  # DuckDB's errors have no common class that could be had without importing it
        return None, f"no reference: {error}"


def is_answered(result):
    return result["verdict"] in (RIGHT, ROUNDED)


def measured(engine, sql, answers, arguments):
    try:
        answer = engine.run(sql, arguments.runs)
    except Failure as failure:
        return {"verdict": DIED if failure.is_dead else ERROR, "state": failure.state, "note": short(failure)}
    result = {"milliseconds": [round(value, 3) for value in answer.milliseconds],
              "median": statistics.median(answer.milliseconds), "processor": answer.processor_milliseconds,
              "peak_memory": engine.last_peak}
    result["counts"] = result[arguments.by]
    if answers is None:
        return result | {"verdict": UNCHECKED, "note": ""}
    problem = answers.problem(answer.rows)
    if problem and engine.may_round and answers.is_rounded(answer.rows):
        return result | {"verdict": ROUNDED, "note": short(problem)}
    halves = f"{answers.halves} halves rounded up in exact arithmetic" if answers.halves else ""
    return result | {"verdict": WRONG if problem else RIGHT, "note": short(problem or halves)}


def short(text):
    return " ".join(str(text).split())[:300]


def counts(entries, engine):
    """How many queries got which verdict."""
    verdicts = [entry["engines"][engine]["verdict"] for entry in entries]
    return {verdict: verdicts.count(verdict) for verdict in ALL if verdict in verdicts}


def counted(entry, engine):
    """The time that counts, or None."""
    result = entry["engines"][engine]
    return result["counts"] if is_answered(result) else None


def ratio(entry, engine, other):
    """Time of the engine in times of the other, or None if one of them has no right answer."""
    a, b = counted(entry, engine), counted(entry, other)
    return a / b if a is not None and b else None


def against(entries, engine, other):
    """The two engines over the queries that both answered rightly; None if there are none."""
    pairs = [(ratio(entry, engine, other), entry) for entry in entries]
    pairs = [(value, entry) for value, entry in pairs if value is not None]
    if not pairs:
        return None
    mine, theirs = (sum(counted(entry, name) for _, entry in pairs) for name in (engine, other))
    worst = max(pairs, key=lambda pair: pair[0])
    return {
        "queries": len(pairs), "sum_ms": mine, "other_sum_ms": theirs, "ratio_of_sums": mine / theirs,
        "geometric_mean": math.exp(statistics.fmean(math.log(value) for value, _ in pairs)),
        "worst": worst[0], "worst_query": worst[1]["query"], "faster_in": sum(value < 1 for value, _ in pairs)}
