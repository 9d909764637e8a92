"""A real study as JSON, Markdown, figures and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from .._files import replacing, write_file
from .real import BEST, RealResults, RealSetting
from .real_figure import gains
from .real_protocol import protocol, table
from .real_tables import NOTHING, RealRow, Span, real_rows


def write_real_study(results: RealResults, out: Path, *, command: str = "") -> dict[str, Path]:
    """Write `study.json`, `study.md`, `gains.png` and `report.html` into a folder; gives the files by kind.

    Args:
        results: of the study.
        out: the folder.
        command: that made it, for the page.

    Raises:
        MissingExtraError: altair, vl-convert or jinja2 is not installed.
    """
    from ..report import write_report

    rows = real_rows(results)
    files = {name: out / f"{base}" for name, base in (("data", "study.json"), ("page", "study.md"))}
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    data = {"signature": results.signature, "rows": [row_data(row) for row in rows], "searches": _searches(results)}
    write_file(files["data"], orjson.dumps(data, option=options))
    write_file(files["page"], page(results, rows, command=command).encode())
    files["figure"] = out / "gains.png"
    with replacing(files["figure"]) as part:
        gains(rows, results).save(str(part), format="png", scale_factor=2)
    places = [place for setting in results.plan.settings for place in results.directories[setting.name]]
    directories = [place for place in places if (place / "summary.json").is_file()]
    files["report"] = write_report(directories, out / "report.html", title=f"Study: {results.plan.name}")
    return files


def verdicts(results: RealResults, rows: Sequence[RealRow]) -> list[str]:
    """For each setting one sentence on what there was to gain and whether the candidates gained it."""
    found: list[str] = []
    for setting in results.plan.settings:
        own = {row.label: row for row in rows if row.setting == setting.name}
        best = own.get(BEST)
        if best is None:
            room = "the headroom was not searched for"
        elif best.gain.lower > 0:
            room = f"the best fixed mixture found gains {shown(best.gain)}"
        else:
            room = f"no headroom was found (best fixed mixture {shown(best.gain)})"
        told = [f"`{label}` {_judged(own[label])}" for label in results.plan.judged if label in own]
        told += [
            f"`{row.label}` of the budget against uniform at all of it {shown(row.gain)}"
            for row in own.values()
            if row.part < 1.0 and not row.note and row.label.startswith(results.plan.judged)
        ]
        found.append(f"**{setting.name}**: {room}; {'; '.join(told)}." if told else f"**{setting.name}**: {room}.")
    return found


def _judged(row: RealRow) -> str:
    if row.note:
        return f"could not run ({row.note})"
    sure = "is better than" if row.gain.lower > 0 else "is worse than" if row.gain.upper < 0 else "does not differ from"
    words = f"{sure} uniform by the interval, {shown(row.gain)}"
    return words if not row.other else f"{words}; against the best other, {row.other}, {shown(row.behind)}"


def page(results: RealResults, rows: Sequence[RealRow], *, command: str = "") -> str:
    """The study as Markdown."""
    plan = results.plan
    made = f" Made by `{command}`." if command else ""
    parts = [
        f"# {plan.name}\n\n{len(plan.seeds)} paired seeds ({plan.seeds[0]} to {plan.seeds[-1]}) in each setting.{made} "
        "Intervals hold 95 %: Student t over paired seeds, for the gap closed a bootstrap over them. Estimand: run "
        "(what whole trainings reached).\n",
        *(f"- {line}" for line in verdicts(results, rows)),
        "",
    ]
    for setting in plan.settings:
        own = [row for row in rows if row.setting == setting.name]
        parts += [
            f"## {setting.name}\n\n{setting.words}\n",
            _policies(own),
            "",
            _against(results, own),
            _tasks(own),
            "",
            _metrics(results, setting, own),
        ]
        if setting.name in results.searches:
            found = results.searches[setting.name]
            named = zip(found.tasks, found.shares, strict=True)
            mix = ", ".join(f"{task} {share:.0%}" for task, share in named if share)
            parts.append(
                f"Best of {found.trials} mixtures, found with {found.runs} runs on other seeds, scored on the same "
                f"final examples: {mix}.\n"
            )
    parts += [_transfer(results, rows), protocol(results, rows)]
    return "\n".join(parts)


def _policies(rows: Sequence[RealRow]) -> str:
    columns = ("policy", "objective", "from uniform", "from the best other", "gap closed", "budget saved")
    more = ("evaluations", "policy, s", "run, s")
    body: list[tuple[str, ...]] = []
    for row in rows:
        if row.note:
            body.append((row.label, row.note, *[""] * 7))
            continue
        body.append(
            (
                row.label,
                shown(row.objective, sign=False),
                shown(row.gain),
                f"{shown(row.behind)} ({row.other})" if row.other else "",
                shown(row.gap_closed, digits=2, sign=False),
                "" if np.isnan(row.saved) else f"{row.saved:.0%}",
                f"{row.evaluations:.0%}",
                f"{row.policy_seconds:.2f}",
                f"{row.seconds:.1f}",
            )
        )
    return table((*columns, *more), body)


def _tasks(rows: Sequence[RealRow]) -> str:
    known = [row for row in rows if not row.note]
    tasks = list(known[0].scores)
    body = [(row.label, *(f"{row.scores[task]:.3f} ({row.shares[task]:.0%})" for task in tasks)) for row in known]
    return "Final score, and share of the training budget, by task:\n\n" + table(("policy", *tasks), body)


def _against(results: RealResults, rows: Sequence[RealRow]) -> str:
    """How those that are judged stand against every other policy with the whole budget."""
    known = {row.label: row for row in rows if row.beyond}
    judged = [known[label] for label in results.plan.judged if label in known]
    if not judged:
        return ""
    others = [row.label for row in rows if row.part == 1.0 and not row.note]
    body = [(label, *(bold(row.beyond.get(label, NOTHING)) for row in judged)) for label in others]
    columns = ("from", *(row.label for row in judged))
    return (
        "Paired differences of the objective, bold where the interval excludes zero:\n\n" + table(columns, body) + "\n"
    )


def _metrics(results: RealResults, setting: RealSetting, rows: Sequence[RealRow]) -> str:
    """All final metrics, where a task has more than its score."""
    seeds = results.plan.seeds
    first: dict[str, dict[str, Any]] = results.runs[setting.name, "uniform", seeds[0]]["metrics"]
    names = [(task, name) for task, found in first.items() for name in found]
    if len(names) == len(first):
        return ""
    body: list[tuple[str, ...]] = []
    for row in rows:
        if row.part == 1.0 and not row.note:
            runs = [results.runs[setting.name, row.label, seed]["metrics"] for seed in seeds]
            means = (
                np.mean([np.nan if run[task][name] is None else run[task][name] for run in runs])
                for task, name in names
            )
            body.append((row.label, *(f"{mean:.3f}" for mean in means)))
    columns = ("policy", *(f"{task} {name}" for task, name in names))
    return "Final metrics, means over seeds:\n\n" + table(columns, body) + "\n"


def _transfer(results: RealResults, rows: Sequence[RealRow]) -> str:
    first = results.plan.settings[0].name
    own = [row for row in rows if row.setting == first and row.against_full]
    if not own:
        return ""
    tasks = list(own[0].against_full)
    body: list[tuple[str, ...]] = [
        (f"alone, {words}", *(f"{float(np.mean(results.singles[task, kind])):.3f}" for task in tasks))
        for kind, words in (("share", f"1/{len(tasks)} of the budget"), ("full", "the whole budget"))
    ]
    for row in own:
        body.append(
            (f"{row.label}, minus alone with 1/{len(tasks)}", *(f"{row.against_share[task]:+.3f}" for task in tasks))
        )
        body.append((f"{row.label}, minus alone with all", *(f"{row.against_full[task]:+.3f}" for task in tasks)))
    seeds = len(next(iter(results.singles.values())))
    many = "s" if seeds > 1 else ""
    return (
        f"## Against training each task alone ({first})\n\n{seeds} seed{many} of single-task training. Below zero the "
        f"task lost by being trained with the others; alone with the whole budget it had {len(tasks)} times the "
        f"batches of an equal share.\n\n" + table(("", *tasks), body) + "\n"
    )


def row_data(row: RealRow) -> dict[str, Any]:
    """A row as data that JSON can hold."""
    data: dict[str, Any] = {item.name: getattr(row, item.name) for item in fields(row)}
    spans = {name: value._asdict() for name, value in data.items() if isinstance(value, Span)}
    return {**data, **spans, "beyond": {name: span._asdict() for name, span in row.beyond.items()}}


def _searches(results: RealResults) -> dict[str, Any]:
    return {name: asdict(found) for name, found in results.searches.items()}


def bold(span: Span) -> str:
    """A figure with its interval, bold where that excludes zero."""
    return f"**{shown(span)}**" if span.lower > 0 or span.upper < 0 else shown(span)


def shown(span: Span, *, digits: int = 4, sign: bool = True) -> str:
    """A figure with its interval, or nothing."""
    mark = "+" if sign else ""
    if np.isnan(span.value):
        return ""
    return f"{span.value:{mark}.{digits}f} [{span.lower:{mark}.{digits}f}, {span.upper:{mark}.{digits}f}]"
