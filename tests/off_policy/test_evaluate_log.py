"""Policies ranked on a log, whatever the log is made of."""

import json

import numpy as np
import pytest

from apportion import Selector, Steps, Task
from apportion.estimators import by_task, diagnose, evaluate, learning_curve
from apportion.log import read_log, write_npz, write_parquet
from apportion.off_policy import evaluate_log, open_log
from apportion.off_policy import sources as off_policy_sources

MEANS = {"a": 0.2, "b": 0.5, "c": 0.35}
TASKS = [Task(name=name, size=size) for name, size in (("a", 200), ("b", 600), ("c", 100))]


def write(
    path, policy="epsilon_greedy(exploration=0.5)", *, steps=400, seed=0, reward=True, execution="random", drift=0.0
):
    """A run whose rewards have the means `MEANS`, falling by `drift` from first to last."""
    selector = Selector(TASKS, policy, budget=Steps(steps), seed=seed, log=path, execution=execution)
    rng = np.random.default_rng(seed)
    while not selector.done:
        decision = selector.ask()
        if reward:
            value = MEANS[decision.name] - drift * decision.step / steps + 0.1 * rng.normal()
            selector.tell(decision, reward=value)
        else:
            selector.skip(decision, cost=1.0)
    selector.close()
    return path


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write(tmp_path_factory.mktemp("log") / "log.jsonl")


def by_policy(found):
    return {row.policy: row for row in found.rows}


def test_the_default_ranking(log):
    found = evaluate_log(log)
    rows = by_policy(found)
    assert set(rows) == {"logging policy", "uniform", "proportional", "task:a", "task:b", "task:c"}
    logged = read_log(log).logged
    own = rows["logging policy"].estimate
    assert own.value == pytest.approx(logged.reward.mean(), abs=1e-12)
    assert own.effective_sample_size == pytest.approx(400)
    assert own.max_weight == pytest.approx(1.0)
    values = [row.value for row in found.rows]
    assert values == sorted(values, reverse=True)
    assert found.rows[0].policy == "task:b"
    assert [row.policy for row in found.rows if row.in_sample] == ["task:b"]
    for task, mean in MEANS.items():
        row = rows[f"task:{task}"]
        assert row.estimate.lower < mean < row.estimate.upper  # fixed seed
        assert row.estimate.estimand == "per_step"
    assert rows["uniform"].estimate.value == evaluate(logged, np.full(3, 1 / 3)).value
    np.testing.assert_allclose(
        rows["proportional"].estimate.value, evaluate(logged, np.array([2, 6, 1]) / 9).value, rtol=1e-12
    )
    assert "not what training with the policy would have reached" in found.signature["meaning"]


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_lines_parquet_streams_and_arrays_agree(log, tmp_path, monkeypatch, estimator):
    names = ["uniform", "exp3s", "mixture(shares=(1, 1, 3))", "tscl_online"]
    wanted = by_policy(evaluate_log(log, names, estimators=[estimator]))
    data = read_log(log)
    parquet = write_parquet(data, tmp_path / "log.parquet")
    arrays = write_npz(data.to_obp(), tmp_path / "log.npz")
    tolerance = {"rtol": 1e-9}
    for path in (parquet, arrays):
        got = by_policy(evaluate_log(path, names, estimators=[estimator]))
        for name, row in wanted.items():
            np.testing.assert_allclose(got[name].estimate.value, row.estimate.value, **tolerance)
            np.testing.assert_allclose(got[name].estimate.lower, row.estimate.lower, **tolerance)
    monkeypatch.setattr(off_policy_sources, "WHOLE_CELLS", 0)
    got = by_policy(evaluate_log(parquet, names, estimators=[estimator]))
    for name, row in wanted.items():
        np.testing.assert_allclose(got[name].estimate.value, row.estimate.value, **tolerance)
        assert "streamed" in got[name].estimate.signature
        assert got[name].diagnostics.n_rounds == 400


def test_what_a_stream_cannot_do_is_refused(log, tmp_path, monkeypatch):
    parquet = write_parquet(read_log(log), tmp_path / "log.parquet")
    monkeypatch.setattr(off_policy_sources, "WHOLE_CELLS", 0)
    with pytest.raises(ValueError, match="is streamed, which the estimator 'mrdr' cannot: take one of ips"):
        evaluate_log(parquet, estimators=["mrdr"])
    with pytest.raises(ValueError, match="is streamed, which the interval 'block_bootstrap' cannot"):
        evaluate_log(parquet, interval="block_bootstrap")


def test_several_estimators_are_ranked_each(log):
    found = evaluate_log(log, ["uniform", "task:b"], estimators=["ips", "sndr"], interval="bootstrap")
    assert [row.estimator for row in found.rows] == ["ips"] * 3 + ["sndr"] * 3
    for name in ("ips", "sndr"):
        values = [row.value for row in found.rows if row.estimator == name]
        assert values == sorted(values, reverse=True)


def test_differences_from_the_logging_policy_are_paired(log):
    rows = by_policy(evaluate_log(log))
    logged = read_log(log).logged
    paired = evaluate(logged, np.array([0.0, 1.0, 0.0]), baseline=logged.probabilities)
    assert rows["task:b"].difference.lower == paired.lower > 0
    assert rows["task:a"].difference.upper < 0
    assert rows["logging policy"].difference is None
    bounded = evaluate_log(log, ["uniform"], estimators=["ips"], interval="betting", reward_range=(-1.0, 2.0))
    assert by_policy(bounded)["uniform"].difference is None


