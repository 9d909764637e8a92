import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apportion import Selector, Steps, Task, read_log
from apportion.errors import LogFormatError
from apportion.log import LogWriter, write_parquet


def write(tmp_path: Path, *, steps: int = 6, policy: str = "proportional") -> Path:
    """A log of a short run with an evaluation, a skipped and a pending decision."""
    tasks = [Task(name="a", size=10), Task(name="b", size=30)]
    log = tmp_path / "log.jsonl"
    selector = Selector(tasks, policy, budget=Steps(steps + 4), seed=0, log=log)
    for _ in range(steps):
        decision = selector.ask()
        selector.tell(decision, reward=decision.step / 7, loss=0.1 * decision.step, examples=8)
    selector.evaluate({"a": 0.25, "b": None}, measured={"loss": {"a": 0.5}}, cost=1.0)
    selector.skip(selector.ask(), cost=1.0)
    selector.ask()
    selector.close()
    return log


def lines(log: Path) -> list[dict]:
    return [orjson.loads(line) for line in log.read_bytes().splitlines()]


def rewrite(log: Path, records: list) -> Path:
    log.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return log


def test_reading_gives_back_what_was_written(tmp_path):
    log = read_log(write(tmp_path))
    data = log.logged
    assert data.tasks == ("a", "b")
    assert data.step.tolist() == list(range(8))
    np.testing.assert_array_equal(data.reward[:6], np.arange(6) / 7)  # bit for bit through JSON
    assert np.isnan(data.reward[6:]).all()
    np.testing.assert_array_equal(data.probabilities, np.tile([0.25, 0.75], (8, 1)))
    assert log.status == ["told"] * 6 + ["skipped", "pending"]
    assert log.measured["loss"][:6].tolist() == [0.1 * step for step in range(6)]
    assert data.cost.tolist() == [1.0] * 7 + [0.0]
    (evaluation,) = log.evaluations
    assert evaluation.scores[0] == 0.25
    assert np.isnan(evaluation.scores[1])
    assert evaluation.measured["loss"][0] == 0.5
    assert data.rewarded().n_rounds == 6


def test_deferred_rewards_reach_their_decisions(tmp_path):
    log = tmp_path / "log.jsonl"
    selector = Selector(
        [Task(name="a"), Task(name="b")], "epsilon_greedy", "held_out_gain", budget=Steps(20), seed=0, log=log
    )
    for score in (0.0, 0.3, 0.4):
        selector.evaluate({"a": score, "b": score})
        for _ in range(4):
            if not selector.done:
                selector.tell(selector.ask(), loss=1.0)
    selector.evaluate({"a": 0.4, "b": 0.4})
    selector.close()
    rewards = read_log(log).logged.reward
    assert np.isfinite(rewards).all()
    assert rewards[:4].mean() > rewards[4:8].mean() > rewards[8:12].mean() == 0


def test_a_torn_last_line_is_left_out_with_a_warning(tmp_path):
    log = write(tmp_path)
    whole = log.read_bytes()
    for cut in (2, 5, 40):
        log.write_bytes(whole[:-cut])
        with pytest.warns(UserWarning, match="torn line"):
            assert read_log(log).logged.n_rounds == 7


def test_a_damaged_line_inside_is_named(tmp_path):
    log = write(tmp_path)
    data = log.read_bytes().splitlines(keepends=True)
    data[3] = data[3][: len(data[3]) // 2] + b"\n"
    log.write_bytes(b"".join(data))
    with pytest.raises(LogFormatError, match="line 4: this is not JSON"):
        read_log(log)


@pytest.mark.parametrize(
    ("row", "change", "words"),
    [
        (0, {"version": 2}, "format version 2, this program reads up to 1"),
        (0, {"format": "other"}, "not a decision log"),
        (0, {"tasks": [{"name": "a"}]}, "field `tasks`"),
        (0, {"execution": "magic"}, "magic"),
        (2, {"p": [0.5, 0.6]}, r"line 3: field `p` must be probabilities that sum to 1, got a sum of 1\.1"),
        (2, {"p": [0.5]}, "must list 2 probabilities"),
        (2, {"p": [None, 1.0]}, "wrong type"),
        (2, {"task": "zebra"}, "'zebra'"),
        (2, {"status": "maybe"}, "field `status`"),
        (2, {"p": [-0.5, 1.5]}, r"sum of 1\.0 and the smallest entry -0\.5"),
        (2, {"reward": "high"}, "field `reward` has the wrong type: it must be a number, got 'high'"),
        (2, {"step": None}, "field `step` has the wrong type"),
    ],
)
def test_damaged_fields_are_named(tmp_path, row, change, words):
    log = write(tmp_path)
    records = lines(log)
    records[row] = {**records[row], **change}
    with pytest.raises(LogFormatError, match=words):
        read_log(rewrite(log, records))


def test_a_task_drawn_without_probability_is_refused(tmp_path):
    log = write(tmp_path)
    records = lines(log)
    other = [0.0, 1.0] if records[1]["task"] == "a" else [1.0, 0.0]
    records[1] = {**records[1], "p": other}
    with pytest.raises(LogFormatError, match="no probability"):
        read_log(rewrite(log, records))


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    row=st.integers(0, 8),
    key=st.text(max_size=6)
    | st.sampled_from(
        ["step", "task", "p", "status", "reward", "cost", "examples", "measured", "scores", "credits", "tasks", "event"]
    ),
    value=_json,
)
def test_fuzzed_fields_are_read_or_refused_never_crash(tmp_path_factory, row, key, value):
    records = test_fuzzed_fields_are_read_or_refused_never_crash.records = getattr(
        test_fuzzed_fields_are_read_or_refused_never_crash, "records", None
    ) or lines(write(tmp_path_factory.mktemp("fuzz")))
    changed = [dict(record) for record in records]
    changed[row % len(changed)][key] = value
    log = rewrite(tmp_path_factory.mktemp("fuzz") / "log.jsonl", changed)
    with contextlib.suppress(LogFormatError):  # anything else, a crash or a hang, fails the test
        read_log(log)


