"""The golden table: every policy says what its paper, a hand calculation or an independent program says.

A row lives in the `ROWS` of any file `golden_*.py` in this folder, with the source of its numbers.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest

from apportion.policies import POLICIES

FILES = sorted(path.stem for path in Path(__file__).parent.glob("golden_*.py"))
ROWS = [row for name in FILES for row in importlib.import_module(f"policies.{name}").ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.policy.name}: {row.source}"[:100])
def test_policy_says_what_the_source_says(row):
    assert row.source.strip()
    np.testing.assert_allclose(row.outcome(), row.expected, rtol=0, atol=row.tolerance)


@pytest.mark.parametrize("cls", POLICIES, ids=lambda cls: cls.name)
def test_policy_has_a_row(cls):
    assert any(type(row.policy) is cls for row in ROWS), f"add a row for {cls.name!r} to a golden_*.py in this folder"
