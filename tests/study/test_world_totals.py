"""Totals over worlds: families count alike, whatever the number of their worlds."""

import numpy as np
import pytest

from apportion.study.world_totals import world_totals
from apportion.study.worlds import WorldRow


def row(world, policy, gap, gain=(0.0, 0.0), mean=0.5):
    return WorldRow(
        world=world, policy=policy, signal="", mean=mean, gap_closed=gap, gain_lower=gain[0], gain_upper=gain[1]
    )


def test_families_count_alike_and_resampled_runs_give_the_interval():
    rows = [
        row("speeds/0", "sec", 0.2, (0.1, 0.3)),
        row("speeds/1", "sec", 0.4, (-0.1, 0.3)),
        row("prices/0", "sec", -0.5, (-0.3, -0.1)),
        row("equal/0", "sec", np.nan, (-0.2, -0.1)),
        row("bandit/0", "sec", np.nan, mean=np.nan),
        row("speeds/0", "odm", 0.1),
        row("speeds/0", "oracle", 1.0),
    ]
    samples = {("speeds/0", "sec"): 0.2, ("speeds/1", "sec"): 0.4, ("prices/0", "sec"): -0.5, ("speeds/0", "odm"): 0.1}
    spread = np.linspace(-0.1, 0.1, 41)
    totals = world_totals(rows, {key: value + spread for key, value in samples.items()})
    assert [item.policy for item in totals] == ["oracle", "odm", "sec"]
    sec = totals[2]
    assert sec.gap_closed == pytest.approx((0.3 - 0.5) / 2)  # not the mean of the three
    assert (sec.gap_lower, sec.gap_upper) == pytest.approx((-0.1 - 0.095, -0.1 + 0.095))
    assert (sec.families, sec.better, sec.worse, sec.ran, sec.refused) == (2, 1, 2, 4, 1)
    assert np.isnan(totals[0].gap_lower)  # a reference has no runs
