"""PDTS: posterior and diversity synergised task sampling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of
from ._quadrature import normal_argmax

NODES = 260  # of the quadrature: enough for posterior deviations of at least LEAST times the largest
LEAST = 0.05


@dataclass(kw_only=True)
class Pdts(Policy):
    """Decides by a posterior over described tasks: p_i is the chance that task i is the best of one posterior draw.

    A Gaussian process with the kernel exp(-d(x_i, x_j)^2 / (2 length^2)) over the task descriptions `Task.features`
    predicts the reward of every task from the discounted rewards of all, so that what is seen of one task tells of
    similar ones. Rewards are scaled to mean 0 and variance 1. With posterior mean m_i and deviation s_i

        score_i = m_i + diversity min_j d(x_i, x_j) over the last batch - 1 tasks drawn,
        q_i = P(score_i + s_i Z_i is the largest),  Z_i independent standard normal,   p = (1 - e) q + e / K

    by quadrature, with s_i at least 0.05; p is equal for the fraction `warmup` of the budget. d is the Euclidean
    distance of the features, each scaled to [0, 1], divided by the largest; without features it is 1 between any two
    tasks. PDTS seeks high risk: use the signal `loss` for that, or a signal of progress to seek learning.

    The released code has a neural process in place of the Gaussian process, and takes its draws jointly; independent
    draws explore somewhat more among similar tasks. It costs O(K^3), and fails where the features say nothing about how
    tasks learn.

    Args:
        length: of the kernel, above 0, in units of the largest distance.
        noise: variance of a reward given its task over the variance of all rewards, above 0.
        discount: factor on old rewards per update, in (0, 1].
        diversity: weight of the distance to tasks drawn just before, not negative.
        batch: decisions that should differ, at least 1; 1 switches diversity off.
        warmup: fraction of the budget, in [0, 1]; 0.1 in the released code.
        exploration: e, in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = Pdts(warmup=0.0)
    >>> policy.reset([Task(name="slow", features=(0.1,)), Task(name="fast", features=(0.9,))])
    >>> policy.probabilities(Context.start(2)).round(6)
    array([[0.5, 0.5]])
    """

    name = "pdts"
    family = "allocation"
    needs = frozenset({"reward"})
    usual_signal = "loss"
    source = (
        "after its released code: thu-rllab/PDTS RL/DR (Gaussian process in place of its neural process); the paper, "
        "Qu et al. 2025, could not be checked"
    )
    complexity = "O(K^3 + 260 K) at most, about 0.2 ms at K = 9"
    derived = frozenset({"tasks_", "distance_", "kernel_"})

    length: float = 0.3
    noise: float = 1.0
    discount: float = 0.98
    diversity: float = 0.2
    batch: int = 4
    warmup: float = 0.1
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("length", self.length, low=0.0, low_open=True)
        check_number("noise", self.noise, low=0.0, low_open=True)
        check_number("discount", self.discount, low=0.0, high=1.0, low_open=True)
        check_number("diversity", self.diversity, low=0.0)
        check_integer("batch", self.batch, low=1)
        check_number("warmup", self.warmup, low=0.0, high=1.0)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from the prior.

        Raises:
            ValueError: the features of two tasks have different lengths.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.distance_ = _distances(tasks)
        self.kernel_ = np.exp(-((self.distance_ / self.length) ** 2) / 2.0)
        self.count_ = np.zeros((n_runs, n))
        self.mean_ = np.zeros((n_runs, n))
        self.total_ = np.zeros(n_runs)
        self.level_ = np.zeros(n_runs)
        self.spread_ = np.zeros(n_runs)
        self.recent_ = np.full((n_runs, self.batch - 1), -1, dtype=np.int64)

    def probabilities(self, context: Context) -> Floats:
        """The chance of being best with the exploration mixed in, shape (n_runs, n_tasks)."""
        n_runs, n = self.count_.shape
        deviation = np.sqrt(self.spread_ / np.maximum(self.total_, 1e-12))
        flat = deviation <= 1e-9 * np.abs(self.level_)
        scale = np.where(flat | (deviation == 0.0), 1.0, deviation)[:, None]
        rewards = np.where(flat[:, None] | (self.count_ == 0.0), 0.0, (self.mean_ - self.level_[:, None]) / scale)
        weight = self.count_ / self.noise
        # (K^-1 + A)^-1 = (I + K A)^-1 K needs no inverse of K, which is singular for equal descriptions.
        covariance = np.linalg.solve(
            np.eye(n) + self.kernel_ * weight[:, None, :], np.broadcast_to(self.kernel_, (n_runs, n, n))
        )
        mean = np.einsum("rij,rj->ri", covariance, weight * rewards)
        score = mean + self.diversity * self._distance_to_recent()
        deviation = np.sqrt(np.maximum(np.einsum("rii->ri", covariance), LEAST**2))
        mask = mask_of(context)
        best = normal_argmax(score, deviation, mask, NODES)
        even = np.full_like(score, 1.0 / n)
        warm = (context.progress < self.warmup)[:, None]
        return np.where(warm, even, explore(best, self.exploration, mask))

    def _distance_to_recent(self) -> Floats:
        drawn = self.recent_ >= 0
        distance = np.where(drawn[:, :, None], self.distance_[self.recent_], 1.0)
        return distance.min(axis=1, initial=1.0)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Discount what is known and add the reward."""
        runs = np.arange(len(chosen))
        self.count_ *= self.discount
        self.count_[self.count_ < 1e-12] = 0.0
        self.count_[runs, chosen] += 1.0
        self.mean_[runs, chosen] += (reward - self.mean_[runs, chosen]) / self.count_[runs, chosen]
        self.total_ = self.discount * self.total_ + 1.0
        gap = reward - self.level_
        self.level_ = self.level_ + gap / self.total_
        self.spread_ = self.discount * self.spread_ + gap * (reward - self.level_)
        self.recent_ = np.concatenate((self.recent_, chosen[:, None]), axis=1)[:, 1:]

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The defaults, and without diversity."""
        yield cls()
        yield cls(batch=1, warmup=0.0, discount=1.0)


def _distances(tasks: Sequence[Task]) -> Floats:
    for task in tasks:
        if len(task.features) != len(tasks[0].features):
            raise ValueError(
                f"tasks must have equally many `features`, got {len(task.features)} for {task.name!r} and "
                f"{len(tasks[0].features)} for {tasks[0].name!r}."
            )
    features = np.array([task.features for task in tasks], dtype=np.float64)
    if features.shape[1] == 0:
        return 1.0 - np.eye(len(tasks))
    span = np.ptp(features, axis=0)
    features = (features - features.min(axis=0)) / np.where(span > 0.0, span, 1.0)
    distance = np.sqrt(((features[:, None] - features[None]) ** 2).sum(axis=2))
    return distance / distance.max() if distance.max() > 0.0 else distance
