"""Bring finished studies into the documents: `python docs/make_studies.py STUDY_DIR...`.

For each folder that `apportion study` wrote, `study.md` becomes docs/studies/NAME.md and `gains.png` becomes
docs/figures/study-NAME.png; docs/studies.md gets a row for each setting.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CANDIDATES = ("counterfactual", "planner")
BEST = "best fixed mixture"
LESSONS = "planner with lessons"
RIVALS = ("proportional", "EXP3.S (Graves)")
INTRO = """# Studies on real training

Short: adaptive policies pay where the objective is narrower than the mean of all tasks. `planner`, evaluations paid for, is
better than uniform by intervals that exclude zero for the hard target of digits (71 % of the gap to the best fixed mixture), for
its small target (58 %), for its worst task (87 %), with decoys (28 %), on toys with a target (74 %), for the target of vision (50 %),
for the target of tables (more than the search found), and, by 0.003 each, for STS-B as a target on GLUE and on tables with equal
priorities. In none of 26 settings it is worse by such an interval; its largest loss within noise, 0.005, is on GLUE for CoLA, which nothing moves.
Taught by three earlier runs of its own (`planner with lessons`, see below) it is better than uniform by such intervals in all eight settings of digits, and
closes 60 to 110 % of the gap there: 70 % with equal priorities, 77 % with 200 batches, 60 % with 1,200, 110 % with unequal costs, 62 % with decoys, 96 and 87 % for
the targets, 92 % for the worst task. On toys it closes 49 and 81 %, for vision's target 67 %; on tables, SuperGLUE and vision with equal priorities, where
there is little or nothing to win, it does not differ from uniform (-0.004 at worst). On GLUE it closes 53 % for STS-B as a target, by an interval that excludes zero, and
59 % for MRPC, by one that does not; elsewhere there it does not differ from uniform, but for RTE it loses 0.016 within noise, the most of all.
`counterfactual`, which needs no evaluations, is better than uniform for both targets of digits (61 and 16 %), for its worst task (55 %) and with
1,200 batches (50 %), on toys with a target (80 %) and without (65 %), and for the target of vision (62 %). It is worse by such intervals on tables
with equal priorities (-0.004) and on GLUE with 2,400 batches (-0.005); within noise it loses 0.026 on vision, 0.011 on SuperGLUE's small tasks, where
it takes a task of 400 examples that is learned by heart for one that learns, and 0.010 with decoys.
With equal priorities digits has headroom (+0.015 at 400 batches, +0.060 at 200 and +0.008 at 1,200, mostly from leaving out a
task that teaches nothing), of which at 400 batches both gain no more than noise (-0.000 and +0.005). Shares that follow sizes,
EXP3.S on prediction gain and TSCL are far behind uniform there. On GLUE with a frozen encoder the search found headroom in two
of nine settings only (MRPC and STS-B as targets, +0.007 and +0.005); with 2,400 batches shares by size are ahead of uniform by 0.010, and
`counterfactual` is behind by 0.005 (see below).

What policies are worth when a model is trained, by commands that anyone can repeat:

```sh
apportion study digits --out runs/study-digits          # every setting and policy, ten seeds: half an hour on two cores
apportion study glue --data-dir DIR --quick             # ten minutes; without --quick some hours
apportion study falsify toys                            # or tabular, vision, superglue: nothing was tuned on these
```

Each writes tables, figures and a [report](report.md) into its folder, goes on where it was interrupted, and spreads over a
Ray cluster with `--engine ray`. All policies of a setting get the same budget and the same seeds. What a policy measures is
charged to it: evaluations, extra forward passes. Final scores come from examples that no policy looked at.

The best fixed mixture is the yardstick: what a user could have had by knowing the right shares in advance. It is found by
Bayesian optimisation on other seeds, which costs dozens of trainings that are charged to nobody. Where its gain over uniform
does not exclude zero there is no headroom that the search found, and no policy can be expected to win. **Gap closed** is a
policy's gain as a part of that one's.