def test_a_line_without_end_does_not_eat_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("apportion.log.reader.MAX_LINE", 1000)
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"[" * 100_000)
    with pytest.raises(LogFormatError, match="longer than 1000 bytes"):
        read_log(log)


def test_empty_and_missing_logs(tmp_path):
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(LogFormatError, match="the log is empty"):
        read_log(tmp_path / "empty.jsonl")
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "absent.jsonl")


def test_parquet_keeps_everything(tmp_path):
    import pyarrow.parquet as pq

    log = read_log(write(tmp_path))
    table = pq.read_table(write_parquet(log, tmp_path / "log.parquet"))
    assert table["step"].to_pylist() == log.logged.step.tolist()
    assert table["task"].to_pylist() == [log.logged.tasks[task] for task in log.logged.chosen]
    np.testing.assert_array_equal(np.array(table["probabilities"].to_pylist()), log.logged.probabilities)
    assert table["reward"].to_pylist()[-1] is None
    assert table["measured.loss"].to_pylist()[1] == 0.1
    assert orjson.loads(table.schema.metadata[b"apportion"])["tasks"][1]["name"] == "b"
    scores = pq.read_table(tmp_path / "log.evaluations.parquet")
    assert scores["score.a"].to_pylist() == [0.25]
    assert scores["score.b"].to_pylist() == [None]
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "log.evaluations.parquet",
        "log.jsonl",
        "log.parquet",
    ]


def test_obp_arrays(tmp_path):
    feedback = read_log(write(tmp_path)).to_obp()
    assert feedback["n_rounds"] == 6
    assert feedback["pi_b"].shape == (6, 2, 1)
    np.testing.assert_array_equal(feedback["pscore"], feedback["pi_b"][np.arange(6), feedback["action"], 0])


_ENDLESS = """
import sys
from apportion import Selector, Steps, Task
selector = Selector([Task(name="a"), Task(name="b")], "uniform", budget=Steps(10**9), seed=0, log=sys.argv[1])
while True:
    decision = selector.ask()
    selector.tell(decision, loss=1.0)
    print(decision.step, flush=True)
"""


def test_a_kill_loses_no_logged_decision(tmp_path):
    log = tmp_path / "log.jsonl"
    child = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(log)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    last = -1
    deadline = time.monotonic() + 60
    while last < 200 and time.monotonic() < deadline:
        last = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()
    told = max([last, *(int(word) for word in rest[:-1])])
    assert told >= 200
    assert read_log(log).logged.step.max() >= told  # every decision that the process spoke of is there, whole


HOLDER = """
import sys
from pathlib import Path
from apportion.log import LogWriter
print(LogWriter(Path(sys.argv[1]), header={"by": "another"}).position, flush=True)
sys.stdin.read()
"""


def test_a_log_that_another_process_writes_is_left_alone(tmp_path):
    path = tmp_path / "log.jsonl"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        position = int(holder.stdout.readline())
        before = path.read_bytes()
        for place in (position, 0):
            with pytest.raises(BlockingIOError, match=r"log\.jsonl' is being written by another process"):
                LogWriter(path, position=place)
        assert path.read_bytes() == before
        holder.kill()
    writer = LogWriter(path, position=position)
    writer.write({"by": "this"})
    again = LogWriter(path, position=position)  # an abandoned one of the same process, as in a notebook, is no obstacle
    again.close()
    writer.close()
