"""Tuning: the same trials for each policy, the same result again, and only public worlds."""

import json

import pytest
from typer.testing import CliRunner

from apportion.cli import app
from apportion.policies import POLICIES, policies
from apportion.study.tune import OWN_RANGES, RANGES, Range, read_tuned, search_space, tune, with_tuned, write_tuned

WORLDS = ("useless/2", "few_steps/1")
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def results():
    return tune(["exp3s", "tscl_window", "uniform"], worlds=WORLDS, trials=4, runs=6, workers=1)


def test_the_best_trial_is_never_worse_than_the_defaults_and_every_policy_gets_the_same_number(results):
    by_name = {item.policy: item for item in results}
    assert by_name["exp3s"].trials == by_name["tscl_window"].trials == 4
    assert by_name["uniform"].trials == 1  # nothing to tune
    assert by_name["uniform"].score == pytest.approx(0)
    for item in results:
        assert item.score >= item.default
        assert bool(item.parameters) == (item.score > item.default)
        policies.make(item.spec)


def test_the_same_seed_finds_the_same_and_a_study_resumes(results, tmp_path):
    again = tune(["exp3s"], worlds=WORLDS, trials=4, runs=6, workers=1, out=tmp_path)
    assert (again[0].parameters, again[0].score) == (results[0].parameters, results[0].score)
    resumed = tune(["exp3s"], worlds=WORLDS, trials=4, runs=6, workers=1, out=tmp_path)
    assert resumed[0] == again[0]  # its time too: nothing was run again


def test_settings_that_do_not_go_with_the_tasks_are_refused_and_others_tried():
    ranges = {"one_hot": Range(low=0.01, high=0.3, kind="linear")}
    found = tune(["aioli"], worlds=("few_steps/1",), trials=4, runs=3, ranges=ranges, workers=1)[0]
    assert found.trials == 4
    assert found.refused > 0  # a share of 1/8 or less on the task tried
    assert found.parameters.get("one_hot", 1.0) > 1 / 8


def test_tuned_parameters_are_written_read_and_used(results, tmp_path):
    file, signature = tmp_path / "tuned.json", {"trials": 4}
    write_tuned(file, results[:1], signature)
    write_tuned(file, results[1:], signature)
    assert set(read_tuned(file)) == {"exp3s", "tscl_window", "uniform"}
    assert with_tuned(["exp3s", "exp3s(gamma=0.5)", "dump"], file) == [results[0].spec, "exp3s(gamma=0.5)", "dump"]
    with pytest.raises(ValueError, match="was tuned with"):
        write_tuned(file, results, {"trials": 5})
    with pytest.raises(ValueError, match="no JSON file"):
        read_tuned(_file(tmp_path, "{"))
    with pytest.raises(ValueError, match="holds no tuned parameters"):
        read_tuned(_file(tmp_path, "{}"))


def _file(folder, text):
    path = folder / "odd.json"
    path.write_text(text)
    return path


def test_what_is_shipped_constructs_and_is_known():
    shipped = read_tuned("shipped")
    assert len(shipped) >= 8
    for item in shipped.values():
        policies.make(item.spec)
        assert item.note or item.score >= item.default


def test_every_policy_has_a_space_of_its_own_numbers_and_defaults_lie_in_it():
    seen = set()
    for cls in POLICIES:
        try:
            policy = cls()
        except TypeError:
            continue
        for name, item in search_space(policy).items():
            seen.add(name)
            value = getattr(policy, name)
            assert item.low < item.high
            if name not in RANGES and name not in OWN_RANGES.get(policy.name, {}):
                assert item.holds(value), (policy.name, name)
    assert seen >= {"gamma", "exploration", "discount", "window", "temperature", "eta"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1", "is written LOW:HIGH"),
        ("a:b", "is written LOW:HIGH"),
        ("2:1", "`high` must be in"),
        ("0:1:log", "`low` must be in"),
        ("0.5:1.5:complement", "`high` must be"),
        ("1:2:cube", "`kind` must be one of"),
    ],
)
def test_bad_ranges_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Range.parse(text)


def test_the_command_takes_ranges_and_writes_a_file(tmp_path):
    words = ["tune", "--policies", "exp3s", "--worlds", "few_steps/1", "--trials", "3", "--runs", "4", "--workers", "1"]
    words += ["--range", "gamma=0.05:0.5:log", "--save", str(tmp_path / "tuned.json"), "--json"]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)["rows"][0]
    assert set(row["space"]) == {"gamma"}
    assert (tmp_path / "tuned.json").is_file()
    for wrong, message in (("gama=0.1:0.5", "has no number 'gama'"), ("gamma", "is written PARAMETER=LOW:HIGH")):
        result = RUNNER.invoke(app, [*words[:11], "--range", wrong])
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())
    words = ["simulate", "--worlds", "few_steps/1", "--policies", "exp3s", "--runs", "4", "--workers", "1", "--json"]
    result = RUNNER.invoke(app, [*words, "--tuned", str(tmp_path / "tuned.json")])
    assert {item["policy"] for item in json.loads(result.stdout)["rows"]} >= {"uniform", row["spec"]}
