"""`apportion plan`: how to spend the rest of a run's budget, and what else its forecaster can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import typer

from .._files import write_file
from .._registry import import_file
from .._version import __version__
from ..constraints import Constraints
from ..forecast import Advice, Forecast, Interval, MeanScore, Objective, OwnObjective, Targets, WorstScore, advise, fit
from ..log import Log
from ._output import console, make_table, one_sentence, print_json
from ._runs import named_numbers, priors_from, read_history, shares_from, unit_of

SURE = 12  # transfers that the text lists at most; all of them are in the JSON
HELP = 0.5  # transfer from which on help that was not ruled out is worth a line
LATE = 0.05  # probability that a task has yet to begin from which on that is worth a line


def plan(
    run: Path = typer.Argument(help="Directory of a run, finished or still running."),
    budget: float | None = typer.Option(None, help="What there is to spend; left out, what the run has left."),
    objective: str = typer.Option(
        "mean", help="`mean`, `worst`, `targets` (those of --target), or FILE.py:FUNCTION of an array of scores."
    ),
    constraint: list[str] = typer.Option(
        [], help="floor=X, cap=X, floor.TASK=X, cap.TASK=X, fixed.TASK=X or exclude=TASK; may be repeated."
    ),
    shares: str = typer.Option("", help='"What if": shares of the rest, as a=0.4,b=0.6.'),
    target: list[str] = typer.Option([], help="TASK=SCORE: how much budget reaches it; may be repeated."),
    prior: list[Path] = typer.Option([], help="Directory of an earlier run with the same tasks; may be repeated."),
    upper: float | None = typer.Option(None, help="Largest possible score; left out, 1 in the tasksets of Apportion."),
    save: bool = typer.Option(False, "--save", help="Write plan.json into the directory, for `apportion report`."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Recommend how to spend the rest of a run's budget, and forecast what comes of it."""
    with one_sentence():
        history, log = read_history(run, upper=upper)
        targets = {name: score for text in target for name, score in named_numbers("target", text).items()}
        posterior = fit(history, priors=priors_from(prior, history, upper))
        advice = advise(
            posterior,
            budget=budget,
            objective=_objective(objective, targets),
            constraints=_constraints(constraint),
            asked=shares_from(shares),
            targets=targets,
        )
        data = as_data(advice, log, run)
        if save:
            write_file(run / "plan.json", orjson.dumps(data["report"], option=orjson.OPT_INDENT_2))
    if as_json:
        print_json(data)
        return
    print_advice(advice, log, run)
    if save:
        console.print(f"saved: {run / 'plan.json'}", markup=False, soft_wrap=True)


def _objective(spec: str, targets: dict[str, float]) -> Objective:
    if spec == "mean":
        return MeanScore()
    if spec == "worst":
        return WorstScore()
    if spec == "targets":
        if not targets:
            raise ValueError("the objective `targets` needs at least one `--target TASK=SCORE`.")
        return Targets(targets)
    if ".py:" in spec:
        path, name = spec.rsplit(":", 1)
        function: Any = getattr(import_file(path), name, None)
        if not callable(function):
            raise ValueError(f"{path!r} does not define a function {name!r}.")
        return OwnObjective(cast("Any", function))
    raise ValueError(f"`--objective` must be mean, worst, targets or FILE.py:FUNCTION, got {spec!r}.")


def _constraints(settings: list[str]) -> Constraints:
    found: dict[str, Any] = {"floor": {}, "cap": {}, "fixed": {}, "exclude": []}
    for text in settings:
        key, separator, value = text.partition("=")
        kind, dot, task = key.partition(".")
        if kind == "exclude" and separator and not dot:
            found["exclude"] += [name.strip() for name in value.split(",")]
            continue
        try:
            number = float(value)
        except ValueError:
            number = np.nan
        if kind not in ("floor", "cap", "fixed") or np.isnan(number) or (kind == "fixed" and not dot):
            raise ValueError(
                "`--constraint` takes floor=X, cap=X, floor.TASK=X, cap.TASK=X, fixed.TASK=X or exclude=TASK, got "
                f"{text!r}."
            )
        if not dot:
            found[kind] = number
        elif isinstance(found[kind], dict):
            found[kind][task] = number
        else:
            raise ValueError(f"`--constraint` gives {kind} for all tasks and for {task!r}: give one of them.")
    return Constraints(**{key: value for key, value in found.items() if value != {}})


