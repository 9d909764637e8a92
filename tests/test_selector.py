import json
import os

import numpy as np
import pytest
from scipy import stats

from apportion import Budget, Constraints, Examples, Selector, Steps, Task, read_log
from apportion.errors import CheckpointError, FingerprintError


def drive(selector, n=10**9):
    """Ask and tell with a loss that depends on the step, until done."""
    while not selector.done and n:
        decision = selector.ask()
        selector.tell(decision, loss=1.0 / (1 + decision.step), cost=1.0, examples=2)
        n -= 1
    return selector


def test_realised_shares_agree_with_the_probabilities(tasks):
    # Chi-square with 2 degrees of freedom over 20,000 draws; false-alarm chance 1e-6 for a random seed.
    selector = drive(Selector(tasks, "temperature(temperature=2)", budget=Steps(20_000), seed=5))
    expected = selector.shares() * 20_000
    statistic = ((selector.counts - expected) ** 2 / expected).sum()
    assert statistic < stats.chi2.ppf(1 - 1e-6, df=2)


def test_block_draws_agree_with_the_probabilities(tasks):
    selector = Selector(tasks, "proportional", budget=Steps(50_000), seed=6)
    drawn = np.bincount(selector.draw(50_000), minlength=3)
    expected = selector.shares() * 50_000
    assert ((drawn - expected) ** 2 / expected).sum() < stats.chi2.ppf(1 - 1e-6, df=2)
    assert (selector.counts == drawn).all()
    assert selector.done


def test_a_task_with_a_tiny_share_is_drawn():
    tasks = [Task(name="tiny", size=1), Task(name="huge", size=999)]
    selector = drive(Selector(tasks, "proportional", budget=Steps(20_000), seed=0))
    assert 0 < selector.counts[0] < 60
    smooth = drive(Selector(tasks, "proportional", budget=Steps(2_000), seed=0, execution="smooth"))
    assert smooth.counts[0] == 2


def test_smooth_execution_stays_within_k_minus_one_draws_of_what_was_asked(tasks):
    selector = Selector(tasks, "mixture(shares=(0.61, 0.29, 0.1))", budget=Steps(500), seed=0, execution="smooth")
    asked = np.zeros(3)
    while not selector.done:
        asked += selector.shares()
        selector.skip(selector.ask(), cost=1.0)
        assert np.abs(selector.counts - asked).max() <= 2


def test_smooth_logs_are_marked_unusable_off_policy(tasks, tmp_path):
    for execution, usable in (("random", True), ("smooth", False)):
        log = tmp_path / f"{execution}.jsonl"
        drive(Selector(tasks, "uniform", budget=Steps(5), seed=0, execution=execution, log=log)).close()
        assert read_log(log).usable_off_policy is usable


def test_late_and_unordered_tells(tasks):
    selector = Selector(tasks, "exp3s", budget=Steps(10), seed=0)
    decisions = [selector.ask() for _ in range(4)]
    for decision in reversed(decisions):
        selector.tell(decision, reward=0.5)
    assert selector.spent == 4
    assert not selector.pending


def test_a_decision_is_told_once(tasks):
    selector = Selector(tasks, "uniform", budget=Steps(10), seed=0)
    decision = selector.ask()
    selector.tell(decision)
    with pytest.raises(ValueError, match="at step 0 is not pending: it was told or skipped before"):
        selector.tell(decision)
    with pytest.raises(ValueError, match="not pending"):
        selector.skip(decision)
    other = Selector(tasks, "uniform", budget=Steps(10), seed=0).ask()
    with pytest.raises(ValueError, match="not pending"):
        selector.tell(other)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_change_nothing(tasks, bad, tmp_path):
    selector = Selector(tasks, "exp3s", "loss_decrease", budget=Steps(10), seed=0, log=tmp_path / "log.jsonl")
    decision = selector.ask()
    before = json.dumps(selector.state_dict())
    with pytest.raises(ValueError, match=f"`loss` of the decision for task '{decision.name}' at step 0 must be finite"):
        selector.tell(decision, loss=bad)
    with pytest.raises(ValueError, match="held-out scores of task 'small' after step 1 must be finite"):
        selector.evaluate({"small": bad})
    with pytest.raises(ValueError, match="`cost`"):
        selector.tell(decision, loss=1.0, cost=bad)
    assert json.dumps(selector.state_dict()) == before
    selector.tell(decision, loss=1.0)


