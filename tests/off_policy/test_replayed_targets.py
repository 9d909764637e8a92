"""What a policy would have drawn from, had it watched a log: exactly what it did draw from, on a log of its own."""

import numpy as np
import pytest

from apportion import Constraints, Selector, Steps, Task
from apportion.errors import LogFormatError
from apportion.log import read_log, write_parquet
from apportion.off_policy import FixedTarget, LoggingTarget, Piece, ReplayedTarget, make_target, open_log
from apportion.off_policy import sources as off_policy_sources

TASKS = [Task(name="a", size=200), Task(name="b", size=600), Task(name="c", size=100, priority=2.0)]
GAINS = {"a": 0.1, "b": 0.5, "c": 0.3}


def train(path, policy, signal=None, *, steps=120, every=30, constraints=None, seed=0, late=0):
    """A run whose rewards differ by task and fall; `late` decisions are pending before the first is told."""
    selector = Selector(
        TASKS, policy, signal, budget=Steps(steps), seed=seed, constraints=constraints, log=path, execution="random"
    )
    rng, pending = np.random.default_rng(seed), []
    while not selector.done:
        if selector.step % every == 0 and not pending:
            scores = {task.name: 0.2 + 0.1 * rng.random() for task in TASKS}
            measured = {name: {task.name: rng.random() for task in TASKS} for name in ("loss",)}
            selector.evaluate(scores, measured=measured, cost=1.0)
        if selector.done:
            break
        pending.append(selector.ask())
        if len(pending) > late:
            decision = pending.pop(0 if late < 2 else rng.integers(len(pending)))
            reward = {"reward": GAINS[decision.name] * 0.99**decision.step + 0.1 * rng.normal()} if not signal else {}
            selector.tell(decision, examples=4, loss=1.0 + rng.random(), **reward)
    for decision in pending:
        selector.skip(decision)
    selector.close()
    return path


def whole(source):
    (piece,) = source.pieces()
    return piece


@pytest.mark.parametrize(
    ("policy", "signal", "constraints"),
    [
        ("exp3s(gamma=0.2)", None, None),
        ("epsilon_greedy(exploration=0.2)", None, Constraints(floor=0.1, cap={"b": 0.5})),
        ("tscl_online", None, Constraints(exclude=("c",))),
        ("lin_ucb", None, None),
        ("counterfactual", None, None),
        ("exp3s", "held_out_gain", None),
        ("phases", None, None),
        ("uniform", None, Constraints(max_epochs=1.0)),
        ("coba", None, None),
        ("warm_up(policy=epsilon_greedy(exploration=0.3), fraction=0.3)", None, None),
    ],
)
def test_on_a_log_of_its_own_a_policy_gives_back_what_was_drawn_from(tmp_path, policy, signal, constraints):
    source = open_log(train(tmp_path / "log.jsonl", policy, signal, constraints=constraints))
    piece = whole(source)
    target = make_target(policy, source)
    assert isinstance(target, ReplayedTarget)
    np.testing.assert_array_equal(target.probabilities(piece), piece.logged.probabilities)


def test_a_log_in_parquet_replays_like_its_lines(tmp_path, monkeypatch):
    path = train(tmp_path / "log.jsonl", "exp3s", "held_out_gain")
    lines = open_log(path)
    monkeypatch.setattr(off_policy_sources, "WHOLE_CELLS", 0)
    export = open_log(write_parquet(read_log(path), tmp_path / "log.parquet"))
    assert not export.whole
    for policy in ("exp3s", "coba", "tscl_online"):
        wanted = make_target(policy, lines).probabilities(whole(lines))
        (piece,) = export.pieces()
        halves = [slice(0, 50), slice(50, None)]
        target = make_target(policy, export)
        got = [
            target.probabilities(
                Piece(logged=piece.logged.rows(part), examples=piece.examples[part], known=piece.known[part])
            )
            for part in halves
        ]
        np.testing.assert_array_equal(np.concatenate(got), wanted)


