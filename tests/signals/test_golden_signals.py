"""The golden table of signals: what was measured, the rewards that must follow, and who says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from apportion.records import Evaluation, Task
from apportion.signals import (
    SIGNALS,
    Advantage,
    DecayedQuantiles,
    Entropy,
    ExcessLoss,
    GradientAlignment,
    GradientNorm,
    HeldOutGain,
    Learnability,
    Loss,
    LossDecrease,
    MeanGain,
    PerCost,
    PerformanceGap,
    PredictionGain,
    ReservoirQuantiles,
    SelfGain,
    Signal,
    TargetGain,
    WindowedQuantiles,
    Worth,
    ZScore,
)

TASKS = [Task(name="cola", priority=3.0), Task(name="rte", priority=1.0)]
NAN = float("nan")


@dataclass
class Told:
    """A decision for the task with this index, and what the loop measured."""

    chosen: int
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Row:
    """Signal, decisions and evaluations (scores of both tasks), the reward of every decision, and the source."""

    signal: Signal
    events: Sequence[Told | Sequence[float]]
    expected: Sequence[float]
    source: str

    def outcome(self):
        signal, rewards, waiting = self.signal.clone(), [], []
        signal.reset(TASKS)
        for event in self.events:
            if isinstance(event, Told):
                measured = {"cost": 1.0, **event.measured}
                values = {name: np.array([measured[name]]) for name in signal.requires & measured.keys()}
                rewards.append(signal.reward(np.array([event.chosen]), values)[0])
                waiting.append((event.chosen, measured["cost"]))
                continue
            evaluation = Evaluation(step=0, scores=np.array([event]), counts=np.zeros((1, 2), dtype=np.int64))
            if signal.is_deferred:
                chosen = np.array([[task for task, _ in waiting]], dtype=np.int64)
                costs = np.array([[cost for _, cost in waiting]], dtype=np.float64)
                rewards[len(rewards) - len(waiting) :] = signal.credit(evaluation, chosen, costs)[0]
            else:
                signal.observe(evaluation)
            waiting.clear()
        return rewards


def losses(*values):
    return [Told(0, {"loss": value}) for value in values]


ROWS = [
    Row(Loss(), losses(0.7, 0.0), [0.7, 0.0], "by hand"),
    Row(
        LossDecrease(),
        [Told(task, {"loss": loss}) for task, loss in ((0, 1.0), (1, 5.0), (0, 0.75), (1, 6.0), (1, NAN), (1, 5.5))],
        [NAN, NAN, 0.25, -1.0, NAN, 0.5],
        "by hand: against the last finite loss of the same task",
    ),
    Row(PredictionGain(), [Told(0, {"loss": 0.7, "loss_after": 0.9})], [-0.2], "L(x, theta) - L(x, theta') by hand"),
    Row(SelfGain(), [Told(0, {"self_before": 1.5, "self_after": 1.0})], [0.5], "L(x', theta) - L(x', theta') by hand"),
    Row(
        TargetGain(),
        [Told(0, {"target_before": 1.5, "target_after": 1.0})],
        [0.5],
        "the same on a batch of the targets",
    ),
    Row(MeanGain(), [Told(0, {"mean_before": 1.5, "mean_after": 1.0})], [0.5], "the same on a batch of any task"),
    Row(GradientNorm(), [Told(0, {"gradient_norm": 9.0})], [9.0], "by hand"),
    Row(GradientAlignment(), [Told(0, {"gradient_alignment": -0.25})], [-0.25], "by hand"),
    Row(Entropy(), [Told(0, {"entropy": 0.69})], [0.69], "by hand"),
    Row(Advantage(), [Told(0, {"advantage": 0.4})], [0.4], "by hand"),
    Row(
        Learnability(),
        [Told(0, {"success": value}) for value in (0.0, 0.5, 0.75, 1.0 + 1e-9)],
        [0.0, 0.25, 0.1875, 0.0],
        "s (1 - s) by hand",
    ),
    Row(
        Worth(others=False, upkeep=0.0, patience=20.0),
        [Told(0, {"success": 0.0, "loss": 1.0}), Told(1, {"success": 0.5, "loss": 1.0})],
        [1.5 * 20.0 / 10.5, 0.5 * 20.0 * 0.5 / 11.0],
        "priority * patience * (1 - level) / (t / K + 10) by hand, where patience exceeds every slope",
    ),
    Row(
        ExcessLoss(),
        [Told(0, {"loss": 0.7, "reference_loss": 0.5}), Told(0, {"loss": 0.5, "reference_loss": 0.7})],
        [0.2, 0.0],
        "DoReMi's clipped excess by hand",
    ),
    Row(ExcessLoss(clip=False), [Told(0, {"loss": 0.5, "reference_loss": 0.7})], [-0.2], "by hand"),
    Row(
        PerformanceGap(reference={"rte": 0.7, "cola": 0.6}, floor=0.05),
        [Told(0), [0.2, NAN], Told(0), Told(1), [NAN, 0.8], Told(0), Told(1)],
        [NAN, 0.4, NAN, 0.4, 0.05],
        "max(reference - score, floor) by hand, with the last score known",
    ),
    Row(
        PerformanceGap(reference=0.8, relative=True),
        [[0.2, 0.9], Told(0), Told(1)],
        [0.75, 0.0],
        "max(1 - score / reference, 0) by hand",
    ),
    Row(
        PerCost(Loss()),
        [Told(0, {"loss": 0.5, "cost": 4.0}), Told(0, {"loss": 0.5, "cost": 0.0})],
        [0.125, NAN],
        "reward / cost by hand; none for a decision that cost nothing",
    ),
    # (3 * 0.2 + 1 * -0.2) / 4 = 0.1
    Row(
        HeldOutGain(),
        [Told(0), [0.5, 0.5], Told(0), Told(1, {"cost": 3.0}), [0.7, 0.3]],
        [NAN, 0.05, 0.05],
        "the priority-weighted gain of 0.1 over two decisions by hand",
    ),
    Row(
        HeldOutGain(by="cost"),
        [[0.5, 0.5], Told(0), Told(1, {"cost": 3.0}), [0.7, 0.3]],
        [0.025, 0.075],
        "the priority-weighted gain of 0.1 over costs of 1 and 3 by hand",
    ),
    # Windows (2, 0) and (0, 1) gain 0.2 and 0. First: A = diag(4, 0), m = 0.1, penalty 0.5 * 2 = 1, so both are 0.1.
    # Then A = diag(4, 1), A b = (0.4, 0), m = 0.2 / 3, penalty 0.5 * 2.5 = 1.25:
    # b = m + ((0.4 - 4 m) / 5.25, (0 - m) / 2.25).
    Row(
        HeldOutGain(ridge=0.5, decay=1.0),
        [[0.0, 0.0], Told(0), Told(0), [0.2, 0.2], Told(1), [0.2, 0.2]],
        [0.1, 0.1, 0.2 / 3 - 0.2 / 3 / 2.25],
        "the normal equations solved by hand",
    ),
    Row(
        ReservoirQuantiles(Loss(), low=0.25, high=0.75),
        losses(0.0, 4.0, 8.0, 4.0, 3.5, 100.0),
        # Bounds before each: none; 0, 0; 1, 3; 2, 6; 3, 5; 3.5, 4.
        [0.0, 1.0, 1.0, 0.0, -0.5, 1.0],
        "Graves's formula by hand",
    ),
    Row(
        ReservoirQuantiles(Loss(), low=0.0, high=1.0, capacity=2),
        # Kept: 8; 8, 0; 8, 6 (every second); 8, 6; 8, 2 (every fourth).
        losses(8.0, 0.0, 6.0, 7.0, 2.0, 5.0),
        [0.0, -1.0, 0.5, 0.0, -1.0, 0.0],
        "the thinning by hand",
    ),
    Row(
        WindowedQuantiles(Loss(), low=0.0, high=1.0, window=2, range="unit"),
        losses(9.0, 1.0, 5.0, 2.0, 0.0),
        [0.5, 0.0, 0.5, 0.25, 0.0],
        "by hand: bounds none; 9, 9; 1, 9; 1, 5; 2, 5",
    ),
    # Weights 0.25, 0.5, 1 of 8, 0, 4: sorted 0, 4, 8 with sums 0.5, 1.5, 1.75; a quarter is 0.4375, 0.95 is 1.6625.
    Row(
        DecayedQuantiles(Loss(), low=0.25, high=0.95, decay=0.5),
        losses(8.0, 0.0, 4.0, 2.0),
        [0.0, -1.0, 0.0, -0.5],
        "by hand: bounds none; 8, 8; 0, 8; 0, 8",
    ),
    # Mean 2, deviation 1 after 1 and 3; after 1, 3 and 4: mean 8/3, variance 26/3 - 64/9 = 14/9.
    Row(
        ZScore(Loss(), limit=4.0),
        losses(1.0, 3.0, 4.0, 0.0),
        [0.0, 0.0, 0.5, -(8 / 3) / (14 / 9) ** 0.5 / 4],
        "by hand",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.signal!r}: {row.source}"[:100])
def test_signal_gives_what_the_source_says(row):
    assert row.source.strip()
    np.testing.assert_allclose(row.outcome(), row.expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cls", SIGNALS, ids=lambda cls: cls.name)
def test_signal_has_a_row(cls):
    assert any(type(row.signal) is cls for row in ROWS), f"add a row for {cls.name!r}"


def evaluation(*scores):
    return Evaluation(step=0, scores=np.array([scores]), counts=np.zeros((1, len(scores)), dtype=np.int64))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: PerformanceGap(reference=0.0, relative=True), ValueError, "`reference`"),
        (lambda: PerformanceGap(reference={"cola": NAN}), ValueError, "`reference`"),
        (lambda: PerformanceGap(reference="best"), TypeError, "`reference` must be a number"),
        (lambda: PerformanceGap(floor=float("inf")), ValueError, "`floor`"),
        (lambda: PerformanceGap(reference={"cola": 1.0}).reset(TASKS), ValueError, "'rte' is missing"),
        (lambda: PerformanceGap(reference={"cola": 1.0, "rtee": 1.0}).reset(TASKS), ValueError, "did you mean 'rte'"),
        (lambda: Loss().credit(evaluation(0.5, 0.5), np.zeros((1, 0), int), np.zeros((1, 0))), TypeError, "at once"),
    ],
)
def test_what_makes_no_sense_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
