import json
import os

import numpy as np
import pytest

from apportion.errors import CheckpointError
from apportion.run import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", config="seed = 0\n")


def tensors(folder):
    (folder / "model.bin").write_bytes(b"weights")


def test_a_checkpoint_comes_back_exactly(run):
    state = {"big": 2**127 + 1, "small": [1, -(2**62)], "nested": {"x": 0.1}, "text": "é"}
    run.save_checkpoint(7, state, tensors)
    path, loaded = run.load_checkpoint()
    assert loaded == state
    assert path.name == "00000007"
    generator = np.random.default_rng(1)
    run.save_checkpoint(8, {"random": generator.bit_generator.state}, tensors)
    other = np.random.default_rng(2)
    other.bit_generator.state = run.load_checkpoint()[1]["random"]
    assert other.random() == generator.random()


def test_only_the_newest_are_kept(run):
    for step in (1, 2, 3, 10):
        run.save_checkpoint(step, {"step": step}, tensors, keep=2)
    assert [item.name for item in run.checkpoints] == ["00000003", "00000010"]
    assert run.load_checkpoint()[1] == {"step": 10}


def test_a_failed_checkpoint_leaves_the_others(run):
    run.save_checkpoint(1, {"step": 1}, tensors)

    def full(folder):
        tensors(folder)
        raise OSError(28, os.strerror(28))

    with pytest.raises(OSError, match="No space left"):
        run.save_checkpoint(2, {"step": 2}, full)
    assert run.load_checkpoint()[1] == {"step": 1}
    assert [item.name for item in (run.path / "checkpoints").iterdir()] == ["00000001"]


@pytest.mark.parametrize("name", ["state.json", "model.bin", "manifest.json"])
@pytest.mark.parametrize("damage", ["change", "cut", "remove"])
def test_damage_is_found_and_named(run, name, damage):
    folder = run.save_checkpoint(5, {"step": 5}, tensors)
    file = folder / name
    if damage == "remove":
        file.unlink()
    else:
        data = file.read_bytes()
        file.write_bytes(data[:-1] if damage == "cut" else b"[" + data[1:])
    with pytest.raises(CheckpointError, match=r"00000005' is damaged.*remove '.*00000005'"):
        run.load_checkpoint()


def test_a_manifest_cannot_point_outside(run):
    folder = run.save_checkpoint(5, {"step": 5}, tensors)
    (folder / "manifest.json").write_text(json.dumps({"../../config.toml": "0"}))
    with pytest.raises(CheckpointError, match="damaged"):
        run.load_checkpoint()


def test_a_run_is_not_overwritten(run):
    with pytest.raises(FileExistsError, match="holds a run already"):
        RunDirectory.create(run.path, config="")
    assert run.config_path.read_text() == "seed = 0\n"


def test_missing_parts_are_named(tmp_path, run):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        RunDirectory.open(tmp_path)
    with pytest.raises(FileNotFoundError, match="has not finished"):
        run.summary()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        run.load_checkpoint()
    run.write_summary({"score": np.float64(0.5)})
    assert run.summary() == {"score": 0.5}
