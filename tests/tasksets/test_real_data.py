"""GLUE and SuperGLUE as published; skipped where they are not at hand.

The data are no part of the project: `GLUE_DIR` names their folder, or they lie in `shared/glue`, in the checkout or
beside it, in the layout of the hub.
"""

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from apportion.budget import Steps
from apportion.tasksets import TextOptions, glue, superglue
from apportion.training import Settings, train
from tasksets.tiny import tiny_encoder

ROOT = Path(__file__).parents[2]
PLACES = (
    [Path(os.environ["GLUE_DIR"])]
    if os.environ.get("GLUE_DIR")
    else [ROOT.parent / "shared/glue", ROOT / "shared/glue"]
)
DATA = next((place for place in PLACES if place.is_dir()), PLACES[0])

pytestmark = pytest.mark.skipif(
    not (DATA / "rte" / "train.parquet").is_file(), reason=f"no GLUE data in '{DATA}': set GLUE_DIR to run this"
)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    # A small encoder: what is tested are the tables, their labels and metrics, not how much text it understands.
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoder"))
    cache = tmp_path_factory.mktemp("cache")
    return TextOptions(encoder=encoder, freeze_layers="all", cache_dir=cache, max_train=200, max_validation=200)


def test_complete_sets_have_their_published_sizes(options):
    found = glue(data_dir=DATA, tasks=["rte", "wnli"], options=replace(options, max_train=None, freeze_layers=0)).tasks
    found += superglue(data_dir=DATA, tasks=["cb"], options=replace(options, max_train=None, freeze_layers=0)).tasks
    assert {task.name: task.size for task in found} == {"rte": 2490, "wnli": 635, "cb": 250}
    fair = superglue(
        data_dir=DATA,
        tasks=["cb"],
        options=replace(options, max_train=None, freeze_layers=0),
        validate_on_training=True,
    )["cb"]
    assert (len(fair.train), len(fair.validation[""]), len(fair.final[""])) == (225, 25, 56)


@pytest.mark.parametrize(("make", "n_tasks"), [(glue, 9), (superglue, 5)])
def test_a_run_on_real_text_scores_every_task(make, n_tasks, options):
    taskset = make(data_dir=DATA, options=options)
    settings = Settings(evaluation_size=50, threads=1)
    result = train(taskset, policy="uniform", budget=Steps(60), seed=0, when_exhausted="cycle", settings=settings)
    assert len(result.tasks) == n_tasks
    assert sum(result.counts.values()) + result.evaluation_cost <= 60 + 1e-9
    # Correlations and Matthews reach down to -1, the other scores to 0; at chance or above, none is perfect.
    assert all(-1 <= item.score < 1 and math.isfinite(item.score) for item in result.tasks.values())