@pytest.mark.parametrize("late", [1, 4])
def test_what_comes_later_changes_nothing_before_it(tmp_path, late):
    source = open_log(train(tmp_path / "log.jsonl", "exp3s", late=late))
    piece = whole(source)
    before = make_target("exp3s", source).probabilities(piece)
    for row in (10, 60, 100):
        reward, chosen = piece.logged.reward.copy(), piece.logged.chosen.copy()
        reward[row:] = -reward[row:] + 3.0
        chosen[row:] = (chosen[row:] + 1) % 3
        changed = type(piece.logged)(
            tasks=piece.logged.tasks,
            chosen=chosen,
            probabilities=piece.logged.probabilities,
            reward=reward,
            step=piece.logged.step,
            cost=piece.logged.cost,
        )
        again = make_target("exp3s", source).probabilities(
            Piece(logged=changed, examples=piece.examples, known=piece.known)
        )
        np.testing.assert_array_equal(again[: row + 1], before[: row + 1])
        assert not np.array_equal(again[row + 1 :], before[row + 1 :])


def test_rewards_are_learned_from_when_they_were_known(tmp_path):
    log = read_log(train(tmp_path / "deferred.jsonl", "exp3s", "held_out_gain", every=30))
    told = np.isfinite(log.logged.reward)
    assert told.sum() > 80
    assert set(log.known[told].tolist()) <= {30, 60, 90, 120}
    assert (log.known[told] > log.logged.step[told]).all()
    early = read_log(train(tmp_path / "early.jsonl", "exp3s"))
    np.testing.assert_array_equal(early.known, early.logged.step + 1)
    late = read_log(train(tmp_path / "late.jsonl", "exp3s", late=4))
    assert (late.known > late.logged.step).all()
    assert (late.known - late.logged.step).max() > 1


def test_static_policies_are_asked_once_and_obey_the_constraints_of_the_log(tmp_path):
    constraints = Constraints(floor=0.2, exclude=("a",))
    source = open_log(train(tmp_path / "log.jsonl", "uniform", constraints=constraints))
    target = make_target("proportional", source)
    assert isinstance(target, FixedTarget)
    np.testing.assert_allclose(target.shares, [0.0, 0.8, 0.2])
    np.testing.assert_allclose(make_target("task:c", source).shares, [0.0, 0.2, 0.8])
    piece = whole(source)
    assert LoggingTarget().probabilities(piece) is piece.logged.probabilities


def test_a_policy_from_a_file(tmp_path):
    source = open_log(train(tmp_path / "log.jsonl", "uniform"))
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nimport numpy as np\nfrom apportion.policies import Policy\n\n"
        "@dataclass(kw_only=True)\nclass Last(Policy):\n"
        '    """All but the last task drawn."""\n\n    name = "last"\n    needs = frozenset({"reward"})\n\n'
        "    def reset(self, tasks, n_runs=1):\n        self.rest_ = np.full((n_runs, len(tasks)), 1 / len(tasks))\n\n"
        "    def probabilities(self, context):\n        return self.rest_\n\n"
        "    def update(self, chosen, probabilities, reward):\n"
        "        self.rest_ = np.full_like(self.rest_, 0.5)\n"
        "        self.rest_[np.arange(len(chosen)), chosen] = 0.0\n"
    )
    piece = whole(source)
    found = make_target(f"{tmp_path / 'mine.py'}:Last", source).probabilities(piece)
    assert (found[np.arange(1, len(found)), piece.logged.chosen[:-1]] == 0).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("exp4", "no policy named 'exp4'; did you mean"),
        ("task:d", "names the task 'd', which is not one of a, b, c"),
        ("doge", "needs `evaluation.gradient_inner`"),
        ("mixture(shares=(1, 2))", "3"),
    ],
)
def test_policies_that_the_log_cannot_serve_are_refused(tmp_path, spec, message):
    source = open_log(train(tmp_path / "log.jsonl", "uniform"))
    with pytest.raises(ValueError, match=message):
        make_target(spec, source)


def test_without_evaluations_a_policy_that_needs_them_is_refused(tmp_path):
    train(tmp_path / "log.jsonl", "uniform")
    path = tmp_path / "log.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if '"evaluation"' not in line))
    source = open_log(path)
    with pytest.raises(ValueError, match="learns from held-out evaluations"):
        make_target("coba", source)


def test_steps_that_go_back_are_refused(tmp_path):
    source = open_log(train(tmp_path / "log.jsonl", "uniform"))
    piece = whole(source)
    back = Piece(logged=piece.logged.rows(slice(None, None, -1)), examples=piece.examples, known=piece.known)
    with pytest.raises(LogFormatError, match="`step` goes back from"):
        make_target("exp3s", source).probabilities(back)
