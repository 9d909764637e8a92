"""The shared checks of estimators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimators import ESTIMATORS, Estimator
from ..records import Floats, Ints, Logged
from ._guard import held, require

Options = Mapping[str, Any] | Callable[[Logged], Mapping[str, Any]] | None

N_ROUNDS, N_TASKS = 60, 3
N_LOGS = 300
SPREAD = 6.0
"""Standard errors that an unbiased estimate may miss the truth by: a false alarm in 10^9 checks."""


def check_estimator(
    estimator: str | Estimator,
    *,
    options: Options = None,
    unbiased: bool = True,
    ordered: bool = False,
    per_round: bool = True,
) -> None:
    """Check that an estimator keeps the promises that `evaluate`, its intervals and the commands rely on.

    Scores are finite float64, one per round, the same every time, and change nothing that was given; a target of one
    row means that row in every round; a target equal to the log gives the mean reward; scores scale with the rewards;
    neither the order of the tasks nor, unless `ordered`, that of the rounds matters; float32 rewards, narrow indices
    and whole-number targets do; rewards of 1e-150 and 1e150 and propensities of 1e-12 stay finite; an empty log gives
    no scores and one task the mean reward; rewards that are missing, targets that are no probabilities or have another
    shape are refused with a ValueError; over 300 simulated logs the mean estimate is the truth, if `unbiased`.

    Args:
        estimator: a function (logged, target, *, options) -> scores, or a name from `apportion.estimators.ESTIMATORS`.
        options: further arguments; where they have a row for each round, a function from the log to them.
        unbiased: whether estimates are right on average, up to terms of the order of 1/n.
        ordered: whether the order of the rounds has a meaning.
        per_round: whether there is one score for each round, rather than fewer.

    Raises:
        AssertionError: a promise is broken; the message names the estimator and the promise.
        ValueError: there is no estimator of this name.

    >>> check_estimator("snips")
    >>> check_estimator(lambda logged, target: logged.reward)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: ... must keep the promise that it ...
    """
    if isinstance(estimator, str) and estimator not in ESTIMATORS:
        raise ValueError(f"there is no estimator {estimator!r}: choose one of {', '.join(ESTIMATORS)}.")
    function = ESTIMATORS[estimator] if isinstance(estimator, str) else estimator
    subject = _Subject(function, options, unbiased, ordered, per_round)
    for promise, check in CHECKS.items():
        with held(estimator, promise):
            check(subject)


@dataclass(frozen=True, slots=True)
class _Subject:
    """An estimator with its options."""

    function: Estimator
    options: Options
    unbiased: bool
    ordered: bool
    per_round: bool

    def __call__(self, logged: Logged, target: Any) -> Floats:
        options = self.options(logged) if callable(self.options) else self.options
        return self.function(logged, target, **(options or {}))


def logged_and_target(seed: int, *, n_rounds: int = N_ROUNDS, least: float = 0.1) -> tuple[Logged, Floats]:
    """A log whose rewards are normal around the index of the task drawn, and a target; `least` probability each."""
    generator = np.random.default_rng(seed)
    chances = generator.dirichlet(np.ones(N_TASKS), n_rounds) * (1.0 - N_TASKS * least) + least
    chances /= chances.sum(axis=1, keepdims=True)
    drawn = (chances.cumsum(axis=1) < generator.random((n_rounds, 1))).sum(axis=1)
    chosen = np.minimum(drawn, N_TASKS - 1)
    logged = _log(chosen, chances, generator.normal(chosen, 1.0))
    # Leaning to one side: estimators that ignore the target must miss it on average.
    return logged, generator.dirichlet(np.array([4.0, 2.0, 1.0]), n_rounds)


def _log(chosen: Any, chances: Floats, reward: Any) -> Logged:
    names = tuple(f"task{index}" for index in range(chances.shape[1]))
    steps = np.arange(len(chosen))
    cost = np.ones(len(chosen))
    return Logged(tasks=names, chosen=chosen, probabilities=chances, reward=reward, step=steps, cost=cost)


def _close(wanted: Any, got: Any, broken: str, tolerance: float = 1e-9) -> None:
    scale = float(np.abs(wanted).max(initial=1e-300))
    require(
        np.shape(wanted) == np.shape(got) and bool(np.allclose(wanted, got, rtol=tolerance, atol=tolerance * scale)),
        f"{broken}: {np.asarray(got).mean():.12g} instead of {np.asarray(wanted).mean():.12g} on average",
    )


def _valid(subject: _Subject) -> None:
    logged, target = logged_and_target(0)
    kept = [array.copy() for array in (logged.chosen, logged.probabilities, logged.reward, target)]
    scores = subject(logged, target)
    require(isinstance(scores, np.ndarray), f"it returned {type(scores).__name__} instead of an array")
    require(scores.dtype == np.float64, f"the type of its scores is {scores.dtype} instead of float64")
    fits = scores.shape == (N_ROUNDS,) if subject.per_round else scores.ndim == 1 and 0 < scores.size <= N_ROUNDS
    require(fits, f"its scores have the shape {scores.shape} for {N_ROUNDS} rounds")
    require(bool(np.isfinite(scores).all()), "a score is not finite")
    require(np.array_equal(scores, subject(logged, target)), "the same log gives other scores the second time")
    for array, before in zip((logged.chosen, logged.probabilities, logged.reward, target), kept, strict=True):
        require(np.array_equal(array, before), "it changes an array that was given to it")


def _broadcasts(subject: _Subject) -> None:
    logged, _ = logged_and_target(1)
    row = np.array([0.5, 0.25, 0.25])
    _close(subject(logged, np.tile(row, (N_ROUNDS, 1))), subject(logged, row), "a target of one row changes the scores")


def _on_policy(subject: _Subject) -> None:
    logged, _ = logged_and_target(2, n_rounds=1000)
    narrow = _log(logged.chosen, logged.probabilities, 5.0 + 0.01 * (logged.reward - logged.chosen))
    value, mean = float(subject(narrow, narrow.probabilities).mean()), float(narrow.reward.mean())
    allowed = SPREAD * float(narrow.reward.std()) / np.sqrt(1000)
    require(
        abs(value - mean) <= allowed, f"with the logged probabilities as target it gave {value:.6g}, not {mean:.6g}"
    )


def _scales(subject: _Subject) -> None:
    logged, target = logged_and_target(3)
    scores = subject(logged, target)
    for scale in (1e-12, 1e6, -3.0):
        scaled = subject(_log(logged.chosen, logged.probabilities, scale * logged.reward), target)
        _close(scale * scores, scaled, f"rewards times {scale:g} do not give scores times {scale:g}", 1e-8)


def _permutes_tasks(subject: _Subject) -> None:
    logged, target = logged_and_target(4)
    order = np.array([2, 0, 1])
    other = _log(np.argsort(order)[logged.chosen], logged.probabilities[:, order], logged.reward)
    _close(subject(logged, target), subject(other, target[:, order]), "permuted tasks give other scores")


def _permutes_rounds(subject: _Subject) -> None:
    if subject.ordered:
        return
    logged, target = logged_and_target(5)
    order: Ints = np.random.default_rng(5).permutation(N_ROUNDS)
    other = _log(logged.chosen[order], logged.probabilities[order], logged.reward[order])
    found = subject(other, target[order]).mean()
    _close(subject(logged, target).mean(), found, "permuted rounds give another estimate")


def _types(subject: _Subject) -> None:
    logged, _ = logged_and_target(6)
    target = np.array([0.5, 0.25, 0.25])
    rounded = logged.reward.astype(np.float32)
    narrow = _log(logged.chosen.astype(np.int16), logged.probabilities, rounded)
    wide = _log(logged.chosen, logged.probabilities, rounded.astype(np.float64))
    found = subject(narrow, target.astype(np.float32))
    require(found.dtype == np.float64, f"float32 rewards give scores of the type {found.dtype}")
    _close(subject(wide, target), found, "float32 rewards and narrow indices give other scores", 1e-5)
    whole = np.array([0, 1, 0])
    _close(
        subject(logged, whole.astype(np.float64)), subject(logged, whole), "a target of whole numbers is not the same"
    )


def _extremes(subject: _Subject) -> None:
    logged, target = logged_and_target(7)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for scale in (1e-150, 1e150):
            scores = subject(_log(logged.chosen, logged.probabilities, scale * logged.reward), target)
            require(bool(np.isfinite(scores).all()), f"rewards of the size {scale:g} give a score that is not finite")
        rare = logged.probabilities.copy()
        rare[0] = (1.0 - 1e-12) / (N_TASKS - 1)
        rare[0, logged.chosen[0]] = 1e-12
        scores = subject(_log(logged.chosen, rare, logged.reward), target)
    require(bool(np.isfinite(scores).all()), "a propensity of 1e-12 gives a score that is not finite")


def _little(subject: _Subject) -> None:
    empty = _log(np.zeros(0, dtype=np.int64), np.zeros((0, N_TASKS)), np.zeros(0))
    require(subject(empty, np.full(N_TASKS, 1.0 / N_TASKS)).size == 0, "an empty log gives scores")
    logged, _ = logged_and_target(8, n_rounds=200)
    alone = _log(np.zeros(200, dtype=np.int64), np.ones((200, 1)), 5.0 + 0.01 * logged.reward)
    value, mean = float(subject(alone, np.ones(1)).mean()), float(alone.reward.mean())
    require(abs(value - mean) <= 0.01, f"with one task it gives {value:.6g} instead of the mean reward {mean:.6g}")


def _refuses(subject: _Subject) -> None:
    logged, target = logged_and_target(9)
    gap = logged.reward.copy()
    gap[3] = np.nan
    wrong: dict[str, tuple[Logged, Any]] = {
        "a target that does not sum to 1": (logged, target * 0.9),
        "a target with a negative entry": (logged, np.array([1.2, -0.2, 0.0])),
        "a target that is NaN": (logged, np.full(N_TASKS, np.nan)),
        "a target of another shape": (logged, np.full(N_TASKS + 1, 1.0 / (N_TASKS + 1))),
    }
    if subject.per_round:
        wrong["a reward that is missing"] = (_log(logged.chosen, logged.probabilities, gap), target)
    for what, (log, given) in wrong.items():
        try:
            subject(log, given)
        except ValueError:
            continue
        raise AssertionError(f"it accepts {what}")


def _right_on_average(subject: _Subject) -> None:
    if not subject.unbiased:
        return
    errors = np.empty(N_LOGS)
    for seed in range(N_LOGS):
        logged, target = logged_and_target(100 + seed)
        truth = float((target @ np.arange(float(N_TASKS))).mean())
        errors[seed] = subject(logged, target).mean() - truth
    allowed = SPREAD * errors.std() / np.sqrt(N_LOGS) + 1.0 / N_ROUNDS
    require(abs(errors.mean()) <= allowed, f"over {N_LOGS} logs it misses the truth by {errors.mean():+.3g} on average")


CHECKS: dict[str, Callable[[_Subject], None]] = {
    "gives finite scores, the same each time, and changes nothing": _valid,
    "takes a target of one row for all rounds": _broadcasts,
    "gives the mean reward where the target is what was drawn from": _on_policy,
    "scales with the rewards": _scales,
    "does not depend on the order of the tasks": _permutes_tasks,
    "does not depend on the order of the rounds": _permutes_rounds,
    "takes float32 rewards, narrow indices and whole-number targets": _types,
    "stays finite with extreme rewards and propensities": _extremes,
    "gives no scores without rounds, and the mean reward with one task": _little,
    "refuses missing rewards and targets that are no probabilities": _refuses,
    "is right on average": _right_on_average,
}
