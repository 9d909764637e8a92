"""What the selector draws agrees with what jiant's and SeqIO's formulas say it should."""

import numpy as np
import pytest
from scipy.stats import chi2

from apportion.budget import Steps
from apportion.selector import Selector
from policies.golden_static import JIANT, ROWS, SEQIO

N = 100_000


@pytest.mark.parametrize("row", [row for row in ROWS if row.source in {JIANT, SEQIO}], ids=lambda row: row.policy.name)
def test_realised_shares_agree_with_the_released_formula(row):
    """Pearson's chi-square over N draws, seed 0; a false alarm has a chance of 1e-7 for each row."""
    selector = Selector(row.tasks, row.policy.clone(), budget=Steps(N), seed=0)
    counts = np.bincount(selector.draw(N), minlength=len(row.tasks))
    expected = N * np.array(row.expected)
    assert expected.min() > 50
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert statistic < chi2.isf(1e-7, df=len(row.tasks) - 1)
