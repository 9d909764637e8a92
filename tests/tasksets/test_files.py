import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apportion.budget import Steps, Tokens
from apportion.tasksets import FileTask, TextOptions, files, read_hub, read_table
from apportion.training import Settings, train
from tasksets.tiny import tiny_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def options(encoder, tmp_path):
    return TextOptions(encoder=encoder, freeze_layers="all", cache_dir=tmp_path / "cache", batch_size=4)


ROWS = [
    {"text": word * 3, "other": word, "label": word == "good ", "stars": 1.5 * index}
    for index, word in enumerate(["good ", "bad "] * 12)
]


def csv(path, rows=None, label="label"):
    rows = ROWS if rows is None else rows
    lines = ["text,other,label,stars"] + [
        f'"{row["text"]}",{row["other"]},{row["label"]},{row["stars"]}' for row in rows
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def jsonl(path, rows=None):
    path.write_text("".join(json.dumps(row) + "\n" for row in (ROWS if rows is None else rows)))
    return path


def parquet(path, rows=None):
    pq.write_table(pa.Table.from_pylist(ROWS if rows is None else rows), path)
    return path


@pytest.mark.parametrize("write", [csv, jsonl, parquet])
def test_every_format_gives_the_same_task(tmp_path, options, write):
    path = write(tmp_path / f"task.{write.__name__}")
    taskset = files([FileTask(name="own", train=path, text=("text", "other"), label="label")], options=options)
    part = taskset["own"]
    assert (len(part.train), len(part.validation[""])) == (22, 2)
    assert part.head.classes == 2
    labels = np.concatenate([part.train.labels(), part.validation[""].labels()])
    assert sorted(labels.tolist()) == [0] * 12 + [1] * 12


def test_they_train_as_classification_and_regression(tmp_path, options):
    path = csv(tmp_path / "task.csv")
    tasks = [
        FileTask(name="sort", train=path, validation=path, text="text", label="label", primary=("matthews", "f1")),
        FileTask(name="stars", train=path, text="text", label="stars", kind="regression", priority=0.0, batch_size=2),
    ]
    taskset = files(tasks, options=options)
    settings = Settings(learning_rate=1e-2)
    result = train(taskset, policy="uniform", budget=Steps(100), seed=0, when_exhausted="cycle", settings=settings)
    assert result.tasks["sort"].metrics["matthews"] == 1.0
    assert taskset["stars"].head.mean == pytest.approx(np.mean([row["stars"] for row in ROWS]), rel=0.2)
    assert taskset.batch_size_of("stars") == 2


@pytest.mark.parametrize("freeze", [0, 1, "all"])
def test_every_way_of_freezing_trains_and_counts_tokens(tmp_path, options, encoder, freeze):
    path = csv(tmp_path / "task.csv")
    told = []
    chosen = TextOptions(
        encoder=encoder,
        freeze_layers=freeze,
        cache_dir=tmp_path / "cache",
        batch_size=4,
        progress=lambda label, done, total: told.append((label, done, total)),
    )
    tasks = [FileTask(name="own", train=path, text=("text", "other"), label="label")]
    first = files(tasks, options=chosen)
    assert [entry[0] for entry in told] == {0: [], 1: ["frozen layers of own train", "frozen layers of own"]}.get(
        freeze, ["vectors of own train"]
    )
    count = len(told)
    second = files(tasks, options=chosen)
    assert len(told) == count, "what was computed is not computed again"
    assert second.checksum == first.checksum
    settings = Settings(evaluation_size=4, batch_size=4)
    results = [
        train(taskset, policy="uniform", budget=Tokens(300), seed=0, when_exhausted="cycle", settings=settings)
        for taskset in (first, second)
    ]
    assert results[0].scores == results[1].scores
    assert results[0].spent >= 300


def test_frozen_layers_give_what_the_whole_encoder_gives(tmp_path, encoder):
    """The same weights, so the same features, up to the half precision of the kept states."""
    path = csv(tmp_path / "task.csv")
    tasks = [FileTask(name="own", train=path, text=("text", "other"), label="label")]
    made = [
        files(tasks, options=TextOptions(encoder=encoder, freeze_layers=freeze, cache_dir=tmp_path))
        for freeze in (0, 1)
    ]
    numbers = np.array([0, 5, 3])
    whole, upper = (taskset.encoder().eval()(taskset["own"].train.take(numbers).inputs) for taskset in made)
    assert (whole - upper).abs().max() < 5e-3
    counts = [sum(weight.requires_grad for weight in taskset.encoder().parameters()) for taskset in made]
    assert counts[1] < counts[0]


def test_a_damaged_cache_is_computed_again(tmp_path, encoder):
    path = csv(tmp_path / "task.csv")
    options = TextOptions(encoder=encoder, freeze_layers="all", cache_dir=tmp_path / "cache")
    tasks = [FileTask(name="own", train=path, text="text", label="label")]
    before = files(tasks, options=options)["own"].train.take(np.arange(3)).inputs
    for file in (tmp_path / "cache").glob("*.npy"):
        file.write_bytes(file.read_bytes()[:200])
    assert (files(tasks, options=options)["own"].train.take(np.arange(3)).inputs == before).all()
    assert not list((tmp_path / "cache").glob(".*.part"))


def test_a_cache_that_cannot_be_is_named(tmp_path, encoder):
    path = csv(tmp_path / "task.csv")
    options = TextOptions(encoder=encoder, freeze_layers="all", cache_dir=path / "cache")
    with pytest.raises(OSError, match=r"cannot be kept in '.*cache' \(Not a directory\): .* `cache_dir`"):
        files([FileTask(name="own", train=path, text="text", label="label")], options=options)


def test_samples_are_fixed(tmp_path, encoder):
    path = csv(tmp_path / "task.csv")
    tasks = [FileTask(name="own", train=path, text="text", label="label")]
    made = [
        files(tasks, options=TextOptions(encoder=encoder, max_train=7, max_validation=1, cache_dir=tmp_path))
        for _ in range(2)
    ]
    assert (len(made[0]["own"].train), len(made[0]["own"].validation[""])) == (7, 1)
    assert made[0].checksums == made[1].checksums


def changed(row, **values):
    return [{**item, **(values if index == row else {})} for index, item in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (
            ROWS,
            {"text": "txt"},
            r"task.jsonl' has no column 'txt'; did you mean 'text'\?; it has text, other, label, stars",
        ),
        (ROWS, {"label": "labels"}, "has no column 'labels'; did you mean 'label'"),
        (changed(3, text=None), {}, "task.jsonl' has None in row 3 of the text column 'text'"),
        (changed(2, label=None), {}, "task.jsonl' has None in row 2 of the label column 'label', which is no class"),
        (ROWS, {"label": "stars"}, r"has 0.0 in row 0 of the label column 'stars', which is no class.*regression"),
        (ROWS, {"classes": (True, 7)}, r"has False in row 1 of the label column 'label', which must be one of True, 7"),
        (ROWS, {"label": "text", "kind": "regression"}, "which must hold numbers"),
        (
            changed(1, stars=None),
            {"label": "stars", "kind": "regression"},
            "has None in row 1 of the label column 'stars'",
        ),
        (ROWS[:1] * 9, {}, r"task 'own' needs at least two classes, got \[True\]"),
        (ROWS[:1] * 9, {"label": "stars", "kind": "regression"}, "the label 0.0 in every row of 'stars'"),
        (ROWS[:1], {}, "has 1 rows, too few to hold out"),
    ],
)
def test_bad_data_name_file_column_row_and_value(tmp_path, encoder, rows, changes, message):
    path = jsonl(tmp_path / "task.jsonl", rows)
    task = {"name": "own", "train": path, "text": "text", "label": "label", **changes}
    with pytest.raises(ValueError, match=message):
        files([FileTask(**task)], options=TextOptions(encoder=encoder, cache_dir=tmp_path))


