"""Signals give the numbers that their formulas give by hand."""

import numpy as np
import pytest

from apportion.records import Evaluation, Task
from apportion.signals import (
    Advantage,
    Entropy,
    ExcessLoss,
    GradientAlignment,
    GradientNorm,
    Learnability,
    Loss,
    LossDecrease,
    MeanGain,
    PerCost,
    PerformanceGap,
    PredictionGain,
    SelfGain,
    TargetGain,
)

TASKS = [Task(name="cola"), Task(name="rte")]


def asked(signal, chosen=0, **measured):
    return signal.reward(np.array([chosen]), {name: np.array([value]) for name, value in measured.items()})[0]


@pytest.mark.parametrize(
    ("signal", "measured", "expected"),
    [
        (Loss(), {"loss": 0.7}, 0.7),
        (PredictionGain(), {"loss": 0.7, "loss_after": 0.9}, -0.2),
        (SelfGain(), {"self_before": 1.5, "self_after": 1.0}, 0.5),
        (TargetGain(), {"target_before": 1.5, "target_after": 1.0}, 0.5),
        (MeanGain(), {"mean_before": 1.5, "mean_after": 1.0}, 0.5),
        (GradientNorm(), {"gradient_norm": 9.0}, 9.0),
        (GradientAlignment(), {"gradient_alignment": -0.25}, -0.25),
        (Entropy(), {"entropy": 0.69}, 0.69),
        (Advantage(), {"advantage": 0.4}, 0.4),
        (Learnability(), {"success": 0.0}, 0.0),
        (Learnability(), {"success": 0.75}, 0.1875),
        (Learnability(), {"success": 1.0 + 1e-9}, 0.0),
        (ExcessLoss(), {"loss": 0.7, "reference_loss": 0.5}, 0.2),
        (ExcessLoss(), {"loss": 0.5, "reference_loss": 0.7}, 0.0),
        (ExcessLoss(clip=False), {"loss": 0.5, "reference_loss": 0.7}, -0.2),
        (PerCost(ExcessLoss(clip=False)), {"loss": 0.5, "reference_loss": 0.7, "cost": 4.0}, -0.05),
        (PerCost(Loss()), {"loss": 0.5, "cost": 0.0}, np.nan),
    ],
    ids=lambda value: repr(value) if not isinstance(value, dict) else "",
)
def test_reward_by_hand(signal, measured, expected):
    signal.reset(TASKS)
    assert signal.requires == set(measured) | ({"cost"} if isinstance(signal, PerCost) else set())
    assert asked(signal, **measured) == pytest.approx(expected, nan_ok=True)


def test_loss_decrease_compares_with_the_last_loss_of_the_same_task():
    signal = LossDecrease()
    signal.reset(TASKS)
    history = [(0, 1.0), (1, 5.0), (0, 0.75), (1, 6.0), (1, np.nan), (1, np.inf), (1, 5.5), (0, 0.75)]
    rewards = [asked(signal, chosen, loss=loss) for chosen, loss in history]
    np.testing.assert_allclose(rewards, [np.nan, np.nan, 0.25, -1.0, np.nan, np.nan, 0.5, 0.0])


def evaluation(*scores):
    return Evaluation(step=0, scores=np.array([scores]), counts=np.zeros((1, len(scores)), dtype=np.int64))


def test_performance_gap_uses_the_last_score_of_each_task():
    signal = PerformanceGap(reference={"rte": 0.7, "cola": 0.6}, floor=0.05)
    signal.reset(TASKS)
    assert np.isnan(asked(signal, 0))
    signal.observe(evaluation(0.2, np.nan))
    assert asked(signal, 0) == pytest.approx(0.4)
    assert np.isnan(asked(signal, 1))
    signal.observe(evaluation(np.nan, 0.8))
    assert asked(signal, 0) == pytest.approx(0.4)
    assert asked(signal, 1) == 0.05


def test_relative_performance_gap():
    signal = PerformanceGap(reference=0.8, relative=True)
    signal.reset(TASKS)
    signal.observe(evaluation(0.2, 0.9))
    assert [asked(signal, 0), asked(signal, 1)] == pytest.approx([0.75, 0.0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: PerformanceGap(reference=0.0, relative=True), ValueError, "`reference`"),
        (lambda: PerformanceGap(reference={"cola": float("nan")}), ValueError, "`reference`"),
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