def test_missing_measurement_is_named(tasks):
    selector = Selector(tasks, "exp3s", "prediction_gain", budget=Steps(10), seed=0)
    with pytest.raises(ValueError, match="needs loss_after"):
        selector.tell(selector.ask(), loss=1.0)


def test_policy_that_learns_needs_a_reward(tasks):
    selector = Selector(tasks, "exp3s", budget=Steps(10), seed=0)
    with pytest.raises(ValueError, match="learns from rewards"):
        selector.tell(selector.ask(), loss=1.0)


def test_the_budget_is_never_overdrawn(tasks):
    selector = Selector(tasks, "uniform", budget=Steps(5), seed=0)
    pending = []
    while not selector.done:
        pending.append(selector.ask())
    assert len(pending) == 5
    with pytest.raises(RuntimeError, match="budget of 5 steps is used up"):
        selector.ask()
    selector.skip(pending.pop(), cost=0.0)
    assert not selector.done


def test_evaluations_are_charged(tasks):
    selector = Selector(tasks, "uniform", budget=Examples(100), seed=0)
    selector.evaluate({"small": 0.5, "large": None}, cost=40.0)
    assert selector.spent == selector.evaluation_cost == 40.0
    selector.evaluate({}, cost=60.0)
    assert selector.done


def test_most_repetitions(tasks):
    selector = Selector(tasks, "uniform", budget=Steps(10_000), seed=0, constraints=Constraints(max_epochs=2))
    while not selector.done:
        selector.tell(selector.ask(), examples=5)
    assert (selector.examples == [20, 200, 2000]).all()
    with pytest.raises(RuntimeError, match="no task is available"):
        selector.ask()


def test_floor_holds_for_an_adaptive_policy(tasks, tmp_path):
    log = tmp_path / "log.jsonl"
    selector = Selector(tasks, "epsilon_greedy", budget=Steps(300), seed=0, constraints=Constraints(floor=0.2), log=log)
    while not selector.done:
        decision = selector.ask()
        selector.tell(decision, reward=float(decision.task == 0))
    probabilities = read_log(log).logged.probabilities
    assert probabilities.min() >= 0.2 - 1e-12
    assert probabilities[:, 0].max() == pytest.approx(0.6)


def test_exact_resume_through_json(tasks, tmp_path):
    def make(log):
        return Selector(tasks, "exp3s", "loss_decrease", budget=Steps(60), seed=3, log=log)

    whole = tmp_path / "whole.jsonl"
    drive(make(whole)).close()
    cut = tmp_path / "cut.jsonl"
    first = drive(make(cut), 25)
    held = first.ask()
    text = json.dumps(first.state_dict())
    first.tell(held, loss=9.9)  # after the checkpoint: cut off again
    drive(first, 3)
    second = make(cut)
    second.load_state_dict(json.loads(text))
    (pending,) = second.pending
    second.tell(pending, loss=1.0 / (1 + pending.step), examples=2)
    drive(second).close()
    assert cut.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"policy": "exp3s(gamma=0.2)"}, "policy.gamma was"),
        ({"constraints": Constraints(floor=0.1)}, r"constraints.floor was 0\.0, is 0\.1"),
        ({"tasks": [Task(name="small", size=11)]}, r"tasks.small.size was 10, is 11"),
        ({"seed": 4}, "seed was 3, is 4"),
        ({"budget": Budget(70)}, "budget.amount was 60, is 70"),
        ({"signal": "loss"}, "signal.name"),
    ],
)
def test_resuming_another_run_is_refused_with_what_changed(tasks, change, words):
    given = {"tasks": tasks, "policy": "exp3s", "signal": "loss_decrease", "budget": Steps(60), "seed": 3}
    old = drive(Selector(**given), 5)
    new = Selector(**{**given, **change})
    before = json.dumps(new.state_dict())
    with pytest.raises(FingerprintError, match=words):
        new.load_state_dict(old.state_dict())
    assert json.dumps(new.state_dict()) == before


