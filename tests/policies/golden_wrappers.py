"""Golden rows of the wrappers. All by hand, around mixtures, so that the arithmetic can be followed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from apportion.policies import Blend, CostAware, Floor, Hold, Mixture, Policy, Prior, WarmUp
from policies.golden import At, Row, Update, tasks


@dataclass
class Follow(Policy):
    """Gives the task with the largest sum of rewards nine tenths: simple enough to follow by hand."""

    needs: ClassVar[frozenset[str]] = frozenset({"reward"})

    def reset(self, tasks, n_runs=1):
        self.tasks_ = tuple(tasks)
        self.sums_ = np.zeros((n_runs, len(tasks)))

    def probabilities(self, context):
        best = self.sums_ == self.sums_.max(axis=1, keepdims=True)
        n_tasks = self.sums_.shape[1]
        return 0.1 / n_tasks + 0.9 * best / best.sum(axis=1, keepdims=True)

    def update(self, chosen, probabilities, reward):
        self.sums_[np.arange(len(chosen)), chosen] += reward


ROWS = [
    Row(Floor(Mixture([8, 2, 0]), floor=0.1), tasks(3), [], [0.66, 0.24, 0.1], "by hand: 0.7 p + 0.1"),
    Row(Floor(Mixture([1, 0]), floor=0.5), tasks(2), [], [0.5, 0.5], "by hand: floors that leave nothing give uniform"),
    Row(WarmUp(Mixture([1, 0]), steps=5), tasks(2), [At(step=4)], [0.5, 0.5], "by hand: last step of the warm-up"),
    Row(WarmUp(Mixture([1, 0]), steps=5), tasks(2), [At(step=5)], [1.0, 0.0], "by hand: first step after it"),
    Row(
        WarmUp(Mixture([1, 0, 0]), fraction=0.1, shares={"b": 3, "c": 1}),
        tasks(3),
        [At(spent=99.0)],
        [0.0, 0.75, 0.25],
        "by hand: given shares below a tenth of the budget",
    ),
    Row(
        WarmUp(Mixture([1, 0]), fraction=0.1),
        tasks(2),
        [At(spent=100.0)],
        [1.0, 0.0],
        "by hand: at a tenth of the budget",
    ),
    Row(
        Prior(Mixture([1, 0]), shares=[0, 1], steps=8), tasks(2), [At(step=2)], [0.25, 0.75], "by hand: a quarter of 8"
    ),
    Row(
        Prior(Mixture([1, 0]), shares=[0, 1], fraction=0.5),
        tasks(2),
        [At(spent=250.0)],
        [0.5, 0.5],
        "by hand: half of the first half of the budget",
    ),
    Row(Prior(Mixture([1, 0]), shares=[0, 1], steps=8), tasks(2), [At(step=9)], [1.0, 0.0], "by hand: moved away"),
    Row(Blend(Mixture([1, 0]), Mixture([1, 3]), share=0.2), tasks(2), [], [0.85, 0.15], "by hand: 0.8 + 0.2 / 4"),
    # Mean costs 3 and 1: 1/3 to 1, so 1/4 and 3/4.
    Row(
        CostAware(Mixture([1, 1])),
        tasks(2),
        [At(fields={"counts": [2, 1], "costs": [6.0, 1.0]})],
        [0.25, 0.75],
        "by hand: equal shares of the budget",
    ),
    # c is not drawn yet: the mean over all decisions, (6 + 1 + 0) / 3 = 7/3. 1/3 : 1 : 3/7 = 7 : 21 : 9.
    Row(
        CostAware(Mixture([1, 1, 1])),
        tasks(3),
        [At(fields={"counts": [2, 1, 0], "costs": [6.0, 1.0, 0.0]})],
        [7 / 37, 21 / 37, 9 / 37],
        "by hand: a task not drawn yet costs the mean",
    ),
    Row(
        CostAware(Mixture([1, 1]), strength=0.5),
        tasks(2),
        [At(fields={"counts": [1, 1], "costs": [4.0, 1.0]})],
        [1 / 3, 2 / 3],
        "by hand: square root of the costs",
    ),
    Row(
        Hold(Follow(), steps=3),
        tasks(2),
        [Update(1, 1.0), Update(1, 1.0)],
        [0.5, 0.5],
        "by hand: two rewards of three wait",
    ),
    Row(
        Hold(Follow(), steps=3),
        tasks(2),
        [Update(1, 1.0), Update(1, 1.0), Update(0, 1.0)],
        [0.05, 0.95],
        "by hand: the third releases all",
    ),
    Row(Floor(Follow(), floor=0.25), tasks(2), [Update(1, 1.0)], [0.275, 0.725], "by hand: the policy inside learns"),
]
