"""A policy may say which tasks an evaluation measures; the budget pays for those alone."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from apportion.budget import Steps
from apportion.policies import Policy
from apportion.tasksets import digits
from apportion.training import Settings, Trainer


@dataclass(kw_only=True)
class Sparing(Policy):
    """Uniform; measures two tasks at the start, none in the middle, one at last."""

    needs = frozenset({"evaluations"})

    def reset(self, tasks, n_runs=1):
        self.seen_ = np.zeros(n_runs)

    def probabilities(self, context):
        return np.full(context.counts.shape, 1 / context.n_tasks)

    def evaluation_tasks(self, context):
        chosen = np.zeros(context.counts.shape, dtype=bool)
        chosen[:, : (2, 0, 1)[int(self.seen_[0])]] = True
        return chosen

    def observe(self, evaluation):
        self.seen_ = self.seen_ + 1


def test_only_what_is_measured_is_charged():
    settings = Settings(evaluate_every=10, evaluation_size=16)
    trainer = Trainer(digits(), policy=Sparing(), budget=Steps(31), seed=0, when_exhausted="cycle", settings=settings)
    result = trainer.run()
    # A forward pass on 16 examples is a third of a step; the first and the third evaluation took place.
    assert result.evaluation_cost == pytest.approx(3 / 3)
    assert len(result.evaluations) == 2
    assert [sum(not math.isnan(score) for score in item.scores.values()) for item in result.evaluations] == [2, 1]
    assert trainer.loader.selector.policy.seen_[0] == 3