def test_migration_adds_and_removes_tasks_and_says_so(tasks, tmp_path):
    log = tmp_path / "log.jsonl"
    old = drive(Selector(tasks, "exp3s", "loss_decrease", budget=Steps(60), seed=3, log=log), 20)
    state = old.state_dict()
    counts = dict(zip(old.names, old.counts.tolist(), strict=True))
    new = Selector([tasks[2], tasks[0], Task(name="new")], "uniform", budget=Steps(60), seed=3, log=log)
    new.load_state_dict(json.loads(json.dumps(state)), migrate=True)
    assert dict(zip(new.names, new.counts.tolist(), strict=True)) == {
        "large": counts["large"],
        "small": counts["small"],
        "new": 0,
    }
    drive(new).close()
    read = read_log(log)
    assert read.logged.tasks == ("small", "middle", "large", "new")
    assert read.logged.n_rounds == 60
    (event,) = read.events
    assert event["event"] == "migrated"
    assert event["step"] == 20
    assert any("policy" in text for text in event["changes"])
    late = read.logged.rows(read.logged.step >= 20)
    np.testing.assert_allclose(late.probabilities, np.tile([1 / 3, 0, 1 / 3, 1 / 3], (40, 1)))


def test_a_damaged_state_is_refused_and_changes_nothing(tasks):
    make = lambda: Selector(tasks, "exp3s", "loss_decrease", budget=Steps(60), seed=3)  # noqa: E731
    state = drive(make(), 10).state_dict()
    for key in ("ledger", "drawing", "policy", "pending"):
        selector = make()
        before = json.dumps(selector.state_dict())
        with pytest.raises(CheckpointError, match=r"damaged"):
            selector.load_state_dict({**state, key: {"nonsense": 1}})
        assert json.dumps(selector.state_dict()) == before


def test_a_finished_log_is_not_overwritten(tasks, tmp_path):
    log = tmp_path / "log.jsonl"
    drive(Selector(tasks, "uniform", budget=Steps(5), seed=0, log=log)).close()
    text = log.read_bytes()
    with pytest.raises(FileExistsError, match="nothing was written"):
        Selector(tasks, "uniform", budget=Steps(5), seed=0, log=log).ask()
    assert log.read_bytes() == text


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"tasks": []}, "at least one task"),
        ({"tasks": [Task(name="a"), Task(name="a")]}, "'a' twice"),
        ({"tasks": [Task(name="a", priority=0.0)]}, "priorities must not sum to zero"),
        ({"policy": "exp3ss"}, "did you mean 'exp3s'"),
        ({"policy": "exp3s(gama=0.1)"}, "did you mean 'gamma'"),
        ({"execution": "smoth"}, "did you mean 'smooth'"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_wrong_arguments_are_named(tasks, bad, words):
    with pytest.raises(ValueError, match=words):
        Selector(**{"tasks": tasks, "policy": "uniform", "budget": Steps(5), "seed": 0, **bad})


def test_a_log_on_a_full_disk_stays_whole(tasks, tmp_path, monkeypatch):
    log = tmp_path / "log.jsonl"
    selector = drive(Selector(tasks, "uniform", budget=Steps(50), seed=0, log=log), 10)
    text = log.read_bytes()
    decision = selector.ask()
    real = os.write

    def full(handle, data):  # what a disk does that fills up in the middle of a line
        return real(handle, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="it is whole up to byte"):
        selector.tell(decision)
    monkeypatch.undo()
    assert log.read_bytes() == text
    selector.tell(decision)
    drive(selector).close()
    assert read_log(log).logged.n_rounds == 50


def test_a_folder_that_cannot_be_written(tasks):
    with pytest.raises(OSError):
        Selector(tasks, "uniform", budget=Steps(5), seed=0, log="/dev/null/log.jsonl")