def as_data(advice: Advice, log: Log, run: Path) -> dict[str, Any]:
    """The advice as one object, with the form that a report reads under `report`."""
    history, found = advice.posterior.history, advice.plan
    names = advice.names
    return {
        "run": str(run),
        "estimand": "run",
        "unit": unit_of(log),
        "budget": history.budget,
        "spent": history.spent[0, -1],
        "left": advice.left,
        "evaluations": int(np.isfinite(history.scores[0]).any(axis=1).sum()),
        "confidence": found.forecast.confidence,
        "shares": dict(zip(names, found.overall[0], strict=True)),
        "pieces": [
            {"part": part, "shares": dict(zip(names, row, strict=True))}
            for part, row in zip(found.pieces[0], found.shares[0], strict=True)
        ],
        "decisions": dict(zip(names, advice.batches, strict=True)),
        "towards_best": found.confidence[0],
        "gain": {"value": found.gain.value[0], "lower": found.gain.lower[0], "upper": found.gain.upper[0]},
        "now": dict(zip(names, advice.now, strict=True)),
        "forecast": _forecast(found.forecast, names),
        "equal": _forecast(advice.alike, names),
        "what_if": None if advice.asked is None else _forecast(advice.asked, names),
        "worth": [{"task": name, **_ends(advice.marginal, index)} for index, name in enumerate(names)],
        "transfer": [
            {"task": name, "source": source, **_ends(advice.transfer, (row, column))}
            for row, name in enumerate(names)
            for column, source in enumerate(names)
            if row != column
        ],
        "targets": list(advice.targets),
        "droppable": [name for name, drop in zip(names, found.droppable[0], strict=True) if drop],
        "waiting": dict(zip(names, found.waiting[0], strict=True)),
        "misfit": advice.posterior.misfit[0],
        "stretch": advice.posterior.stretch[0],
        "warnings": list(found.warnings),
        "report": advice.given(),
        "signature": {
            "apportion": __version__,
            "log": log.header.get("fingerprint"),
            "policy": log.header.get("policy"),
            "seed": log.header.get("seed"),
        },
    }


def _forecast(found: Forecast, names: list[str]) -> dict[str, Any]:
    scores, goal = found.scores, found.objective
    return {
        "objective": {"value": goal.value[0], "lower": goal.lower[0], "upper": goal.upper[0]},
        "scores": [{"task": name, **_ends(scores, (0, index))} for index, name in enumerate(names)],
    }


def _ends(found: Interval, index: Any) -> dict[str, Any]:
    return {"value": found.value[index], "lower": found.lower[index], "upper": found.upper[index]}


def print_advice(advice: Advice, log: Log, run: Path) -> None:
    """Tables for people."""
    history, found, unit = advice.posterior.history, advice.plan, unit_of(log)
    names = advice.names
    console.print(
        f"{run}: {history.spent[0, -1]:,.6g} of {history.budget:,.6g} {unit} spent, "
        f"{advice.left:,.6g} to plan. Estimand: run. Intervals: 90 % of the posterior.",
        markup=False,
        soft_wrap=True,
    )
    rows = [
        (
            name,
            f"{found.overall[0, index]:.1%}",
            f"{advice.batches[index]:,.0f}",
            _number(advice.now[index]),
            _interval(found.forecast.scores, (0, index)),
            _number(advice.alike.scores.value[0, index]),
            f"{advice.marginal.value[index] * history.budget / 100:+.4f}",
        )
        for index, name in enumerate(names)
    ]
    alike = _number(advice.alike.objective.value[0])
    rows.append(("objective", "", "", "", _interval(found.forecast.objective, 0), alike, ""))
    columns = ("task", "share", "batches", "now", "forecast", "alike", "worth")
    console.print(make_table(columns, rows, title="recommended shares of the rest"))
    console.print(
        "alike: forecast if all tasks get equal numbers of batches. worth: what the next 1 % of the budget, spent on "
        "this task alone, adds to the objective.",
        soft_wrap=True,
    )
    if advice.asked is not None:
        _print_asked(advice.asked, names)
    gain = found.gain
    if found.confidence[0] > 0:
        console.print(
            f"expected gain over equal shares {gain.value[0]:+.4f} [{gain.lower[0]:+.4f}, {gain.upper[0]:+.4f}]; "
            f"the plan goes {found.confidence[0]:.0%} of the way to what promises most",
            markup=False,
            soft_wrap=True,
        )
    for line in _lines(advice, unit):
        console.print(line, markup=False, soft_wrap=True)
    for warning in found.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)