def test_the_reward_model_is_the_one_asked_for(log):
    logged = read_log(log).logged
    target = np.full(3, 1 / 3)
    for model, predictions in (("past", by_task(logged, folds="past")), ("learning_curve", learning_curve(logged))):
        row = by_policy(evaluate_log(log, ["uniform"], estimators=["dr"], model=model))["uniform"]
        assert (
            row.estimate.value == evaluate(logged, target, estimator="dr", options={"predictions": predictions}).value
        )
        assert row.diagnostics.model_slope == diagnose(logged, target, predictions=predictions).model_slope
        assert f"reward model {model}" in row.estimate.signature
    with pytest.raises(ValueError, match="`model` must be one of by_task, learning_curve, past"):
        evaluate_log(log, model="forest")


def test_drift_brings_the_warning_about_whole_runs(tmp_path):
    calm = evaluate_log(write(tmp_path / "calm.jsonl", steps=600))
    assert not any("whole training runs" in text for text in calm.warnings)
    falling = evaluate_log(write(tmp_path / "falling.jsonl", steps=600, drift=0.3))
    assert any("whole training runs may rank the other way round" in text for text in falling.warnings)


def test_a_policy_without_overlap_is_a_row_with_its_reason(tmp_path):
    path = write(tmp_path / "log.jsonl", "mixture(shares=(1, 1, 0))")
    found = evaluate_log(path, ["task:c", "uniform", "task:a", "exp3s"])
    rows = by_policy(found)
    assert "could not draw them, most to 'c'" in rows["task:c"].refused
    assert rows["task:c"].estimate is None
    assert rows["uniform"].refused
    assert rows["task:a"].estimate.value == pytest.approx(0.2, abs=0.05)
    restricted = by_policy(evaluate_log(path, ["uniform", "exp3s"], restrict=True))
    logged = read_log(path).logged
    assert restricted["uniform"].estimate.value == pytest.approx(evaluate(logged, np.array([0.5, 0.5, 0.0])).value)
    assert found.rows[-1].value == -np.inf


def test_decisions_without_reward_are_left_out_and_said(tmp_path):
    path = write(tmp_path / "log.jsonl", "uniform", steps=100)
    lines = path.read_text().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    for record in records[1::4]:
        record["reward"], record["status"] = None, "skipped"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    row = by_policy(evaluate_log(path))["logging policy"]
    assert row.estimate.n_rounds == 75
    assert "missing rewards" in row.diagnostics.findings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": False}, "none of the 50 decisions in .* has a reward"),
        ({"execution": "smooth"}, "drawn by a smooth execution"),
    ],
)
def test_logs_that_tell_nothing_are_refused(tmp_path, options, message):
    path = write(tmp_path / "log.jsonl", "uniform", steps=50, **options)
    with pytest.raises(ValueError, match=message):
        evaluate_log(path)


def test_an_empty_log_and_a_folder_without_one_are_refused(tmp_path):
    path = write(tmp_path / "log.jsonl", "uniform", steps=2)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    with pytest.raises(ValueError, match="holds no decision yet"):
        evaluate_log(path)
    with pytest.raises(FileNotFoundError, match=r"has no decisions\.jsonl"):
        open_log(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no log"):
        open_log(tmp_path / "nothing.parquet")


def test_many_tasks_are_not_evaluated_alone(tmp_path):
    tasks = [Task(name=f"t{index}") for index in range(40)]
    selector = Selector(tasks, "uniform", budget=Steps(200), seed=0, log=tmp_path / "log.jsonl")
    while not selector.done:
        selector.tell(selector.ask(), reward=1.0)
    selector.close()
    assert set(by_policy(evaluate_log(tmp_path / "log.jsonl"))) == {"logging policy", "uniform"}


def test_the_log_of_the_reversal_example_is_ranked_with_its_warning(tmp_path):
    """The world of docs/off_policy.md: per step the fast task is rated higher, in whole runs it is not."""

    def learned(task, batches):
        total, speed = {"fast": (5.2, 150), "slow": (20.0, 4900)}[task]
        return total * (1 - np.exp(-batches / speed))

    selector = Selector(
        [Task(name="fast"), Task(name="slow")], "uniform", budget=Steps(1000), seed=0, log=tmp_path / "l"
    )
    rng = np.random.default_rng(0)
    while not selector.done:
        decision = selector.ask()
        n = int(selector.counts[decision.task])
        selector.tell(decision, reward=learned(decision.name, n) - learned(decision.name, n - 1) + rng.normal(0, 0.002))
    selector.close()
    found = evaluate_log(tmp_path / "l", ["mixture(shares=(0.9, 0.1))", "mixture(shares=(0.1, 0.9))"])
    rows = by_policy(found)
    assert found.rows[0].policy == "mixture(shares=(0.9, 0.1))"
    assert (
        rows["mixture(shares=(0.9, 0.1))"].estimate.lower
        > 0.0061
        > 0.0055
        > rows["mixture(shares=(0.1, 0.9))"].estimate.upper
    )
    assert any("whole training runs may rank the other way round" in text for text in found.warnings)
