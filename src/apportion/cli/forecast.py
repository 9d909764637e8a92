"""`apportion forecast`: where runs are heading, and how good such forecasts were so far."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from .._version import __version__
from ..forecast import Check, Forecast, History, Lessons, Posterior, Priors, check_forecasts, fit
from ..forecast.doubts import doubts
from ..log import Log
from ..records import Floats
from ..run import RunDirectory
from ._output import console, make_table, one_sentence, print_json
from ._runs import priors_from, read_history, shares_from, unit_of
from .report import find_runs


def forecast(
    runs: list[Path] = typer.Argument(help="Directories of runs, or folders that hold such directories."),
    check: bool = typer.Option(
        False, "--check", help="Score past forecasts of the last evaluation, or the end, against what came."
    ),
    fractions: str = typer.Option("0.25,0.5,0.75", help="With --check: parts of the budget at which to forecast."),
    budget: float | None = typer.Option(None, help="What there is to spend; left out, what the run has left."),
    shares: str = typer.Option("", help="Shares of the rest, as a=0.4,b=0.6; left out, those of the run so far."),
    confidence: float = typer.Option(0.9, help="Of the intervals."),
    prior: list[Path] = typer.Option([], help="Directory of an earlier run with the same tasks; may be repeated."),
    upper: float | None = typer.Option(None, help="Largest possible score; left out, 1 in the tasksets of Apportion."),
    lessons: Path | None = typer.Option(
        None, help="Only write what these runs teach about the next one into this file, for --prior and `planner`."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Forecast the final scores of runs, or check past forecasts against what came. Estimand: run."""
    with one_sentence():
        places = [found for path in runs for found in find_runs(path)]
        data: Any
        if lessons is not None:
            Lessons.of_paths(places, upper=upper).save(lessons)
            data = {"lessons": str(lessons), "runs": [str(place) for place in places]}
        elif check:
            at = _fractions(fractions)
            checks = [_check(place, at, confidence, prior, upper) for place in places]
            data = check_data(checks, places)
        else:
            asked = shares_from(shares)
            said = [_said(place, budget, asked, confidence, prior, upper) for place in places]
            data = [forecast_data(*item, place) for item, place in zip(said, places, strict=True)]
    if as_json:
        print_json(data)
    elif lessons is not None:
        console.print(f"lessons of {len(places)} runs: {lessons}", markup=False, soft_wrap=True)
    elif check:
        print_check(data)
    else:
        for item in data:
            print_forecast(item)


def _fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"`--fractions` takes numbers with commas between, got {text!r}.") from None


def _check(
    place: Path, at: tuple[float, ...], confidence: float, prior: list[Path], upper: float | None
) -> tuple[Check, History, str]:
    history, _ = read_history(place, upper=upper, to_end=False)
    against = "the last evaluation"
    if not np.isfinite(history.scores[:, -1]).all() and RunDirectory(place).summary_path.is_file():
        # An evaluation may leave tasks out, and those of `planner` mostly do; the end of a run measures all.
        history, _ = read_history(place, upper=upper)
        found: dict[str, Any] = RunDirectory(place).summary().get("tasks", {})
        final = np.array([found.get(task.name, {}).get("score") for task in history.tasks], dtype=np.float64)
        history = replace(history, scores=np.concatenate((history.scores[:, :-1], final[None, None]), axis=1))
        against = "the final scores"
    if not np.isfinite(history.scores[:, -1]).any():
        raise ValueError(
            f"no forecast of '{place}' can be checked: its last evaluation measured no task, and it has not finished."
        )
    priors: Priors | None = priors_from(prior, history, upper)
    return check_forecasts(history, fractions=at, confidence=confidence, priors=priors), history, against


def _said(
    place: Path,
    budget: float | None,
    asked: dict[str, float] | None,
    confidence: float,
    prior: list[Path],
    upper: float | None,
) -> tuple[Forecast, Floats, Posterior, Log, float]:
    history, log = read_history(place, upper=upper)
    left = float(history.remaining[0]) if budget is None else budget
    if left <= 0:
        raise ValueError(
            f"nothing is left to forecast in '{place}': {history.spent[0, -1]:g} of {history.budget:g} are spent; say "
            "how much more there is with `--budget`."
        )
    posterior = fit(history, priors=priors_from(prior, history, upper))
    drawn = history.counts[0, -1] * history.costs[0]
    spending = asked if asked is not None else drawn if drawn.sum() > 0 else None
    now = posterior.forecast(budget=0.0).scores.value[0]
    return posterior.forecast(spending, budget=left, confidence=confidence), now, posterior, log, left


