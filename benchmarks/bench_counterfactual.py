"""What else the counterfactual policy could do: variants that were tried beside it and are not shipped.

    python benchmarks/bench_counterfactual.py [--worlds speeds/2,...] [--variants mixtures] [--runs 8] [--seed 31]

Prints one line of JSON per world and variant: the gain over uniform and the gap closed, paired with the policy as it
is, on public worlds. The variants:

loss fraction: a ninth feature, ln of the part of a task's first loss that is left (it needs the loss of each batch,
    which policies do not get; the signal hands it over here).
mixtures: actions are four mixtures of tasks, by the quarter of the tasks' values, instead of single tasks: one weight
    for each quarter replaces the weights of the features.
horizon: what a task gains is discounted by how much of it will be forgotten by the end, from how far its level falls
    while it is not drawn.
"""

import argparse
import json
from dataclasses import dataclass

import numpy as np

from apportion.policies.counterfactual import Counterfactual
from apportion.signals.worth import Worth
from apportion.sim import simulate, suite
from apportion.study.worlds import load_references

WORLDS = "speeds/2,useless/1,transfer/2,change/1,forgetting/1,forgetting/3"


@dataclass(kw_only=True)
class _Losses(Worth):
    """The signal as it is, which also remembers the first and the last losses of each task."""

    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        _Losses.live = self
        self.first_seen_ = np.full((n_runs, len(tasks)), np.nan)
        self.recent_ = np.full((n_runs, len(tasks)), np.nan)

    def reward(self, chosen, measured):
        at = (np.arange(len(chosen)), chosen)
        loss = np.maximum(measured["loss"], 1e-6)
        new = np.isnan(self.recent_[at])
        self.first_seen_[at] = np.where(new, loss, self.first_seen_[at])
        self.recent_[at] = np.where(new, loss, 0.85 * self.recent_[at] + 0.15 * loss)
        return super().reward(chosen, measured)


@dataclass(kw_only=True)
class _LossFraction(Counterfactual):
    """The policy with one more feature, from the signal that runs."""

    def features(self):
        known = super().features()
        with np.errstate(invalid="ignore"):
            left = np.log(_Losses.live.recent_ / _Losses.live.first_seen_)
        left = np.where(np.isfinite(left), left, 0.0)
        left -= left.mean(axis=1, keepdims=True)
        return np.concatenate([known, np.clip(left, -6.0, 6.0)[:, :, None]], axis=2)

    def _prior(self):
        return np.array((*self.prior, 0.0))


@dataclass(kw_only=True)
class _Mixtures(Counterfactual):
    """Draws one of four mixtures of tasks: a softmax over membership has the same probabilities."""

    groups: int = 4

    def _seen(self):
        value, deviation = self.values()
        rank = np.argsort(np.argsort(-(value + self.optimism * deviation), axis=1), axis=1)
        member = rank * self.groups // value.shape[1]
        return (member[:, :, None] == np.arange(self.groups)).astype(np.float64)

    def _prior(self):
        return np.linspace(1.5, -1.5, self.groups)


@dataclass(kw_only=True)
class _Horizon(Worth):
    """The signal with gains that are discounted by what will be forgotten of them."""

    budget: float = 1000.0

    def reset(self, tasks, n_runs=1):
        super().reset(tasks, n_runs)
        self.gone_ = np.zeros((n_runs, len(tasks)))
        self.falls_ = np.zeros((2, n_runs, len(tasks)))

    def reward(self, chosen, measured):
        at = (np.arange(len(chosen)), chosen)
        away = self.told_ - self.gone_[at]
        before = self.level_[at].copy()
        reward = super().reward(chosen, measured)
        fall = np.where(self.counts_[at] > 3, before - measured["success"], 0.0)
        self.falls_[0][at] = 0.95 * self.falls_[0][at] + fall
        self.falls_[1][at] = 0.95 * self.falls_[1][at] + away * np.maximum(before, 0.05)
        self.gone_[at] = self.told_
        rate = np.clip(self.falls_[0] / np.maximum(self.falls_[1], 1.0), 0.0, 0.05)
        left = np.maximum(self.budget - self.told_, 0.0)
        kept = np.exp(-rate * left[:, None])
        return reward * kept[at] / np.maximum(kept.mean(axis=1), 1e-9)


def variants(world):
    return {
        "counterfactual": (Counterfactual(), Worth()),
        "loss fraction": (_LossFraction(), _Losses()),
        "mixtures": (_Mixtures(), Worth()),
        "horizon": (Counterfactual(), _Horizon(budget=float(world.budget))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", default=WORLDS)
    parser.add_argument("--variants", default="loss fraction,mixtures,horizon", help="with commas")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=31)
    given = parser.parse_args()
    gaps = {}
    for name in given.worlds.split(","):
        world, best = suite.load(name, split="public"), load_references(name, "public").best
        play = {"n_runs": given.runs, "seed": given.seed}
        uniform = simulate(world, "uniform", **play).final
        room = best - uniform.mean()
        for label, (policy, signal) in variants(world).items():
            if label not in ("counterfactual", *given.variants.split(",")):
                continue
            gap = (simulate(world, policy, signal, **play).final - uniform) / room
            gaps.setdefault(label, []).append(gap)
            figure = {"figure": "variant", "world": name, "variant": label, "runs": given.runs}
            print(json.dumps({**figure, "gap_closed": round(float(gap.mean()), 4)}), flush=True)
    own = np.mean(gaps["counterfactual"], axis=0)
    for label, rows in gaps.items():
        mean = np.mean(rows, axis=0)
        error = (mean - own).std(ddof=1) / np.sqrt(given.runs)
        figure = {"figure": "variant", "world": "all", "variant": label, "runs": given.runs}
        figure |= {"mean_gap": round(float(mean.mean()), 4), "ahead": round(float((mean - own).mean()), 4)}
        print(json.dumps({**figure, "standard_error": round(float(error), 4)}), flush=True)


if __name__ == "__main__":
    main()
