import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apportion import Selector, Steps, Task
from apportion import estimators as est
from apportion.errors import LogFormatError
from apportion.log import read_log, write_parquet
from estimators.simulated_logs import TARGET, logs, simulate


@pytest.fixture(scope="module")
def log():
    return next(logs(*simulate("adaptive", n_logs=1, n_rounds=1000, seed=601)))


def columns_of(log):
    return {
        "step": pa.array(log.step),
        "task": pa.DictionaryArray.from_arrays(pa.array(log.chosen.astype(np.int32)), pa.array(list(log.tasks))),
        "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(log.probabilities.ravel()), len(log.tasks)),
        "reward": pa.array(log.reward, mask=np.isnan(log.reward)),
        "cost": pa.array(log.cost),
    }


def write(path, columns, header=None, **options):
    header = {"tasks": ["a", "b", "c"]} if header is None else header
    metadata = {"apportion": header if isinstance(header, bytes) else json.dumps(header)}
    pq.write_table(pa.table(columns, metadata=metadata), path, **options)
    return path


def read(path, **options):
    return list(est.parquet_chunks(path, **options))


@pytest.mark.parametrize("row_group_size", [64, 5000])
@pytest.mark.parametrize("chunk_rounds", [1, 100, 1 << 17])
def test_chunks_make_the_log(tmp_path, log, row_group_size, chunk_rounds):
    path = write(tmp_path / "log.parquet", columns_of(log), row_group_size=row_group_size)
    chunks = read(path, chunk_rounds=chunk_rounds)
    assert max(chunk.n_rounds for chunk in chunks) <= chunk_rounds
    for name in ("chosen", "probabilities", "reward", "step", "cost"):
        together = np.concatenate([getattr(chunk, name) for chunk in chunks])
        np.testing.assert_array_equal(together, getattr(log, name))
    streamed, whole = est.evaluate_stream(iter(chunks), TARGET), est.evaluate(log, TARGET)
    assert streamed.value == pytest.approx(whole.value, rel=1e-12)


def test_the_log_that_a_selector_wrote(tmp_path):
    tasks = [Task(name="cola", size=100), Task(name="rte", size=50)]
    selector = Selector(tasks, "uniform", "loss", budget=Steps(200), seed=0, log=tmp_path / "log.jsonl")
    for _ in range(200):
        decision = selector.ask()
        if decision.step % 10:
            selector.tell(decision, loss=float(decision.task))
        else:
            selector.skip(decision)
    whole = read_log(tmp_path / "log.jsonl")
    path = write_parquet(whole, tmp_path / "log.parquet")
    (chunk,) = read(path)
    assert chunk.tasks == ("cola", "rte")
    np.testing.assert_array_equal(chunk.reward, whole.logged.reward)
    np.testing.assert_array_equal(chunk.probabilities, whole.logged.probabilities)
    assert np.isnan(chunk.reward).sum() >= 20
    again = est.from_obp(whole.to_obp(), tasks=chunk.tasks)
    assert est.evaluate(again, np.array([0.5, 0.5])).value == est.evaluate(chunk, np.array([0.5, 0.5])).value


def test_task_names_may_be_plain_text(tmp_path, log):
    columns = columns_of(log) | {"task": pa.array([log.tasks[index] for index in log.chosen])}
    path = write(tmp_path / "log.parquet", columns, header={"tasks": [{"name": name} for name in "abc"]})
    np.testing.assert_array_equal(np.concatenate([chunk.chosen for chunk in read(path)]), log.chosen)


def test_an_empty_log_gives_no_estimate(tmp_path, log):
    path = write(tmp_path / "log.parquet", columns_of(log.rows(slice(0, 0))))
    assert np.isnan(est.evaluate_stream(est.parquet_chunks(path), TARGET).value)


def damaged(log, **changes):
    return columns_of(log) | changes


def with_value(log, name, row, value):
    values = getattr(log, name).copy()
    values[row] = value
    return values


PROBABILITIES = {
    "zero": [0.0, 0.5, 0.5],
    "nan": [np.nan, 0.5, 0.5],
    "sum": [0.5, 0.5, 0.5],
    "negative": [1.5, -0.5, 0.0],
}


@pytest.mark.parametrize("fault", PROBABILITIES)
def test_damaged_probabilities_name_file_and_round(tmp_path, log, fault):
    row = int(np.flatnonzero(log.chosen == 0)[-1])
    values = with_value(log, "probabilities", row, PROBABILITIES[fault])
    flat = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 3)
    path = write(tmp_path / "log.parquet", damaged(log, probabilities=flat))
    with pytest.raises(LogFormatError, match=rf"log.parquet': `probabilities` in round {row} "):
        read(path, chunk_rounds=100)


