"""The examples of the page on off-policy evaluation and of the docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

from apportion import estimators

DOCS = Path(__file__).parents[2] / "docs"
MODULES = sorted(module.name for module in pkgutil.iter_modules(estimators.__path__, "apportion.estimators."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)


def test_the_reversal_on_the_page():
    examples = blocks("off_policy.md", "pycon")
    assert len(examples) == 4
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, "off_policy.md", None, 0)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_other_example_on_the_page(tmp_path, monkeypatch):
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen = np.arange(100) % 2
    columns = {
        "step": pa.array(np.arange(100)),
        "task": pa.array(["ab"[index] for index in chosen]),
        "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(np.full(200, 0.5)), 2),
        "reward": pa.array(chosen.astype(float)),
        "cost": pa.array(np.ones(100)),
    }
    metadata = {"apportion": json.dumps({"tasks": ["a", "b"]})}
    pq.write_table(pa.table(columns, metadata=metadata), tmp_path / "log.parquet")
    monkeypatch.chdir(tmp_path)
    feedback = {"n_actions": 2, "action": chosen, "reward": chosen, "pscore": np.full(100, 0.5)}
    names = {"target": np.array([0.25, 0.75]), "bandit_feedback": feedback}
    (example,) = blocks("off_policy.md", "python")
    exec(compile(example, "off_policy.md", "exec"), names)
    assert names["estimate"].value == pytest.approx(0.75)
    assert names["streamed"].estimate().value == pytest.approx(0.75)
    assert names["log"].n_rounds == 100


def test_every_estimator_and_interval_is_on_the_page():
    page = (DOCS / "off_policy.md").read_text()
    for name in (*estimators.ESTIMATORS, *estimators.INTERVALS, "by_task", "by_context", "learning_curve"):
        assert f"`{name}`" in page or f"`{name}(" in page, name