def test_a_held_out_label_outside_the_training_classes_is_refused(tmp_path, encoder):
    train_file, held_out = jsonl(tmp_path / "a.jsonl"), jsonl(tmp_path / "b.jsonl", [{"text": "x", "label": "maybe"}])
    task = FileTask(name="own", train=train_file, validation=held_out, text="text", label="label")
    with pytest.raises(
        ValueError, match=r"b.jsonl' has 'maybe' in row 0 of the label column 'label', which must be one of"
    ):
        files([task], options=TextOptions(encoder=encoder))


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "bad.parquet").write_text("no parquet")
    (tmp_path / "empty.csv").write_text("text,label\n")
    for name, error, message in [
        ("bad.parquet", ValueError, "cannot be read as PARQUET"),
        ("empty.csv", ValueError, "has no rows: give the task some, or leave it out"),
        ("none.csv", FileNotFoundError, "there is no file"),
        ("task.xlsx", ValueError, "must end in one of .csv, .tsv, .jsonl, .parquet"),
    ]:
        with pytest.raises(error, match=message):
            read_table(tmp_path / name)


def test_texts_that_look_like_numbers_stay_text(tmp_path):
    (tmp_path / "a.tsv").write_text("text\tlabel\n01\t1\nNA\t0\n")
    table = read_table(tmp_path / "a.tsv", text=("text",))
    assert table.columns == {"text": ["01", "NA"], "label": [1, 0]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": ("a", "b", "c")}, "must name one or two columns"),
        ({"kind": "ranking"}, "`kind` must be one of"),
        ({"held_out": 1.0}, "`held_out` must be in"),
        ({"primary": ("acuracy",)}, "did you mean 'accuracy'"),
    ],
)
def test_wrong_descriptions_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FileTask(**{"name": "own", "train": "a.csv", "text": "text", "label": "label", **options})