def _print_asked(asked: Forecast, names: list[str]) -> None:
    rows = [
        (name, f"{asked.shares[0, 0, index]:.1%}", _interval(asked.scores, (0, index)))
        for index, name in enumerate(names)
    ]
    rows.append(("objective", "", _interval(asked.objective, 0)))
    console.print(make_table(("task", "share", "forecast"), rows, title="what if the rest were spent so"))


def _chances(even: float, likely: float, unit: str) -> str:
    if not np.isfinite(even):
        return "less likely than not, within 100 budgets"
    surely = f"within {likely:,.4g}" if np.isfinite(likely) else "not within 100 budgets"
    return f"as likely as not within {even:,.4g} {unit}, nine times in ten {surely}"


def _lines(advice: Advice, unit: str) -> Iterator[str]:
    names = advice.names
    dropped = [name for name, drop in zip(names, advice.plan.droppable[0], strict=True) if drop]
    yield f"can be dropped at no loss: {', '.join(dropped) or 'none'}"
    # In the mean over all that is possible, that is: help and harm that were not ruled out weigh the same.
    upper = np.where(advice.plan.droppable[0][:, None], -np.inf, advice.transfer.upper)
    helped = upper.argmax(axis=0)
    open_ = [
        f"{names[column]} ({names[row]} by up to {upper[row, column]:.2f})"
        for column, row in enumerate(helped)
        if names[column] in dropped and upper[row, column] > HELP
    ]
    if open_:
        yield f"unless they help others, in batches of their own for each, which is not ruled out: {', '.join(open_)}"
    late = [
        f"{name} ({chance:.0%} likely)"
        for name, chance in zip(names, advice.plan.waiting[0], strict=True)
        if name in dropped and chance >= LATE
    ]
    if late:
        yield f"unless they begin to learn later: {', '.join(late)}"
    for item in advice.targets:
        yield f"{item.task} at {item.score:g}: {_chances(item.even, item.likely, unit)}"
    sure = [
        (row, column)
        for row in range(len(names))
        for column in range(len(names))
        if row != column and (advice.transfer.lower[row, column] > 0 or advice.transfer.upper[row, column] < 0)
    ]
    sure.sort(key=lambda place: -abs(advice.transfer.value[place]))
    if not sure:
        yield "who helps or harms whom: no interval excludes 0"
    for row, column in sure[:SURE]:
        kind = "helps" if advice.transfer.value[row, column] > 0 else "harms"
        words = _interval(advice.transfer, (row, column), sign="+")
        yield f"{names[column]} {kind} {names[row]}: a batch teaches {words} batches of its own"
    if len(sure) > SURE:
        yield f"and {len(sure) - SURE} more, see --json"
    if sure:
        yield "take these as hints: in worlds with a known truth four of five such signs are right, at best"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "?"


def _interval(found: Interval, index: Any, sign: str = "") -> str:
    value, lower, upper = found.value[index], found.lower[index], found.upper[index]
    return f"{value:{sign}.2f} [{lower:{sign}.2f}, {upper:{sign}.2f}]" if np.isfinite(value) else "?"
