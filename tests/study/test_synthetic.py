"""The synthetic study, in one small world."""

import json

import numpy as np
import orjson
import pytest

from apportion.policies import policies
from apportion.study.synthetic import (
    ABLATIONS,
    FAMILIES,
    competitors,
    run_synthetic_study,
    settings_of,
    write_study,
)

EQUAL = "mixture(shares=(1, 1, 1))"


def test_a_small_study_has_its_table_and_figure(tmp_path):
    options = {"runs": 4, "tuning_runs": 2, "ablations": False, "out": tmp_path / "store"}
    study = run_synthetic_study(["few_steps/2"], ["round_robin", "exp3s", "pike", EQUAL], **options)
    table = {row["label"]: row for row in study.table()}
    assert set(table) == {"counterfactual", "uniform", "round_robin", "exp3s", "pike", EQUAL}
    assert table[EQUAL]["gain"] == pytest.approx(0.0, abs=1e-12)  # uniform by another name
    own = table["counterfactual"]
    assert table["uniform"]["gap_closed"] == table["uniform"]["upper"] == 0.0
    assert table["uniform"]["behind_lower"] == own["lower"]
    assert own["behind"] == own["behind_lower"] == own["behind_upper"] == 0.0
    for row in study.rows:
        assert row.lower <= row.gap_closed <= row.upper
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
    assert settings_of("uniform") == [("uniform", "")]
    assert len(settings_of("exp3s")) == 4
    names = competitors()
    assert {"uniform", "exp3s", "tscl_online", "lin_ucb", "lin_thompson", "counterfactual"} <= set(names)
    assert "planner" not in names
    assert all(policies.find(name).family in FAMILIES for name in names)


@pytest.mark.parametrize("label", ABLATIONS)
def test_every_ablation_can_be_made(label):
    spec, _ = ABLATIONS[label]
    assert policies.make(spec).name == "counterfactual"
    assert np.isfinite(policies.make(spec).clip)
