import math

import numpy as np
import pytest
from scipy import stats

from apportion import Task
from apportion.report import figures, gather, run_of, tables
from apportion.report.tables import OBJECTIVE
from report.made_runs import log_of, run_with


def one(rows, **wanted):
    (found,) = [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
    return found


def setting_of(finals, **options):
    """A setting from {policy: [(score a, score b) by seed]}."""
    runs = [
        run_with(policy, seed, pair, **options) for policy, pairs in finals.items() for seed, pair in enumerate(pairs)
    ]
    (setting,) = gather(runs)
    return setting


def test_mean_over_seeds_agrees_with_scipy():
    values = np.array([0.1, 0.5, 0.3, 0.35])
    found = tables.mean_over_seeds(values, confidence=0.9)
    low, high = stats.t.interval(0.9, 3, values.mean(), stats.sem(values))
    assert found == pytest.approx((values.mean(), low, high, 4))


def test_too_few_seeds_give_no_interval_and_missing_ones_are_left_out():
    found = tables.mean_over_seeds(np.array([0.2, np.nan]))
    assert found[0] == 0.2
    assert math.isnan(found.lower)
    assert found.n == 1
    assert tables.mean_over_seeds(np.array([np.nan])).n == 0


def test_differences_are_paired_by_seed():
    # Objectives: uniform .5, .7, .6; other .6, .9, .6 => differences .1, .2, 0.
    setting = setting_of(
        {"uniform": [(0.4, 0.6), (0.6, 0.8), (0.6, 0.6)], "exp3s": [(0.5, 0.7), (0.8, 1.0), (0.5, 0.7)]}
    )
    row = one(tables.differences(setting), task=OBJECTIVE)
    half = stats.t.ppf(0.975, 2) * np.std([0.1, 0.2, 0.0], ddof=1) / math.sqrt(3)
    assert row[:3] == ("exp3s", "uniform", OBJECTIVE)
    assert row[3:6] == pytest.approx((0.1, 0.1 - half, 0.1 + half))
    assert (row.n, row.wins) == (3, 2)
    assert one(tables.differences(setting), task="a").mean == pytest.approx((0.1 + 0.2 - 0.1) / 3)


def test_seeds_of_one_policy_alone_are_left_out_of_differences():
    setting = setting_of({"uniform": [(0.4, 0.6), (0.6, 0.8)], "exp3s": [(0.5, 0.7), (0.7, 0.9), (0.0, 0.0)]})
    row = one(tables.differences(setting), task=OBJECTIVE)
    assert row.n == 2
    assert row.mean == pytest.approx(0.1)


def test_differences_to_an_unknown_policy_are_refused():
    with pytest.raises(ValueError, match="one of uniform, exp3s"):
        tables.differences(setting_of({"uniform": [(0, 0)], "exp3s": [(0, 0)]}), reference="uniforn")


def test_auxiliary_tasks_do_not_count_in_the_objective():
    tasks = (Task(name="a", priority=3.0), Task(name="b", priority=1.0), Task(name="c", priority=0.0))
    log = log_of(tasks=tasks, chosen=[0, 1], evaluations=[(2, 2.0, 0.0, (0.8, 0.4, np.nan))])
    run = run_of(log, path=run_with("x", 0, (0, 0)).path, summary={})
    assert run.objective == pytest.approx(0.7)
    assert run.final_source == "last evaluation"


def test_running_runs_are_compared_where_all_have_been():
    half = run_with("exp3s", 0, (0, 0), [(0, 0.0), (50, 0.8)], finished=False)
    full = run_with("uniform", 0, (9, 9), [(0, 0.0), (100, 1.0)])
    (setting,) = gather([half, full])
    found = tables.compared(setting)
    np.testing.assert_allclose(found.objective, [0.5, 0.8])  # uniform stands first, read off at 50
    assert "after 50 of 100 steps" in found.words


def test_budget_to_reach_by_hand():
    run = run_with("uniform", 0, (1, 1), [(0, 0.2), (40, 0.6), (80, 0.5), (100, 0.9)])
    assert tables.budget_to_reach(run, 0.1) == 0.0
    assert tables.budget_to_reach(run, 0.4) == pytest.approx(20.0)
    assert tables.budget_to_reach(run, 0.7) == pytest.approx(90.0)
    assert tables.budget_to_reach(run, 0.95) == math.inf


def test_savings_are_measured_against_the_same_seed():
    slow, fast = [(0, 0.0), (100, 0.5)], [(0, 0.0), (100, 1.0)]
    runs = [run_with("uniform", seed, (1, 1), slow) for seed in (0, 1)]
    runs += [run_with("exp3s", 0, (1, 1), fast), run_with("exp3s", 1, (1, 1), [(0, 0.0), (100, 0.4)])]
    (setting,) = gather(runs)
    rows = {row.policy: row for row in tables.savings(setting)}
    assert rows["uniform"][2:] == pytest.approx((1.0, 1.0, 1.0, 2, 2))
    assert rows["exp3s"].smallest == pytest.approx(0.5)
    assert rows["exp3s"].share == math.inf
    assert (rows["exp3s"].reached, rows["exp3s"].n) == (1, 2)


def test_nothing_is_made_up_where_evaluations_left_tasks_out():
    full = [(0, 0.1), (50, 0.4), (100, 0.5)]
    runs = [run_with("uniform", seed, (1, 1), full) for seed in (0, 1)]
    runs += [run_with("planner", 0, (1, 1), [(0, 0.1), (51, math.nan), (99, 0.7)])]
    runs += [run_with("planner", 1, (1, 1), [(0, 0.1), (50, 0.6), (100, math.nan)])]
    (setting,) = gather(runs)
    for task in ("a", tables.OBJECTIVE):
        points = [row for row in tables.curves(setting) if row.policy == "planner" and row.task == task]
        assert [(row.spent, row.mean, row.n) for row in points] == [(0, 0.1, 2), (51, 0.6, 1), (99, 0.7, 1)]
        assert not any(row.joined for row in points)
    assert all(row.joined for row in tables.curves(setting) if row.policy == "uniform")
    (saved,) = (row for row in tables.savings(setting) if row.policy == "planner")
    assert math.isnan(saved.share)
    assert saved.reached == 0
    assert {row.policy for row in tables.reach(setting)} == {"uniform"}
    # Nor is there anything to reach where the reference itself left tasks out.
    (alone,) = gather(runs, reference="planner")
    assert tables.savings(alone) == []


def test_where_no_line_may_be_drawn_there_is_no_layer_of_lines():
    marks = []
    for values in ([(0, 0.1), (50, 0.4), (100, 0.5)], [(0, 0.1), (50, math.nan), (100, 0.5)]):
        (setting,) = gather([run_with("planner", 0, (1, 1), values)])
        drawn = figures.objective(tables.curves(setting), setting).to_dict()
        marks.append({layer["mark"]["type"] for layer in drawn["layer"]})
    assert [("line" in found, "point" in found) for found in marks] == [(True, True), (False, True)]


def test_reach_has_no_budget_for_what_most_seeds_never_reached():
    runs = [
        run_with("uniform", 0, (1, 1), [(0, 0.0), (100, 0.5)]),
        run_with("exp3s", 0, (1, 1), [(0, 0.0), (100, 1.0)]),
    ]
    (setting,) = gather(runs)
    rows = tables.reach(setting)
    top = max(row.level for row in rows)
    assert top == pytest.approx(1.0)
    assert one(rows, policy="uniform", level=top).budget == math.inf
    assert one(rows, policy="exp3s", level=top).budget == pytest.approx(100.0)


def test_shares_are_means_over_seeds():
    runs = [
        run_of(log_of("uniform", seed, chosen=chosen, probabilities=[[0.5, 0.5]] * 4), path=run_path, summary={})
        for seed, chosen, run_path in ((0, [0, 0, 0, 0], _path(0)), (1, [0, 0, 1, 1], _path(1)))
    ]
    (setting,) = gather(runs)
    total = one(tables.total_shares(setting), task="a")
    assert total.asked == pytest.approx(0.5)
    assert total.realised == pytest.approx(0.75)
    assert total.decisions == 3.0
    assert total.epochs == pytest.approx((16 + 8) / 2 / 10)  # batches of 4 of 10 examples
    for row in tables.shares(setting):
        assert row.asked == pytest.approx(0.5)
    by_start = {row.start: row.realised for row in tables.shares(setting) if row.task == "a"}
    assert list(by_start.values()) == pytest.approx([1.0, 1.0, 0.5, 0.5])


def _path(seed):
    return run_with("x", seed, (0, 0)).path


def test_effective_sizes_by_hand_and_not_for_deterministic_logs():
    # p = (.5, .5) drawn 2 and 2: uniform keeps all 4 decisions, a single task its own 2 of weight 2.
    log = log_of(chosen=[0, 1, 0, 1])
    smooth = log_of("round_robin", chosen=[0, 1, 0, 1], execution="smooth")
    (setting,) = gather([run_of(log, path=_path(0), summary={}), run_of(smooth, path=_path(1), summary={})])
    rows = tables.effective_sizes(setting)
    assert {row.policy for row in rows} == {"uniform"}
    assert one(rows, target="uniform")[2:] == (4.0, 1.0, 1.0, 1)
    assert one(rows, target="only a")[2:] == (2.0, 0.5, 2.0, 1)
    # Sizes 10 and 30: weights .5 and 1.5 => (2*.5 + 2*1.5)^2 / (2*.25 + 2*2.25) = 16/5.
    assert one(rows, target="proportional to size").size == pytest.approx(3.2)


def test_rewards_are_counted_where_they_came():
    log = log_of(chosen=[0, 1, 0, 1], reward=[1.0, np.nan, 3.0, 5.0])
    (setting,) = gather([run_of(log, path=_path(0), summary={})])
    rows = tables.rewards(setting)
    assert sum(row.rewards for row in rows) == 3
    assert {(row.task, row.median) for row in rows} == {("a", 1.0), ("a", 3.0), ("b", 5.0)}


def test_training_batches_are_averaged_over_tenths_of_the_budget():
    told = {"loss": [2.0, 1.0] * 10, "success": [0.0, 0.5, 1.0, np.nan] * 5}
    log = log_of(chosen=[0, 0, 1, 1] * 5, measured=told)
    (setting,) = gather([run_of(log, path=_path(0), summary={})])
    assert tables.told_name(setting) == "success"
    rows = tables.training(setting)
    # Twenty decisions of cost 1: two in each part, of task a in the odd ones, of b, where one is not told, in the even.
    assert {(row.task, row.mean) for row in rows} == {("a", 0.25), ("b", 1.0)}
    assert sorted((row.spent, row.task) for row in rows) == [(2.0 * part + 1.0, "ab"[part % 2]) for part in range(10)]


def test_training_losses_count_where_a_run_told_no_success():
    both = log_of(measured={"loss": [2.0, 1.0], "success": [0.0, 1.0]})
    one = log_of(seed=1, measured={"loss": [4.0, 3.0], "success": [np.nan, np.nan]})
    (setting,) = gather([run_of(log, path=_path(index), summary={}) for index, log in enumerate((both, one))])
    assert tables.told_name(setting) == "loss"
    assert {(row.task, row.mean, row.n) for row in tables.training(setting)} == {("a", 3.0, 2), ("b", 2.0, 2)}
    (silent,) = gather([run_of(log_of(), path=_path(0), summary={})])
    assert tables.told_name(silent) == ""
    assert tables.training(silent) == []


def spread(centre, width=0.01):
    return [(centre - width,) * 2, (centre,) * 2, (centre + width,) * 2, (centre,) * 2]


def test_verdict_is_sure_of_a_large_paired_lead():
    better = [(a + 0.1 + 0.002 * (-1) ** seed, b + 0.1) for seed, (a, b) in enumerate(spread(0.5))]
    told = tables.verdict(setting_of({"uniform": spread(0.5), "exp3s": better}))
    assert (told.best, told.sureness) == ("exp3s", "sure")
    assert told.headline.startswith("exp3s is best: +0.1000")
    assert "4 paired seeds" in told.headline


def test_two_seeds_never_make_it_sure():
    told = tables.verdict(setting_of({"uniform": [(0.5, 0.5)] * 2, "exp3s": [(0.6, 0.6), (0.601, 0.601)]}))
    assert told.sureness == "likely"


def test_verdict_allows_for_the_number_of_policies_compared():
    # Differences .1, .02, .08, .05 have t = 3.6 with 3 degrees of freedom: p = .04 alone, .4 among ten comparisons.
    ahead = [(0.5 + gain,) * 2 for gain in (0.1, 0.02, 0.08, 0.05)]
    flat = [(0.5, 0.5)] * 4
    assert tables.verdict(setting_of({"uniform": flat, "exp3s": ahead})).sureness == "sure"
    others = {f"mixture_{index}": [(0.4, 0.4)] * 4 for index in range(9)}
    assert tables.verdict(setting_of({"uniform": flat, "exp3s": ahead, **others})).sureness == "likely"


def test_verdict_does_not_call_noise_a_win():
    noisy = [(0.7, 0.7), (0.4, 0.4), (0.6, 0.6), (0.45, 0.45)]
    told = tables.verdict(setting_of({"uniform": spread(0.5), "exp3s": noisy}))
    assert (told.best, told.sureness) == ("exp3s", "open")
    assert "may be chance" in told.headline


def test_verdict_names_the_runner_up_where_the_reference_wins():
    told = tables.verdict(setting_of({"uniform": spread(0.6), "exp3s": spread(0.5), "odm": spread(0.4)}))
    assert told.best == "uniform"
    assert "over exp3s" in told.headline


@pytest.mark.parametrize(
    ("finals", "words"),
    [
        ({"uniform": [(0.5, 0.7)]}, "reached an objective of 0.6"),
        ({"uniform": [(0.5, 0.7)], "exp3s": [(0.6, 0.8)]}, "single seed"),
        ({"uniform": [(math.nan, 0.7)]}, "No run has been evaluated"),
    ],
)
def test_verdict_promises_nothing_without_seeds(finals, words):
    told = tables.verdict(setting_of(finals))
    assert told.sureness == "untested"
    assert words in told.headline


def test_verdict_without_a_common_seed_gives_no_difference():
    (setting,) = gather([run_with("uniform", 0, (0.5, 0.5)), run_with("exp3s", 1, (0.9, 0.9))])
    told = tables.verdict(setting)
    assert told.sureness == "untested"
    assert "shares no seed with uniform" in told.headline


def test_what_a_forecaster_gave_is_read_and_checked():
    log = log_of()
    given = {
        "forecast": [{"task": "a", "spent": 2, "score": 0.5, "lower": 0.4, "upper": 0.6}],
        "transfer": [{"task": "a", "source": "b", "value": -0.2}],
        "worth": [{"task": "b", "value": 0.1}],
    }
    (setting,) = gather([run_of(log, path=_path(0), summary={}, given=given)])
    assert tables.forecasts(setting)[0][2:] == ("a", 2.0, 0.5, 0.4, 0.6, 0.0)
    assert tables.transfers(setting)[0][2:5] == ("a", "b", -0.2)
    assert tables.worths(setting)[0][2:4] == ("b", 0.1)
    for wrong in ({"task": "c", "value": 1}, {"task": "a", "value": "x"}, {"task": "a"}):
        (setting,) = gather([run_of(log, path=_path(0), summary={}, given={"worth": [wrong]})])
        with pytest.raises(ValueError, match="given with the run"):
            tables.worths(setting)
