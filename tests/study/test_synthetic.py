"""The synthetic study, in one small world."""

import json

import numpy as np
import orjson
import pytest

from apportion.component import decode
from apportion.policies import policies
from apportion.study.synthetic import (
    ABLATIONS,
    FAMILIES,
    SAME_SIGNAL,
    Setting,
    competitors,
    run_synthetic_study,
    settings_of,
    simulated,
    write_study,
)

EQUAL = "mixture(shares=(1, 1, 1))"


def test_a_small_study_has_its_table_and_figure(tmp_path):
    options = {"runs": 4, "tuning_runs": 2, "same_signal": False, "ablations": False, "out": tmp_path / "store"}
    study = run_synthetic_study(["few_steps/2"], ["round_robin", "exp3s", "pike", EQUAL], **options)
    table = {row["label"]: row for row in study.table()}
    assert set(table) == {"counterfactual", "uniform", "round_robin", "exp3s", "pike", EQUAL}
    assert table[EQUAL]["gain"] == pytest.approx(0.0, abs=1e-12)  # uniform by another name
    own = table["counterfactual"]
    assert table["uniform"]["gap_closed"] == table["uniform"]["upper"] == 0.0
    assert table["uniform"]["behind_lower"] == own["mean_lower"]
    assert own["behind"] == own["behind_lower"] == own["behind_upper"] == 0.0
    for row in study.rows:
        assert row.lower <= row.gap_closed <= row.upper
        assert row.mean_gap == pytest.approx(row.gap_closed)  # of one world
    assert [row["label"] for row in study.figure()] == list(table)
    values = [row["gap_closed"] for row in study.table()]
    assert values == sorted(values, reverse=True)
    paths = write_study(study, tmp_path)
    written = json.loads(paths["table"].read_text())
    assert written["signature"]["estimand"] == "run"
    assert paths["figure"].read_bytes().startswith(b"\x89PNG")
    worst = min(row.gain for row in study.rows if row.label == "pike" and row.world != "all")
    assert np.sign(table["pike"]["worst_gain"]) == np.sign(worst)
    assert "counterfactual closes" in written["verdict"]
    again = run_synthetic_study(["few_steps/2"], ["round_robin", "exp3s", "pike", EQUAL], **options)
    assert orjson.dumps(again.table()) == orjson.dumps(study.table())


def test_every_policy_gets_its_settings():
    assert settings_of("uniform") == [Setting("uniform")]
    assert len(settings_of("exp3s")) == 4
    tuned = settings_of("exp3s", {"exp3s": "exp3s(gamma=0.2)"})
    assert tuned[4:] == [Setting("exp3s(gamma=0.2)", tuned[0].signal)]
    names = competitors()
    assert {"uniform", "exp3s", "tscl_online", "lin_ucb", "lin_thompson", "counterfactual"} <= set(names)
    assert "planner" not in names
    assert all(policies.find(name).family in FAMILIES for name in names)


@pytest.mark.parametrize("label", ABLATIONS)
def test_every_ablation_can_be_made(label):
    setting = ABLATIONS[label]
    assert policies.make(setting.policy).name == "counterfactual"
    assert np.isfinite(policies.make(setting.policy).clip)


def test_the_pace_of_evaluations_is_that_of_the_world_or_another():
    spec = {"kind": "run", "world": "few_steps/2", "split": "public", "policy": "mt_grpo", "signal": ""}
    spec |= {"seed": 0, "first": 0, "runs": 2}
    own, same, often = (simulated(spec | more) for more in ({}, {"pace": 1.0}, {"pace": 0.2}))
    assert np.array_equal(decode(own["final"]), decode(same["final"]))
    assert not np.array_equal(decode(own["final"]), decode(often["final"]))


def test_competitors_on_the_same_signal_are_told_apart(tmp_path):
    options = {"runs": 4, "tuning_runs": 2, "tuned": "shipped", "tuning_worlds": ["few_steps/1"], "ablations": False}
    study = run_synthetic_study(["few_steps/2"], ["sec"], **options)
    rows = [row for row in study.rows if row.world == "all" and row.kind == "same signal"]
    assert {row.label for row in rows} == set(SAME_SIGNAL)
    assert all("worth" in row.signal for row in rows)
    settings = {row.label: row.settings for row in rows}
    assert settings["sec"] == 4  # two signals, and tuned parameters
    assert settings["lin_ucb"] == 2  # which it has not
    assert study.signature["tuning_worlds"] == ["few_steps/1"]
    assert "on its own signal" in study.verdict()