def test_tasks_and_options_may_be_tables_of_a_configuration(tmp_path, encoder):
    path = csv(tmp_path / "task.csv")
    table = {"name": "own", "train": str(path), "text": ["text", "other"], "label": "label"}
    options = {"encoder": encoder, "freeze_layers": "all", "cache_dir": str(tmp_path)}
    described = FileTask(name="own", train=path, text=("text", "other"), label="label")
    same = files([described], options=TextOptions(**options))
    assert files([table], options=options).checksum == same.checksum
    with pytest.raises(ValueError, match="task 0 of `tasks` has no key 'txt'; did you mean 'text'"):
        files([{**table, "txt": "a"}], options=options)
    with pytest.raises(ValueError, match="task 0 of `tasks` needs the key 'label'"):
        files([{key: value for key, value in table.items() if key != "label"}], options=options)
    with pytest.raises(ValueError, match="`options` has no key 'freeze'; did you mean 'freeze_layers'"):
        files([table], options={"freeze": 1})


def test_names_must_differ_and_metrics_must_fit(tmp_path, encoder):
    path = csv(tmp_path / "task.csv")
    task = FileTask(name="own", train=path, text="text", label="label")
    with pytest.raises(ValueError, match="got 'own' twice"):
        files([task, task], options=TextOptions(encoder=encoder))
    other = FileTask(name="own", train=path, text="text", label="label", primary=("pearson",))
    with pytest.raises(ValueError, match="'pearson' does not fit task 'own'"):
        files([other], options=TextOptions(encoder=encoder))


def test_a_data_set_by_its_id(tmp_path, encoder, monkeypatch):
    """The loader of the hub also takes a folder, so the real one runs without a network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    folder.mkdir()
    parquet(folder / "train.parquet")
    parquet(folder / "validation.parquet", ROWS[:6])
    task = FileTask(name="own", train=str(folder), validation="validation", text="text", label="label")
    taskset = files([task], options=TextOptions(encoder=encoder))
    assert (len(taskset["own"].train), len(taskset["own"].validation[""])) == (24, 6)
    with pytest.raises(ValueError, match=r"the split 'test' of the data set .* cannot be loaded"):
        read_hub(str(folder), None, "test")


def test_an_encoder_that_cannot_be_loaded(tmp_path):
    path = csv(tmp_path / "task.csv")
    task = FileTask(name="own", train=path, text="text", label="label")
    with pytest.raises(ValueError, match=r"the encoder '.*nothing' cannot be loaded"):
        files([task], options=TextOptions(encoder=str(tmp_path / "nothing")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze_layers": -1}, "`freeze_layers` must be at least 0"),
        ({"freeze_layers": 2}, r"`freeze_layers` must be from 0 to 1 or 'all'"),
        ({"max_length": 1}, "must be at least 4"),
        ({"max_train": 0}, "must be at least 1"),
    ],
)
def test_wrong_options_are_refused(tmp_path, encoder, options, message):
    path = csv(tmp_path / "task.csv")
    task = FileTask(name="own", train=path, text="text", label="label")
    with pytest.raises(ValueError, match=message):
        files([task], options=TextOptions(encoder=encoder, **options))


def test_vectors_of_pairs_and_of_single_texts(tmp_path, encoder):
    path = csv(tmp_path / "task.csv")
    options = TextOptions(encoder=encoder, freeze_layers="all", cache_dir=tmp_path)
    pair = files([FileTask(name="p", train=path, text=("text", "other"), label="label")], options=options)["p"]
    single = files([FileTask(name="p", train=path, text="text", label="label")], options=options)["p"]
    numbers = np.array([4, 0])
    width = pair.train.vectors.shape[1]
    u, v, distance, product = pair.train.take(numbers).inputs.split(width, dim=1)
    assert (distance == (u - v).abs()).all()
    assert (product == u * v).all()
    assert u.norm(dim=1).tolist() == pytest.approx([math.sqrt(width)] * 2, rel=1e-4)
    alone = single.train.take(numbers).inputs
    assert (alone[:, :width] == u).all()
    assert (alone[:, width:] == 0).all()
