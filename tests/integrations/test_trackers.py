"""Each tracker with its real library, read back from what it wrote; skipped where the library is not installed."""

import json
import math
import sqlite3
import struct

import numpy as np
import pytest

from apportion.budget import Steps
from apportion.config import make_config
from apportion.errors import MissingExtraError
from apportion.integrations import TRACKERS, TrackerCallback, make_trackers
from apportion.launch import launch
from apportion.log import read_log
from apportion.tasksets import digits
from apportion.training import Settings, Trainer

NAMES = digits().names


def run(place, tracker, **more):
    config = {
        "seed": 0,
        "when_exhausted": "cycle",
        "policy": "exp3s",
        "taskset": {"name": "digits"},
        "budget": {"amount": 60},
        "training": {"threads": 1, "evaluation_size": 16, "evaluate_every": 20},
        "trackers": [tracker],
        **more,
    }
    return launch(make_config(config), place)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    summary = run(tmp_path / "run", "tensorboard")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    check(lambda name: {item.step: item.value for item in events.Scalars(name)}, summary, tmp_path / "run")


def test_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    summary = run(tmp_path / "run", "mlflow")
    client = mlflow.MlflowClient()
    (experiment,) = (item for item in client.search_experiments() if item.name == "apportion")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["seed"] == "0"
    check(
        lambda name: {item.step: item.value for item in client.get_metric_history(found.info.run_id, name)},
        summary,
        tmp_path / "run",
    )


def test_weights_and_biases_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    from wandb.proto import wandb_internal_pb2 as records

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    summary = run(tmp_path / "run", "wandb")
    (file,) = (tmp_path / "run").glob("wandb/offline-run-*/*.wandb")
    found = {}
    for data in leveldb_records(file.read_bytes()[7:]):
        record = records.Record()
        record.ParseFromString(data)
        for item in record.history.item:
            name = item.key or "/".join(item.nested_key)
            found.setdefault(name, {})[record.history.step.num] = json.loads(item.value_json)
    check(lambda name: found[name], summary, tmp_path / "run")


def leveldb_records(data, block=32768, header=7):
    """Records of a file in LevelDB's log format: checksum, length and kind (whole, first, middle, last) before each."""
    at, parts = 0, b""
    while at + header <= len(data):
        place = (at + header) % block  # the file began with seven bytes of its own
        if block - place < header:
            at += block - place
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + header])
        parts += data[at + header : at + header + length]
        at += header + length
        if kind in (1, 4):
            yield parts
            parts = b""


def test_trackio(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio", reason="trackio is not installed")
    summary = run(tmp_path / "run", "trackio")
    (file,) = (tmp_path / "trackio").glob("apportion*.db")
    with sqlite3.connect(file) as database:
        rows = [(step, json.loads(values)) for step, values in database.execute("select step, metrics from metrics")]
    check(lambda name: {step: row[name] for step, row in rows if name in row}, summary, tmp_path / "run")


def check(history, summary, place):
    """What a tracker holds is what the log and the summary say."""
    log, last = read_log(place / "decisions.jsonl"), summary["steps"]
    for index, name in enumerate(NAMES):
        sent = history(f"decisions/{name}")
        assert sum(sent.values()) == summary["counts"][name]
        assert history(f"share/{name}")[last] == pytest.approx(summary["counts"][name] / last)
        assert history(f"final/{name}")[last] == pytest.approx(summary["tasks"][name]["score"])
        assert history(f"asked/{name}")[10] == pytest.approx(log.logged.probabilities[:10, index].mean(), abs=1e-6)
        of_task = log.logged.chosen[:10] == index
        if of_task.any():
            assert history(f"reward/{name}")[10] == pytest.approx(log.logged.reward[:10][of_task].mean(), abs=1e-6)
        scores = history(f"score/{name}")
        assert [scores[item["step"]] for item in summary["evaluations"]] == pytest.approx(
            [item["tasks"][name]["score"] for item in summary["evaluations"]], abs=1e-6
        )
    assert history("final_objective")[last] == pytest.approx(summary["objective"])


class Kept:
    """A tracker of one's own: it keeps what it gets."""

    def __init__(self):
        self.events = []

    def start(self, name, params, step):
        self.events.append(("start", name, params, step))

    def log(self, values, step):
        assert all(math.isfinite(value) for value in values.values())
        self.events.append(("log", dict(values), step))

    def close(self):
        self.events.append(("close",))


def test_a_tracker_of_ones_own_hears_every_decision():
    mine = Kept()
    trainer = Trainer(
        digits(),
        policy="uniform",
        budget=Steps(12),
        seed=3,
        when_exhausted="cycle",
        settings=Settings(threads=1, evaluation_size=8, evaluate_every=6),
        callbacks=[TrackerCallback([mine], name="mine", every=1)],
    )
    result = trainer.run()
    kinds = [event[0] for event in mine.events]
    assert kinds[0] == "start"
    assert kinds[-1] == "close"
    steps = [event[2] for event in mine.events if event[0] == "log"]
    assert steps == sorted(steps)
    decisions = [event[1] for event in mine.events if event[0] == "log" and "spent" in event[1]]
    assert len(decisions) == 12
    drawn = np.array([[values[f"decisions/{name}"] for name in NAMES] for values in decisions])
    assert drawn.sum(axis=0).tolist() == list(result.counts.values())
    assert not any(key.startswith("reward") for values in decisions for key in values)
    evaluations = [event[1]["objective"] for event in mine.events if event[0] == "log" and "objective" in event[1]]
    assert evaluations == pytest.approx([np.mean(list(item.scores.values())) for item in result.evaluations])


def test_a_wrong_name_is_refused_before_anything_is_spent(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'tensorboard'"):
        run(tmp_path / "run", "tensorbord")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_library_is_said(name, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"apportion\[{name}\]"):
        make_trackers([name], tmp_path)
