"""Policies ranked by what they would have earned per step on a log."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check_choice
from ..errors import OverlapError
from ..estimators import (
    ASYMPTOTIC,
    ESTIMATORS,
    INTERVALS,
    STREAMED,
    STREAMED_INTERVALS,
    Diagnostics,
    StreamedEvaluation,
    by_task,
    diagnose,
    evaluate,
    learning_curve,
    restrict_to_overlap,
)
from ..records import Estimate, Floats, Logged
from .sources import LogSource, Piece, open_log
from .targets import ALONE, LOGGING, LoggingTarget, Target, default_targets, make_target

MEANING = (
    "Estimand per_step: the mean reward of a decision, had only this one choice been drawn from the policy, in the "
    "training states that this log passed through. It is not what training with the policy would have reached."
)
"""What every figure here is, in words."""


MODELS: Mapping[str, Callable[[Logged], Floats]] = {
    "by_task": by_task,
    "past": partial(by_task, folds="past"),
    "learning_curve": learning_curve,
}
"""Reward models for the estimators that take one: means of the tasks, cross-fitted or of the past alone, or a curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One policy on the log.

    Attributes:
        policy: name with parameters, `task:NAME`, or `logging policy`.
        kind: `logging` (its own log), `fixed` (the same probabilities in every round) or `replayed` (what the policy
            would have drawn from at each step, having learned from the logged past).
        estimator: name.
        estimate: value, interval, effective sample size, largest importance weight, signature; None where refused.
        difference: how much more than the logging policy, paired by round, with its interval; None where the log is
            streamed, the interval is not for differences, or for the logging policy itself.
        diagnostics: what to look at beside the estimate; None where refused.
        refused: why there is no estimate, or nothing.
        in_sample: the best of the tasks drawn alone, and so the best of all fixed mixtures: found on these very rounds,
            which its interval does not know.
    """

    policy: str
    kind: str
    estimator: str
    estimate: Estimate | None
    difference: Estimate | None
    diagnostics: Diagnostics | None
    refused: str
    in_sample: bool

    @property
    def value(self) -> float:
        """The estimate; -inf where there is none."""
        value = float("nan") if self.estimate is None else self.estimate.value
        return value if np.isfinite(value) else -np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvaluation:
    """All rows, best first for each estimator, and what they were made from.

    Attributes:
        rows: one for each policy and estimator.
        warnings: what may make the ranking wrong, as sentences.
        signature: log, logging policy, signal, estimators, interval, confidence.
    """

    rows: tuple[PolicyRow, ...]
    warnings: tuple[str, ...]
    signature: dict[str, Any]

    def as_data(self) -> dict[str, Any]:
        """Everything as data that JSON can hold."""
        rows: list[dict[str, Any]] = []
        for row in self.rows:
            found = {"policy": row.policy, "kind": row.kind, "estimator": row.estimator, "refused": row.refused}
            figures = {} if row.estimate is None else asdict(row.estimate)
            looked = {} if row.diagnostics is None else asdict(row.diagnostics)
            said = [] if row.diagnostics is None else row.diagnostics.warnings()
            paired = None if row.difference is None else asdict(row.difference)
            more = {"in_sample": row.in_sample, "difference_from_logging": paired}
            rows.append({**found, **more, **figures, "diagnostics": looked, "warnings": said})
        return {**self.signature, "rows": rows, "warnings": list(self.warnings)}


def evaluate_log(
    path: str | Path,
    policies: Sequence[str] = (),
    *,
    estimators: Sequence[str] = ("snips",),
    interval: str = "normal",
    confidence: float = 0.95,
    reward_range: tuple[float, float] | None = None,
    model: str = "by_task",
    options: Mapping[str, Any] | None = None,
    restrict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> LogEvaluation:
    """Estimates what policies would have earned per step on a log, and ranks them.

    Fixed policies give the same probabilities in every round. Policies that learn, or follow a schedule, are replayed:
    see `ReplayedTarget` for what is then estimated. All obey the constraints that the log was drawn under. A Parquet
    log with more than `WHOLE_CELLS` probabilities is streamed in constant memory, with the estimators and intervals
    that can be. The estimand is `per_step`; `docs/off_policy.md` shows why it does not rank whole runs.

    Args:
        path: see `open_log`.
        policies: names with parameters, `FILE.py:CLASS`, or `task:NAME`; none means `default_targets`. The logging
            policy is always there: its row is the mean reward.
        estimators: names from `apportion.estimators.ESTIMATORS`; rows are ranked within each.
        interval: a name from `apportion.estimators.INTERVALS`.
        confidence: of the intervals, in (0, 1).
        reward_range: bounds of all rewards that could have been; the bounded intervals need them.
        model: a name from `MODELS`, for estimators that take a reward model; a stream has its own, the means so far.
        options: further arguments of the estimators, by name.
        restrict: leave out, in each round, the tasks that the log could not draw there, and scale the rest up; that is
            another question. Otherwise a policy that needs such tasks is refused.
        progress: called with the rounds done and all of them, over all policies.

    Raises:
        FileNotFoundError: there is no such log.
        LogFormatError: the log is damaged.
        ValueError: a name or an option is unknown, estimator and interval do not go together, the log has no rewards,
            or it was not drawn at random.
    """
    for name in estimators:
        check_choice("estimator", name, ESTIMATORS)
    check_choice("interval", interval, INTERVALS)
    check_choice("model", model, MODELS)
    source = open_log(path)
    if not source.whole:
        _check_streamed(source, estimators, interval)
    named = [make_target(spec, source) for spec in dict.fromkeys(policies)] or default_targets(source)
    settings = {"interval": interval, "confidence": confidence, "reward_range": reward_range, "options": options}
    runner = _Runner(source, [LoggingTarget(), *named], estimators, settings, model, restrict, progress)
    rows = runner.whole() if source.whole else runner.streamed()
    if all(row.estimate is not None and row.estimate.n_rounds == 0 for row in rows if row.kind == "logging"):
        raise ValueError(
            f"none of the {source.n_rounds:,} decisions in '{source.path}' has a reward: train with a signal, such as "
            "`--signal loss_decrease`, to get a log that policies can be evaluated on."
        )
    ranked = tuple(row for name in estimators for row in _ranked([row for row in rows if row.estimator == name]))
    signature = {
        "log": str(source.path),
        "fingerprint": source.fingerprint,
        "n_rounds": source.n_rounds,
        "tasks": [task.name for task in source.tasks],
        "logging_policy": source.header.get("policy"),
        "signal": source.header.get("signal"),
        "estimand": "per_step",
        "meaning": MEANING,
        "estimators": list(estimators),
        "interval": interval,
        "confidence": confidence,
        "reward_model": model if source.whole else "past chunks",
        "restricted_to_overlap": restrict,
    }
    return LogEvaluation(rows=ranked, warnings=_warnings(ranked, restrict), signature=signature)


def _check_streamed(source: LogSource, estimators: Sequence[str], interval: str) -> None:
    for kind, names, known in (("estimator", estimators, STREAMED), ("interval", [interval], STREAMED_INTERVALS)):
        for name in names:
            if name not in known:
                raise ValueError(
                    f"'{source.path}' has {source.n_rounds:,} decisions and is streamed, which the {kind} {name!r} "
                    f"cannot: take one of {', '.join(known)}."
                )


_Found = tuple[Estimate, Estimate | None, Diagnostics]


class _Runner:
    """Computes all rows of a log, whole or piece by piece."""

    def __init__(
        self,
        source: LogSource,
        targets: Sequence[Target],
        estimators: Sequence[str],
        settings: Mapping[str, Any],
        model: str,
        restrict: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.source, self.targets, self.estimators, self.settings = source, targets, estimators, settings
        self._model, self._restrict, self._progress = model, restrict, progress
        self._predictions: Floats | None = None
        self._done, self._all = 0, source.n_rounds * len(targets)

    def whole(self) -> list[PolicyRow]:
        """Rows of a log in memory."""
        (piece,) = self.source.pieces()
        rows: list[PolicyRow] = []
        for target in self.targets:
            compute = partial(self._at_once, piece, self._chances(target, piece), target)
            rows.extend(self._row(target, name, partial(compute, name)) for name in self.estimators)
        return rows

    def streamed(self) -> list[PolicyRow]:
        """Rows of a log that comes in pieces."""
        running = {
            (target.label, name): StreamedEvaluation(estimator=name, signature=self._signature(target), **self.settings)
            for target in self.targets
            for name in self.estimators
        }
        for piece in self.source.pieces():
            for target in self.targets:
                chances = self._chances(target, piece)
                for name in self.estimators:
                    running[target.label, name].add(piece.logged, chances)
        return [
            self._row(target, name, partial(_of_stream, running[target.label, name]))
            for target in self.targets
            for name in self.estimators
        ]

    def _chances(self, target: Target, piece: Piece) -> Floats:
        chances = target.probabilities(piece)
        if self._restrict and target.kind != "logging":
            chances = restrict_to_overlap(piece.logged, chances)
        self._done += piece.logged.n_rounds
        if self._progress is not None:
            self._progress(self._done, self._all)
        return chances

    def _at_once(self, piece: Piece, chances: Floats, target: Target, name: str) -> _Found:
        logged = piece.logged
        given = {key: value for key, value in self.settings.items() if key != "options"}
        options, predictions, signature = dict(self.settings["options"] or {}), None, self._signature(target)
        if "predictions" in inspect.signature(ESTIMATORS[name]).parameters:
            predictions = options["predictions"] = self._predicted(logged)
            signature += f"; reward model {self._model}"
        given |= {"estimator": name, "options": options, "signature": signature}
        difference = None
        if self.settings["interval"] in ASYMPTOTIC and target.kind != "logging":
            difference = evaluate(logged, chances, baseline=logged.probabilities, **given)
        return evaluate(logged, chances, **given), difference, diagnose(logged, chances, predictions=predictions)

    def _predicted(self, logged: Logged) -> Floats:
        """Predictions of the reward model, the same for all targets, shape (n_rounds, n_tasks)."""
        if self._predictions is None:
            known = np.isfinite(logged.reward)
            self._predictions = np.zeros(logged.probabilities.shape)
            self._predictions[known] = MODELS[self._model](logged.rows(known))
        return self._predictions

    def _signature(self, target: Target) -> str:
        return f"policy {target.label} ({target.kind}); log {self.source.fingerprint}"

    def _row(self, target: Target, name: str, compute: Callable[[], _Found]) -> PolicyRow:
        refused, estimate, difference, diagnostics = "", None, None, None
        try:
            estimate, difference, diagnostics = compute()
        except OverlapError as error:
            refused = str(error)
        return PolicyRow(
            policy=target.label,
            kind=target.kind,
            estimator=name,
            estimate=estimate,
            difference=difference,
            diagnostics=diagnostics,
            refused=refused,
            in_sample=False,
        )


def _of_stream(found: StreamedEvaluation) -> _Found:
    return found.estimate(), None, found.diagnostics()


def _ranked(rows: Sequence[PolicyRow]) -> list[PolicyRow]:
    """Best first; the best task alone is marked, since it was found on the same rounds."""
    alone = [row for row in rows if row.policy.startswith(ALONE) and row.estimate is not None]
    best = max(alone, key=lambda row: row.value) if len(alone) > 1 else None
    marked = [replace(row, in_sample=True) if row is best else row for row in rows]
    return sorted(marked, key=lambda row: -row.value)


def _warnings(rows: Sequence[PolicyRow], restrict: bool) -> tuple[str, ...]:
    found: list[str] = []
    drifting = list(
        dict.fromkeys(
            row.policy for row in rows if row.diagnostics is not None and "drift" in row.diagnostics.findings()
        )
    )
    if drifting:
        found.append(
            f"The reward changes along this run under {_listed(drifting)}, as it does where tasks are learned: what a "
            "choice is worth depends on the choices before it, so whole training runs may rank the other way round. "
            "Train, simulate or forecast (`--estimand run`) before taking this order for one of runs."
        )
    replayed = list(dict.fromkeys(row.policy for row in rows if row.kind == "replayed"))
    if replayed:
        found.append(
            f"Replayed: {_listed(replayed)} learned at each step from the logged past, from rewards of choices that "
            "the log made. By their own choices they would have learned something else."
        )
    flagged = list(dict.fromkeys(row.policy for row in rows if row.in_sample))
    if flagged:
        found.append(
            f"{_listed(flagged)}: per step the best fixed mixture is always one task alone. It was found on these very "
            "rounds, so its figure is too good and its interval does not know it."
        )
    if restrict:
        found.append(
            "In rounds where the log could not draw a task, policies were restricted to the tasks that it could."
        )
    if len({row.policy for row in rows}) > 1 and not any(row.policy != LOGGING and row.estimate for row in rows):
        found.append(
            "Every policy was refused: the log never tried what they need. `--restrict` asks another question."
        )
    return tuple(found)


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
