"""A learning rate that falls, what it hides, and batches learned by heart: by hand, and recovered from logs."""

import numpy as np
import pytest

from apportion import Task
from apportion.forecast.history import History
from apportion.sim import LearningWorld, Noisy, simulate
from apportion.sim._fitting import Table
from apportion.sim._measured import Losses, fit_losses
from apportion.sim._streams import Streams
from apportion.sim.oracle import oracle

TASKS = (Task(name="a"), Task(name="b"))


def world(budget=10, **parts):
    return LearningWorld(tasks=TASKS, budget=budget, scale=(5.0, 50.0), **parts)


def test_batches_teach_less_as_the_rate_falls():
    made = world(cooling=1.0)
    made.reset(1)
    for _ in range(4):
        made.step(np.array([0]))
    # rates 1, 0.9, 0.8, 0.7 make 3.4 batches of scale 5
    assert made.scores()[0] == pytest.approx([1 - np.exp(-3.4 / 5), 0.0])
    assert made.rate() == pytest.approx(0.6)


def test_a_runner_says_what_was_spent():
    made = world(cooling=0.5)
    made.reset(2)
    made.note_progress(np.array([0.0, 1.0]))
    made.step(np.array([0, 0]))
    assert made.experience_[:, 0] * 5 == pytest.approx([1.0, 0.5])
    # Measuring the loss again costs a third of a step, yet the rate falls to its end with the budget.
    dear = world(budget=40, cooling=1.0, heat=0.5)
    result = simulate(dear, "exp3s", "prediction_gain", n_runs=3, seed=0)
    assert result.counts.sum(axis=1).tolist() == [30, 30, 30]
    spent = np.arange(30) * (4 / 3) / 40
    assert (result.counts[:, 0] > 0).all()
    most = 1 - np.exp(-(1 - spent).sum() / 5)
    assert (result.scores[:, 0] <= most).all()


def test_a_high_rate_hides_what_was_learned():
    made = world(cooling=1.0, heat=(0.4, 0.0))
    made.reset(1)
    made.step(np.array([0]))
    learned = 1 - np.exp(-1 / 5)
    assert made.scores()[0, 0] == pytest.approx(learned * (1 - 0.4 * 0.9))
    assert made.loss(np.array([0]))[0] == pytest.approx(0.3 + 1 - learned * (1 - 0.4 * 0.9))
    made.note_progress(np.ones(1))
    assert made.scores()[0, 0] == pytest.approx(learned)


def test_divided_batches_come_to_what_single_ones_do():
    parts = {"cooling": 1.0, "forgetting": 0.01, "interference": 0.3, "memory": 30.0, "heat": 0.2}
    single, divided = world(budget=400, **parts), world(budget=400, **parts)
    single.reset(1)
    divided.reset(1)
    for step in range(300):
        single.step(np.array([step % 2]))
    for _ in range(60):
        divided.flow(np.array([[0.5, 0.5]]), 5.0)
    assert divided.scores() == pytest.approx(single.scores(), abs=0.01)


def test_the_oracle_of_a_cooling_world_beats_single_plans_and_claims_no_proof():
    found = oracle(world(budget=12, cooling=1.0), effort=20)
    assert not found.verified
    for first in range(13):
        made = world(budget=12, cooling=1.0)
        made.reset(1)
        for step in range(12):
            made.step(np.array([int(step >= first)]))
        assert found.value >= float(made.objective()[0]) - 1e-9


def test_an_update_learns_its_own_batch_by_heart():
    made = Noisy(world(cooling=1.0), batch_noise=0.0, gain_noise=0.0, memorised=(0.1, 0.0))
    made.reset(1)
    needs, streams = frozenset({"loss", "loss_after", "self_before", "self_after"}), Streams(0, 1)
    made.note_progress(np.array([0.5]))
    found = made.train(np.array([0]), needs, streams, 0)
    taught = 1 - np.exp(-0.5 / 5)
    assert found["loss"] - found["loss_after"] == pytest.approx(taught + 0.1 * 0.5 * 1.3)
    assert found["self_before"] - found["self_after"] == pytest.approx(taught)  # another batch gains nothing by it


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: world(cooling=1.5), "`cooling` must be in"),
        (lambda: world(heat=(0.2, 1.0)), "heat"),
        (lambda: Noisy(world(), memorised=-0.1), "`memorised` must be in"),
        (lambda: Noisy(world(), gain_noise=(0.1,)), "`gain_noise` must have one entry"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_losses_and_their_noise_are_recovered_from_logs():
    """4 runs of 400 steps: the standard errors are below 0.005 for losses and 0.002 for what is learned by heart."""
    inner = LearningWorld(
        tasks=TASKS, budget=400, scale=(40.0, 90.0), cooling=1.0, irreducible=(0.2, 1.0), learnable=(1.5, 0.8)
    )
    made = Noisy(inner, batch_noise=(0.1, 0.2), gain_noise=(8.0, 4.0), memorised=(0.05, 0.2))
    needs, counts, losses = frozenset({"loss", "loss_after"}), [], []
    n_runs, streams = 4, Streams(1, 4)
    made.reset(n_runs)
    chosen = np.random.default_rng(0).integers(0, 2, (400, n_runs))
    found = [made.train(row, needs, streams, step) for step, row in enumerate(chosen)]
    for run in range(n_runs):
        drawn = np.cumsum(np.eye(2)[chosen[:, run]], axis=0)
        counts.append(np.vstack([np.zeros(2), drawn[19::20]]))
        before, after = (np.array([item[name][run] for item in found]) for name in ("loss", "loss_after"))
        losses.append(Losses(chosen=chosen[:, run], before=before, after=after))
    histories = [History.of_run(TASKS, counts=item, scores=np.zeros_like(item), budget=400) for item in counts]
    back = fit_losses(inner, Table.of(histories), losses)
    assert back["irreducible"] == pytest.approx([0.2, 1.0], abs=0.03)
    assert back["learnable"] == pytest.approx([1.5, 0.8], abs=0.05)
    assert back["batch_noise"] == pytest.approx([0.1, 0.2], rel=0.1)
    assert back["memorised"] == pytest.approx([0.05, 0.2], abs=0.01)
    assert back["gain_noise"] == pytest.approx([8.0 / 400, 4.0 / 400], rel=0.15)
    with pytest.raises(ValueError, match="an entry for each of the 4 runs"):
        fit_losses(inner, Table.of(histories), losses[:2])
