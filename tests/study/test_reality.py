"""Reality against simulation: the bookkeeping by hand, and the whole way on a few short runs."""

import numpy as np
import pytest

from apportion.cli.study_reality import as_data, print_study
from apportion.config import make_config
from apportion.sim.fitted import Fit
from apportion.study import reality
from apportion.study.reality import FIRST_EXPLORED, _judged, random_plan, study_reality

CONFIG = make_config(
    {
        "taskset": {"name": "digits"},
        "budget": {"amount": 24},
        "when_exhausted": "cycle",
        "seed": 0,
        "training": {"evaluation_size": 16, "threads": 1},
    }
)

IN_EXAMPLES = make_config(CONFIG.model_dump(exclude_none=True), {"budget.unit": "examples"})


def judged(real, simulated):
    names = ["uniform", *"abcdefgh"[: len(real) - 1]]
    noise = np.random.default_rng(0).normal(size=(2, len(real), 10)) * 0.001
    columns = [np.array(level)[:, None] + own for level, own in zip((real, simulated), noise, strict=True)]
    return _judged(names, *columns, [], Fit.load("digits-400"), {})


def test_agreement_by_hand():
    # Ranks 2 1 3 4 against 2 1 4 3: rho = 1 - 6 * 2 / (4 * 15), tau = (5 - 1) / 6; all signs agree.
    found = judged([0.5, 0.4, 0.6, 0.7], [0.5, 0.4, 0.7, 0.6])
    assert found.spearman[0] == pytest.approx(0.8)
    assert found.kendall[0] == pytest.approx(2 / 3)
    assert (found.agreeing, found.judged, found.clear_agreeing, found.clear) == (3, 3, 3, 3)
    # differences -0.1, 0.1, 0.2 against -0.1, 0.2, 0.1: slope = 0.05 / 0.06
    assert found.slope == pytest.approx(5 / 6, abs=0.02)


def test_a_wrong_sign_is_counted_and_noise_widens_the_interval():
    found = judged([0.5, 0.4, 0.6, 0.5001], [0.5, 0.6, 0.4, 0.4])
    assert (found.clear_agreeing, found.clear) == (0, 2)
    assert found.spearman[0] < 0
    assert found.spearman[1] <= found.spearman[0] <= found.spearman[2]
    assert found.slope == pytest.approx(-2 / 3, abs=0.02)


def test_plans_are_shares_that_change_and_repeat_with_their_seed():
    plans = [random_plan(5, seed) for seed in range(40)]
    assert plans[3] == random_plan(5, 3)
    assert {len(plan) for plan in plans} == {1, 2, 4, 12}
    for plan in plans:
        assert [start for start, _ in plan] == sorted({start for start, _ in plan})
        assert plan[0][0] == 0
        assert all(sum(shares) == pytest.approx(1, abs=1e-3) for _, shares in plan)


def test_the_whole_way(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reality, "LOOKS", 3)  # of twenty, to save time
    words = {"seeds": range(2), "explored": 8, "runs": 4, "parts": (), "out": tmp_path, "workers": 1}
    found = study_reality(CONFIG, ["round_robin", "exp3s"], **words)
    assert [row.policy for row in found.rows] == ["uniform", "round_robin", "exp3s"]
    assert all(np.isfinite([row.real, row.simulated]).all() for row in found.rows)
    assert found.fit.n_runs == 8
    assert 16 <= found.fit.budget <= 24
    assert {"batch_noise", "memorised", "gain_noise"} <= found.fit.measured.keys()
    assert "8 runs of digits with 24 steps" in found.fit.source
    assert len(as_data(found)["rows"]) == 3
    print_study(found)
    assert "Spearman's rho" in capsys.readouterr().out

    def never(stage, done, total):
        assert stage != "exploring" or done == total  # what is finished is not repeated

    again = study_reality(CONFIG, ["round_robin", "exp3s"], **words, fit=found.fit, progress=never)
    assert again.rows == found.rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": range(1)}, "`number of seeds` must be at least 2"),
        ({"seeds": range(FIRST_EXPLORED, FIRST_EXPLORED + 3)}, "are for the fit: judge on others"),
        ({"policies": ["uniform", "exp3"]}, "`number of policies beside uniform` must be at least 2"),
        ({"explored": 2}, "`explored` must be at least 8"),
        ({"config": IN_EXAMPLES}, "must be in steps"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, message, tmp_path):
    words = {"config": CONFIG, "policies": ["exp3", "sec"], "seeds": range(3), "out": tmp_path, **changes}
    with pytest.raises(ValueError, match=message):
        study_reality(words.pop("config"), words.pop("policies"), **words)