**`planner with lessons`** stands between both: before each of its runs three runs of `planner` on other seeds, in the same
setting, taught it how fast tasks learn and who helps whom (`priors`, [what they are](forecast.md#priors-from-earlier-runs)). As with the search these
trainings are charged to nobody, but they are three, other ones for every seed, and each a run that one would have used anyway.

"""
NOTES = """
## Why not, where not

- **Hardly any headroom was found** on GLUE with a frozen encoder, in nine settings: heads on fixed sentence vectors hardly
  help or harm each other, and 400 batches suffice for what they can learn. CoLA stays at a Matthews correlation of 0.01 whatever is
  done (so the worst task cannot be moved either). Differences of about 0.005 in the average, 0.016 on RTE, 0.006 on MRPC and 0.002 on
  STS-B would have been seen with these ten seeds, and only those. For MRPC as a target, on which `planner` spends 28 %, it gains
  0.003 [-0.001, +0.007] of the 0.007 that were found.
- **GLUE with 150 and 2,400 batches** is where `planner` comes out lowest, by 0.004 [-0.001, +0.009] and 0.004 [-0.002, +0.009], in the version before by as much and with
  narrower intervals. On other seeds (`apportion compare
  glue --data-dir DIR --policies uniform,planner --seeds 24 --first-seed 950 --budget 150`, or 16 seeds and 2400, with the taskset of the study: `--set
  'taskset.tasks=["cola","sst2","mrpc","stsb","qqp","mnli","qnli","rte"]' --set taskset.validate_on_training=true --set taskset.options.freeze_layers=all --set
  taskset.options.max_train=8000 --set taskset.options.max_validation=800 --set training.evaluation_size=64`) it gains 0.003 [-0.002, +0.007] with 150 and 0.001 [-0.003, +0.005]
  with 2,400, so nothing is lost there that could be shown.
- **GLUE with 2,400 batches** (`apportion study glue --data-dir DIR --quick --settings large --seeds 10 --trials 8 --single-seeds 0`; uniform
  0.640): shares by size +0.010 [+0.005, +0.016], `planner` -0.004 [-0.009, +0.002], EXP3.S -0.000 [-0.003, +0.002], `counterfactual`
  -0.005 [-0.008, -0.003]. The small tasks are then seen many times: RTE reaches .58 with an eighth of the batches and .61 with a
  twentieth, CoLA .01 and .06 with a sixth. The search, with 8 mixtures, found nothing better than uniform, so here it missed at least 0.010.
- **Evaluations** of all tasks would take 12 % of 400 digits batches and 21 % of 200: as much as there is to win with equal
  priorities. So `planner` measures only what is worth its price, listens to training batches, and pays 1 to 4 %
  ([what that brings](forecast.md)).
- **`planner` still spends on tasks that cannot be learned**: with decoys `random` gets 8 % and the two useless tasks 7 and 9 %, where
  the best mixture gives them 3 % together. A task may start to learn late, and its model holds that possible for half of the budget;
  `useless_2`, whose 80 examples are learned by heart, succeeds on its training batches; and with 36 batches for a task there is
  little that it can be sure of.
- **RTE as the only target** gets 33 % of the batches from `planner`, as its prior says that a task learns most from its own. An earlier
  version gave it 60 % and lost 0.025: the set was seen three to four times and learned by heart, which the model takes for worth
  nothing, but not for harm. It is now held closer to uniform where few, noisy scores decide.
- **`counterfactual`** pays nothing, but sees what a task gains only through the success of its training batches. With decoys
  it brings `digit` from .79 to .90 and `shuffled` from .81 to .91, and loses as much where labels are wrong (`noisy` .64 to
  .51, `corrupted` .34 to .18: their training batches look as if nothing could be learned); `useless_2`, whose 80 examples
  are learned by heart, looks like progress and gets 16 % of the budget, as `copa` of SuperGLUE, with 400, gets 35 %. The planner, which sees
  some held-out scores, changes less. To discount repeated examples was tried on other seeds: it
  brought SuperGLUE nothing that could be shown, and took away the gains of `few` and of vision's target, which gain by repetition.
- **Unequal costs**: an earlier `counterfactual` drew tasks by the sixth power of gain per price (`price_power=6`), which starved dear
  tasks that begin late, and lost there; now prices count with their square only, chosen on seeds 900 to 923.
- **With 70 % of the budget** `planner` is ahead of uniform with all of it for both targets of digits (+0.165 [+0.144, +0.185] and
  +0.018 [+0.009, +0.027]), and behind with decoys (-0.046); with lessons it is ahead by 0.228 and 0.026, and level with decoys (-0.003 [-0.016, +0.011]).

## How to read this

- Intervals are 95 % Student t over paired seeds. Nothing is corrected for the number of comparisons: one in twenty errs.
- At first digits had 10 seeds and the others 5. As that left most settings undecided, all policies got more seeds, 24 and 10, in
  every setting at once, before it was known what the new ones would show.
- The search tried few mixtures on few seeds; the true best one is better than the one found. Its scores are those of the
  same final examples, which flatters it a little. Where uniform itself was the best mixture found, its gain is exactly 0.
- "Worst": the lowest score counts. `planner` and, through its reward, `counterfactual` are told so (`objective = "worst"`).
- All figures are of the policies of this version, run with their defaults. How `planner` hears training batches and spares
  evaluations was decided in the public worlds and on other seeds of digits with equal priorities (500 to 523); how far it goes
  from uniform, what lessons change, and what its model is, in the public worlds and on seeds 900 to 973 of fifteen of these settings, and on
  logs of random shares of other seeds, after earlier versions had run on the first seeds reported here. Budgets, seeds and numbers of trials are those of the commands above.
- **On another machine** an earlier version was measured by the same commands, and on this one, too. Differences from uniform moved by 0.001 at most on
  digits and by 0.003 on toys, tables and vision; on GLUE and SuperGLUE, where another processor gives the frozen encoder other last digits, by
  up to 0.007, so take findings there for as weak as their intervals say. What the search found moved by up to 0.011.
- **From version to version** `planner` was first given a tour of the tasks ([planner](forecast.md#the-planner)), by which simulated worlds gained much. Here it
  gained 0.006 on toys and on tables with equal priorities, and 0.006 for the target of tables; it lost 0.011 on digits at 200 batches, 0.011 for the hard target, 0.006 with unequal
  costs (which had been +0.006 [+0.000, +0.012]), 0.012 on SuperGLUE's target and 0.017 on vision with equal priorities, the last two within noise both times, and its intervals on digits became half as wide.
  Then it learned that tasks may stop teaching and that runs may break, which is to change nothing here: differences from uniform moved by 0.007 at most on digits, toys, tables and vision's
  target, and by 0.010 on vision with equal priorities (from -0.012 to -0.002). So little makes three of them cross zero: 200 batches (+0.011 before) and toys with equal priorities
  (+0.014 before), which no longer exclude it, and the target of tables, which now does. Take findings near zero for as weak as that.
- The models are small: a convolution on 8 x 8 pixels, two layers on frozen sentence vectors, two layers on tables. Nothing here
  says that the order of policies is the same when a large model is trained in full. The GLUE study does that with
  `--set taskset.options.freeze_layers=0`; it was not run, for want of a GPU.
"""


def cell(span: dict[str, Any] | None, digits: int = 3, sign: str = "+") -> str:
    """A figure with its interval, bold where it excludes zero."""
    if span is None:
        return ""
    value, lower, upper = (math.nan if span[key] is None else span[key] for key in ("value", "lower", "upper"))
    if math.isnan(value):
        return ""
    text = f"{value:{sign}.{digits}f} [{lower:{sign}.{digits}f}, {upper:{sign}.{digits}f}]"
    return f"**{text}**" if lower > 0 or upper < 0 else text


def table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def by_setting(name: str, data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows by label, for each setting by a link to its page."""
    found: dict[str, dict[str, Any]] = {}
    for row in data["rows"]:
        found.setdefault(f"[{name}](studies/{name}.md): {row['setting']}", {})[row["label"]] = row
    return found


def gains(title: str, own: dict[str, Any]) -> list[str]:
    """What there was to gain in a setting, and who gained it."""
    cells = [title, str(own["uniform"]["seeds"]), f"{own['uniform']['objective']['value']:.3f}"]
    cells.append(cell(own[BEST]["gain"]) if BEST in own else "")
    for label in (*CANDIDATES, LESSONS):
        row = own.get(label)
        cells.append("" if row is None else row["note"] or cell(row["gain"]))
        gap = None if row is None else row["gap_closed"]["value"]
        cells.append("" if gap is None or math.isnan(gap) else f"{gap:.0%}")
    left_out = (*CANDIDATES, LESSONS, BEST, "uniform")
    others = [row for label, row in own.items() if label not in left_out and row["part"] == 1 and not row["note"]]
    runner = max(others, key=lambda row: row["gain"]["value"], default=None)
    return [*cells, "" if runner is None else f"{runner['label']} {cell(runner['gain'])}"]


def against(title: str, own: dict[str, Any]) -> list[str]:
    """The candidates against those that the package has to be better than."""
    return [title, *(cell(own[label]["beyond"].get(name)) for name in RIVALS for label in CANDIDATES if label in own)]


def parts(title: str, own: dict[str, Any]) -> list[str]:
    """What 70 % of the budget came to, against uniform at all of it."""
    return [title, *(cell(own[f"{label} at 70%"]["gain"]) for label in (*CANDIDATES, LESSONS, BEST))]


def costs(title: str, own: dict[str, Any]) -> list[str]:
    """What the candidates themselves cost: evaluations and time."""
    cells = [title, f"{own['uniform']['seconds']:.1f}"]
    for label in CANDIDATES:
        row = own[label]
        saved = "" if row["saved"] is None else f"{row['saved']:.0%}"
        cells += [f"{row['evaluations']:.0%}", f"{row['policy_seconds']:.2f}", f"{row['seconds']:.1f}", saved]
    return cells


def main(folders: list[str]) -> None:
    """Copy pages and figures, and write the summary."""
    (HERE / "studies").mkdir(exist_ok=True)
    settings: dict[str, dict[str, Any]] = {}
    made: list[str] = []
    for folder in map(Path, folders):
        text = (folder / "study.md").read_text(encoding="utf-8")
        name = text.splitlines()[0].removeprefix("# ").strip().lower()
        picture = f"![Gains over uniform](../figures/study-{name}.png)\n\n"
        head, separator, rest = text.partition("\n## ")
        (HERE / "studies" / f"{name}.md").write_text(head + "\n" + picture + separator[1:] + rest, encoding="utf-8")
        shutil.copyfile(folder / "gains.png", HERE / "figures" / f"study-{name}.png")
        settings |= by_setting(name, json.loads((folder / "study.json").read_text(encoding="utf-8")))
        made.append(next(part for part in text.split("`") if part.startswith("apportion study")))
    both = [title for title, own in settings.items() if all(label in own for label in CANDIDATES)]
    cut = [title for title in both if f"{BEST} at 70%" in settings[title]]
    columns = ("study: setting", "seeds", "uniform", "best fixed mixture found", "counterfactual", "gap closed")
    pairs = tuple(f"{label} - {name}" for name in RIVALS for label in CANDIDATES)
    each = ("evaluations", "policy, s", "run, s", "budget saved")
    sections = [
        "## What was found\n\nDifferences from uniform in the final objective; bold where the interval excludes zero. "
        f"Made by {', '.join(f'`{command}`' for command in made)}.\n",
        table(
            (*columns, "planner", "gap closed", LESSONS, "gap closed", "best other"),
            [gains(title, own) for title, own in settings.items()],
        ),
        "Paired differences from shares by size, and from EXP3.S on prediction gain:\n",
        table(("study: setting", *pairs), [against(title, settings[title]) for title in both]),
        "With 70 % of the budget, minus uniform with all of it:\n",
        table(("study: setting", *CANDIDATES, LESSONS, BEST), [parts(title, settings[title]) for title in cut]),
        "What they cost: part of the budget spent on evaluations, seconds of the policy itself and of a run (of uniform in "
        "the second column), and the share of the budget not needed to reach uniform's last evaluation, on mean "
        "curves (empty where it was not reached, or where evaluations left tasks out):\n",
        table(
            ("study: setting", "uniform, s", *(f"{label}: {word}" for label in CANDIDATES for word in each)),
            [costs(title, settings[title]) for title in both],
        ),
    ]
    (HERE / "studies.md").write_text(INTRO + "\n".join(sections) + NOTES, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
