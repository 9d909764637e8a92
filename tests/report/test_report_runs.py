import numpy as np
import pytest

from apportion import Task
from apportion.report import gather, load_run, load_runs, run_of
from apportion.report.runs import stamp_of
from apportion.report.tables import verdict
from apportion.report.wording import LONGEST, plain, short_names
from report.made_runs import log_of, make_run, make_study, make_tasks, run_with


def labels(*params, **options):
    runs = [run_with("exp3s", seed, (0.5, 0.5), params=given, **options) for seed, given in enumerate(params)]
    (setting,) = gather(runs)
    return [next(run.policy for run in setting.runs if run.seed == seed) for seed in range(len(params))]


def test_run_directories_become_one_setting_with_the_reference_first(tmp_path):
    paths = make_study(tmp_path, ("exp3s", "uniform"), 2)
    (setting,) = load_runs(paths)
    assert setting.policies == ("uniform", "exp3s")
    assert setting.reference == "uniform"
    assert setting.seeds("exp3s") == [0, 1]
    assert setting.title == "made_up, 5 tasks, 200 steps"
    assert all(run.finished and run.final_source == "test" for run in setting.runs)
    assert all(np.isfinite(run.final).all() for run in setting.runs)
    assert load_runs(paths, reference="exp3s")[0].reference == "exp3s"


def test_other_tasks_or_budgets_are_other_settings(tmp_path):
    paths = [
        make_run(tmp_path / "a", "uniform", 0),
        make_run(tmp_path / "b", "uniform", 0, tasks=make_tasks(3)),
        make_run(tmp_path / "c", "uniform", 0, steps=100),
    ]
    assert [setting.title for setting in load_runs(paths)] == [
        "made_up, 5 tasks, 200 steps",
        "made_up, 3 tasks, 200 steps",
        "made_up, 5 tasks, 100 steps",
    ]


def test_the_title_names_the_tasks_that_count_where_others_do_not():
    tasks = [Task(name=name, size=10, priority=float(name == "b")) for name in "ab"]
    (setting,) = gather([run_with("uniform", 0, (0.1, 0.2), tasks=tasks)])
    assert setting.title == "2 tasks, 100 steps, only b counts"


def test_runs_on_other_data_are_another_setting_and_running_ones_are_not():
    def run(seed, sums):
        return run_of(log_of(seed=seed), path=run_with("x", seed, (0, 0)).path, summary=sums and {"checksums": sums})

    assert len(gather([run(0, {"a": "1"}), run(1, {"a": "1"}), run(2, None)])) == 1
    assert len(gather([run(0, {"a": "1"}), run(1, {"a": "2"})])) == 2


def test_runs_for_the_worst_task_are_another_setting_and_judged_by_it():
    def run(seed, config):
        log = log_of(seed=seed, chosen=[0, 1], evaluations=[(0, 0.0, 0.0, (0.1, 0.2)), (2, 2.0, 0.0, (0.9, 0.5))])
        return run_of(log, path=run_with("x", seed, (0, 0)).path, summary={}, config=config)

    mean, worst = gather([run(0, 'objective = "mean"'), run(0, 'objective = "worst"'), run(1, "")])
    assert [item.seed for item in mean.runs] == [0, 1]
    assert mean.runs[0].objective == pytest.approx(0.7)
    assert worst.runs[0].objective == 0.5
    assert worst.runs[0].objectives.tolist() == [0.1, 0.5]
    assert worst.title == "2 tasks, 2 steps, the worst task counts"
    assert verdict(worst).headline.startswith("uniform reached an objective of 0.5 ")


def test_a_run_that_goes_on_is_read(tmp_path):
    (setting,) = load_runs([make_run(tmp_path / "a", "uniform", 0, finish=False)])
    (run,) = setting.runs
    assert not run.finished
    assert run.log.n_decisions == 120
    assert run.final_source == "last evaluation"


def test_a_line_that_a_running_run_is_writing_is_left_out(tmp_path):
    path = make_run(tmp_path / "a", "uniform", 0, finish=False)
    with (path / "decisions.jsonl").open("ab") as log:
        log.write(b'{"step": 120, "ta')
    assert load_run(path).log.n_decisions == 120
    (path / "summary.json").write_text("{}")
    with pytest.warns(UserWarning, match="torn line"):
        load_run(path)


def test_a_stamp_tells_whether_anything_was_written(tmp_path):
    path = make_run(tmp_path / "a", "uniform", 0, finish=False)
    stamps = [stamp_of(path)]
    assert stamp_of(path) == stamps[0]
    with (path / "decisions.jsonl").open("ab") as log:
        log.write(b"{")
    stamps.append(stamp_of(path))
    for name in ("plan.json", "summary.json"):
        (path / name).write_text("{}")
        stamps.append(stamp_of(path))
    assert len(set(stamps)) == 4


def test_the_same_run_twice_and_no_run_are_refused(tmp_path):
    path = make_run(tmp_path / "a", "uniform", 0)
    with pytest.raises(ValueError, match="same policy, 'uniform', with the same seed, 0"):
        load_runs([path, path])
    with pytest.raises(ValueError, match="at least one run directory"):
        load_runs([])
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load_runs([tmp_path])
    (path / "decisions.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match="no decision yet"):
        load_runs([path])


def test_labels_tell_parameters_only_where_they_differ():
    assert labels({"gamma": 0.1}, {"gamma": 0.1}) == ["exp3s", "exp3s"]
    assert labels({"gamma": 0.1}, {"gamma": 0.2}) == ["exp3s (gamma 0.1)", "exp3s (gamma 0.2)"]
    assert labels({"gamma": None}, {"gamma": 0.2}) == ["exp3s", "exp3s (gamma 0.2)"]
    assert labels({"policy": {"name": "odm"}}, {"policy": {"name": "ucb1"}}) == ["exp3s(odm)", "exp3s(ucb1)"]
    long = labels(*({"weights": "x" * 80 + str(index)} for index in range(2)))
    assert long == ["exp3s (kind 1)", "exp3s (kind 2)"]


def test_what_earlier_runs_taught_differs_from_seed_to_seed_as_data_do():
    told = [{"priors": {"runs": 3, "speed": [value]}} for value in (0.1, 0.2)]
    assert labels(*told) == ["exp3s", "exp3s"]
    label = "exp3s (priors of 3 earlier runs)"
    assert labels(*told, {}, {"priors": "runs/a"}) == [label, label, "exp3s", "exp3s (priors runs/a)"]


def test_names_are_made_short_different_and_harmless():
    hostile = ["x" * 500, "x" * 501, "a\nb", "a b", "\u202egnp.exe", "<b>", "\x00"]
    shown = short_names(hostile)
    assert len(set(shown)) == len(hostile)
    assert all(len(name) <= LONGEST + 4 for name in shown)
    assert shown[2:] == ["a b", "a b (2)", "gnp.exe", "<b>", "(unnamed)"]
    assert plain("नमस्\u200dते") == "नमस्\u200dते"
