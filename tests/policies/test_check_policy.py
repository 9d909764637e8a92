"""`check_policy` finds every kind of broken promise, and says which."""

import doctest
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from apportion import testing
from apportion.policies import Policy
from apportion.testing import check_policy


@dataclass(kw_only=True)
class Counting(Policy):
    """A sound policy: more rewards for a task, more probability."""

    name: ClassVar[str] = "counting"
    family: ClassVar = "bandit"
    needs: ClassVar[frozenset[str]] = frozenset({"reward"})
    step: float = 0.1

    def reset(self, tasks, n_runs=1):
        self.sums_ = np.zeros((n_runs, len(tasks)))

    def probabilities(self, context):
        values = 1.0 + np.tanh(self.sums_) / 2
        return values / values.sum(axis=1, keepdims=True)

    def update(self, chosen, probabilities, reward):
        self.sums_[np.arange(len(chosen)), chosen] += self.step * np.tanh(reward)


def test_a_sound_policy_passes():
    check_policy(Counting())


def test_the_example_of_the_module_runs():
    assert doctest.testmod(testing).failed == 0


class Unnormalised(Counting):
    def probabilities(self, context):
        return super().probabilities(context) * (1 + 1e-9)


class Overflowing(Counting):
    def probabilities(self, context):
        values = np.exp(self.sums_)
        return values / values.sum(axis=1, keepdims=True)

    def update(self, chosen, probabilities, reward):
        self.sums_[np.arange(len(chosen)), chosen] += reward


class Impure(Counting):
    def probabilities(self, context):
        self.sums_ += 0.01 * np.arange(self.sums_.shape[1])
        return super().probabilities(context)


class Aliasing(Counting):
    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        self.answer_ = np.full((n_runs, len(tasks)), 1 / len(tasks))

    def probabilities(self, context):
        return self.answer_


class Remembering(Counting):
    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        self.last_ = np.zeros((n_runs, len(tasks)))

    def observe(self, evaluation):
        self.last_ = evaluation.scores


class Waiting(Counting):
    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        self.pending = 0

    def probabilities(self, context):
        self.pending += 1
        return super().probabilities(context)

    def update(self, chosen, probabilities, reward):
        self.pending -= 1
        if self.pending < 0:
            raise RuntimeError("nobody asked")
        super().update(chosen, probabilities, reward)


class Mixing(Counting):
    def probabilities(self, context):
        values = np.tile(1.0 + np.tanh(self.sums_.mean(axis=0)) / 2, (len(self.sums_), 1))
        return values / values.sum(axis=1, keepdims=True)


class Forgetful(Counting):
    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        self.hidden = np.zeros_like(self.sums_)

    def probabilities(self, context):
        values = 1.0 + np.tanh(self.hidden) / 2
        return values / values.sum(axis=1, keepdims=True)

    def update(self, chosen, probabilities, reward):
        self.hidden[np.arange(len(chosen)), chosen] += reward


class Lingering(Counting):
    def reset(self, tasks, n_runs=1):
        if not hasattr(self, "sums_") or self.sums_.shape != (n_runs, len(tasks)):
            super().reset(tasks, n_runs)


class FirstBest(Counting):
    def probabilities(self, context):
        answer = np.full(self.sums_.shape, 0.5 / self.sums_.shape[1])
        answer[np.arange(len(answer)), self.sums_.round(1).argmax(axis=1)] += 0.5
        return answer


class Undeclared(Counting):
    needs: ClassVar[frozenset[str]] = frozenset()


class Static(Counting):
    static: ClassVar[bool] = True


class Shouting(Counting):
    name: ClassVar[str] = "Counting"


class Evaluating(Counting):
    def observe(self, evaluation):
        self.sums_ += np.nan_to_num(evaluation.scores)


class Rowless(Counting):
    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        self.told_ = 0

    def probabilities(self, context):
        values = 1.0 + np.tanh(self.sums_ / (1 + self.told_)) / 2
        return values / values.sum(axis=1, keepdims=True)

    def update(self, chosen, probabilities, reward):
        super().update(chosen, probabilities, reward)
        self.told_ += 1


@pytest.mark.parametrize(
    ("policy", "promise"),
    [
        (Unnormalised(), "valid probabilities"),
        (Overflowing(), "constant, zero, huge and tiny rewards"),
        (Impure(), "pure"),
        (Aliasing(), "pure"),
        (Remembering(), "keeps no reference"),
        (Waiting(), "did not make"),
        (Mixing(), "n single runs"),
        (Rowless(), "n single runs"),
        (Forgetful(), "resumes exactly"),
        (Lingering(), "starts anew"),
        (FirstBest(), "permutes"),
        (Undeclared(), "uses only what `needs` names"),
        (Evaluating(), "uses only what `needs` names"),
        (Static(), "`static`"),
        (Shouting(), "declares name"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Policy) else "",
)
def test_a_broken_promise_is_named(policy, promise):
    with pytest.raises(AssertionError, match=promise) as caught:
        check_policy(policy, updates=500)
    assert type(policy).__name__ in str(caught.value)
