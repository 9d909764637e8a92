import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from apportion import Selector, Steps, Task, read_log
from apportion.cli import app
from apportion.log import write_npz, write_parquet

RUNNER = CliRunner()


def apportion(*words, code=0):
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join(result.output.split())


def make(path, policy="uniform", steps=120):
    selector = Selector(
        [Task(name="a", size=10), Task(name="b", size=30)], policy, budget=Steps(steps), seed=0, log=path
    )
    rng = np.random.default_rng(0)
    while not selector.done:
        decision = selector.ask()
        selector.tell(decision, reward=float(np.clip(0.3 + 0.4 * decision.task + 0.1 * rng.normal(), 0, 1)))
    selector.close()
    return path


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return make(tmp_path_factory.mktemp("log") / "log.jsonl")


def test_the_table_names_its_estimand_and_what_it_is_not(log):
    text = apportion("evaluate", log)
    assert "estimand per_step" in text
    assert "not what training with the policy would have reached" in text
    assert "the best fixed mixture is always one task alone" in text
    for word in ("logging", "uniform", "proportional", "task:a", "ESS", "largest", "drift"):
        assert word in text


def test_json_has_the_same_figures(log):
    data = json.loads(RUNNER.invoke(app, ["evaluate", str(log), "-p", "exp3s", "-p", "task:b", "--json"]).output)
    rows = {row["policy"]: row for row in data["rows"]}
    assert set(rows) == {"logging policy", "exp3s", "task:b"}
    assert rows["exp3s"]["kind"] == "replayed"
    assert rows["task:b"]["estimand"] == data["estimand"] == "per_step"
    assert rows["task:b"]["lower"] <= rows["task:b"]["value"] <= rows["task:b"]["upper"]
    assert rows["task:b"]["diagnostics"]["effective_sample_size"] > 30
    assert data["logging_policy"]["name"] == "uniform"
    assert "log " + data["fingerprint"] in rows["exp3s"]["signature"]


@pytest.mark.parametrize("interval", ["betting", "empirical_bernstein", "clopper_pearson", "anytime"])
def test_intervals_that_need_bounds(log, interval):
    words = ["evaluate", log, "-e", "ips", "-p", "uniform", "--interval", interval]
    assert "needs `reward_range`" in apportion(*words, code=2)
    data = json.loads(RUNNER.invoke(app, [str(word) for word in [*words, "--reward-range", "0,1", "--json"]]).output)
    row = data["rows"][0]
    assert row["lower"] < 0.5 < row["upper"] or row["lower"] is None


def test_windows_and_other_options(log):
    text = apportion("evaluate", log, "-e", "windowed", "--option", "window=10", "-p", "task:b")
    assert "estimator windowed" in text
    assert "has no option 'clipp'; did you mean 'clip'" in apportion(
        "evaluate", log, "-e", "clipped_ips", "--option", "clipp=3", code=2
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "exp4"], "no policy named 'exp4'"),
        (["-p", "task:z"], "'z', which is not one of a, b"),
        (["-p", "nofile.py:Mine"], "there is no file 'nofile.py'"),
        (["-e", "snip"], "did you mean 'snips'"),
        (["--interval", "norm"], "did you mean 'normal'"),
        (["--confidence", "1.5"], "`confidence`"),
        (["--reward-range", "1,0"], "LOW,HIGH"),
        (["--option", "clip"], "NAME=NUMBER"),
        (["--estimand", "per_run"], "`estimand` must be one of"),
        (["-e", "dr", "--interval", "betting", "--reward-range", "0,1"], "not for the estimator 'dr'"),
    ],
)
def test_wrong_usage_is_one_sentence(log, words, message):
    text = apportion("evaluate", log, *words, code=2)
    assert message in text
    assert "Traceback" not in text


def test_a_named_policy_that_is_refused_is_a_finding(tmp_path):
    path = make(tmp_path / "log.jsonl", "mixture(shares=(1, 0))")
    text = apportion("evaluate", path, "-p", "task:b", code=1)
    assert "refused" in text
    assert "Every policy was refused" in text
    apportion("evaluate", path)  # nothing that was asked for is missing
    apportion("evaluate", path, "-p", "uniform", "--restrict")


def test_a_torn_line_is_a_note(tmp_path):
    path = make(tmp_path / "log.jsonl")
    path.write_bytes(path.read_bytes()[:-7])
    assert "torn line" in apportion("evaluate", path)


@pytest.fixture(scope="module")
def kinds(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    data = read_log(log)
    write_parquet(data, folder / "log.parquet")
    write_npz(data.to_obp(), folder / "log.npz")
    return {"jsonl": log.read_bytes(), **{kind: (folder / f"log.{kind}").read_bytes() for kind in ("parquet", "npz")}}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(["jsonl", "parquet", "npz"]), data=st.data())
def test_damaged_files_give_a_table_or_one_sentence(kinds, tmp_path_factory, kind, data):
    content = bytearray(kinds[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=20))
    path = tmp_path_factory.mktemp("fuzz") / f"log.{kind}"
    path.write_bytes(bytes(content))
    result = RUNNER.invoke(app, ["evaluate", str(path), "-p", "exp3s"])
    assert result.exit_code in (0, 1, 2), (result.output, result.exception)
    if result.exit_code == 2:
        assert result.output.startswith("error: ")


JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats(), max_size=3),
)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None)
@given(
    row=st.sampled_from([0, 0, 5]),
    key=st.sampled_from(
        [
            "tasks",
            "policy",
            "signal",
            "constraints",
            "budget",
            "execution",
            "fingerprint",
            "reward",
            "cost",
            "p",
            "step",
        ]
    ),
    value=st.one_of(JSON, st.dictionaries(st.sampled_from(["amount", "unit", "floor", "name", "max_epochs"]), JSON)),
)
def test_fuzzed_fields_give_a_table_or_one_sentence(kinds, tmp_path_factory, row, key, value):
    lines = kinds["jsonl"].splitlines()
    with contextlib.suppress(ValueError, TypeError):
        lines[row] = json.dumps({**json.loads(lines[row]), key: value}).encode()
    path = tmp_path_factory.mktemp("fuzz") / "log.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    result = RUNNER.invoke(app, ["evaluate", str(path), "-p", "exp3s"])
    assert result.exit_code in (0, 1, 2), (result.output, result.exception)
    if result.exit_code == 2:
        assert "error: " in result.output


def test_too_many_tasks_are_refused_quickly(tmp_path):
    head = {"format": "apportion-log", "version": 1, "execution": "random"}
    names = [{"name": str(index)} for index in range(150_000)]
    (tmp_path / "log.jsonl").write_text(json.dumps({**head, "tasks": names}) + "\n")
    assert "150,000 tasks, more than 100,000" in apportion("evaluate", tmp_path / "log.jsonl", code=2)
