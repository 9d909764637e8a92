"""What the studies on real training ask: settings, policies, budgets, seeds of digits, GLUE and falsification sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .real import RealPlan, RealSetting

POLICIES: Mapping[str, str] = {
    "uniform": "uniform",
    "proportional": "proportional",
    "square root": "temperature(temperature=2.0)",
    "annealed": "power_schedule(start=1.0, end=0.2)",
    "EXP3.S (Graves)": "exp3s_graves",
    "TSCL online": "tscl_online",
    "ODM": "odm",
    "CoBa": "coba",
    "counterfactual": "counterfactual",
    "planner": "planner",
}
"""The policies of every study by label, each with its usual signal."""
QUICK_POLICIES = ("uniform", "proportional", "EXP3.S (Graves)", "counterfactual", "planner")

_GLUE = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")
_NEVER = 10**9  # short runs need no checkpoint on the way


def digits_plan(*, quick: bool = False, settings: Sequence[str] = ()) -> RealPlan:
    """Eight tasks from handwritten digits: equal priorities, targets, costs, budgets, decoys, the worst task.

    Args:
        quick: fewer policies, seeds, trials, and settings unless some are named.
        settings: names of those to keep; none named keeps the usual ones.

    Raises:
        ValueError: a setting is unknown.
    """
    names = ("negative", "digit", "rotated", "shuffled", "few", "noisy", "random", "angle")
    config = {
        **_config(400.0),
        "taskset": {"name": "digits"},
        "training": {"threads": 1, "evaluation_size": 32},
    }
    large = {"budget.amount": 1200.0, "training.evaluation_size": 64}
    costs = {
        "taskset.batch_sizes": {"rotated": 64, "noisy": 64, "angle": 64},
        "budget.unit": "examples",
        "budget.amount": 9600.0,
    }
    every = (
        RealSetting(name="equal", words="Equal priorities, 400 batches."),
        RealSetting(
            name="target few",
            words="Only `few` (80 examples) counts, the other tasks are auxiliaries.",
            overrides={"priorities": _target("few", names)},
            parts=(0.7,),
        ),
        RealSetting(
            name="decoys",
            words="Equal priorities, two useless tasks and one with corrupted labels added.",
            overrides={"taskset.decoys": True},
            parts=(0.7,),
        ),
        RealSetting(name="small", words="Equal priorities, 200 batches.", overrides={"budget.amount": 200.0}),
        RealSetting(
            name="costs",
            words="Equal priorities, a budget of 9,600 examples; a batch of `rotated`, `noisy` or `angle` has 64 of "
            "them, one of the others 16.",
            overrides=costs,
        ),
        RealSetting(
            name="worst",
            words="The lowest score counts, without `random`, which nothing can be learned from.",
            overrides={"priorities": {"random": 0.0}},
            worst=True,
            policies={"worst task first": "worst_task", "group DRO": "group_dro"},
        ),
        RealSetting(
            name="target rotated",
            words="Only `rotated` counts, the other tasks are auxiliaries.",
            overrides={"priorities": _target("rotated", names)},
            parts=(0.7,),
        ),
        RealSetting(name="large", words="Equal priorities, 1,200 batches.", overrides=large),
    )
    plan = RealPlan(name="digits", config=config, settings=every, policies=POLICIES, single_seeds=3)
    return _kept(plan, settings, quick, ("equal", "target few", "decoys", "worst"))


def glue_plan(*, data_dir: str | None = None, quick: bool = False, settings: Sequence[str] = ()) -> RealPlan:
    """Eight tasks of GLUE (WNLI left out), encoder frozen: equal priorities, small targets, tokens, budgets, decoys.

    Args:
        data_dir: folder with the data; None loads from the hub.
        quick: fewer examples, batches, policies, seeds, trials, and settings unless some are named.
        settings: names of those to keep; none named keeps the usual ones.

    Raises:
        ValueError: a setting is unknown.
    """
    amount = 400.0 if quick else 600.0
    options: dict[str, Any] = {"freeze_layers": "all"}
    if quick:
        options |= {"max_train": 8000, "max_validation": 800}
    taskset: dict[str, Any] = {"name": "glue", "tasks": list(_GLUE), "validate_on_training": True, "options": options}
    if data_dir is not None:
        taskset["data_dir"] = data_dir
    config = {
        **_config(amount),
        "taskset": taskset,
        "training": {"threads": 1, "evaluation_size": 64},
    }
    targets = tuple(
        RealSetting(
            name=f"target {task}",
            words=f"Only `{task}` counts, the other tasks are auxiliaries.",
            overrides={"priorities": _target(task, _GLUE)},
            parts=(0.7,),
        )
        for task in ("rte", "mrpc", "stsb", "cola")
    )
    every = (
        RealSetting(
            name="equal",
            words=f"Equal priorities, {amount:.0f} batches of 32; what counts is the average GLUE score, without WNLI.",
        ),
        *targets,
        RealSetting(
            name="decoys",
            words="Equal priorities, two useless tasks and one with corrupted labels added.",
            overrides={"taskset.decoys": True},
            parts=(0.7,),
        ),
        RealSetting(name="small", words="Equal priorities, 150 batches.", overrides={"budget.amount": 150.0}),
        RealSetting(
            name="tokens",
            words="Equal priorities, a budget of 600,000 tokens: a batch of a task with long texts costs more.",
            overrides={"budget.unit": "tokens", "budget.amount": 600_000.0},
        ),
        RealSetting(
            name="worst",
            words="The lowest score counts.",
            worst=True,
            policies={"worst task first": "worst_task", "group DRO": "group_dro"},
        ),
        RealSetting(name="large", words="Equal priorities, 2,400 batches.", overrides={"budget.amount": 2400.0}),
    )
    plan = RealPlan(name="GLUE", config=config, settings=every, policies=POLICIES, seeds=tuple(range(5)), trials=24)
    return _kept(plan, settings, quick, ("equal", "target rte"))


FALSIFICATION: Mapping[str, Mapping[str, Any]] = {
    "toys": {"target": "object", "amount": 600.0},
    "tabular": {"target": "small", "amount": 400.0},
    "vision": {"target": "few_digits", "amount": 400.0},
    "superglue": {"target": "cb", "amount": 300.0},
}
"""Tasksets on which nothing was tuned, with the task that is the target in one setting, and the budget in batches."""


def falsification_plan(name: str, *, data_dir: str | None = None, quick: bool = False) -> RealPlan:
    """Equal priorities and one target on a taskset that no policy of the package was tuned on.

    Raises:
        ValueError: `name` is none of them.
    """
    if name not in FALSIFICATION:
        raise ValueError(f"`taskset` must be one of {', '.join(FALSIFICATION)}, got {name!r}.")
    about = FALSIFICATION[name]
    taskset: dict[str, Any] = {"name": name}
    if name == "superglue":
        options: dict[str, Any] = {"freeze_layers": "all"} | ({"max_validation": 800} if quick else {})
        taskset |= {"validate_on_training": True, "options": options}
        if data_dir is not None:
            taskset["data_dir"] = data_dir
    config = {**_config(about["amount"]), "taskset": taskset, "training": {"threads": 1, "evaluation_size": 32}}
    plan = RealPlan(
        name=name,
        config=config,
        settings=(
            RealSetting(name="equal", words=f"Equal priorities, {about['amount']:,.0f} batches."),
            RealSetting(
                name=f"target {about['target']}",
                words=f"Only `{about['target']}` counts, the other tasks are auxiliaries.",
                overrides={"priorities": _target(about["target"], _names(name))},
            ),
        ),
        policies=POLICIES,
        single_seeds=2,
        trials=32,
    )
    return _kept(plan, (), quick, ())


def _names(name: str) -> tuple[str, ...]:
    from .. import tasksets
    from ..tasksets.superglue import SUPERGLUE

    return tuple(SUPERGLUE) if name == "superglue" else getattr(tasksets, name)().names


def _kept(plan: RealPlan, settings: Sequence[str], quick: bool, usual: Sequence[str]) -> RealPlan:
    """These settings alone, or all; where it is to be quick, the usual ones, with fewer policies, seeds and trials.

    Parts of the budget and earlier runs are then left out, too.
    """
    plan = chosen(plan, settings=settings or (usual if quick else ()))
    if not quick:
        return plan
    kept = tuple(replace(item, policies={}, parts=()) for item in plan.settings)
    policies = {label: plan.policies[label] for label in QUICK_POLICIES}
    return replace(plan, settings=kept, policies=policies, seeds=tuple(range(5)), trials=32, single_seeds=1, earlier=0)


def chosen(plan: RealPlan, *, settings: Sequence[str] = (), policies: Sequence[str] = (), seeds: int = 0) -> RealPlan:
    """A plan with only some settings, other policies (labels, or names with parameters), or another number of seeds.

    With other policies there is no planner with lessons.

    Raises:
        ValueError: a setting is unknown.
    """
    known = {setting.name: setting for setting in plan.settings}
    for name in settings:
        if name not in known:
            raise ValueError(f"`settings` must be among {', '.join(known)}, got {name!r}.")
    labels = {**POLICIES, **plan.policies}
    return replace(
        plan,
        settings=tuple(known[name] for name in settings) if settings else plan.settings,
        policies={name: labels.get(name, name) for name in ("uniform", *policies)} if policies else plan.policies,
        seeds=tuple(range(seeds)) if seeds else plan.seeds,
        earlier=0 if policies else plan.earlier,
    )


def _config(amount: float) -> dict[str, Any]:
    return {
        "seed": 0,
        "when_exhausted": "cycle",
        "budget": {"amount": amount, "unit": "steps"},
        "checkpoint_every": _NEVER,
    }


def _target(task: str, names: Sequence[str]) -> dict[str, float]:
    return {name: float(name == task) for name in names}
