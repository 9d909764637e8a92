"""Draw the gallery: `python docs/make_gallery.py RUN_OR_STUDY_DIR...` writes docs/gallery.md and its figures.

The directories hold finished runs of one setting; for forecasts, the transfer matrix and the marginal worth, run
`apportion plan DIR --budget 200 --save` on one of them before.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from apportion.cli.report import find_runs
from apportion.report import Setting, figures, load_runs, tables

HERE = Path(__file__).parent
WORDS = {
    "objective": "Objective over the budget, with intervals over seeds: who is ahead when.",
    "forest": "Paired differences from the reference: an interval that does not touch zero is a finding.",
    "task_differences": "The same task by task: what a better mean was paid with.",
    "scores": "Each task's held-out score over the budget, and forecasts where a run holds some.",
    "training": "What the batches of each task told before their updates: all there is where evaluations are spared.",
    "shares": "What each policy asked for and what the draws made of it.",
    "totals": "Share of each task in the whole budget.",
    "reach": "Budget needed to reach an objective: the distance between two curves is the budget saved.",
    "rewards": "What the policies learned from, in the unit of each signal.",
    "propensities": "How likely the decisions were: a log with small ones answers little about other shares.",
    "effective_sizes": "What a log could answer: the effective sample size under other shares.",
    "transfer": "Who helps and who harms whom, as a forecaster fitted it to one run; the caption counts what is sure.",
    "worth": "What more budget is worth, task by task, at the end of that run.",
}
COMMANDS = """apportion compare digits --policies uniform,proportional,exp3s,counterfactual,planner --seeds 5 --budget 400 \\
    --set training.evaluation_size=32 --out runs/gallery
apportion plan runs/gallery/runs/planner-0 --budget 200 --save
python docs/make_gallery.py runs/gallery"""
"""What made the page as it stands."""


def drawn(setting: Setting) -> dict[str, Any]:
    """The figures that these runs have numbers for."""
    curves, differences = tables.curves(setting), tables.differences(setting)
    rewards, transfers, worths = tables.rewards(setting), tables.transfers(setting), tables.worths(setting)
    found: dict[str, Any] = {
        "objective": figures.objective(curves, setting, tables.finals(setting)),
        "forest": figures.forest(differences, setting),
        "task_differences": figures.task_differences(differences, setting),
        "scores": figures.scores(curves, setting, tables.forecasts(setting), tables.finals(setting)),
        "training": figures.training(tables.training(setting), setting),
        "shares": figures.shares(tables.shares(setting), setting),
        "totals": figures.totals(tables.total_shares(setting), setting),
        "reach": figures.reach(tables.reach(setting), setting),
        "propensities": figures.propensities(tables.propensities(setting), setting),
        "effective_sizes": figures.effective_sizes(tables.effective_sizes(setting), setting),
    }
    if rewards:
        found["rewards"] = figures.rewards(rewards, setting)
    if transfers:
        found["transfer"] = figures.transfer(transfers, setting)
    if worths:
        found["worth"] = figures.worth(worths, setting)
    return found


def main(folders: list[str]) -> None:
    """Draw every figure and write the page."""
    (setting,) = load_runs([place for folder in folders for place in find_runs(Path(folder))])
    seeds = len(setting.seeds(setting.reference))
    lines = [
        "# Gallery\n",
        "Made by `docs/make_gallery.py` from real runs: the figures of the [report](report.md), each of which "
        "`apportion.report.figures` draws in a notebook as well.\n",
        f"{setting.title}; {', '.join(setting.policies)}; {seeds} seeds each.\n",
        f"```sh\n{COMMANDS}\n```\n",
    ]
    for name, chart in drawn(setting).items():
        chart.save(str(HERE / "figures" / f"gallery-{name}.png"), format="png", scale_factor=1.2)
        lines += [f"## `{name}`\n", f"{WORDS[name]}\n", f"![{WORDS[name]}](figures/gallery-{name}.png)\n"]
    (HERE / "gallery.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