def test_gaps_and_unknown_tasks_are_named(tmp_path, log):
    names = [log.tasks[index] for index in log.chosen]
    for changes, message in (
        ({"task": pa.array([*names[:700], "d", *names[701:]])}, "round 700: field `task` names the unknown task 'd'"),
        ({"task": pa.array([*names[:700], None, *names[701:]])}, "round 700: field `task` is missing"),
        ({"step": pa.array([None, *range(999)])}, "round 0: field `step` is missing"),
        ({"cost": pa.array([*np.ones(999), None])}, "round 999: field `cost` is missing"),
        ({"cost": pa.array([*np.ones(999), np.nan])}, "`cost` in round 999 must be finite"),
        ({"reward": pa.array(with_value(log, "reward", 500, np.inf))}, "`reward` in round 500 must be finite"),
    ):
        path = write(tmp_path / "log.parquet", damaged(log, **changes))
        with pytest.raises(LogFormatError, match=message):
            read(path, chunk_rounds=300)
    holes = pa.array(
        [None if row == 400 else list(p) for row, p in enumerate(log.probabilities)], pa.list_(pa.float64(), 3)
    )
    with pytest.raises(LogFormatError, match="round 400: field `probabilities` is missing"):
        read(write(tmp_path / "log.parquet", damaged(log, probabilities=holes)))
    flat = pa.array(log.probabilities.ravel(), mask=np.arange(3000) == 1201)
    holes = pa.FixedSizeListArray.from_arrays(flat, 3)
    with pytest.raises(LogFormatError, match="round 400: field `probabilities` has a gap"):
        read(write(tmp_path / "log.parquet", damaged(log, probabilities=holes)))


def test_wrong_types_and_columns_are_named(tmp_path, log):
    for changes, message in (
        ({"step": pa.array(log.step.astype(float))}, "column `step` has the type double"),
        ({"task": pa.array(log.chosen)}, "column `task` has the type int64"),
        ({"reward": pa.array([str(value) for value in log.reward])}, "column `reward` has the type string"),
        ({"probabilities": pa.array(log.reward)}, "column `probabilities` has the type double"),
        (
            {"probabilities": pa.FixedSizeListArray.from_arrays(pa.array(np.full(2000, 0.5)), 2)},
            "lists 2 tasks, the header 3",
        ),
    ):
        with pytest.raises(LogFormatError, match=message):
            read(write(tmp_path / "log.parquet", damaged(log, **changes)))
    short = columns_of(log)
    del short["reward"]
    with pytest.raises(LogFormatError, match="0 columns `reward` instead of one"):
        read(write(tmp_path / "log.parquet", short))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({}, "field `tasks` of the header is damaged"),
        ([], "field `tasks` of the header is damaged"),
        (b"{not json", "field `tasks` of the header is damaged"),
        (b"[" * 100_000, "field `tasks` of the header is damaged"),
        ({"tasks": 3}, "field `tasks` of the header is damaged"),
        ({"tasks": [{"nom": "a"}]}, "field `tasks` of the header is damaged"),
        ({"tasks": [["a"], "b", "c"]}, "`tasks` must be names"),
        ({"tasks": ["a", "a", "c"]}, "'a' twice"),
        ({"tasks": []}, "1 to 100000 names, got 0"),
        ({"tasks": [str(index) for index in range(100_001)]}, "1 to 100000 names, got 100001"),
        ({"tasks": ["a", "b", "c"], "execution": "smooth"}, "not drawn at random"),
    ],
)
def test_damaged_headers_are_named(tmp_path, log, header, message):
    path = write(tmp_path / "log.parquet", columns_of(log.rows(slice(0, 10))), header=header)
    with pytest.raises(LogFormatError, match=message):
        read(path)


def test_what_is_no_log_is_refused(tmp_path, log):
    with pytest.raises(FileNotFoundError, match="no file"):
        read(tmp_path / "absent.parquet")
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(columns_of(log)), path)
    with pytest.raises(LogFormatError, match="metadata has no `apportion`"):
        read(path)
    path.write_bytes(b"step,task\n1,a\n")
    with pytest.raises(LogFormatError, match="cannot be read as Parquet"):
        read(path)
    with pytest.raises(ValueError, match="chunk_rounds"):
        read(path, chunk_rounds=0)


def test_a_torn_file_is_refused(tmp_path, log):
    path = write(tmp_path / "log.parquet", columns_of(log))
    whole = path.read_bytes()
    for size in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(LogFormatError, match="cannot be read as Parquet"):
            read(path)


def test_flipped_bytes_give_a_log_or_a_named_error(tmp_path, log):
    path = write(tmp_path / "log.parquet", columns_of(log.rows(slice(0, 50))), compression="none")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        raw = bytearray(whole)
        for place in rng.integers(0, len(raw), rng.integers(1, 6)):
            raw[place] = rng.integers(0, 256)
        path.write_bytes(bytes(raw))
        try:
            chunks = read(path)
        except LogFormatError:
            chunks, refused = [], refused + 1
        assert sum(chunk.n_rounds for chunk in chunks) <= 50
    assert refused > 20
