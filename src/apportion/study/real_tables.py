"""What the runs of a real study say: objectives, paired differences, gap closed, budget saved, negative transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..records import Floats
from .real import BEST, LESSONS, RealResults, RealSetting, labels_of, objective_of
from .training import t_interval

RESAMPLES = 4000


class Span(NamedTuple):
    """A figure with the ends of its 95 % interval."""

    value: float
    lower: float
    upper: float


NOTHING = Span(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRow:
    """One policy in one setting.

    Attributes:
        setting: name.
        label: of the policy.
        policy: with its parameters.
        part: of the budget that it had.
        objective: final objective over seeds, t-interval.
        gain: paired difference from uniform, t-interval.
        behind: paired difference from the best other policy that knows nothing from other runs, t-interval.
        other: that policy.
        beyond: of one of `plan.judged`, paired difference from every other policy with the whole budget, t-interval, by
            label.
        gap_closed: gain over the gain of the best fixed mixture, bootstrap over seeds; NaN where the interval of that
            gain does not exclude zero.
        saved: share of the budget, up to uniform's last evaluation, that was not needed to reach the objective of that
            evaluation, on mean curves; NaN where it was not reached.
        scores: final score of each task, mean over seeds.
        shares: of the budget spent on training, mean over seeds.
        against_share: score of each task minus that of training it alone with an equal share of the budget.
        against_full: the same with the whole budget.
        evaluations: part of the budget spent on evaluations.
        policy_seconds: time of the policy itself in a run.
        seconds: wall time of a run.
        seeds: number of runs.
        note: why there are no figures, or nothing.
    """

    setting: str
    label: str
    policy: str
    part: float = 1.0
    objective: Span = NOTHING
    gain: Span = NOTHING
    behind: Span = NOTHING
    other: str = ""
    beyond: Mapping[str, Span] = field(default_factory=dict[str, Span])
    gap_closed: Span = NOTHING
    saved: float = np.nan
    scores: Mapping[str, float]
    shares: Mapping[str, float]
    against_share: Mapping[str, float]
    against_full: Mapping[str, float]
    evaluations: float = np.nan
    policy_seconds: float = np.nan
    seconds: float = np.nan
    seeds: int = 0
    note: str = ""


def real_rows(results: RealResults) -> tuple[RealRow, ...]:
    """Rows of all settings, in the order of the plan, the best fixed mixture last."""
    return tuple(row for setting in results.plan.settings for row in _of_setting(results, setting))


def _of_setting(results: RealResults, setting: RealSetting) -> list[RealRow]:
    plan = results.plan
    labels = labels_of(plan, setting)
    if setting.name in results.searches:
        labels[BEST] = (f"mixture(shares={results.searches[setting.name].shares})", 1.0)
        labels |= {f"{BEST} at {part:.0%}": (labels[BEST][0], part) for part in setting.parts}
    runs = {label: [results.runs[setting.name, label, seed] for seed in plan.seeds] for label in labels}
    known = {label: items for label, items in runs.items() if not any("note" in item for item in items)}
    finals = {
        label: np.array([objective_of(item["scores"], item["priorities"], worst=setting.worst) for item in items])
        for label, items in known.items()
    }
    uniform = finals["uniform"]
    room = finals[BEST] - uniform if BEST in finals else np.zeros(0)
    curves = {label: _curve(items, setting, _budget(results, setting)) for label, items in known.items()}
    rows: list[RealRow] = []
    for label, (spec, part) in labels.items():
        empty: dict[str, float] = {}
        if label not in known:
            note = next(str(item["note"]) for item in runs[label] if "note" in item)
            rows.append(
                RealRow(
                    setting=setting.name,
                    label=label,
                    policy=spec,
                    part=part,
                    note=note,
                    scores=empty,
                    shares=empty,
                    against_share=empty,
                    against_full=empty,
                )
            )
            continue
        items, own = known[label], finals[label]
        rivals = [name for name in finals if name not in (label, BEST, LESSONS) and labels[name][1] == 1.0]
        other = max(rivals, key=lambda name: float(finals[name].mean())) if rivals and label != BEST else ""
        scores = _means([item["scores"] for item in items])
        rows.append(
            RealRow(
                setting=setting.name,
                label=label,
                policy=spec,
                part=part,
                objective=Span(*t_interval(own)),
                gain=NOTHING if label == "uniform" else Span(*t_interval(own - uniform)),
                behind=Span(*t_interval(own - finals[other])) if other else NOTHING,
                other=other,
                beyond={
                    name: Span(*t_interval(own - final))
                    for name, final in finals.items()
                    if label in plan.judged and name != label and labels[name][1] == 1.0
                },
                gap_closed=_gap(own - uniform, room) if label not in ("uniform", BEST) else NOTHING,
                saved=_saved(curves[label], curves["uniform"]) if part == 1.0 else np.nan,
                scores=scores,
                shares=_means([item["shares"] for item in items]),
                against_share=_against(results, setting, scores, "share"),
                against_full=_against(results, setting, scores, "full"),
                evaluations=float(np.mean([item["evaluation_cost"] / item["spent"] for item in items])),
                policy_seconds=float(np.mean([item["policy_seconds"] for item in items])),
                seconds=float(np.mean([item["seconds"] for item in items])),
                seeds=len(items),
            )
        )
    return rows


def _gap(gain: Floats, room: Floats) -> Span:
    if room.size < 2 or t_interval(room)[1] <= 0:
        return NOTHING
    picks = np.random.Generator(np.random.PCG64(0)).integers(0, room.size, (RESAMPLES, room.size))
    rooms = room[picks].mean(axis=1)
    ratios = gain[picks].mean(axis=1) / np.where(rooms > 0, rooms, np.nan)
    lower, upper = np.nanquantile(ratios, (0.025, 0.975))
    return Span(float(gain.mean() / room.mean()), float(lower), float(upper))


def _budget(results: RealResults, setting: RealSetting) -> float:
    return results.plan.configured(setting, "uniform", 0).budget.amount


def _curve(items: Sequence[Mapping[str, Any]], setting: RealSetting, budget: float) -> tuple[Floats, Floats]:
    """Mean objective over seeds at parts of the budget, up to the earliest last evaluation."""
    grid = np.linspace(0.0, 1.0, 101)
    rows: list[Floats] = []
    for item in items:
        at = np.array([spent / budget for spent, _ in item["curve"]])
        values = np.array(
            [objective_of(scores, item["priorities"], worst=setting.worst) for _, scores in item["curve"]]
        )
        rows.append(np.interp(grid, at, values, left=values[0], right=np.nan))
    mean = np.mean(rows, axis=0)
    return grid[np.isfinite(mean)], mean[np.isfinite(mean)]


def _saved(own: tuple[Floats, Floats], uniform: tuple[Floats, Floats]) -> float:
    if not own[0].size or uniform[0].size < 2:  # of a single evaluation, before training, nothing can be saved
        return float("nan")
    reached = np.flatnonzero(own[1] >= uniform[1][-1])
    return float(1.0 - own[0][reached[0]] / uniform[0][-1]) if reached.size else float("nan")


def _against(results: RealResults, setting: RealSetting, scores: Mapping[str, float], kind: str) -> dict[str, float]:
    """Only in the first setting, whose budget and tasks the single-task runs had."""
    if setting.name != results.plan.settings[0].name:
        return {}
    found = results.singles
    return {task: score - float(np.mean(found[task, kind])) for task, score in scores.items() if (task, kind) in found}


def _means(items: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    return {
        name: float(np.mean([np.nan if item[name] is None else float(item[name] or 0.0) for item in items]))
        for name in items[0]
    }
