import orjson
import pytest

from apportion.report import figures, figures_for_demo, gather, load_run, load_runs, tables
from apportion.report.blocks import Charts
from apportion.report.figures.style import PALETTE
from report.made_runs import make_study

TASKS = [f"task_{index}" for index in range(5)]
GIVEN = {
    "transfer": [{"task": a, "source": b, "value": float(a == b)} for a in TASKS for b in TASKS],
    "worth": [{"task": name, "value": 1e-4, "lower": 0.0, "upper": 2e-4} for name in TASKS],
    "forecast": [{"task": name, "spent": 200, "score": 0.5, "lower": 0.4, "upper": 0.6} for name in TASKS],
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    found = make_study(tmp_path_factory.mktemp("study"))
    (found[0] / "plan.json").write_bytes(orjson.dumps(GIVEN))
    return found


@pytest.fixture(scope="module")
def setting(paths):
    (found,) = load_runs(paths)
    return found


def charts(setting):
    curves, differences = tables.curves(setting), tables.differences(setting)
    shares = tables.shares(setting)
    return {
        "objective": figures.objective(curves, setting, tables.finals(setting)),
        "scores": figures.scores(curves, setting, tables.forecasts(setting), tables.finals(setting)),
        "training": figures.training(tables.training(setting), setting),
        "forest": figures.forest(differences, setting),
        "task_differences": figures.task_differences(differences, setting),
        "shares": figures.shares(shares, setting),
        "share_map": figures.share_map(shares, setting),
        "totals": figures.totals(tables.total_shares(setting), setting),
        "reach": figures.reach(tables.reach(setting), setting),
        "rewards": figures.rewards(tables.rewards(setting), setting),
        "propensities": figures.propensities(tables.propensities(setting), setting),
        "effective_sizes": figures.effective_sizes(tables.effective_sizes(setting), setting),
        "transfer": figures.transfer(tables.transfers(setting), setting),
        "worth": figures.worth(tables.worths(setting), setting),
    }


def test_the_final_test_stands_at_the_end_of_the_curves(setting):
    finals = tables.finals(setting)
    for name, counted in (("objective", {tables.OBJECTIVE}), ("scores", {task.name for task in setting.tasks})):
        (text,) = charts(setting)[name].to_dict()["datasets"].values()
        squares = [value for value in orjson.loads(text) if value["kind"] == "tested"]
        assert {value["spent"] for value in squares} == {setting.budget}
        wanted = sorted((row.policy, row.mean) for row in finals if row.task in counted)
        found = sorted((value["policy"], value["mean"]) for value in squares)
        assert [policy for policy, _ in found] == [policy for policy, _ in wanted]
        assert [mean for _, mean in found] == pytest.approx([mean for _, mean in wanted], rel=1e-4)


def every_value(spec, key):
    if isinstance(spec, dict):
        for name, value in spec.items():
            if name == key:
                yield value
            else:
                yield from every_value(value, key)
    elif isinstance(spec, list):
        for value in spec:
            yield from every_value(value, key)


def test_every_figure_says_what_it_shows(setting):
    drawn = charts(setting)
    assert set(drawn) == set(figures.__all__)
    for name, chart in drawn.items():
        spec = chart.to_dict(validate=True)
        words = " ".join(spec["title"]["subtitle"])
        assert spec["title"]["text"], name
        assert spec["description"], name
        if name not in ("forest", "task_differences", "transfer", "worth"):
            assert "n = 3 seeds per policy (0, 1, 2)" in words, name
        titles = [value for value in every_value(spec, "title") if isinstance(value, str)]
        if name not in ("task_differences", "forest", "transfer", "worth", "effective_sizes", "totals"):
            assert any("steps" in title for title in titles), name
        if name in ("objective", "scores", "forest", "task_differences"):
            assert "95 % Student t interval" in words, name


def test_figures_hold_the_numbers_of_their_tables(setting):
    drawn = Charts()
    block = drawn.block("forest", figures.forest(tables.differences(setting), setting))
    held = drawn.datasets[block.table]
    shown = [dict(zip(held["columns"], row, strict=True)) for row in held["rows"]]
    wanted = [row for row in tables.differences(setting) if row.task == tables.OBJECTIVE]
    assert [row["policy"] for row in shown] == [row.policy for row in wanted]
    for row, other in zip(shown, wanted, strict=True):
        assert row["mean"] == pytest.approx(other.mean, rel=1e-5)
        assert row["n"] == 3


def test_stacked_shares_fill_the_whole(setting):
    drawn = Charts()
    held = drawn.datasets[drawn.block("shares", figures.shares(tables.shares(setting), setting)).table]
    rows = [dict(zip(held["columns"], row, strict=True)) for row in held["rows"]]
    tops = {}
    for row in rows:
        key = row["panel"], row["start"]
        assert row["low"] == pytest.approx(tops.get(key, 0.0), abs=2e-5)
        assert row["high"] - row["low"] == pytest.approx(row["share"], abs=2e-5)
        tops[key] = row["high"]
    assert set(tops.values()) == {1.0}


def test_colours_can_be_told_from_both_pages():
    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in PALETTE:
        assert 1.05 / (luminance(colour) + 0.05) >= 3, colour
        assert (luminance(colour) + 0.05) / (luminance("#14181e") + 0.05) >= 3, colour


def test_one_definition_gives_svg_and_png(setting, tmp_path):
    chart = figures.forest(tables.differences(setting), setting)
    chart.save(str(tmp_path / "forest.svg"))
    text = (tmp_path / "forest.svg").read_text()
    assert "Who is better than uniform" in text
    assert "exp3s" in text


def test_the_demo_gets_its_pictures(paths, tmp_path):
    written = figures_for_demo(paths[::3], tmp_path / "figures")
    assert [path.name for path in written] == ["shares.png", "scores.png", "objective.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_single_seed_draws_no_interval(paths):
    (alone,) = gather([load_run(paths[0])])
    for chart in (
        figures.objective(tables.curves(alone), alone),
        figures.scores(tables.curves(alone), alone),
        figures.totals(tables.total_shares(alone), alone),
    ):
        spec = chart.to_dict()
        assert not [*every_value(spec, "x2"), *every_value(spec, "y2")]
