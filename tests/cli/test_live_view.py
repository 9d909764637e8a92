import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from apportion.cli._live import LiveView, sparkline
from apportion.config import make_config
from apportion.launch import launch
from apportion.tasksets import digits

TASKSET = digits()


def drawn(place, policy="round_robin", **terminal):
    """What is on the screen at the end of a short run, line by line, and all that was written."""
    file = io.StringIO()
    config = {
        "seed": 0,
        "when_exhausted": "cycle",
        "policy": policy,
        "taskset": {"name": "digits"},
        "budget": {"amount": 40},
        "training": {"threads": 1, "evaluation_size": 8, "evaluate_every": 10},
    }
    launch(make_config(config), place, callbacks=[LiveView(Console(file=file, **terminal))], taskset=TASKSET)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    last = text.rfind("steps ")
    return text[last:].splitlines(), file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_shares_and_scores_fit_the_terminal(width, tmp_path):
    lines, _ = drawn(tmp_path / "run", force_terminal=True, width=width, height=40)
    assert max(map(cell_len, lines)) <= width
    assert "40/40" in lines[0]
    assert all(column in lines[2] for column in ("share", "asked for", "loss", "score", "scores so far"))
    rows = [line for line in lines if "│" in line]
    assert [row.split()[1] for row in rows] == [
        "negative", "digit", "rotated", "shuffled", "few", "noisy", "random", "angle",
    ]  # fmt: skip
    assert all("12.5%" in row for row in rows)
    for row in rows:
        asked, scores = (row.split("│")[column].strip() for column in (3, 6))
        assert set(asked) <= set("▁▂▃▄▅▆▇█")
        assert len(asked) > 10
        assert 4 <= len(scores) <= 5  # one for each evaluation


def test_a_low_terminal_names_what_it_leaves_out(tmp_path):
    lines, _ = drawn(tmp_path / "run", force_terminal=True, width=80, height=12)
    assert sum("│" in line for line in lines) == 5
    assert "and 3 more tasks" in lines


def test_no_terminal_gets_a_line_for_each_evaluation(tmp_path):
    _, text = drawn(tmp_path / "run", force_terminal=False, width=80)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert len(lines) in (4, 5)
    assert all(re.fullmatch(r"[\d.]+/40 steps  negative .*angle -?\d\.\d{3}", line) for line in lines)


def test_tasks_that_an_evaluation_left_out_are_not_called_undefined(tmp_path):
    _, text = drawn(tmp_path / "run", policy="planner", force_terminal=False, width=80)
    assert "undefined" not in text
    # Before training all are measured, later hardly any.
    assert len(re.findall(r"-?\d\.\d{3}", text.splitlines()[0])) == 8
    shown, _ = drawn(tmp_path / "shown", policy="planner", force_terminal=True, width=120, height=40)
    assert not any("undefined" in line for line in shown)
    rows = [line for line in shown if "│" in line]
    assert all(re.fullmatch(r"-?\d\.\d{3}", row.split("│")[5].strip()) for row in rows)


def test_a_chart_has_gaps_and_may_have_a_scale_of_its_own():
    assert sparkline([0.0, float("nan"), 1.0]) == "▁ █"
    assert sparkline([0.5, 0.5]) == "▁▁"
    assert sparkline([0.0, 0.5], 0.0, 1.0) == "▁▄"
    assert sparkline([float("nan")]) == ""
