"""GLUE and SuperGLUE from a folder in the layout of the hub, with rows made up here."""

import math
from dataclasses import replace
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from apportion.budget import Steps
from apportion.tasksets import TextOptions, glue, superglue
from apportion.training import Classification, Regression, Settings, train
from tasksets.tiny import tiny_encoder

SENTENCES = ["good film .", "the film is bad", "is a film good ?", "not bad ."]
COLUMNS = {
    "cola": ("sentence",),
    "sst2": ("sentence",),
    "mrpc": ("sentence1", "sentence2"),
    "stsb": ("sentence1", "sentence2"),
    "qqp": ("question1", "question2"),
    "mnli": ("premise", "hypothesis"),
    "qnli": ("question", "sentence"),
    "rte": ("sentence1", "sentence2"),
    "wnli": ("sentence1", "sentence2"),
    "boolq": ("question", "passage"),
    "cb": ("premise", "hypothesis"),
    "copa": ("premise", "question", "choice1", "choice2"),
    "wic": ("word", "sentence1", "sentence2"),
    "wsc": ("text", "span1_text", "span2_text"),
}


def write(folder, task, split, n=12):
    (folder / task).mkdir(parents=True, exist_ok=True)
    labels = [1.25 * (row % 4) if task == "stsb" else row % (3 if task in ("mnli", "cb") else 2) for row in range(n)]
    data = {name: [SENTENCES[(row + place) % 4] for row in range(n)] for place, name in enumerate(COLUMNS[task])}
    if task == "copa":
        data["question"] = ["cause", "effect"] * (n // 2)
    pq.write_table(pa.table({**data, "label": labels, "idx": list(range(n))}), folder / task / f"{split}.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for task in COLUMNS:
        place = root / "superglue" if task in ("boolq", "cb", "copa", "wic", "wsc") else root
        write(place, task, "train")
        for split in ("validation_matched", "validation_mismatched_1000") if task == "mnli" else ("validation",):
            write(place, task, split, n=8)
    return root


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoder"))
    return TextOptions(encoder=encoder, freeze_layers="all", cache_dir=tmp_path_factory.mktemp("cache"), batch_size=4)


def test_nine_tasks_with_their_official_metrics(folder, options):
    taskset = glue(data_dir=folder, options=options)
    assert {part.name: part.primary for part in taskset.parts} == {
        "cola": ("matthews",),
        "sst2": ("accuracy",),
        "mrpc": ("f1", "accuracy"),
        "stsb": ("pearson", "spearman"),
        "qqp": ("f1", "accuracy"),
        "mnli": ("accuracy",),
        "qnli": ("accuracy",),
        "rte": ("accuracy",),
        "wnli": ("accuracy",),
    }
    assert taskset["mnli"].head == Classification(3)
    assert isinstance(taskset["stsb"].head, Regression)
    assert set(taskset["mnli"].validation) == {"matched", "mismatched"}
    assert taskset["stsb"].score_range == (-1, 1)


def test_a_run_reports_every_metric(folder, options):
    taskset = glue(data_dir=folder, options=options)
    settings = Settings(evaluation_size=4)
    result = train(taskset, policy="uniform", budget=Steps(30), seed=0, when_exhausted="cycle", settings=settings)
    assert set(result.tasks["mnli"].metrics) == {"matched/accuracy", "mismatched/accuracy"}
    assert set(result.tasks["stsb"].metrics) == {"pearson", "spearman"}
    found = result.tasks["mrpc"]
    assert found.score == pytest.approx((found.metrics["f1"] + found.metrics["accuracy"]) / 2)
    assert all(math.isfinite(item.loss) for item in result.tasks.values())


def test_some_tasks_in_their_order(folder, options):
    assert glue(data_dir=folder, tasks=["rte", "cola"], options=options).names == ("rte", "cola")
    with pytest.raises(ValueError, match=r"'sst', which is not one of .*; did you mean 'sst2'"):
        glue(data_dir=folder, tasks=["sst"], options=options)


def test_five_tasks_of_superglue(folder, options):
    taskset = superglue(data_dir=folder, options=options)
    assert taskset.names == ("boolq", "cb", "copa", "wic", "wsc")
    assert taskset["cb"].primary == ("accuracy", "macro_f1")
    direct = superglue(data_dir=folder / "superglue", options=options)
    assert direct.checksums == taskset.checksums
    result = train(taskset, policy="uniform", budget=Steps(10), seed=0, when_exhausted="cycle")
    assert np.isfinite(list(result.scores.values())).all()


def test_a_missing_file_is_named_with_the_way_out(folder, options, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"rte.train.parquet': give the folder .* or leave `data_dir` out"):
        glue(data_dir=tmp_path, tasks=["rte"], options=options)
    write(tmp_path, "mnli", "train")
    write(tmp_path, "mnli", "validation_matched")
    with pytest.raises(FileNotFoundError, match=r"validation_mismatched.parquet"):
        glue(data_dir=tmp_path, tasks=["mnli"], options=options)


def test_hidden_test_labels_are_refused(options, tmp_path):
    write(tmp_path, "rte", "train")
    table = pa.table({"sentence1": ["a"], "sentence2": ["b"], "label": [-1]})
    pq.write_table(table, tmp_path / "rte" / "validation.parquet")
    with pytest.raises(ValueError, match=r"validation.parquet' has -1 in row 0 of the label column 'label'"):
        glue(data_dir=tmp_path, tasks=["rte"], options=options)


def test_runs_that_start_at_once_compute_the_frozen_outputs_once(folder, options, tmp_path):
    first, second, others = [], [], []

    def start_another(label, done, total):
        if not first:
            made = replace(options, cache_dir=tmp_path, progress=lambda *told: second.append(told))
            others.append(Thread(target=glue, kwargs={"data_dir": folder, "tasks": ["rte"], "options": made}))
            others[0].start()
            # Long enough for it to come to the file that this one is in the middle of.
            others[0].join(3)
        first.append(label)

    alone = glue(data_dir=folder, tasks=["rte"], options=options)
    beside = replace(options, cache_dir=tmp_path, progress=start_another)
    taskset = glue(data_dir=folder, tasks=["rte"], options=beside)
    others[0].join()
    # Training and validation texts are the same here, and one file serves both.
    assert (len(first), len(second)) == (1, 0)
    assert torch.equal(taskset["rte"].train.vectors, alone["rte"].train.vectors)
