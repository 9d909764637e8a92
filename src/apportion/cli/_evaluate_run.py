"""`apportion evaluate --estimand run`: what whole runs under other policies would have reached, by replay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..forecast import MeanScore, fit, replay
from ..policies import Mixture, Policy, policies
from ._output import console, make_table
from ._runs import read_history

USUAL = ("uniform", "proportional")
_ALONE = "task:"
_DRAWS = 64


def evaluate_run(path: Path, specs: Sequence[str], *, confidence: float, seed: int = 0) -> dict[str, Any]:
    """Play policies in the world fitted to a run, all in the same draws from its posterior.

    Args:
        path: the run directory.
        specs: policies by name, or `task:NAME`; uniform and proportional if there is none.
        confidence: of the intervals.
        seed: of draws of tasks and of noise.

    Raises:
        FileNotFoundError, ValueError: there is no run, no evaluation, or a policy cannot be played.
    """
    history, log = read_history(path)
    posterior = fit(history)
    unknown = [task.name for task, known in zip(history.tasks, posterior.known[0], strict=True) if not known]
    if unknown:
        raise ValueError(
            f"nothing can be said about {', '.join(unknown)}: too few scores, and nothing told in training."
        )
    named = dict.fromkeys(["uniform", *(specs or USUAL)])
    played = {
        spec: replay(posterior, _policy(spec, [task.name for task in history.tasks]), seed=seed, n_runs=_DRAWS)
        for spec in named
    }
    goal = MeanScore()
    base = goal.value(played["uniform"].scores, history.tasks)
    tails = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
    rows: list[dict[str, Any]] = []
    for spec, found in played.items():
        gain = goal.value(found.scores, history.tasks) - base
        lower, upper = np.quantile(gain, tails)
        shares = found.counts.mean(axis=0) * history.costs[0]
        rows.append(
            {
                "policy": spec,
                "estimate": found.estimate,
                "gain": {"value": float(np.clip(gain.mean(), lower, upper)), "lower": lower, "upper": upper},
                "shares": dict(zip([task.name for task in history.tasks], shares / shares.sum(), strict=True)),
            }
        )
    rows.sort(key=lambda row: -row["estimate"].value)
    return {
        "log": str(path),
        "estimand": "run",
        "confidence": confidence,
        "draws": _DRAWS,
        "rows": rows,
        "misfit": posterior.misfit[0],
        "fits_well": bool(posterior.fits_well[0]),
        "signature": {"apportion": __version__, "log": log.header.get("fingerprint"), "seed": seed},
    }


def _policy(spec: str, names: list[str]) -> Policy:
    if not spec.startswith(_ALONE):
        return policies.make(spec)
    name = spec.removeprefix(_ALONE)
    if name not in names:
        raise ValueError(f"{spec!r} names the task {name!r}, which is not one of {', '.join(names)}.")
    return Mixture(shares={task: float(task == name) for task in names})


def print_run(data: dict[str, Any]) -> None:
    """A ranked table, and what its words mean."""
    kind = f"{100 * data['confidence']:.4g} % interval"
    rows = [
        (
            row["policy"],
            f"{row['estimate'].value:.4f}",
            f"{row['estimate'].lower:.3f} to {row['estimate'].upper:.3f}",
            f"{row['gain']['value']:+.4f}",
            f"{row['gain']['lower']:+.3f} to {row['gain']['upper']:+.3f}",
        )
        for row in data["rows"]
    ]
    columns = ("policy", "objective", kind, "over uniform", f"{kind} of it")
    console.print(make_table(columns, rows, title=f"{data['log']}: replayed in the fitted world, estimand run"))
    console.print(
        f"What a whole run under each policy would have reached, in {data['draws']} draws from the posterior: "
        "intervals hold what the model does not know and the luck of draws, not that the model may be wrong.",
        soft_wrap=True,
    )
    if not data["fits_well"]:
        console.print(
            f"warning: the curves fit badly (squared residuals are {data['misfit']:.1f} times what noise explains).",
            style="yellow",
        )