def forecast_data(
    said: Forecast, now: Floats, posterior: Posterior, log: Log, left: float, place: Path
) -> dict[str, Any]:
    """The forecast of one run as one object."""
    scores, goal, history = said.scores, said.objective, posterior.history
    return {
        "run": str(place),
        "estimand": "run",
        "unit": unit_of(log),
        "spent": history.spent[0, -1],
        "left": left,
        "confidence": said.confidence,
        "objective": {"value": goal.value[0], "lower": goal.lower[0], "upper": goal.upper[0]},
        "scores": [
            {
                "task": task.name,
                "share": said.shares[0, 0, index],
                "now": now[index],
                "value": scores.value[0, index],
                "lower": scores.lower[0, index],
                "upper": scores.upper[0, index],
            }
            for index, task in enumerate(history.tasks)
        ],
        "misfit": posterior.misfit[0],
        "stretch": posterior.stretch[0],
        "warnings": list(doubts(posterior)),
        "signature": {"apportion": __version__, "log": log.header.get("fingerprint")},
    }


def print_forecast(data: dict[str, Any]) -> None:
    """A table of tasks."""
    rows = [
        (item["task"], f"{item['share']:.1%}", _number(item["now"]), _number(item["value"]), _ends(item))
        for item in data["scores"]
    ]
    goal = data["objective"]
    rows.append(("objective", "", "", _number(goal["value"]), _ends(goal)))
    title = f"{data['run']}: after {data['left']:,.6g} more {data['unit']}. Estimand: run"
    interval = f"{100 * data['confidence']:.3g} % interval"
    console.print(make_table(("task", "share", "score now", "forecast", interval), rows, title=title))
    for warning in data["warnings"]:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)


def check_data(checks: list[tuple[Check, History, str]], places: list[Path]) -> dict[str, Any]:
    """Means over all runs and tasks, and each forecast."""
    rows: list[dict[str, Any]] = []
    for index, fraction in enumerate(checks[0][0].fractions):
        numbers = [(check, np.isfinite(check.came + check.predicted[index]).sum()) for check, *_ in checks]

        def mean(name: str, index: int = index, numbers: Any = numbers) -> float:
            parts = [(getattr(check, name)[index], number) for check, number in numbers if number]
            total = sum(number for _, number in parts)
            return float(sum(value * number for value, number in parts) / total) if total else float("nan")

        widths = np.concatenate([(check.upper - check.lower)[index].ravel() for check, *_ in checks])
        widths = widths[np.isfinite(widths)]
        rows.append(
            {
                "fraction": fraction,
                "forecasts": int(sum(number for _, number in numbers)),
                "error": mean("error"),
                "last_value": mean("last_value"),
                "own_curve": mean("own_curve"),
                "coverage": mean("coverage"),
                "width": float(widths.mean()) if widths.size else float("nan"),
            }
        )
    return {
        "runs": [str(place) for place in places],
        "estimand": "run",
        "confidence": checks[0][0].confidence,
        "rows": rows,
        "forecasts": [
            {
                "run": str(place),
                "against": against,
                "fraction": fraction,
                "task": task.name,
                "value": check.predicted[index, 0, column],
                "lower": check.lower[index, 0, column],
                "upper": check.upper[index, 0, column],
                "came": check.came[0, column],
            }
            for (check, history, against), place in zip(checks, places, strict=True)
            for index, fraction in enumerate(check.fractions)
            for column, task in enumerate(history.tasks)
        ],
    }


def print_check(data: dict[str, Any]) -> None:
    """A table of fractions."""
    rows = [
        (
            f"{row['fraction']:.0%}",
            f"{row['forecasts']:,}",
            _number(row["error"]),
            _number(row["last_value"]),
            _number(row["own_curve"]),
            f"{row['coverage']:.0%}" if row["forecasts"] else "?",
            _number(row["width"]),
        )
        for row in data["rows"]
    ]
    columns = ("forecast at", "forecasts", "error", "last value", "own curves", "covered", "width")
    against = " or ".join(sorted({item["against"] for item in data["forecasts"]}))
    title = (
        f"{len(data['runs'])} runs: mean absolute error of forecasts of {against}, beside naive ones; "
        f"{100 * data['confidence']:.3g} % intervals. Estimand: run"
    )
    console.print(make_table(columns, rows, title=title))


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "?"


def _ends(item: dict[str, Any]) -> str:
    return f"[{_number(item['lower'])}, {_number(item['upper'])}]"
